package fleet

import (
	"fmt"
	"time"

	"goc/ops"
)

// What a device says is ordered by its own time. A clock that runs wrong does not change that order, but setting it does.
// So a clock's offset is estimated, of the devices whose times are further off than Config.MaxSkew only: those are either
// stored beats, which come late, or clocks that are wrong. A way can only make a beat older, so the offset is the largest
// of at less arrival. Beats that come together count as one, with their largest: a backlog ends with what is new. Three
// such in a row that agree are believed.

// drift is what is known of the clock of a device that is wrong, or may be.
type drift struct {
	offset int64 // how far ahead of ours it is, ms, as far as is known; times are corrected by it
	last   int64 // when its latest beat came in, Unix ms
	best   int64 // the largest at less arrival of the beats that came with that one
	before [2]int64
	n      uint8 // how many of before there are
	sure   bool  // it is known to be wrong, and has been told
}

const (
	maxClocks = 4_096 // of a shard. Beyond it times are taken to be within maxLag of ours
	maxLag    = int64(5 * time.Minute / time.Millisecond)
)

// correct returns a device's own time by our clock. It is asked only about clocks that are wrong or may be.
func (t *turn) correct(id uint32, r *row, at int64) int64 {
	sh, off := t.sh, at-t.now
	c := sh.clocks[id]
	switch {
	case c == nil && len(sh.clocks) >= maxClocks:
		return min(max(at, t.now-maxLag), t.now)
	case c == nil:
		c = &drift{best: off, last: t.now}
		sh.clocks[id] = c
		r.flags |= clocked
	case t.now-c.last >= t.makes[sh.cells.at(r.cell).mk].interval/2:
		if t.sample(id, c) {
			delete(sh.clocks, id)
			r.flags &^= clocked
			return at
		}
		c.best = off
	default:
		c.best = max(c.best, off)
	}
	c.last = t.now
	c.offset = max(c.offset, off)
	if !c.sure && off <= t.s.skew && off >= -t.s.skew {
		delete(sh.clocks, id) // it knows the time: what was off were stored beats
		r.flags &^= clocked
		return at
	}
	return at - c.offset
}

// sample takes the beats that came together last into the estimate, and says whether the clock is right.
func (t *turn) sample(id uint32, c *drift) (right bool) {
	lo, hi := min(c.best, c.before[0], c.before[1]), max(c.best, c.before[0], c.before[1])
	full := c.n == 2
	c.before[1], c.before[0] = c.before[0], c.best
	c.n = min(c.n+1, 2)
	skew := t.s.skew
	if !full || hi-lo > skew/2 {
		return false
	}
	if hi <= skew && hi >= -skew {
		if c.sure {
			t.batch.clock(t.sh, id, 0)
		}
		return true
	}
	if moved := hi - c.offset; !c.sure {
		t.batch.clock(t.sh, id, hi)
	} else if moved > skew || moved < -skew {
		t.batch.add(t.sh, change{id: id, from: t.sh.rows.at(id).state, kept: true})
	}
	c.offset, c.sure = hi, true
	return false
}

// off is by how much the clock of a row is known to be wrong, ms.
func (s *shard) off(id uint32) int64 {
	if c := s.clocks[id]; c != nil && c.sure {
		return c.offset
	}
	return 0
}

// clocksKept is how long a clock is looked at that may be wrong, when its device no longer beats. In ms.
const clocksKept = int64(time.Hour / time.Millisecond)

// sweepClocks makes room for others.
func (s *Service) sweepClocks() {
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		now := s.now().UnixMilli()
		for id, c := range sh.clocks {
			if !c.sure && now-c.last > clocksKept {
				delete(sh.clocks, id)
				sh.rows.at(id).flags &^= clocked
			}
		}
		sh.mu.Unlock()
	}
}

// restoreClock goes on with an estimate.
func (s *shard) restoreClock(id uint32, offset int64) {
	if offset != 0 && len(s.clocks) < maxClocks {
		s.clocks[id] = &drift{offset: offset, best: offset, before: [2]int64{offset, offset}, n: 2, sure: true}
		s.rows.at(id).flags |= clocked
	}
}

// wrongClock is one clock as the event tells it.
type wrongClock struct {
	ID   string  `json:"id"`
	OffS float64 `json:"off_s,omitempty"`
}

// clocks is the data of fleet.clock_wrong and fleet.clock_right.
type clocks struct {
	Text    string       `json:"text"`
	Total   int          `json:"total"`
	Devices []wrongClock `json:"devices"` // at most 100
}

// clock tells that a device's clock has been found to be off, or with 0 that it is right again.
func (b *batch) clock(sh *shard, id uint32, off int64) {
	list := &b.right
	if off != 0 {
		list = &b.wrong
	}
	if list.Total++; len(list.Devices) < maxListed {
		list.Devices = append(list.Devices, wrongClock{ID: sh.id(id), OffS: float64(off) / 1000})
	}
	b.add(sh, change{id: id, from: sh.rows.at(id).state, kept: true})
}

func (c *clocks) event(name string, at time.Time, actor string) ops.Event {
	subject, first := "fleet", c.Devices[0]
	off := time.Duration(first.OffS * float64(time.Second)).Round(time.Second)
	switch {
	case c.Total > 1 && first.OffS == 0:
		c.Text = fmt.Sprintf("the clocks of %d devices are right again", c.Total)
	case c.Total > 1:
		c.Text = fmt.Sprintf("the clocks of %d devices are wrong", c.Total)
	case off == 0:
		c.Text = fmt.Sprintf("the clock of %s is right again", first.ID)
	case off > 0:
		c.Text = fmt.Sprintf("the clock of %s is %s ahead", first.ID, off)
	default:
		c.Text = fmt.Sprintf("the clock of %s is %s behind", first.ID, -off)
	}
	if c.Total == 1 {
		subject = first.ID
	}
	return ops.NewEvent(ops.At(at), name, "fleet", subject, actor, c)
}
