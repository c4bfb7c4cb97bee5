package metrics

import (
	"context"
	"log/slog"
	"math"
	"sync"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/timestamp"
	"github.com/prometheus/prometheus/promql"
	"golang.org/x/sync/errgroup"

	"goc/ops"
)

// IndicatorMetric is the series under which every indicator of every service is kept, so that rules and charts need
// to know only one name. Its labels are indicator, service, and unit, store, caller, caller_unit where the indicator
// has them.
const IndicatorMetric = "goc_indicator"

// samplerParallel is how many indicators are evaluated at the same time.
const samplerParallel = 8

// probe is one indicator of one service, to be evaluated at each tick.
type probe struct {
	service   string
	indicator string
	expr      string
}

// seriesKey is what tells one series of goc_indicator from another.
type seriesKey struct {
	service, indicator, unit, store, caller, callerUnit string
}

// sampler evaluates probes; what it keeps between ticks is only for writing and for saying things once.
type sampler struct {
	query    func(ctx context.Context, expr string, at time.Time) (promql.Vector, error)
	limit    int // series of one probe
	counters *samplerMetrics
	log      *slog.Logger

	mu      sync.Mutex
	failing map[probe]bool // whose last evaluation failed, or was over its limit: logged when it starts and when it ends
}

// probesOf lists what the catalog wants to be evaluated, in catalog order.
func probesOf(c *ops.Catalog) []probe {
	var out []probe
	if c == nil {
		return nil
	}
	for _, s := range c.Services {
		for _, i := range s.Indicators {
			out = append(out, probe{service: s.Name, indicator: i.Name, expr: i.Expr})
		}
	}
	return out
}

// sample evaluates all probes as of at. A probe that fails has no samples; the others have theirs.
func (s *sampler) sample(ctx context.Context, probes []probe, at time.Time) []ops.Sample {
	results := make([][]ops.Sample, len(probes))
	var group errgroup.Group
	group.SetLimit(samplerParallel)
	for i, p := range probes {
		group.Go(func() error {
			results[i] = s.evaluate(ctx, p, at)
			return nil
		})
	}
	_ = group.Wait()
	var out []ops.Sample
	for _, r := range results {
		out = append(out, r...)
	}
	return out
}

func (s *sampler) evaluate(ctx context.Context, p probe, at time.Time) []ops.Sample {
	vector, err := s.query(ctx, p.expr, at)
	if err != nil {
		s.counters.failures.Inc()
		s.report(p, err.Error())
		return nil
	}
	samples, over := s.read(p, vector, at)
	if over > 0 {
		s.counters.dropped.WithLabelValues("limit").Add(float64(over))
		s.report(p, "more series than metrics.indicator_limit")
	} else {
		s.report(p, "")
	}
	return samples
}

// read turns an answer into samples: not a number and infinite values are dropped, as are second values for the same
// labels and what is over the limit.
func (s *sampler) read(p probe, vector promql.Vector, at time.Time) (out []ops.Sample, over int) {
	seen := make(map[seriesKey]struct{}, len(vector))
	for _, v := range vector {
		if v.H != nil || math.IsNaN(v.F) || math.IsInf(v.F, 0) {
			s.counters.dropped.WithLabelValues("not_finite").Inc()
			continue
		}
		sample := ops.Sample{
			At: ops.At(at), Indicator: p.indicator, Service: p.service, Value: v.F,
			Unit: v.Metric.Get("unit"), Store: v.Metric.Get("store"),
			Caller: v.Metric.Get("caller"), CallerUnit: v.Metric.Get("caller_unit"),
		}
		key := keyOf(sample)
		if _, twice := seen[key]; twice {
			s.counters.dropped.WithLabelValues("duplicate").Inc()
			continue
		}
		if len(out) >= s.limit {
			over++
			continue
		}
		seen[key] = struct{}{}
		out = append(out, sample)
	}
	return out, over
}

// report logs a probe's trouble when it starts, and that it is over when it ends.
func (s *sampler) report(p probe, trouble string) {
	s.mu.Lock()
	was := s.failing[p]
	s.failing[p] = trouble != ""
	s.mu.Unlock()
	switch {
	case trouble != "" && !was:
		s.log.Warn("indicator is not sampled in full", "service", p.service, "indicator", p.indicator, "reason", trouble)
	case trouble == "" && was:
		s.log.Info("indicator is sampled again", "service", p.service, "indicator", p.indicator)
	}
}

func keyOf(s ops.Sample) seriesKey {
	return seriesKey{s.Service, s.Indicator, s.Unit, s.Store, s.Caller, s.CallerUnit}
}

func (k seriesKey) labels() labels.Labels {
	b := labels.NewScratchBuilder(7)
	for _, l := range [...]labels.Label{
		{Name: model.MetricNameLabel, Value: IndicatorMetric},
		{Name: "caller", Value: k.caller},
		{Name: "caller_unit", Value: k.callerUnit},
		{Name: "indicator", Value: k.indicator},
		{Name: "service", Value: k.service},
		{Name: "store", Value: k.store},
		{Name: "unit", Value: k.unit},
	} {
		if l.Value != "" {
			b.Add(l.Name, l.Value)
		}
	}
	return b.Labels()
}

// keep writes the samples of one tick to the embedded store.
func (s *Service) keep(ctx context.Context, samples []ops.Sample, at time.Time) error {
	batch := s.indicators.batch(s.db.Appender(ctx), timestamp.FromTime(at))
	for _, sample := range samples {
		key := keyOf(sample)
		batch.add(key, sample.Value, key.labels)
	}
	return batch.commit()
}

// Backfill returns what the sampler saw from from to to, one sample per step and series, oldest first: what a room
// needs to fill its buffers after a restart.
func (s *Service) Backfill(ctx context.Context, from, to time.Time, step time.Duration) ([]ops.Sample, error) {
	curves, err := s.QueryRange(ctx, IndicatorMetric, from, to, step)
	if err != nil {
		return nil, err
	}
	var out []ops.Sample
	for _, c := range curves {
		for i, at := range c.Times {
			out = append(out, ops.Sample{
				At: ops.At(at), Indicator: c.Labels["indicator"], Service: c.Labels["service"], Value: c.Values[i],
				Unit: c.Labels["unit"], Store: c.Labels["store"], Caller: c.Labels["caller"], CallerUnit: c.Labels["caller_unit"],
			})
		}
	}
	sortByTime(out)
	return out, nil
}
