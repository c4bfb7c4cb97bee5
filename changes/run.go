package changes

import (
	"context"
	"strings"
	"time"

	"goc/ops"
)

// tickEvery is how soon after its time something that is due is done.
const tickEvery = time.Second

// Run ends bakes, follows freezes and red lines until ctx ends. It returns early only when the journal fails.
func (s *Service) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	restored := make(chan struct{})
	go func() { defer close(restored); s.restoreCourse(ctx) }()
	defer func() { cancel(); <-restored }()
	t := time.NewTicker(tickEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
		if err := s.tick(ctx, s.now()); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
	}
}

// followFreezes says when a freeze closes and opens, and pauses the rollouts under way that it does not let finish.
func (s *Service) followFreezes(now time.Time) []*ops.Receipt {
	s.mu.Lock()
	defer s.mu.Unlock()
	var receipts []*ops.Receipt
	for _, f := range s.freezes.list {
		span, ok := f.span(now)
		until, announced := s.frozen[f.ID]
		closed := ok && span.Contains(now)
		switch {
		case closed && !announced:
			s.frozen[f.ID] = span.To
			receipts = append(receipts, s.announce(f, "freeze.closed", now, "holds until "+ops.At(span.To).String()))
			receipts = append(receipts, s.holdRollouts(f, now)...)
		case !closed && announced:
			delete(s.frozen, f.ID)
			receipts = append(receipts, s.announce(f, "freeze.opened", now, "is over"))
		case closed && until.Before(span.To):
			s.frozen[f.ID] = span.To
		}
	}
	return receipts
}

// announce tells that a freeze closed or opened. The closed ones stand in the journal, so that a restart does not tell again.
func (s *Service) announce(f *Freeze, name string, now time.Time, how string) *ops.Receipt {
	m := ops.Mutation{Events: []ops.Event{ops.NewEvent(ops.At(now), name, "gate", f.ID, ops.System.Name, map[string]any{
		"text": "freeze " + f.ID + " (" + f.Name + ") " + how, "freeze_id": f.ID, "name": f.Name, "scope": f.Scope,
	})}}
	if name == "freeze.closed" {
		m.Put = []ops.Record{ops.Encode(kindFrozen, f.ID, ops.At(s.frozen[f.ID]))}
	} else {
		m.Delete = []ops.Record{{Kind: kindFrozen, ID: f.ID}}
	}
	return s.journal.Append(m)
}

// holdRollouts pauses what is going out in the scope of a freeze that does not let it finish. The caller holds the lock.
func (s *Service) holdRollouts(f *Freeze, now time.Time) []*ops.Receipt {
	if f.InFlight != InFlightPause && f.InFlight != InFlightRollback {
		return nil
	}
	st := State{Config: s.config, Catalog: s.catalog, Freezes: NewFreezes([]*Freeze{f})}
	return s.hold("freeze "+f.ID+" ("+f.Name+") began", f.InFlight == InFlightRollback, now, func(e *entry) bool {
		in := Gather(Request{Change: e.Change, Who: ops.Principal{}}, st, now)
		return len(in.Freezes) > 0 && in.Freezes[0].Exempt == ""
	})
}

// hold pauses the rollouts under way that match, and has those rolled back, where that is asked for, that name a plan for
// it. The caller holds the lock.
func (s *Service) hold(why string, rollback bool, now time.Time, match func(*entry) bool) []*ops.Receipt {
	var receipts []*ops.Receipt
	for _, n := range append(ascending{}, s.index.status[ops.ChangeStarted]...) {
		if e := s.index.get(n); match(e) {
			receipts = append(receipts, s.stop(e, why, rollback, now)...)
		}
	}
	return receipts
}

// stop pauses a change where it is going out, and has its plan of rollback run where that is asked for: once. The caller
// holds the lock.
func (s *Service) stop(e *entry, why string, rollback bool, now time.Time) (receipts []*ops.Receipt) {
	note, plan := why, ""
	if rollback {
		switch plan = strings.TrimSpace(e.Rollback); {
		case !s.rehearsed(plan).Known:
			plan, note = "", why+" and asks to roll back what is under way; it names no plan for that, so roll it back by hand"
		case !e.Ordered.IsZero():
			plan, note = "", why+"; its rollback by the plan "+plan+" was ordered at "+e.Ordered.String()
		default:
			note = why + " and has it rolled back by the plan " + plan
		}
	}
	if plan != "" { // before the pause: one that is paused is not looked at again, so that a crash between the two would lose the order
		receipts = append(receipts, s.rollBack(e, plan, why, now))
	}
	if _, receipt, err := s.move(ops.System, e.ID, ops.ChangeEvent{Event: Pause, At: ops.At(now), Note: note}); err == nil {
		receipts = append(receipts, receipt)
	}
	return receipts
}

// RollbackEffect is the kind of the effects that start a change's plan of rollback.
const RollbackEffect = "gate_rollback"

// RollbackOrder is the body of such an effect.
type RollbackOrder struct {
	ChangeID string    `json:"change_id"`
	Service  string    `json:"service,omitempty"`
	Plan     string    `json:"plan"`
	Scope    ops.Scope `json:"scope"`
	Reason   string    `json:"reason"`
}

// rollBack orders that a change's plan be run. It is done through the outbox: the order is on disk before it is tried.
func (s *Service) rollBack(e *entry, plan, why string, now time.Time) *ops.Receipt {
	order := RollbackOrder{ChangeID: e.ID, Service: e.Service, Plan: plan, Scope: e.Touched(), Reason: why}
	body := ops.Encode(RollbackEffect, e.ID, order).Body
	e = e.moved(e.Change)
	e.Ordered = ops.At(now)
	s.index.put(e)
	return s.journal.Append(ops.Mutation{
		Put:     []ops.Record{ops.Encode(kindChange, e.ID, e)},
		Events:  []ops.Event{event(e, ops.At(now), "change.rollback_ordered", ops.System.Name, describe(&e.Change)+" is to be rolled back by the plan "+plan+": "+why, map[string]any{"plan": plan})},
		Effects: []ops.Effect{{Kind: RollbackEffect, Key: e.ID, Lane: "plan/" + plan, Body: body}},
	})
}
