package mqtt

import (
	"sync/atomic"
	"time"

	vm "github.com/VictoriaMetrics/metrics"
	"github.com/prometheus/client_golang/prometheus"
)

// counters are the counters of this way in. The collector shows them in the registry of record.
type counters struct {
	set     *vm.Set
	came    map[string]*vm.Counter // by way in
	taken   *vm.Counter
	failed  *vm.Counter
	clones  *vm.Counter
	kicked  *vm.Counter
	refused map[string]*vm.Counter // by reason
	lag     atomic.Int64           // ns
}

var reasons = []string{badTopic, badPayload, otherDevice, tooLarge, notItsOwn, notAdmitted, badClientID, malformed, overflow, tooManyConns}

// The ways in.
const (
	embedded = "embedded"
	foreign  = "broker"
)

func newCounters() *counters {
	set := vm.NewSet()
	c := &counters{
		set: set, came: map[string]*vm.Counter{}, refused: map[string]*vm.Counter{}, taken: set.NewCounter("taken"), failed: set.NewCounter("failed"),
		clones: set.NewCounter("clones"), kicked: set.NewCounter("kicked"),
	}
	for _, way := range []string{embedded, foreign} {
		c.came[way] = set.NewCounter(`came{way="` + way + `"}`)
	}
	for _, r := range reasons {
		c.refused[r] = set.NewCounter(`refused{reason="` + r + `"}`)
	}
	return c
}

var (
	cameDesc    = prometheus.NewDesc("goc_mqtt_messages_total", "MQTT messages that came, by the way in.", []string{"way"}, nil)
	takenDesc   = prometheus.NewDesc("goc_mqtt_beats_total", "Heartbeats over MQTT that were handed to the fleet.", nil, nil)
	failedDesc  = prometheus.NewDesc("goc_mqtt_failed_total", "Heartbeats over MQTT that the fleet could not take; they were not acknowledged.", nil, nil)
	refusedDesc = prometheus.NewDesc("goc_mqtt_refused_total", "MQTT messages and logins refused, by reason.", []string{"reason"}, nil)
	clonesDesc  = prometheus.NewDesc("goc_mqtt_cloned_total", "Logins with a device's credential that another address holds.", nil, nil)
	kickedDesc  = prometheus.NewDesc("goc_mqtt_disconnected_total", "Connections that were ended: revoked, or too many of one device.", nil, nil)
	connsDesc   = prometheus.NewDesc("goc_mqtt_connections", "Connections to the embedded MQTT server.", nil, nil)
	queueDesc   = prometheus.NewDesc("goc_mqtt_queue", "Heartbeats over MQTT that wait for the fleet.", nil, nil)
	lagDesc     = prometheus.NewDesc("goc_mqtt_lag_seconds", "How long the oldest heartbeat of the last batch waited until it was acknowledged.", nil, nil)
	brokerDesc  = prometheus.NewDesc("goc_mqtt_broker_up", "1 while the broker is connected and subscribed.", []string{"broker"}, nil)
)

// Describe implements prometheus.Collector.
func (s *Service) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{cameDesc, takenDesc, failedDesc, refusedDesc, clonesDesc, kickedDesc, connsDesc, queueDesc, lagDesc, brokerDesc} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (s *Service) Collect(ch chan<- prometheus.Metric) {
	counter := func(d *prometheus.Desc, c *vm.Counter, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(c.Get()), labels...)
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	for way, c := range s.count.came {
		counter(cameDesc, c, way)
	}
	for reason, c := range s.count.refused {
		counter(refusedDesc, c, reason)
	}
	counter(takenDesc, s.count.taken)
	counter(failedDesc, s.count.failed)
	counter(clonesDesc, s.count.clones)
	counter(kickedDesc, s.count.kicked)
	gauge(queueDesc, float64(s.own.waiting()+s.foreign.waiting()))
	gauge(lagDesc, time.Duration(s.count.lag.Load()).Seconds())
	if s.server != nil {
		gauge(connsDesc, float64(s.server.connections()))
	}
	for _, b := range s.brokers {
		gauge(brokerDesc, b.gauge(), b.name)
	}
}
