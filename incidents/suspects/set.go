package suspects

import (
	"math/bits"
	"slices"
)

// names gives each name a small number, in the order in which they were first seen. Names are never forgotten: they are
// those of services, stores and places, of which a chain has thousands.
type names struct {
	ids  map[string]uint32
	list []string
}

// id is the number of a name, which is new when it was not seen before.
func (n *names) id(name string) uint32 {
	if id, ok := n.ids[name]; ok {
		return id
	}
	if n.ids == nil {
		n.ids = map[string]uint32{}
	}
	id := uint32(len(n.list))
	n.ids[name], n.list = id, append(n.list, name)
	return id
}

// find is the number of a name that was seen before.
func (n *names) find(name string) (uint32, bool) {
	id, ok := n.ids[name]
	return id, ok
}

// maxFew is how many members a set holds as a list; four bytes each, they take no more room than a bitmap of a
// thousand names.
const maxFew = 32

// set is a set of numbers: a sorted list of the few, or a bitmap of the many. The nil set is empty.
type set struct {
	few  []uint32
	bits []uint64
	n    int
}

func (s *set) size() int {
	if s == nil {
		return 0
	}
	return s.n
}

func (s *set) has(id uint32) bool {
	switch {
	case s == nil:
		return false
	case s.bits != nil:
		return int(id>>6) < len(s.bits) && s.bits[id>>6]&(1<<(id&63)) != 0
	case len(s.few) == 1:
		return s.few[0] == id
	}
	_, ok := slices.BinarySearch(s.few, id)
	return ok
}

// add puts a number in; the set becomes a bitmap when it outgrows a list.
func (s *set) add(id uint32) {
	if s.bits == nil {
		i, ok := slices.BinarySearch(s.few, id)
		if ok {
			return
		}
		if len(s.few) < maxFew {
			s.few, s.n = slices.Insert(s.few, i, id), s.n+1
			return
		}
		for _, x := range s.few {
			s.set(x)
		}
		s.few = nil
	}
	if !s.has(id) {
		s.set(id)
		s.n++
	}
}

func (s *set) set(id uint32) {
	if i := int(id >> 6); i >= len(s.bits) {
		s.bits = append(s.bits, make([]uint64, i+1-len(s.bits))...)
	}
	s.bits[id>>6] |= 1 << (id & 63)
}

// addAll puts the members of o in.
func (s *set) addAll(o *set) {
	for id := range o.each {
		s.add(id)
	}
}

// each goes through the members in order.
func (s *set) each(yield func(uint32) bool) {
	if s == nil {
		return
	}
	for _, id := range s.few {
		if !yield(id) {
			return
		}
	}
	for i, word := range s.bits {
		for ; word != 0; word &= word - 1 {
			if !yield(uint32(i<<6 + bits.TrailingZeros64(word))) {
				return
			}
		}
	}
}

// common is how many members s and o share.
func (s *set) common(o *set) int {
	switch {
	case s == nil || o == nil:
		return 0
	case s.bits == nil:
		n := 0
		for _, id := range s.few {
			if o.has(id) {
				n++
			}
		}
		return n
	case o.bits == nil:
		return o.common(s)
	}
	n := 0
	for i := range min(len(s.bits), len(o.bits)) {
		n += bits.OnesCount64(s.bits[i] & o.bits[i])
	}
	return n
}

// both is what is in s and in o.
func (s *set) both(o *set) *set {
	out := &set{}
	for id := range s.each {
		if o.has(id) {
			out.add(id)
		}
	}
	return out
}
