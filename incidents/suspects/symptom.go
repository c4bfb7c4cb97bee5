package suspects

import "slices"

// unplaced is the weight of a change that nothing on record connects with the symptom.
const unplaced = -0.5

// symptom is the places and devices of a case in the index's numbers.
type symptom struct {
	class    int
	affected int // stores that the case names
	stores   set // those of them that are known
	named    [placeAxes]bool
	ids      [placeAxes][]uint32 // what the case names, as far as it is known
	areas    [placeAxes]*set     // the stores of the cities and regions that it names
	cities   []uint32            // those, and those of its stores
	every    float64             // weight of a change that went everywhere
	most     float64             // the greatest weight that stores can give
}

// symptomOf reads a case. Its stores must each stand there once.
func (x *Index) symptomOf(k Case, w World) symptom {
	s := symptom{class: classOf(k), affected: len(k.Stores)}
	for _, name := range k.Stores {
		if id, ok := x.names[byStore].find(name); ok {
			s.stores.add(id)
		}
	}
	s.named[byStore] = len(k.Stores) > 0
	for axis := byCity; axis < placeAxes; axis++ {
		places := *k.Place.Key(placeKeys[axis])
		if axis <= byRegion {
			if len(places) == 0 {
				places = x.atlas.placesOf(axis, k.Stores)
			}
			if x.atlas.cat != nil {
				s.areas[axis] = x.atlas.union(axis, places)
			}
		}
		s.named[axis] = len(places) > 0
		s.ids[axis] = x.known(axis, places)
	}
	s.cities = s.ids[byCity]
	if len(k.Place.City) > 0 && len(k.Stores) > 0 {
		s.cities = append(slices.Clone(s.cities), x.known(byCity, x.atlas.placesOf(byCity, k.Stores))...)
	}
	if w.Catalog != nil && s.affected > 0 {
		others := max(0, len(w.Catalog.Stores)-s.affected)
		s.every = spatialWeight(s.affected, s.affected, others, others, w.Weights.Spatial)
		s.most = max(0, spatialWeight(s.affected, s.affected, 0, others, w.Weights.Spatial))
	}
	return s
}

func (x *Index) known(axis int, places []string) []uint32 {
	var out []uint32
	for _, name := range places {
		if id, ok := x.names[axis].find(name); ok {
			out = append(out, id)
		}
	}
	return out
}

// shares compares what a change touches on one axis with what the symptom names: whether both name something, and
// whether that is in part the same. A change that names stores touches their cities and regions.
func (x *Index) shares(p *profile, s *symptom, axis int) (both, same bool) {
	if !s.named[axis] {
		return false, false
	}
	switch touched := p.places[axis]; {
	case axis == byStore:
		return touched != nil, touched.common(&s.stores) > 0
	case touched != nil:
		return true, slices.ContainsFunc(s.ids[axis], touched.has)
	case axis <= byRegion && p.places[byStore] != nil && x.atlas.cat != nil:
		stores := p.places[byStore]
		return stores.common(&x.atlas.located[axis]) > 0, stores.common(s.areas[axis]) > 0
	}
	return false, false
}

// placeWeight compares the places and kinds of device that the change and the symptom name.
func (x *Index) placeWeight(p *profile, s *symptom, w Weights) float64 {
	weight := unplaced
	for axis := range placeAxes {
		both, same := x.shares(p, s, axis)
		switch {
		case both && !same:
			return w.Unrelated
		case same && (axis != byCity && axis != byRegion || !s.named[byStore]): // a store says its city
			weight = w.SamePlace
		}
	}
	return weight
}

// firstShared is the first name, in the order of names, that a change and the symptom share on one axis.
func (x *Index) firstShared(p *profile, s *symptom, axis int) string {
	name := ""
	take := func(axis int, id uint32) {
		if n := x.names[axis].list[id]; name == "" || n < name {
			name = n
		}
	}
	if axis == byStore {
		for id := range p.places[byStore].both(&s.stores).each {
			take(byStore, id)
		}
		return name
	}
	if touched := p.places[axis]; touched != nil {
		for _, id := range s.ids[axis] {
			if touched.has(id) {
				take(axis, id)
			}
		}
		return name
	}
	for id := range p.places[byStore].both(s.areas[axis]).each { // the city or region of one of its stores
		st, _ := x.atlas.cat.Store(x.names[byStore].list[id])
		if place := map[int]string{byCity: st.City, byRegion: st.Region}[axis]; name == "" || place < name {
			name = place
		}
	}
	return name
}

// unique lists the names of a list, each once, in the order in which they stand there first.
func unique(list []string) []string {
	seen := make(map[string]bool, len(list))
	var out []string
	for _, name := range list {
		if !seen[name] {
			seen[name] = true
			out = append(out, name)
		}
	}
	return out
}
