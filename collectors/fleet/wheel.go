package fleet

// wheel says which devices are due. A device hangs in one slot at a time; a beat does not move it: when its slot comes
// up it is looked at, and hung again where its deadline is by then. So a beat costs nothing here, and a device that
// waits for nothing (offline, closed, never seen) is in no slot.
type wheel struct {
	slots [wheelSlots][]int32
	now   int64 // the last tick that was worked through
}

const wheelSlots = 8192 // 50 ms each: 409 s ahead; what is further is looked at on the way

// put hangs a device for a tick and returns the tick at which it will come up: not before the next, not past the rim.
func (w *wheel) put(id int32, at int64) int64 {
	at = min(max(at, w.now+1), w.now+wheelSlots-1)
	i := at % wheelSlots
	w.slots[i] = append(w.slots[i], id)
	return at
}

// advance works through all ticks up to to, and calls due for each device that hangs there. due may put.
func (w *wheel) advance(to int64, due func(id int32, tick int64)) {
	from := max(w.now+1, to-wheelSlots+1)
	for t := from; t <= to; t++ {
		w.now = t
		i := t % wheelSlots
		slot := w.slots[i]
		w.slots[i] = slot[:0]
		for _, id := range slot {
			due(id, t)
		}
		if cap(slot) > 1024 && len(slot) == 0 {
			w.slots[i] = nil // a burst is over
		}
	}
}
