package changes_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"goc/changes"
	"goc/ops"
)

// chain is a catalog of n stores in each of three cities.
func chain(t testing.TB, n int) *ops.Catalog {
	c := &ops.Catalog{Services: []ops.Service{{Name: "pay", Tier: "T0"}}}
	for _, city := range []string{"上海", "北京", "成都"} {
		for i := range n {
			c.Stores = append(c.Stores, ops.Store{ID: fmt.Sprintf("%s-%03d", city, i), City: city, Region: "region of " + city})
		}
	}
	if err := c.Index(); err != nil {
		t.Fatal(err)
	}
	return c
}

func onChain(t testing.TB, n int) *room {
	r := open(t, changes.Config{})
	if err := r.Reload(chain(t, n)); err != nil {
		t.Fatal(err)
	}
	return r
}

func inCity(share float64, city ...string) ops.Stage {
	return ops.Stage{Share: share, Scope: ops.Scope{City: city}}
}

func gray(stages ...ops.Stage) ops.Change {
	return ops.Change{Kind: ops.KindFirmware, Title: "scale 4.2.1", Version: "4.2.1", Author: "Wang", Rollback: "undo", Stages: stages}
}

func TestRingsByShareNameTheirStores(t *testing.T) {
	for _, tt := range []struct {
		name   string
		stages []ops.Stage
		want   []int // stores that each ring names
		place  string
		says   string
	}{
		{name: "a tenth, a half and all of a city", stages: []ops.Stage{inCity(.1, "上海"), inCity(.5, "上海"), inCity(1, "上海")}, want: []int{2, 8, 10}},
		{name: "a share is never less than one store", stages: []ops.Stage{inCity(.001, "上海")}, want: []int{1}},
		{name: "what one ring names counts for the next", stages: []ops.Stage{{Scope: ops.Scope{Store: []string{"上海-003"}}}, inCity(.1, "上海"), {}}, want: []int{1, 1, 0}},
		{name: "a city, then the chain", stages: []ops.Stage{inCity(1, "上海"), inCity(.5), inCity(1)}, want: []int{20, 10, 30}},
		{name: "of two cities", stages: []ops.Stage{inCity(.25, "上海", "北京")}, want: []int{10}},
		{name: "nothing would be added", stages: []ops.Stage{inCity(.5, "上海"), inCity(.5, "上海")}, place: "body.stages[1].share", says: "no more than the rings before"},
		{name: "nobody knows the city", stages: []ops.Stage{inCity(.5, "火星")}, place: "body.stages[0].share", says: "knows no store there"},
		{name: "more than all", stages: []ops.Stage{inCity(1.5, "上海")}, place: "body.stages[0].share", says: "between 0 and 1"},
		{name: "less than none", stages: []ops.Stage{inCity(-.5, "上海")}, place: "body.stages[0].share", says: "between 0 and 1"},
		{name: "no number", stages: []ops.Stage{inCity(math.NaN(), "上海")}, place: "body.stages[0].share", says: "between 0 and 1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := onChain(t, 20).Record(context.Background(), ci, gray(tt.stages...))
			if tt.place != "" {
				refused(t, err, ops.Invalid, tt.place, tt.says)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for i, st := range c.Stages {
				if len(st.Scope.Store) != tt.want[i] {
					t.Errorf("ring %d names %d stores, want %d: %v", i+1, len(st.Scope.Store), tt.want[i], st.Scope.Store)
				}
			}
		})
	}
}

// Whatever the shares: rings share no store, together they reach what the last asks for, and the same change gets the same.
func TestRingsAreNestedAndAlwaysTheSame(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	for range 50 {
		stores := 5 + rng.IntN(60)
		var stages []ops.Stage
		share := 0.0
		for range 1 + rng.IntN(5) {
			share += .05 + rng.Float64()*.2
			stages = append(stages, inCity(min(share, 1), "上海"))
		}
		a, err := onChain(t, stores).Record(context.Background(), ci, gray(stages...))
		if err != nil {
			refused(t, err, ops.Invalid, "no more than the rings before")
			continue
		}
		seen := map[string]bool{}
		for i, st := range a.Stages {
			for _, id := range st.Scope.Store {
				if seen[id] || !strings.HasPrefix(id, "上海-") {
					t.Fatalf("ring %d names %s, which is in a ring before it or in another city", i+1, id)
				}
				seen[id] = true
			}
			if want := int(math.Ceil(stages[i].Share*float64(stores) - 1e-9)); len(seen) != want {
				t.Fatalf("%d stores are reached with ring %d, want %d of %d", len(seen), i+1, want, stores)
			}
		}
		b, _ := onChain(t, stores).Record(context.Background(), otherCI, gray(stages...))
		for i := range a.Stages {
			if !slices.Equal(a.Stages[i].Scope.Store, b.Stages[i].Scope.Store) {
				t.Fatalf("the same change got other stores in ring %d", i+1)
			}
		}
	}
}

func TestAnotherVersionBeginsInOtherStores(t *testing.T) {
	r := onChain(t, 200)
	a, next := gray(inCity(.05, "上海")), gray(inCity(.05, "上海"))
	next.Version = "4.2.2"
	one, two := r.record(ci, a), r.record(ci, next)
	if slices.Equal(one.Stages[0].Scope.Store, two.Stages[0].Scope.Store) {
		t.Error("the same stores are first again")
	}
}

// suspected is an incident that points to a change.
func suspected(change string, probability float64, verdict string) ops.Incident {
	return ops.Incident{
		ID: "INC-1", Title: "payments fail", Severity: ops.P3, State: ops.IncidentOpen, DetectedAt: ops.At(monday),
		Suspects: []ops.Suspect{{ChangeID: change, Rank: 1, Probability: probability, Verdict: verdict}},
	}
}

func TestWhatAnIncidentPointsToIsPaused(t *testing.T) {
	off := false
	drill := "DRL-1"
	for _, tt := range []struct {
		name     string
		config   changes.Config
		incident ops.Incident
		change   func(*ops.Change)
		want     ops.ChangeStatus
		orders   int
	}{
		{name: "the first suspect, likely enough", incident: suspected("CHG-1", .8, "suspect"), want: ops.ChangePaused},
		{name: "the first suspect, not likely enough", incident: suspected("CHG-1", .79, "suspect"), want: ops.ChangeStarted},
		{name: "a bound of one's own", config: changes.Config{Auto: changes.Auto{Probability: .5}}, incident: suspected("CHG-1", .6, "suspect"), want: ops.ChangePaused},
		{name: "confirmed, however likely", incident: suspected("CHG-1", .1, "confirmed"), want: ops.ChangePaused},
		{name: "rejected", incident: suspected("CHG-1", .99, "rejected"), want: ops.ChangeStarted},
		{name: "another change", incident: suspected("CHG-2", .99, "suspect"), want: ops.ChangeStarted},
		{name: "switched off", config: changes.Config{Auto: changes.Auto{Pause: &off}}, incident: suspected("CHG-1", .99, "suspect"), want: ops.ChangeStarted},
		{name: "a drill's incident", incident: func() ops.Incident { i := suspected("CHG-1", .99, "suspect"); i.Drill = &drill; return i }(), want: ops.ChangeStarted},
		{name: "an incident that is over", incident: func() ops.Incident { i := suspected("CHG-1", .99, "suspect"); i.State = ops.IncidentResolved; return i }(), want: ops.ChangeStarted},
		{name: "rolled back by its plan", config: changes.Config{Auto: changes.Auto{Rollback: true}}, incident: suspected("CHG-1", .9, "suspect"), want: ops.ChangePaused, orders: 1},
		{name: "to be rolled back, and names no plan", config: changes.Config{Auto: changes.Auto{Rollback: true}}, incident: suspected("CHG-1", .9, "suspect"), change: func(c *ops.Change) { c.Rollback = "by hand" }, want: ops.ChangePaused},
		{name: "in an environment that is exempt", config: changes.Config{Environments: map[string]changes.Environment{"test": {Exempt: true}}}, incident: suspected("CHG-1", .9, "suspect"), change: func(c *ops.Change) { c.Environment = "test" }, want: ops.ChangeStarted},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := open(t, tt.config)
			r.plans = map[string]time.Time{"undo": {}}
			c := staged()
			c.Rollback = "undo"
			if tt.change != nil {
				tt.change(&c)
			}
			c = r.underway(c)
			r.incidents = []ops.Incident{tt.incident}
			r.tick()
			got, _ := r.Get(context.Background(), c.ID)
			if got.Status != tt.want {
				t.Fatalf("it is %s, want %s", got.Status, tt.want)
			}
			if len(r.journal.effects) != tt.orders {
				t.Errorf("%d rollbacks were ordered, want %d", len(r.journal.effects), tt.orders)
			}
			if tt.want == ops.ChangePaused && (!strings.Contains(got.PausedFor, "INC-1") || got.PausedFor == "") {
				t.Errorf("it is paused for %q", got.PausedFor)
			}
		})
	}
}

func TestWhoResumesWhatWasPausedIsNotPausedAgainForTheSameIncident(t *testing.T) {
	r := open(t, changes.Config{Auto: changes.Auto{Rollback: true}})
	r.plans = map[string]time.Time{"undo": {}}
	c := staged()
	c.Rollback = "undo"
	c = r.underway(c)
	r.incidents = []ops.Incident{suspected(c.ID, .9, "suspect")}
	for range 3 {
		r.tick()
		r.reopen()
	}
	if e := r.journal.last(); e.Actor != "goc" {
		t.Errorf("the last event is by %s", e.Actor)
	}
	if got := r.event(commander, c.ID, ops.ChangeEvent{Event: "resume"}); got.PausedFor != "" {
		t.Errorf("it goes on, and is paused for %q", got.PausedFor)
	}
	if _, err := r.Evidence(context.Background(), ci, c.ID, map[string]string{"code": "https://wiki/code"}); err != nil { // which makes it go out no more than before
		t.Fatal(err)
	}
	r.tick()
	r.reopen()
	r.tick()
	if got, _ := r.Get(context.Background(), c.ID); got.Status != ops.ChangeStarted {
		t.Errorf("it is %s again for the same incident", got.Status)
	}
	other := suspected(c.ID, .9, "suspect")
	other.ID = "INC-2"
	r.incidents = append(r.incidents, other)
	r.tick()
	if got, _ := r.Get(context.Background(), c.ID); got.Status != ops.ChangePaused || !strings.Contains(got.PausedFor, "INC-2") || !strings.Contains(got.PausedFor, "was ordered at") {
		t.Errorf("for another incident it is %s for %q", got.Status, got.PausedFor)
	}
	if n := len(r.journal.effects); n != 1 {
		t.Errorf("its plan was ordered %d times, want once", n)
	}
}

func TestAnUnhealthyBakePausesTheRollout(t *testing.T) {
	off := false
	for _, tt := range []struct {
		name     string
		auto     changes.Auto
		finished bool
		want     ops.ChangeStatus
		orders   int
	}{
		{"while it goes out", changes.Auto{}, false, ops.ChangePaused, 0},
		{"switched off", changes.Auto{Pause: &off}, false, ops.ChangeStarted, 0},
		{"with its plan", changes.Auto{Rollback: true}, false, ops.ChangePaused, 1},
		{"when it is out", changes.Auto{}, true, ops.ChangeFinished, 0},
		{"when it is out, with its plan", changes.Auto{Rollback: true}, true, ops.ChangeFinished, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := open(t, changes.Config{Auto: tt.auto})
			r.plans = map[string]time.Time{"undo": {}}
			c := staged()
			c.Rollback = "undo"
			c = r.record(ci, c)
			r.warm(45 * time.Minute)
			r.event(ci, c.ID, ops.ChangeEvent{Event: "stage_started", Stage: 1})
			r.event(ci, c.ID, ops.ChangeEvent{Event: "stage_finished", Stage: 1})
			if tt.finished {
				r.event(ci, c.ID, ops.ChangeEvent{Event: "finish"})
			}
			r.sick(11*time.Minute, "SH-1")
			got, _ := r.Get(context.Background(), c.ID)
			if got.Stages[0].Verdict != ops.Unhealthy {
				t.Fatalf("the bake is %q", got.Stages[0].Verdict)
			}
			if got.Status != tt.want || len(r.journal.effects) != tt.orders {
				t.Errorf("it is %s with %d orders, want %s with %d", got.Status, len(r.journal.effects), tt.want, tt.orders)
			}
			if tt.want == ops.ChangePaused && !strings.Contains(got.PausedFor, "unhealthy") {
				t.Errorf("paused for %q", got.PausedFor)
			}
		})
	}
}

// warm shows every store well; sick shows some failing. Both move the clock.
func (r *room) warm(d time.Duration) { r.sick(d) }

func (r *room) sick(d time.Duration, failing ...string) {
	r.t.Helper()
	for range d / (15 * time.Second) {
		r.at = r.at.Add(15 * time.Second)
		for _, store := range []string{"SH-1", "SH-2", "BJ-1"} {
			value := .99 + float64(r.at.Unix()/15%7)/1000
			if slices.Contains(failing, store) {
				value -= .4
			}
			r.ObserveSamples([]ops.Sample{{At: ops.At(r.at), Service: "pay", Indicator: "success_ratio", Store: store, Value: value}})
		}
		if err := r.Tick(context.Background(), r.at); err != nil {
			r.t.Fatal(err)
		}
	}
}

func TestARingAloneIsRolledBack(t *testing.T) {
	r := open(t, changes.Config{})
	c := staged()
	c.Stages[0].Bake = 0
	c = r.record(ci, c)
	undo := func(stage int) (ops.Change, error) {
		return r.Event(context.Background(), ci, c.ID, ops.ChangeEvent{Event: "rollback", Stage: stage})
	}
	_, err := undo(1)
	refused(t, err, ops.Conflict, "has not started")
	for _, stage := range []int{1, 2} {
		r.event(ci, c.ID, ops.ChangeEvent{Event: "stage_started", Stage: stage})
		if stage == 1 {
			r.event(ci, c.ID, ops.ChangeEvent{Event: "stage_finished", Stage: stage})
		}
	}
	got, err := undo(2)
	if err != nil || got.Status != ops.ChangePaused || got.PausedFor != "stage 2 was rolled back" || r.journal.last().Name != "change.stage_rolled_back" {
		t.Fatalf("%v %s %q %s", err, got.Status, got.PausedFor, r.journal.last().Name)
	}
	_, err = undo(2)
	refused(t, err, ops.Conflict, "already")
	_, err = r.Event(context.Background(), ci, c.ID, ops.ChangeEvent{Event: "stage_finished", Stage: 2})
	refused(t, err, ops.Conflict, "was rolled back")
	r.event(ci, c.ID, ops.ChangeEvent{Event: "resume"})
	r.reopen()
	if d := r.check(ci, ops.GateRequest{ChangeID: c.ID, Stage: 3}); d.Decision != ops.EffectDeny || !strings.Contains(fmt.Sprint(d.Reasons), "stage 2 was rolled back") {
		t.Errorf("the next ring: %s %v", d.Decision, d.Reasons)
	}
	_, err = r.Event(context.Background(), ci, c.ID, ops.ChangeEvent{Event: "stage_started", Stage: 3})
	refused(t, err, ops.Conflict, "stage 2 of CHG-1 was rolled back")
	if got, err = undo(1); err != nil || got.Status != ops.ChangeRolledBack || got.FinishedAt.IsZero() {
		t.Errorf("with its last ring it is %s %v", got.Status, err)
	}
}

func TestTheMatrixSaysWhereEachStoreStands(t *testing.T) {
	r := onChain(t, 2)
	store := func(id string) ops.Stage {
		return ops.Stage{Scope: ops.Scope{Store: []string{id}}, Bake: ops.Duration(time.Hour)}
	}
	c := r.record(ci, gray(store("上海-000"), store("北京-000"), store("成都-000")))
	shows := func(want string) {
		t.Helper()
		m, err := r.Matrix(context.Background(), c.ID)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		n := 0
		for _, cell := range m.Cells {
			n++
			if cell.State != ops.StoreUntreated {
				got = append(got, fmt.Sprintf("%s:%d:%s:%t", cell.City, cell.Stage, cell.State, cell.Treated))
			}
		}
		if text := strings.Join(got, " "); text != want {
			t.Errorf("got  %s\nwant %s", text, want)
		}
		if n != 6 || m.Counts[ops.StoreUntreated] != 6-len(got) {
			t.Errorf("%d cells, %v", n, m.Counts)
		}
	}
	shows("上海:1:waiting:false 北京:2:waiting:false 成都:3:waiting:false")
	r.event(ci, c.ID, ops.ChangeEvent{Event: "stage_started", Stage: 1})
	shows("上海:1:in_progress:true 北京:2:waiting:false 成都:3:waiting:false")
	r.event(ci, c.ID, ops.ChangeEvent{Event: "stage_finished", Stage: 1})
	r.event(ci, c.ID, ops.ChangeEvent{Event: "stage_started", Stage: 2})
	r.event(ci, c.ID, ops.ChangeEvent{Event: "pause"})
	shows("上海:1:baking:true 北京:2:held:true 成都:3:held:false")
	r.event(ci, c.ID, ops.ChangeEvent{Event: "rollback", Stage: 2})
	shows("上海:1:baking:true 北京:2:rolled_back:false 成都:3:held:false")
	r.event(ci, c.ID, ops.ChangeEvent{Event: "abort"})
	shows("上海:1:done:true 北京:2:rolled_back:false")
	r.event(ci, c.ID, ops.ChangeEvent{Event: "rollback"})
	shows("上海:1:rolled_back:false 北京:2:rolled_back:false")
	if _, err := r.Matrix(context.Background(), "CHG-99"); ops.KindOf(err) != ops.NotFound {
		t.Errorf("a change that is not on record: %v", err)
	}
	central, err := r.Matrix(context.Background(), r.record(ci, release("pay")).ID)
	if err != nil || len(central.Cells) != 0 {
		t.Errorf("a release that goes to no store has %d cells, %v", len(central.Cells), err)
	}
}
