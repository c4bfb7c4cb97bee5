package bake

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"goc/ops"
)

// memory keeps samples: of each series the recent ones, of each indicator of a service its minutes for weeks.
type memory struct {
	catalog   *ops.Catalog
	series    map[key]*ring
	histories map[indicator]*history
	byService map[string]map[key]struct{} // series by their service, and by their caller
	byStore   map[string]map[key]struct{}
	dropped   int64
	swept     time.Time
}

// key is one series.
type key struct{ indicator, service, caller, unit, callerUnit, store string }

// indicator is one indicator of one service.
type indicator struct{ service, name string }

func newMemory(c *ops.Catalog) *memory {
	return &memory{
		catalog: c, series: map[key]*ring{}, histories: map[indicator]*history{},
		byService: map[string]map[key]struct{}{}, byStore: map[string]map[key]struct{}{},
	}
}

func (m *memory) add(s ops.Sample) {
	if s.At.IsZero() || s.Indicator == "" || math.IsNaN(s.Value) || math.IsInf(s.Value, 0) {
		return
	}
	k := key{s.Indicator, s.Service, s.Caller, s.Unit, s.CallerUnit, s.Store}
	r := m.series[k]
	if r == nil {
		if m.sweep(s.At.Time); len(m.series) >= MaxSeries {
			m.dropped++
			return
		}
		r = new(ring)
		m.series[k] = r
		list(m.byService, k.service, k)
		if k.caller != k.service {
			list(m.byService, k.caller, k)
		}
		list(m.byStore, k.store, k)
	}
	r.add(s.At.Time, s.Value)
	i := indicator{s.Service, s.Indicator}
	h := m.histories[i]
	if h == nil {
		h = newHistory()
		m.histories[i] = h
	}
	h.add(s.At.Time, s.Value)
}

func list(by map[string]map[key]struct{}, name string, k key) {
	if name == "" {
		return
	}
	if by[name] == nil {
		by[name] = map[key]struct{}{}
	}
	by[name][k] = struct{}{}
}

// sweep forgets the series that have said nothing for a day, at most once a minute.
func (m *memory) sweep(now time.Time) {
	if now.Sub(m.swept) < time.Minute {
		return
	}
	m.swept = now
	for k, r := range m.series {
		if now.Sub(r.newest()) > idle {
			delete(m.series, k)
			delete(m.byService[k.service], k)
			delete(m.byService[k.caller], k)
			delete(m.byStore[k.store], k)
		}
	}
}

// evidence collects what was seen of each indicator that a bake is judged by, from the beginning of the bake to now.
func (m *memory) evidence(k Bake, now time.Time) []Evidence {
	if now.After(k.To) {
		now = k.To
	}
	t := m.treatment(k)
	found := map[indicator]*Evidence{}
	for _, key := range sortedKeys(m.concerned(k, t)) {
		i := indicator{key.service, key.indicator}
		e := found[i]
		if e == nil {
			e = &Evidence{Service: key.service, Indicator: key.indicator, Direction: m.direction(i)}
			found[i] = e
		}
		e.take(m.series[key], t.of(key), k, now)
	}
	var out []Evidence
	for i, e := range found {
		if k.Service == "" || i.service == k.Service {
			m.takeMeans(e, i, k, now)
		}
		out = append(out, *e)
	}
	slices.SortFunc(out, func(a, b Evidence) int {
		return cmp.Or(cmp.Compare(a.Service, b.Service), cmp.Compare(a.Indicator, b.Indicator))
	})
	return out
}

// sortedKeys lists series in an order of their own, so that the same samples give the same verdict to the last digit.
func sortedKeys(keys map[key]struct{}) []key {
	return slices.SortedFunc(maps.Keys(keys), func(a, b key) int {
		return cmp.Or(strings.Compare(a.indicator, b.indicator), strings.Compare(a.store, b.store), strings.Compare(a.unit, b.unit),
			strings.Compare(a.service, b.service), strings.Compare(a.caller, b.caller), strings.Compare(a.callerUnit, b.callerUnit))
	})
}

// shortBake is the length below which a bake is too short to be looked at by the minute.
const shortBake = 10 * time.Minute

// takeMeans adds the indicator's means over time: by the minute, as far back as they are kept, or of a short bake in
// finer steps, as far back as the series themselves are.
func (m *memory) takeMeans(e *Evidence, i indicator, k Bake, now time.Time) {
	length := k.To.Sub(k.From)
	if h := m.histories[i]; h != nil && length >= shortBake {
		e.Step = time.Minute
		e.Means, e.First = h.grid(k.From, now)
	} else {
		var rings []*ring
		for _, key := range sortedKeys(m.byService[i.service]) {
			if key.service == i.service && key.indicator == i.name {
				rings = append(rings, m.series[key])
			}
		}
		e.Step = max(time.Second, length/finest, usualGap(rings))
		e.Means, e.First = means(rings, e.Step, k.From, now)
	}
	e.Bake = int(length / e.Step)
}

func (m *memory) direction(i indicator) string {
	if s, ok := m.catalog.Service(i.service); ok {
		for _, ind := range s.Indicators {
			if ind.Name == i.name {
				return ind.Direction()
			}
		}
	}
	return ops.DirectionOf(i.name)
}

// concerned lists the series that may tell something about a bake: those of its service, of the calls that it makes, or,
// of a change without a service, those of its stores and of the services that have such series.
func (m *memory) concerned(k Bake, t treatment) map[key]struct{} {
	services := k.Scope.Service
	if k.Service != "" {
		services = []string{k.Service}
	}
	out := map[key]struct{}{}
	if len(services) == 0 {
		seen := map[indicator]bool{}
		for store := range t.stores {
			for key := range m.byStore[store] {
				seen[indicator{key.service, key.indicator}] = true
			}
		}
		for key := range m.series {
			if seen[indicator{key.service, key.indicator}] {
				out[key] = struct{}{}
			}
		}
		return out
	}
	for _, s := range services {
		for key := range m.byService[s] {
			if key.service == s || key.callerUnit != "" {
				out[key] = struct{}{}
			}
		}
	}
	return out
}

// treatment says which units and stores have what went out, and which are no fair comparison.
type treatment struct {
	service       string
	units, stores map[string]struct{}
	not           map[string]struct{}
}

func (m *memory) treatment(k Bake) treatment {
	t := treatment{service: k.Service, units: set(k.Units), not: set(k.Not)}
	stores := k.Scope.Store
	if len(stores) == 0 && len(k.Scope.City)+len(k.Scope.Region) > 0 {
		stores = m.catalog.StoresIn(k.Scope)
	}
	t.stores = set(stores)
	for _, u := range k.Scope.Unit {
		t.units[u] = struct{}{}
	}
	return t
}

func set(names []string) map[string]struct{} {
	out := make(map[string]struct{}, len(names))
	for _, n := range names {
		out[n] = struct{}{}
	}
	return out
}

// Sides of a comparison.
const (
	neither = iota
	treated
	untreated
)

// of says on which side a series stands. One that names no unit or store where others are treated stands on neither.
func (t treatment) of(k key) int {
	unit := k.unit
	if t.service != "" && k.service != t.service {
		unit = k.callerUnit // a call that the service makes
	}
	for _, x := range [2]struct {
		name string
		in   map[string]struct{}
	}{{unit, t.units}, {k.store, t.stores}} {
		if x.name == "" || len(x.in) == 0 {
			continue
		}
		if _, ok := x.in[x.name]; ok {
			return treated
		}
		if _, ok := t.not[x.name]; ok {
			return neither
		}
		return untreated
	}
	return neither
}
