package history

import "github.com/prometheus/client_golang/prometheus"

// figures are the recording's own metrics.
type figures struct {
	lost  prometheus.Counter
	steps prometheus.Counter
	bytes prometheus.Counter
}

func newFigures(reg prometheus.Registerer, r *Recorder) *figures {
	f := &figures{
		lost:  prometheus.NewCounter(prometheus.CounterOpts{Name: "goc_history_lost_total", Help: "Inputs of the incident engine that could not be recorded."}),
		steps: prometheus.NewCounter(prometheus.CounterOpts{Name: "goc_history_steps_total", Help: "Steps of the incident engine that were recorded."}),
		bytes: prometheus.NewCounter(prometheus.CounterOpts{Name: "goc_history_bytes_total", Help: "Bytes written to the history, compressed."}),
	}
	stopped := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "goc_history_stopped", Help: "1 while the disk does not take the history."}, func() float64 {
		if r.stopped.Load() {
			return 1
		}
		return 0
	})
	if reg != nil {
		reg.MustRegister(f.lost, f.steps, f.bytes, stopped)
	}
	return f
}
