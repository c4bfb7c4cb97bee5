package changes

import "github.com/prometheus/client_golang/prometheus"

// figures are what this room shows of itself on /metrics.
type figures struct {
	decisions  *prometheus.CounterVec
	seconds    prometheus.Histogram
	changes    *prometheus.CounterVec
	unapproved prometheus.Counter
	verdicts   *prometheus.CounterVec
}

func newFigures(r prometheus.Registerer) figures {
	f := figures{
		decisions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "goc_gate_decisions_total",
			Help: "Decisions of the gate.",
		}, []string{"decision"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "goc_gate_check_seconds",
			Help: "Time from a question to the gate to its answer, audited on disk.", Buckets: prometheus.ExponentialBuckets(0.0001, 2, 14),
		}),
		changes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "goc_changes_total",
			Help: "Changes that came to a status.",
		}, []string{"kind", "status"}),
		unapproved: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "goc_changes_unapproved_total",
			Help: "Changes that went out although the gate said no, or without asking.",
		}),
		verdicts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "goc_bake_verdicts_total",
			Help: "Verdicts of bakes.",
		}, []string{"verdict"}),
	}
	if r != nil {
		r.MustRegister(f.decisions, f.seconds, f.changes, f.unapproved, f.verdicts)
	}
	return f
}
