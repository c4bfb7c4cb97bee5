package plans_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"goc/ops"
	"goc/plans"
)

// crashed is a run whose first step is under way when the program stops: the journal as it was left.
func crashed(t *testing.T) (*journal, *target, ops.Effect) {
	x, j := newTarget(t), &journal{}
	s := open(t, j, &gauge{}, rollback(x.URL))
	if _, err := s.Start(t.Context(), alice, "rollback-release", ops.RunRequest{Incident: "INC-1", Confirm: "rollback-release"}); err != nil {
		t.Fatal(err)
	}
	e, _ := j.take()
	left := &journal{records: map[string]ops.Record{}}
	begun := false
	stop := recorder{journal: j, after: func(m ops.Mutation) {
		if !begun { // what was on disk when the step had been recorded as begun
			begun = true
			for k, v := range j.records {
				left.records[k] = v
			}
		}
	}}
	s = reopen(t, &stop, x)
	if err := s.HandleStep(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	return left, x, e
}

// recorder is a journal that shows each mutation after it was applied.
type recorder struct {
	*journal
	after func(ops.Mutation)
}

func (r *recorder) Append(m ops.Mutation) *ops.Receipt {
	receipt := r.journal.Append(m)
	r.after(m)
	return receipt
}

// settled is the effect as the outbox settles it after a crash.
func settled(e ops.Effect) ops.Effect {
	e.State, e.Error = "indeterminate", "goc ended while it was being tried"
	return e
}

func reopen(t *testing.T, j plans.Journal, x *target) *plans.Service {
	t.Helper()
	s, err := plans.New(t.Context(), plans.Options{
		Config: plans.Config{Plans: []ops.Plan{rollback(x.URL)}}, Journal: j, Querier: &gauge{},
		Incident: func(context.Context, string) (ops.Incident, error) { return incident(), nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAStepUnderWayAtACrashWaitsForAPersonAndIsNeverDoneTwice(t *testing.T) {
	left, x, e := crashed(t)
	s := reopen(t, left, x)
	r := state(t, s, "RUN-1", ops.RunIndeterminate)
	if want := "step pause indeterminate\nstep roll back pending\nstep say so pending"; steps(r) != want {
		t.Errorf("steps\n%s\nwant\n%s", steps(r), want)
	}
	if err := s.Settled(t.Context(), settled(e)); err != nil {
		t.Fatal(err)
	}
	if err := s.HandleStep(t.Context(), e); err != nil && !ops.IsPermanent(err) {
		t.Errorf("the old effect: %v", err)
	}
	left.deliver(t, s)
	if got := len(x.seen()); got != 1 {
		t.Errorf("asked %d times, want the one before the crash", got)
	}
	if _, err := s.Confirm(t.Context(), bob, "RUN-1"); err != nil {
		t.Fatal(err)
	}
	left.deliver(t, s)
	state(t, s, "RUN-1", ops.RunSucceeded)
	if got := x.seen(); len(got) != 3 || strings.Count(strings.Join(got, "\n"), "/pause") != 1 {
		t.Errorf("asked %q: the step of the crash must not be done again", got)
	}
}

func TestAnIndeterminateRunCanBeUndoneOrAborted(t *testing.T) {
	left, x, _ := crashed(t)
	s := reopen(t, left, x)
	if _, err := s.Start(t.Context(), bob, "rollback-release", ops.RunRequest{Incident: "INC-1"}); ops.KindOf(err) != ops.Conflict {
		t.Errorf("another run beside an indeterminate one: %v, want a conflict", err)
	}
	if _, err := s.Undo(t.Context(), bob, "RUN-1"); err != nil {
		t.Fatal(err)
	}
	left.deliver(t, s)
	state(t, s, "RUN-1", ops.RunUndone)
	if got := x.seen(); len(got) != 2 || got[1] != "POST /changes/CHG-7/resume" {
		t.Errorf("asked %q, want only the undo of what may have been done", got)
	}
	left, x, _ = crashed(t)
	s = reopen(t, left, x)
	if r, err := s.Abort(t.Context(), bob, "RUN-1"); err != nil || r.State != ops.RunAborted {
		t.Errorf("%s %v", r.State, err)
	}
}

func TestAStepThatTheOutboxClaimedAndNobodyBeganIsOrderedAgain(t *testing.T) {
	x, j := newTarget(t), &journal{}
	s := open(t, j, &gauge{}, rollback(x.URL))
	s.Start(t.Context(), alice, "rollback-release", ops.RunRequest{Incident: "INC-1", Confirm: "rollback-release"})
	e, _ := j.take() // claimed; then the program stops
	s = reopen(t, j, x)
	if err := s.Settled(t.Context(), settled(e)); err != nil {
		t.Fatal(err)
	}
	j.deliver(t, s)
	state(t, s, "RUN-1", ops.RunSucceeded)
	if got := x.seen(); len(got) != 3 {
		t.Errorf("asked %q", got)
	}
}

func TestAStepThatTheOutboxGaveUpEndsTheRun(t *testing.T) {
	x, j := newTarget(t), &journal{}
	s := open(t, j, &gauge{}, rollback(x.URL))
	s.Start(t.Context(), alice, "rollback-release", ops.RunRequest{Incident: "INC-1", Confirm: "rollback-release"})
	e, _ := j.take()
	e.State, e.Error = "failed", "nothing is configured that handles plan_step"
	if err := s.Settled(t.Context(), e); err != nil {
		t.Error(err)
	}
	state(t, s, "RUN-1", ops.RunFailed)
}

func TestAStepMayTakeLongerThanOneAttemptOfTheOutbox(t *testing.T) {
	j := &journal{}
	p := ops.Plan{Name: "p", Steps: []ops.Step{{Name: "slow", Command: &ops.CommandStep{Argv: []string{"/bin/sh", "-c", "sleep 0.3"}}}}}
	s := open(t, j, &gauge{}, p)
	r, _ := s.Start(t.Context(), alice, "p", ops.RunRequest{Confirm: "p"})
	e, _ := j.take()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := s.HandleStep(ctx, e); err != nil {
		t.Error(err)
	}
	state(t, s, r.ID, ops.RunSucceeded)
}

func TestARunWhosePlanHasChangedDoesNothingMore(t *testing.T) {
	x, j := newTarget(t), &journal{}
	s := open(t, j, &gauge{}, rollback(x.URL))
	s.Start(t.Context(), alice, "rollback-release", ops.RunRequest{Incident: "INC-1", Confirm: "rollback-release"})
	p := rollback(x.URL)
	p.Steps[0].HTTP.URL = x.URL + "/something-else"
	if err := s.Reload(plans.Config{Plans: []ops.Plan{p}}); err != nil {
		t.Fatal(err)
	}
	j.deliver(t, s)
	if r := state(t, s, "RUN-1", ops.RunFailed); !strings.Contains(r.Message, "has been changed") || len(x.seen()) != 0 {
		t.Errorf("%q, asked %q", r.Message, x.seen())
	}
}

func TestAnAnswerThatNeverCameIsIndeterminate(t *testing.T) {
	var asked atomic.Int32
	hang := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { asked.Add(1); <-hang }))
	defer srv.Close()
	defer close(hang)
	p := ops.Plan{Name: "p", Steps: []ops.Step{{Name: "slow", HTTP: &ops.HTTPStep{URL: srv.URL}, Timeout: ops.Duration(50 * time.Millisecond)}}}
	j := &journal{}
	s := open(t, j, &gauge{}, p)
	r, _ := s.Start(t.Context(), alice, "p", ops.RunRequest{Confirm: "p"})
	j.deliver(t, s)
	state(t, s, r.ID, ops.RunIndeterminate)
	if n := asked.Load(); n != 1 {
		t.Errorf("asked %d times: what may have been done must not be tried again", n)
	}
}

func TestVerificationIsPolledUntilItHoldsOrItsTimeIsOver(t *testing.T) {
	for name, c := range map[string]struct {
		mends time.Duration
		want  ops.RunState
	}{
		"it holds in time":           {40 * time.Second, ops.RunSucceeded},
		"it does not hold in time":   {80 * time.Second, ops.RunFailed},
		"it holds at the first look": {0, ops.RunSucceeded},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j, g := &journal{}, &gauge{}
				p := ops.Plan{
					Name: "p", Steps: []ops.Step{{Name: "echo", Command: &ops.CommandStep{Argv: []string{"/bin/echo", "x"}}}},
					Verify: []ops.Check{{Name: "errors are gone", Query: "errors", Below: &half, Within: ops.Duration(time.Minute)}},
				}
				g.set(1)
				s := open(t, j, g, p)
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan error)
				go func() { done <- s.Run(ctx) }()
				r, err := s.Start(t.Context(), alice, "p", ops.RunRequest{Confirm: "p"})
				if err != nil {
					t.Fatal(err)
				}
				j.deliver(t, s)
				time.Sleep(c.mends)
				if c.mends > 0 && c.mends < time.Minute {
					state(t, s, r.ID, ops.RunVerifying)
				}
				g.set(0)
				time.Sleep(3 * time.Second)
				state(t, s, r.ID, c.want)
				cancel()
				if err := <-done; err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestAPreconditionIsAskedBeforeTheFirstStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j, g := &journal{}, &gauge{err: errors.New("down")}
		p := ops.Plan{
			Name: "p", Steps: []ops.Step{{Name: "echo", Command: &ops.CommandStep{Argv: []string{"/bin/echo", "x"}}}},
			Precondition: []ops.Check{{Name: "we can see", Query: "up", Above: &zero}},
		}
		s := open(t, j, g, p)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.Run(ctx) }()
		r, _ := s.Start(t.Context(), alice, "p", ops.RunRequest{Confirm: "p"})
		if len(j.pending) != 0 {
			t.Error("a step was ordered before the precondition was asked")
		}
		synctest.Wait()
		if r = state(t, s, r.ID, ops.RunFailed); steps(r) != "precondition we can see failed\nstep echo skipped" {
			t.Errorf("steps\n%s", steps(r))
		}
		cancel()
		<-done
	})
}

func TestARunThatNobodyConfirmsIsAborted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		s := open(t, j, &gauge{}, ops.Plan{Name: "p", Steps: []ops.Step{{Name: "echo", Command: &ops.CommandStep{Argv: []string{"/bin/echo", "x"}}}}})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.Run(ctx) }()
		r, _ := s.Start(t.Context(), alice, "p", ops.RunRequest{})
		time.Sleep(29 * time.Minute)
		state(t, s, r.ID, ops.RunWaiting)
		time.Sleep(2 * time.Minute)
		state(t, s, r.ID, ops.RunAborted)
		cancel()
		<-done
	})
}
