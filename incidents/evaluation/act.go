package evaluation

import (
	"fmt"
	"slices"
	"time"

	"goc/ops"
)

// act is a change as it truly went, whatever the record says of it.
type act struct {
	id         string
	kind       ops.ChangeKind
	service    int // -1: none
	named      bool
	begins     time.Time
	rings      []ring
	stores     []int // of a change without rings that went to certain places
	device     string
	firmware   string
	risk       string
	overridden bool
	unapproved bool
	rolledBack time.Time
	renames    bool // its units are new instances with names of their own
}

// ring is one stage: units of the service by their place in the line-up, or stores.
type ring struct {
	start, end      time.Time
	slots, stores   []int
	units, replaces []string
	bake            time.Duration
	verdict         ops.Verdict
}

// harmless is how often people change what, in a chain where nothing goes wrong.
var harmless = []weighted[ops.ChangeKind]{
	{ops.KindRelease, 40},
	{ops.KindConfig, 18},
	{ops.KindFlag, 14},
	{ops.KindPrice, 9},
	{ops.KindPromotion, 5},
	{ops.KindDatabase, 4},
	{ops.KindFirmware, 4},
	{ops.KindNetwork, 3},
	{ops.KindStoreOpening, 2},
	{ops.KindOther, 1},
}

// newAct draws a change of a kind that begins at a time. service is -1 to draw one.
func newAct(d dice, c *chain, kind ops.ChangeKind, begins time.Time, service int) *act {
	a := &act{kind: kind, begins: begins, service: service, named: true, renames: d.chance(0.6)}
	if a.service < 0 {
		a.service = d.IntN(len(c.services))
	}
	switch kind {
	case ops.KindRelease, ops.KindConfig, ops.KindFlag:
		a.shape(d, c)
	case ops.KindDatabase, ops.KindOther:
	case ops.KindPrice, ops.KindPromotion:
		if service < 0 {
			a.service = c.fronts[d.IntN(len(c.fronts))]
		}
		a.named = d.chance(0.5)
		if d.chance(0.7) {
			a.places(d, c, d.chance(0.5))
		}
	case ops.KindFirmware:
		k := c.kinds[d.IntN(len(c.kinds))]
		a.service, a.named, a.device, a.firmware = -1, false, k.name, k.firmware+fmt.Sprint(".", 1+d.IntN(99))
		a.places(d, c, true)
	case ops.KindNetwork:
		a.service, a.named = -1, false
		a.stores = c.someNetwork(d)
	case ops.KindStoreOpening:
		a.service, a.named = -1, false
		a.stores = []int{d.IntN(len(c.stores))}
	}
	return a
}

// shape is how a change of a service goes out: unit by unit, in rings of stores, or at once.
func (a *act) shape(d dice, c *chain) {
	byStore := 0.12
	if slices.Contains(c.fronts, a.service) {
		byStore = 0.6
	}
	gray := 0.75
	if a.kind != ops.KindRelease {
		gray = 0.2
	}
	switch {
	case d.chance(byStore):
		a.places(d, c, d.chance(0.7))
	case d.chance(gray):
		slots := d.Perm(len(c.services[a.service].units))
		for i, n := 0, 1; i < len(slots); i += n {
			n = min(len(slots)-i, 1+i) // one, then two, then four
			a.rings = append(a.rings, ring{slots: slots[i : i+n]})
			if d.chance(0.1) {
				break // it stops half-way
			}
		}
		a.pace(d, 10*time.Second, 2*time.Minute, 30*time.Second, 25*time.Minute)
	}
}

// places sends a change to stores: a city, or a share of the chain; in rings where staged.
func (a *act) places(d dice, c *chain, staged bool) {
	stores := d.some(d.count(1, len(c.stores)), len(c.stores))
	if d.chance(0.3) {
		stores = c.in(func(s ops.Store) bool { return s.City == c.stores[stores[0]].City })
	}
	if !staged {
		a.stores = stores
		return
	}
	for len(stores) > 0 {
		n := min(len(stores), max(1, int(float64(len(stores))*d.between(0.1, 0.7))))
		a.rings = append(a.rings, ring{stores: stores[:n]})
		if stores = stores[n:]; len(a.rings) == 4 {
			break
		}
	}
	a.pace(d, 5*time.Second, 3*time.Minute, time.Minute, 40*time.Minute)
}

// pace sets when the rings start and end, from when the change begins.
func (a *act) pace(d dice, workMin, workMax, restMin, restMax time.Duration) {
	at, bake := a.begins, d.span(time.Minute, 10*time.Minute)
	for i := range a.rings {
		a.rings[i].start = at
		a.rings[i].end = at.Add(d.span(workMin, workMax))
		a.rings[i].bake = bake
		at = a.rings[i].end.Add(d.span(restMin, restMax))
	}
}

// shift moves the whole change in time.
func (a *act) shift(by time.Duration) {
	a.begins = a.begins.Add(by)
	for i := range a.rings {
		a.rings[i].start, a.rings[i].end = a.rings[i].start.Add(by), a.rings[i].end.Add(by)
	}
}

// conduct draws what is on record of the care that was taken. Guilty changes were taken a little less care of.
func (a *act) conduct(d dice, guilty bool) {
	mix := []weighted[string]{{"", 45}, {"low", 28}, {"medium", 15}, {"high", 12}}
	forced := 0.03
	if guilty {
		mix, forced = []weighted[string]{{"", 42}, {"low", 17}, {"medium", 17}, {"high", 24}}, 0.08
	}
	a.risk = pick(d, mix)
	a.overridden, a.unapproved = d.chance(forced), d.chance(forced)
}

// in lists the stores that a condition holds for.
func (c *chain) in(holds func(ops.Store) bool) []int {
	var out []int
	for i, s := range c.stores {
		if holds(s) {
			out = append(out, i)
		}
	}
	return out
}

// someNetwork lists the stores of a network, of a city, or one store.
func (c *chain) someNetwork(d dice) []int {
	s := d.IntN(len(c.stores))
	switch at := c.stores[s]; {
	case d.chance(0.4):
		return []int{s}
	case d.chance(0.7):
		return c.in(func(o ops.Store) bool { return o.Network == at.Network })
	default:
		return c.in(func(o ops.Store) bool { return o.City == at.City })
	}
}

// rename gives the units that releases treat their new instances, in order of time, and tells the rings the names.
func (c *chain) rename(d dice, acts []*act) {
	type move struct {
		a *act
		r int
	}
	var moves []move
	for _, a := range acts {
		for i := range a.rings {
			if len(a.rings[i].slots) > 0 {
				moves = append(moves, move{a, i})
			}
		}
	}
	slices.SortStableFunc(moves, func(x, y move) int { return x.a.rings[x.r].start.Compare(y.a.rings[y.r].start) })
	for n, m := range moves {
		r := &m.a.rings[m.r]
		for _, slot := range r.slots {
			u := c.services[m.a.service].units[slot]
			old := &u.names[len(u.names)-1]
			if !m.a.renames {
				r.units = append(r.units, old.name)
				continue
			}
			ready := r.start.Add(time.Duration(d.between(0.3, 1) * float64(r.end.Sub(r.start))))
			old.gone = ready.Add(time.Duration(d.between(-5, 20) * float64(time.Second)))
			u.names = append(u.names, instance{from: ready, name: fmt.Sprintf("%s-%d-r%d", c.services[m.a.service].name, slot, n)})
			r.units, r.replaces = append(r.units, u.names[len(u.names)-1].name), append(r.replaces, old.name)
		}
	}
}
