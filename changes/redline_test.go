package changes_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"goc/changes"
	"goc/ops"
)

func TestRedLines(t *testing.T) {
	floor, ceiling := 0.9, 2.0
	low := changes.Config{RedLines: []changes.RedLine{{Name: "payments", Service: "pay", Indicator: "success_ratio", Below: &floor, Over: ops.Duration(time.Minute)}}}
	high := changes.Config{RedLines: []changes.RedLine{{Name: "slow", Service: "pay", Indicator: "latency_s", Above: &ceiling, Scope: ops.Scope{City: []string{"Shanghai"}}}}}
	dark := changes.Config{RedLines: []changes.RedLine{{Name: "dark", Dark: 0.5, Override: "admin"}}}
	many := changes.Config{RedLines: []changes.RedLine{{Name: "many", Changing: 0.5}}}
	fails := func(r *room) { r.observe("success_ratio", 0.5, time.Minute) }
	play(t, []scenario{
		{name: "crossed", config: low, ask: release("pay"), given: fails, want: "deny: red_line deny", says: []string{"red line payments is crossed since 2026-11-16T08:00", "success_ratio of pay was 0.5 over the last 1m, under the limit of 0.9"}},
		{name: "crossed, and an admin asks", config: low, ask: release("cart"), given: fails, who: admin, want: "deny: red_line deny"},
		{name: "not crossed", config: low, ask: release("pay"), given: func(r *room) { r.observe("success_ratio", 0.95, time.Minute) }, want: "allow"},
		{name: "nothing is known", config: low, ask: release("pay"), want: "allow"},
		{name: "above", config: high, ask: release("cart", "SH-1"), given: func(r *room) { r.observe("latency_s", 3, 5*time.Minute) }, want: "deny: red_line deny"},
		{name: "out of its scope", config: high, ask: release("cart", "BJ-1"), given: func(r *room) { r.observe("latency_s", 3, 5*time.Minute) }, want: "allow"},
		{name: "too many are dark", config: dark, ask: release("pay"), given: func(r *room) { r.dark = 2 }, want: "deny: red_line deny", says: []string{"2 of 3 stores are dark, and 50 % is the limit"}},
		{name: "some are dark", config: dark, ask: release("pay"), given: func(r *room) { r.dark = 1 }, want: "allow"},
		{
			name: "too many are under change", config: many, ask: release("pay"), want: "deny: red_line deny", says: []string{"2 of 3 stores are under change"},
			given: func(r *room) {
				r.underway(ops.Change{Kind: ops.KindPrice, Title: "prices", Scope: ops.Scope{City: []string{"Shanghai"}}})
			},
		},
	})
}

func TestARedLineIsToldOncePagesAndEnds(t *testing.T) {
	floor := 0.9
	r := open(t, changes.Config{RedLines: []changes.RedLine{{Name: "payments", Service: "pay", Indicator: "success_ratio", Below: &floor, Over: ops.Duration(time.Minute), InFlight: "pause"}}})
	c := r.underway(release("pay"))
	pass := func(value float64, d time.Duration) {
		for range d / (15 * time.Second) {
			r.at = r.at.Add(15 * time.Second)
			r.observe("success_ratio", value, 15*time.Second)
			r.tick()
		}
	}
	pass(0.5, 3*time.Minute)
	if got, _ := r.Get(context.Background(), c.ID); got.Status != ops.ChangePaused {
		t.Errorf("what was under way is %s", got.Status)
	}
	r.reopen()
	pass(0.5, time.Minute)
	if _, err := r.Override(context.Background(), admin, ops.Override{ChangeID: c.ID, Reason: "needed"}); err != nil {
		t.Fatal(err)
	}
	if d := r.check(ci, ops.GateRequest{ChangeID: c.ID}); d.Decision != ops.EffectDeny || d.Reasons[0].Override != nil {
		t.Errorf("nobody may override it: %s %+v", told(d), d.Reasons)
	}
	pass(1, 3*time.Minute)
	if d := r.check(ci, ops.GateRequest{Change: &ops.Change{Kind: ops.KindFlag, Title: "x"}}); told(d) != "allow" {
		t.Errorf("it is over: %s", told(d))
	}
	count := 0
	for _, n := range r.journal.names() {
		if n == "gate.red_line" {
			count++
		}
	}
	if count != 2 {
		t.Errorf("told %d times, want once when it began and once when it ended", count)
	}
	first, last := r.paged[0], r.paged[len(r.paged)-1]
	if len(r.paged) < 4 || first.Status != ops.Firing || last.Status != ops.Resolved || first.Fingerprint != last.Fingerprint || first.Labels["service"] != "pay" || first.Validate("a") != nil {
		t.Errorf("paged %d times: %+v … %+v", len(r.paged), first, last)
	}
}

func TestAnAdminOpensWhatOnlyAnAdminMay(t *testing.T) {
	config := changes.Config{RedLines: []changes.RedLine{{Name: "dark", Dark: 0.5, Override: "admin"}}}
	for _, tt := range []struct {
		who  ops.Principal
		want string
	}{{commander, "deny: red_line deny, break_glass allow"}, {admin, "allow: red_line deny, break_glass allow"}} {
		r := open(t, config)
		r.dark = 3
		r.tick()
		c := r.record(ci, release("pay"))
		if _, err := r.Override(context.Background(), tt.who, ops.Override{ChangeID: c.ID, Reason: "needed"}); err != nil {
			t.Fatal(err)
		}
		if d := r.check(ci, ops.GateRequest{ChangeID: c.ID}); told(d) != tt.want {
			t.Errorf("%s broke the glass: %s, want %s", tt.who.Name, told(d), tt.want)
		}
	}
}

func TestAFreezeThatRollsBackRunsThePlanThatTheChangeNames(t *testing.T) {
	for _, tt := range []struct{ rollback, plan, note string }{
		{"undo", "undo", "has it rolled back by the plan undo"},
		{"by hand", "", "it names no plan for that, so roll it back by hand"},
		{"", "", "it names no plan"},
	} {
		r := open(t, changes.Config{})
		r.plans = map[string]time.Time{"undo": {}}
		c := release("pay", "SH-1")
		c.Rollback = tt.rollback
		c = r.underway(c)
		if _, err := r.AddFreeze(context.Background(), commander, ops.Freeze{Name: "sale", From: ops.At(monday.Add(time.Minute)), To: ops.At(monday.Add(time.Hour)), InFlight: "rollback"}); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			r.at = r.at.Add(time.Minute)
			r.tick()
			r.reopen()
		}
		if got, _ := r.Get(context.Background(), c.ID); got.Status != ops.ChangePaused {
			t.Errorf("%q: the change is %s", tt.rollback, got.Status)
		}
		var orders []string
		for _, e := range r.journal.effects {
			var o changes.RollbackOrder
			if err := json.Unmarshal(e.Body, &o); err != nil || e.Kind != changes.RollbackEffect || o.ChangeID != c.ID || o.Service != "pay" {
				t.Fatalf("%+v %v", e, err)
			}
			orders = append(orders, o.Plan)
		}
		if got := strings.Join(orders, " "); got != tt.plan {
			t.Errorf("%q: ordered %q, want %q once", tt.rollback, got, tt.plan)
		}
		told := false
		for _, e := range r.journal.events {
			told = told || (e.Name == "change.paused" && strings.Contains(string(e.Data), tt.note))
		}
		if !told {
			t.Errorf("%q: nothing says %q", tt.rollback, tt.note)
		}
	}
}
