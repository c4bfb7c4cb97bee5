package fleet

import (
	"strings"
	"sync"
	"sync/atomic"

	"goc/ops"
)

// mk is what devices of one kind, model and firmware have in common. It is never changed; a reload makes new ones.
type mk struct {
	kind, model, firmware string
	kindInfo
}

// makes are all combinations of kind, model and firmware that ever came. Reading costs no lock.
type makes struct {
	all atomic.Pointer[[]mk] // its elements are never changed; a longer one replaces it

	mu    sync.Mutex
	ids   map[[3]string]uint32
	free  []uint32 // ids that no device has any more
	kinds map[string]kindInfo
	names map[string]string // one copy of each text
	info  func(kind string) kindInfo
}

// kindInfo is how often a kind beats, in ms, whether others hang on it, and the limits of its readings.
type kindInfo struct {
	interval, grace int64
	gateway         bool
	limits          *limits // nil: none
}

func newMakes(info func(string) kindInfo) *makes {
	m := &makes{ids: map[[3]string]uint32{}, kinds: map[string]kindInfo{}, names: map[string]string{}, info: info}
	m.all.Store(&[]mk{{}}) // 0 is that of cells whose own is forgotten; it is never handed out
	return m
}

func (m *makes) list() []mk { return *m.all.Load() }

// of returns the id of a combination; false when there are too many kinds or combinations. The texts have been checked.
func (m *makes) of(kind, model, firmware string) (uint32, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if id, ok := m.ids[[3]string{kind, model, firmware}]; ok {
		return id, true
	}
	info, known := m.kinds[kind]
	all := m.list()
	if !known && len(m.kinds) >= maxKinds || len(m.free) == 0 && len(all) > maxMakes {
		return 0, false
	}
	kind, model, firmware = m.keep(kind), m.keep(model), m.keep(firmware)
	if !known {
		info = m.info(kind)
		m.kinds[kind] = info
	}
	id := uint32(len(all))
	if n := len(m.free); n > 0 {
		id, m.free = m.free[n-1], m.free[:n-1]
		all[id] = mk{kind, model, firmware, info} // no cell has it, not even an empty one: see sweep
	} else {
		all = append(all, mk{kind, model, firmware, info})
		m.all.Store(&all)
	}
	m.ids[[3]string{kind, model, firmware}] = id
	return id, true
}

func (m *makes) keep(s string) string {
	if kept, ok := m.names[s]; ok {
		return kept
	}
	s = strings.Clone(s)
	m.names[s] = s
	return s
}

// refresh asks again how often each kind beats. All shards are locked.
func (m *makes) refresh() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for kind := range m.kinds {
		m.kinds[kind] = m.info(kind)
	}
	all := append([]mk(nil), m.list()...)
	for i := range all {
		all[i].kindInfo = m.kinds[all[i].kind]
	}
	m.all.Store(&all)
}

// sweep forgets the combinations that no device has any more, so that invented ones do not fill the table for ever. All
// shards are locked; used says which are in use.
func (m *makes) sweep(used func(id uint32) bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	kinds, names := map[string]kindInfo{}, map[string]string{}
	m.free = m.free[:0]
	for id, v := range m.list() {
		if id == 0 {
			continue
		}
		if !used(uint32(id)) {
			if k := [3]string{v.kind, v.model, v.firmware}; m.ids[k] == uint32(id) { // else it has come back under another id
				delete(m.ids, k)
			}
			m.free = append(m.free, uint32(id))
			continue
		}
		kinds[v.kind] = m.kinds[v.kind]
		for _, s := range []string{v.kind, v.model, v.firmware} {
			names[s] = s
		}
	}
	m.kinds, m.names = kinds, names
}

const states = 7

// tally counts devices by state.
type tally [states]int32

func (t *tally) add(s ops.DeviceState, d int32) { t[s] += d }

func (t *tally) sum(o *tally) {
	for i := range t {
		t[i] += o[i]
	}
}
