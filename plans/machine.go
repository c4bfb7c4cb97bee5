package plans

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"goc/ops"
)

// The kinds and states of ops.RunStep.
const (
	kindPrecondition = "precondition"
	kindStep         = "step"
	kindVerify       = "verify"
	kindUndo         = "undo"

	stepPending       = "pending"       // not begun
	stepRunning       = "running"       // begun; its outcome is not known yet
	stepSucceeded     = "succeeded"     // done, or the check held
	stepFailed        = "failed"        // refused or failed, and known to be so
	stepSkipped       = "skipped"       // will not be done
	stepIndeterminate = "indeterminate" // begun, and nobody knows how it ended
)

// run is one run as it is recorded: the public fields, and what it takes to go on after a restart.
type run struct {
	ops.Run
	// Place is, for each of Steps, where it stands in the plan's list of its kind; for an undo the step that it undoes.
	Place []int `json:"place"`
	// Spec is the fingerprint of the plan as it was when the run was made.
	Spec string `json:"spec"`
	// Second says that another person than StartedBy must confirm.
	Second bool `json:"second"`
	// CheckingAt is when the preconditions, later the verifications, began to be polled.
	CheckingAt ops.Time `json:"checking_at"`
}

// signalKind is what may happen to a run.
type signalKind string

const (
	sigConfirmed signalKind = "confirmed" // a person confirmed; of an indeterminate step: says that it was done
	sigExpired   signalKind = "expired"   // nobody confirmed in time
	sigBegun     signalKind = "begun"     // a step is about to be tried
	sigDone      signalKind = "done"      // a step succeeded
	sigFailed    signalKind = "failed"    // a step failed
	sigUnknown   signalKind = "unknown"   // a step's outcome is not known
	sigDelayed   signalKind = "delayed"   // a step was certainly not done and will be tried again
	sigHeld      signalKind = "held"      // a check holds
	sigMissed    signalKind = "missed"    // a check does not hold, and its time is over
	sigAborted   signalKind = "aborted"   // a person stopped the run
	sigUndo      signalKind = "undo"      // a person wants it undone
	sigRestarted signalKind = "restarted" // the program was started and finds the run as it was left
)

// signal is one thing that happened to a run: to which of its steps, by whom, and in words.
type signal struct {
	kind signalKind
	step int
	who  string
	text string
	undo []ops.RunStep // for sigUndo: what to do, in order
	at   []int         // for sigUndo: the plan's steps that they undo
}

// advance is the state machine: what a run becomes when s happens to it at now. It is pure; a signal that does not fit
// the run's state is a Conflict and changes nothing.
func advance(r run, s signal, now time.Time) (run, error) {
	r.Steps, r.Place = slices.Clone(r.Steps), slices.Clone(r.Place)
	switch s.kind {
	case sigConfirmed:
		return confirmed(r, s, now)
	case sigExpired, sigAborted:
		return stopped(r, s, now)
	case sigBegun, sigDone, sigFailed, sigUnknown, sigDelayed:
		return stepped(r, s, now)
	case sigHeld, sigMissed:
		return checked(r, s, now)
	case sigUndo:
		return undoing(r, s)
	case sigRestarted:
		return restarted(r, now), nil
	}
	return r, ops.Errorf(ops.Internal, "unknown signal %s", s.kind)
}

// confirmed lets a waiting run go; of an indeterminate one it takes a person's word that the step was done.
func confirmed(r run, s signal, now time.Time) (run, error) {
	switch r.State {
	case ops.RunWaiting:
		if r.Second && samePerson(s.who, r.StartedBy) {
			return r, ops.Errorf(ops.Denied, "%s needs a second person: whoever started it may not confirm it", r.ID)
		}
		r.State, r.ConfirmedBy, r.CheckingAt, r.Message = ops.RunRunning, s.who, ops.At(now), ""
		return settle(r, now), nil
	case ops.RunIndeterminate:
		i := lastIn(r, stepIndeterminate)
		r.Steps[i].State, r.Steps[i].FinishedAt = stepSucceeded, ops.At(now)
		r.Steps[i].Message = s.who + " looked and says that it was done"
		r.State, r.Message = ops.RunRunning, ""
		if r.Steps[i].Kind == kindUndo {
			r.State = ops.RunUndoing
		}
		return settle(r, now), nil
	}
	return r, conflict(r, "nothing waits for a confirmation")
}

// stopped ends a run early. A step that is under way is left to end: cutting it off would make its outcome unknown.
func stopped(r run, s signal, now time.Time) (run, error) {
	if s.kind == sigExpired && r.State != ops.RunWaiting || r.State.Done() && r.State != ops.RunIndeterminate {
		return r, conflict(r, "it has ended already")
	}
	r.Message = s.text
	if i := lastIn(r, stepRunning); i >= 0 && acts(r.Steps[i]) {
		r.Message += "; " + r.Steps[i].Name + " was under way and is left to end"
	}
	return end(r, ops.RunAborted, now), nil
}

// stepped moves one step of the plan or of its undo.
func stepped(r run, s signal, now time.Time) (run, error) {
	if s.step < 0 || s.step >= len(r.Steps) || !acts(r.Steps[s.step]) {
		return r, conflict(r, "it has no such step")
	}
	step := &r.Steps[s.step]
	if s.kind == sigBegun {
		if s.step != current(r) {
			return r, conflict(r, step.Name+" is not the step that is due")
		}
		step.State, step.StartedAt, step.Message = stepRunning, ops.At(now), ""
		return r, nil
	}
	if step.State != stepRunning {
		return r, conflict(r, step.Name+" is not being done")
	}
	step.Message, step.FinishedAt = s.text, ops.At(now)
	switch s.kind {
	case sigDelayed:
		step.State, step.FinishedAt = stepPending, ops.Time{}
		if r.State.Done() { // aborted meanwhile: it was not done and will not be
			step.State = stepSkipped
		}
		return r, nil
	case sigDone:
		step.State = stepSucceeded
		return settle(r, now), nil
	case sigFailed:
		step.State = stepFailed
		if r.State.Done() {
			return r, nil
		}
		r.Message = step.Name + " failed: " + s.text
		return end(r, ops.RunFailed, now), nil
	}
	step.State = stepIndeterminate
	return unsure(r, s.step), nil
}

// unsure leaves a run to a person because the outcome of step i is not known. An aborted run stays aborted.
func unsure(r run, i int) run {
	text := r.Steps[i].Name + " may or may not have been done (" + r.Steps[i].Message + "): look, then confirm that it was done, abort, or undo"
	if r.State == ops.RunAborted {
		r.Message += "; " + text
		return r
	}
	r.State, r.Message = ops.RunIndeterminate, text
	return r
}

// checked moves one precondition or verification.
func checked(r run, s signal, now time.Time) (run, error) {
	fits := s.step >= 0 && s.step < len(r.Steps) && slices.Contains(openChecks(r), s.step)
	if !fits {
		return r, conflict(r, "it has no such check open")
	}
	step := &r.Steps[s.step]
	step.Message, step.FinishedAt, step.State = s.text, ops.At(now), stepSucceeded
	if s.kind == sigHeld {
		return settle(r, now), nil
	}
	step.State = stepFailed
	r.Message = fmt.Sprintf("the %s %q does not hold: %s", word(step.Kind), step.Name, s.text)
	return end(r, ops.RunFailed, now), nil
}

// undoing turns a run that has ended, or waits for a person, into its own undo.
func undoing(r run, s signal) (run, error) {
	if !r.State.Done() {
		return r, conflict(r, "it is not at its end: abort it first")
	}
	if i := lastIn(r, stepRunning); i >= 0 {
		return r, conflict(r, r.Steps[i].Name+" is still under way")
	}
	if len(s.undo) == 0 {
		return r, conflict(r, "nothing that it did can be undone")
	}
	r.State, r.FinishedAt, r.Message = ops.RunUndoing, ops.Time{}, s.text
	r.Steps, r.Place = append(r.Steps, s.undo...), append(r.Place, s.at...)
	return r, nil
}

// restarted marks what was under way when the program stopped as not known.
func restarted(r run, now time.Time) run {
	for i, s := range r.Steps {
		if s.State == stepRunning && acts(s) {
			r.Steps[i].State, r.Steps[i].FinishedAt = stepIndeterminate, ops.At(now)
			r.Steps[i].Message = "the program stopped while it was under way"
			return unsure(r, i)
		}
	}
	return r
}

// settle moves a run on when nothing of its phase is left to do.
func settle(r run, now time.Time) run {
	switch r.State {
	case ops.RunUndoing:
		if current(r) < 0 && lastIn(r, stepRunning) < 0 {
			return end(r, ops.RunUndone, now)
		}
	case ops.RunRunning:
		if open(r, kindPrecondition) || open(r, kindStep) {
			return r
		}
		if !open(r, kindVerify) {
			r.Message = "all steps are done; the plan has no verification"
			return end(r, ops.RunSucceeded, now)
		}
		r.State, r.CheckingAt = ops.RunVerifying, ops.At(now)
		for i, s := range r.Steps {
			if s.Kind == kindVerify {
				r.Steps[i].State, r.Steps[i].StartedAt = stepRunning, ops.At(now)
			}
		}
	case ops.RunVerifying:
		if !open(r, kindVerify) {
			r.Message = "all steps are done, and it is verified that they worked"
			return end(r, ops.RunSucceeded, now)
		}
	}
	return r
}

// end closes a run: what has not begun is skipped.
func end(r run, state ops.RunState, now time.Time) run {
	r.State, r.FinishedAt = state, ops.At(now)
	for i, s := range r.Steps {
		if s.State == stepPending || s.State == stepRunning && !acts(s) {
			r.Steps[i].State = stepSkipped
		}
	}
	return r
}

// current is the index of the step that is due to be begun; -1 when there is none, or another is not yet known to be done.
func current(r run) int {
	kind := kindStep
	switch {
	case r.State == ops.RunUndoing:
		kind = kindUndo
	case r.State != ops.RunRunning || open(r, kindPrecondition):
		return -1
	}
	for i, s := range r.Steps {
		switch {
		case s.Kind != kind || s.State == stepSucceeded || s.State == stepSkipped:
		case kind == kindUndo && (s.State == stepFailed || s.State == stepIndeterminate): // of an undo that was tried before
		case s.State == stepPending:
			return i
		default:
			return -1
		}
	}
	return -1
}

// openChecks lists the checks that wait for an answer now.
func openChecks(r run) []int {
	var out []int
	for i, s := range r.Steps {
		if r.State == ops.RunRunning && s.Kind == kindPrecondition && s.State == stepPending ||
			r.State == ops.RunVerifying && s.Kind == kindVerify && s.State == stepRunning {
			out = append(out, i)
		}
	}
	return out
}

// open says whether a step of the kind is not at its end.
func open(r run, kind string) bool {
	return slices.ContainsFunc(r.Steps, func(s ops.RunStep) bool {
		return s.Kind == kind && (s.State == stepPending || s.State == stepRunning || s.State == stepIndeterminate)
	})
}

// lastIn is the index of the last step in the state, -1 when there is none.
func lastIn(r run, state string) int {
	for i := len(r.Steps) - 1; i >= 0; i-- {
		if r.Steps[i].State == state {
			return i
		}
	}
	return -1
}

// acts says whether the step does something to the world, as a check does not.
func acts(s ops.RunStep) bool { return s.Kind == kindStep || s.Kind == kindUndo }

// samePerson compares names whatever the way in: slack:alice is alice.
func samePerson(a, b string) bool {
	bare := func(s string) string { return strings.ToLower(s[strings.LastIndex(s, ":")+1:]) }
	return bare(a) == bare(b)
}

func word(kind string) string {
	if kind == kindVerify {
		return "verification"
	}
	return kind
}

func conflict(r run, text string) *ops.Error {
	return ops.Errorf(ops.Conflict, "%s is %s: %s", r.ID, r.State, text)
}
