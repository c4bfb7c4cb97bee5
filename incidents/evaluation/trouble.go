package evaluation

import (
	"slices"
	"time"

	"goc/ops"
)

// trouble is what really went wrong.
type trouble struct {
	kind    string // of the guilty change, or of what else did it
	guilty  *act   // nil when no change did it
	begins  time.Time
	ends    time.Time // zero: it lasts
	rise    time.Duration
	fails   float64 // share of calls that fail at full strength
	slows   float64 // times the origin's latency that is added at full strength
	silent  bool    // its units say nothing
	origin  int     // the service, -1: none
	caller  int     // the only one to see it, -1: all do
	client  int     // the callee whose calls from the origin fail, -1: none
	slots   map[int]time.Time
	stores  map[int]time.Time
	reach   []float64 // by service: which share of the failures it shows
	dark    bool      // its stores are not heard
	device  string    // devices of this kind fail in its stores
	version string    // of their firmware, where they share one
}

// blame is which kinds of change do harm, in the incidents that a change made.
var blame = []weighted[ops.ChangeKind]{
	{ops.KindRelease, 42},
	{ops.KindConfig, 13},
	{ops.KindFlag, 10},
	{ops.KindDatabase, 7},
	{ops.KindFirmware, 8},
	{ops.KindPrice, 7},
	{ops.KindPromotion, 4},
	{ops.KindNetwork, 6},
	{ops.KindStoreOpening, 3},
}

// mishaps are what else goes wrong.
var mishaps = []weighted[string]{
	{"provider", 5}, {"host", 5}, {"line", 4}, {"surge", 3}, {"leak", 4}, {"power", 2}, {"worn devices", 2},
}

// noGuilty is how many incidents have no guilty change.
const noGuilty = 0.4

// newTrouble draws what goes wrong at about a time.
func newTrouble(seed uint64, c *chain, at time.Time) *trouble {
	d := newDice(seed, ofTrouble)
	t := &trouble{begins: at, origin: -1, caller: -1, client: -1, reach: make([]float64, len(c.services))}
	if d.chance(noGuilty) {
		t.kind = pick(d, mishaps)
		t.mishap(d, c)
	} else {
		kind := pick(d, blame)
		t.kind = string(kind)
		t.change(d, c, kind)
	}
	if d.chance(0.2) {
		t.ends = at.Add(d.span(3*time.Minute, 15*time.Minute))
		if t.guilty != nil {
			t.guilty.rolledBack = t.ends
		}
	}
	t.spreads(c)
	return t
}

// symptom draws how a service fails: from barely visible to all.
func (t *trouble) symptom(d dice) {
	t.rise = d.span(time.Second, 2*time.Minute)
	fails, slows := d.spread(0.015, 1), d.spread(0.5, 20)
	switch x := d.Float64(); {
	case x < 0.6:
		t.fails = fails
	case x < 0.85:
		t.slows = slows
	default:
		t.fails, t.slows = fails, slows
	}
}

// change makes a change that does harm from t.begins on, some time after it began.
func (t *trouble) change(d dice, c *chain, kind ops.ChangeKind) {
	t.symptom(d)
	a := newAct(d, c, kind, t.begins, -1)
	t.guilty, t.origin = a, a.service
	lag := lagOf(d, kind)
	first := 0
	if len(a.rings) > 1 && d.chance(0.2) {
		first = 1 + d.IntN(len(a.rings)-1) // the rings before it were spared
	}
	hit := a.begins
	if len(a.rings) > 0 {
		hit = a.rings[first].start.Add(time.Duration(d.between(0.4, 1) * float64(a.rings[first].end.Sub(a.rings[first].start))))
	}
	a.shift(t.begins.Add(-lag).Sub(hit))
	for i := first; i < len(a.rings); i++ {
		since := a.rings[i].end.Add(lag)
		if i == first {
			since = t.begins
		}
		for _, s := range a.rings[i].slots {
			t.hit(&t.slots, s, since)
		}
		for _, s := range a.rings[i].stores {
			t.hit(&t.stores, s, since)
		}
	}
	for _, s := range a.stores {
		t.hit(&t.stores, s, t.begins)
	}
	t.manner(d, c, kind)
}

// lagOf draws how long after it took hold a change does harm.
func lagOf(d dice, kind ops.ChangeKind) time.Duration {
	switch kind {
	case ops.KindRelease, ops.KindConfig:
		if d.chance(0.65) {
			return d.span(100*time.Millisecond, 20*time.Second)
		}
		return d.span(20*time.Second, 15*time.Minute)
	case ops.KindFlag:
		return d.span(100*time.Millisecond, time.Minute)
	case ops.KindDatabase:
		return d.span(30*time.Second, 30*time.Minute)
	case ops.KindFirmware:
		return d.span(2*time.Minute, 2*time.Hour)
	case ops.KindPrice:
		return d.span(2*time.Second, 20*time.Minute)
	case ops.KindPromotion:
		return d.span(time.Minute, 45*time.Minute)
	case ops.KindStoreOpening:
		return d.span(time.Minute, time.Hour)
	}
	return d.span(time.Second, 2*time.Minute)
}

// manner is how a kind of change shows.
func (t *trouble) manner(d dice, c *chain, kind ops.ChangeKind) {
	switch kind {
	case ops.KindRelease:
		t.silent = len(t.slots) > 0 && d.chance(0.1)
		if calls := c.services[t.origin].calls; len(calls) > 0 && d.chance(0.2) {
			t.client = calls[d.IntN(len(calls))].to
		}
		if callers := c.services[t.origin].callers; len(callers) > 1 && d.chance(0.25) {
			t.caller = callers[d.IntN(len(callers))]
		}
	case ops.KindDatabase:
		t.rise = d.span(time.Second, 15*time.Minute)
	case ops.KindPromotion:
		if d.chance(0.5) { // what is sold out fast overloads everything behind it
			t.stores, t.rise = nil, d.span(time.Minute, 15*time.Minute)
			t.origin = d.IntN(len(c.services))
		}
	case ops.KindFirmware:
		t.device, t.version = t.guilty.device, t.guilty.firmware
		t.staggered(d, d.span(10*time.Second, 20*time.Minute))
	case ops.KindStoreOpening:
		t.device = c.kinds[d.IntN(len(c.kinds))].name
		if d.chance(0.5) {
			t.device, t.origin = "", c.fronts[d.IntN(len(c.fronts))]
		}
	case ops.KindNetwork:
		t.cutOff(d)
	}
}

// staggered spreads over time when each store is hit.
func (t *trouble) staggered(d dice, over time.Duration) {
	names := make([]int, 0, len(t.stores))
	for s := range t.stores {
		names = append(names, s)
	}
	slices.Sort(names)
	for i, s := range names {
		if i > 0 {
			t.stores[s] = t.stores[s].Add(time.Duration(d.Float64() * float64(over)))
		}
	}
}

// cutOff takes stores off the net, or lets a part of what they say get lost.
func (t *trouble) cutOff(d dice) {
	t.rise = d.span(time.Second, 20*time.Second)
	if t.dark = d.chance(0.6); t.dark {
		t.staggered(d, d.span(time.Second, time.Minute))
	}
}

// mishap makes what no change did.
func (t *trouble) mishap(d dice, c *chain) {
	t.symptom(d)
	any := d.IntN(len(c.services))
	all := func(stores []int) {
		for _, s := range stores {
			t.hit(&t.stores, s, t.begins)
		}
	}
	switch t.kind {
	case "provider":
		for range 20 { // what stands at the edge of the chain
			if len(c.services[any].calls) == 0 {
				break
			}
			any = d.IntN(len(c.services))
		}
		t.origin = any
	case "host":
		t.origin, t.silent = any, d.chance(0.15)
		t.hit(&t.slots, d.IntN(len(c.services[any].units)), t.begins)
	case "surge":
		t.origin, t.rise = any, d.span(time.Minute, 15*time.Minute)
	case "leak":
		t.origin, t.rise = any, d.span(10*time.Minute, time.Hour)
		if d.chance(0.4) {
			t.hit(&t.slots, d.IntN(len(c.services[any].units)), t.begins)
		}
	case "line":
		all(c.someNetwork(d))
		t.cutOff(d)
	case "power":
		all([]int{d.IntN(len(c.stores))})
		t.dark = true
	case "worn devices":
		all(d.some(1+d.poisson(0.5), len(c.stores)))
		t.device = c.kinds[d.IntN(len(c.kinds))].name
	}
}

func (t *trouble) hit(in *map[int]time.Time, n int, since time.Time) {
	if *in == nil {
		*in = map[int]time.Time{}
	}
	(*in)[n] = since
}

// spreads computes which share of the failures each service shows: the origin all, those that call it what they pass on.
func (t *trouble) spreads(c *chain) {
	if t.device != "" || t.dark {
		return
	}
	if t.origin < 0 { // calls get lost on the way into the chain
		for _, s := range c.fronts {
			t.reach[s] = 1
		}
		return
	}
	t.reach[t.origin] = 1
	for queue := []int{t.origin}; len(queue) > 0; queue = queue[1:] {
		for _, caller := range c.services[queue[0]].callers {
			if queue[0] == t.origin && t.caller >= 0 && caller != t.caller {
				continue
			}
			for _, e := range c.services[caller].calls {
				if share := e.passes * t.reach[queue[0]]; e.to == queue[0] && share > t.reach[caller]+0.01 {
					t.reach[caller] = share
					queue = append(queue, caller)
				}
			}
		}
	}
}

// level is how strong the trouble is at a time, for what it hit at another: 0 to 1.
func (t *trouble) level(since, at time.Time) float64 {
	if at.Before(since) || !t.ends.IsZero() && at.After(t.ends) {
		return 0
	}
	return min(1, float64(at.Sub(since))/float64(t.rise+1))
}
