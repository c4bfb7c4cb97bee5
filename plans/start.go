package plans

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"goc/ops"
)

// keep is how many runs are kept; older ones that have ended go, and the audit still tells of them.
const keep = 1000

// maxActive bounds the runs that are under way at once.
const maxActive = 100

// prepared is a plan made ready for one run: whether it may run is in problems.
type prepared struct {
	plan     ops.Plan
	params   map[string]string
	scope    ops.Scope
	steps    []string
	problems []*ops.Error
}

// DryRun says what a plan would do now, and what stands in its way. It changes nothing.
func (s *Service) DryRun(ctx context.Context, _ ops.Principal, plan string, r ops.RunRequest) (ops.DryRun, error) {
	p, err := s.prepare(ctx, plan, r)
	if err != nil {
		return ops.DryRun{}, err
	}
	out := ops.DryRun{Plan: plan, At: ops.At(s.o.Now()), Params: p.params, Scope: p.scope, Steps: p.steps, SecondPerson: p.plan.SecondPerson, Problems: []string{}}
	out.Stores, out.Devices = s.o.Affected(p.scope)
	out.Reversible = !slices.ContainsFunc(p.plan.Steps, func(st ops.Step) bool { return st.Undo == nil })
	for _, e := range p.problems {
		out.Problems = append(out.Problems, e.Error())
	}
	for _, check := range p.plan.Precondition {
		if ok, text := s.ask(ctx, check); !ok {
			out.Problems = append(out.Problems, fmt.Sprintf("precondition %q does not hold: %s", check.Name, text))
		}
	}
	s.mu.Lock()
	if err := s.mayStart(plan, r.Incident); err != nil {
		out.Problems = append(out.Problems, err.Error())
	}
	s.mu.Unlock()
	out.OK = len(out.Problems) == 0
	return out, nil
}

// Start begins a run: at once when Confirm is the plan's name and no second person is needed, else once it is confirmed.
func (s *Service) Start(ctx context.Context, who ops.Principal, plan string, req ops.RunRequest) (ops.Run, error) {
	p, err := s.prepare(ctx, plan, req)
	if err != nil {
		return ops.Run{}, err
	}
	if req.Confirm != "" && req.Confirm != plan {
		return ops.Run{}, ops.Errorf(ops.Invalid, "must be the plan's name, or absent").At("body.confirm")
	}
	if len(p.problems) > 0 {
		return ops.Run{}, p.problems[0]
	}
	s.mu.Lock()
	if err := s.mayStart(plan, req.Incident); err != nil {
		s.mu.Unlock()
		return ops.Run{}, err
	}
	r := s.make(p, who, req)
	m := ops.Mutation{Put: []ops.Record{ops.Encode(recordKind, r.ID, r)}}
	s.tell(&m, "run.created", r, who.Name, created(r), -1)
	if i := current(r); i >= 0 {
		m.Effects = append(m.Effects, effect(r, i))
	}
	s.runs[r.ID] = r
	m.Delete = s.forget()
	receipt := s.o.Journal.Append(m)
	s.mu.Unlock()
	if _, err := receipt.Wait(ctx); err != nil {
		return ops.Run{}, err
	}
	s.noticed(run{}, r, signal{kind: "created", step: -1})
	return r.public(), nil
}

// mayStart refuses a second run of a plan for the same incident while the first is not over. The caller holds s.mu.
func (s *Service) mayStart(plan, incident string) error {
	active := 0
	for _, r := range s.runs {
		if r.State.Done() && r.State != ops.RunIndeterminate {
			continue
		}
		if active++; r.Plan == plan && r.Incident == incident {
			return ops.Errorf(ops.Conflict, "%s of this plan is %s", r.ID, r.State).WithHint("wait for it, confirm it, or abort it")
		}
	}
	if active >= maxActive {
		return ops.Errorf(ops.Unavailable, "%d runs are under way, which is the most there may be", active)
	}
	return nil
}

// forget drops the oldest runs beyond keep from memory and returns their records. What is under way stays, and of each
// plan the last run that went well: it is how one knows that the plan was rehearsed. The caller holds s.mu.
func (s *Service) forget() (gone []ops.Record) {
	if len(s.runs) <= keep {
		return nil
	}
	well := s.well()
	for _, r := range slices.SortedFunc(maps.Values(s.runs), func(a, b run) int { return cmp.Compare(number(a.ID), number(b.ID)) }) {
		if len(s.runs) <= keep {
			break
		}
		if r.State.Done() && r.State != ops.RunIndeterminate && well[r.Plan].ID != r.ID {
			delete(s.runs, r.ID)
			gone = append(gone, ops.Record{Kind: recordKind, ID: r.ID})
		}
	}
	return gone
}

// well is the last run of each plan in force that succeeded, or was undone as it should. The caller holds s.mu.
func (s *Service) well() map[string]run {
	out := map[string]run{}
	for _, p := range s.config.Load().Plans {
		out[p.Name] = run{}
	}
	for _, r := range s.runs {
		last, known := out[r.Plan]
		if known && (r.State == ops.RunSucceeded || r.State == ops.RunUndone) && (last.ID == "" || r.FinishedAt.After(last.FinishedAt.Time)) {
			out[r.Plan] = r
		}
	}
	return out
}

// Rehearsed is when each plan in force last ran with success; one that never did is left out.
func (s *Service) Rehearsed() map[string]time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]time.Time{}
	for name, r := range s.well() {
		if r.ID != "" {
			out[name] = r.FinishedAt.Time
		}
	}
	return out
}

// make builds the run that Start records. The caller holds s.mu.
func (s *Service) make(p prepared, who ops.Principal, req ops.RunRequest) run {
	s.last++
	now := ops.At(s.o.Now())
	r := run{Run: ops.Run{
		ID: fmt.Sprintf("RUN-%d", s.last), Plan: p.plan.Name, Title: p.plan.Title, State: ops.RunWaiting,
		Incident: req.Incident, Scope: p.scope, Params: p.params, StartedBy: who.Name, CreatedAt: now,
		Message: "waits for a confirmation",
	}, Spec: fingerprint(p.plan), Second: p.plan.SecondPerson}
	for i, c := range p.plan.Precondition {
		r.add(c.Name, kindPrecondition, i)
	}
	for i, st := range p.plan.Steps {
		r.add(st.Name, kindStep, i)
	}
	for i, c := range p.plan.Verify {
		r.add(c.Name, kindVerify, i)
	}
	switch {
	case r.Second:
		r.Message = "waits for a second person to confirm"
	case req.Confirm == p.plan.Name:
		r.State, r.ConfirmedBy, r.CheckingAt, r.Message = ops.RunRunning, who.Name, now, ""
	}
	return r
}

func (r *run) add(name, kind string, place int) {
	r.Steps = append(r.Steps, ops.RunStep{Name: name, Kind: kind, State: stepPending})
	r.Place = append(r.Place, place)
}

func created(r run) string {
	text := fmt.Sprintf("%s started plan %s (%s)", r.StartedBy, r.Plan, r.ID)
	if r.State == ops.RunWaiting {
		text += ", which " + r.Message
	}
	return text
}

// prepare fills the parameters and the steps' texts. What stands in the way goes to problems; an error means that there
// is no such plan or incident.
func (s *Service) prepare(ctx context.Context, plan string, r ops.RunRequest) (prepared, error) {
	p, err := s.plan(plan)
	if err != nil {
		return prepared{}, err
	}
	if err := r.Scope.Validate("body.scope"); err != nil {
		return prepared{}, err
	}
	var inc ops.Incident
	if r.Incident != "" {
		if inc, err = s.o.Incident(ctx, r.Incident); err != nil {
			return prepared{}, err
		}
	}
	out := prepared{plan: p, scope: r.Scope}
	if out.scope.Empty() {
		out.scope = inc.Scope
	}
	if out.scope.Empty() {
		out.scope = p.Scope
	}
	if !s.o.Overlap(p.Scope, out.scope) {
		out.problems = append(out.problems, ops.Errorf(ops.Invalid, "lies outside of where the plan may be used (%s)", clip(p.Scope.String(), 200)).At("body.scope"))
	}
	out.fillParams(r, inc)
	for i, st := range p.Steps {
		text, err := describe(st, withBuiltin(out.params, "RUN-0", plan, r.Incident))
		if err != nil && len(out.problems) == 0 {
			out.problems = append(out.problems, ops.Errorf(ops.Invalid, "step %d (%s): %w", i+1, st.Name, err).At("body.params"))
		}
		out.steps = append(out.steps, text)
	}
	return out, nil
}

// fillParams takes each parameter from the request, else from the incident, else its default.
func (p *prepared) fillParams(r ops.RunRequest, inc ops.Incident) {
	p.params = map[string]string{}
	for _, param := range p.plan.Params {
		at := "body.params." + param.Name
		value, given := r.Params[param.Name]
		if !given || value == "" {
			value = fromIncident(param.From, inc, p.scope)
		}
		if value == "" {
			value = param.Default
		}
		if value == "" && param.Required {
			e := ops.Errorf(ops.Invalid, "is required").At(at)
			if param.From != "" {
				e = e.WithHint("the incident names no " + param.From + " to take it from: give it by hand")
			}
			p.problems = append(p.problems, e)
		}
		if err := checkParam(value); err != nil {
			p.problems = append(p.problems, err.At(at))
		}
		p.params[param.Name] = value
	}
	for name := range r.Params {
		if !slices.ContainsFunc(p.plan.Params, func(q ops.Param) bool { return q.Name == name }) {
			p.problems = append(p.problems, ops.Errorf(ops.Invalid, "the plan has no parameter of this name").At("body.params."+clip(name, 64)))
		}
	}
}

// fromIncident is what a parameter's From stands for. Several services, stores or cities are joined by commas.
func fromIncident(from string, inc ops.Incident, scope ops.Scope) string {
	switch from {
	case "suspect":
		if s, ok := suspect(inc); ok {
			return s.ChangeID
		}
	case "service":
		return strings.Join(scope.Service, ",")
	case "store":
		return strings.Join(scope.Store, ",")
	case "city":
		return strings.Join(scope.City, ",")
	case "incident":
		return inc.ID
	}
	return ""
}

// suspect is the change that people should look at first: the confirmed one, else the first that nobody has rejected.
func suspect(inc ops.Incident) (ops.Suspect, bool) {
	for _, s := range inc.Suspects {
		if s.Verdict == "confirmed" {
			return s, true
		}
	}
	for _, s := range inc.Suspects {
		if s.Verdict != "rejected" {
			return s, true
		}
	}
	return ops.Suspect{}, false
}

// withBuiltin adds the parameters that every run has.
func withBuiltin(params map[string]string, id, plan, incident string) map[string]string {
	out := map[string]string{"run": id, "plan": plan, "incident": incident}
	for k, v := range params {
		out[k] = v
	}
	return out
}
