package fleet

import (
	"context"

	"goc/ops"
)

// List makes devices known before they beat, in state never_seen: an import of what a store should have. Those that
// are good are on disk when it returns. A device that is known keeps its state and takes the facts; a retired one is
// expected again. With dry nothing changes, and the answer says what would.
func (s *Service) List(ctx context.Context, who ops.Principal, devices []ops.Heartbeat, dry bool) (done ops.Imported, err error) {
	if len(devices) > MaxBatch {
		return done, tooMany
	}
	in := make([]beat, len(devices))
	for i := range devices {
		in[i] = beatOf(&devices[i], i)
	}
	return done, s.change(ctx, who, s.sort(in), func(t *turn) error {
		for i := range in {
			if wrong := t.list(&in[i], dry, &done); wrong != "" {
				done.Rejected = append(done.Rejected, ops.Rejected{Index: i, Reason: wrong})
			}
		}
		return nil
	})
}

// list takes one device of an import.
func (t *turn) list(b *beat, dry bool, done *ops.Imported) string {
	if wrong := b.check(t.now); wrong != "" {
		return wrong
	}
	id, known := t.find(b)
	switch {
	case !known && dry:
		wrong := b.checkNames()
		if wrong == "" {
			done.New++
		}
		return wrong
	case !known:
		wrong := t.add(b, &id)
		if wrong == "" {
			done.New++
			t.batch.add(t.sh, change{id: id, from: ops.NeverSeen, fresh: true})
		}
		return wrong
	}
	r := t.sh.rows.at(id)
	was := &t.makes[t.sh.cells.at(r.cell).mk]
	news := differs(b.kind, was.kind) || differs(b.model, was.model) || differs(b.firmware, was.firmware)
	if wrong := b.checkFacts(); wrong != "" {
		return wrong
	}
	switch {
	case r.state == ops.Retired:
		done.Revived++
	case news:
		done.Updated++
	default:
		done.Unchanged++
		return ""
	}
	if dry {
		return ""
	}
	if r.state == ops.Retired {
		t.batch.add(t.sh, change{id: id, from: r.state, told: true})
		r.seen, r.ago = 0, 0
		t.sh.turn(id, ops.NeverSeen, t.now)
		t.sh.remake = true
	}
	facts := beat{kind: b.kind, model: b.model, firmware: b.firmware, status: r.status(), note: t.sh.notes[id]}
	return t.say(id, r, &facts)
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
