package plans

import (
	"context"
	"encoding/json"
	"fmt"

	"goc/ops"
)

// stepBody is the body of a plan_step effect. It names the step; what to do is read from the plan, so that no secret of
// the configuration is written to the journal.
type stepBody struct {
	Run  string `json:"run"`
	Step int    `json:"step"` // index in Run.Steps
}

// progress is the data of run.* events.
type progress struct {
	Text string  `json:"text"`
	Run  ops.Run `json:"run"`
}

// incidentProgress is the data of incident.plan_progress.
type incidentProgress struct {
	Text  string       `json:"text"`
	Kind  string       `json:"kind"` // plan
	Run   string       `json:"run"`
	Plan  string       `json:"plan"`
	State ops.RunState `json:"state"`
	Step  int          `json:"step,omitempty"`  // from 1, of Steps
	Steps int          `json:"steps,omitempty"` // how many the plan has
}

// signal lets something happen to a run and returns it once that is on disk.
func (s *Service) signal(ctx context.Context, id string, sig signal) (run, error) {
	s.mu.Lock()
	before, ok := s.runs[id]
	if !ok {
		s.mu.Unlock()
		return run{}, ops.Errorf(ops.NotFound, "there is no such run")
	}
	after, err := advance(before, sig, s.o.Now())
	if err != nil {
		s.mu.Unlock()
		return before, err
	}
	s.runs[id] = after
	receipt := s.o.Journal.Append(s.mutation(before, after, sig))
	s.mu.Unlock()
	if _, err := receipt.Wait(ctx); err != nil {
		return after, err
	}
	s.noticed(before, after, sig)
	return after, nil
}

// noticed counts and logs what has been committed, and wakes the loop.
func (s *Service) noticed(before, after run, sig signal) {
	switch sig.kind {
	case sigDone, sigFailed, sigUnknown, sigDelayed:
		s.steps.WithLabelValues(string(sig.kind)).Inc()
	}
	if after.State.Done() && before.State != after.State {
		s.ended.WithLabelValues(string(after.State)).Inc()
	}
	s.o.Logger.Info("a run moved", "run", after.ID, "plan", after.Plan, "signal", sig.kind, "state", after.State)
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// mutation is all that one signal makes durable: the run, its events, and the step that is due next.
func (s *Service) mutation(before, after run, sig signal) ops.Mutation {
	m := ops.Mutation{Put: []ops.Record{ops.Encode(recordKind, after.ID, after)}}
	s.tell(&m, "run.updated", after, sig.who, sentence(after, sig), sig.step)
	if after.State.Done() && before.State != after.State {
		s.tell(&m, "run.finished", after, sig.who, ending(after), -1)
	}
	if i := current(after); i >= 0 && i != current(before) && sig.kind != sigDelayed {
		m.Effects = append(m.Effects, effect(after, i))
	}
	return m
}

// effect is the order to do step i of a run. Its key is the same on each attempt, and no other run's in any database.
func effect(r run, i int) ops.Effect {
	body, err := json.Marshal(stepBody{Run: r.ID, Step: i})
	if err != nil {
		panic("plans: " + err.Error())
	}
	return ops.Effect{Kind: EffectKind, Key: stepKey(r, i), Lane: "plan:" + r.ID, Body: body}
}

func stepKey(r run, i int) string {
	return fmt.Sprintf("%s-%d-%x", r.ID, i, r.CreatedAt.UnixMilli())
}

// tell adds the event of a run, and the one of its incident.
func (s *Service) tell(m *ops.Mutation, name string, r run, actor, text string, step int) {
	if actor == "" {
		actor = ops.System.Name
	}
	at := ops.At(s.o.Now())
	m.Events = append(m.Events, ops.NewEvent(at, name, "plans", r.ID, actor, progress{Text: text, Run: r.Run}))
	if r.Incident == "" {
		return
	}
	p := incidentProgress{Text: text, Kind: "plan", Run: r.ID, Plan: r.Plan, State: r.State}
	if step >= 0 && step < len(r.Steps) && r.Steps[step].Kind == kindStep {
		p.Step, p.Steps = r.Place[step]+1, count(r, kindStep)
	}
	m.Events = append(m.Events, ops.NewEvent(at, "incident.plan_progress", "incidents", r.Incident, actor, p))
}

// sentence says what a signal did to a run.
func sentence(r run, sig signal) string {
	head := "plan " + r.Plan
	switch sig.kind {
	case sigConfirmed:
		return head + " was confirmed by " + sig.who
	case sigExpired, sigAborted:
		return head + ": " + r.Message
	case sigUndo:
		return head + " is being undone: " + sig.text
	case sigRestarted:
		return head + ": " + r.Message
	}
	return head + " " + stepName(r, sig.step) + " " + outcome(sig)
}

// stepName is "step 2 of 3" for a step, else its kind and name.
func stepName(r run, i int) string {
	step := r.Steps[i]
	if step.Kind == kindStep {
		return fmt.Sprintf("step %d of %d", r.Place[i]+1, count(r, kindStep))
	}
	return fmt.Sprintf("%s %q", word(step.Kind), step.Name)
}

func outcome(sig signal) string {
	switch sig.kind {
	case sigBegun:
		return "started"
	case sigDone:
		return "done"
	case sigHeld:
		return "holds"
	case sigDelayed:
		return "could not be done yet and will be tried again: " + sig.text
	case sigUnknown:
		return "may or may not have been done: " + sig.text
	case sigMissed:
		return "does not hold: " + sig.text
	}
	return "failed: " + sig.text
}

// ending says how a run ended.
func ending(r run) string {
	text := fmt.Sprintf("plan %s (%s) %s", r.Plan, r.ID, r.State)
	if r.Message != "" {
		text += ": " + r.Message
	}
	return text
}

func count(r run, kind string) (n int) {
	for _, s := range r.Steps {
		if s.Kind == kind {
			n++
		}
	}
	return n
}
