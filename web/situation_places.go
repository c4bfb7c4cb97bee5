package web

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"goc/ops"
)

// Shares of a store's devices that are offline or degraded from which the store itself is not well.
const (
	warningShare  = 0.05
	criticalShare = 0.30
)

// cityStates rolls stores up by city, worst first. Stores that no device has spoken for are there too.
func cityStates(f facts, t trouble) []CityState {
	counted := map[string]ops.FleetGroup{}
	for _, g := range f.fleet {
		counted[g.Group["store"]] = g
	}
	cities := map[string]*CityState{}
	open := opening{}
	add := func(st ops.Store) {
		key := st.Region + "\x00" + st.City
		if cities[key] == nil {
			cities[key] = &CityState{City: st.City, Region: st.Region, States: map[string]int{}}
		}
		cities[key].add(storeState(st, counted[st.ID], t.store[st.ID], open.at(f.catalog.Hours(st.ID), f.now)), counted[st.ID])
		delete(counted, st.ID)
	}
	for _, st := range f.catalog.Stores {
		add(st)
	}
	for id, g := range counted { // devices of stores that the catalog does not list
		add(ops.Store{ID: id, City: g.Group["city"], Region: g.Group["region"]})
	}
	out := make([]CityState, 0, len(cities))
	for _, c := range cities {
		c.sort()
		out = append(out, *c)
	}
	slices.SortFunc(out, func(a, b CityState) int {
		return cmp.Or(cmp.Compare(rankOf(b.Stores[0].State), rankOf(a.Stores[0].State)), cmp.Compare(b.StoresAffected, a.StoresAffected),
			cmp.Compare(b.Affected, a.Affected), strings.Compare(a.City, b.City))
	})
	return out
}

func (c *CityState) add(st StoreState, g ops.FleetGroup) {
	c.Total += g.Total
	c.Affected += unwell(g)
	for name, n := range g.States {
		c.States[name] += n
	}
	c.StoresTotal++
	if rankOf(st.State) >= rankWarning {
		c.StoresAffected++
	}
	c.Stores = append(c.Stores, st)
}

// sort puts the worst stores first.
func (c *CityState) sort() {
	bad := func(s StoreState) int { return s.States[ops.Offline.String()] + s.States[ops.Degraded.String()] }
	slices.SortFunc(c.Stores, func(a, b StoreState) int {
		return cmp.Or(cmp.Compare(rankOf(b.State), rankOf(a.State)), cmp.Compare(bad(b), bad(a)), strings.Compare(a.ID, b.ID))
	})
}

func rankOf(state string) int { return slices.Index(rankNames[:], state) }

// unwell counts the devices that are offline or degraded.
func unwell(g ops.FleetGroup) int {
	return g.States[ops.Offline.String()] + g.States[ops.Degraded.String()]
}

// storeState says how a store is: by the incidents that name it, and by how many of its devices are not well.
func storeState(st ops.Store, g ops.FleetGroup, rank int, open bool) StoreState {
	s := StoreState{ID: st.ID, Name: st.Name, Open: open, States: g.States}
	if s.States == nil {
		s.States = map[string]int{}
	}
	inUse := g.Total - g.States[ops.Retired.String()] - g.States[ops.NeverSeen.String()]
	share := 0.0
	if inUse > 0 {
		share = float64(unwell(g)) / float64(inUse)
	}
	switch {
	case inUse > 0 && g.States[ops.Offline.String()] == inUse:
		rank = max(rank, rankOffline)
	case share >= criticalShare:
		rank = rankCritical
	case share >= warningShare:
		rank = max(rank, rankWarning)
	}
	if !s.Open && rank < rankCritical {
		rank = rankClosed
	}
	s.State = rankNames[rank]
	return s
}

// opening remembers which hours are open at one moment: stores that keep the same share them.
type opening map[*ops.Hours]bool

func (o opening) at(h *ops.Hours, now time.Time) bool {
	open, known := o[h]
	if !known {
		open = h.Open(now)
		o[h] = open
	}
	return open
}
