package metrics

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/timestamp"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"

	"goc/ops"
)

// Bounds of one query.
const (
	MaxExprLength = 16 << 10 // bytes of an expression
	MaxSteps      = 11_000   // points of one series of a range, as in Prometheus
)

// Query answers expr at one time; the zero time is now. A scalar is one point without labels.
func (s *Service) Query(ctx context.Context, expr string, at time.Time) ([]ops.Point, error) {
	if at.IsZero() {
		at = s.now()
	}
	value, err := s.instant(ctx, expr, at)
	if err != nil {
		return nil, err
	}
	vector, err := asVector(value)
	if err != nil {
		return nil, queryError(err)
	}
	points := make([]ops.Point, 0, len(vector))
	for _, sample := range vector {
		if sample.H != nil {
			continue // a native histogram is no number
		}
		points = append(points, ops.Point{Labels: sample.Metric.Map(), At: timestamp.Time(sample.T), Value: sample.F})
	}
	return points, nil
}

// QueryRange answers expr from from to to, one value per step.
func (s *Service) QueryRange(ctx context.Context, expr string, from, to time.Time, step time.Duration) ([]ops.Curve, error) {
	value, err := s.overRange(ctx, expr, from, to, step)
	if err != nil {
		return nil, err
	}
	matrix, ok := value.(promql.Matrix)
	if !ok {
		return nil, ops.Errorf(ops.Invalid, "the expression does not give series").At("query")
	}
	curves := make([]ops.Curve, len(matrix))
	for i, series := range matrix {
		c := ops.Curve{Labels: series.Metric.Map()}
		for _, p := range series.Floats {
			c.Times = append(c.Times, timestamp.Time(p.T))
			c.Values = append(c.Values, p.F)
		}
		curves[i] = c
	}
	return curves, nil
}

// Vector answers expr at one time as Prometheus' rules want it; it is a rules.QueryFunc. It does not wait for a turn:
// rules go before people.
func (s *Service) Vector(ctx context.Context, expr string, at time.Time) (promql.Vector, error) {
	value, err := s.run(ctx, expr, at, at, 0)
	if err != nil {
		return nil, err
	}
	return asVector(value)
}

// instant answers a person's or dashboard's query, when its turn has come.
func (s *Service) instant(ctx context.Context, expr string, at time.Time) (parser.Value, error) {
	return s.inTurn(ctx, expr, 1, func(ctx context.Context) (parser.Value, error) { return s.run(ctx, expr, at, at, 0) })
}

// overRange is instant for a range.
func (s *Service) overRange(ctx context.Context, expr string, from, to time.Time, step time.Duration) (parser.Value, error) {
	switch {
	case step <= 0:
		return nil, ops.Errorf(ops.Invalid, "must be longer than zero").At("step")
	case to.Before(from):
		return nil, ops.Errorf(ops.Invalid, "must not be before the start").At("end")
	case to.Sub(from)/step > MaxSteps:
		return nil, ops.Errorf(ops.Invalid, "a range may have at most %d points per series", MaxSteps).At("step").WithHint("use a longer step")
	}
	return s.inTurn(ctx, expr, int64(to.Sub(from)/step)+1, func(ctx context.Context) (parser.Value, error) { return s.run(ctx, expr, from, to, step) })
}

func (s *Service) inTurn(ctx context.Context, expr string, steps int64, run func(context.Context) (parser.Value, error)) (parser.Value, error) {
	if expr == "" || len(expr) > MaxExprLength {
		return nil, ops.Errorf(ops.Invalid, "an expression must have 1 to %d bytes", MaxExprLength).At("query")
	}
	if err := checkSubqueries(expr, steps, s.evaluationInterval()); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.queryTimeout)
	defer cancel()
	select {
	case s.turns <- struct{}{}:
		defer func() { <-s.turns }()
	case <-ctx.Done():
		return nil, ops.Errorf(ops.Unavailable, "too many queries are running")
	}
	value, err := run(ctx)
	return value, queryError(err)
}

// run evaluates expr where its series are: in the remote store, or in ours. A step of zero means at one time.
func (s *Service) run(ctx context.Context, expr string, from, to time.Time, step time.Duration) (parser.Value, error) {
	var opts promql.QueryOpts
	switch {
	case s.ours.only(expr):
		opts = lookback(expr, s.sampleInterval())
	case s.remote != nil:
		return s.remote.run(ctx, expr, from, to, step)
	}
	query, err := s.prepare(ctx, opts, expr, from, to, step)
	if err != nil {
		return nil, err
	}
	defer query.Close()
	result := query.Exec(ctx)
	if result.Err != nil {
		return nil, result.Err
	}
	return detach(result.Value), nil
}

func (s *Service) prepare(ctx context.Context, o promql.QueryOpts, expr string, from, to time.Time, step time.Duration) (promql.Query, error) {
	if step == 0 {
		return s.engine.NewInstantQuery(ctx, s.db, o, expr, from)
	}
	return s.engine.NewRangeQuery(ctx, s.db, o, expr, from, to, step)
}

// detach copies what the engine takes back for the next query when this one is closed.
func detach(v parser.Value) parser.Value {
	switch v := v.(type) {
	case promql.Vector:
		return append(promql.Vector{}, v...)
	case promql.Matrix:
		out := make(promql.Matrix, len(v))
		for i, series := range v {
			series.Floats = append([]promql.FPoint(nil), series.Floats...)
			series.Histograms = append([]promql.HPoint(nil), series.Histograms...)
			out[i] = series
		}
		return out
	}
	return v
}

func asVector(v parser.Value) (promql.Vector, error) {
	switch v := v.(type) {
	case promql.Vector:
		return v, nil
	case promql.Scalar:
		return promql.Vector{{T: v.T, F: v.V, Metric: labels.EmptyLabels()}}, nil
	}
	return nil, errors.New("the expression gives neither a vector nor a scalar")
}

// queryError says of an engine's error whose fault it is.
func queryError(err error) error {
	var known *ops.Error
	var timeout promql.ErrQueryTimeout
	var canceled promql.ErrQueryCanceled
	var store promql.ErrStorage
	var tooMany promql.ErrTooManySamples
	switch {
	case err == nil, errors.As(err, &known):
		return err
	case errors.As(err, &tooMany):
		return ops.Errorf(ops.TooLarge, "%w", err).At("query").WithHint("select fewer series or a shorter range, or raise metrics.query_max_samples")
	case errors.As(err, &timeout), errors.As(err, &canceled), errors.As(err, &store),
		errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return ops.Errorf(ops.Unavailable, "the query was not answered: %w", err)
	}
	return ops.Errorf(ops.Invalid, "%w", err).At("query")
}
