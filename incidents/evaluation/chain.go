package evaluation

import (
	"fmt"
	"time"

	"goc/ops"
)

// chain is what exists in one history: the hidden parameters of its world.
type chain struct {
	services []service
	stores   []ops.Store
	kinds    []deviceKind
	fronts   []int // services that are measured by store
	interval time.Duration
	gaps     float64 // share of samples that get lost
	noise    float64 // times the noise of counting
	rules    rules
	records  recorders
}

type service struct {
	name       string
	layer      int
	calls      []call
	callers    []int
	units      []*unit
	byCaller   bool // its callers measure it, each unit of theirs by itself
	fails      float64
	latency    float64 // seconds
	jitter     float64 // of the latency, as a share
	rate       float64 // calls a second and unit
	measuresMs bool    // it has an indicator of latency
}

// call is an edge of the call graph; passes is the share of the callee's failures that the caller's own callers get to see.
type call struct {
	to     int
	passes float64
}

// unit is one place in a service's line-up. Its instance has another name after each release that makes new instances.
type unit struct {
	names []instance // in order of time
}

type instance struct {
	from time.Time // it reports from then on; the one before stops when it is gone
	gone time.Time // zero while it lives
	name string
}

type deviceKind struct {
	name, firmware string
	perStore       int
}

// rules are the alert rules of the chain.
type rules struct {
	drop       float64 // of a success ratio, under its normal
	slow       float64 // times the normal latency
	hold       time.Duration
	delay      time.Duration // between the condition and its arrival, at most
	units      bool          // rules by unit exist
	firmware   bool          // a rule by kind and firmware exists
	orders     bool          // a rule on orders by store exists
	deviceHold time.Duration
}

// recorders is how well changes are recorded.
type recorders struct {
	stageLines bool // stages are told as they happen, by the clock of whoever receives; else whole changes with the recorder's own times
	verdicts   bool // bakes are watched and told
	late       float64
	missing    float64 // of guilty changes
	noStages   float64
	twice      float64
	skew       map[ops.ChangeKind]time.Duration
}

// newChain draws a chain.
func newChain(seed uint64) *chain {
	d := newDice(seed, ofChain)
	c := &chain{
		gaps: pick(d, []weighted[float64]{{0, 3}, {0.02, 3}, {0.1, 2}, {0.25, 1}}), noise: d.spread(0.7, 4),
		rules: rules{
			drop: d.spread(0.008, 0.06), slow: d.between(1.4, 3), hold: d.span(time.Second, 2*time.Minute), delay: d.span(time.Second, 45*time.Second),
			units: d.chance(0.3), firmware: d.chance(0.5), orders: d.chance(0.4), deviceHold: d.span(5*time.Second, 2*time.Minute),
		},
	}
	c.drawServices(d)
	c.drawStores(d)
	c.drawRecorders(d)
	interval := pick(d, []weighted[int]{{5, 2}, {10, 3}, {15, 4}, {30, 3}, {60, 1}})
	for c.seriesCount()*45*60/interval > maxSamples { // what is large is sampled less often
		interval *= 2
	}
	c.interval = time.Duration(interval) * time.Second
	return c
}

// maxSamples bounds the samples of a history.
const maxSamples = 120_000

// drawServices makes 10 to 200 services in layers; callers lean towards few popular callees in some chains.
func (c *chain) drawServices(d dice) {
	n, layers := d.count(10, 200), 3+d.IntN(4)
	popular, passes := d.between(0, 0.6), d.between(0.4, 1)
	byCaller := d.between(0, 0.5)
	for i := range n {
		layer := 0
		if i >= max(2, n/12) {
			layer = 1 + d.IntN(layers-1)
		}
		s := service{
			name: fmt.Sprintf("svc-%03d", i), layer: layer, fails: d.spread(0.0003, 0.01), latency: d.spread(0.004, 0.5), jitter: d.between(0.02, 0.2),
			rate: d.spread(2, 300), measuresMs: d.chance(0.6), byCaller: d.chance(byCaller),
		}
		for j := range d.count(2, 8) {
			s.units = append(s.units, &unit{names: []instance{{name: fmt.Sprintf("%s-%d", s.name, j)}}})
		}
		c.services = append(c.services, s)
	}
	for i := range c.services {
		var above []int
		for j := range c.services {
			if c.services[j].layer < c.services[i].layer && j != i {
				above = append(above, j)
			}
		}
		if len(above) == 0 {
			continue
		}
		callers := 1 + d.poisson(0.5)
		if d.chance(popular / 4) {
			callers += d.count(2, 12)
		}
		for _, k := range d.some(callers, len(above)) {
			w := min(1, passes*d.between(0.5, 1.3))
			if d.chance(0.15) { // an order without a recommendation is still an order
				w *= 0.05
			}
			c.connect(above[k], i, w)
		}
	}
	if d.chance(0.1) { // two that call each other
		a, b := d.IntN(n), d.IntN(n)
		if a != b {
			c.connect(a, b, 0.3)
			c.connect(b, a, 0.3)
		}
	}
}

func (c *chain) connect(caller, callee int, passes float64) {
	for _, e := range c.services[caller].calls {
		if e.to == callee {
			return
		}
	}
	c.services[caller].calls = append(c.services[caller].calls, call{callee, passes})
	c.services[callee].callers = append(c.services[callee].callers, caller)
}

// drawStores makes 20 to 500 stores in 2 to 20 cities with one to three networks each, and their devices.
func (c *chain) drawStores(d dice) {
	n, cities, networks := d.count(20, 500), d.count(2, 20), 1+d.IntN(3)
	for i := range n {
		city := int(float64(cities) * d.Float64() * d.Float64()) // large cities and small ones
		c.stores = append(c.stores, ops.Store{ID: fmt.Sprintf("S-%03d", i), City: fmt.Sprint("city-", city), Region: fmt.Sprint("region-", city%4), Network: fmt.Sprintf("net-%d-%d", city, d.IntN(networks))})
	}
	for _, k := range []string{"pos", "scanner", "rider_terminal", "scale"} {
		c.kinds = append(c.kinds, deviceKind{k, fmt.Sprintf("%d.%d", 1+d.IntN(7), d.IntN(9)), 2 + d.IntN(10)})
	}
	most := max(1, 500/n)
	for i := range c.services {
		if len(c.fronts) < most && (c.services[i].layer == 0 || d.chance(0.1)) {
			c.fronts = append(c.fronts, i)
		}
	}
}

func (c *chain) drawRecorders(d dice) {
	c.records = recorders{
		stageLines: d.chance(0.5), verdicts: d.chance(0.5), late: d.between(0, 0.16), missing: d.between(0, 0.12), noStages: d.between(0, 0.16), twice: d.between(0, 0.1),
		skew: map[ops.ChangeKind]time.Duration{},
	}
	worst := d.between(0, 60)
	for _, k := range ops.ChangeKinds {
		c.records.skew[k] = time.Duration(d.between(-worst, worst) * float64(time.Second)).Round(time.Millisecond)
	}
}

// seriesCount is how many series the chain has at most.
func (c *chain) seriesCount() int {
	n := 0
	for i := range c.services {
		s := &c.services[i]
		n += len(s.units) * max(1, min(3, len(s.callers))) * 3 / 2
	}
	return n + len(c.fronts)*len(c.stores)*3/2
}

// catalog is the chain as its catalog file would say it.
func (c *chain) catalog() *ops.Catalog {
	cat := &ops.Catalog{Stores: c.stores}
	for i := range c.services {
		s := &c.services[i]
		out := ops.Service{Name: s.name, Tier: fmt.Sprint("T", min(2, s.layer)), Core: s.layer == 0}
		for _, e := range s.calls {
			out.Calls = append(out.Calls, c.services[e.to].name)
		}
		for _, n := range []struct{ name, good string }{{"success_ratio", ops.GoodHigher}, {"latency_seconds", ops.GoodLower}, {"requests_per_s", ops.GoodNone}} {
			out.Indicators = append(out.Indicators, ops.Indicator{Name: n.name, Expr: n.name, Good: n.good})
		}
		cat.Services = append(cat.Services, out)
	}
	if len(c.fronts) > 0 {
		s := &cat.Services[c.fronts[0]]
		s.Indicators = append(s.Indicators, ops.Indicator{Name: "orders_per_min", Expr: "orders_per_min", Good: ops.GoodHigher})
	}
	for _, k := range c.kinds {
		cat.DeviceKinds = append(cat.DeviceKinds, ops.DeviceKind{Name: k.name, Interval: ops.Duration(30 * time.Second), Grace: ops.Duration(time.Minute)})
	}
	if err := cat.Index(); err != nil {
		panic(err) // the names above are made to differ
	}
	return cat
}
