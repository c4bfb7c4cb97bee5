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
	in := make([]beat, len(devices))
	for i := range devices {
		in[i] = beatOf(&devices[i], i)
	}
	var rejected []ops.Rejected
	return rejected, s.change(ctx, who, s.sort(in), func(t *turn) error {
		for i := range in {
			if wrong := t.list(&in[i]); wrong != "" {
				rejected = append(rejected, ops.Rejected{Index: i, Reason: wrong})
			}
		}
		return nil
	})
}

// list takes one device of an import.
func (t *turn) list(b *beat) string {
	if wrong := b.check(t.now); wrong != "" {
		return wrong
	}
	id, known := t.find(b)
	if !known {
		wrong := t.add(b, &id)
		if wrong == "" {
			t.batch.add(t.sh, change{id: id, from: ops.NeverSeen, fresh: true})
		}
		return wrong
	}
	r := t.sh.rows.at(id)
	if r.state == ops.Retired {
		t.batch.add(t.sh, change{id: id, from: r.state})
		r.seen, r.ago = 0, 0
		t.sh.turn(id, ops.NeverSeen, t.now)
		t.sh.remake = true
	}
	facts := beat{kind: b.kind, model: b.model, firmware: b.firmware, status: r.status(), note: t.sh.notes[id]}
	return t.say(id, r, &facts)
}

// Retire takes a device out of service: it is no longer expected to beat, and leaves the wall.
func (s *Service) Retire(ctx context.Context, who ops.Principal, store, device string) error {
	b := []beat{{store: store, device: device}}
	return s.change(ctx, who, s.sort(b), func(t *turn) error {
		id, ok := t.find(&b[0])
		if !ok {
			return ops.Errorf(ops.NotFound, "no such device")
		}
		if from := t.sh.rows.at(id).state; from != ops.Retired {
			t.batch.add(t.sh, change{id: id, from: from})
			t.sh.turn(id, ops.Retired, t.now)
			t.sh.forget(id)
			t.sh.dropTracks(id)
		}
		return nil
	})
}

// change runs fn under the locks of mask and returns once what it changed is on disk.
func (s *Service) change(ctx context.Context, who ops.Principal, mask uint32, fn func(*turn) error) error {
	s.lock(mask)
	at := s.now()
	t := turn{s: s, speaker: speakerOf(who), makes: s.makes.list(), now: at.UnixMilli()}
	err := fn(&t)
	s.commit(&t.batch, mask, at, who.Name)
	wait := s.unlock(mask)
	if err != nil {
		return err
	}
	return wait.done(ctx)
}
