package incidents

import (
	"github.com/prometheus/client_golang/prometheus"

	"goc/incidents/engine"
	"goc/ops"
)

// metrics are the room's own figures.
type metrics struct {
	gotAlerts *prometheus.CounterVec
	badAlerts *prometheus.CounterVec
	samples   prometheus.Counter
	ranked    prometheus.Counter
	legs      map[string]*prometheus.HistogramVec
	seen      map[string][3]bool // legs already counted, by incident
}

// legBuckets are seconds around the targets of 60, 300 and 600.
var legBuckets = []float64{5, 10, 20, 30, 60, 120, 180, 300, 450, 600, 900, 1800, 3600}

func newMetrics(reg prometheus.Registerer, s *Service) *metrics {
	m := &metrics{
		gotAlerts: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "goc_alerts_received_total", Help: "Alerts received, good or not."}, []string{"source"}),
		badAlerts: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "goc_alerts_refused_total", Help: "Alerts that were refused."}, []string{"source"}),
		samples:   prometheus.NewCounter(prometheus.CounterOpts{Name: "goc_incident_samples_refused_total", Help: "Samples of indicators that were not kept."}),
		ranked:    prometheus.NewCounter(prometheus.CounterOpts{Name: "goc_incident_rankings_total", Help: "Times that suspects were ranked."}),
		legs:      map[string]*prometheus.HistogramVec{},
		seen:      map[string][3]bool{},
	}
	for leg, help := range map[string]string{"detect": "From onset to detection.", "locate": "From onset to the located cause.", "recover": "From onset to recovery."} {
		m.legs[leg] = prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "goc_incident_" + leg + "_seconds", Help: help + " Drills apart.", Buckets: legBuckets}, []string{"severity", "drill"})
	}
	if reg != nil {
		reg.MustRegister(m.gotAlerts, m.badAlerts, m.samples, m.ranked, m.legs["detect"], m.legs["locate"], m.legs["recover"], openIncidents{s})
	}
	return m
}

// sourceLabel keeps the label's values to those that we know.
func sourceLabel(source string) string {
	switch source {
	case "rules", "fleet", "prometheus", "alertmanager", "grafana", "cloudwatch", "datadog", "sentry", "pagerduty", "replay", "api":
		return source
	}
	return "other"
}

func (m *metrics) received(source string, n int) {
	m.gotAlerts.WithLabelValues(sourceLabel(source)).Add(float64(n))
}

func (m *metrics) refused(source string, n int) {
	m.badAlerts.WithLabelValues(sourceLabel(source)).Add(float64(n))
}

// observe counts each leg of the clock once, when it stops. The engine's mutex is held.
func (m *metrics) observe(out engine.Outputs) {
	m.samples.Add(float64(out.SamplesRefused))
	m.ranked.Add(float64(len(out.Ranked)))
	for _, inc := range out.Changed {
		seen, drill := m.seen[inc.ID], "no"
		if inc.Drill != nil {
			drill = "yes"
		}
		for i, l := range []struct {
			name    string
			stopped ops.Time
			leg     ops.Leg
		}{{"detect", inc.DetectedAt, inc.Clock.Detect}, {"locate", inc.LocatedAt, inc.Clock.Locate}, {"recover", inc.RecoveredAt, inc.Clock.Recover}} {
			if !seen[i] && !l.stopped.IsZero() {
				seen[i] = true
				m.legs[l.name].WithLabelValues(string(inc.Severity), drill).Observe(l.leg.ElapsedS)
			}
		}
		m.seen[inc.ID] = seen
	}
	for _, id := range out.Forgotten {
		delete(m.seen, id)
	}
}

// restored notes the legs that stopped before the start, so that they are not counted again.
func (m *metrics) restored(shown map[string]ops.Incident) {
	for id, inc := range shown {
		m.seen[id] = [3]bool{!inc.DetectedAt.IsZero(), !inc.LocatedAt.IsZero(), !inc.RecoveredAt.IsZero()}
	}
}

// openIncidents is goc_incidents_open by severity, counted when it is asked for.
type openIncidents struct{ s *Service }

var openDesc = prometheus.NewDesc("goc_incidents_open", "Incidents that still need people.", []string{"severity"}, nil)

func (o openIncidents) Describe(ch chan<- *prometheus.Desc) { ch <- openDesc }

func (o openIncidents) Collect(ch chan<- prometheus.Metric) {
	n := map[ops.Severity]float64{ops.P1: 0, ops.P2: 0, ops.P3: 0, ops.P4: 0}
	for _, inc := range o.s.Active() {
		n[inc.Severity]++
	}
	for sev, v := range n {
		ch <- prometheus.MustNewConstMetric(openDesc, prometheus.GaugeValue, v, string(sev))
	}
}
