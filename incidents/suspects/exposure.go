package suspects

import (
	"iter"
	"time"
)

// settle is how long after the start of a stage its units count as treated when nobody says that the stage finished.
const settle = 2 * time.Minute

// exposure is what a change has reached and since when what it did there counts.
type exposure struct {
	units    map[string]time.Time // ready since; zero while its stage goes on
	stores   map[string]time.Time
	first    time.Time            // the earliest of them that is ready, zero when none is
	replaced map[string]time.Time // units that its own stand in for, since their stage started
}

// exposureOf reads the stages that have started. The stores of a city or region come from the catalog.
func (x *Index) exposureOf(p *profile, now time.Time) exposure {
	var e exposure
	for i := range p.Stages {
		st := &p.Stages[i]
		if st.StartedAt.IsZero() {
			continue
		}
		ready := readySince(st.StartedAt.Time, st.FinishedAt.Time, now)
		for _, list := range [][]string{st.Units, st.Scope.Unit} {
			for _, u := range list {
				e.treat(&e.units, u, ready)
			}
		}
		for s := range x.storesOf(p, i) {
			e.treat(&e.stores, s, ready)
		}
		for _, u := range st.Replaces {
			if e.replaced == nil {
				e.replaced = map[string]time.Time{}
			}
			e.replaced[u] = st.StartedAt.Time
		}
	}
	if len(p.Stages) == 0 && !p.StartedAt.IsZero() {
		ready := readySince(p.StartedAt.Time, p.FinishedAt.Time, now)
		for s := range x.storesOf(p, -1) {
			e.treat(&e.stores, s, ready)
		}
		for _, u := range p.Scope.Unit {
			e.treat(&e.units, u, ready)
		}
	}
	return e
}

// treatedBy says whether anything that the change names has been treated by now, so that its samples count.
func (p *profile) treatedBy(now time.Time) bool {
	for i := range p.Stages {
		st := &p.Stages[i]
		if !st.StartedAt.IsZero() && len(st.Units)+len(st.Scope.Unit)+len(st.Scope.Store)+p.long[i].size()+len(st.Scope.City)+len(st.Scope.Region) > 0 && !readySince(st.StartedAt.Time, st.FinishedAt.Time, now).IsZero() {
			return true
		}
	}
	return len(p.Stages) == 0 && !p.StartedAt.IsZero() && p.exposed.size()+len(p.Scope.Unit) > 0 && !readySince(p.StartedAt.Time, p.FinishedAt.Time, now).IsZero()
}

func readySince(started, finished, now time.Time) time.Time {
	switch {
	case !finished.IsZero():
		return finished
	case now.Sub(started) > settle:
		return started.Add(settle)
	}
	return time.Time{}
}

// treat notes that something is treated; the earlier of two times holds.
func (x *exposure) treat(in *map[string]time.Time, name string, ready time.Time) {
	if *in == nil {
		*in = map[string]time.Time{}
	}
	if old, ok := (*in)[name]; !ok || old.IsZero() || (!ready.IsZero() && ready.Before(old)) {
		(*in)[name] = ready
	}
	if !ready.IsZero() && (x.first.IsZero() || ready.Before(x.first)) {
		x.first = ready
	}
}

// storesOf goes through the stores of a stage, -1 for the change as a whole; none when it names no place.
func (x *Index) storesOf(p *profile, stage int) iter.Seq[string] {
	s, list := &p.Scope, p.long[stage]
	if stage >= 0 {
		s = &p.Stages[stage].Scope
	}
	if list == nil && len(s.Store) == 0 && x.atlas.cat != nil && len(s.City)+len(s.Region) > 0 {
		list = x.atlas.stores(*s)
	}
	return func(yield func(string) bool) {
		for _, id := range s.Store {
			if !yield(id) {
				return
			}
		}
		for id := range list.each {
			if !yield(x.names[byStore].list[id]) {
				return
			}
		}
	}
}

// share is which part of the stores that o treated x treated as well; 1 where the two do not go by stores.
func (x exposure) share(o exposure) float64 {
	if len(x.stores) == 0 || len(o.stores) == 0 {
		return 1
	}
	both := 0
	for s := range o.stores {
		if _, ok := x.stores[s]; ok {
			both++
		}
	}
	return float64(both) / float64(len(o.stores))
}
