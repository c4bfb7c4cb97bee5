package suspects

import (
	"cmp"
	"slices"
	"time"

	"goc/ops"
)

// MaxChanges bounds the changes that an index remembers; beyond it those that moved longest ago are forgotten.
const MaxChanges = 200_000

// Index finds the changes that can matter to an incident without looking at all of them, and ranks them. Names are
// numbers in it, places are sets of numbers, and each service, store, city, region and kind of device has its list of
// the changes that touch it, by kind of change and in the order of their last moves. It is not safe for concurrent use.
type Index struct {
	byID  map[string]uint32 // change → slot
	slots []profile
	facts []facts // of the same slots
	free  []uint32
	lists map[key]*list
	all   []entry // every change, in the order of their last moves
	names [nameAxes]names
	kinds kinds
	atlas atlas
	notes scratch
}

// key names one list of an index.
type key struct {
	axis uint8
	id   uint32
}

// entry is a change on a list.
type entry struct {
	at   int64 // its last move, Unix nanoseconds
	slot uint32
}

// list is the changes that touch one thing, by kind of change.
type list struct {
	kinds []uint8
	of    [][]entry // of the same kinds, in the order of their last moves
}

// NewIndex makes an empty index.
func NewIndex() *Index {
	x := &Index{byID: map[string]uint32{}, lists: map[key]*list{}}
	for _, k := range ops.ChangeKinds {
		x.kind(k)
	}
	return x
}

// Change finds a change by id. It must not be modified.
func (x *Index) Change(id string) (*ops.Change, bool) {
	slot, ok := x.byID[id]
	if !ok {
		return nil, false
	}
	return x.whole(&x.slots[slot]), true
}

// Len is the number of changes on record.
func (x *Index) Len() int { return len(x.byID) }

// Put records a change or its newer version. The index keeps c as it is: the caller must not change it afterwards.
func (x *Index) Put(c ops.Change) {
	if x.put(c); len(x.all) > MaxChanges {
		x.forget(MaxChanges / 50)
	}
}

func (x *Index) put(c ops.Change) {
	slot, known := x.byID[c.ID]
	if known {
		x.unlist(slot)
	} else {
		slot = x.open()
		x.byID[c.ID] = slot
	}
	x.slots[slot], x.facts[slot] = x.profileOf(&c)
	p := &x.slots[slot]
	e := entry{p.at, slot}
	x.all = x.insert(x.all, e)
	for _, k := range p.keys {
		l := x.lists[k]
		if l == nil {
			l = &list{}
			x.lists[k] = l
		}
		of := l.kind(x.facts[slot].kind)
		*of = x.insert(*of, e)
	}
}

// open makes room for a change.
func (x *Index) open() uint32 {
	if n := len(x.free); n > 0 {
		slot := x.free[n-1]
		x.free = x.free[:n-1]
		return slot
	}
	x.slots, x.facts = append(x.slots, profile{}), append(x.facts, facts{})
	x.notes.grow(len(x.slots))
	return uint32(len(x.slots) - 1)
}

// unlist takes a change off every list.
func (x *Index) unlist(slot uint32) {
	p := &x.slots[slot]
	e := entry{p.at, slot}
	x.all = x.drop(x.all, e)
	for _, k := range p.keys {
		l := x.lists[k]
		of := l.kind(x.facts[slot].kind)
		if *of = x.drop(*of, e); l.empty() {
			delete(x.lists, k)
		}
	}
}

// forget drops the n changes that moved longest ago, all at once so that a full index costs no more than one that is not.
func (x *Index) forget(n int) {
	gone := make(map[uint32]bool, n)
	touched := map[key]bool{}
	for _, e := range x.all[:n] {
		gone[e.slot] = true
		for _, k := range x.slots[e.slot].keys {
			touched[k] = true
		}
		delete(x.byID, x.slots[e.slot].ID)
	}
	for k := range touched {
		l := x.lists[k]
		for i := range l.of {
			l.of[i] = slices.DeleteFunc(l.of[i], func(e entry) bool { return gone[e.slot] })
		}
		if l.empty() {
			delete(x.lists, k)
		}
	}
	for _, e := range x.all[:n] {
		x.slots[e.slot], x.facts[e.slot] = profile{}, facts{}
		x.free = append(x.free, e.slot)
	}
	x.all = append(x.all[:0], x.all[n:]...)
}

// kind is the entries of one kind of change.
func (l *list) kind(k uint8) *[]entry {
	i := slices.Index(l.kinds, k)
	if i < 0 {
		i = len(l.kinds)
		l.kinds, l.of = append(l.kinds, k), append(l.of, nil)
	}
	return &l.of[i]
}

func (l *list) empty() bool {
	for _, of := range l.of {
		if len(of) > 0 {
			return false
		}
	}
	return true
}

// order is by time, then by id, so that it does not depend on who was recorded first.
func (x *Index) order(a, b entry) int {
	if c := cmp.Compare(a.at, b.at); c != 0 || a.slot == b.slot {
		return c
	}
	return cmp.Compare(x.slots[a.slot].ID, x.slots[b.slot].ID)
}

func (x *Index) insert(list []entry, e entry) []entry {
	if n := len(list); n == 0 || x.order(list[n-1], e) < 0 { // nearly always
		return append(list, e)
	}
	i, _ := slices.BinarySearchFunc(list, e, x.order)
	return slices.Insert(list, i, e)
}

func (x *Index) drop(list []entry, e entry) []entry {
	if i, ok := slices.BinarySearchFunc(list, e, x.order); ok {
		return slices.Delete(list, i, i+1)
	}
	return list
}

// keysOf names the lists that a change stands on: of each service that it touches; of its stores, or else its cities,
// or else its regions; of its firmware, or else its model, or else its kind of device. One that names more stores than
// that stands on the list of those, and what names neither a service nor a place could touch anything.
func (x *Index) keysOf(p *profile) []key {
	if movesOf(p.Change) == 0 {
		return nil // what has not begun has broken nothing
	}
	var out []key
	wide := true
	add := func(axis int, s *set) {
		for id := range s.each {
			out = append(out, key{uint8(axis), id})
		}
	}
	services := x.servicesOf(p)
	if services.size() > 0 && services.size() <= maxFew {
		add(byService, services)
		wide = false
	}
	switch {
	case p.places[byStore].size() > maxFew:
		out, wide = append(out, key{axis: byMany}), false
	case p.places[byStore] != nil:
		add(byStore, p.places[byStore])
		wide = false
	case p.places[byCity].size() > 0 && p.places[byCity].size() <= maxFew:
		add(byCity, p.places[byCity])
		wide = false
	}
	if wide {
		out = append(out, key{axis: byAny})
	}
	return out
}

// servicesOf are the services that the change touches.
func (x *Index) servicesOf(p *profile) *set {
	s := x.touched(p, byService, "service")
	if s == nil && p.Service != "" {
		s = &set{}
		s.add(x.names[byService].id(p.Service))
	}
	return s
}

// LastMove is when c last did something: its newest stage, else its start; for one that is only planned, its record.
func LastMove(c *ops.Change) time.Time {
	at := c.StartedAt.Time
	for _, s := range c.Stages {
		if s.StartedAt.After(at) {
			at = s.StartedAt.Time
		}
	}
	if at.IsZero() {
		return c.CreatedAt.Time
	}
	return at
}

// Since lists the changes that moved since a time, newest first, at most limit.
func (x *Index) Since(since time.Time, limit int) []*ops.Change {
	var out []*ops.Change
	for i := len(x.all) - 1; i >= 0 && len(out) < limit && x.all[i].at >= nanos(since); i-- {
		out = append(out, x.whole(&x.slots[x.all[i].slot]))
	}
	return out
}
