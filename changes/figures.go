package changes

import (
	"github.com/prometheus/client_golang/prometheus"

	"goc/changes/policy"
)

// figures are what this room shows of itself on /metrics.
type figures struct {
	decisions  *prometheus.CounterVec
	seconds    prometheus.Histogram
	changes    *prometheus.CounterVec
	unapproved prometheus.Counter
	verdicts   *prometheus.CounterVec
	register   func(...prometheus.Collector)
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
	f.register = func(...prometheus.Collector) {}
	if r != nil {
		f.register = r.MustRegister
		r.MustRegister(f.decisions, f.seconds, f.changes, f.unapproved, f.verdicts)
	}
	return f
}

// policies shows how often each policy held, and could not be evaluated.
func (f figures) policies(set func() *policy.Set) { f.register(policyFigures{set}) }

type policyFigures struct{ set func() *policy.Set } // those in force

var (
	policyHeld   = prometheus.NewDesc("goc_gate_policy_held_total", "Decisions in which a policy held.", []string{"policy"}, nil)
	policyErrors = prometheus.NewDesc("goc_gate_policy_errors_total", "Decisions for which a policy could not be evaluated.", []string{"policy"}, nil)
)

// Describe implements prometheus.Collector.
func (policyFigures) Describe(ch chan<- *prometheus.Desc) {
	ch <- policyHeld
	ch <- policyErrors
}

// Collect implements prometheus.Collector.
func (p policyFigures) Collect(ch chan<- prometheus.Metric) {
	for _, c := range p.set().Counts() {
		ch <- prometheus.MustNewConstMetric(policyHeld, prometheus.CounterValue, float64(c.Held), c.Name)
		ch <- prometheus.MustNewConstMetric(policyErrors, prometheus.CounterValue, float64(c.Errors), c.Name)
	}
}
