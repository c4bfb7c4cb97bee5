package plans

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"goc/ops"
)

// maxAttempts is how often a step that was certainly not done is tried before it counts as failed.
const maxAttempts = 4

// Confirm lets a waiting run go. Of an indeterminate run it is a person's word that the step in question was done: it is
// not done again, and the run goes on with the next.
func (s *Service) Confirm(ctx context.Context, who ops.Principal, id string) (ops.Run, error) {
	r, err := s.signal(ctx, id, signal{kind: sigConfirmed, who: who.Name, step: -1})
	return answer(r, err)
}

// Abort stops a run: no further step is begun. A step that is under way is left to end.
func (s *Service) Abort(ctx context.Context, who ops.Principal, id string) (ops.Run, error) {
	r, err := s.signal(ctx, id, signal{kind: sigAborted, who: who.Name, text: "aborted by " + who.Name, step: -1})
	return answer(r, err)
}

// Undo does the undo steps of what a run has done (or may have done), the last first.
func (s *Service) Undo(ctx context.Context, who ops.Principal, id string) (ops.Run, error) {
	s.mu.Lock()
	r, ok := s.runs[id]
	s.mu.Unlock()
	if !ok {
		return ops.Run{}, ops.Errorf(ops.NotFound, "there is no such run")
	}
	p, err := s.same(r)
	if err != nil {
		return ops.Run{}, err
	}
	sig := undoable(r, p)
	sig.who = who.Name
	r, err = s.signal(ctx, id, sig)
	return answer(r, err)
}

func answer(r run, err error) (ops.Run, error) {
	if err != nil {
		return ops.Run{}, err
	}
	return r.public(), nil
}

// same returns the run's plan, if it is still the one that the run was made of.
func (s *Service) same(r run) (ops.Plan, error) {
	p, err := s.plan(r.Plan)
	if err != nil {
		return p, ops.Errorf(ops.Conflict, "plan %s is no longer in the configuration", r.Plan).WithHint("do what is left by hand")
	}
	if fingerprint(p) != r.Spec {
		return p, ops.Errorf(ops.Conflict, "plan %s has been changed since %s was made of it", r.Plan, r.ID).WithHint("do what is left by hand")
	}
	return p, nil
}

// undoable is the signal that undoes a run: the undo of each step that was or may have been done, the last first.
func undoable(r run, p ops.Plan) signal {
	sig := signal{kind: sigUndo, step: -1}
	undone := map[int]bool{}
	for i, st := range r.Steps {
		if st.Kind == kindUndo && st.State == stepSucceeded {
			undone[r.Place[i]] = true
		}
	}
	var without []string
	for i := len(r.Steps) - 1; i >= 0; i-- {
		st, place := r.Steps[i], r.Place[i]
		if st.Kind != kindStep || undone[place] || st.State != stepSucceeded && st.State != stepIndeterminate {
			continue
		}
		if p.Steps[place].Undo == nil {
			without = append(without, st.Name)
			continue
		}
		sig.undo = append(sig.undo, ops.RunStep{Name: p.Steps[place].Undo.Name, Kind: kindUndo, State: stepPending})
		sig.at = append(sig.at, place)
	}
	sig.text = "what was done is taken back"
	if len(without) > 0 {
		sig.text += "; not to be undone: " + strings.Join(without, ", ")
	}
	return sig
}

// HandleStep does one plan_step effect. The outbox calls it; it must not be called twice at once for one effect. The
// step is recorded as running before it is tried, so that after a crash nobody takes it for untried.
func (s *Service) HandleStep(ctx context.Context, e ops.Effect) error {
	r, i, err := s.target(e)
	if err != nil {
		return ops.Permanent(err)
	}
	if r.State.Done() || r.Steps[i].State == stepSkipped {
		return nil // aborted before it was begun
	}
	p, err := s.same(r)
	if err != nil {
		return ops.Permanent(errors.Join(err, s.refuse(ctx, r.ID, i, err)))
	}
	if _, err := s.signal(ctx, r.ID, signal{kind: sigBegun, step: i}); err != nil {
		return ops.Permanent(err)
	}
	step := p.Steps[r.Place[i]]
	if r.Steps[i].Kind == kindUndo {
		step = *step.Undo
	}
	ctx, cancel := unhurried(ctx)
	defer cancel()
	text, err := s.o.Executor.Do(ctx, stepKey(r, i), step, withBuiltin(r.Params, r.ID, r.Plan, r.Incident))
	return s.report(ctx, r.ID, i, text, err, e.Attempts)
}

// unhurried is a context that ends when parent is cancelled, as when the program ends, but not by parent's deadline: how
// long a step may take is the step's to say.
func unhurried(parent context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(parent))
	stop := context.AfterFunc(parent, func() {
		if errors.Is(parent.Err(), context.Canceled) {
			cancel()
		}
	})
	return ctx, func() { stop(); cancel() }
}

// target reads which step an effect is about.
func (s *Service) target(e ops.Effect) (run, int, error) {
	var b stepBody
	if err := json.Unmarshal(e.Body, &b); err != nil {
		return run{}, 0, ops.Errorf(ops.Invalid, "the effect's body cannot be read")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.runs[b.Run]
	if !ok || b.Step < 0 || b.Step >= len(r.Steps) || !acts(r.Steps[b.Step]) {
		return run{}, 0, ops.Errorf(ops.NotFound, "there is no such step")
	}
	return r, b.Step, nil
}

// refuse fails a step without trying it.
func (s *Service) refuse(ctx context.Context, id string, i int, why error) error {
	if _, err := s.signal(ctx, id, signal{kind: sigBegun, step: i}); err != nil {
		return err
	}
	_, err := s.signal(ctx, id, signal{kind: sigFailed, step: i, text: why.Error()})
	return err
}

// report records how a step ended. It is recorded even when ctx ended: what happened, happened.
func (s *Service) report(ctx context.Context, id string, i int, text string, failed error, attempts int) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	sig := signal{kind: sigDone, step: i, text: clip(strings.TrimSpace(text), 200)}
	var how *StepError
	switch {
	case failed == nil:
	case errors.As(failed, &how) && how.Unknown:
		sig.kind, sig.text = sigUnknown, how.Text
	case how != nil && how.Retry > 0 && attempts < maxAttempts:
		sig.kind, sig.text = sigDelayed, how.Text
	default:
		sig.kind, sig.text = sigFailed, failed.Error()
	}
	after, err := s.signal(ctx, id, sig)
	switch {
	case err != nil:
		return ops.Permanent(err)
	case sig.kind == sigDelayed && !after.State.Done():
		return ops.RetryAfter(how.Retry, failed)
	case sig.kind == sigDelayed:
		return nil
	}
	return ops.Permanent(failed)
}

// Settled takes what the outbox says became of a plan_step effect that did not end well; other effects it ignores. A
// step that was recorded as begun waits for a person. One that was not recorded as begun was certainly not tried: when the
// program stopped it is ordered again, when it was given up it has failed.
func (s *Service) Settled(ctx context.Context, e ops.Effect) error {
	if e.Kind != EffectKind || e.State == "done" {
		return nil
	}
	r, i, err := s.target(e)
	switch {
	case err != nil:
		return err
	case r.Steps[i].State == stepRunning:
		return s.tolerant(ctx, r.ID, signal{kind: sigUnknown, step: i, text: clip(e.Error, 200)})
	case current(r) != i:
		return nil
	case e.State != "indeterminate":
		return s.refuse(ctx, r.ID, i, errors.New(clip(e.Error, 200)))
	}
	s.mu.Lock()
	if r = s.runs[r.ID]; current(r) != i {
		s.mu.Unlock()
		return nil
	}
	receipt := s.o.Journal.Append(ops.Mutation{Effects: []ops.Effect{effect(r, i)}})
	s.mu.Unlock()
	_, err = receipt.Wait(ctx)
	return err
}
