package suspects

import (
	"slices"
	"strings"

	"goc/ops"
)

// atlas is where the stores of a catalog lie, in numbers.
type atlas struct {
	cat     *ops.Catalog
	in      [placeAxes]map[string]*set // stores by city and region
	located [placeAxes]set             // stores whose city or region is known
	areas   map[string]*set            // stores by scope, kept so that changes to the same area share one set
}

// adopt takes the catalog that places are understood by. It costs nothing when it is the one in use.
func (x *Index) adopt(cat *ops.Catalog) {
	if x.atlas.cat == cat {
		return
	}
	x.atlas = atlas{cat: cat, areas: map[string]*set{}}
	if cat != nil {
		for _, axis := range []int{byCity, byRegion} {
			x.atlas.in[axis] = map[string]*set{}
		}
		for _, st := range cat.Stores {
			id := x.names[byStore].id(st.ID)
			x.atlas.put(byCity, st.City, id)
			x.atlas.put(byRegion, st.Region, id)
		}
	}
	for _, slot := range x.byID {
		if p := &x.slots[slot]; len(p.areas) > 0 {
			x.locate(p)
			x.facts[slot].reach = p.reach()
		}
	}
}

func (a *atlas) put(axis int, place string, store uint32) {
	s := a.in[axis][place]
	if s == nil {
		s = &set{}
		a.in[axis][place] = s
	}
	s.add(store)
	if place != "" {
		a.located[axis].add(store)
	}
}

// maxAreas bounds the areas whose stores are kept.
const maxAreas = 10_000

// stores are those of the cities and regions that a scope names; both must hold where both are named.
func (a *atlas) stores(s ops.Scope) *set {
	if len(s.Region) == 0 && len(s.City) == 1 {
		return a.in[byCity][s.City[0]]
	}
	name := strings.Join(s.City, "\x00") + "\x01" + strings.Join(s.Region, "\x00")
	if known, ok := a.areas[name]; ok {
		return known
	}
	out := a.union(byCity, s.City)
	switch region := a.union(byRegion, s.Region); {
	case len(s.City) == 0:
		out = region
	case len(s.Region) > 0:
		out = out.both(region)
	}
	if len(a.areas) < maxAreas {
		a.areas[name] = out
	}
	return out
}

// union is the stores of several cities or regions.
func (a *atlas) union(axis int, places []string) *set {
	if len(places) == 1 {
		return a.in[axis][places[0]]
	}
	out := &set{}
	for _, place := range places {
		out.addAll(a.in[axis][place])
	}
	return out
}

// placesOf lists the cities or regions of stores, each once.
func (a *atlas) placesOf(axis int, stores []string) []string {
	if a.cat == nil {
		return nil
	}
	var out []string
	for _, id := range stores {
		st, _ := a.cat.Store(id)
		place := st.City
		if axis == byRegion {
			place = st.Region
		}
		if place != "" && !slices.Contains(out, place) {
			out = append(out, place)
		}
	}
	slices.Sort(out)
	return out
}
