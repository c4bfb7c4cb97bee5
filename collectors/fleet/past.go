package fleet

import (
	"strconv"
	"strings"

	"goc/ops"
)

// past is what a shard remembers of its devices' changes of state: a ring that grows up to maxPast, in which those of one
// device are linked, the newest first. The oldest are written over. A device that has never changed costs nothing.
type past struct {
	ring []turned
	n    uint32            // how many were ever written; it may wrap
	head map[uint32]uint32 // by row: which was its latest, counted as n
}

type turned struct {
	what uint64 // when, Unix ms, then three bits each for the states before and after
	row  uint32
	back uint32 // how many were written since the device's one before, 0 when there is none
}

const (
	maxPast  = 1 << 17 // of a shard: some two million in all, 16 bytes each
	maxTurns = 16      // of a device: what is shown and kept on disk
)

// add writes a change.
func (p *past) add(id uint32, at int64, from, to ops.DeviceState) {
	if p.head == nil {
		p.head = map[uint32]uint32{}
	}
	t := turned{what: uint64(at)<<6 | uint64(from)<<3 | uint64(to), row: id}
	if last, ok := p.head[id]; ok {
		t.back = p.n - last
	}
	if len(p.ring) < maxPast {
		p.ring = append(p.ring, t)
	} else {
		slot := &p.ring[p.n%maxPast]
		if last, ok := p.head[slot.row]; ok && last == p.n-maxPast {
			delete(p.head, slot.row) // it was the only one left of that device
		}
		*slot = t
	}
	p.head[id] = p.n
	p.n++
}

// each calls fn for the changes of a row, the newest first, until it returns false.
func (p *past) each(id uint32, fn func(at int64, from, to ops.DeviceState) bool) {
	i, ok := p.head[id]
	for ok {
		t := &p.ring[i%maxPast]
		if !fn(int64(t.what>>6), ops.DeviceState(t.what>>3&7), ops.DeviceState(t.what&7)) {
			return
		}
		i -= t.back
		ok = t.back != 0 && p.n-i <= uint32(len(p.ring))
	}
}

// last returns the state that the latest change led to, false when none is known.
func (p *past) last(id uint32) (state ops.DeviceState, known bool) {
	p.each(id, func(_ int64, _, to ops.DeviceState) bool {
		state, known = to, true
		return false
	})
	return state, known
}

// links counts the changes between up and down since a time, up to most, and says when the earliest of them was.
func (p *past) links(id uint32, since int64, most int) (n int, first int64) {
	p.each(id, func(at int64, from, to ops.DeviceState) bool {
		if at <= since || n == most {
			return false
		}
		if linkChanges(from, to) {
			n, first = n+1, at
		}
		return true
	})
	return n, first
}

// turn sets the state of a row, and remembers it, unless it follows from the hours of its store, or from its being new.
func (s *shard) turn(id uint32, to ops.DeviceState, now int64) {
	from := s.rows.at(id).state
	s.move(id, to, now)
	s.remember(id, from, to, now)
}

func (s *shard) remember(id uint32, from, to ops.DeviceState, now int64) {
	if to == ops.Closed || from == ops.Closed && to == ops.Online {
		return
	}
	if _, changed := s.past.head[id]; from == ops.NeverSeen && !changed {
		return
	}
	s.past.add(id, now, from, to)
}

// appendPast writes the changes of a row, the newest first: the two states as digits and the time in base 36.
func (s *shard) appendPast(b []byte, id uint32) []byte {
	n := 0
	s.past.each(id, func(at int64, from, to ops.DeviceState) bool {
		if n > 0 {
			b = append(b, ' ')
		}
		b = strconv.AppendInt(append(b, '0'+byte(from), '0'+byte(to)), at, 36)
		n++
		return n < maxTurns
	})
	return b
}

// restorePast reads what appendPast wrote.
func (s *shard) restorePast(id uint32, text string) bool {
	words := strings.Fields(text)
	for i := len(words) - 1; i >= 0; i-- {
		w := words[i]
		if len(w) < 3 || w[0]-'0' >= states || w[1]-'0' >= states {
			return false
		}
		at, err := strconv.ParseInt(w[2:], 36, 64)
		if err != nil || at < 0 || at >= 1<<58 {
			return false
		}
		s.past.add(id, at, ops.DeviceState(w[0]-'0'), ops.DeviceState(w[1]-'0'))
	}
	return true
}

// history is the past of a row as the outside sees it.
func (s *shard) history(id uint32) (out []ops.DeviceTurn) {
	s.past.each(id, func(at int64, from, to ops.DeviceState) bool {
		out = append(out, ops.DeviceTurn{At: when(at), From: from, To: to})
		return len(out) < maxTurns
	})
	return out
}
