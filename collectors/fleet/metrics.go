package fleet

import (
	"slices"

	vm "github.com/VictoriaMetrics/metrics"
	"github.com/prometheus/client_golang/prometheus"

	"goc/ops"
)

// counters are the counters of the heartbeat path. The collector shows them in the registry of record.
type counters struct {
	set      *vm.Set
	beats    *vm.Counter
	rejected map[string]*vm.Counter // by slug
}

func newCounters() *counters {
	set := vm.NewSet()
	c := &counters{set: set, beats: set.NewCounter("goc_heartbeats_total"), rejected: map[string]*vm.Counter{}}
	for _, slug := range slugs {
		c.rejected[slug] = set.GetOrCreateCounter(`goc_heartbeats_rejected_total{reason="` + slug + `"}`)
	}
	for _, slug := range []string{"malformed", "body"} {
		c.rejected[slug] = set.GetOrCreateCounter(`goc_heartbeats_rejected_total{reason="` + slug + `"}`)
	}
	return c
}

// reject counts one refused beat by its reason; one that is none of the table's is malformed.
func (c *counters) reject(reason string) {
	slug, ok := slugs[reason]
	if !ok {
		slug = "malformed"
	}
	c.rejected[slug].Inc()
}

var (
	beatsDesc    = prometheus.NewDesc("goc_heartbeats_total", "Heartbeats taken.", nil, nil)
	rejectedDesc = prometheus.NewDesc("goc_heartbeats_rejected_total", "Heartbeats refused, by reason; body counts whole bodies.", []string{"reason"}, nil)
	devicesDesc  = prometheus.NewDesc("goc_fleet_devices", "Devices by store, kind and state.", []string{"store", "city", "kind", "state"}, nil)
	makesDesc    = prometheus.NewDesc("goc_fleet_kind_devices", "Devices by kind, model, firmware and state.", []string{"kind", "model", "firmware", "state"}, nil)
	storesDesc   = prometheus.NewDesc("goc_fleet_stores", "Stores by city and state; dark: open, and every device that ever beat is offline.", []string{"city", "state"}, nil)
	missingDesc  = prometheus.NewDesc("goc_fleet_missing_devices", "Devices that the catalog expects in a store and that the fleet does not know.", []string{"store", "city"}, nil)
)

// collector shows the fleet's aggregates. A combination that a scrape once showed keeps its series, at zero.
type collector struct{ s *Service }

func (c collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{beatsDesc, rejectedDesc, devicesDesc, makesDesc, storesDesc, missingDesc} {
		ch <- d
	}
}

func (c collector) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	ch <- prometheus.MustNewConstMetric(beatsDesc, prometheus.CounterValue, float64(c.s.count.beats.Get()))
	for slug, n := range c.s.count.rejected {
		ch <- prometheus.MustNewConstMetric(rejectedDesc, prometheus.CounterValue, float64(n.Get()), slug)
	}
	a := c.s.aggregate()
	for i := range a.groups {
		g := &a.groups[i]
		g.each(func(state string, n int32) {
			gauge(devicesDesc, float64(n), a.stores[g.store].id, a.stores[g.store].city, a.kinds[g.kind], state)
		})
	}
	for i := range a.makes {
		m := &a.makes[i]
		m.each(func(state string, n int32) {
			gauge(makesDesc, float64(n), a.kinds[m.kind], a.models[m.model], a.models[m.firmware], state)
		})
	}
	a.eachStore(gauge)
}

// each calls fn for every state that the tally ever showed.
func (t *tally) each(fn func(state string, n int32)) {
	for state, n := range t.n {
		if t.shown&(1<<state) != 0 {
			fn(ops.DeviceState(state).String(), n)
		}
	}
}

// show marks the states that are above zero.
func (t *tally) show() {
	for state, n := range t.n {
		if n > 0 {
			t.shown |= 1 << state
		}
	}
}

// aggregates are the fleet's counts, copied so that a slow scrape does not hold up heartbeats.
type aggregates struct {
	groups        []group
	makes         []mk
	kinds, models []string
	stores        []storeCount
}

type storeCount struct {
	id, city string
	state    int
	missing  int // -1 when the catalog does not say how many there should be
}

func (s *Service) aggregate() aggregates {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := &s.t
	for i := range t.groups {
		t.groups[i].show()
	}
	for i := range t.makes {
		t.makes[i].show()
	}
	a := aggregates{groups: slices.Clone(t.groups), makes: slices.Clone(t.makes), kinds: t.kinds.all, models: t.models.all}
	a.stores = make([]storeCount, len(t.stores))
	for i := range t.stores {
		st := &t.stores[i]
		a.stores[i] = storeCount{id: st.ID, city: st.City, state: st.state(), missing: -1}
		if st.Store.Devices > 0 {
			a.stores[i].missing = max(0, st.Store.Devices-len(st.rows)+int(st.n[ops.Retired]))
		}
	}
	return a
}

// eachStore counts stores by city and state, and what is missing in each.
func (a *aggregates) eachStore(gauge func(*prometheus.Desc, float64, ...string)) {
	byCity := map[string]*[3]int{}
	for _, st := range a.stores {
		n := byCity[st.city]
		if n == nil {
			n = new([3]int)
			byCity[st.city] = n
		}
		n[st.state]++
		if st.missing >= 0 {
			gauge(missingDesc, float64(st.missing), st.id, st.city)
		}
	}
	for city, n := range byCity {
		for i, state := range []string{"open", "closed", "dark"} {
			gauge(storesDesc, float64(n[i]), city, state)
		}
	}
}

// state is 0 for an open store, 1 for a closed one, 2 for one that is dark: open, and all that ever beat is offline.
func (st *site) state() int {
	alive := st.n[ops.Online] + st.n[ops.Degraded] + st.n[ops.Late] + st.n[ops.Closed]
	switch {
	case !st.isOpen:
		return 1
	case st.n[ops.Offline] > 0 && alive == 0:
		return 2
	}
	return 0
}
