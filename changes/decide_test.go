package changes_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"goc/changes"
	"goc/changes/policy"
	"goc/ops"
)

// aCase draws a request and a state of the gate. Freezes are drawn apart, so that properties can add one.
func aCase(t *rapid.T, catalog *ops.Catalog) (changes.Request, changes.State, time.Time) {
	now := monday.Add(time.Duration(rapid.IntRange(0, 14*24*60).Draw(t, "now"))*time.Minute + time.Duration(rapid.IntRange(0, 2000).Draw(t, "ms"))*time.Millisecond)
	c := ops.Change{
		ID: "CHG-1", Kind: rapid.SampledFrom(ops.ChangeKinds[:]).Draw(t, "kind"), Title: "t", Author: "Wang",
		Service: rapid.SampledFrom([]string{"", "pay", "cart"}).Draw(t, "service"), Scope: aScope(t),
		Environment: rapid.SampledFrom([]string{"", "production", "staging"}).Draw(t, "environment"),
		Risk:        rapid.SampledFrom([]string{"", "low", "high"}).Draw(t, "risk"), Status: ops.ChangePlanned,
	}
	for range rapid.IntRange(0, 3).Draw(t, "stages") {
		st := ops.Stage{Scope: aScope(t), Bake: ops.Duration(10 * time.Minute)}
		if rapid.Bool().Draw(t, "started") {
			st.StartedAt = ops.At(now.Add(-20 * time.Minute))
			c.Status, c.StartedAt = ops.ChangeStarted, st.StartedAt
			if rapid.Bool().Draw(t, "finished") {
				st.FinishedAt = ops.At(now.Add(-time.Duration(rapid.IntRange(0, 20).Draw(t, "ago")) * time.Minute))
				st.Verdict = rapid.SampledFrom([]ops.Verdict{"", ops.Baking, ops.Healthy, ops.Unhealthy, ops.NoData}).Draw(t, "verdict")
			}
		}
		c.Stages = append(c.Stages, st)
	}
	r := changes.Request{
		Change: c, Stage: rapid.IntRange(0, 4).Draw(t, "stage"),
		Who: ops.Principal{Name: "ci-1", Role: rapid.SampledFrom([]ops.Role{ops.CI, ops.Commander, ops.Admin}).Draw(t, "role")},
	}
	s := changes.State{Catalog: catalog, Config: changes.Config{Approvals: map[string]changes.ApprovalRule{"high": {Need: 2}}}}
	var freezes []*changes.Freeze
	for range rapid.IntRange(0, 3).Draw(t, "freezes") {
		freezes = append(freezes, aFreeze(t, catalog, now))
	}
	s.Freezes = changes.NewFreezes(freezes)
	for range rapid.IntRange(0, 2).Draw(t, "incidents") {
		s.Incidents = append(s.Incidents, anIncident(t))
	}
	if rapid.IntRange(0, 4).Draw(t, "glass") == 0 {
		s.Override = &ops.Override{ID: "OVR-1", ChangeID: c.ID, Person: "Li", Reason: "needed", ExpiresAt: ops.At(now.Add(time.Duration(rapid.IntRange(-5, 5).Draw(t, "left")) * time.Minute))}
	}
	rule(t, &s, catalog, now)
	for _, p := range []string{"Wang", "Li", "Zhao"} {
		if rapid.Bool().Draw(t, p) {
			s.Approvals = append(s.Approvals, ops.Approval{ChangeID: c.ID, Person: p})
		}
	}
	return r, s, now.Add(time.Duration(rapid.IntRange(0, 999_999).Draw(t, "ns"))) // what is on record is whole milliseconds
}

// rule adds one rule, or something that a rule holds by, to a state.
func rule(t *rapid.T, s *changes.State, catalog *ops.Catalog, now time.Time) string {
	kind := rapid.SampledFrom([]string{"nothing", "freeze", "incident", "policy", "red line", "budget", "review", "rollback", "collision", "share", "approval", "maintenance"}).Draw(t, "rule")
	effect := rapid.SampledFrom([]string{ops.EffectDeny, ops.EffectWait})
	switch kind {
	case "freeze":
		s.Freezes = changes.NewFreezes(append(slices.Clone(s.Freezes.List()), aFreeze(t, catalog, now)))
	case "incident":
		s.Incidents = append(slices.Clone(s.Incidents), anIncident(t))
	case "policy":
		s.Policies = somePolicies[rapid.IntRange(0, len(somePolicies)-1).Draw(t, "policies")]
	case "red line":
		s.RedLines = append(slices.Clone(s.RedLines), changes.RedLineCrossed{Name: "l", Text: "crossed", Scope: aScope(t), Since: ops.At(now), Override: rapid.SampledFrom([]ops.Role{"", ops.Admin}).Draw(t, "overridden by")})
	case "budget":
		s.Budgets = append(slices.Clone(s.Budgets), changes.BudgetState{Service: "pay", Known: true, Burning: []changes.Burning{{Limit: 1, Effect: effect.Draw(t, "effect"), Since: ops.At(now.Truncate(time.Second))}}})
	case "review":
		s.Config.Reviews = append(slices.Clone(s.Config.Reviews), changes.ReviewRule{Tier: aScope(t).Tier, Need: []string{rapid.SampledFrom(changes.Reviews[:]).Draw(t, "review")}, Effect: effect.Draw(t, "effect")})
	case "rollback":
		s.Config.Rollback = changes.RollbackRule{Required: changes.RollbackRequired{Risk: []string{"high"}}, RehearsedWithin: ops.Duration(time.Hour)}
	case "collision":
		s.Config.Collision.Effect = effect.Draw(t, "effect")
		s.Flight = aFlight(t, catalog, now)
	case "share":
		s.Config.MaxShare.City = 0.5
		s.Flight = aFlight(t, catalog, now)
	case "approval":
		s.Config.Approvals = map[string]changes.ApprovalRule{"low": {Need: 1}, "medium": {Need: 1}, "high": {Need: 3, From: []string{"Li"}}}
	case "maintenance":
		s.Maintenance = ops.GateMaintenance{Mode: ops.EffectDeny, Until: ops.At(now.Add(time.Duration(rapid.IntRange(-5, 5).Draw(t, "minutes left")) * time.Minute)), Reason: "moving"}
	}
	return kind
}

// aFlight is some changes under way.
func aFlight(t *rapid.T, catalog *ops.Catalog, now time.Time) *changes.Flight {
	f := changes.NewFlight(catalog)
	for i := range rapid.IntRange(1, 3).Draw(t, "under way") {
		c := ops.Change{
			ID: fmt.Sprint("CHG-", i+2), Kind: rapid.SampledFrom(ops.ChangeKinds[:]).Draw(t, "its kind"), Service: rapid.SampledFrom([]string{"", "pay", "cart"}).Draw(t, "its service"),
			Scope: aScope(t), Status: ops.ChangeStarted, StartedAt: ops.At(now.Add(-time.Hour)), UpdatedAt: ops.At(now),
		}
		f.Put(nil, &c)
	}
	return f
}

// somePolicies is none, one and two policies, which may hold or fail.
var somePolicies = func() (out []*policy.Set) {
	list := []ops.GatePolicy{
		{Name: "a", Expr: `change.tier == "T0" && (share > 0.3 || freezes.size() > 0 || budget.known)`, Effect: "wait"},
		{Name: "b", Expr: `change.labels["x"] == "y" || incidents.exists(i, i.severity == "P1")`, OnError: "deny", Override: "nobody"},
	}
	for n := range len(list) + 1 {
		set, err := policy.Compile(list[:n], "p")
		if err != nil {
			panic(err)
		}
		out = append(out, set)
	}
	return out
}()

func aScope(t *rapid.T) ops.Scope {
	var s ops.Scope
	if rapid.Bool().Draw(t, "names a place") {
		s.Store = rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"SH-1", "SH-2", "BJ-1"}), 1, 2, rapid.ID[string]).Draw(t, "stores")
	} else if rapid.Bool().Draw(t, "names a city") {
		s.City = []string{rapid.SampledFrom([]string{"Shanghai", "Beijing"}).Draw(t, "city")}
	}
	switch rapid.IntRange(0, 9).Draw(t, "names more") {
	case 0:
		s.Service = []string{rapid.SampledFrom([]string{"pay", "cart"}).Draw(t, "service named")}
	case 1:
		s.Store, s.City, s.Region = nil, nil, []string{rapid.SampledFrom([]string{"east", "north"}).Draw(t, "region")}
	case 2:
		s.Kind = []string{rapid.SampledFrom([]string{"pos", "scale"}).Draw(t, "kind of device")}
	}
	if rapid.IntRange(0, 3).Draw(t, "names a tier") == 0 {
		s.Tier = []string{rapid.SampledFrom([]string{"T0", "T1"}).Draw(t, "tier")}
	}
	return s
}

func aFreeze(t *rapid.T, catalog *ops.Catalog, now time.Time) *changes.Freeze {
	f := ops.Freeze{ID: "FRZ-1", Name: "f", Scope: aScope(t), InFlight: rapid.SampledFrom([]string{"", "finish", "pause", "rollback"}).Draw(t, "in flight")}
	if rapid.Bool().Draw(t, "fixed") {
		f.From = ops.At(now.Add(time.Duration(rapid.IntRange(-60, 30).Draw(t, "from")) * time.Minute))
		f.To = ops.At(f.From.Add(time.Duration(rapid.IntRange(1, 90).Draw(t, "length")) * time.Minute))
	} else {
		f.Schedule = &ops.FreezeSchedule{
			Cron:     rapid.SampledFrom([]string{"0 11 * * *", "*/30 * * * *", "0 0 * * 1-5"}).Draw(t, "cron"),
			Duration: ops.Duration(time.Duration(rapid.IntRange(1, 600).Draw(t, "minutes")) * time.Minute), Timezone: "Asia/Shanghai",
		}
	}
	if rapid.IntRange(0, 3).Draw(t, "exempts") == 0 {
		f.Exempt = ops.FreezeExempt{Kinds: []ops.ChangeKind{rapid.SampledFrom(ops.ChangeKinds[:]).Draw(t, "exempt kind")}, Roles: []ops.Role{ops.Admin}}
	}
	compiled, err := changes.CompileFreeze(f, catalog)
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

func anIncident(t *rapid.T) ops.Incident {
	i := ops.Incident{
		ID: "INC-1", Title: "i", Scope: aScope(t), Severity: rapid.SampledFrom([]ops.Severity{ops.P1, ops.P2, ops.P3, ops.P4}).Draw(t, "severity"),
		State: rapid.SampledFrom([]ops.IncidentState{ops.IncidentOpen, ops.IncidentMitigated, ops.IncidentResolved}).Draw(t, "state"),
	}
	if rapid.IntRange(0, 3).Draw(t, "suspects") == 0 {
		i.Suspects = []ops.Suspect{{ChangeID: "CHG-1", Rank: rapid.IntRange(1, 2).Draw(t, "rank"), Verdict: rapid.SampledFrom([]string{"suspect", "confirmed", "rejected"}).Draw(t, "suspicion")}}
	}
	return i
}

func TestNeverAllowInsideAFreezeThatApplies(t *testing.T) {
	catalog := catalog(t)
	rapid.Check(t, func(t *rapid.T) {
		r, s, now := aCase(t, catalog)
		if len(s.Freezes.List()) == 0 {
			return
		}
		d := changes.Decide(r, s, now)
		for _, f := range s.Freezes.List() {
			if applies(f.Freeze, r, s, now.Truncate(time.Millisecond)) && d.Decision == ops.EffectAllow {
				t.Fatalf("allowed, though %+v applies: %+v", f.Freeze, d)
			}
		}
	})
}

// applies says by the words of the contract whether a freeze holds a request: it is closed, its scope and that of the
// stage overlap, and nothing exempts the change.
func applies(f ops.Freeze, r changes.Request, s changes.State, now time.Time) bool {
	c := r.Change
	under := !c.StartedAt.IsZero()
	if slices.Contains(f.Exempt.Kinds, c.Kind) || slices.Contains(f.Exempt.Roles, r.Who.Role) || (under && (f.InFlight == "" || f.InFlight == "finish")) {
		return false
	}
	if s.Override != nil && now.Before(s.Override.ExpiresAt.Time) {
		return false
	}
	stage := r.Stage
	for i := 0; stage == 0 && under && i < len(c.Stages); i++ {
		if c.Stages[i].StartedAt.IsZero() {
			stage = i + 1
		}
	}
	scope := c.Scope
	if stage > 0 && stage <= len(c.Stages) {
		for _, k := range ops.ScopeKeys {
			stageScope := c.Stages[stage-1].Scope
			if v := *stageScope.Key(k); len(v) > 0 {
				*scope.Key(k) = v
			}
		}
	}
	if c.Service != "" {
		scope.Service = []string{c.Service}
	}
	return closedAt(f, now) && s.Catalog.Overlap(f.Scope, scope)
}

// closedAt looks at each minute's beginning whether a window opens there, which is slow and plain.
func closedAt(f ops.Freeze, now time.Time) bool {
	if f.Schedule == nil {
		return !now.Before(f.From.Time) && now.Before(f.To.Time)
	}
	zone, _ := time.LoadLocation(f.Schedule.Timezone)
	for back := time.Duration(0); back < time.Duration(f.Schedule.Duration); back += time.Minute {
		l := now.Add(-back).Truncate(time.Minute).In(zone)
		opens := map[string]bool{
			"0 11 * * *": l.Hour() == 11 && l.Minute() == 0, "*/30 * * * *": l.Minute()%30 == 0,
			"0 0 * * 1-5": l.Hour() == 0 && l.Minute() == 0 && l.Weekday() >= 1 && l.Weekday() <= 5,
		}[f.Schedule.Cron]
		if opens && now.Before(l.Add(time.Duration(f.Schedule.Duration))) {
			return true
		}
	}
	return false
}

func TestAddingARuleNeverTurnsDenyIntoAllow(t *testing.T) {
	catalog := catalog(t)
	weight := map[string]int{ops.EffectAllow: 0, ops.EffectWait: 1, ops.EffectDeny: 2}
	rapid.Check(t, func(t *rapid.T) {
		r, s, now := aCase(t, catalog)
		less := s // without what a rule that is drawn would replace, rather than add to
		less.Policies, less.Flight, less.Maintenance = nil, nil, ops.GateMaintenance{}
		less.Config.Collision, less.Config.MaxShare, less.Config.Rollback = changes.Collision{}, changes.MaxShare{}, changes.RollbackRule{}
		before := changes.Decide(r, less, now)
		more := less
		kind := rule(t, &more, catalog, now.Truncate(time.Millisecond))
		after := changes.Decide(r, more, now)
		if weight[after.Decision] < weight[before.Decision] {
			t.Fatalf("with a %s %s became %s", kind, before.Decision, after.Decision)
		}
	})
}

func TestADecisionMadeAgainFromItsRecordedInputsIsTheSame(t *testing.T) {
	catalog := catalog(t)
	rapid.Check(t, func(t *rapid.T) {
		r, s, now := aCase(t, catalog)
		r.Rollback = rapid.IntRange(0, 5).Draw(t, "rollback") == 0
		in := changes.Gather(r, s, now)
		body, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		var recorded changes.Inputs
		if err := json.Unmarshal(body, &recorded); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(changes.Decide(r, s, now), changes.Judge(recorded)); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestARollbackAlwaysPasses(t *testing.T) {
	catalog := catalog(t)
	rapid.Check(t, func(t *rapid.T) {
		r, s, now := aCase(t, catalog)
		r.Rollback = true
		if d := changes.Decide(r, s, now); d.Decision != ops.EffectAllow {
			t.Fatalf("a rollback was held back: %+v", d)
		}
	})
}

func TestEveryDecisionExplainsItself(t *testing.T) {
	catalog := catalog(t)
	rapid.Check(t, func(t *rapid.T) {
		r, s, now := aCase(t, catalog)
		d := changes.Decide(r, s, now)
		found := d.Decision == ops.EffectAllow
		for _, reason := range d.Reasons {
			found = found || reason.Effect == d.Decision
			if reason.Message == "" || reason.Rule == "" {
				t.Fatalf("an empty reason: %+v", d)
			}
		}
		if !found || (d.Decision == ops.EffectWait && d.RetryAfterS < 1) || !d.ValidUntil.After(now) {
			t.Fatalf("it does not say why, or until when: %+v", d)
		}
	})
}
