package changes_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
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
		{name: "it holds nothing back", ask: release("pay"), given: func(r *room) { set("allow")(r); r.incidents = p1 }, want: "allow: maintenance allow, incident deny", says: []string{"holds back only what nobody may override"}},
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

// history answers every question with the same course of success_ratio.
func TestAServiceThatTheCatalogDoesNotListIsFlagged(t *testing.T) {
	play(t, []scenario{
		{name: "misspelt", ask: release("pya"), want: "allow: catalog allow", says: []string{"does not list"}},
		{name: "none", ask: ops.Change{Kind: ops.KindPrice, Title: "prices"}, want: "allow"},
	})
}

// A flight that followed changes as they moved finds what one finds that knows only where they stand.
// inFlight draws a change in any state.
// The index finds every change that meets a request, as comparing all of them would.
// meets says by the words of docs/gate.md whether two changes collide.

func TestManyJobsAtOnceGetTheirOwnAnswers(t *testing.T) {
	r := open(t, changes.Config{Policies: []ops.GatePolicy{{Name: "mine", Expr: `change.version.endsWith("1")`, Effect: "wait"}}})
	const jobs = 16
	var ids []string
	for i := range jobs {
		c := release("pay")
		c.Version = fmt.Sprint(i)
		ids = append(ids, r.record(ci, c).ID)
	}
	wrong := make(chan string, jobs)
	for i := range jobs {
		go func() {
			for range 200 {
				d, err := r.Check(context.Background(), ci, ops.GateRequest{ChangeID: ids[i]})
				if err != nil {
					wrong <- err.Error()
					return
				}
				claims, err := changes.VerifyToken(r.PublicKey(), d.Token, r.at)
				want := map[bool]string{true: "wait", false: "allow"}[strings.HasSuffix(fmt.Sprint(i), "1")]
				if err != nil || d.Decision != want || d.ChangeID != ids[i] || claims.Change != ids[i] || claims.Version != fmt.Sprint(i) || claims.Decision != want {
					wrong <- fmt.Sprintf("%s got %+v, %+v, %v", ids[i], d, claims, err)
					return
				}
			}
			wrong <- ""
		}()
	}
	for range jobs {
		if w := <-wrong; w != "" {
			t.Error(w)
		}
	}
}
