package storage

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the journal's own figures.
type metrics struct {
	mutations, refused prometheus.Counter
	seconds            prometheus.Histogram // its count is the number of commits
	all                []prometheus.Collector
	registerer         prometheus.Registerer
}

func newMetrics(r prometheus.Registerer, s *Store) *metrics {
	m := &metrics{
		registerer: r,
		mutations:  prometheus.NewCounter(prometheus.CounterOpts{Name: "goc_storage_mutations_total", Help: "Mutations that are on disk."}),
		refused:    prometheus.NewCounter(prometheus.CounterOpts{Name: "goc_storage_refused_total", Help: "Mutations refused because they exceed a bound."}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "goc_storage_commit_seconds", Help: "Time of one commit of all mutations that waited.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 4, 9),
		}),
	}
	gauge := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value)
	}
	m.all = []prometheus.Collector{
		m.mutations, m.refused, m.seconds,
		gauge("goc_storage_queue_length", "Mutations that wait for the committer.", func() float64 { return float64(s.queue.length()) }),
		gauge("goc_storage_feed_backlog", "Commits that subscribers have not seen yet.", func() float64 { return float64(s.feed.backlog()) }),
		gauge("goc_storage_last_seq", "Number of the last event on disk.", func() float64 { return float64(s.LastSeq()) }),
		gauge("goc_storage_up", "1 while the journal works, 0 once it has stopped.", func() float64 {
			if s.Err() != nil {
				return 0
			}
			return 1
		}),
	}
	if r != nil {
		r.MustRegister(m.all...)
	}
	return m
}

func (m *metrics) committed(mutations int, took time.Duration) {
	m.mutations.Add(float64(mutations))
	m.seconds.Observe(took.Seconds())
}

func (m *metrics) unregister() {
	if m.registerer == nil {
		return
	}
	for _, c := range m.all {
		m.registerer.Unregister(c)
	}
}
