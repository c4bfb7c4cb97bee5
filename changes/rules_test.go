package changes_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"goc/changes"
	"goc/changes/policy"
	"goc/ops"
)

// scenario is one line of a table: what is given, what is asked, and what the gate answers, as "decision: rule effect, …".
type scenario struct {
	name   string
	config changes.Config
	given  func(r *room)
	ask    ops.Change
	who    ops.Principal // ci when it is nobody
	want   string
	says   []string // words of the reasons
	not    string   // a word that they do not say
	retry  int      // in how many seconds to ask again, 0: any
}

func play(t *testing.T, table []scenario) {
	t.Helper()
	for _, tt := range table {
		t.Run(tt.name, func(t *testing.T) {
			r := open(t, tt.config)
			if tt.given != nil {
				tt.given(r)
			}
			if tt.who.Name == "" {
				tt.who = ci
			}
			r.tick()
			d := r.check(tt.who, ops.GateRequest{Change: &tt.ask})
			tt.judge(t, d)
			again := tt.ask
			again.Kind = "rollback"
			if d := r.check(tt.who, ops.GateRequest{Change: &again}); d.Decision != ops.EffectAllow {
				t.Errorf("a rollback is %s: %+v", d.Decision, d.Reasons)
			}
		})
	}
}

func (tt scenario) judge(t *testing.T, d ops.Decision) {
	t.Helper()
	if got := told(d); got != tt.want {
		t.Errorf("got  %s\nwant %s\n%+v", got, tt.want, d.Reasons)
	}
	text := ""
	for _, reason := range d.Reasons {
		text += reason.Message + "\n"
	}
	for _, w := range tt.says {
		if !strings.Contains(text, w) {
			t.Errorf("it does not say %q:\n%s", w, text)
		}
	}
	if tt.not != "" && strings.Contains(text, tt.not) {
		t.Errorf("it says %q:\n%s", tt.not, text)
	}
	if d.Decision == ops.EffectWait && d.RetryAfterS < 1 {
		t.Error("it says to wait, and not how long")
	}
	if tt.retry > 0 && d.RetryAfterS != tt.retry {
		t.Errorf("ask again in %d s, want %d", d.RetryAfterS, tt.retry)
	}
}

// told is a decision in one line.
func told(d ops.Decision) string {
	var rules []string
	for _, r := range d.Reasons {
		rules = append(rules, r.Rule+" "+r.Effect)
	}
	if len(rules) == 0 {
		return d.Decision
	}
	return d.Decision + ": " + strings.Join(rules, ", ")
}

func (r *room) tick() {
	r.t.Helper()
	if err := r.Tick(context.Background(), r.at); err != nil {
		r.t.Fatal(err)
	}
}

// observe gives an indicator of pay a value each 15 s for the time that ends now.
func (r *room) observe(indicator string, value float64, d time.Duration) {
	for at := r.at.Add(-d); at.Before(r.at); at = at.Add(15 * time.Second) {
		r.ObserveSamples([]ops.Sample{{At: ops.At(at), Service: "pay", Indicator: indicator, Store: "SH-1", Value: value}})
	}
}

// underway records a change and starts it.
func (r *room) underway(c ops.Change) ops.Change {
	c = r.record(ci, c)
	return r.event(ci, c.ID, ops.ChangeEvent{Event: "start"})
}

func release(service string, stores ...string) ops.Change {
	return ops.Change{Kind: ops.KindRelease, Title: "release of " + service, Service: service, Version: "1", Author: "Wang", Scope: ops.Scope{Store: stores}}
}

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

func TestCollision(t *testing.T) {
	none := 0
	wait := changes.Config{Collision: changes.Collision{Effect: ops.EffectWait}}
	only := changes.Config{Collision: changes.Collision{Effect: ops.EffectDeny, Depth: &none}}
	play(t, []scenario{
		{
			name: "the same store", config: wait, ask: ops.Change{Kind: ops.KindPrice, Title: "prices", Scope: ops.Scope{Store: []string{"SH-1"}}},
			given: func(r *room) { r.underway(release("pay", "SH-1", "SH-2")) },
			want:  "wait: collision wait", says: []string{"CHG-1 (release of pay) of Wang is under way in SH-1 until it has finished"},
		},
		{
			name: "another store", config: wait, ask: ops.Change{Kind: ops.KindPrice, Title: "prices", Scope: ops.Scope{Store: []string{"BJ-1"}}},
			given: func(r *room) { r.underway(release("pay", "SH-1")) }, want: "allow",
		},
		{
			name: "the city of the store", config: wait, ask: ops.Change{Kind: ops.KindPrice, Title: "prices", Scope: ops.Scope{City: []string{"Shanghai"}}},
			given: func(r *room) { r.underway(release("pay", "SH-1")) }, want: "wait: collision wait",
		},
		{
			name: "a store of the city", config: wait, ask: ops.Change{Kind: ops.KindPrice, Title: "prices", Scope: ops.Scope{Store: []string{"SH-2"}}},
			given: func(r *room) {
				r.underway(ops.Change{Kind: ops.KindPrice, Title: "other prices", Scope: ops.Scope{City: []string{"Shanghai"}}})
			}, want: "wait: collision wait",
		},
		{
			name: "a store of the region", config: wait, ask: ops.Change{Kind: ops.KindPrice, Title: "prices", Scope: ops.Scope{Store: []string{"SH-2"}}},
			given: func(r *room) {
				r.underway(ops.Change{Kind: ops.KindPrice, Title: "other prices", Scope: ops.Scope{Region: []string{"east"}}})
			}, want: "wait: collision wait",
		},
		{
			name: "a service that calls it", config: wait, ask: release("cart"),
			given: func(r *room) { r.underway(release("pay")) }, want: "wait: collision wait", says: []string{"in service pay"},
		},
		{
			name: "a service that it calls", config: wait, ask: release("pay"),
			given: func(r *room) { r.underway(release("cart")) }, want: "wait: collision wait",
		},
		{
			name: "a service that calls it, and chains do not count", config: only, ask: release("cart"),
			given: func(r *room) { r.underway(release("pay")) }, want: "allow",
		},
		{
			name: "the same service", config: only, ask: release("pay"),
			given: func(r *room) { r.underway(release("pay")) }, want: "deny: collision deny",
		},
		{
			name: "the same service elsewhere", config: only, ask: release("pay", "BJ-1"),
			given: func(r *room) { r.underway(release("pay", "SH-1")) }, want: "allow",
		},
		{
			name: "another environment", config: wait, ask: ops.Change{Kind: ops.KindRelease, Service: "pay", Environment: "staging"},
			given: func(r *room) { r.underway(release("pay")) }, want: "allow",
		},
		{
			name: "only planned", config: wait, ask: release("pay"),
			given: func(r *room) { r.record(ci, release("pay")) }, want: "allow",
		},
		{
			name: "finished", config: wait, ask: release("pay"),
			given: func(r *room) { r.event(ci, r.underway(release("pay")).ID, ops.ChangeEvent{Event: "finish"}) }, want: "allow",
		},
		{
			name: "it bakes", config: wait, ask: release("pay"), retry: 480,
			given: func(r *room) {
				c := release("pay")
				c.Bake = ops.Duration(10 * time.Minute)
				r.event(ci, r.underway(c).ID, ops.ChangeEvent{Event: "finish"})
				r.at = r.at.Add(2 * time.Minute)
			}, want: "wait: collision wait", says: []string{"until its bake ends at 2026-11-16T08:10"},
		},
		{
			name: "somebody forgot to finish it", config: wait, ask: release("pay"),
			given: func(r *room) { r.underway(release("pay")); r.at = r.at.Add(25 * time.Hour) }, want: "allow",
		},
		{
			name: "a drill", config: wait, ask: release("pay"),
			given: func(r *room) { c := release("pay"); c.Kind = ops.KindDrill; r.underway(c) }, want: "allow",
		},
		{name: "nobody asked for it", ask: release("pay"), given: func(r *room) { r.underway(release("pay")) }, want: "allow"},
	})
}

func TestOfTwoInEachOthersWayTheFirstGoesOn(t *testing.T) {
	r := open(t, changes.Config{Collision: changes.Collision{Effect: ops.EffectWait}})
	var ids []string
	for range 2 {
		c := r.record(ci, staged())
		r.event(ci, c.ID, ops.ChangeEvent{Event: "start"})
		ids = append(ids, c.ID)
		r.at = r.at.Add(time.Minute)
	}
	first, second := r.check(ci, ops.GateRequest{ChangeID: ids[0]}), r.check(ci, ops.GateRequest{ChangeID: ids[1]})
	if told(first) != "allow" || told(second) != "wait: collision wait" {
		t.Errorf("the first: %s, the second: %s", told(first), told(second))
	}
	r.reopen()
	if again := r.check(ci, ops.GateRequest{ChangeID: ids[1]}); told(again) != told(second) {
		t.Errorf("after a restart: %s", told(again))
	}
}

func TestShareOfStoresUnderChange(t *testing.T) {
	half := changes.Config{MaxShare: changes.MaxShare{City: 0.5}}
	price := func(s ops.Scope) ops.Change { return ops.Change{Kind: ops.KindPrice, Title: "prices", Scope: s} }
	play(t, []scenario{
		{name: "one store of two", config: half, ask: price(ops.Scope{Store: []string{"SH-1"}}), want: "allow"},
		{
			name: "the other store as well", config: half, ask: price(ops.Scope{Store: []string{"SH-2"}}), want: "wait: share wait",
			given: func(r *room) { r.underway(price(ops.Scope{Store: []string{"SH-1"}})) },
			says:  []string{"2 of the 2 stores of Shanghai would be under change at once, 1 of them by this change, and 50 % is the most; wait"},
		},
		{
			name: "the same store again", config: half, ask: price(ops.Scope{Store: []string{"SH-1"}}), want: "allow",
			given: func(r *room) { r.underway(price(ops.Scope{Store: []string{"SH-1"}})) },
		},
		{
			name: "the whole city at once", config: half, ask: price(ops.Scope{City: []string{"Shanghai"}}), want: "deny: share deny",
			says: []string{"go out in smaller stages"},
		},
		{name: "every store, without saying so", config: half, ask: price(ops.Scope{}), want: "deny: share deny"},
		{name: "a central service", config: half, ask: release("pay"), want: "allow"},
		{name: "one store always may", config: changes.Config{MaxShare: changes.MaxShare{City: 0.1, Region: 0.1, All: 0.1}}, ask: price(ops.Scope{Store: []string{"BJ-1"}}), want: "allow"},
		{
			name: "the chain", config: changes.Config{MaxShare: changes.MaxShare{All: 0.4}}, ask: price(ops.Scope{Store: []string{"BJ-1"}}), want: "wait: share wait",
			given: func(r *room) { r.underway(price(ops.Scope{Store: []string{"SH-1"}})) }, says: []string{"the chain"},
		},
		{
			name: "the first is out", config: half, ask: price(ops.Scope{Store: []string{"SH-2"}}), want: "allow",
			given: func(r *room) {
				r.event(ci, r.underway(price(ops.Scope{Store: []string{"SH-1"}})).ID, ops.ChangeEvent{Event: "finish"})
			},
		},
	})
}

func TestReviews(t *testing.T) {
	config := changes.Config{Reviews: []changes.ReviewRule{
		{Tier: []string{"T0"}, Risk: []string{"high"}, Need: changes.Reviews[:]},
		{Risk: []string{"medium"}, Need: []string{"code"}, Effect: ops.EffectWait},
	}}
	all := map[string]string{}
	for _, n := range changes.Reviews {
		all[n] = "https://wiki/" + n
	}
	risky := func(service string, reviews map[string]string) ops.Change {
		c := release(service)
		c.Risk, c.Reviews = "high", reviews
		return c
	}
	play(t, []scenario{
		{name: "none of the seven", config: config, ask: risky("pay", nil), want: "deny: review deny", says: []string{"prd, design, test_case, code, test, gray, operation"}},
		{name: "two are missing", config: config, ask: risky("pay", map[string]string{"prd": "u", "design": "u", "test_case": "u", "code": "u", "test": "u"}), want: "deny: review deny", says: []string{"of gray, operation;"}},
		{name: "all seven", config: config, ask: risky("pay", all), want: "allow"},
		{name: "a blank is none", config: config, ask: risky("pay", map[string]string{"prd": " "}), want: "deny: review deny", says: []string{"prd,"}},
		{name: "another tier", config: config, ask: risky("cart", nil), want: "allow"},
		{name: "no risk is medium", config: config, ask: release("cart"), want: "wait: review wait"},
	})
	r := open(t, config)
	c := staged()
	c.Risk = "high"
	c = r.record(ci, c)
	if d := r.check(ci, ops.GateRequest{ChangeID: c.ID}); strings.Contains(d.Reasons[0].Message, "gray") {
		t.Errorf("its stages are evidence of a gray release: %s", d.Reasons[0].Message)
	}
	if _, err := r.Evidence(context.Background(), ci, c.ID, all); err != nil {
		t.Fatal(err)
	}
	r.reopen()
	if d := r.check(ci, ops.GateRequest{ChangeID: c.ID}); told(d) != "allow" {
		t.Errorf("evidence was given: %s", told(d))
	}
	_, err := r.Evidence(context.Background(), ci, c.ID, nil)
	refused(t, err, ops.Invalid, "prd")
}

func TestRollbackNamedAndRehearsed(t *testing.T) {
	config := changes.Config{Rollback: changes.RollbackRule{Required: changes.RollbackRequired{Risk: []string{"high"}}, RehearsedWithin: ops.Duration(30 * 24 * time.Hour)}}
	loose := config
	loose.Rollback.RehearsedWithin = 0
	risky := func(rollback string) ops.Change {
		c := release("pay")
		c.Risk, c.Rollback = "high", rollback
		return c
	}
	plans := func(ago time.Duration) func(*room) {
		return func(r *room) {
			r.plans = map[string]time.Time{"undo": {}}
			if ago > 0 {
				r.plans["undo"] = r.at.Add(-ago)
			}
		}
	}
	play(t, []scenario{
		{name: "none", config: config, ask: risky(""), want: "deny: rollback deny", says: []string{"names no way back"}},
		{name: "a text will do", config: loose, ask: risky("deploy the version before"), want: "allow"},
		{name: "a text that is to be rehearsed", config: config, ask: risky("by hand"), given: plans(0), want: "deny: rollback deny", says: []string{"no plan"}},
		{name: "a plan that never ran", config: config, ask: risky("undo"), given: plans(0), want: "deny: rollback deny", says: []string{"never rehearsed"}},
		{name: "a plan that ran long ago", config: config, ask: risky("undo"), given: plans(31 * 24 * time.Hour), want: "deny: rollback deny", says: []string{"2026-10-16", "30 days"}},
		{name: "a plan that ran last week", config: config, ask: risky("undo"), given: plans(7 * 24 * time.Hour), want: "allow: rollback allow", says: []string{"2026-11-09"}},
		{name: "a risk that is not meant", config: config, ask: release("pay"), want: "allow"},
		{
			name: "it was tried dry", config: config, ask: risky("undo"), want: "allow: rollback allow",
			given: func(r *room) {
				plans(0)(r)
				if err := r.ObserveRehearsal(context.Background(), "undo"); err != nil {
					r.t.Fatal(err)
				}
				r.reopen()
			},
		},
	})
}

func TestApprovals(t *testing.T) {
	two := changes.Config{
		Approvals: map[string]changes.ApprovalRule{"medium": {Need: 2, From: []string{"dba", "Sun", "admin"}}},
		Groups:    map[string][]string{"dba": {"Zhao", "Qian"}},
	}
	as := func(name string, role ops.Role) ops.Principal { return ops.Principal{Name: name, Role: role} }
	tests := []struct {
		name string
		by   []ops.Principal
		want string
		says string
	}{
		{"nobody", nil, "wait: approval wait", "0 of 2 approvals; someone other than Wang of dba, Sun, admin must approve"},
		{"one of the group", []ops.Principal{as("Zhao", ops.Commander)}, "wait: approval wait", "1 of 2"},
		{"two of the group", []ops.Principal{as("Zhao", ops.Commander), as("Qian", ops.Commander)}, "allow: approval allow", "Zhao, Qian"},
		{"the group and a name", []ops.Principal{as("Zhao", ops.Commander), as("Sun", ops.Commander)}, "allow: approval allow", ""},
		{"the group and a role", []ops.Principal{as("Zhao", ops.Commander), as("root", ops.Admin)}, "allow: approval allow", ""},
		{"one who does not count", []ops.Principal{as("Zhao", ops.Commander), as("Li", ops.Commander)}, "wait: approval wait", "not counted: Li is not of those who count"},
		{"the same one twice", []ops.Principal{as("Zhao", ops.Commander), as("zhao ", ops.Commander)}, "wait: approval wait", "1 of 2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := open(t, two)
			c := r.record(ci, release("pay"))
			for _, who := range tt.by {
				r.at = r.at.Add(time.Second)
				if _, err := r.Approve(context.Background(), who, ops.Approval{ChangeID: c.ID}); err != nil {
					t.Fatal(err)
				}
			}
			r.reopen()
			scenario{want: tt.want, says: []string{tt.says}}.judge(t, r.check(ci, ops.GateRequest{ChangeID: c.ID}))
		})
	}
}

func TestNobodyApprovesTheirOwnNotEvenInAnothersName(t *testing.T) {
	r := open(t, changes.Config{})
	c := release("pay")
	c.Author = "root"
	c = r.record(ci, c)
	for _, a := range []struct{ who, person string }{{"root", ""}, {"ROOT", ""}, {"root", "Li"}, {"ci-1", "Li"}, {" root", ""}} {
		_, err := r.Approve(context.Background(), ops.Principal{Name: a.who, Role: ops.Admin}, ops.Approval{ChangeID: c.ID, Person: a.person})
		refused(t, err, ops.Denied, "own change")
	}
}

func TestAnApprovalIsOfOneVersionAndOfItsStages(t *testing.T) {
	r := open(t, changes.Config{Approvals: map[string]changes.ApprovalRule{"medium": {Need: 1}}})
	c := r.record(ci, staged())
	_, err := r.Approve(context.Background(), commander, ops.Approval{ChangeID: c.ID, Version: "9"})
	refused(t, err, ops.Conflict, "another version")
	_, err = r.Approve(context.Background(), commander, ops.Approval{ChangeID: c.ID, Stages: []int{4}})
	refused(t, err, ops.Invalid, "no such stage")
	if a, err := r.Approve(context.Background(), commander, ops.Approval{ChangeID: c.ID, Stages: []int{1}}); err != nil || a.Version != "1.2.3" {
		t.Fatal(a, err)
	}
	for stage, want := range map[int]string{1: "approval allow", 2: "approval wait"} {
		if d := r.check(ci, ops.GateRequest{ChangeID: c.ID, Stage: stage}); !strings.Contains(told(d), want) {
			t.Errorf("stage %d: %s", stage, told(d))
		}
	}
	if _, err := r.Approve(context.Background(), commander, ops.Approval{ChangeID: c.ID, Stages: []int{2}}); err != nil {
		t.Fatal(err)
	}
	for stage, want := range map[int]string{1: "approval allow", 2: "approval allow", 3: "approval wait"} {
		if d := r.check(ci, ops.GateRequest{ChangeID: c.ID, Stage: stage}); !strings.Contains(told(d), want) {
			t.Errorf("stage %d: %s", stage, told(d))
		}
	}
	_, err = r.Check(context.Background(), ci, ops.GateRequest{Change: &ops.Change{ID: c.ID, Kind: ops.KindRelease, Service: "pay", Version: "1.2.4"}})
	refused(t, err, ops.Conflict, "another version")
}

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

func TestMaintenanceOfTheGate(t *testing.T) {
	until := ops.At(monday.Add(time.Hour))
	set := func(mode string) func(*room) {
		return func(r *room) {
			if _, err := r.Maintain(context.Background(), admin, ops.GateMaintenance{Mode: mode, Until: until, Reason: "the database moves"}); err != nil {
				r.t.Fatal(err)
			}
			r.reopen()
		}
	}
	p1 := []ops.Incident{{ID: "INC-1", Title: "down", Severity: ops.P1, State: ops.IncidentOpen}}
	play(t, []scenario{
		{name: "it lets nothing out", ask: release("pay"), given: set("deny"), want: "deny: maintenance deny", retry: 3600, says: []string{"until 2026-11-16T09:00", "the database moves"}},
		{name: "it holds nothing back", ask: release("pay"), given: func(r *room) { set("allow")(r); r.incidents = p1 }, want: "allow: maintenance allow, incident deny"},
		{name: "the configuration says so", config: changes.Config{Maintenance: changes.Maintenance{Mode: "deny", Until: until, Reason: "the database moves"}}, ask: release("pay"), want: "deny: maintenance deny"},
		{name: "it is over", ask: release("pay"), given: func(r *room) { set("deny")(r); r.at = r.at.Add(time.Hour) }, want: "allow"},
		{
			name: "an admin ended it", ask: release("pay"), want: "allow",
			given: func(r *room) {
				set("deny")(r)
				if m, err := r.Maintain(context.Background(), admin, ops.GateMaintenance{}); err != nil || m.Mode != "" {
					r.t.Fatal(m, err)
				}
			},
		},
	})
	r := open(t, changes.Config{})
	for _, m := range []ops.GateMaintenance{{Mode: "maybe", Until: until, Reason: "why"}, {Mode: "deny", Reason: "why"}, {Mode: "deny", Until: until}, {Mode: "allow", Until: ops.At(monday.Add(48 * time.Hour)), Reason: "why"}} {
		_, err := r.Maintain(context.Background(), admin, m)
		refused(t, err, ops.Invalid)
	}
	_, err := r.Maintain(context.Background(), commander, ops.GateMaintenance{Mode: "deny", Until: until, Reason: "why"})
	refused(t, err, ops.Denied, "admin")
}

func TestPolicies(t *testing.T) {
	one := func(p ops.GatePolicy) changes.Config {
		p.Name = "mine"
		return changes.Config{Policies: []ops.GatePolicy{p}, Timezone: "Asia/Shanghai"}
	}
	play(t, []scenario{
		{name: "it holds", config: one(ops.GatePolicy{Expr: `change.tier == "T0" && local.hour >= 16`, Message: "not after four"}), ask: release("pay"), want: "deny: policy:mine deny", says: []string{"not after four"}},
		{name: "it does not hold", config: one(ops.GatePolicy{Expr: `change.tier == "T1"`}), ask: release("pay"), want: "allow"},
		{name: "it waits", config: one(ops.GatePolicy{Expr: `true`, Effect: "wait"}), ask: release("pay"), want: "wait: policy:mine wait", retry: 60},
		{name: "it cannot be evaluated", config: one(ops.GatePolicy{Expr: `change.labels["x"] == "y"`}), ask: release("pay"), want: "wait: policy:mine wait", says: []string{"could not be evaluated: no such key"}},
		{name: "it cannot be evaluated and then allows", config: one(ops.GatePolicy{Expr: `change.labels["x"] == "y"`, OnError: "allow"}), ask: release("pay"), want: "allow: policy:mine allow"},
		{
			name: "it looks at incidents", config: one(ops.GatePolicy{Expr: `incidents.exists(i, i.severity == "P4")`}), ask: release("pay"), want: "deny: incident allow, policy:mine deny",
			given: func(r *room) {
				r.incidents = []ops.Incident{{ID: "INC-1", Severity: ops.P4, State: ops.IncidentOpen}}
			},
		},
		{
			name: "it looks at the budget", ask: release("pay"), want: "deny: error_budget allow, policy:mine deny",
			config: changes.Config{Policies: []ops.GatePolicy{{Name: "mine", Expr: `budget.known && budget.left < 0.5`}}, ErrorBudget: changes.ErrorBudget{Period: ops.Duration(time.Hour), Services: map[string]changes.Objective{"pay": {Objective: 0.9}}}},
			given:  func(r *room) { r.observe("success_ratio", 0.93, time.Hour) },
		},
		{
			name: "it looks at the share", config: one(ops.GatePolicy{Expr: `share > 0.5 && stores == 2`}), want: "deny: policy:mine deny",
			ask: ops.Change{Kind: ops.KindPrice, Title: "prices", Scope: ops.Scope{City: []string{"Shanghai"}}},
		},
		{
			name: "it looks at freezes", config: one(ops.GatePolicy{Expr: `freezes.exists(f, f.exempt)`}), ask: release("pay"), want: "deny: freeze allow, policy:mine deny",
			given: func(r *room) {
				if _, err := r.AddFreeze(context.Background(), admin, ops.Freeze{Name: "f", From: ops.At(monday), To: ops.At(monday.Add(time.Hour)), Exempt: ops.FreezeExempt{Kinds: []ops.ChangeKind{ops.KindRelease}}}); err != nil {
					r.t.Fatal(err)
				}
			},
		},
	})
}

func TestANewRuleThatCannotBeRightIsRefusedWithItsPlace(t *testing.T) {
	deep, limit := 9, 0.5
	tests := map[string]changes.Config{
		"gate.error_budget.objective":         {ErrorBudget: changes.ErrorBudget{Objective: 99.9}},
		"gate.error_budget.services":          {ErrorBudget: changes.ErrorBudget{Services: map[string]changes.Objective{"pay": {Objective: 1}}}},
		"gate.error_budget.windows[0]":        {ErrorBudget: changes.ErrorBudget{Windows: []changes.BurnWindow{{Short: ops.Duration(time.Hour), Long: ops.Duration(time.Minute), Burn: 1, Effect: "deny"}}}},
		"gate.error_budget.windows[0].burn":   {ErrorBudget: changes.ErrorBudget{Windows: []changes.BurnWindow{{Short: ops.Duration(time.Minute), Long: ops.Duration(time.Hour), Effect: "deny"}}}},
		"gate.error_budget.windows[0].effect": {ErrorBudget: changes.ErrorBudget{Windows: []changes.BurnWindow{{Short: ops.Duration(time.Minute), Long: ops.Duration(time.Hour), Burn: 1, Effect: "allow"}}}},
		"gate.error_budget.period":            {ErrorBudget: changes.ErrorBudget{Period: ops.Duration(1000 * 24 * time.Hour)}},
		"gate.collision.effect":               {Collision: changes.Collision{Effect: "allow"}},
		"gate.collision.depth":                {Collision: changes.Collision{Depth: &deep}},
		"gate.collision.stale":                {Collision: changes.Collision{Stale: 1}},
		"gate.max_share":                      {MaxShare: changes.MaxShare{City: 20}},
		"gate.reviews[0].need":                {Reviews: []changes.ReviewRule{{Need: []string{"vibes"}}}},
		"gate.reviews[0].risk":                {Reviews: []changes.ReviewRule{{Risk: []string{"extreme"}, Need: []string{"code"}}}},
		"gate.reviews[0].kinds":               {Reviews: []changes.ReviewRule{{Kinds: []ops.ChangeKind{"x"}, Need: []string{"code"}}}},
		"gate.reviews[0].effect":              {Reviews: []changes.ReviewRule{{Need: []string{"code"}, Effect: "allow"}}},
		"gate.rollback.required.risk":         {Rollback: changes.RollbackRule{Required: changes.RollbackRequired{Risk: []string{"x"}}}},
		"gate.rollback.rehearsed_within":      {Rollback: changes.RollbackRule{RehearsedWithin: 1}},
		"gate.approvals.high.from":            {Approvals: map[string]changes.ApprovalRule{"high": {Need: 1, From: []string{""}}}},
		"gate.groups":                         {Groups: map[string][]string{"admin": {"Li"}}},
		"gate.red_lines[0].name":              {RedLines: []changes.RedLine{{Dark: 0.5}}},
		"gate.red_lines[0]":                   {RedLines: []changes.RedLine{{Name: "l", Dark: 0.5, Changing: 0.5}}},
		"gate.red_lines[0].indicator":         {RedLines: []changes.RedLine{{Name: "l", Above: &limit}}},
		"gate.red_lines[0].over":              {RedLines: []changes.RedLine{{Name: "l", Service: "pay", Indicator: "i", Above: &limit, Over: 1}}},
		"gate.red_lines[0].in_flight":         {RedLines: []changes.RedLine{{Name: "l", Dark: 0.5, InFlight: "explode"}}},
		"gate.red_lines[0].override":          {RedLines: []changes.RedLine{{Name: "l", Dark: 0.5, Override: "commander"}}},
		"gate.red_lines[0].scope.store":       {RedLines: []changes.RedLine{{Name: "l", Dark: 0.5, Scope: ops.Scope{Store: []string{""}}}}},
		"gate.maintenance.mode":               {Maintenance: changes.Maintenance{Reason: "why"}},
		"gate.maintenance.until":              {Maintenance: changes.Maintenance{Mode: "deny", Reason: "why"}},
		"gate.timezone":                       {Timezone: "Mars/Olympus"},
		"gate.policies[0].expr":               {Policies: []ops.GatePolicy{{Name: "p", Expr: "1"}}},
		"gate.policies":                       {Policies: make([]ops.GatePolicy, policy.MaxPolicies+1)},
	}
	for place, c := range tests {
		refusedAt(t, c.Validate(), place)
	}
}

func refusedAt(t *testing.T, err error, place string) {
	t.Helper()
	e, ok := err.(*ops.Error)
	if !ok || e.Location != place {
		t.Errorf("got %v, want it refused at %s", err, place)
	}
}

func TestOfTwoJobsForOneStageOneWinsAndTheOtherIsTold(t *testing.T) {
	r := open(t, changes.Config{})
	c := r.record(ci, staged())
	const jobs = 8
	errs := make(chan error, jobs)
	for i := range jobs {
		go func() {
			_, err := r.Event(context.Background(), ops.Principal{Name: fmt.Sprint("job-", i), Role: ops.CI}, c.ID, ops.ChangeEvent{Event: "stage_started", Stage: 1})
			errs <- err
		}()
	}
	var lost []error
	for range jobs {
		if err := <-errs; err != nil {
			lost = append(lost, err)
		}
	}
	if len(lost) != jobs-1 {
		t.Fatalf("%d of %d lost: %v", len(lost), jobs, lost)
	}
	d := r.check(ci, ops.GateRequest{ChangeID: c.ID, Stage: 1})
	winner := strings.Fields(d.Reasons[0].Message)[7]
	for _, err := range lost {
		refused(t, err, ops.Conflict, winner)
	}
	if !slices.Contains([]string{"job-0", "job-1", "job-2", "job-3", "job-4", "job-5", "job-6", "job-7"}, winner) || d.Decision != ops.EffectDeny {
		t.Errorf("the gate says %q", d.Reasons[0].Message)
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

// history answers every question with the same course of success_ratio.
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
