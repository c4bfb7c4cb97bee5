package changes

import (
	"context"
	"fmt"
	"slices"
	"time"

	"goc/changes/bake"
	"goc/ops"
)

// ObserveSamples takes in the indicators that bakes, error budgets and red lines are judged by. It keeps a bounded part of
// them.
func (s *Service) ObserveSamples(samples []ops.Sample) {
	s.bakes.Observe(samples)
	s.course.Observe(samples, s.now())
}

// startBake begins the bake of a stage, or of the change as a whole (0), when it has one. The caller holds the lock.
func (s *Service) startBake(e *entry, stage int) {
	k := bake.Bake{ChangeID: e.ID, Stage: stage, Service: e.Service, Scope: stageScope(&e.Change, stage)}
	switch {
	case stage == 0 && e.Verdict == ops.Baking:
		k.From, k.To = e.FinishedAt.Time, e.FinishedAt.Add(time.Duration(e.Bake))
	case stage > 0 && stage <= len(e.Stages) && e.Stages[stage-1].Verdict == ops.Baking:
		st := &e.Stages[stage-1]
		k.Units, k.Not = st.Units, slices.Clone(st.Replaces)
		for i, other := range e.Stages {
			if i != stage-1 && !other.StartedAt.IsZero() {
				k.Not = slices.Concat(k.Not, other.Units, other.Replaces, other.Scope.Store)
			}
		}
		k.From, k.To = st.FinishedAt.Time, st.FinishedAt.Add(time.Duration(st.Bake))
	default:
		return
	}
	s.bakes.Begin(k)
}

// followBake begins and ends the bakes that an event begins and ends. The caller holds the lock.
func (s *Service) followBake(e *entry, ev ops.ChangeEvent) {
	switch ev.Event {
	case StageFinished:
		s.startBake(e, ev.Stage)
	case Finish:
		s.startBake(e, 0)
		for i := range e.Stages {
			if e.Stages[i].FinishedAt == ev.At {
				s.startBake(e, i+1)
			}
		}
	case Rollback, Abort:
		if ev.Stage > 0 && ev.Event == Rollback {
			s.bakes.Cancel(e.ID, ev.Stage)
			return
		}
		for i := range len(e.Stages) + 1 {
			s.bakes.Cancel(e.ID, i)
		}
	}
}

// resumeBakes begins again the bakes that were under way when the program ended.
func (s *Service) resumeBakes(e *entry) {
	for i := range len(e.Stages) + 1 {
		s.startBake(e, i)
	}
}

// settle writes the verdict of a bake that ended. It returns nil when there is nothing to write to any more.
func (s *Service) settle(o bake.Outcome) *ops.Receipt {
	s.mu.Lock()
	defer s.mu.Unlock()
	old, err := s.find(o.ChangeID)
	if err != nil || o.Stage > len(old.Stages) {
		return nil
	}
	e := old.moved(old.Change)
	at := ops.At(o.At)
	e.UpdatedAt = at
	what := "the bake of " + describe(&e.Change)
	if o.Stage == 0 {
		if e.Verdict != ops.Baking {
			return nil
		}
		e.Verdict, e.Score, e.Reasons = o.Verdict, o.Score, o.Reasons
	} else {
		e.Stages = slices.Clone(e.Stages)
		st := &e.Stages[o.Stage-1]
		if st.Verdict != ops.Baking {
			return nil
		}
		st.Verdict, st.Score, st.Reasons = o.Verdict, o.Score, o.Reasons
		what = fmt.Sprintf("the bake of stage %d of %s", o.Stage, describe(&e.Change))
	}
	text := what + " is " + map[ops.Verdict]string{ops.Healthy: "healthy", ops.Unhealthy: "unhealthy", ops.NoData: "without enough data"}[o.Verdict]
	if len(o.Reasons) > 0 {
		text += ": " + o.Reasons[0].Message
	}
	s.figures.verdicts.WithLabelValues(string(o.Verdict)).Inc()
	receipt := s.commit(e, event(e, at, "change.verdict", ops.System.Name, text,
		map[string]any{"stage": o.Stage, "verdict": o.Verdict, "score": o.Score, "reasons": o.Reasons}))
	if o.Verdict == ops.Unhealthy {
		if last := s.stopUnhealthy(e, text, o.At); last != nil {
			return last // what is on disk last has what went before on disk too
		}
	}
	return receipt
}

// tick does what is due at now: ends bakes, follows freezes, forgets old leaves.
func (s *Service) tick(ctx context.Context, now time.Time) error {
	var receipts []*ops.Receipt
	for _, o := range s.bakes.Step(now) {
		receipts = append(receipts, s.settle(o))
	}
	receipts = append(receipts, s.followFreezes(now)...)
	s.dropStale(now)
	crossed, alerts := s.followRedLines(now)
	receipts = append(receipts, crossed...)
	receipts = append(receipts, s.followSuspects(s.incidents(), now)...)
	receipts = append(receipts, s.chaseOverrides(now)...)
	receipts = append(receipts, s.keepCourse(now), s.dropHours(), s.keepHits(now))
	if gone := s.forget(now); len(gone) > 0 {
		receipts = append(receipts, s.journal.Append(ops.Mutation{Delete: gone}))
	}
	for _, r := range receipts {
		if r == nil {
			continue
		}
		if _, err := r.Wait(ctx); err != nil {
			return err
		}
	}
	s.page(ctx, alerts)
	return nil
}
