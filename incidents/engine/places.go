package engine

import (
	"cmp"
	"slices"

	"goc/ops"
)

// place is a store, or everything in a city, region or network.
type place struct{ kind, name string }

// The kinds of place, the smallest first.
const (
	placeStore   = "store"
	placeNetwork = "network"
	placeCity    = "city"
	placeRegion  = "region"
)

// String is the place in a sentence.
func (p place) String() string {
	switch p.kind {
	case placeStore, placeNetwork:
		return p.kind + " " + p.name
	}
	return p.name
}

// places knows which stores of the catalog lie in each city, region and network, by their index, ascending.
type places map[place][]int32

func placesOf(cat *ops.Catalog) places {
	out := places{}
	for i, s := range cat.Stores {
		for _, p := range []place{{placeNetwork, s.Network}, {placeCity, s.City}, {placeRegion, s.Region}} {
			if p.name != "" {
				out[p] = append(out[p], int32(i))
			}
		}
	}
	return out
}

// mostly says whether at least half of the stores of o lie in p, which is no smaller.
func (ps places) mostly(p, o place) bool {
	a, b := ps[p], ps[o]
	if len(b) == 0 || len(a) < len(b) {
		return false
	}
	both := 0
	for _, i := range b {
		if _, in := slices.BinarySearch(a, i); in {
			both++
		}
	}
	return 2*both >= len(b)
}

// place is the smallest place that s names, the zero place when it names none.
func (s sight) place() place {
	switch {
	case s.store != "":
		return place{placeStore, s.store}
	case s.network != "":
		return place{placeNetwork, s.network}
	case s.city != "":
		return place{placeCity, s.city}
	case s.region != "":
		return place{placeRegion, s.region}
	}
	return place{}
}

// where is the place of s with what the catalog knows of its store.
func (e *Engine) where(s sight) ops.Store {
	st, _ := e.catalog.Store(s.store)
	return ops.Store{ID: s.store, City: cmp.Or(s.city, st.City), Region: cmp.Or(s.region, st.Region), Network: cmp.Or(s.network, st.Network)}
}

// around lists the places that s lies in, its own included.
func (e *Engine) around(s sight) [4]place {
	in := e.where(s)
	return [4]place{{placeStore, in.ID}, {placeNetwork, in.Network}, {placeCity, in.City}, {placeRegion, in.Region}}
}

// covers says whether the place of s as a whole contains the place of o, and which place that is. Of a place that is
// more than a store it contains another when most of the other's stores lie in it.
func (e *Engine) covers(s, o sight) (string, bool) {
	p := s.place()
	if p.name == "" {
		return "", false
	}
	for _, q := range e.around(o) {
		if p == q {
			return p.String(), true
		}
	}
	return p.String(), o.store == "" && o.class() == aboutPlace && e.places.mostly(p, o.place())
}
