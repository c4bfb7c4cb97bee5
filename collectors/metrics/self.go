package metrics

import (
	"context"
	"net/url"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/timestamp"
	"github.com/prometheus/prometheus/storage"
)

// selfJob is the job label of our own metrics.
const selfJob = "goc"

// gatherSelf stores our own metrics as a scrape of our own /metrics would, but without the network and the token that
// it would need.
func (s *Service) gatherSelf(ctx context.Context, at time.Time) error {
	families, err := s.gatherer.Gather()
	if err != nil && len(families) == 0 {
		return err
	}
	samples, err := expfmt.ExtractSamples(&expfmt.DecodeOptions{Timestamp: model.TimeFromUnixNano(at.UnixNano())}, families...)
	if err != nil && len(samples) == 0 {
		return err
	}
	batch := s.self.batch(s.db.Appender(ctx), timestamp.FromTime(at))
	for _, sample := range samples {
		m := sample.Metric
		if m[model.MetricNameLabel] == IndicatorMetric {
			continue // the sampler keeps it; with a remote store it is on /metrics as well
		}
		batch.add(m.FastFingerprint(), float64(sample.Value), func() labels.Labels { return s.selfLabels(m) })
	}
	batch.add(0, 1, func() labels.Labels { return s.selfLabels(model.Metric{model.MetricNameLabel: "up"}) })
	return batch.commit()
}

func (s *Service) selfLabels(m model.Metric) labels.Labels {
	b := labels.NewScratchBuilder(len(m) + 2)
	for k, v := range m {
		if v != "" && k != model.JobLabel && k != model.InstanceLabel {
			b.Add(string(k), string(v))
		}
	}
	b.Add(model.JobLabel, selfJob)
	b.Add(model.InstanceLabel, s.instance)
	b.Sort()
	return b.Labels()
}

// instanceOf is the instance label for our own URL.
func instanceOf(selfURL string) string {
	if u, err := url.Parse(selfURL); err == nil && u.Host != "" {
		return u.Host
	}
	return selfJob
}

var _ storage.Appendable = (*Service)(nil)
