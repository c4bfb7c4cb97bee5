package suspects

import (
	"time"

	"goc/ops"
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
func exposureOf(ch *ops.Change, cat *ops.Catalog, now time.Time) exposure {
	var x exposure
	for _, st := range ch.Stages {
		if st.StartedAt.IsZero() {
			continue
		}
		ready := readySince(st.StartedAt.Time, st.FinishedAt.Time, now)
		for _, u := range append(st.Units, st.Scope.Unit...) {
			x.treat(&x.units, u, ready)
		}
		for _, s := range storesOf(st.Scope, cat) {
			x.treat(&x.stores, s, ready)
		}
		for _, u := range st.Replaces {
			if x.replaced == nil {
				x.replaced = map[string]time.Time{}
			}
			x.replaced[u] = st.StartedAt.Time
		}
	}
	if len(ch.Stages) == 0 && !ch.StartedAt.IsZero() {
		ready := readySince(ch.StartedAt.Time, ch.FinishedAt.Time, now)
		for _, s := range storesOf(ch.Scope, cat) {
			x.treat(&x.stores, s, ready)
		}
		for _, u := range ch.Scope.Unit {
			x.treat(&x.units, u, ready)
		}
	}
	return x
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

// storesOf lists the stores of a scope, nil when it names no place.
func storesOf(s ops.Scope, cat *ops.Catalog) []string {
	if len(s.Store) > 0 || cat == nil || len(s.City)+len(s.Region) == 0 {
		return s.Store
	}
	return cat.StoresIn(s)
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
