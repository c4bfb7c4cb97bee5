package metrics

import (
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"

	"goc/ops"
)

// maxNames is how many series, label names or values one answer may have.
const maxNames = 50_000

// lookup is a question about which series there are.
type lookup struct {
	sets    [][]*labels.Matcher // none means all series
	querier storage.Querier
	limit   int
}

// ask reads what /series, /labels and /label/…/values have in common. The caller closes the querier.
func (s *Service) ask(r *http.Request) (l lookup, err error) {
	if l.sets, err = matchersParam(r); err != nil {
		return l, err
	}
	if l.limit, err = limitParam(r, maxNames); err != nil {
		return l, err
	}
	from, err := timeParam(r, "start", time.UnixMilli(0))
	if err != nil {
		return l, err
	}
	to, err := timeParam(r, "end", time.UnixMilli(math.MaxInt64/2))
	if err != nil {
		return l, err
	}
	if l.querier, err = s.db.Querier(from.UnixMilli(), to.UnixMilli()); err != nil {
		return l, ops.Errorf(ops.Unavailable, "the store does not answer: %w", err)
	}
	return l, nil
}

func (s *Service) serveSeries(r *http.Request) (any, error) {
	l, err := s.ask(r)
	if err != nil {
		return nil, err
	}
	defer l.querier.Close()
	if len(l.sets) == 0 {
		return nil, ops.Errorf(ops.Invalid, "name at least one selector").At("match[]")
	}
	hints := &storage.SelectHints{Func: "series", Start: 0, End: math.MaxInt64, Limit: l.limit}
	var sets []storage.SeriesSet
	for _, matchers := range l.sets {
		sets = append(sets, l.querier.Select(r.Context(), true, hints, matchers...))
	}
	merged := storage.NewMergeSeriesSet(sets, 0, storage.ChainedSeriesMerge)
	out := []labels.Labels{}
	for len(out) < l.limit && merged.Next() {
		out = append(out, merged.At().Labels())
	}
	return out, queryError(merged.Err())
}

func (s *Service) serveLabels(r *http.Request) (any, error) {
	l, err := s.ask(r)
	if err != nil {
		return nil, err
	}
	defer l.querier.Close()
	return l.names(func(matchers []*labels.Matcher) ([]string, error) {
		names, _, err := l.querier.LabelNames(r.Context(), &storage.LabelHints{}, matchers...)
		return names, err
	})
}

func (s *Service) serveValues(r *http.Request) (any, error) {
	name := r.PathValue("name")
	if len(name) > 2 && name[:3] == "U__" {
		name = model.UnescapeName(name, model.ValueEncodingEscaping)
	}
	if !model.UTF8Validation.IsValidLabelName(name) {
		return nil, ops.Errorf(ops.Invalid, "is no name of a label").At("name")
	}
	l, err := s.ask(r)
	if err != nil {
		return nil, err
	}
	defer l.querier.Close()
	return l.names(func(matchers []*labels.Matcher) ([]string, error) {
		values, _, err := l.querier.LabelValues(r.Context(), name, &storage.LabelHints{}, matchers...)
		return values, err
	})
}

// names gathers what find gives for each set of matchers, sorted, each once.
func (l lookup) names(find func([]*labels.Matcher) ([]string, error)) ([]string, error) {
	sets := l.sets
	if len(sets) == 0 {
		sets = [][]*labels.Matcher{nil}
	}
	out := []string{}
	for _, matchers := range sets {
		found, err := find(matchers)
		if err != nil {
			return nil, queryError(err)
		}
		out = append(out, found...)
	}
	slices.Sort(out)
	out = slices.Compact(out)
	return out[:min(len(out), l.limit)], nil
}

type metadata struct {
	Type model.MetricType `json:"type"`
	Help string           `json:"help"`
	Unit string           `json:"unit"`
}

// serveMetadata says what targets, and we ourselves, say of their metrics.
func (s *Service) serveMetadata(r *http.Request) (any, error) {
	limit, err := limitParam(r, maxNames)
	if err != nil {
		return nil, err
	}
	metric := r.FormValue("metric")
	out := map[string][]metadata{}
	add := func(family string, m metadata) {
		if metric != "" && metric != family || out[family] == nil && len(out) >= limit || slices.Contains(out[family], m) {
			return
		}
		out[family] = append(out[family], m)
	}
	for _, targets := range s.scraper.scrapes.TargetsActive() {
		for _, t := range targets {
			for _, m := range t.ListMetadata() {
				add(m.MetricFamily, metadata{m.Type, m.Help, m.Unit})
			}
		}
	}
	if s.gatherer != nil {
		families, _ := s.gatherer.Gather()
		for _, f := range families {
			add(f.GetName(), metadata{model.MetricType(strings.ToLower(f.GetType().String())), f.GetHelp(), f.GetUnit()})
		}
	}
	return out, nil
}
