package fleet

import (
	"context"
	"slices"
	"sort"
	"strings"

	"goc/ops"
)

// axes are the keys that a roll-up may group by.
var axes = [...]string{"city", "region", "store", "kind", "model", "firmware", "network", "state"}

// Rollup counts devices by any of the axes, sorted by their values; without keys it answers one group of all. Of the
// scope, the keys that say where and which devices count; those of services do not.
func (s *Service) Rollup(_ context.Context, q ops.FleetQuery) ([]ops.FleetGroup, error) {
	for _, k := range q.GroupBy {
		if !slices.Contains(axes[:], k) {
			return nil, ops.Errorf(ops.Invalid, "may be %s", strings.Join(axes[:], ", ")).At("query.group_by")
		}
	}
	only := -1
	if q.State != "" {
		if only = slices.Index(ops.DeviceStates(), q.State); only < 0 {
			return nil, ops.Errorf(ops.Invalid, "may be %s", strings.Join(ops.DeviceStates(), ", ")).At("query.state")
		}
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	sums := map[[len(axes)]string]*[states]int{}
	var key [len(axes)]string
	add := func(v *view, state ops.DeviceState, n int) {
		for i, k := range q.GroupBy {
			key[i%len(key)] = v.axis(k, state)
		}
		sum := sums[key]
		if sum == nil {
			sum = new([states]int)
			sums[key] = sum
		}
		sum[state] += n
	}
	s.each(q, func(v *view, n *[states]int32) {
		for state, c := range n {
			if c > 0 && (only < 0 || only == state) {
				add(v, ops.DeviceState(state), int(c))
			}
		}
	})
	return groupsOf(q.GroupBy, sums), nil
}

// groupsOf turns sums into rows in the order of their values.
func groupsOf(by []string, sums map[[len(axes)]string]*[states]int) []ops.FleetGroup {
	keys := make([][len(axes)]string, 0, len(sums))
	for k := range sums {
		keys = append(keys, k)
	}
	sort.Slice(keys, func(i, j int) bool { return slices.Compare(keys[i][:], keys[j][:]) < 0 })
	out := make([]ops.FleetGroup, 0, len(keys))
	for _, k := range keys {
		g := ops.FleetGroup{Group: map[string]string{}, States: map[string]int{}}
		for i, name := range by {
			g.Group[name] = k[i%len(k)]
		}
		for state, n := range sums[k] {
			if n > 0 {
				g.States[ops.DeviceState(state).String()] = n
				g.Total += n
			}
		}
		out = append(out, g)
	}
	return out
}

// view is what a number of devices have in common; a field that is not known for all of them is not asked for.
type view struct {
	store                 *site
	kind, model, firmware string
}

// axis is the value of a roll-up's key.
func (v *view) axis(key string, state ops.DeviceState) string {
	switch key {
	case "city":
		return v.store.City
	case "region":
		return v.store.Region
	case "store":
		return v.store.ID
	case "network":
		return v.store.Network
	case "kind":
		return v.kind
	case "model":
		return v.model
	case "firmware":
		return v.firmware
	}
	return state.String()
}

// each calls fn with all devices that the query needs, already counted where the query allows: by store and kind, by
// kind, model and firmware, or one by one.
func (s *Service) each(q ops.FleetQuery, fn func(*view, *[states]int32)) {
	needs := func(keys ...string) bool {
		for _, k := range keys {
			if slices.Contains(q.GroupBy, k) || q.Scope.Key(k) != nil && len(*q.Scope.Key(k)) > 0 {
				return true
			}
		}
		return false
	}
	place := needs("store", "city", "region", "network")
	in := newFilter(q.Scope)
	switch {
	case needs("device") || place && needs("model", "firmware"):
		s.eachRow(in, fn)
	case place:
		for i := range s.t.groups {
			g := &s.t.groups[i]
			v := view{store: &s.t.stores[g.store], kind: s.t.kinds.all[g.kind]}
			if in.store(v.store) && in.kind.has(v.kind) {
				fn(&v, &g.n)
			}
		}
	default:
		for i := range s.t.makes {
			m := &s.t.makes[i]
			v := view{kind: s.t.kinds.all[m.kind], model: s.t.models.all[m.model], firmware: s.t.models.all[m.firmware]}
			if in.make(&v) {
				fn(&v, &m.n)
			}
		}
	}
}

// eachRow goes through the devices of the stores that the filter lets through.
func (s *Service) eachRow(in *filter, fn func(*view, *[states]int32)) {
	for i := range s.t.stores {
		st := &s.t.stores[i]
		if !in.store(st) {
			continue
		}
		for _, id := range st.rows {
			r := &s.t.rows[id]
			m := &s.t.makes[r.make]
			v := view{store: st, kind: s.t.kinds.all[m.kind], model: s.t.models.all[m.model], firmware: s.t.models.all[m.firmware]}
			if in.make(&v) && in.named(st.ID, s.t.names.all[r.name]) {
				var n [states]int32
				n[r.state] = 1
				fn(&v, &n)
			}
		}
	}
}

// set is the values of one scope key; nil lets everything through.
type set map[string]struct{}

func setOf(vals []string) set {
	if len(vals) == 0 {
		return nil
	}
	out := make(set, len(vals))
	for _, v := range vals {
		out[v] = struct{}{}
	}
	return out
}

func (s set) has(v string) bool {
	if s == nil {
		return true
	}
	_, ok := s[v]
	return ok
}

// filter is a scope as far as it speaks of devices.
type filter struct {
	region, city, id, kind, model, firmware, device set
}

func newFilter(s ops.Scope) *filter {
	return &filter{
		region: setOf(s.Region), city: setOf(s.City), id: setOf(s.Store), kind: setOf(s.Kind),
		model: setOf(s.Model), firmware: setOf(s.Firmware), device: setOf(s.Device),
	}
}

func (f *filter) store(st *site) bool {
	return f.region.has(st.Region) && f.city.has(st.City) && f.id.has(st.ID)
}

func (f *filter) make(v *view) bool {
	return f.kind.has(v.kind) && f.model.has(v.model) && f.firmware.has(v.firmware)
}

// named says whether a device is named, by its own name or as store/device.
func (f *filter) named(store, device string) bool {
	return f.device == nil || f.device.has(device) || f.device.has(store+"/"+device)
}

// Reach is how much of the fleet a scope covers, and how much of that is not well: degraded, late or offline.
type Reach struct {
	Stores, Devices             int
	StoresUnwell, DevicesUnwell int // a store is not well when one of its devices in the scope is not
}

// Affected says how much of the fleet a scope covers. Stores without devices count, unless the scope names devices.
func (s *Service) Affected(scope ops.Scope) Reach {
	s.mu.RLock()
	defer s.mu.RUnlock()
	in := newFilter(scope)
	devices := in.kind != nil || in.model != nil || in.firmware != nil || in.device != nil
	var out Reach
	for i := range s.t.stores {
		st := &s.t.stores[i]
		if !in.store(st) {
			continue
		}
		n := st.n
		if devices {
			n = s.tallyIn(st, in)
		}
		total, unwell := 0, int(n[ops.Degraded]+n[ops.Late]+n[ops.Offline])
		for state, c := range n {
			if ops.DeviceState(state) != ops.Retired {
				total += int(c)
			}
		}
		if total == 0 && devices {
			continue
		}
		out.Stores, out.Devices, out.DevicesUnwell = out.Stores+1, out.Devices+total, out.DevicesUnwell+unwell
		if unwell > 0 {
			out.StoresUnwell++
		}
	}
	return out
}

// tallyIn counts a store's devices that the filter lets through.
func (s *Service) tallyIn(st *site, in *filter) (n [states]int32) {
	for _, id := range st.rows {
		r := &s.t.rows[id]
		m := &s.t.makes[r.make]
		v := view{kind: s.t.kinds.all[m.kind], model: s.t.models.all[m.model], firmware: s.t.models.all[m.firmware]}
		if in.make(&v) && in.named(st.ID, s.t.names.all[r.name]) {
			n[r.state]++
		}
	}
	return n
}
