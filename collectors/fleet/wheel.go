package fleet

// wheel says which devices are due. A device hangs in one slot at a time; a beat does not move it: when its slot comes
// up it is looked at, and hung again where its deadline is by then. So a beat costs nothing here, and a device that
// waits for nothing (offline, closed, never seen) is in no slot. The slots are lists through row.next.
type wheel struct {
	slots [wheelSlots]uint32 // the first row plus one, 0 for none
	now   int64              // the last tick that was worked through
}

const wheelSlots = 8192 // 50 ms each: 409 s ahead; what is further is looked at on the way

// put hangs a row that hangs nowhere, for a tick: not before the next, not past the rim.
func (s *shard) put(id uint32, at int64) {
	w := &s.wheel
	at = min(max(at, w.now+1), w.now+wheelSlots-1)
	slot := &w.slots[at%wheelSlots]
	r := s.rows.at(id)
	r.hung, r.next = uint32(at-s.firstTick), *slot
	*slot = id + 1
}

// unhang takes a row from its slot. It costs as much as hangs there, and is rare: a beat never needs it.
func (s *shard) unhang(id uint32) {
	r := s.rows.at(id)
	if r.hung == 0 {
		return
	}
	for at := &s.wheel.slots[(int64(r.hung)+s.firstTick)%wheelSlots]; *at != 0; at = &s.rows.at(*at - 1).next {
		if *at == id+1 {
			*at = r.next
			break
		}
	}
	r.hung, r.next = 0, 0
}

// advance works through the ticks up to to, and calls due for each row that hangs there, which may put it again. It
// stops when left rows have been looked at, and says whether it came to the end.
func (s *shard) advance(to int64, left *int, due func(id uint32)) bool {
	w := &s.wheel
	w.now = max(w.now, to-wheelSlots) // every slot once is enough
	for w.now < to {
		w.now++
		slot := &w.slots[w.now%wheelSlots]
		id := *slot
		for *slot = 0; id != 0; *left-- {
			if *left <= 0 {
				*slot = id // the rest of this tick waits for the next call
				w.now--
				return false
			}
			r := s.rows.at(id - 1)
			next := r.next
			r.hung, r.next = 0, 0
			due(id - 1)
			id = next
		}
	}
	return true
}
