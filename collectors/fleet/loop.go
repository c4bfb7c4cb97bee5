package fleet

import (
	"context"
	"math"
	"sync"
	"time"

	"goc/ops"
)

// Run keeps the deadlines until ctx ends: a state is set at most two ticks (100 ms) after it came true, all that fall
// into one tick in one mutation. It also opens and closes stores, writes checkpoints and feeds the wall's watchers.
func (s *Service) Run(ctx context.Context) error {
	beat := time.NewTicker(tick)
	defer beat.Stop()
	s.lock(allShards)
	s.ready = s.now().UnixMilli()
	s.ticked = s.ready
	s.unlock(allShards)
	var looking sync.WaitGroup
	defer looking.Wait()
	if s.cfg.Explain != "off" {
		looking.Go(func() { s.explainLoop(ctx) })
	}
	looking.Go(func() { s.keepLoop(ctx) })
	for {
		select {
		case <-ctx.Done():
			looking.Wait()
			if r := s.checkpoint(); r != nil {
				bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
				defer cancel()
				_, err := r.Wait(bounded)
				return err
			}
			return nil
		case <-beat.C:
			s.tick()
			s.flushWall()
		}
	}
}

// keepLoop writes checkpoints until ctx ends. It has a goroutine of its own: that of a full fleet takes longer than
// deadlines may wait.
func (s *Service) keepLoop(ctx context.Context) {
	check := time.NewTicker(time.Duration(s.cfg.Checkpoint))
	defer check.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-check.C:
			s.checkpoint()
			s.sweep()
			s.sweepClocks()
		}
	}
}

const allShards = 1<<shardCount - 1

// partRows bounds how many rows are looked at under one lock: a city that goes dark must not hold up who is alive.
const partRows = 10_000

// tick sets every state that has come due.
func (s *Service) tick() {
	for !s.part() {
	}
}

// part does a part of a tick, and says whether that was all.
func (s *Service) part() (all bool) {
	s.lock(allShards)
	defer s.unlock(allShards)
	began := time.Now()
	defer func() { s.count.worked.Add(time.Since(began).Seconds()) }()
	at := s.now()
	now := at.UnixMilli()
	if now-s.ticked > int64(stall/time.Millisecond) { // we stood still and may have missed beats: begin anew
		s.log.Warn("the fleet's loop stood still; deadlines begin anew", "for", time.Duration(now-s.ticked)*time.Millisecond)
		s.ready = now
	}
	s.ticked = now
	var b batch
	all = s.flipStores(at, &b)
	s.calm(now, &b)
	left := partRows
	for i := range s.shards {
		sh := &s.shards[i]
		all = sh.advance(now/tickMs, &left, func(id uint32) { s.settle(sh, id, now, &b) }) && all
	}
	s.commit(&b, allShards, at, ops.System.Name)
	return all
}

// flipStores opens and closes the stores whose hour has come, and looks at their devices, unless there are too many for
// one turn.
func (s *Service) flipStores(at time.Time, b *batch) (all bool) {
	now := at.UnixMilli()
	if now < s.flip {
		return true
	}
	next, left := int64(math.MaxInt64), partRows
	known := moment{now: at}
	for i := range s.shards {
		sh := &s.shards[i]
		for j := range sh.sites {
			st := &sh.sites[j]
			if st.flip == 0 {
				continue
			}
			if now >= st.flip {
				if left <= 0 {
					return false
				}
				left -= int(st.count)
				st.openOrClose(&known)
				st.each(func(id uint32) { s.settle(sh, id, now, b) })
			}
			next = min(next, st.flip)
		}
	}
	s.flip = next
	return true
}

// sweep makes room for new combinations of kind, model and firmware when there are many.
func (s *Service) sweep() {
	if len(s.makes.list()) < maxMakes/2 {
		return
	}
	s.lock(allShards)
	defer s.unlock(allShards)
	used := make([]bool, len(s.makes.list()))
	for i := range s.shards {
		for j := range s.shards[i].cells.n {
			if c := s.shards[i].cells.at(j); c.n != (tally{}) {
				used[c.mk] = true
			}
		}
	}
	for i := range s.shards {
		for j := range s.shards[i].cells.n {
			if c := s.shards[i].cells.at(j); !used[c.mk] {
				c.shown, c.mk = 0, 0
			}
		}
	}
	s.makes.sweep(func(id uint32) bool { return used[id] })
}
