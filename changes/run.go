package changes

import (
	"context"
	"time"

	"goc/ops"
)

// tickEvery is how soon after its time something that is due is done.
const tickEvery = time.Second

// Run ends bakes and follows freezes until ctx ends. It returns early only when the journal fails.
func (s *Service) Run(ctx context.Context) error {
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
	for _, f := range s.freezes {
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
	note := "freeze " + f.ID + " (" + f.Name + ") began"
	if f.InFlight == InFlightRollback {
		note += " and asks to roll back what is under way"
	}
	var receipts []*ops.Receipt
	for _, n := range append(ascending{}, s.index.status[ops.ChangeStarted]...) {
		e := s.index.get(n)
		in := Gather(Request{Change: e.Change, Who: ops.Principal{}}, State{Config: s.config, Catalog: s.catalog, Freezes: []*Freeze{f}}, now)
		if len(in.Freezes) == 0 || in.Freezes[0].Exempt != "" {
			continue
		}
		if _, receipt, err := s.move(ops.System, e.ID, ops.ChangeEvent{Event: Pause, At: ops.At(now), Note: note}); err == nil {
			receipts = append(receipts, receipt)
		}
	}
	return receipts
}
