package plans

import (
	"context"
	"errors"
	"time"

	"goc/ops"
)

const (
	confirmWithin = 30 * time.Minute // after that a run that nobody confirmed is aborted: what was true then may not be now
	askWithin     = 5 * time.Second  // for one query
)

// Run polls the checks of the runs that wait for them and ends the runs that nobody confirms. It returns when ctx ends.
func (s *Service) Run(ctx context.Context) error {
	tick := time.NewTicker(s.o.Poll)
	defer tick.Stop()
	for {
		for _, r := range s.due() {
			if err := s.look(ctx, r); err != nil && ctx.Err() == nil {
				s.o.Logger.Error("a run could not be moved", "run", r.ID, "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-s.wake:
		}
	}
}

// due lists the runs to which time alone may do something.
func (s *Service) due() []run {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []run
	for _, r := range s.runs {
		if !r.State.Done() {
			out = append(out, r)
		}
	}
	return out
}

// look does what time alone may do to a run.
func (s *Service) look(ctx context.Context, r run) error {
	if r.State == ops.RunWaiting && s.o.Now().Sub(r.CreatedAt.Time) >= confirmWithin {
		return s.tolerant(ctx, r.ID, signal{kind: sigExpired, step: -1, text: "nobody confirmed it within " + ops.Duration(confirmWithin).String()})
	}
	checks := openChecks(r)
	if len(checks) == 0 {
		return nil
	}
	p, err := s.same(r)
	for _, i := range checks {
		if err != nil {
			return s.tolerant(ctx, r.ID, signal{kind: sigMissed, step: i, text: err.Error()})
		}
		check := p.Verify
		if r.Steps[i].Kind == kindPrecondition {
			check = p.Precondition
		}
		if err := s.poll(ctx, r, i, check[r.Place[i]]); err != nil {
			return err
		}
	}
	return nil
}

// poll asks one check and moves the run when it holds, or when its time is over.
func (s *Service) poll(ctx context.Context, r run, i int, c ops.Check) error {
	holds, text := s.ask(ctx, c)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	switch {
	case holds:
		return s.tolerant(ctx, r.ID, signal{kind: sigHeld, step: i, text: text})
	case s.o.Now().Sub(r.CheckingAt.Time) >= time.Duration(c.Within):
		if c.Within > 0 {
			text += ", " + c.Within.String() + " after it was first asked"
		}
		return s.tolerant(ctx, r.ID, signal{kind: sigMissed, step: i, text: text})
	}
	return nil
}

// tolerant takes it for granted that a person may have moved the run meanwhile.
func (s *Service) tolerant(ctx context.Context, id string, sig signal) error {
	_, err := s.signal(ctx, id, sig)
	var e *ops.Error
	if errors.As(err, &e) && e.Kind == ops.Conflict {
		return nil
	}
	return err
}

// ask evaluates a check now. A query that cannot be answered does not hold.
func (s *Service) ask(ctx context.Context, c ops.Check) (bool, string) {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	points, err := s.o.Querier.Query(ctx, c.Query, s.o.Now())
	if err != nil {
		return false, "it could not be checked: " + err.Error()
	}
	return c.Holds(points)
}
