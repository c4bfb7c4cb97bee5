package changes

import (
	"slices"

	"goc/ops"
)

// Bounds of what one decision looks at and tells.
const (
	maxCollisions = 5   // that are named
	maxExamined   = 256 // changes under way that are compared with one request
	manyStores    = 64  // from which on they are looked up by city
)

// Collided is another change that is in the way.
type Collided struct {
	ID      string   `json:"id"`
	Title   string   `json:"title"`
	By      string   `json:"by,omitempty"`
	Service string   `json:"service,omitempty"`
	Store   string   `json:"store,omitempty"` // where they meet; else they meet in the services
	Until   ops.Time `json:"until"`           // when its bake ends, null when that is not known
}

// Crowded is a place in which more of the stores would be under change than may.
type Crowded struct {
	Place string  `json:"place"` // "" is the whole chain
	Now   int     `json:"now"`   // stores under change
	More  int     `json:"more"`  // that this change adds
	Of    int     `json:"of"`    // stores in all
	Cap   float64 `json:"cap"`
}

// gatherCollisions finds the changes under way that this one would meet: in a store, whatever they change there; or in
// the same service, or one within depth calls of it, where their places overlap.
func (in *Inputs) gatherCollisions(c *ops.Change, scope ops.Scope, s *State) {
	a := s.Flight.airspaceOf(c.Environment)
	if s.Config.Collision.Effect == "" || a == nil {
		return
	}
	in.CollideWith = s.Config.Collision.Effect
	m := meeting{a: a, c: c, number: number("CHG", c.ID), here: place(s.Flight.expand(scope))}
	for _, at := range s.Flight.lookups(c, scope) {
		m.each(a.at[at], true)
		if at.level != 's' {
			m.each(a.under[at], true)
		}
		for _, above := range s.Flight.places.aboveAll(at) {
			m.each(a.at[above], true)
		}
	}
	for _, name := range s.Flight.chain(servicesOf(c), s.Config.Collision.depth()) {
		m.each(a.service[name], false)
	}
	slices.SortFunc(m.found, func(x, y *flying) int { return x.number - y.number })
	for _, x := range m.found[:min(len(m.found), maxCollisions)] {
		in.Collisions = append(in.Collisions, Collided{
			ID: x.change.ID, Title: x.change.Title, By: x.change.Author, Service: x.change.Service, Store: m.store[x.number], Until: onRecord(x.until),
		})
	}
	if len(in.Collisions) == 0 {
		in.CollideWith = ""
	}
}

// meeting compares a request with changes under way.
type meeting struct {
	a        *airspace
	c        *ops.Change
	number   int
	here     ops.Scope // the places of the request, expanded
	examined int
	found    []*flying
	store    map[int]string // where two meet in a store
}

// each compares with the changes of a list, by store or else by service.
func (m *meeting) each(list ascending, byStore bool) {
	for _, n := range list {
		if m.examined >= maxExamined || len(m.found) > maxCollisions {
			return
		}
		if n == m.number || slices.ContainsFunc(m.found, func(x *flying) bool { return x.number == n }) {
			continue
		}
		m.examined++
		if x := m.a.all[n]; x.older(m.c.StartedAt.Time, m.number) && ((byStore && m.inStore(x)) || (!byStore && m.inService(x))) {
			m.found = append(m.found, x)
		}
	}
}

// inStore says whether two changes meet in a store, or in a city or region that one of them covers whole.
func (m *meeting) inStore(x *flying) bool {
	for i := range x.active {
		s := &x.active[i]
		if !s.Overlaps(m.here) {
			continue
		}
		if m.store == nil {
			m.store = map[int]string{}
		}
		m.store[x.number] = shared(*s, m.here)
		return true
	}
	return false
}

// shared names the place in which two scopes meet.
func shared(a, b ops.Scope) string {
	for _, k := range []string{"store", "city", "region"} {
		x, y := *a.Key(k), *b.Key(k)
		for _, v := range x {
			if len(y) == 0 || slices.Contains(y, v) {
				return v
			}
		}
		if len(x) == 0 && len(y) > 0 {
			return y[0]
		}
	}
	return "every store"
}

// inService says whether the places overlap of two changes in one chain of services.
func (m *meeting) inService(x *flying) bool { return x.whole.Overlaps(m.here) }

func (f *Flight) airspaceOf(environment string) *airspace {
	if f == nil {
		return nil
	}
	return f.env[orDefault(environment, Production)]
}

// lookups are the places to look a request up by: the stores that it names, or their cities when they are many; none
// when it goes into no store.
func (f *Flight) lookups(c *ops.Change, s ops.Scope) []spot {
	if len(s.Store) > manyStores && len(s.City) > 0 {
		s.Store = nil
	}
	if out := spots(s); len(out) > 0 || !slices.Contains(storeKinds, c.Kind) {
		return out
	}
	return []spot{everywhere}
}

// chain lists the services and those within depth calls of them, up or down. That of one service is worked out once.
func (f *Flight) chain(services []string, depth int) []string {
	if len(services) != 1 {
		return f.walk(services, depth)
	}
	key := hop{services[0], depth}
	if known, ok := f.chains.Load(key); ok {
		return known.([]string)
	}
	out := f.walk(services, depth)
	if _, listed := f.catalog.Service(services[0]); listed { // of others there is no end
		f.chains.Store(key, out)
	}
	return out
}

// hop is by what a chain is remembered.
type hop struct {
	service string
	depth   int
}

func (f *Flight) walk(services []string, depth int) []string {
	out, seen := slices.Clone(services), map[string]bool{}
	for _, name := range services {
		seen[name] = true
	}
	for edge := out; depth > 0 && len(edge) > 0; depth-- {
		from := len(out)
		for _, name := range edge {
			s, _ := f.catalog.Service(name)
			for _, list := range [][]string{s.Calls, f.catalog.Callers(name)} {
				for _, near := range list {
					if !seen[near] {
						seen[near] = true
						out = append(out, near)
					}
				}
			}
		}
		edge = out[from:]
	}
	return out
}

// gatherShare works out how much of the stores would be under change at once, where that is limited or a policy asks.
func (in *Inputs) gatherShare(c *ops.Change, scope ops.Scope, s *State) (stores int, share float64) {
	limits := s.Config.MaxShare
	if s.Flight == nil || (limits == (MaxShare{}) && !s.Policies.Uses("share") && !s.Policies.Uses("stores")) {
		return 0, 0
	}
	if len(spots(scope)) == 0 && !slices.Contains(storeKinds, c.Kind) {
		return 0, 0
	}
	more, total := s.Flight.added(c, scope)
	for _, m := range more {
		of, now := len(s.Flight.places.stores[m.at]), s.Flight.seen(c.Environment).count[m.at]
		limit := limits.of(m.at.level)
		share = max(share, float64(now+m.n)/float64(max(of, 1)))
		if limit > 0 && now+m.n > max(1, int(limit*float64(of))) {
			in.Crowded = append(in.Crowded, Crowded{Place: m.at.name, Now: now, More: m.n, Of: of, Cap: limit})
		}
	}
	if len(in.Crowded) > maxCollisions {
		in.Crowded = in.Crowded[:maxCollisions]
	}
	return total, share
}

// seen is the airspace of an environment for reading: one that nothing flies in is empty.
func (f *Flight) seen(environment string) *airspace {
	if a := f.airspaceOf(environment); a != nil {
		return a
	}
	return &airspace{}
}

// of is the limit of a level of places.
func (m MaxShare) of(level byte) float64 {
	switch level {
	case 'c':
		return m.City
	case 'r':
		return m.Region
	}
	return m.All
}

// increase is how many stores a request adds to those under change in a place.
type increase struct {
	at spot
	n  int
}

// increases are few: a request names the stores of some cities, one city after the other.
type increases []increase

func (l *increases) add(at spot, n int) {
	for i := len(*l) - 1; i >= 0; i-- {
		if (*l)[i].at == at {
			(*l)[i].n += n
			return
		}
	}
	*l = append(*l, increase{at, n})
}

// added counts in all, per region and per city the stores that a request would touch and nothing else does, and how many
// it would touch at all.
func (f *Flight) added(c *ops.Change, scope ops.Scope) (increases, int) {
	a, p := f.seen(c.Environment), f.places
	var cities increases
	total := 0
	if len(scope.Store) == 0 {
		for _, city := range p.citiesIn(scope) {
			n := len(p.stores[spot{'c', city}])
			total += n
			cities = append(cities, increase{spot{'c', city}, n - a.count[spot{'c', city}]})
		}
	}
	var named map[string]bool
	if len(scope.Store) > 1 {
		named = make(map[string]bool, len(scope.Store))
	}
	for _, id := range scope.Store {
		if city, known := p.cityOf[id]; known && !named[id] {
			if named != nil {
				named[id] = true
			}
			total++
			cities.add(spot{'c', city}, min(1, max(0, 1-a.touched[id])))
		}
	}
	out := make(increases, 1, 1+2*len(cities))
	out[0].at = everywhere
	for _, c := range cities {
		out[0].n += c.n
		out.add(spot{'r', p.regionOf[c.at.name]}, c.n)
	}
	return append(out, cities...), total
}

// fitsNever says whether a place would hold too many even if nothing else were under change there.
func (c Crowded) fitsNever() bool { return c.More > max(1, int(c.Cap*float64(c.Of))) }
