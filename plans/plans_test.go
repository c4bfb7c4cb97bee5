package plans_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"goc/ops"
	"goc/plans"
)

// journal is a journal in memory, with the outbox's rule that a pending effect of the same key is replaced.
type journal struct {
	mu      sync.Mutex
	records map[string]ops.Record
	events  []ops.Event
	pending []ops.Effect
}

func (j *journal) Append(m ops.Mutation) *ops.Receipt {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, r := range m.Put {
		if j.records == nil {
			j.records = map[string]ops.Record{}
		}
		j.records[r.ID] = r
	}
	for i := range m.Events {
		m.Events[i].Seq = int64(len(j.events) + 1)
		j.events = append(j.events, m.Events[i])
	}
	for _, r := range m.Delete {
		delete(j.records, r.ID)
	}
	for _, e := range m.Effects {
		j.pending = slices.DeleteFunc(j.pending, func(p ops.Effect) bool { return p.Key == e.Key })
		j.pending = append(j.pending, e)
	}
	r := ops.NewReceipt()
	r.Settle(m.Events, nil)
	return r
}

func (j *journal) Load(_ context.Context, kind string, each func(ops.Record) error) error {
	j.mu.Lock()
	all := slices.Collect(maps.Values(j.records))
	j.mu.Unlock()
	for _, r := range all {
		if r.Kind == kind {
			if err := each(r); err != nil {
				return err
			}
		}
	}
	return nil
}

func (j *journal) take() (ops.Effect, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.pending) == 0 {
		return ops.Effect{}, false
	}
	e := j.pending[0]
	j.pending = j.pending[1:]
	return e, true
}

// deliver does what is pending as the outbox does, trying again at once what asks for it.
func (j *journal) deliver(t *testing.T, s *plans.Service) (errs []error) {
	t.Helper()
	for {
		e, ok := j.take()
		if !ok {
			return errs
		}
		for e.Attempts = 1; ; e.Attempts++ {
			err := s.HandleStep(t.Context(), e)
			if _, again := ops.RetryDelay(err); again && e.Attempts < 20 {
				continue
			}
			if err != nil {
				errs = append(errs, err)
			}
			break
		}
	}
}

// texts lists the sentences of the events of a name.
func (j *journal) texts(t *testing.T, name string) []string {
	t.Helper()
	j.mu.Lock()
	defer j.mu.Unlock()
	var out []string
	for _, e := range j.events {
		var d struct{ Text string }
		if err := json.Unmarshal(e.Data, &d); err != nil || d.Text == "" {
			t.Fatalf("event %s has no text: %v", e.Name, err)
		}
		if e.Name == name {
			out = append(out, d.Text)
		}
	}
	return out
}

// gauge is a querier whose every query has the same value, or none, or an error.
type gauge struct {
	mu    sync.Mutex
	value *float64
	err   error
}

func (g *gauge) set(v float64) { g.mu.Lock(); g.value = &v; g.mu.Unlock() }

func (g *gauge) Query(context.Context, string, time.Time) ([]ops.Point, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.value == nil || g.err != nil {
		return nil, g.err
	}
	return []ops.Point{{Value: *g.value}}, nil
}

func (g *gauge) QueryRange(context.Context, string, time.Time, time.Time, time.Duration) ([]ops.Curve, error) {
	return nil, nil
}

// target is a real HTTP server that records what it was asked, and answers what the test says for a path.
type target struct {
	*httptest.Server
	mu     sync.Mutex
	asked  []string
	keys   []string
	status map[string][]int // answers for a path, in turn; the last one stays
}

func newTarget(t *testing.T) *target {
	x := &target{status: map[string][]int{}}
	x.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		x.mu.Lock()
		x.asked = append(x.asked, strings.TrimSpace(r.Method+" "+r.URL.RequestURI()+" "+string(body)))
		x.keys = append(x.keys, r.Header.Get("Idempotency-Key"))
		code := 200
		if s := x.status[r.URL.Path]; len(s) > 0 {
			code = s[0]
			if len(s) > 1 {
				x.status[r.URL.Path] = s[1:]
			}
		}
		x.mu.Unlock()
		w.WriteHeader(code)
		fmt.Fprintf(w, "echo %s", r.Header.Get("Authorization"))
	}))
	t.Cleanup(x.Close)
	return x
}

func (x *target) seen() []string { x.mu.Lock(); defer x.mu.Unlock(); return slices.Clone(x.asked) }

var (
	alice = ops.Principal{Name: "alice", Role: ops.Responder}
	bob   = ops.Principal{Name: "bob", Role: ops.Responder}
	zero  = 0.0
	half  = 0.5
)

// rollback is the plan of the tests: two steps with undo and one without.
func rollback(url string) ops.Plan {
	step := func(name, path, body string) ops.Step {
		return ops.Step{Name: name, HTTP: &ops.HTTPStep{URL: url + path, Body: body, Headers: map[string]string{"Authorization": "Bearer s3cret-token"}}}
	}
	pause := step("pause", "/changes/${suspect}/pause", `{"note":"for ${incident}"}`)
	undoPause := step("resume", "/changes/${suspect}/resume", "")
	pause.Undo = &undoPause
	back := step("roll back", "/changes/${suspect}/rollback?service=${service}", "")
	undoBack := step("roll forward", "/changes/${suspect}/forward", "")
	back.Undo = &undoBack
	return ops.Plan{
		Name: "rollback-release", Title: "Roll back", ChangeKinds: []string{"release"},
		Params: []ops.Param{{Name: "suspect", From: "suspect", Required: true}, {Name: "service", From: "service"}},
		Steps:  []ops.Step{pause, back, step("say so", "/say", "")},
	}
}

func incident() ops.Incident {
	return ops.Incident{ID: "INC-1", Scope: ops.Scope{Service: []string{"cart"}}, Suspects: []ops.Suspect{
		{ChangeID: "CHG-9", Kind: ops.KindConfig, Probability: 0.6, Verdict: "rejected"},
		{ChangeID: "CHG-7", Kind: ops.KindRelease, Probability: 0.3, Verdict: "suspect"},
	}}
}

func open(t *testing.T, j *journal, q ops.Querier, list ...ops.Plan) *plans.Service {
	t.Helper()
	s, err := plans.New(t.Context(), plans.Options{
		Config: plans.Config{Plans: list, StepLimits: ops.StepLimits{AllowedCommands: []string{"/bin/sh", "/bin/echo"}}}, Journal: j, Querier: q,
		Incident: func(_ context.Context, id string) (ops.Incident, error) {
			if id != "INC-1" {
				return ops.Incident{}, ops.Errorf(ops.NotFound, "no such incident")
			}
			return incident(), nil
		},
		Affected: func(ops.Scope) (int, int) { return 3, 150 },
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func state(t *testing.T, s *plans.Service, id string, want ops.RunState) ops.Run {
	t.Helper()
	r, err := s.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if r.State != want {
		t.Fatalf("%s is %s (%s), want %s", id, r.State, r.Message, want)
	}
	return r
}

func steps(r ops.Run) string {
	var out []string
	for _, s := range r.Steps {
		out = append(out, s.Kind+" "+s.Name+" "+s.State)
	}
	return strings.Join(out, "\n")
}

func TestAConfirmedRunDoesItsStepsInOrderAndNothingElse(t *testing.T) {
	x, j := newTarget(t), &journal{}
	s := open(t, j, &gauge{}, rollback(x.URL))
	r, err := s.Start(t.Context(), alice, "rollback-release", ops.RunRequest{Incident: "INC-1", Confirm: "rollback-release"})
	if err != nil {
		t.Fatal(err)
	}
	if got := x.seen(); len(got) != 0 {
		t.Fatalf("Start itself asked %q: steps go through the outbox only", got)
	}
	if errs := j.deliver(t, s); errs != nil {
		t.Fatal(errs)
	}
	want := []string{`POST /changes/CHG-7/pause {"note":"for INC-1"}`, "POST /changes/CHG-7/rollback?service=cart", "POST /say"}
	if got := x.seen(); !slices.Equal(got, want) {
		t.Errorf("asked %q\nwant %q", got, want)
	}
	r = state(t, s, r.ID, ops.RunSucceeded)
	for _, st := range r.Steps {
		if strings.Contains(st.Message, "s3cret") {
			t.Errorf("the step's message echoes the token: %q", st.Message)
		}
	}
	if got := j.texts(t, "incident.plan_progress"); !slices.Contains(got, "plan rollback-release step 2 of 3 done") {
		t.Errorf("the incident was not told of step 2: %q", got)
	}
	if got := j.texts(t, "run.finished"); len(got) != 1 {
		t.Errorf("run.finished %q, want one", got)
	}
	if got := s.RunsOf("INC-1"); !slices.Equal(got, []string{r.ID}) {
		t.Errorf("runs of INC-1: %q", got)
	}
	for _, rec := range j.records {
		if strings.Contains(string(rec.Body), "s3cret") {
			t.Error("the journal holds the token")
		}
	}
}

func TestAStepThatWasNotDoneIsTriedAgainWithTheSameKey(t *testing.T) {
	x, j := newTarget(t), &journal{}
	x.status["/changes/CHG-7/rollback"] = []int{503, 429, 200}
	s := open(t, j, &gauge{}, rollback(x.URL))
	r, _ := s.Start(t.Context(), alice, "rollback-release", ops.RunRequest{Incident: "INC-1", Confirm: "rollback-release"})
	if errs := j.deliver(t, s); errs != nil {
		t.Errorf("errors %v: a step that is tried again must not be ordered a second time", errs)
	}
	state(t, s, r.ID, ops.RunSucceeded)
	x.mu.Lock()
	defer x.mu.Unlock()
	if n := len(x.keys); n != 5 || x.keys[1] != x.keys[2] || x.keys[2] != x.keys[3] || x.keys[0] == x.keys[1] || x.keys[3] == x.keys[4] || x.keys[0] == "" {
		t.Errorf("keys %q: want five, those of the second step the same", x.keys)
	}
}

func TestAnEffectThatComesTwiceIsDoneOnce(t *testing.T) {
	x, j := newTarget(t), &journal{}
	s := open(t, j, &gauge{}, rollback(x.URL))
	r, _ := s.Start(t.Context(), alice, "rollback-release", ops.RunRequest{Incident: "INC-1", Confirm: "rollback-release"})
	first, _ := j.take()
	if err := s.HandleStep(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	if err := s.HandleStep(t.Context(), first); !ops.IsPermanent(err) || ops.KindOf(err) != ops.Conflict {
		t.Errorf("the same effect again: %v, want a permanent conflict", err)
	}
	if got := x.seen(); len(got) != 1 {
		t.Errorf("asked %q, want once", got)
	}
	state(t, s, r.ID, ops.RunRunning)
}

func TestARunEndsAtTheFirstFailure(t *testing.T) {
	for name, status := range map[string][]int{"at a no": {500}, "at a redirect": {302}, "after four times not now": {503}} {
		t.Run(name, func(t *testing.T) {
			x, j := newTarget(t), &journal{}
			x.status["/changes/CHG-7/rollback"] = status
			s := open(t, j, &gauge{}, rollback(x.URL))
			r, _ := s.Start(t.Context(), alice, "rollback-release", ops.RunRequest{Incident: "INC-1", Confirm: "rollback-release"})
			if errs := j.deliver(t, s); len(errs) != 1 || !ops.IsPermanent(errs[0]) {
				t.Errorf("errors %v, want one that is permanent", errs)
			}
			r = state(t, s, r.ID, ops.RunFailed)
			if want := "step pause succeeded\nstep roll back failed\nstep say so skipped"; steps(r) != want {
				t.Errorf("steps\n%s\nwant\n%s", steps(r), want)
			}
			if strings.Contains(r.Message, "s3cret") || !strings.Contains(r.Message, "roll back failed: the answer was") {
				t.Errorf("message %q", r.Message)
			}
		})
	}
}

func TestUndoRunsBackwardsOverWhatWasDone(t *testing.T) {
	x, j := newTarget(t), &journal{}
	x.status["/say"] = []int{500}
	s := open(t, j, &gauge{}, rollback(x.URL))
	r, _ := s.Start(t.Context(), alice, "rollback-release", ops.RunRequest{Incident: "INC-1", Confirm: "rollback-release"})
	j.deliver(t, s)
	if _, err := s.Undo(t.Context(), bob, r.ID); err != nil {
		t.Fatal(err)
	}
	j.deliver(t, s)
	state(t, s, r.ID, ops.RunUndone)
	if got, want := x.seen()[3:], []string{"POST /changes/CHG-7/forward", "POST /changes/CHG-7/resume"}; !slices.Equal(got, want) {
		t.Errorf("undone by %q, want %q", got, want)
	}
	if _, err := s.Undo(t.Context(), bob, r.ID); ops.KindOf(err) != ops.Conflict {
		t.Errorf("a second undo: %v, want a conflict: nothing is left to undo", err)
	}
}

func TestAnAbortedRunBeginsNothingMore(t *testing.T) {
	x, j := newTarget(t), &journal{}
	s := open(t, j, &gauge{}, rollback(x.URL))
	r, _ := s.Start(t.Context(), alice, "rollback-release", ops.RunRequest{Incident: "INC-1", Confirm: "rollback-release"})
	if _, err := s.Abort(t.Context(), bob, r.ID); err != nil {
		t.Fatal(err)
	}
	if errs := j.deliver(t, s); errs != nil {
		t.Error(errs)
	}
	if got := x.seen(); len(got) != 0 {
		t.Errorf("asked %q after the abort", got)
	}
	if _, err := s.Abort(t.Context(), bob, r.ID); ops.KindOf(err) != ops.Conflict {
		t.Errorf("aborting twice: %v, want a conflict", err)
	}
	state(t, s, r.ID, ops.RunAborted)
}

func TestASecondPersonMustConfirm(t *testing.T) {
	x, j := newTarget(t), &journal{}
	p := rollback(x.URL)
	p.SecondPerson = true
	s := open(t, j, &gauge{}, p)
	r, err := s.Start(t.Context(), alice, p.Name, ops.RunRequest{Incident: "INC-1", Confirm: p.Name})
	if err != nil || r.State != ops.RunWaiting {
		t.Fatalf("%s, %v: want waiting", r.State, err)
	}
	for _, name := range []string{"alice", "slack:alice", "Alice"} {
		if _, err := s.Confirm(t.Context(), ops.Principal{Name: name, Role: ops.Admin}, r.ID); ops.KindOf(err) != ops.Denied {
			t.Errorf("%s confirmed alice's run: %v", name, err)
		}
	}
	if _, err := s.Confirm(t.Context(), bob, r.ID); err != nil {
		t.Fatal(err)
	}
	j.deliver(t, s)
	if r = state(t, s, r.ID, ops.RunSucceeded); r.ConfirmedBy != "bob" {
		t.Errorf("confirmed by %q", r.ConfirmedBy)
	}
}

func TestStartRefuses(t *testing.T) {
	x := newTarget(t)
	for name, c := range map[string]struct {
		plan string
		req  ops.RunRequest
		kind ops.Kind
		part string
	}{
		"an unknown plan":                  {"nope", ops.RunRequest{}, ops.NotFound, "no plan"},
		"an unknown incident":              {"rollback-release", ops.RunRequest{Incident: "INC-9"}, ops.NotFound, "no such incident"},
		"a wrong confirmation":             {"rollback-release", ops.RunRequest{Incident: "INC-1", Confirm: "yes"}, ops.Invalid, "body.confirm"},
		"a missing parameter":              {"rollback-release", ops.RunRequest{}, ops.Invalid, "body.params.suspect: is required"},
		"a parameter the plan has not":     {"rollback-release", ops.RunRequest{Incident: "INC-1", Params: map[string]string{"x": "1"}}, ops.Invalid, "body.params.x"},
		"a parameter with a line break":    {"rollback-release", ops.RunRequest{Params: map[string]string{"suspect": "a\r\nb"}}, ops.Invalid, "control characters"},
		"a parameter that climbs the path": {"rollback-release", ops.RunRequest{Params: map[string]string{"suspect": ".."}}, ops.Invalid, "dots"},
	} {
		t.Run(name, func(t *testing.T) {
			j := &journal{}
			s := open(t, j, &gauge{}, rollback(x.URL))
			_, err := s.Start(t.Context(), alice, c.plan, c.req)
			if ops.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.part) {
				t.Errorf("got %v, want %s with %q", err, c.kind, c.part)
			}
			if len(j.events) != 0 || len(j.pending) != 0 {
				t.Error("a refused start left something behind")
			}
		})
	}
}

func TestOneActiveRunPerPlanAndIncident(t *testing.T) {
	x, j := newTarget(t), &journal{}
	s := open(t, j, &gauge{}, rollback(x.URL))
	req := ops.RunRequest{Incident: "INC-1"}
	r, err := s.Start(t.Context(), alice, "rollback-release", req)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Start(t.Context(), bob, "rollback-release", req); ops.KindOf(err) != ops.Conflict || !strings.Contains(err.Error(), r.ID) {
		t.Errorf("a second run: %v, want a conflict that names %s", err, r.ID)
	}
	if _, err := s.Abort(t.Context(), alice, r.ID); err != nil {
		t.Fatal(err)
	}
	if r, err = s.Start(t.Context(), bob, "rollback-release", req); err != nil || r.ID != "RUN-2" {
		t.Errorf("after the abort: %s %v, want RUN-2", r.ID, err)
	}
}

func TestDryRunSaysEverythingAndChangesNothing(t *testing.T) {
	x, j, g := newTarget(t), &journal{}, &gauge{}
	p := rollback(x.URL)
	p.Precondition = []ops.Check{{Name: "stock is there", Query: "stock", Above: &half}}
	s := open(t, j, g, p)
	g.set(0.1)
	d, err := s.DryRun(t.Context(), alice, p.Name, ops.RunRequest{Incident: "INC-1"})
	if err != nil {
		t.Fatal(err)
	}
	if d.OK || len(d.Problems) != 1 || d.Problems[0] != `precondition "stock is there" does not hold: 0.1 is not above 0.5` {
		t.Errorf("problems %q", d.Problems)
	}
	if d.Stores != 3 || d.Devices != 150 || d.Reversible || d.Params["suspect"] != "CHG-7" {
		t.Errorf("dry run %+v", d)
	}
	if want := `pause: POST ` + x.URL + `/changes/CHG-7/pause {"note":"for INC-1"}`; d.Steps[0] != want {
		t.Errorf("step %q, want %q", d.Steps[0], want)
	}
	g.set(0.9)
	if d, _ = s.DryRun(t.Context(), alice, p.Name, ops.RunRequest{Incident: "INC-1"}); !d.OK {
		t.Errorf("problems %q, want none", d.Problems)
	}
	if len(j.events)+len(j.pending)+len(x.seen()) != 0 {
		t.Error("a dry run left something behind")
	}
}

func TestPlansHidesHeaders(t *testing.T) {
	s := open(t, &journal{}, &gauge{}, rollback("http://user:pw@h"))
	b, err := json.Marshal(s.Plans())
	if err != nil || strings.Contains(string(b), "s3cret") || strings.Contains(string(b), "pw") || !strings.Contains(string(b), "Authorization") {
		t.Errorf("%s %v", b, err)
	}
}

func TestForPutsTheBestPlanFirst(t *testing.T) {
	plan := func(name string, edit func(*ops.Plan)) ops.Plan {
		p := rollback("http://h")
		p.Name, p.ChangeKinds = name, nil
		edit(&p)
		return p
	}
	s := open(t, &journal{}, &gauge{},
		plan("any", func(*ops.Plan) {}),
		plan("by-alert", func(p *ops.Plan) { p.Alerts = []string{"CartErrors"} }),
		plan("by-kind", func(p *ops.Plan) { p.ChangeKinds = []string{"release"} }),
		plan("elsewhere", func(p *ops.Plan) { p.ChangeKinds = []string{"release"}; p.Scope.Service = []string{"pay"} }),
		plan("no-change", func(p *ops.Plan) { p.ChangeKinds = []string{"none"} }),
		plan("both", func(p *ops.Plan) { p.ChangeKinds = []string{"release"}; p.Alerts = []string{"CartErrors"} }))
	inc := incident()
	inc.Alerts = []ops.IncidentAlert{{Alert: ops.Alert{Labels: map[string]string{"alertname": "CartErrors"}}}}
	if got, want := s.For(inc), []string{"both", "by-kind", "by-alert", "any"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	inc.NoChange = 0.9
	if got, want := s.For(inc), []string{"no-change", "by-alert", "both", "any"}; !slices.Equal(got[:1], want[:1]) {
		t.Errorf("got %q, want %q first", got, want[0])
	}
}

func TestOnlyTheNewestRunsAreKept(t *testing.T) {
	j := &journal{}
	s := open(t, j, &gauge{}, rollback("http://h"))
	waiting, err := s.Start(t.Context(), alice, "rollback-release", ops.RunRequest{Incident: "INC-1"})
	if err != nil {
		t.Fatal(err)
	}
	for range 1200 {
		r, err := s.Start(t.Context(), alice, "rollback-release", ops.RunRequest{Params: map[string]string{"suspect": "CHG-1", "service": "cart"}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Abort(t.Context(), alice, r.ID); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(j.records); n != 1000 {
		t.Errorf("%d records", n)
	}
	state(t, s, waiting.ID, ops.RunWaiting)
	if _, err := s.Get(t.Context(), "RUN-2"); ops.KindOf(err) != ops.NotFound {
		t.Errorf("the oldest run that has ended: %v", err)
	}
	state(t, s, "RUN-1201", ops.RunAborted)
}

func TestAPlanThatWasRehearsedLongAgoIsStillKnownToBe(t *testing.T) {
	x, j := newTarget(t), &journal{}
	undo, other := rollback(x.URL), rollback(x.URL)
	other.Name = "other"
	s := open(t, j, &gauge{}, undo, other)
	r, err := s.Start(t.Context(), alice, "rollback-release", ops.RunRequest{Incident: "INC-1", Confirm: "rollback-release"})
	if err != nil {
		t.Fatal(err)
	}
	if errs := j.deliver(t, s); errs != nil {
		t.Fatal(errs)
	}
	at := state(t, s, r.ID, ops.RunSucceeded).FinishedAt
	for range 1100 { // more than are kept
		r, err := s.Start(t.Context(), alice, "other", ops.RunRequest{Params: map[string]string{"suspect": "CHG-1", "service": "cart"}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Abort(t.Context(), alice, r.ID); err != nil {
			t.Fatal(err)
		}
	}
	for name, s := range map[string]*plans.Service{"it is": s, "after a restart": open(t, j, &gauge{}, undo, other)} {
		got := s.Rehearsed()
		if !got["rollback-release"].Truncate(time.Millisecond).Equal(at.Truncate(time.Millisecond)) || len(got) != 1 {
			t.Errorf("%s: rehearsed %v, want rollback-release at %s alone", name, got, at)
		}
	}
	if n := len(j.records); n > 1001 {
		t.Errorf("%d records", n)
	}
}
