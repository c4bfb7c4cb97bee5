package changes

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"goc/ops"
)

// Flight is the changes that are under way, found by service and by place without looking at each, and how many stores
// of each city they touch. A change is under way from its start until it has finished and its bakes have ended.
type Flight struct {
	catalog *ops.Catalog
	places  *places
	env     map[string]*airspace
	chains  sync.Map // of services, by hop
}

// airspace is the flight of one environment.
type airspace struct {
	all     map[int]*flying
	service map[string]ascending
	at      map[spot]ascending // changes that name this place
	under   map[spot]ascending // changes that name a place within this one
	touched map[string]int     // per store, by how many changes
	count   map[spot]int       // stores touched, per city, region and in all
}

// flying is one change under way, prepared for comparison.
type flying struct {
	number  int
	change  *ops.Change
	whole   ops.Scope   // the places where it may go, expanded
	active  []ops.Scope // where it is: its stages that are going out or bake, expanded; empty when it names no place
	stores  []string    // that active covers
	until   time.Time   // when its last bake ends, zero when that is not known
	started time.Time
}

// spot is a place: a store, a city, a region or, without a name, all.
type spot struct {
	level byte // s, c, r, a
	name  string
}

var everywhere = spot{level: 'a'}

// storeKinds are the kinds of change that go into stores: one that names no place goes into all of them. Others that name
// no place, such as a release of a central service, go into none.
var storeKinds = []ops.ChangeKind{ops.KindFirmware, ops.KindPrice, ops.KindPromotion, ops.KindStoreOpening, ops.KindNetwork}

// NewFlight is a flight that nothing is in.
func NewFlight(catalog *ops.Catalog) *Flight {
	return &Flight{catalog: catalog, places: placesOf(catalog), env: map[string]*airspace{}}
}

func newAirspace() *airspace {
	return &airspace{
		all: map[int]*flying{}, service: map[string]ascending{}, at: map[spot]ascending{}, under: map[spot]ascending{},
		touched: map[string]int{}, count: map[spot]int{},
	}
}

// underWay says whether a change is in flight. A drill is not: an unannounced one must not give itself away.
func underWay(c *ops.Change) bool {
	switch {
	case c.Kind == ops.KindDrill || c.Drill != "":
		return false
	case c.Status == ops.ChangeStarted || c.Status == ops.ChangePaused || c.Verdict == ops.Baking:
		return true
	}
	return slices.ContainsFunc(c.Stages, func(s ops.Stage) bool { return s.Verdict == ops.Baking })
}

// Put takes in a change as it now is; old is as it was, nil when it is new. The flight keeps c, which must not change.
func (f *Flight) Put(old, c *ops.Change) {
	n := number("CHG", c.ID)
	if old != nil {
		f.drop(n, old)
	}
	if underWay(c) {
		f.space(c.Environment).add(f.prepare(n, c), f.places)
	}
}

func (f *Flight) drop(n int, c *ops.Change) {
	if a := f.env[orDefault(c.Environment, Production)]; a != nil && a.all[n] != nil {
		a.remove(a.all[n], f.places)
	}
}

func (f *Flight) space(environment string) *airspace {
	environment = orDefault(environment, Production)
	a := f.env[environment]
	if a == nil {
		a = newAirspace()
		f.env[environment] = a
	}
	return a
}

// expire drops what has not moved for longer than stale, and does not bake: somebody forgot to say that it is over.
func (f *Flight) expire(now time.Time, stale time.Duration) {
	for _, a := range f.env {
		for _, x := range a.all {
			if now.Sub(x.change.UpdatedAt.Time) > stale && !x.until.After(now) {
				a.remove(x, f.places)
			}
		}
	}
}

// prepare works out where a change is.
func (f *Flight) prepare(n int, c *ops.Change) *flying {
	x := &flying{number: n, change: c, whole: place(f.expand(wholeScope(c))), started: c.StartedAt.Time}
	for _, s := range activeScopes(c) {
		e := f.expand(place(s))
		if e.Empty() && !slices.Contains(storeKinds, c.Kind) {
			continue
		}
		x.active = append(x.active, e)
		if in := f.places.storesIn(s); x.stores == nil {
			x.stores = in // a change to a whole city or chain shares the list with all others
		} else {
			x.stores = slices.Concat(x.stores, in)
			slices.Sort(x.stores)
			x.stores = slices.Compact(x.stores)
		}
	}
	x.until = bakesUntil(c)
	return x
}

// expand fills in what the catalog knows, a city's region included.
func (f *Flight) expand(s ops.Scope) ops.Scope {
	s = f.catalog.Expand(s)
	if len(s.Region) == 0 && len(s.City) > 0 {
		for _, city := range s.City {
			if r, known := f.places.regionOf[city]; known && !slices.Contains(s.Region, r) {
				s.Region = append(s.Region, r)
			}
		}
	}
	return s
}

// wholeScope is where a change may go: its own places, else those of its stages when each of them names some.
func wholeScope(c *ops.Change) ops.Scope {
	s := stageScope(c, 0)
	if len(c.Stages) == 0 || !place(s).Empty() {
		return s
	}
	var union ops.Scope
	for i := range c.Stages {
		p := place(c.Stages[i].Scope)
		if p.Empty() {
			return s
		}
		union = union.Union(p)
	}
	s.Region, s.City, s.Store = union.Region, union.City, union.Store
	return s
}

// activeScopes are the scopes of a change's stages that are going out or bake; of one without stages, its own.
func activeScopes(c *ops.Change) []ops.Scope {
	if len(c.Stages) == 0 {
		return []ops.Scope{c.Scope}
	}
	var out []ops.Scope
	for i := range c.Stages {
		if st := &c.Stages[i]; !st.StartedAt.IsZero() && st.RolledBackAt.IsZero() && (st.FinishedAt.IsZero() || st.Verdict == ops.Baking) {
			out = append(out, stageScope(c, i+1))
		}
	}
	return out
}

// bakesUntil is when the last bake of a change ends; zero when it is still going out, and so nobody knows.
func bakesUntil(c *ops.Change) time.Time {
	var until time.Time
	if c.Verdict == ops.Baking {
		until = c.FinishedAt.Add(time.Duration(c.Bake))
	}
	for i := range c.Stages {
		switch st := &c.Stages[i]; {
		case st.StartedAt.IsZero() || !st.RolledBackAt.IsZero():
		case st.FinishedAt.IsZero():
			return time.Time{}
		case st.Verdict == ops.Baking:
			if end := st.FinishedAt.Add(time.Duration(st.Bake)); end.After(until) {
				until = end
			}
		}
	}
	return until
}

// spots are the places that a scope names, at its finest level.
func spots(s ops.Scope) []spot {
	level, names := byte('r'), s.Region
	switch {
	case len(s.Store) > 0:
		level, names = 's', s.Store
	case len(s.City) > 0:
		level, names = 'c', s.City
	}
	out := make([]spot, len(names))
	for i, n := range names {
		out[i] = spot{level, n}
	}
	return out
}

// spotsOrAll are they of a scope that names no place as well.
func spotsOrAll(s ops.Scope) []spot {
	if out := spots(s); len(out) > 0 {
		return out
	}
	return []spot{everywhere}
}

// aboveAll is what lies above a place, the whole chain included.
func (p *places) aboveAll(s spot) []spot {
	if s == everywhere {
		return nil
	}
	return append(p.above(s), everywhere)
}

func (a *airspace) add(x *flying, p *places) {
	a.all[x.number] = x
	for _, name := range servicesOf(x.change) {
		a.service[name] = a.service[name].with(x.number)
	}
	for _, s := range x.active {
		for _, here := range spotsOrAll(s) {
			a.at[here] = a.at[here].with(x.number)
			for _, above := range p.aboveAll(here) {
				a.under[above] = a.under[above].with(x.number)
			}
		}
	}
	for _, id := range x.stores {
		if a.touched[id]++; a.touched[id] == 1 {
			a.tally(id, p, 1)
		}
	}
}

func (a *airspace) remove(x *flying, p *places) {
	delete(a.all, x.number)
	for _, name := range servicesOf(x.change) {
		take(a.service, name, x.number)
	}
	for _, s := range x.active {
		for _, here := range spotsOrAll(s) {
			take(a.at, here, x.number)
			for _, above := range p.aboveAll(here) {
				take(a.under, above, x.number)
			}
		}
	}
	for _, id := range x.stores {
		if a.touched[id]--; a.touched[id] == 0 {
			delete(a.touched, id)
			a.tally(id, p, -1)
		}
	}
}

// take removes a number from a list, and the list when it was the last.
func take[K comparable](m map[K]ascending, key K, n int) {
	if m[key] = m[key].without(n); len(m[key]) == 0 {
		delete(m, key)
	}
}

// tally counts a store in its city, its region and in all.
func (a *airspace) tally(store string, p *places, by int) {
	a.count[everywhere] += by
	for _, s := range p.above(spot{'s', store}) {
		a.count[s] += by
	}
}

// places are the catalog's stores by city and region.
type places struct {
	stores   map[spot][]string   // of a city, of a region, of all
	cities   map[string][]string // of a region
	regions  []string
	regionOf map[string]string
	cityOf   map[string]string
}

func placesOf(c *ops.Catalog) *places {
	p := &places{stores: map[spot][]string{}, cities: map[string][]string{}, regionOf: map[string]string{}, cityOf: map[string]string{}}
	for _, s := range c.Stores {
		p.cityOf[s.ID] = s.City
		if _, known := p.regionOf[s.City]; !known {
			p.regionOf[s.City] = s.Region
			if len(p.cities[s.Region]) == 0 {
				p.regions = append(p.regions, s.Region)
			}
			p.cities[s.Region] = append(p.cities[s.Region], s.City)
		}
		for _, at := range append(p.above(spot{'s', s.ID}), everywhere) {
			p.stores[at] = append(p.stores[at], s.ID)
		}
	}
	for _, list := range p.stores {
		slices.Sort(list)
	}
	return p
}

// above are the city and the region that a place lies in.
func (p *places) above(s spot) []spot {
	switch s.level {
	case 's':
		if city, known := p.cityOf[s.name]; known {
			return []spot{{'c', city}, {'r', p.regionOf[city]}}
		}
	case 'c':
		if region, known := p.regionOf[s.name]; known {
			return []spot{{'r', region}}
		}
	}
	return nil
}

// storesIn lists the known stores that a scope covers, each once and in order; all when it names no place. The list must
// not be written to.
func (p *places) storesIn(s ops.Scope) []string {
	here := spotsOrAll(s)
	if len(here) == 1 && here[0].level != 's' {
		return p.stores[here[0]]
	}
	var out []string
	for _, at := range here {
		if at.level != 's' {
			out = append(out, p.stores[at]...)
		} else if _, known := p.cityOf[at.name]; known {
			out = append(out, at.name)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// citiesIn lists the cities that a scope covers whole; all when it names no place.
func (p *places) citiesIn(s ops.Scope) []string {
	if len(s.City) > 0 {
		return s.City
	}
	regions := s.Region
	if len(regions) == 0 {
		regions = p.regions
	}
	var out []string
	for _, r := range regions {
		out = append(out, p.cities[r]...)
	}
	return out
}

// older says whether x began before a change that began at t and has the number n; one that has not begun is younger
// than all that have. So of two changes in each other's way one may always go on.
func (x *flying) older(t time.Time, n int) bool {
	if t.IsZero() {
		return true
	}
	return cmp.Or(x.started.Compare(t), cmp.Compare(x.number, n)) < 0
}
