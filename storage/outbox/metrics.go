package outbox

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	outcomes   *prometheus.CounterVec
	seconds    *prometheus.HistogramVec
	registerer prometheus.Registerer
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		registerer: r,
		outcomes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "goc_outbox_outcomes_total", Help: "Attempts at effects by how they ended; pending means tried again later.",
		}, []string{"effect", "state"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "goc_outbox_attempt_seconds", Help: "Time of one attempt at an effect.",
			Buckets: prometheus.ExponentialBuckets(0.005, 3, 9),
		}, []string{"effect"}),
	}
	if r != nil {
		r.MustRegister(m.outcomes, m.seconds)
	}
	return m
}

func (m *metrics) unregister() {
	if m.registerer != nil {
		m.registerer.Unregister(m.outcomes)
		m.registerer.Unregister(m.seconds)
	}
}
