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

// values are those of the keys that a roll-up groups by, in their order.
type values [len(axes)]string

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
	by := q.GroupBy[:min(len(q.GroupBy), len(axes))]
	g := grouping{by: by, ids: map[[2]uint32]uint32{}}
	s.eachCell(q.Scope, func(st *site, m *mk, n *tally, siteNo, mkNo uint32) { g.add(st, m, n, siteNo, mkNo) })
	return g.groups(only), nil
}

// grouping sums cells by what they have in common. Texts are put together once for each store and once for each make
// that a cell has, not for each cell.
type grouping struct {
	by    []string
	sites interned // values that a store has
	makes interned // values that a make has
	ids   map[[2]uint32]uint32
	keys  []values
	sums  []tally
}

// interned numbers the different values of stores or makes.
type interned struct {
	of  map[uint32]uint32 // by the number of the store or make
	ids map[values]uint32
	all []values
}

func (in *interned) id(no uint32, make func() values) uint32 {
	if id, ok := in.of[no]; ok {
		return id
	}
	if in.of == nil {
		in.of, in.ids = map[uint32]uint32{}, map[values]uint32{}
	}
	v := make()
	id, ok := in.ids[v]
	if !ok {
		id = uint32(len(in.all))
		in.ids[v], in.all = id, append(in.all, v)
	}
	in.of[no] = id
	return id
}

func (g *grouping) add(st *site, m *mk, n *tally, siteNo, mkNo uint32) {
	a := g.sites.id(siteNo, func() (v values) {
		for i, k := range g.by {
			v[i] = st.axis(k)
		}
		return v
	})
	b := g.makes.id(mkNo, func() (v values) {
		for i, k := range g.by {
			v[i] = m.axis(k)
		}
		return v
	})
	id, ok := g.ids[[2]uint32{a, b}]
	if !ok {
		key := g.sites.all[a]
		for i, v := range g.makes.all[b] {
			if v != "" {
				key[i] = v
			}
		}
		id = uint32(len(g.keys))
		g.ids[[2]uint32{a, b}], g.keys, g.sums = id, append(g.keys, key), append(g.sums, tally{})
	}
	g.sums[id].sum(n)
}

// axis is the value of a roll-up's key that a store has; "" for one of devices.
func (st *site) axis(key string) string {
	switch key {
	case "city":
		return st.City
	case "region":
		return st.Region
	case "store":
		return st.ID
	case "network":
		return st.Network
	}
	return ""
}

func (m *mk) axis(key string) string {
	switch key {
	case "kind":
		return m.kind
	case "model":
		return m.model
	case "firmware":
		return m.firmware
	}
	return ""
}

// groups turns sums into rows in the order of their values; only, where not negative, is the one state that counts.
func (g *grouping) groups(only int) []ops.FleetGroup {
	rows := map[values]*tally{}
	state := slices.Index(g.by, "state")
	for i, key := range g.keys {
		for s, n := range g.sums[i] {
			if n == 0 || only >= 0 && only != s {
				continue
			}
			if state >= 0 {
				key[state] = ops.DeviceState(s).String()
			}
			if rows[key] == nil {
				rows[key] = new(tally)
			}
			rows[key][s] += n
		}
	}
	keys := make([]values, 0, len(rows))
	for k := range rows {
		keys = append(keys, k)
	}
	sort.Slice(keys, func(i, j int) bool { return slices.Compare(keys[i][:], keys[j][:]) < 0 })
	out := make([]ops.FleetGroup, 0, len(keys))
	for _, k := range keys {
		out = append(out, g.group(k, rows[k]))
	}
	return out
}

func (g *grouping) group(key values, n *tally) ops.FleetGroup {
	out := ops.FleetGroup{Group: map[string]string{}, States: map[string]int{}}
	for i, name := range g.by {
		out.Group[name] = key[i]
	}
	for state, c := range n {
		if c > 0 {
			out.States[ops.DeviceState(state).String()] = int(c)
			out.Total += int(c)
		}
	}
	return out
}

// eachCell calls fn with every count of devices that a scope lets through, under the lock of its shard, with numbers
// for the store and the make. A scope that names devices goes through the devices of its stores one by one.
func (s *Service) eachCell(scope ops.Scope, fn func(st *site, m *mk, n *tally, siteNo, mkNo uint32)) {
	in := newFilter(scope)
	fits := map[uint32]bool{}
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.RLock()
		makes := s.makes.list()
		for j := range sh.sites {
			st := &sh.sites[j]
			if !in.store(st) {
				continue
			}
			for _, c := range st.cells {
				c := sh.cells.at(c)
				ok, known := fits[c.mk]
				if !known {
					ok = in.make(&makes[c.mk])
					fits[c.mk] = ok
				}
				if !ok {
					continue
				}
				n := c.n
				if in.device != nil {
					n = sh.named(st, c.mk, in)
				}
				if n != (tally{}) {
					fn(st, &makes[c.mk], &n, uint32(j*shardCount+i), c.mk)
				}
			}
		}
		sh.mu.RUnlock()
	}
}

// named counts the devices of a make in a store that the filter names.
func (s *shard) named(st *site, mk uint32, in *filter) (n tally) {
	st.each(func(id uint32) {
		r := s.rows.at(id)
		if s.cells.at(r.cell).mk == mk && in.named(st.ID, s.names.at(r.name)) {
			n[r.state]++
		}
	})
	return n
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

func (f *filter) make(m *mk) bool {
	return f.kind.has(m.kind) && f.model.has(m.model) && f.firmware.has(m.firmware)
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
func (s *Service) Affected(scope ops.Scope) (out Reach) {
	in := newFilter(scope)
	if in.kind == nil && in.model == nil && in.firmware == nil && in.device == nil {
		s.eachSite(func(_ *shard, st *site) {
			if in.store(st) {
				out.add(&st.n)
			}
		})
		return out
	}
	byStore := map[uint32]*tally{}
	s.eachCell(scope, func(_ *site, _ *mk, n *tally, no, _ uint32) {
		if byStore[no] == nil {
			byStore[no] = new(tally)
		}
		byStore[no].sum(n)
	})
	for _, n := range byStore {
		if n.total() > 0 {
			out.add(n)
		}
	}
	return out
}

// total counts the devices that are not retired.
func (t *tally) total() (n int) {
	for state, c := range t {
		if ops.DeviceState(state) != ops.Retired {
			n += int(c)
		}
	}
	return n
}

// unwell counts the devices that are degraded, late or offline.
func (t *tally) unwell() int { return int(t[ops.Degraded] + t[ops.Late] + t[ops.Offline]) }

func (r *Reach) add(n *tally) {
	unwell := n.unwell()
	r.Stores, r.Devices, r.DevicesUnwell = r.Stores+1, r.Devices+n.total(), r.DevicesUnwell+unwell
	if unwell > 0 {
		r.StoresUnwell++
	}
}

// eachSite calls fn for every store, under the lock of its shard.
func (s *Service) eachSite(fn func(*shard, *site)) {
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.RLock()
		for j := range sh.sites {
			fn(sh, &sh.sites[j])
		}
		sh.mu.RUnlock()
	}
}
