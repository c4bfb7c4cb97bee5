package fleet

import (
	"context"

	"goc/ops"
)

// List makes devices known before they beat, in state never_seen: an import of what a store should have. Those that
// are good are on disk when it returns. A device that is known keeps its state and takes the facts; a retired one is
// expected again.
func (s *Service) List(ctx context.Context, who ops.Principal, devices []ops.Heartbeat) ([]ops.Rejected, error) {
	if len(devices) > MaxBatch {
		return nil, ops.Errorf(ops.TooLarge, "a batch may hold at most %d devices", MaxBatch).At("body")
	}
	var rejected []ops.Rejected
	return rejected, s.change(ctx, who, func(now int64, b *batch) error {
		for i := range devices {
			h := &devices[i]
			reason := check(h, s.now(), "")
			if reason == "" {
				reason = s.list(h, now, b)
			}
			if reason != "" {
				rejected = append(rejected, ops.Rejected{Index: i, Reason: reason})
			}
		}
		return nil
	})
}

// list takes one device of an import.
func (s *Service) list(h *ops.Heartbeat, now int64, b *batch) string {
	id, known := s.t.find(h.Store, h.Device)
	if !known {
		id, reason := s.add(h)
		if reason == "" {
			b.add(change{id: id, from: ops.NeverSeen, fresh: true})
		}
		return reason
	}
	r := &s.t.rows[id]
	if r.state == ops.Retired {
		b.add(change{id: id, from: r.state})
		r.seen, r.at = 0, 0
		s.t.move(id, ops.NeverSeen, now)
		s.t.remake = true
	}
	facts := ops.Heartbeat{Kind: h.Kind, Model: h.Model, Firmware: h.Firmware, Status: r.status.String(), Note: s.t.notes[id]}
	if r.battery >= 0 {
		battery := float64(r.battery)
		facts.Battery = &battery
	}
	return s.say(id, &facts, b)
}

// Retire takes a device out of service: it is no longer expected to beat, and leaves the wall.
func (s *Service) Retire(ctx context.Context, who ops.Principal, store, device string) error {
	return s.change(ctx, who, func(now int64, b *batch) error {
		id, ok := s.t.find(store, device)
		if !ok {
			return ops.Errorf(ops.NotFound, "no such device")
		}
		if from := s.t.rows[id].state; from != ops.Retired {
			b.add(change{id: id, from: from})
			s.t.move(id, ops.Retired, now)
			s.hang(id, 0)
		}
		return nil
	})
}

// change runs fn under the lock and returns once what it changed is on disk.
func (s *Service) change(ctx context.Context, who ops.Principal, fn func(now int64, b *batch) error) error {
	s.mu.Lock()
	at := s.now()
	var b batch
	err := fn(at.UnixMilli(), &b)
	s.commit(&b, at, who.Name)
	last := s.last
	s.mu.Unlock()
	if err != nil || last == nil {
		return err
	}
	_, err = last.Wait(ctx)
	return err
}
