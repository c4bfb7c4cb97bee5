package changes_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"goc/changes"
	"goc/ops"
)

func TestErrorBudget(t *testing.T) {
	config := changes.Config{ErrorBudget: changes.ErrorBudget{Objective: 0.999, Services: map[string]changes.Objective{"pay": {Objective: 0.999}}}}
	quiet := changes.Config{ErrorBudget: changes.ErrorBudget{Objective: 0.999}}
	play(t, []scenario{
		{
			name: "it burns in both windows", config: config, ask: release("pay"), want: "deny: error_budget deny, error_budget wait", retry: 60,
			given: func(r *room) { r.observe("success_ratio", 0.97, 6*time.Hour) },
			says:  []string{"pay burns its error budget 30 times too fast over the last 5m and 30 over 1h (14.4 is the limit)", "% of the budget of 30 days is left", "since 2026-11-16T0"},
		},
		{
			name: "it burns slowly", config: config, ask: release("pay"), want: "wait: error_budget wait",
			given: func(r *room) { r.observe("success_ratio", 0.99, 6*time.Hour) },
		},
		{
			name: "it burned, and no longer does", config: config, ask: release("pay"), want: "allow: error_budget allow",
			given: func(r *room) {
				r.observe("success_ratio", 0.9, time.Hour)
				r.at = r.at.Add(6 * time.Minute)
				r.observe("success_ratio", 1, 6*time.Minute)
				r.at = r.at.Add(30 * time.Minute)
				r.observe("success_ratio", 1, 30*time.Minute)
			},
			says: []string{"of the error budget of pay is left"},
		},
		{
			name: "a moment that does not matter", config: config, ask: release("pay"), want: "allow: error_budget allow",
			given: func(r *room) {
				r.observe("success_ratio", 1, 6*time.Hour)
				r.at = r.at.Add(30 * time.Second)
				r.observe("success_ratio", 0.9, 30*time.Second)
			},
		},
		{
			name: "nothing is known of a stated objective", config: config, ask: release("pay"), want: "allow: error_budget allow",
			says: []string{"is not known"},
		},
		{name: "nothing is known, and nobody asked", config: quiet, ask: release("pay"), want: "allow"},
		{
			name: "another service burns", config: config, ask: release("cart"), want: "allow",
			given: func(r *room) { r.observe("success_ratio", 0.5, time.Hour) },
		},
		{
			name: "an exempt environment", ask: ops.Change{Kind: ops.KindRelease, Service: "pay", Environment: "staging"}, want: "allow",
			config: changes.Config{ErrorBudget: config.ErrorBudget, Environments: map[string]changes.Environment{"staging": {Exempt: true}}},
			given:  func(r *room) { r.observe("success_ratio", 0.5, time.Hour) },
		},
	})
}

func TestABurnOutlivesARestart(t *testing.T) {
	r := open(t, changes.Config{ErrorBudget: changes.ErrorBudget{Services: map[string]changes.Objective{"pay": {Objective: 0.99}}}})
	r.observe("success_ratio", 0.5, time.Hour)
	r.tick() // puts the hour on disk
	before := r.check(ci, ops.GateRequest{Change: &ops.Change{Kind: ops.KindConfig, Service: "pay"}})
	r.reopen()
	r.observe("success_ratio", 1, time.Minute)
	after := r.check(ci, ops.GateRequest{Change: &ops.Change{Kind: ops.KindConfig, Service: "pay"}})
	if !strings.HasPrefix(told(before), "deny: error_budget deny") || told(after) != "allow: error_budget allow" || strings.Contains(after.Reasons[0].Message, "100 %") {
		t.Errorf("before %s, after %s: %+v", told(before), told(after), after.Reasons)
	}
}

type history struct {
	value float64
	err   error
	asked chan string
}

func (h history) Query(context.Context, string, time.Time) ([]ops.Point, error) { return nil, h.err }

func (h history) QueryRange(_ context.Context, expr string, from, to time.Time, step time.Duration) ([]ops.Curve, error) {
	h.asked <- expr
	var c ops.Curve
	for at := from; !at.After(to); at = at.Add(step) {
		c.Times, c.Values = append(c.Times, at), append(c.Values, h.value)
	}
	return []ops.Curve{c}, h.err
}

func TestTheCourseBeforeTheStartIsReadBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		h := history{value: 0.9, asked: make(chan string, 10)}
		s, err := changes.New(ctx, changes.Options{
			Config:  changes.Config{ErrorBudget: changes.ErrorBudget{Services: map[string]changes.Objective{"pay": {Objective: 0.999}}}},
			Catalog: catalog(t), Journal: newJournal(), Querier: h,
		})
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() { s.Run(ctx); close(ended) }()
		if expr := <-h.asked; expr != `avg(goc_indicator{indicator="success_ratio",service="pay"})` {
			t.Errorf("asked %s", expr)
		}
		synctest.Wait()
		d, err := s.Check(ctx, ci, ops.GateRequest{Change: &ops.Change{Kind: ops.KindRelease, Service: "pay"}})
		if err != nil || told(d) != "deny: error_budget deny, error_budget wait" {
			t.Errorf("%s %v", told(d), err)
		}
		stop()
		<-ended
	})
}

func TestHoursThatNoPeriodLooksBackToAreDroppedHoweverLongTheProgramStood(t *testing.T) {
	r := open(t, changes.Config{ErrorBudget: changes.ErrorBudget{Period: ops.Duration(30 * 24 * time.Hour), Services: map[string]changes.Objective{"pay": {Objective: 0.99}}}})
	r.observe("success_ratio", 0.5, time.Hour)
	r.tick()
	hours := func() (n int) {
		if err := r.journal.Load(t.Context(), "budget_hour", func(ops.Record) error { n++; return nil }); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if hours() == 0 {
		t.Fatal("the course is not on disk")
	}
	r.at = r.at.Add(29 * 24 * time.Hour)
	r.reopen()
	r.tick()
	if hours() == 0 {
		t.Error("hours within the period are gone")
	}
	r.at = r.at.Add(2 * 24 * time.Hour)
	r.reopen()
	r.tick()
	if n := hours(); n != 0 {
		t.Errorf("%d hours of a month ago are left", n)
	}
}
