package changes_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"goc/changes"
	"goc/ops"
)

func TestWhatSaysTooLittleOrTooMuchIsRefused(t *testing.T) {
	many := make([]ops.Stage, changes.MaxStages+1)
	labels := map[string]string{}
	for i := range 100 {
		labels[fmt.Sprint(i)] = "x"
	}
	tests := []struct {
		name   string
		change ops.Change
		place  string
	}{
		{"no kind", ops.Change{Service: "pay"}, "body.kind"},
		{"neither title nor service", ops.Change{Kind: ops.KindFlag}, "body.title"},
		{"an unknown risk", ops.Change{Kind: ops.KindFlag, Service: "pay", Risk: "extreme"}, "body.risk"},
		{"a bake of a month", ops.Change{Kind: ops.KindFlag, Service: "pay", Bake: ops.Duration(30 * 24 * time.Hour)}, "body.bake"},
		{"an endless title", ops.Change{Kind: ops.KindFlag, Title: strings.Repeat("x", 5000)}, "body.title"},
		{"too many stages", ops.Change{Kind: ops.KindFlag, Service: "pay", Stages: many}, "body.stages"},
		{"a stage with an empty store", ops.Change{Kind: ops.KindFlag, Service: "pay", Stages: []ops.Stage{{Scope: ops.Scope{Store: []string{""}}}}}, "body.stages[0].scope.store"},
		{"an empty unit", ops.Change{Kind: ops.KindFlag, Service: "pay", Stages: []ops.Stage{{Units: []string{""}}}}, "body.stages[0].units"},
		{"a hundred labels", ops.Change{Kind: ops.KindFlag, Service: "pay", Labels: labels}, "body.labels"},
		{"a link that runs script", ops.Change{Kind: ops.KindFlag, Service: "pay", Links: []ops.Link{{URL: "javascript:alert(1)"}}}, "body.links[0].url"},
		{"an unknown status", ops.Change{Kind: ops.KindFlag, Service: "pay", Status: "gone"}, "body.status"},
		{"a start tomorrow", ops.Change{Kind: ops.KindFlag, Service: "pay", Status: ops.ChangeStarted, StartedAt: ops.At(monday.Add(24 * time.Hour))}, "body.started_at"},
		{"an end before the beginning", ops.Change{Kind: ops.KindFlag, Service: "pay", Status: ops.ChangeFinished, StartedAt: ops.At(monday), FinishedAt: ops.At(monday.Add(-time.Hour))}, "body.finished_at"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := open(t, changes.Config{})
			_, err := r.Record(context.Background(), ci, tt.change)
			var e *ops.Error
			if !errors.As(err, &e) || e.Kind != ops.Invalid || e.Location != tt.place {
				t.Errorf("got %v, want it refused at %s", err, tt.place)
			}
		})
	}
}

func TestAnUnknownKindIsRecordedAsOther(t *testing.T) {
	r := open(t, changes.Config{})
	c := r.record(ci, ops.Change{Kind: "terraform", Service: "pay"})
	if c.Kind != ops.KindOther || c.Labels["kind"] != "terraform" || c.Title != "other of pay" {
		t.Errorf("recorded as %+v", c)
	}
}

func TestTheSameExternalIDIsTheSameChange(t *testing.T) {
	r := open(t, changes.Config{})
	c := ops.Change{Kind: ops.KindRelease, Service: "pay", Source: "github", Labels: map[string]string{"external_id": "42"}}
	first := r.record(sender, c)
	r.reopen()
	if again := r.record(sender, c); again.ID != first.ID {
		t.Errorf("it became %s as well", again.ID)
	}
	c.Source = "argocd"
	if other := r.record(sender, c); other.ID == first.ID {
		t.Error("another sender's 42 is not the same")
	}
}

func TestAChangeOfADrillSaysSo(t *testing.T) {
	r := open(t, changes.Config{})
	if c := r.record(ci, ops.Change{Kind: ops.KindRelease, Service: "pay", Labels: map[string]string{"drill": "DRL-3"}}); c.Drill != "DRL-3" {
		t.Errorf("drill %q", c.Drill)
	}
}

func TestMovesThatAreLegalAndThoseThatAreNot(t *testing.T) {
	tests := []struct {
		name   string
		events []string // "stage_started 2" names a stage
		status ops.ChangeStatus
		fails  string // what the last event is told, "" when it is legal
	}{
		{"start and finish", []string{"start", "finish"}, ops.ChangeFinished, ""},
		{"start twice", []string{"start", "start"}, ops.ChangeStarted, "only once"},
		{"finish what has not started", []string{"finish"}, ops.ChangePlanned, "has not started"},
		{"a stage starts the change", []string{"stage_started 1"}, ops.ChangeStarted, ""},
		{"a stage that was not announced", []string{"stage_started 1", "stage_finished 1", "stage_started 2"}, ops.ChangeStarted, ""},
		{"a stage skips one", []string{"stage_started 2"}, ops.ChangePlanned, "stage 1"},
		{"a stage finishes that has not started", []string{"start", "stage_finished 1"}, ops.ChangeStarted, "has not started"},
		{"a stage finishes twice", []string{"stage_started 1", "stage_finished 1", "stage_finished 1"}, ops.ChangeStarted, "already finished"},
		{"pause and resume", []string{"start", "pause", "resume"}, ops.ChangeStarted, ""},
		{"pause what has not started", []string{"pause"}, ops.ChangePlanned, "cannot be paused"},
		{"a stage starts while paused", []string{"start", "pause", "stage_started 1"}, ops.ChangePaused, "resume it first"},
		{"a stage under way ends while paused", []string{"stage_started 1", "pause", "stage_finished 1"}, ops.ChangePaused, ""},
		{"finish while paused", []string{"start", "pause", "finish"}, ops.ChangeFinished, ""},
		{"roll back what is under way", []string{"start", "rollback"}, ops.ChangeRolledBack, ""},
		{"roll back what has finished", []string{"start", "finish", "rollback"}, ops.ChangeRolledBack, ""},
		{"roll back what has not started", []string{"rollback"}, ops.ChangePlanned, "nothing to roll back"},
		{"roll back twice", []string{"start", "rollback", "rollback"}, ops.ChangeRolledBack, "already"},
		{"abort what is planned", []string{"abort"}, ops.ChangeAborted, ""},
		{"abort what has finished", []string{"start", "finish", "abort"}, ops.ChangeFinished, "it is over"},
		{"a stage starts after the end", []string{"start", "finish", "stage_started 1"}, ops.ChangeFinished, "record a new change"},
		{"an event that does not exist", []string{"explode"}, ops.ChangePlanned, "no such event"},
		{"a stage event without a stage", []string{"stage_started"}, ops.ChangePlanned, "must name its stage"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := open(t, changes.Config{})
			c := r.record(ci, ops.Change{Kind: ops.KindRelease, Service: "pay"})
			for i, text := range tt.events {
				var ev ops.ChangeEvent
				fmt.Sscanf(text, "%s %d", &ev.Event, &ev.Stage)
				_, err := r.Event(context.Background(), ci, c.ID, ev)
				if last := i == len(tt.events)-1; last && tt.fails != "" {
					var e *ops.Error
					if !errors.As(err, &e) || !strings.Contains(e.Message+e.Hint, tt.fails) {
						t.Errorf("got %v, want it refused because of %q", err, tt.fails)
					}
				} else if err != nil {
					t.Fatalf("%s: %v", text, err)
				}
			}
			if got, _ := r.Get(context.Background(), c.ID); got.Status != tt.status {
				t.Errorf("it is %s, want %s", got.Status, tt.status)
			}
		})
	}
}

func TestWhatHappenedOutsideIsRecordedAndFlagged(t *testing.T) {
	r := open(t, changes.Config{})
	c := r.record(sender, ops.Change{Kind: ops.KindRelease, Service: "pay", Source: "argocd"})
	c = r.event(sender, c.ID, ops.ChangeEvent{Event: "stage_started", Stage: 3, Units: []string{"pay-9"}})
	if !c.Unapproved || len(c.Stages) != 3 || c.Stages[2].Units[0] != "pay-9" || c.Status != ops.ChangeStarted {
		t.Errorf("a stage that skipped two: %+v", c)
	}
	c = r.event(sender, c.ID, ops.ChangeEvent{Event: "finish", At: ops.At(monday.Add(-time.Minute))})
	if c.Status != ops.ChangeFinished || !c.FinishedAt.Equal(monday.Add(-time.Minute)) {
		t.Errorf("a late record: %+v", c)
	}
	_, err := r.Event(context.Background(), sender, c.ID, ops.ChangeEvent{Event: "rollback", At: ops.At(monday.Add(time.Hour))})
	refused(t, err, ops.Invalid, "future")
}

func TestABrokenGlassLetsAStageSkip(t *testing.T) {
	r := open(t, changes.Config{})
	c := r.record(ci, staged())
	_, err := r.Override(context.Background(), ci, ops.Override{ChangeID: c.ID, Reason: "burning"})
	refused(t, err, ops.Denied)
	_, err = r.Override(context.Background(), commander, ops.Override{ChangeID: c.ID})
	refused(t, err, ops.Invalid, "reason")
	_, err = r.Override(context.Background(), commander, ops.Override{ChangeID: c.ID, Reason: "burning", Duration: ops.Duration(2 * time.Hour)})
	refused(t, err, ops.Invalid, "duration")
	_, err = r.Override(context.Background(), commander, ops.Override{ChangeID: c.ID, Reason: "burning", Person: "Wang"})
	refused(t, err, ops.Denied, "another's name")
	_, err = r.Override(context.Background(), commander, ops.Override{ChangeID: "CHG-99", Reason: "burning"})
	refused(t, err, ops.NotFound)
	o, err := r.Override(context.Background(), commander, ops.Override{ChangeID: c.ID, Reason: "burning"})
	if err != nil || o.Person != "Li" || o.ExpiresAt.Sub(monday) != time.Hour {
		t.Fatal(o, err)
	}
	r.reopen()
	c = r.event(ci, c.ID, ops.ChangeEvent{Event: "stage_started", Stage: 3})
	if !c.Overridden || c.Unapproved {
		t.Errorf("it went out by break-glass, but: %+v", c)
	}
	r.at = r.at.Add(2 * time.Hour)
	if d := r.check(ci, ops.GateRequest{ChangeID: c.ID, Stage: 2}); d.Decision == ops.EffectAllow {
		t.Errorf("the hour is over, but: %+v", d)
	}
}

func TestApprovalsAreNeverOnesOwn(t *testing.T) {
	r := open(t, changes.Config{Approvals: map[string]changes.ApprovalRule{"medium": {Need: 1}}})
	c := r.record(ci, staged())
	approve := func(who ops.Principal, person string) error {
		_, err := r.Approve(context.Background(), who, ops.Approval{ChangeID: c.ID, Person: person})
		return err
	}
	refused(t, approve(ci, ""), ops.Denied)
	refused(t, approve(ops.Principal{Name: "Wang", Role: ops.Commander}, ""), ops.Denied, "own change")
	refused(t, approve(commander, "Zhao"), ops.Denied, "another's name")
	if d := r.check(ci, ops.GateRequest{ChangeID: c.ID}); d.Decision != ops.EffectWait {
		t.Fatalf("nobody approved, but: %+v", d)
	}
	for range 2 { // a second yes of the same person is the first
		if err := approve(commander, ""); err != nil {
			t.Fatal(err)
		}
	}
	r.reopen()
	if d := r.check(ci, ops.GateRequest{ChangeID: c.ID}); d.Decision != ops.EffectAllow {
		t.Fatalf("Li approved, but: %+v", d)
	}
}

func TestListIsNewestFirstAndPages(t *testing.T) {
	r := open(t, changes.Config{})
	for i := range 25 {
		c := ops.Change{Kind: ops.KindRelease, Service: []string{"pay", "cart"}[i%2]}
		switch i % 3 {
		case 1:
			c.Scope.Store = []string{"SH-1"}
		case 2:
			c.Scope.City = []string{"Beijing"}
		}
		c = r.record(ci, c)
		if i%5 == 0 {
			r.event(ci, c.ID, ops.ChangeEvent{Event: "start"})
		}
		r.at = r.at.Add(time.Minute)
	}
	all := func(q ops.ChangeQuery) []string {
		var ids []string
		for {
			page, err := r.List(context.Background(), q)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range page.Items {
				ids = append(ids, c.ID)
			}
			if q.Cursor = page.Next; q.Cursor == "" {
				return ids
			}
		}
	}
	if ids := all(ops.ChangeQuery{Page: ops.Page{Limit: 10}}); len(ids) != 25 || ids[0] != "CHG-25" || ids[24] != "CHG-1" {
		t.Errorf("all: %v", ids)
	}
	if ids := all(ops.ChangeQuery{Status: ops.ChangeStarted, Page: ops.Page{Limit: 2}}); !slices.Equal(ids, []string{"CHG-21", "CHG-16", "CHG-11", "CHG-6", "CHG-1"}) {
		t.Errorf("started: %v", ids)
	}
	if ids := all(ops.ChangeQuery{Service: "pay", Status: ops.ChangeStarted}); !slices.Equal(ids, []string{"CHG-21", "CHG-11", "CHG-1"}) {
		t.Errorf("pay, started: %v", ids)
	}
	if ids := all(ops.ChangeQuery{Store: "BJ-1", Since: ops.At(monday.Add(18 * time.Minute))}); !slices.Equal(ids, []string{"CHG-25", "CHG-24", "CHG-22", "CHG-21", "CHG-19"}) {
		t.Errorf("of BJ-1 since 18 min: %v", ids)
	}
	if ids := all(ops.ChangeQuery{Service: "nobody"}); ids != nil {
		t.Errorf("nobody's: %v", ids)
	}
	_, err := r.List(context.Background(), ops.ChangeQuery{Page: ops.Page{Cursor: "INC-1"}})
	refused(t, err, ops.Invalid, "cursor")
}

func TestWatchersSeeEachMoveInOrder(t *testing.T) {
	r := open(t, changes.Config{})
	old := r.record(ci, staged())
	r.event(ci, old.ID, ops.ChangeEvent{Event: "start"})
	r.event(ci, old.ID, ops.ChangeEvent{Event: "abort"})
	r.at = r.at.Add(72 * time.Hour)
	running := r.record(ci, staged())
	r.event(ci, running.ID, ops.ChangeEvent{Event: "start"})

	var mu sync.Mutex
	var seen []string
	done := make(chan struct{})
	cancel := r.Watch(func(c ops.Change) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, c.ID+" "+string(c.Status))
		if c.Status == ops.ChangeFinished {
			close(done)
		}
	})
	r.event(ci, running.ID, ops.ChangeEvent{Event: "pause"})
	r.event(ci, running.ID, ops.ChangeEvent{Event: "resume"})
	r.event(ci, running.ID, ops.ChangeEvent{Event: "finish"})
	<-done
	cancel()
	r.event(ci, running.ID, ops.ChangeEvent{Event: "rollback"})
	mu.Lock()
	defer mu.Unlock()
	if want := []string{"CHG-2 started", "CHG-2 paused", "CHG-2 started", "CHG-2 finished"}; !slices.Equal(seen, want) {
		t.Errorf("saw %v, want %v", seen, want)
	}
}

func TestTwoJobsRaceForOneStageAndOneWins(t *testing.T) {
	r := open(t, changes.Config{})
	c := r.record(ci, staged())
	var wg sync.WaitGroup
	errs := make([]error, 16)
	for i := range errs {
		wg.Go(func() {
			_, errs[i] = r.Event(context.Background(), ops.Principal{Name: fmt.Sprintf("job-%d", i), Role: ops.CI}, c.ID, ops.ChangeEvent{Event: "stage_started", Stage: 1})
		})
	}
	wg.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
			continue
		}
		refused(t, err, ops.Conflict, "was started by job-")
	}
	if won != 1 {
		t.Errorf("%d jobs won", won)
	}
}
