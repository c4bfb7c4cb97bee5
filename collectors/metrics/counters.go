package metrics

import (
	"math"
	"slices"
	"syscall"

	"github.com/prometheus/client_golang/prometheus"

	"goc/ops"
)

// samplerMetrics is what /metrics says about the sampler.
type samplerMetrics struct {
	dropped  *prometheus.CounterVec
	failures prometheus.Counter
	missed   prometheus.Counter
	seconds  prometheus.Histogram
	series   prometheus.Gauge
}

func newSamplerMetrics(reg prometheus.Registerer) *samplerMetrics {
	m := &samplerMetrics{
		dropped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "goc_sampler_dropped_total", Help: "Values of indicators that were not kept: not_finite, duplicate, limit.",
		}, []string{"reason"}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "goc_sampler_failures_total", Help: "Evaluations of indicators that failed.",
		}),
		missed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "goc_sampler_ticks_failed_total", Help: "Ticks whose samples could not be written to the embedded store.",
		}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "goc_sampler_duration_seconds", Help: "How long one tick took over all indicators.",
			Buckets: []float64{.01, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}),
		series: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "goc_sampler_series", Help: "Series of indicators in the last tick.",
		}),
	}
	for _, reason := range []string{"not_finite", "duplicate", "limit"} {
		m.dropped.WithLabelValues(reason)
	}
	if reg != nil {
		reg.MustRegister(m.dropped, m.failures, m.missed, m.seconds, m.series)
	}
	return m
}

// exposed shows the last tick's indicators on our own /metrics, where a remote store is to scrape them.
type exposed struct{ latest func() []ops.Sample }

var exposedDesc = prometheus.NewDesc(IndicatorMetric, "The last value of each indicator of each service.",
	[]string{"indicator", "service", "unit", "store", "caller", "caller_unit"}, nil)

// Describe implements prometheus.Collector.
func (e exposed) Describe(ch chan<- *prometheus.Desc) { ch <- exposedDesc }

// Collect implements prometheus.Collector.
func (e exposed) Collect(ch chan<- prometheus.Metric) {
	for _, s := range e.latest() {
		ch <- prometheus.MustNewConstMetric(exposedDesc, prometheus.GaugeValue, s.Value,
			s.Indicator, s.Service, s.Unit, s.Store, s.Caller, s.CallerUnit)
	}
}

func sortByTime(samples []ops.Sample) {
	slices.SortStableFunc(samples, func(a, b ops.Sample) int { return a.At.Compare(b.At.Time) })
}

// registerDisk exposes how full the disk below dir is, so that it is noticed before it is full.
func registerDisk(reg prometheus.Registerer, dir string) {
	if reg == nil {
		return
	}
	figure := func(name, help string, of func(syscall.Statfs_t) uint64) {
		reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 {
			var fs syscall.Statfs_t
			if err := syscall.Statfs(dir, &fs); err != nil {
				return math.NaN()
			}
			return float64(of(fs))
		}))
	}
	figure("goc_data_free_bytes", "Free space of the disk that holds the data folder.", func(fs syscall.Statfs_t) uint64 { return fs.Bavail * uint64(fs.Bsize) })
	figure("goc_data_size_bytes", "Size of the disk that holds the data folder.", func(fs syscall.Statfs_t) uint64 { return fs.Blocks * uint64(fs.Bsize) })
}
