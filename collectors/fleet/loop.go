package fleet

import (
	"context"
	"math"
	"time"

	"goc/ops"
)

// Run keeps the deadlines until ctx ends: a state is set at most two ticks (100 ms) after it came true, all that fall
// into one tick in one mutation. It also opens and closes stores, writes checkpoints and feeds the wall's watchers.
func (s *Service) Run(ctx context.Context) error {
	beat := time.NewTicker(tick)
	defer beat.Stop()
	check := time.NewTicker(time.Duration(s.cfg.Checkpoint))
	defer check.Stop()
	s.mu.Lock()
	s.ready = s.now().UnixMilli()
	s.ticked = s.ready
	s.mu.Unlock()
	for {
		select {
		case <-ctx.Done():
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
		case <-check.C:
			s.checkpoint()
		}
	}
}

// tick sets every state that has come due.
func (s *Service) tick() {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.now()
	now := at.UnixMilli()
	if now-s.ticked > int64(stall/time.Millisecond) { // we stood still and may have missed beats: begin anew
		s.log.Warn("the fleet's loop stood still; deadlines begin anew", "for", time.Duration(now-s.ticked)*time.Millisecond)
		s.ready = now
	}
	s.ticked = now
	var b batch
	s.flipStores(at, &b)
	s.wheel.advance(now/tickMs, func(id int32, tick int64) {
		r := &s.t.rows[id]
		if r.hung == 0 || r.hung > tick {
			return // it hangs elsewhere by now
		}
		r.hung = 0
		s.settle(id, now, &b)
	})
	s.commit(&b, at, ops.System.Name)
}

// flipStores opens and closes the stores whose hour has come, and looks at their devices.
func (s *Service) flipStores(at time.Time, b *batch) {
	now := at.UnixMilli()
	if now < s.flip {
		return
	}
	s.flip = math.MaxInt64
	for i := range s.t.stores {
		st := &s.t.stores[i]
		if st.flip == 0 {
			continue
		}
		if now >= st.flip {
			s.openOrClose(st, at)
			for _, id := range st.rows {
				s.settle(id, now, b)
			}
		}
		s.flip = min(s.flip, st.flip)
	}
}
