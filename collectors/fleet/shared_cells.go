package fleet

import (
	"slices"
	"sort"

	"goc/collectors/fleet/explain"
	"goc/ops"
)

// ledger is the fleet as the localiser reads it: the cells of all shards in one row, with what they have in common as
// codes. It is made when something is wrong, and anew when the cells, the catalog or the recent changes are others.
type ledger struct {
	shape  shape
	index  *explain.Index
	axes   []explain.Axis
	counts explain.Counts
	poorly []uint32            // per cell, of the affected, those that are degraded
	from   [shardCount + 1]int // of each shard's cells
	made   int64               // Unix ms
}

// shape is what a ledger depends on; another shape needs another ledger.
type shape struct {
	cells, sites uint32
	catalog      *ops.Catalog
	makes        int
	changes      uint64
}

// The axes of a fleet, in their order; each recent change is one more.
const (
	axStore = iota
	axCity
	axRegion
	axNetwork
	axKind
	axModel
	axFirmware
	axChange
)

// coder numbers the values of an axis; 0 is "", which is never a cause.
type coder struct {
	explain.Axis
	ids map[string]uint32
}

func newCoder(name string, cells int, above ...int) *coder {
	return &coder{explain.Axis{Name: name, Values: []string{""}, Code: make([]uint32, 0, cells), Above: above}, map[string]uint32{"": 0}}
}

func (c *coder) add(v string) {
	id, ok := c.ids[v]
	if !ok {
		id = uint32(len(c.Values))
		c.ids[v], c.Values = id, append(c.Values, v)
	}
	c.Code = append(c.Code, id)
}

// shapeNow is what a ledger made now would depend on.
func (s *Service) shapeNow() (now shape) {
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.RLock()
		now.cells += sh.cells.n
		now.sites += uint32(len(sh.sites))
		now.catalog = s.catalog
		sh.mu.RUnlock()
	}
	now.makes = len(s.makes.list())
	s.shared.mu.Lock()
	now.changes = s.shared.changed
	s.shared.mu.Unlock()
	return now
}

// newLedger codes every cell. Cells that are used again for another make between two ledgers are counted under the old
// one until then: that is rare, and a ledger does not live long.
func (s *Service) newLedger(now int64, changes []*ops.Change) (*ledger, error) {
	l := &ledger{made: now, shape: s.shapeNow()}
	axes := []*coder{
		axStore:    newCoder("store", int(l.shape.cells), axCity, axRegion, axNetwork),
		axCity:     newCoder("city", int(l.shape.cells), axRegion),
		axRegion:   newCoder("region", int(l.shape.cells)),
		axNetwork:  newCoder("network", int(l.shape.cells)),
		axKind:     newCoder("kind", int(l.shape.cells)),
		axModel:    newCoder("model", int(l.shape.cells)),
		axFirmware: newCoder("firmware", int(l.shape.cells)),
	}
	for _, c := range changes {
		a := newCoder("change", int(l.shape.cells))
		a.Values = append(a.Values, c.ID)
		axes = append(axes, a)
	}
	for i := range s.shards {
		l.from[i+1] = l.from[i] + s.code(&s.shards[i], axes, changes)
	}
	for _, a := range axes {
		l.axes = append(l.axes, a.Axis)
	}
	n := l.from[shardCount]
	l.counts = explain.Counts{Affected: make([]uint32, n), Total: make([]uint32, n), Normal: make([]float64, n)}
	l.poorly = make([]uint32, n)
	var err error
	l.index, err = explain.NewIndex(l.axes, n)
	return l, err
}

// code adds the cells of a shard to every axis, and returns how many they are.
func (s *Service) code(sh *shard, axes []*coder, changes []*ops.Change) int {
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	makes := s.makes.list()
	for i := range sh.cells.n {
		c := sh.cells.at(i)
		st, m := &sh.sites[c.site], &makes[c.mk]
		for ax, v := range [...]string{axStore: st.ID, axCity: st.City, axRegion: st.Region, axNetwork: st.Network, axKind: m.kind, axModel: m.model, axFirmware: m.firmware} {
			axes[ax].add(v)
		}
		for j, change := range changes {
			code := uint32(0)
			if touches(change, st, m) {
				code = 1
			}
			axes[axChange+j].Code = append(axes[axChange+j].Code, code)
		}
	}
	return int(sh.cells.n)
}

// touches says whether a change went to the devices of a cell.
func touches(c *ops.Change, st *site, m *mk) bool {
	has := func(of []string, v string) bool { return len(of) == 0 || slices.Contains(of, v) }
	sc := c.Scope
	return has(sc.Store, st.ID) && has(sc.City, st.City) && has(sc.Region, st.Region) &&
		has(sc.Kind, m.kind) && has(sc.Model, m.model) && has(sc.Firmware, m.firmware)
}

// aboutDevices says whether a change may be what devices have in common: it names stores or devices, and not only a
// make, which is an attribute anyway.
func aboutDevices(c *ops.Change) bool {
	sc := c.Scope
	return len(sc.Device) == 0 && len(sc.Service) == 0 && len(sc.Store)+len(sc.City)+len(sc.Region) > 0 &&
		(len(sc.Store)+len(sc.City)+len(sc.Region) > 1 || len(sc.Kind)+len(sc.Model)+len(sc.Firmware) > 0)
}

// count writes the counts of now into the ledger, with the normal shares when old is given, and returns how many are
// affected beyond the normal.
func (l *ledger) count(s *Service) (excess float64) {
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.RLock()
		from, n := l.from[i], min(int(sh.cells.n), l.from[i+1]-l.from[i])
		for j := range n {
			c := sh.cells.at(uint32(j))
			bad := uint32(max(0, c.n[ops.Degraded]+c.n[ops.Offline]))
			all := bad + uint32(max(0, c.n[ops.Online]+c.n[ops.Late]))
			l.poorly[from+j] = uint32(max(0, c.n[ops.Degraded]))
			l.counts.Affected[from+j], l.counts.Total[from+j] = bad, all
			normal := 0.0
			if all > 0 {
				normal = min(float64(c.old)/float64(all), 1)
			}
			l.counts.Normal[from+j] = normal
			excess += max(0, float64(bad)-float64(c.old))
		}
		sh.mu.RUnlock()
	}
	return excess
}

// measure counts a set, and the stores in which it is.
func (l *ledger) measure(s *Service, scope map[string][]string) (c counted) {
	c.cells = l.cellsOf(scope)
	byStore := map[uint32]uint64{}
	for _, i := range c.cells {
		c.affected += uint64(l.counts.Affected[i])
		c.degraded += uint64(l.poorly[i])
		c.total += uint64(l.counts.Total[i])
		c.normal += l.counts.Normal[i] * float64(l.counts.Total[i])
		if n := l.counts.Affected[i]; n > 0 {
			byStore[l.axes[axStore].Code[i]] += uint64(n)
		}
	}
	c.children.stores = len(byStore)
	codes := make([]uint32, 0, len(byStore))
	for code := range byStore {
		codes = append(codes, code)
	}
	sort.Slice(codes, func(i, j int) bool {
		a, b := codes[i], codes[j]
		if byStore[a] != byStore[b] {
			return byStore[a] > byStore[b]
		}
		return l.axes[axStore].Values[a] < l.axes[axStore].Values[b]
	})
	for _, code := range codes[:min(len(codes), maxChildren)] {
		store := l.axes[axStore].Values[code]
		c.children.names = append(c.children.names, store)
		c.children.silent = append(c.children.silent, s.silentGateways(store)...)
	}
	return c
}

// outside counts what lies in none of the causes that are told.
func (l *ledger) outside(causes []*cause) (out share) {
	in := make([]bool, len(l.counts.Total))
	for _, c := range causes {
		for _, i := range c.cells {
			in[i] = in[i] || c.Told
		}
	}
	for i, n := range l.counts.Total {
		if !in[i] {
			out.affected, out.total = out.affected+uint64(l.counts.Affected[i]), out.total+uint64(n)
		}
	}
	return out
}

// cellsOf lists the cells of a scope that a cause has.
func (l *ledger) cellsOf(scope map[string][]string) (out []uint32) {
	type want struct {
		code []uint32
		id   uint32
	}
	var wants []want
	for k, v := range scope {
		for _, value := range v {
			found := false
			for _, a := range l.axes {
				if a.Name != k {
					continue
				}
				if id := slices.Index(a.Values, value); id > 0 {
					wants, found = append(wants, want{a.Code, uint32(id)}), true
				}
			}
			if !found {
				return nil
			}
		}
	}
	for i := range l.counts.Total {
		fits := true
		for _, w := range wants {
			fits = fits && w.code[i] == w.id
		}
		if fits {
			out = append(out, uint32(i))
		}
	}
	return out
}

// silentGateways lists the gateways of a store that are offline: devices of a kind that the catalog calls one.
func (s *Service) silentGateways(store string) (out []string) {
	sh := &s.shards[shardOf(store)]
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	site, ok := sh.index[store]
	if !ok {
		return nil
	}
	makes := s.makes.list()
	st := &sh.sites[site]
	gateways := map[uint32]bool{}
	for _, id := range st.cells {
		if c := sh.cells.at(id); c.n[ops.Offline] > 0 && makes[c.mk].gateway {
			gateways[id] = true
		}
	}
	if len(gateways) == 0 {
		return nil
	}
	st.each(func(id uint32) {
		if r := sh.rows.at(id); gateways[r.cell] && r.state == ops.Offline {
			out = append(out, sh.id(id))
		}
	})
	slices.Sort(out)
	return out
}

// age says of each cell how many of its devices have not been well for so long that it is nothing new; devices within a
// cause that is told count from before it began, so that it does not become normal while it lasts.
func (s *Service) age(now int64, causes []*cause) {
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		old := make([]uint32, sh.cells.n)
		before := s.cutoffs(sh, now, causes)
		for id := range sh.rows.n {
			r := sh.rows.at(id)
			if (r.state == ops.Offline || r.state == ops.Degraded) && r.since < before[r.cell] {
				old[r.cell]++
			}
		}
		for c := range old {
			sh.cells.at(uint32(c)).old = old[c]
		}
		sh.mu.Unlock()
	}
}

// cutoffs says for each cell of a shard since when its devices must have been unwell to be nothing new.
func (s *Service) cutoffs(sh *shard, now int64, causes []*cause) []int64 {
	out := make([]int64, sh.cells.n)
	makes := s.makes.list()
	for c := range out {
		out[c] = now - oldAfter.Milliseconds()
		cell := sh.cells.at(uint32(c))
		for _, cause := range causes {
			if cause.Told && s.covers(cause.Scope, &sh.sites[cell.site], &makes[cell.mk]) {
				out[c] = min(out[c], cause.Since-oldAfter.Milliseconds())
			}
		}
	}
	return out
}

// covers says whether a scope that a cause has lets a cell through.
func (s *Service) covers(scope map[string][]string, st *site, m *mk) bool {
	for k, v := range scope {
		have := st.axis(k) + m.axis(k)
		if k == "change" {
			if c := s.shared.change(v[0]); c == nil || !touches(c, st, m) {
				return false
			}
		} else if !slices.Contains(v, have) {
			return false
		}
	}
	return true
}
