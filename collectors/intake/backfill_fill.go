package intake

import (
	"context"
	"errors"
	"net/url"
	"slices"

	"goc/ops"
)

// fill takes what one sender could not deliver, oldest first, and keeps how far it came.
func (s *Service) fill(ctx context.Context, f *feeder) {
	now := s.now()
	if now.Before(f.notBefore) {
		return
	}
	since := now.Add(-backfillReach)
	if at := f.cursor.Add(-backfillOverlap); !f.cursor.IsZero() && at.After(since) {
		since = at
	}
	list, upTo, err := f.look(ctx, f, since)
	open, failed := s.takeAll(ctx, f, list)
	for _, m := range open { // how far it came is before what is still to be taken
		if m.at.Before(upTo.Time) {
			upTo = m.at
		}
	}
	if err = errors.Join(err, failed); err != nil {
		s.backfillFailed(ctx, f, err, len(open))
	}
	if upTo.After(f.cursor.Time) {
		if err := s.keep(ctx, f, upTo); err != nil && ctx.Err() == nil {
			s.log.Error("how far the back-fill came was not kept", "sender", f.key, "err", err)
		}
	}
}

// takeAll takes what was missed, and returns what is still to be taken and the first failure. What fails is tried in the
// next rounds after the others, so that it holds none of them up; many failures in a row are the sender's, and end the round.
func (s *Service) takeAll(ctx context.Context, f *feeder, list []missed) (open []missed, failure error) {
	slices.SortStableFunc(list, func(a, b missed) int { return f.rank(a) - f.rank(b) })
	failed, tried, row := map[string]bool{}, 0, 0
	for _, m := range list {
		if _, before := f.taken.has(m.id); before {
			continue
		}
		if tried++; tried > backfillTaken || row >= backfillFailing {
			open, failed[m.id] = append(open, m), f.failed[m.id]
			continue
		}
		err := s.takeMissed(ctx, f, m)
		if err == nil {
			f.taken.add(m.id, seen{})
			row = 0
			continue
		}
		open, failed[m.id], row = append(open, m), true, row+1
		if failure == nil {
			failure = err
		}
		if unreachable(ctx, err) {
			row = backfillFailing
		}
	}
	f.failed = failed
	return open, failure
}

// rank puts behind the others what failed before.
func (f *feeder) rank(m missed) int {
	if f.failed[m.id] {
		return 1
	}
	return 0
}

// unreachable says whether after this failure nothing else can be fetched either.
func unreachable(ctx context.Context, err error) bool {
	var p *pause
	var u *url.Error
	return ctx.Err() != nil || errors.As(err, &p) || errors.As(err, &u)
}

// takeMissed takes one. What can never be taken is told, counted and left; what may be taken later is an error.
func (s *Service) takeMissed(ctx context.Context, f *feeder, m missed) error {
	took, err := m.take(ctx)
	switch {
	case err == nil && took.ChangeID != "":
		s.backfilled.WithLabelValues(f.product, "looked_at").Inc()
	case err == nil:
		s.unused.WithLabelValues(f.product, took.reason()).Inc()
	case refusedForGood(err):
		s.backfilled.WithLabelValues(f.product, "skipped").Inc()
		s.log.Warn("what was not delivered is left out for good", "sender", f.key, "delivery", m.id, "at", m.at, "err", err)
	default:
		return err
	}
	return nil
}

// refusedForGood says whether an error would come again, however often one tries.
func refusedForGood(err error) bool {
	switch ops.KindOf(err) {
	case ops.Invalid, ops.Conflict, ops.NotFound, ops.TooLarge:
		return true
	}
	return false
}

func (s *Service) backfillFailed(ctx context.Context, f *feeder, err error, open int) {
	if ctx.Err() != nil {
		return
	}
	s.backfilled.WithLabelValues(f.product, "failed").Inc()
	var p *pause
	if errors.As(err, &p) {
		f.notBefore = s.now().Add(min(p.wanted, maxPause))
	}
	s.log.Warn("what was not delivered could not all be fetched; it is tried again", "sender", f.key, "left", open, "err", err)
}

// keep makes the cursor durable.
func (s *Service) keep(ctx context.Context, f *feeder, at ops.Time) error {
	_, err := s.cursors.Append(ops.Mutation{Put: []ops.Record{ops.Encode(kindCursor, f.key, at)}}).Wait(ctx)
	if err == nil {
		f.cursor = at
	}
	return err
}
