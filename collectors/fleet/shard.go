package fleet

import (
	"hash/maphash"
	"strings"
	"sync"

	"goc/ops"
)

// The table is kept in shards, by store: all that concerns one store is under one lock. A batch locks the shards that it
// speaks of in their order, so that what it changes is one mutation and no two batches wait for each other.
const shardCount = 16

// shard is a part of the fleet. mu guards it.
type shard struct {
	mu sync.RWMutex

	rows   slab[row]
	names  arena
	blocks blocks // of the sites' tables
	cells  slab[cell]
	sites  []site
	index  map[string]uint32 // site by id
	notes  map[uint32]string // of the few devices that say something
	gauge  tracks            // of those that send readings
	total  tally

	past   past
	flaps  map[uint32]flap   // links of devices that come and go
	gates  map[uint32]*gate  // links of stores that were down of late, by site
	quiet  map[uint32]bool   // rows that changed as part of flapping; true: and are not on disk
	clocks map[uint32]*drift // those that are wrong, or may be

	wheel     wheel
	firstTick int64 // row.hung counts from here

	touched []uint32     // rows whose state changed since the wall last told
	place   slab[uint32] // cell of the wall by row, made with a layout
	remake  bool         // the wall's layout is out of date
	last    *ops.Receipt // of the latest mutation that holds something of this shard
}

// cell counts the devices of one make in one store. Every roll-up and filter is a sum over cells: there are as many as a
// store has kinds of device, not as many as it has devices.
type cell struct {
	site, mk uint32
	n        tally
	old      uint32 // not well for so long that it is nothing new, see age
	shown    uint8  // a bit for each state that a scrape has once seen above zero
}

const noCell = ^uint32(0)

// site is one store with its devices.
type site struct {
	ops.Store
	hours   *ops.Hours
	isOpen  bool
	stale   bool  // some row's last-seen is newer than on disk
	opened  int64 // when it last opened; 0 when it never closes
	flip    int64 // when its hours change next, 0 never
	trouble int64 // when a scrape last found many of its devices unwell, Unix ms; 0 never
	n       tally
	cells   []uint32 // one for each make
	table   []uint32 // its rows by name: open addressing, a power of two; see slot
	count   uint32   // rows in table
	order   uint32   // among the stores of the wall
	offset  uint32   // of its cells on the wall
}

func (s *shard) init(tick int64) {
	s.index, s.notes = map[string]uint32{}, map[uint32]string{}
	s.flaps, s.gates = map[uint32]flap{}, map[uint32]*gate{}
	s.quiet, s.clocks = map[uint32]bool{}, map[uint32]*drift{}
	s.wheel.now, s.firstTick = tick, tick-1
}

// A slot of a site's table holds a row plus one, and above it eight bits of the name's hash, so that most rows that are
// not meant are not looked at.
const slotRow = 1<<24 - 1

var seed = maphash.MakeSeed()

func hashOf(s string) uint64 { return maphash.String(seed, s) }

// find returns the row of a device in a site.
func (s *shard) find(st *site, device string) (uint32, bool) {
	if st.count == 0 {
		return 0, false
	}
	h, mask := hashOf(device), uint32(len(st.table)-1)
	for i := uint32(h) & mask; ; i = (i + 1) & mask {
		v := st.table[i]
		if v == 0 {
			return 0, false
		}
		if v>>24 == uint32(h>>56) {
			if id := v&slotRow - 1; s.names.at(s.rows.at(id).name) == device {
				return id, true
			}
		}
	}
}

// enter puts a row into its site's table.
func (s *shard) enter(st *site, id uint32) {
	if 4*st.count >= 3*uint32(len(st.table)) {
		old := st.table
		st.table = s.blocks.get(uint32(max(4, 2*len(old))), s)
		for _, v := range old {
			if v != 0 {
				st.slot(s.nameOf(v&slotRow-1), v&slotRow)
			}
		}
		s.blocks.put(old)
	}
	st.slot(s.nameOf(id), id+1)
	st.count++
}

func (st *site) slot(name string, row uint32) {
	h, mask := hashOf(name), uint32(len(st.table)-1)
	i := uint32(h) & mask
	for ; st.table[i] != 0; i = (i + 1) & mask {
	}
	st.table[i] = row | uint32(h>>56)<<24
}

// each calls fn for every row of a site, in no order.
func (st *site) each(fn func(id uint32)) {
	for _, v := range st.table {
		if v != 0 {
			fn(v&slotRow - 1)
		}
	}
}

func (s *shard) nameOf(id uint32) string { return s.names.at(s.rows.at(id).name) }

func (s *shard) siteOf(id uint32) *site { return &s.sites[s.cells.at(s.rows.at(id).cell).site] }

// id writes store/device.
func (s *shard) id(id uint32) string { return s.siteOf(id).ID + "/" + s.nameOf(id) }

// addSite makes room for a store.
func (s *shard) addSite(st ops.Store, order uint32) *site {
	id := uint32(len(s.sites))
	st.ID = strings.Clone(st.ID)
	s.sites = append(s.sites, site{Store: st, isOpen: true, order: order})
	s.index[st.ID] = id
	s.remake = true
	return &s.sites[id]
}

// add makes a row in state never_seen. The caller has checked the bounds.
func (s *shard) add(site uint32, device string, mk uint32) uint32 {
	id := s.rows.add(row{name: s.names.add(device), cell: s.cellOf(site, mk), battery: noBattery}, s)
	s.enter(&s.sites[site], id)
	s.count(id, 1)
	s.remake = true
	return id
}

// cellOf returns the cell of a make in a site. One that has become empty is used again, so that a store has no more of
// them than devices, whatever its devices call themselves.
func (s *shard) cellOf(site, mk uint32) uint32 {
	st, empty := &s.sites[site], noCell
	for _, c := range st.cells {
		if s.cells.at(c).mk == mk {
			return c
		}
		if s.cells.at(c).n == (tally{}) {
			empty = c
		}
	}
	if empty != noCell {
		*s.cells.at(empty) = cell{site: site, mk: mk}
		return empty
	}
	id := s.cells.add(cell{site: site, mk: mk}, s)
	st.cells = append(st.cells, id)
	return id
}

// count adds a row to, or takes it from, every tally that it is in.
func (s *shard) count(id uint32, d int32) {
	r := s.rows.at(id)
	c := s.cells.at(r.cell)
	c.n.add(r.state, d)
	s.sites[c.site].n.add(r.state, d)
	s.total.add(r.state, d)
}

// move sets the state of a row.
func (s *shard) move(id uint32, to ops.DeviceState, now int64) {
	s.count(id, -1)
	r := s.rows.at(id)
	r.state, r.since = to, now
	s.count(id, 1)
	if r.flags&touched == 0 {
		r.flags |= touched
		s.touched = append(s.touched, id)
	}
	if to == ops.Retired {
		s.remake = true
	}
}

// remodel sets the make of a row.
func (s *shard) remodel(id, mk uint32) {
	s.count(id, -1)
	r := s.rows.at(id)
	r.cell = s.cellOf(s.cells.at(r.cell).site, mk)
	s.count(id, 1)
}

// note keeps what a device says in words, or forgets it.
func (s *shard) note(id uint32, text string) {
	switch {
	case text == "":
		delete(s.notes, id)
	case s.notes[id] != text:
		s.notes[id] = strings.Clone(text)
	}
}
