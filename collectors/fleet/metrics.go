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
	worked   *vm.FloatCounter       // seconds
}

func newCounters() *counters {
	set := vm.NewSet()
	c := &counters{set: set, beats: set.NewCounter("goc_heartbeats_total"), rejected: map[string]*vm.Counter{}, worked: set.NewFloatCounter("goc_fleet_deadlines_seconds_total")}
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
	workedDesc   = prometheus.NewDesc("goc_fleet_deadlines_seconds_total", "Time that the loop spent on deadlines and opening hours.", nil, nil)
	devicesDesc  = prometheus.NewDesc("goc_fleet_devices", "Devices by city, kind and state.", []string{"city", "kind", "state"}, nil)
	storeDesc    = prometheus.NewDesc("goc_fleet_store_devices", "Devices by store, kind and state: of every store of a small fleet, else of the stores in trouble.", []string{"store", "city", "kind", "state"}, nil)
	makesDesc    = prometheus.NewDesc("goc_fleet_kind_devices", "Devices by kind, model, firmware and state.", []string{"kind", "model", "firmware", "state"}, nil)
	storesDesc   = prometheus.NewDesc("goc_fleet_stores", "Stores by city and state; dark: open, and every device that ever beat is offline.", []string{"city", "state"}, nil)
	missingDesc  = prometheus.NewDesc("goc_fleet_missing_devices", "Devices that the catalog expects in a store and that the fleet does not know.", []string{"store", "city"}, nil)
)

// collector shows the fleet's aggregates. A combination that a scrape once showed keeps its series, at zero.
type collector struct{ s *Service }

func (c collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{beatsDesc, rejectedDesc, workedDesc, devicesDesc, storeDesc, makesDesc, storesDesc, missingDesc, flappingDesc, flapStoresDesc, clocksDesc, readingDesc, limitDesc} {
		ch <- d
	}
}

func (c collector) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	ch <- prometheus.MustNewConstMetric(beatsDesc, prometheus.CounterValue, float64(c.s.count.beats.Get()))
	ch <- prometheus.MustNewConstMetric(workedDesc, prometheus.CounterValue, c.s.count.worked.Get())
	for slug, n := range c.s.count.rejected {
		ch <- prometheus.MustNewConstMetric(rejectedDesc, prometheus.CounterValue, float64(n.Get()), slug)
	}
	a := c.s.aggregate()
	for k, n := range a.cities {
		n.each(func(state string, v int32) { gauge(devicesDesc, float64(v), k[0], k[1], state) })
	}
	for i := range a.kinds {
		k := &a.kinds[i]
		k.each(func(state string, v int32) { gauge(storeDesc, float64(v), k.store, k.city, k.kind, state) })
	}
	for k, n := range a.makes {
		n.each(func(state string, v int32) { gauge(makesDesc, float64(v), k[0], k[1], k[2], state) })
	}
	a.eachStore(gauge)
	c.s.rare(gauge)
	for _, g := range c.s.measured() {
		g.each(gauge)
	}
}

// shown is a tally with a bit for each state that it ever showed.
type shown struct {
	tally
	bits uint8
}

// each calls fn for every state that was ever above zero when it was looked at.
func (t *shown) each(fn func(state string, n int32)) {
	for state, n := range t.tally {
		if t.bits&(1<<state) != 0 {
			fn(ops.DeviceState(state).String(), n)
		}
	}
}

// add sums a cell, and marks what it shows.
func (t *shown) add(c *cell) {
	t.sum(&c.n)
	for state, n := range c.n {
		if n > 0 {
			c.shown |= 1 << state
		}
	}
	t.bits |= c.shown
}

// aggregates are the fleet's counts, taken shard by shard so that a scrape does not hold up heartbeats.
type aggregates struct {
	cities map[[2]string]*shown // by city and kind
	makes  map[[3]string]*shown // by kind, model and firmware
	kinds  []storeKind          // of the stores that have series of their own
	stores []storeCount
}

// storeKind counts the devices of one kind in one store.
type storeKind struct {
	store, city, kind string
	shown
}

type storeCount struct {
	id, city string
	state    int
	missing  int // -1 when the catalog does not say how many there should be
}

const (
	// maxStoreKinds bounds the kinds of stores that have series: a fleet that has more shows the stores in trouble.
	maxStoreKinds = 4_000
	// troubleKept is how long a store goes on having series after its trouble, so that alerts see it end. In ms.
	troubleKept = 15 * 60_000
)

func (s *Service) aggregate() aggregates {
	a := aggregates{cities: map[[2]string]*shown{}, makes: map[[3]string]*shown{}}
	now, cells := s.now().UnixMilli(), 0
	for i := range s.shards {
		s.shards[i].mu.RLock()
		cells += int(s.shards[i].cells.n)
		s.shards[i].mu.RUnlock()
	}
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock() // it marks what it has shown
		makes := s.makes.list()
		for j := range sh.sites {
			st := &sh.sites[j]
			from := len(a.kinds)
			for _, id := range st.cells {
				c := sh.cells.at(id)
				m := &makes[c.mk]
				at(a.cities, [2]string{st.City, m.kind}).add(c)
				at(a.makes, [3]string{m.kind, m.model, m.firmware}).add(c)
				a.kind(from, st, m.kind).add(c)
			}
			if st.inTrouble(a.kinds[from:], now) || cells <= maxStoreKinds {
				from = len(a.kinds)
			}
			a.kinds = a.kinds[:from]
			a.stores = append(a.stores, st.counted())
		}
		sh.mu.Unlock()
	}
	a.bound()
	return a
}

// kind returns the count of a kind among those of one store, which begin at from.
func (a *aggregates) kind(from int, st *site, kind string) *shown {
	for i := from; i < len(a.kinds); i++ {
		if a.kinds[i].kind == kind {
			return &a.kinds[i].shown
		}
	}
	a.kinds = append(a.kinds, storeKind{store: st.ID, city: st.City, kind: kind})
	return &a.kinds[len(a.kinds)-1].shown
}

// inTrouble says whether a fifth of a store's devices, or three and a fifth of one of its kinds, are not well, or were
// within troubleKept.
func (st *site) inTrouble(kinds []storeKind, now int64) bool {
	total, all, trouble := 0, 0, false
	for i := range kinds {
		unwell, n := kinds[i].unwell(), kinds[i].total()
		trouble = trouble || unwell >= 3 && unwell*5 >= n
		total, all = total+unwell, all+n
	}
	if trouble || total > 0 && total*5 >= all {
		st.trouble = now
	}
	return st.trouble != 0 && now-st.trouble < troubleKept
}

// bound keeps the worst when there are too many.
func (a *aggregates) bound() {
	if len(a.kinds) <= maxStoreKinds {
		return
	}
	slices.SortStableFunc(a.kinds, func(x, y storeKind) int { return y.unwell() - x.unwell() })
	a.kinds = a.kinds[:maxStoreKinds]
}

func at[K comparable](m map[K]*shown, k K) *shown {
	v := m[k]
	if v == nil {
		v = new(shown)
		m[k] = v
	}
	return v
}

func (st *site) counted() storeCount {
	c := storeCount{id: st.ID, city: st.City, state: st.state(), missing: -1}
	if st.Store.Devices > 0 {
		c.missing = max(0, st.Store.Devices-int(st.count)+int(st.n[ops.Retired]))
	}
	return c
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
		if st.missing > 0 {
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
