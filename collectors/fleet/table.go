package fleet

import (
	"strings"

	"goc/ops"
)

const states = 7

// row is one device. It holds no pointer, so that a million of them cost the collector nothing. Times are Unix ms.
type row struct {
	store, name uint32 // into stores, names
	group, make uint32 // into groups, makes
	cell        uint32 // on the wall; noCell until the next layout
	battery     float32
	state       ops.DeviceState
	status      status
	touched     bool // in table.touched
	stale       bool // last-seen is newer than on disk
	since       int64
	seen        int64
	at          int64 // the device's own time of what it last said
	hung        int64 // the wheel's tick at which it comes up
}

const (
	noCell    = ^uint32(0)
	noBattery = -1
)

// status is what a device says of itself.
type status uint8

var statuses = [...]string{"ok", "degraded", "fault"}

func (s status) String() string { return statuses[s] }

// tally counts devices by state; shown has a bit for each state that a scrape has once seen above zero.
type tally struct {
	n     [states]int32
	shown uint8
}

func (t *tally) add(s ops.DeviceState, d int32) { t.n[s] += d }

// group is the devices of one kind in one store.
type group struct {
	store, kind uint32
	tally
}

// mk is the devices of one kind, model and firmware.
type mk struct {
	kind, model, firmware uint32
	tally
}

// names interns strings.
type names struct {
	ids map[string]uint32
	all []string
}

func (n *names) id(s string) uint32 {
	if id, ok := n.ids[s]; ok {
		return id
	}
	if n.ids == nil {
		n.ids = map[string]uint32{}
	}
	s = strings.Clone(s)
	id := uint32(len(n.all))
	n.ids[s], n.all = id, append(n.all, s)
	return id
}

// kindInfo is how often a kind beats, in ms.
type kindInfo struct {
	interval, grace int64
}

// site is one store with its devices.
type site struct {
	ops.Store
	hours  hours
	isOpen bool
	opened int64 // when it last opened; 0 when it never closes
	flip   int64 // when its hours change next, 0 never
	rows   []int32
	mixed  bool // rows are not in the order of names
	stale  bool // some row's last-seen is newer than on disk
	tally
}

// table is the fleet in memory. The Service's lock guards it.
type table struct {
	rows    []row
	index   map[uint64]int32 // store<<32 | name
	names   names
	stores  []site
	storeID map[string]uint32
	kinds   names
	kind    []kindInfo // by kinds' ids
	models  names      // models and firmwares share one
	groups  []group
	groupID map[uint64]uint32 // store<<32 | kind
	makes   []mk
	makeID  map[[3]uint32]uint32
	notes   map[int32]string // of the few devices that say something
	total   tally

	touched []int32 // rows whose state changed since the wall last told
	remake  bool    // the wall's layout is out of date
}

func newTable() table {
	return table{index: map[uint64]int32{}, storeID: map[string]uint32{}, groupID: map[uint64]uint32{}, makeID: map[[3]uint32]uint32{}, notes: map[int32]string{}}
}

// find returns the id of a device.
func (t *table) find(store, device string) (int32, bool) {
	st, ok := t.storeID[store]
	if !ok {
		return 0, false
	}
	name, ok := t.names.ids[device]
	if !ok {
		return 0, false
	}
	id, ok := t.index[uint64(st)<<32|uint64(name)]
	return id, ok
}

// add makes a row in state never_seen. The caller has checked the bounds.
func (t *table) add(store uint32, device string, make uint32) int32 {
	id := int32(len(t.rows))
	name := t.names.id(device)
	r := row{store: store, name: name, make: make, group: t.groupOf(store, t.makes[make].kind), cell: noCell, battery: noBattery}
	t.rows = append(t.rows, r)
	t.index[uint64(store)<<32|uint64(name)] = id
	st := &t.stores[store]
	st.rows, st.mixed = append(st.rows, id), true
	t.count(id, 1)
	t.remake = true
	return id
}

// count adds a row to, or takes it from, every tally that it is in.
func (t *table) count(id, d int32) {
	r := &t.rows[id]
	t.groups[r.group].add(r.state, d)
	t.makes[r.make].add(r.state, d)
	t.stores[r.store].add(r.state, d)
	t.total.add(r.state, d)
}

// move sets the state of a row.
func (t *table) move(id int32, to ops.DeviceState, now int64) {
	t.count(id, -1)
	r := &t.rows[id]
	r.state, r.since = to, now
	t.count(id, 1)
	if !r.touched {
		r.touched = true
		t.touched = append(t.touched, id)
	}
	if to == ops.Retired {
		t.remake = true
	}
}

// remodel sets the make of a row.
func (t *table) remodel(id int32, make uint32) {
	t.count(id, -1)
	r := &t.rows[id]
	r.make, r.group = make, t.groupOf(r.store, t.makes[make].kind)
	t.count(id, 1)
}

func (t *table) groupOf(store, kind uint32) uint32 {
	key := uint64(store)<<32 | uint64(kind)
	id, ok := t.groupID[key]
	if !ok {
		id = uint32(len(t.groups))
		t.groupID[key], t.groups = id, append(t.groups, group{store: store, kind: kind})
	}
	return id
}

// makeOf interns a combination; false when there are too many kinds or combinations.
func (t *table) makeOf(kind, model, firmware string, info func(string) kindInfo) (uint32, bool) {
	k, known := t.kinds.ids[kind]
	if !known {
		if len(t.kinds.all) >= maxKinds {
			return 0, false
		}
		k = t.kinds.id(kind)
		t.kind = append(t.kind, info(kind))
	}
	m, ok1 := t.models.ids[model]
	f, ok2 := t.models.ids[firmware]
	if id, ok := t.makeID[[3]uint32{k, m, f}]; ok && ok1 && ok2 {
		return id, true
	}
	if len(t.makes) >= maxMakes {
		return 0, false
	}
	m, f = t.models.id(model), t.models.id(firmware)
	id := uint32(len(t.makes))
	t.makeID[[3]uint32{k, m, f}], t.makes = id, append(t.makes, mk{kind: k, model: m, firmware: f})
	return id, true
}

// id writes store/device.
func (t *table) id(id int32) string {
	r := &t.rows[id]
	return t.stores[r.store].ID + "/" + t.names.all[r.name]
}
