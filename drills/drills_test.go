package drills_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"goc/drills"
	"goc/ops"
)

// journal is a journal in memory.
type journal struct {
	mu      sync.Mutex
	records map[string]ops.Record
	events  []ops.Event
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
	j.events = append(j.events, m.Events...)
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

func (j *journal) names() (out []string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, e := range j.events {
		out = append(out, strings.TrimPrefix(e.Name, "drill."))
	}
	return out
}

// chain is the outside world: what was done to it, and the incidents that it has.
type chain struct {
	mu        sync.Mutex
	done      []string
	keys      []string
	answer    string
	fails     map[string]int // by step: so many attempts fail
	hang      bool           // injections wait for their context's end
	incidents []ops.Incident
	value     float64 // of every query
	blind     error   // of every query
}

func (c *chain) do(ctx context.Context, key string, s ops.Step, params map[string]string) (string, error) {
	c.mu.Lock()
	c.done = append(c.done, s.Name+" for "+params["run"])
	c.keys = append(c.keys, key)
	fail := c.fails[s.Name] > 0
	if fail {
		c.fails[s.Name]--
	}
	answer, hang := c.answer, c.hang
	c.mu.Unlock()
	if hang && s.Name == "break" {
		<-ctx.Done()
		return "", ctx.Err()
	}
	if fail {
		return "", errors.New("the answer was 500")
	}
	return answer, nil
}

func (c *chain) list() []ops.Incident {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.incidents)
}

func (c *chain) set(incs ...ops.Incident) { c.mu.Lock(); c.incidents = incs; c.mu.Unlock() }

func (c *chain) did() []string { c.mu.Lock(); defer c.mu.Unlock(); return slices.Clone(c.done) }

func (c *chain) Query(context.Context, string, time.Time) ([]ops.Point, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return []ops.Point{{Value: c.value}}, c.blind
}

func (c *chain) QueryRange(context.Context, string, time.Time, time.Time, time.Duration) ([]ops.Curve, error) {
	return nil, nil
}

var (
	bob  = ops.Principal{Name: "bob", Role: ops.Commander}
	half = 0.5
)

func breakCart() ops.Drill {
	step := func(name string) ops.Step {
		return ops.Step{Name: name, HTTP: &ops.HTTPStep{URL: "http://user:pw@world/" + name, Body: `{"run":"${run}"}`, Headers: map[string]string{"Authorization": "Bearer s3cret"}}}
	}
	return ops.Drill{
		Name: "break-cart", Title: "Break the cart", Scope: ops.Scope{Service: []string{"cart"}}, Inject: step("break"), Revert: step("mend"),
		Expect: ops.Expectation{Alert: "CartErrors", Severity: ops.P2, Plan: "rollback"}, MaxDuration: ops.Duration(10 * time.Minute),
	}
}

func open(t *testing.T, j *journal, c *chain, list ...ops.Drill) *drills.Service {
	t.Helper()
	s, err := drills.New(t.Context(), drills.Options{
		Config: drills.Config{Drills: list}, Journal: j, Do: c.do, Incidents: c.list, Querier: c,
		Change: func(_ context.Context, id string) (ops.Change, error) {
			return ops.Change{ID: id, Drill: map[string]string{"CHG-7": "DRL-1"}[id]}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// driven runs the service for the length of a test on virtual time.
func driven(t *testing.T, j *journal, c *chain, list []ops.Drill, test func(t *testing.T, s *drills.Service, stop func())) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := open(t, j, c, list...)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.Run(ctx) }()
		stopped := false
		stop := func() {
			if !stopped {
				stopped = true
				cancel()
				if err := <-done; err != nil {
					t.Error(err)
				}
			}
		}
		defer stop()
		test(t, s, stop)
	})
}

func state(t *testing.T, s *drills.Service, id string, want ops.DrillState) ops.DrillRun {
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

// incident is what the drill sets off: opened after the given time.
func incident(after time.Duration, edit ...func(*ops.Incident)) ops.Incident {
	i := ops.Incident{
		ID: "INC-1", Severity: ops.P2, State: ops.IncidentOpen, Scope: ops.Scope{Service: []string{"cart"}}, DetectedAt: ops.At(time.Now().Add(after)),
		Plans: []string{"rollback"}, Alerts: []ops.IncidentAlert{{Alert: ops.Alert{Labels: map[string]string{"alertname": "CartErrors"}}}},
	}
	for _, e := range edit {
		e(&i)
	}
	return i
}

func suspects(ids ...string) func(*ops.Incident) {
	return func(i *ops.Incident) {
		i.Suspects = nil
		for _, id := range ids {
			i.Suspects = append(i.Suspects, ops.Suspect{ChangeID: id, Probability: 0.5, Verdict: "suspect"})
		}
		i.NoChange = 0.1
	}
}

func recovered(i *ops.Incident) { i.RecoveredAt = ops.At(time.Now()) }

func seconds(l ops.DrillLeg) string {
	if l.Seconds == nil {
		return l.Name + " not reached"
	}
	return fmt.Sprintf("%s %.0f s, met %v", l.Name, *l.Seconds, l.Met)
}

func TestADrillIsInjectedMeasuredRevertedAndScored(t *testing.T) {
	j, c := &journal{}, &chain{answer: `{"change_id":"CHG-7"}`}
	driven(t, j, c, []ops.Drill{breakCart()}, func(t *testing.T, s *drills.Service, _ func()) {
		r, err := s.Start(t.Context(), bob, "break-cart")
		if err != nil || r.State != ops.DrillInjecting {
			t.Fatal(r.State, err)
		}
		synctest.Wait()
		if r = state(t, s, "DRL-1", ops.DrillWatching); r.ChangeID != "CHG-7" {
			t.Errorf("guilty change %q", r.ChangeID)
		}
		inc := incident(30 * time.Second)
		time.Sleep(30 * time.Second)
		suspects("CHG-3", "CHG-7")(&inc)
		c.set(inc)
		time.Sleep(30 * time.Second)
		suspects("CHG-7", "CHG-3")(&inc)
		c.set(inc)
		time.Sleep(5*time.Minute + 30*time.Second)
		suspects("CHG-7", "CHG-3")(&inc)
		inc.Suspects[0].Verdict, inc.LocatedAt = "confirmed", ops.At(time.Now())
		c.set(inc)
		time.Sleep(time.Minute)
		if got := c.did(); len(got) != 1 {
			t.Fatalf("done %q: the fault must stay until the watch is over", got)
		}
		recovered(&inc)
		c.set(inc)
		time.Sleep(3 * time.Second)
		r = state(t, s, "DRL-1", ops.DrillScored)
		var got []string
		for _, l := range r.Legs {
			got = append(got, seconds(l))
		}
		if want := "detect 30 s, met true\nlocate 390 s, met false\nrecover 450 s, met true"; strings.Join(got, "\n") != want {
			t.Errorf("legs\n%s\nwant\n%s", strings.Join(got, "\n"), want)
		}
		if text := r.Legs[1].Text; text != "the locate clock stopped 6m30s after the injection, at CHG-7, which had stood first from 1m01s on" && text != "the locate clock stopped 6m30s after the injection, at CHG-7, which had stood first from 1m00s on" {
			t.Errorf("locate: %q", text)
		}
		if *r.Score != 95 || r.RevertedAt.IsZero() || r.Incident != "INC-1" { // 30 + 35*(900-390)/600 + 35
			t.Errorf("score %d, reverted %s, incident %s", *r.Score, r.RevertedAt, r.Incident)
		}
	})
	if got, want := c.did(), []string{"break for DRL-1", "mend for DRL-1"}; !slices.Equal(got, want) {
		t.Errorf("done %q, want %q", got, want)
	}
	if got, want := j.names(), []string{"started", "injected", "detected", "located", "recovered", "reverting", "reverted", "scored"}; !slices.Equal(got, want) {
		t.Errorf("events %q, want %q", got, want)
	}
	for _, e := range j.events {
		if strings.Contains(string(e.Data), "s3cret") || !strings.Contains(string(e.Data), `"text":"`) {
			t.Errorf("%s: %s", e.Name, e.Data)
		}
	}
}

func TestWhatNobodyNoticesIsRevertedAndScoresNothing(t *testing.T) {
	j, c := &journal{}, &chain{}
	driven(t, j, c, []ops.Drill{breakCart()}, func(t *testing.T, s *drills.Service, _ func()) {
		s.Start(t.Context(), bob, "break-cart")
		time.Sleep(10*time.Minute + 3*time.Second)
		r := state(t, s, "DRL-1", ops.DrillScored)
		if *r.Score != 0 || !strings.Contains(r.Message, "nobody noticed within 10m; the alert CartErrors did not fire") {
			t.Errorf("score %d, %q", *r.Score, r.Message)
		}
	})
}

func TestTheGuiltyChangeIsFoundAmongTheSuspectsWhenTheInjectionDidNotNameIt(t *testing.T) {
	j, c := &journal{}, &chain{answer: "ok"}
	driven(t, j, c, []ops.Drill{breakCart()}, func(t *testing.T, s *drills.Service, _ func()) {
		s.Start(t.Context(), bob, "break-cart")
		synctest.Wait()
		c.set(incident(0, suspects("CHG-3", "CHG-7")))
		time.Sleep(2 * time.Second)
		if r := state(t, s, "DRL-1", ops.DrillWatching); r.ChangeID != "CHG-7" || r.Legs[1].Seconds != nil || r.Legs[1].Text != "CHG-3 stands first, which is not it" {
			t.Errorf("change %q, locate %+v", r.ChangeID, r.Legs[1])
		}
	})
}

func TestAbortRevertsAtOnce(t *testing.T) {
	for name, hang := range map[string]bool{"while it is watched": false, "while it is injected": true} {
		t.Run(name, func(t *testing.T) {
			j, c := &journal{}, &chain{hang: hang}
			driven(t, j, c, []ops.Drill{breakCart()}, func(t *testing.T, s *drills.Service, _ func()) {
				s.Start(t.Context(), bob, "break-cart")
				time.Sleep(5 * time.Second)
				if _, err := s.Abort(t.Context(), bob, "DRL-1"); err != nil {
					t.Fatal(err)
				}
				time.Sleep(1500 * time.Millisecond)
				if reverted := len(c.did()) == 2; reverted == hang {
					t.Errorf("reverted after 1.5 s: %v; a request that was cut off may still be at work, one that was answered is not", reverted)
				}
				time.Sleep(2500 * time.Millisecond)
				r := state(t, s, "DRL-1", ops.DrillAborted)
				if r.Score != nil || r.RevertedAt.IsZero() || r.Message != "aborted by bob" {
					t.Errorf("score %v reverted %s %q", r.Score, r.RevertedAt, r.Message)
				}
				if got := c.did(); len(got) != 2 || got[1] != "mend for DRL-1" {
					t.Errorf("done %q", got)
				}
				if _, err := s.Abort(t.Context(), bob, "DRL-1"); ops.KindOf(err) != ops.Conflict {
					t.Errorf("aborting twice: %v", err)
				}
			})
		})
	}
}

func TestAnInjectionThatFailsIsRevertedAllTheSame(t *testing.T) {
	j, c := &journal{}, &chain{fails: map[string]int{"break": 1}}
	driven(t, j, c, []ops.Drill{breakCart()}, func(t *testing.T, s *drills.Service, _ func()) {
		s.Start(t.Context(), bob, "break-cart")
		time.Sleep(5 * time.Second)
		if r := state(t, s, "DRL-1", ops.DrillFailed); !strings.Contains(r.Message, "could not be injected: the answer was 500") || r.RevertedAt.IsZero() {
			t.Errorf("%q reverted %s", r.Message, r.RevertedAt)
		}
	})
}

func TestARevertIsTriedUntilItWorksAndAPersonIsToldMeanwhile(t *testing.T) {
	j, c := &journal{}, &chain{fails: map[string]int{"mend": 7}}
	driven(t, j, c, []ops.Drill{breakCart()}, func(t *testing.T, s *drills.Service, _ func()) {
		s.Start(t.Context(), bob, "break-cart")
		synctest.Wait()
		s.Abort(t.Context(), bob, "DRL-1")
		time.Sleep(time.Minute)
		r := state(t, s, "DRL-1", ops.DrillReverting)
		if !strings.Contains(r.Message, `take it away by hand: POST http://world/mend {"run":"DRL-1"}`) {
			t.Errorf("message %q does not say what to do", r.Message)
		}
		if _, err := s.Start(t.Context(), bob, "break-cart"); ops.KindOf(err) != ops.Conflict {
			t.Errorf("another drill while one is not reverted: %v", err)
		}
		time.Sleep(3 * time.Minute)
		state(t, s, "DRL-1", ops.DrillAborted)
		if len(slices.Compact(slices.Sorted(slices.Values(c.keys)))) != len(c.keys) {
			t.Error("two attempts to revert had the same key: a receiver would not do the second")
		}
	})
}

func TestAfterAnHourARevertIsLeftToAPerson(t *testing.T) {
	j, c := &journal{}, &chain{fails: map[string]int{"mend": 1000}}
	driven(t, j, c, []ops.Drill{breakCart()}, func(t *testing.T, s *drills.Service, stop func()) {
		s.Start(t.Context(), bob, "break-cart")
		synctest.Wait()
		s.Abort(t.Context(), bob, "DRL-1")
		time.Sleep(90 * time.Minute)
		if r := state(t, s, "DRL-1", ops.DrillFailed); !strings.Contains(r.Message, "by hand") || !r.RevertedAt.IsZero() {
			t.Errorf("%q", r.Message)
		}
	})
	if n := len(j.events); n > 8 {
		t.Errorf("%d events: failed attempts must not fill the log", n)
	}
}

func TestARunThatACrashCutOffIsRevertedFirst(t *testing.T) {
	for name, hang := range map[string]bool{"while it was watched": false, "while it was injected": true} {
		t.Run(name, func(t *testing.T) {
			j, c := &journal{}, &chain{hang: hang}
			left := &journal{records: map[string]ops.Record{}}
			driven(t, j, c, []ops.Drill{breakCart()}, func(t *testing.T, s *drills.Service, _ func()) {
				s.Start(t.Context(), bob, "break-cart")
				time.Sleep(5 * time.Second)
				j.mu.Lock()
				maps.Copy(left.records, j.records) // what is on disk when the program is killed
				j.mu.Unlock()
			})
			c = &chain{}
			driven(t, left, c, []ops.Drill{breakCart()}, func(t *testing.T, s *drills.Service, _ func()) {
				state(t, s, "DRL-1", ops.DrillReverting)
				time.Sleep(3 * time.Second)
				state(t, s, "DRL-1", ops.DrillAborted)
				if got := c.did(); !slices.Equal(got, []string{"mend for DRL-1"}) {
					t.Errorf("done %q, want only the revert", got)
				}
				if got := left.names(); !slices.Equal(got, []string{"reverting", "reverted", "aborted"}) {
					t.Errorf("events %q", got)
				}
				if r, err := s.Start(t.Context(), bob, "break-cart"); err != nil || r.ID != "DRL-2" {
					t.Errorf("the next drill: %s %v", r.ID, err)
				}
			})
		})
	}
}

func TestAnOrderlyEndRevertsBeforeItReturns(t *testing.T) {
	j, c := &journal{}, &chain{}
	driven(t, j, c, []ops.Drill{breakCart()}, func(t *testing.T, s *drills.Service, stop func()) {
		s.Start(t.Context(), bob, "break-cart")
		time.Sleep(5 * time.Second)
		stop()
		state(t, s, "DRL-1", ops.DrillAborted)
	})
	if got := c.did(); len(got) != 2 {
		t.Errorf("done %q", got)
	}
}

func TestRealTroubleStopsADrill(t *testing.T) {
	elsewhere := func(i *ops.Incident) {
		i.ID, i.Scope, i.Severity = "INC-9", ops.Scope{Service: []string{"pay"}}, ops.P1
	}
	for name, c := range map[string]struct {
		inc  func() ops.Incident
		stop bool
	}{
		"a P1 elsewhere":                  {func() ops.Incident { return incident(0, elsewhere) }, true},
		"a P3 elsewhere":                  {func() ops.Incident { return incident(0, elsewhere, func(i *ops.Incident) { i.Severity = ops.P3 }) }, false},
		"a P1 that has recovered":         {func() ops.Incident { return incident(0, elsewhere, recovered) }, false},
		"a P1 that is this drill's":       {func() ops.Incident { return incident(0, elsewhere, func(i *ops.Incident) { i.Drill = p("DRL-1") }) }, false},
		"a P2 in the blast radius":        {func() ops.Incident { return incident(0) }, false},
		"a P2 there that was open before": {func() ops.Incident { return incident(-time.Minute, func(i *ops.Incident) { i.ID = "INC-5" }) }, true},
		"a P2 on everything, nothing named": {func() ops.Incident {
			return incident(0, func(i *ops.Incident) { i.ID, i.Scope = "INC-5", ops.Scope{} })
		}, true},
		"a second incident in the same radius": {func() ops.Incident { return incident(time.Second, func(i *ops.Incident) { i.ID = "INC-2" }) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			x := &chain{}
			driven(t, &journal{}, x, []ops.Drill{breakCart()}, func(t *testing.T, s *drills.Service, _ func()) {
				s.Start(t.Context(), bob, "break-cart")
				synctest.Wait()
				x.set(incident(0, func(i *ops.Incident) { i.Severity = ops.P3 }), c.inc())
				time.Sleep(3 * time.Second)
				want := ops.DrillWatching
				if c.stop {
					want = ops.DrillAborted
				}
				if r := state(t, s, "DRL-1", want); c.stop && !strings.Contains(r.Message, "real trouble") {
					t.Errorf("message %q", r.Message)
				}
			})
		})
	}
}

func p(s string) *string { return &s }

func TestAbortChecksGuardADrill(t *testing.T) {
	d := breakCart()
	d.Abort = []ops.Check{{Name: "customers can pay", Query: "pay_ok", Above: &half}}
	for name, c := range map[string]struct {
		edit func(*chain)
		want ops.DrillState
		wait time.Duration
	}{
		"one that does not hold stops it":           {func(c *chain) { c.value = 0.1 }, ops.DrillAborted, 10 * time.Second},
		"one that is blind for a moment does not":   {func(c *chain) { c.blind = errors.New("down") }, ops.DrillWatching, 12 * time.Second},
		"one that stays blind stops it":             {func(c *chain) { c.blind = errors.New("down") }, ops.DrillAborted, 30 * time.Second},
		"one that holds leaves it alone for longer": {func(c *chain) {}, ops.DrillWatching, 5 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			x := &chain{value: 1}
			driven(t, &journal{}, x, []ops.Drill{d}, func(t *testing.T, s *drills.Service, _ func()) {
				s.Start(t.Context(), bob, "break-cart")
				synctest.Wait()
				x.mu.Lock()
				c.edit(x)
				x.mu.Unlock()
				time.Sleep(c.wait)
				state(t, s, "DRL-1", c.want)
			})
		})
	}
}

func TestStartRefuses(t *testing.T) {
	d := breakCart()
	d.Abort = []ops.Check{{Name: "customers can pay", Query: "pay_ok", Above: &half}}
	for name, c := range map[string]struct {
		drill string
		chain *chain
		kind  ops.Kind
		part  string
	}{
		"an unknown drill":       {"nope", &chain{value: 1}, ops.NotFound, "no drill"},
		"during real trouble":    {"break-cart", &chain{value: 1, incidents: []ops.Incident{incident(0)}}, ops.Conflict, "P2 INC-1 is open"},
		"when a check is broken": {"break-cart", &chain{}, ops.Conflict, `"customers can pay" does not hold`},
		"when a check is blind":  {"break-cart", &chain{blind: errors.New("down")}, ops.Conflict, "could not be checked"},
	} {
		j := &journal{}
		s := open(t, j, c.chain, d)
		if _, err := s.Start(t.Context(), bob, c.drill); ops.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.part) {
			t.Errorf("%s: %v, want %s with %q", name, err, c.kind, c.part)
		}
		if len(j.events) != 0 {
			t.Errorf("%s: it left something behind", name)
		}
	}
}

func TestActiveDrill(t *testing.T) {
	d := breakCart()
	d.Scope.Store = []string{"SH-001"}
	x := &chain{}
	driven(t, &journal{}, x, []ops.Drill{d}, func(t *testing.T, s *drills.Service, _ func()) {
		before := time.Now().Add(-time.Second)
		s.Start(t.Context(), bob, "break-cart")
		time.Sleep(5 * time.Second)
		cart := ops.Scope{Service: []string{"cart"}}
		for name, c := range map[string]struct {
			scope ops.Scope
			at    time.Time
			want  string
		}{
			"the drill's service":        {cart, time.Now(), "DRL-1"},
			"the service in that store":  {ops.Scope{Service: []string{"cart"}, Store: []string{"SH-001"}}, time.Now(), "DRL-1"},
			"the service in another":     {ops.Scope{Service: []string{"cart"}, Store: []string{"SH-002"}}, time.Now(), ""},
			"another service":            {ops.Scope{Service: []string{"pay"}}, time.Now(), ""},
			"something of other kinds":   {ops.Scope{Kind: []string{"pos"}}, time.Now(), ""},
			"everything, nothing named":  {ops.Scope{}, time.Now(), ""},
			"what was there before it":   {cart, before, ""},
			"what comes after it, early": {cart, time.Now().Add(time.Hour), "DRL-1"},
		} {
			if got := s.ActiveDrill(c.scope, c.at); got != c.want {
				t.Errorf("%s: %q, want %q", name, got, c.want)
			}
		}
		s.Abort(t.Context(), bob, "DRL-1")
		time.Sleep(10 * time.Second)
		if got := s.ActiveDrill(cart, time.Now()); got != "DRL-1" {
			t.Errorf("ten seconds after its end: %q: what it set off may still arrive", got)
		}
		time.Sleep(20 * time.Second)
		if got := s.ActiveDrill(cart, time.Now()); got != "" {
			t.Errorf("half a minute after its end: %q", got)
		}
	})
}

// TestTheRealPath injects and reverts over a real socket, in real time.
func TestTheRealPath(t *testing.T) {
	var mu sync.Mutex
	var paths []string
	broken := false
	reverted := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		body, _ := io.ReadAll(r.Body)
		paths = append(paths, r.URL.Path+" "+string(body))
		broken = r.URL.Path == "/break"
		json.NewEncoder(w).Encode(map[string]string{"change_id": "CHG-7"})
		if r.URL.Path == "/mend" {
			close(reverted)
		}
	}))
	defer srv.Close()
	d := breakCart()
	d.Inject.HTTP.URL, d.Revert.HTTP.URL = srv.URL+"/break", srv.URL+"/mend"
	began := time.Now()
	incidents := func() []ops.Incident {
		mu.Lock()
		defer mu.Unlock()
		if !broken {
			return nil
		}
		inc := incident(0, suspects("CHG-7"), recovered)
		inc.DetectedAt = ops.At(began.Add(time.Second))
		return []ops.Incident{inc}
	}
	post := func(ctx context.Context, key string, s ops.Step, params map[string]string) (string, error) {
		body := strings.NewReader(strings.ReplaceAll(s.HTTP.Body, "${run}", params["run"]))
		resp, err := http.Post(s.HTTP.URL, "application/json", body)
		if err != nil {
			return "", err
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		return string(b), err
	}
	s, err := drills.New(t.Context(), drills.Options{Config: drills.Config{Drills: []ops.Drill{d}}, Journal: &journal{}, Do: post, Incidents: incidents, Querier: &chain{}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	if _, err := s.Start(t.Context(), bob, "break-cart"); err != nil {
		t.Fatal(err)
	}
	<-reverted
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	r, _ := s.Get(t.Context(), "DRL-1")
	if want := []string{`/break {"run":"DRL-1"}`, `/mend {"run":"DRL-1"}`}; !slices.Equal(paths, want) {
		t.Errorf("asked %q, want %q", paths, want)
	}
	if r.ChangeID != "CHG-7" || r.Incident != "INC-1" {
		t.Errorf("change %q, incident %q", r.ChangeID, r.Incident)
	}
}
