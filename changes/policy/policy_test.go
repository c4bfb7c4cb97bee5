package policy_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"goc/changes/policy"
	"goc/ops"
)

// facts are those of a release of pay 1.2.3 by CI, on Friday the 20th of November 2026 at 17:30 in Shanghai.
func facts() *policy.Facts {
	zone, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		panic(err)
	}
	return &policy.Facts{
		Change: &ops.Change{
			ID: "CHG-1", Kind: ops.KindRelease, Title: "pay 1.2.3", Service: "pay", Version: "1.2.3", Author: "Wang", Source: "api",
			Labels: map[string]string{"team": "payments"}, Reviews: map[string]string{"code": "https://git/1"}, Stages: make([]ops.Stage, 2),
		},
		Service: ops.Service{Name: "pay", Tier: "T0", Core: true}, Environment: "production", Risk: "high", Stage: 1,
		Scope: ops.Scope{Store: []string{"SH-1"}, City: []string{"Shanghai"}, Service: []string{"pay"}}, Stores: 1, Share: 0.5,
		Actor: ops.Principal{Name: "ci-1", Role: ops.CI}, Now: time.Date(2026, 11, 20, 9, 30, 0, 0, time.UTC), Zone: zone,
		Incidents: []policy.Incident{{ID: "INC-1", Severity: "P2"}}, Freezes: []policy.Freeze{{ID: "FRZ-1", Name: "sale", Exempt: true}},
		Budget: policy.Budget{Known: true, Left: 0.2, Burn: 3}, Approvers: []string{"Li"},
	}
}

func TestWhatExpressionsSee(t *testing.T) {
	tests := []struct {
		expr  string
		holds bool
	}{
		{`true`, true},
		{`change.risk == "high" && local.weekday == 5 && local.hour >= 17`, true},
		{`change.risk == "high" && local.weekday == 5 && local.hour >= 18`, false},
		{`change.kind in ["release", "config"]`, true},
		{`change.kind in ["price"]`, false},
		{`"price" == change.kind || change.core`, true},
		{`change.tier == "T0" && !has(change.reviews.design)`, true},
		{`has(change.reviews.code)`, true},
		{`"team" in change.labels && change.labels["team"] == "payments"`, true},
		{`scope.store.exists(s, s.startsWith("SH-"))`, true},
		{`scope.city == ["Beijing"]`, false},
		{`size(scope.device) > 0`, false},
		{`stores > 0 && share > 0.3 && stage == 1 && change.stages == 2`, true},
		{`actor.role == "ci" && actor.name == "ci-1"`, true},
		{`now < timestamp("2026-11-20T10:00:00Z")`, true},
		{`now.getHours("Asia/Shanghai") == 17`, true},
		{`local.date == "2026-11-20" && local.time > "17:00" && local.time < "18:00"`, true},
		{`incidents.exists(i, i.severity in ["P1", "P2"] && !i.cause)`, true},
		{`freezes.exists(f, !f.exempt)`, false},
		{`budget.known && budget.left < 0.25 && budget.burn > 1.0`, true},
		{`"Li" in approvers`, true},
		{`change.version.matches("^1\\.2\\.")`, true},
		{`change.previous_version == ""`, true},
	}
	for _, tt := range tests {
		t.Run(tt.expr, func(t *testing.T) {
			s, err := policy.One(ops.GatePolicy{Name: "p", Expr: tt.expr}, "body")
			if err != nil {
				t.Fatal(err)
			}
			held := s.Evaluate(facts())
			if (len(held) == 1) != tt.holds || (len(held) == 1 && (held[0].Error != "" || held[0].Effect != "deny" || held[0].Override != ops.Commander)) {
				t.Errorf("%+v, want it to hold: %v", held, tt.holds)
			}
		})
	}
}

func TestWhatAPolicyStatesBesideItsExpressionNarrowsIt(t *testing.T) {
	tests := []struct {
		name   string
		policy ops.GatePolicy
		holds  bool
	}{
		{"nothing", ops.GatePolicy{}, true},
		{"its kind", ops.GatePolicy{Kinds: []ops.ChangeKind{ops.KindRelease}}, true},
		{"another kind", ops.GatePolicy{Kinds: []ops.ChangeKind{ops.KindPrice}}, false},
		{"another environment", ops.GatePolicy{Environments: []string{"staging"}}, false},
		{"its city", ops.GatePolicy{Scope: ops.Scope{City: []string{"Shanghai"}}}, true},
		{"another city", ops.GatePolicy{Scope: ops.Scope{City: []string{"Beijing"}}}, false},
		{"a key that the change leaves open", ops.GatePolicy{Scope: ops.Scope{Model: []string{"X1"}}}, true},
		{"when it applies", ops.GatePolicy{When: `change.tier == "T0"`}, true},
		{"when it does not apply", ops.GatePolicy{When: `change.tier == "T1"`}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.policy.Name, tt.policy.Expr = "p", "stores > 0"
			s, err := policy.One(tt.policy, "body")
			if err != nil {
				t.Fatal(err)
			}
			if held := s.Evaluate(facts()); (len(held) == 1) != tt.holds {
				t.Errorf("%+v, want it to hold: %v", held, tt.holds)
			}
		})
	}
}

func TestBadPoliciesAreRefusedWithTheirPlace(t *testing.T) {
	nested := `scope.store.exists(a, scope.store.exists(b, a == b))`
	tests := []struct {
		name, place, says string
		policy            ops.GatePolicy
	}{
		{"no name", "gate.policies[0].name", "name", ops.GatePolicy{Expr: "true"}},
		{"no expression", "gate.policies[0].expr", "CEL", ops.GatePolicy{Name: "p"}},
		{"it does not read", "gate.policies[0].expr", "line 1, column", ops.GatePolicy{Name: "p", Expr: "change.kind == "}},
		{"a misspelt field", "gate.policies[0].expr", "column 7", ops.GatePolicy{Name: "p", Expr: `change.kid == "x"`}},
		{"an unknown variable", "gate.policies[0].when", "undeclared", ops.GatePolicy{Name: "p", Expr: "true", When: "weekday == 5"}},
		{"a number", "gate.policies[0].expr", "true or false", ops.GatePolicy{Name: "p", Expr: "stage + 1"}},
		{"two types compared", "gate.policies[0].expr", "no matching overload", ops.GatePolicy{Name: "p", Expr: `stage == "1"`}},
		{"a loop in a loop", "gate.policies[0].expr", "cost", ops.GatePolicy{Name: "p", Expr: nested}},
		{"too long", "gate.policies[0].expr", "4096", ops.GatePolicy{Name: "p", Expr: strings.Repeat("true && ", 1000) + "true"}},
		{"an effect of its own", "gate.policies[0].effect", "deny or wait", ops.GatePolicy{Name: "p", Expr: "true", Effect: "allow"}},
		{"an unknown role", "gate.policies[0].override", "commander", ops.GatePolicy{Name: "p", Expr: "true", Override: "ci"}},
		{"an unknown way with errors", "gate.policies[0].on_error", "wait", ops.GatePolicy{Name: "p", Expr: "true", OnError: "panic"}},
		{"an unknown kind", "gate.policies[0].kinds", "kind", ops.GatePolicy{Name: "p", Expr: "true", Kinds: []ops.ChangeKind{"x"}}},
		{"an empty store", "gate.policies[0].scope.store", "1 to", ops.GatePolicy{Name: "p", Expr: "true", Scope: ops.Scope{Store: []string{""}}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := policy.Compile([]ops.GatePolicy{tt.policy}, "gate.policies")
			var e *ops.Error
			if !errors.As(err, &e) || e.Kind != ops.Invalid || e.Location != tt.place || !strings.Contains(e.Message, tt.says) {
				t.Errorf("got %v, want it refused at %s saying %q", err, tt.place, tt.says)
			}
		})
	}
	good := ops.GatePolicy{Name: "p", Expr: "true"}
	if _, err := policy.Compile([]ops.GatePolicy{good, good}, "gate.policies"); err == nil {
		t.Error("two policies of one name were taken")
	}
	if _, err := policy.Compile(make([]ops.GatePolicy, policy.MaxPolicies+1), "gate.policies"); err == nil {
		t.Error("more policies than the bound were taken")
	}
}

func TestAPolicyThatCannotBeEvaluatedDoesAsItSays(t *testing.T) {
	many := facts()
	many.Scope.Store = nil
	for i := range ops.MaxScopeValues {
		many.Scope.Store = append(many.Scope.Store, fmt.Sprint(i))
	}
	tests := []struct {
		name    string
		policy  ops.GatePolicy
		facts   *policy.Facts
		effect  string
		because string
	}{
		{"a label that is not there", ops.GatePolicy{Expr: `change.labels["x"] == "1"`}, facts(), "wait", "no such key"},
		{"it is to deny", ops.GatePolicy{Expr: `change.labels["x"] == "1"`, OnError: "deny"}, facts(), "deny", "no such key"},
		{"it is to allow", ops.GatePolicy{Expr: `change.labels["x"] == "1"`, OnError: "allow"}, facts(), "allow", "no such key"},
		{"it costs too much", ops.GatePolicy{Expr: `scope.store.all(s, s != "x" && s != "y")`}, many, "wait", "cost limit"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.policy.Name = "p"
			s, err := policy.One(tt.policy, "body")
			if err != nil {
				t.Fatal(err)
			}
			held := s.Evaluate(tt.facts)
			if len(held) != 1 || held[0].Effect != tt.effect || !strings.Contains(held[0].Error, tt.because) {
				t.Errorf("%+v, want %s because of %q", held, tt.effect, tt.because)
			}
			if c := s.Counts()[0]; c.Errors != 1 || c.Held != 0 {
				t.Errorf("counted %+v", c)
			}
		})
	}
}

// BenchmarkEvaluate is 200 policies: each tenth concerns the change.
func BenchmarkEvaluate(b *testing.B) {
	var list []ops.GatePolicy
	for i := range 200 {
		p := ops.GatePolicy{Name: fmt.Sprint("p", i), Expr: fmt.Sprintf(`change.service == "svc-%d" && change.risk == "high" && local.hour > 20`, i%10)}
		if i%10 == 0 {
			p.Expr = `change.risk == "high" && (local.hour < 9 || local.hour > 20)`
		}
		list = append(list, p)
	}
	s, err := policy.Compile(list, "p")
	if err != nil {
		b.Fatal(err)
	}
	f := facts()
	b.ReportAllocs()
	for b.Loop() {
		if held := s.Evaluate(f); len(held) != 0 {
			b.Fatal(held)
		}
	}
}

func FuzzOne(f *testing.F) {
	for _, expr := range []string{`change.risk == "high"`, `incidents.exists(i, i.severity in ["P1"])`, `scope.store.map(s, s + s).size() > 3`, `has(change.reviews.code)`, `now - duration("1h") < timestamp(0)`} {
		f.Add(expr)
	}
	f.Fuzz(func(t *testing.T, expr string) {
		s, err := policy.One(ops.GatePolicy{Name: "p", Expr: expr}, "body")
		if err != nil {
			var e *ops.Error
			if !errors.As(err, &e) || e.Kind != ops.Invalid {
				t.Errorf("%q: %v", expr, err)
			}
			return
		}
		for _, h := range s.Evaluate(facts()) {
			if h.Error == "" && h.Effect != ops.EffectDeny {
				t.Errorf("%q: %+v", expr, h)
			}
		}
	})
}
