package changes_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"goc/changes"
	"goc/ops"
)

func schedule(cron, zone string, d time.Duration) *ops.FreezeSchedule {
	return &ops.FreezeSchedule{Cron: cron, Duration: ops.Duration(d), Timezone: zone}
}

func TestFreezesThatSayNothingOrBothAreRefused(t *testing.T) {
	from, to := ops.At(monday), ops.At(monday.Add(time.Hour))
	tests := []struct {
		name   string
		freeze ops.Freeze
		place  string
	}{
		{"neither from nor schedule", ops.Freeze{Name: "f"}, "body.from"},
		{"both", ops.Freeze{Name: "f", From: from, To: to, Schedule: schedule("0 1 * * *", "", time.Hour)}, "body.from"},
		{"the end before the beginning", ops.Freeze{Name: "f", From: to, To: from}, "body.to"},
		{"only an end", ops.Freeze{Name: "f", To: to}, "body.to"},
		{"a cron that never comes", ops.Freeze{Name: "f", Schedule: schedule("0 0 30 2 *", "", time.Hour)}, "body.schedule.cron"},
		{"an unknown way for what is in flight", ops.Freeze{Name: "f", From: from, To: to, InFlight: "explode"}, "body.in_flight"},
		{"an unknown kind is exempt", ops.Freeze{Name: "f", From: from, To: to, Exempt: ops.FreezeExempt{Kinds: []ops.ChangeKind{"x"}}}, "body.exempt.kinds"},
		{"CI is exempt", ops.Freeze{Name: "f", From: from, To: to, Exempt: ops.FreezeExempt{Roles: []ops.Role{ops.CI}}}, "body.exempt.roles"},
		{"an empty store", ops.Freeze{Name: "f", From: from, To: to, Scope: ops.Scope{Store: []string{""}}}, "body.scope.store"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := open(t, changes.Config{})
			_, err := r.AddFreeze(context.Background(), commander, tt.freeze)
			var e *ops.Error
			if !errors.As(err, &e) || e.Kind != ops.Invalid || e.Location != tt.place {
				t.Errorf("got %v, want it refused at %s", err, tt.place)
			}
		})
	}
}

func TestFreezesAreBoundedAndTakeARole(t *testing.T) {
	r := open(t, changes.Config{MaxFreezes: 2})
	f := ops.Freeze{Name: "f", From: ops.At(monday), To: ops.At(monday.Add(time.Hour))}
	_, err := r.AddFreeze(context.Background(), ci, f)
	refused(t, err, ops.Denied)
	for range 2 {
		if _, err := r.AddFreeze(context.Background(), commander, f); err != nil {
			t.Fatal(err)
		}
	}
	_, err = r.AddFreeze(context.Background(), commander, f)
	refused(t, err, ops.TooLarge, "lift")
	r.at = r.at.Add(2 * time.Hour)
	if _, err := r.AddFreeze(context.Background(), commander, f); err != nil {
		t.Errorf("those that are over do not count: %v", err)
	}
}

func TestALiftedFreezeHoldsNobody(t *testing.T) {
	r := open(t, changes.Config{})
	f, err := r.AddFreeze(context.Background(), commander, ops.Freeze{Name: "f", From: ops.At(monday), To: ops.At(monday.Add(time.Hour))})
	if err != nil {
		t.Fatal(err)
	}
	c := r.record(ci, staged())
	if d := r.check(ci, ops.GateRequest{ChangeID: c.ID}); d.Decision != ops.EffectDeny {
		t.Fatal(d)
	}
	if err := r.LiftFreeze(context.Background(), commander, f.ID); err != nil {
		t.Fatal(err)
	}
	refused(t, r.LiftFreeze(context.Background(), commander, f.ID), ops.NotFound)
	r.reopen()
	if d := r.check(ci, ops.GateRequest{ChangeID: c.ID}); d.Decision != ops.EffectAllow {
		t.Fatal(d)
	}
	if list, _ := r.Freezes(context.Background()); len(list) != 0 {
		t.Errorf("still listed: %+v", list)
	}
}

func TestWhomAFreezeHolds(t *testing.T) {
	tests := []struct {
		name     string
		freeze   ops.Freeze
		who      ops.Principal
		started  bool
		decision string
	}{
		{"everybody", ops.Freeze{}, ci, false, "deny"},
		{"another city", ops.Freeze{Scope: ops.Scope{City: []string{"Beijing"}}}, ci, false, "allow"},
		{"this city", ops.Freeze{Scope: ops.Scope{City: []string{"Shanghai"}}}, ci, false, "deny"},
		{"an exempt kind", ops.Freeze{Exempt: ops.FreezeExempt{Kinds: []ops.ChangeKind{ops.KindRelease}}}, ci, false, "allow"},
		{"an exempt role", ops.Freeze{Exempt: ops.FreezeExempt{Roles: []ops.Role{ops.Commander}}}, commander, false, "allow"},
		{"an exempt role that CI has not", ops.Freeze{Exempt: ops.FreezeExempt{Roles: []ops.Role{ops.Commander}}}, ci, false, "deny"},
		{"what is under way may finish", ops.Freeze{}, ci, true, "allow"},
		{"what is under way is held", ops.Freeze{InFlight: "pause"}, ci, true, "deny"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := open(t, changes.Config{})
			c := staged()
			c.Scope, c.Stages = ops.Scope{Store: []string{"SH-1"}}, []ops.Stage{{}, {}}
			c = r.record(ci, c)
			if tt.started {
				r.event(ci, c.ID, ops.ChangeEvent{Event: "stage_started", Stage: 1})
				r.event(ci, c.ID, ops.ChangeEvent{Event: "stage_finished", Stage: 1})
			}
			tt.freeze.Name, tt.freeze.From, tt.freeze.To = "f", ops.At(monday), ops.At(monday.Add(time.Hour))
			if _, err := r.AddFreeze(context.Background(), admin, tt.freeze); err != nil {
				t.Fatal(err)
			}
			if d := r.check(tt.who, ops.GateRequest{ChangeID: c.ID}); d.Decision != tt.decision {
				t.Errorf("%s, want %s: %+v", d.Decision, tt.decision, d.Reasons)
			}
		})
	}
}

func TestAScheduledFreezeClosesAndOpensEachDay(t *testing.T) {
	r := open(t, changes.Config{})
	if _, err := r.AddFreeze(context.Background(), commander, ops.Freeze{Name: "lunch", Schedule: schedule("0 11 * * *", "Asia/Shanghai", 2*time.Hour)}); err != nil {
		t.Fatal(err)
	}
	c := r.record(ci, staged())
	for _, tt := range []struct{ clock, decision string }{ // UTC; the clock also jumps back
		{"2026-11-17T02:59:59.999Z", "allow"},
		{"2026-11-17T03:00:00Z", "deny"},
		{"2026-11-17T04:59:59.999Z", "deny"},
		{"2026-11-17T05:00:00Z", "allow"},
		{"2026-11-18T04:00:00Z", "deny"},
		{"2026-11-18T06:00:00Z", "allow"},
		{"2026-11-17T04:00:00Z", "deny"},
		{"2026-12-24T04:00:00Z", "deny"},
	} {
		r.at, _ = time.Parse(time.RFC3339, tt.clock)
		if d := r.check(ci, ops.GateRequest{ChangeID: c.ID}); d.Decision != tt.decision {
			t.Errorf("at %s: %s, want %s", tt.clock, d.Decision, tt.decision)
		}
	}
}

func TestTheCalendarListsWhenItIsClosed(t *testing.T) {
	r := open(t, changes.Config{})
	add := func(f ops.Freeze) {
		t.Helper()
		if _, err := r.AddFreeze(context.Background(), commander, f); err != nil {
			t.Fatal(err)
		}
	}
	add(ops.Freeze{Name: "lunch", Schedule: schedule("0 11 * * *", "Asia/Shanghai", 2*time.Hour)})
	add(ops.Freeze{Name: "sale", From: ops.At(monday.Add(24 * time.Hour)), To: ops.At(monday.Add(30 * time.Hour))})
	spans, err := r.Calendar(context.Background(), monday, monday.Add(48*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range spans {
		got = append(got, s.Name+" "+s.From.String()[5:16])
	}
	if want := []string{"lunch 11-17T03:00", "sale 11-17T08:00", "lunch 11-18T03:00"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if list, _ := r.Freezes(context.Background()); len(list) != 2 || list[0].Name != "lunch" {
		t.Errorf("the next first: %+v", list)
	}
	_, err = r.Calendar(context.Background(), monday, monday.Add(1000*24*time.Hour))
	refused(t, err, ops.Invalid, "year")
	add(ops.Freeze{Name: "often", Schedule: schedule("*/10 * * * *", "", time.Minute)})
	_, err = r.Calendar(context.Background(), monday, monday.Add(300*24*time.Hour))
	refused(t, err, ops.TooLarge, "shorter")
}

func TestConfigNamesEachBadField(t *testing.T) {
	tests := map[string]changes.Config{
		"gate.environments.staging.on_unavailable": {Environments: map[string]changes.Environment{"staging": {Unavailable: "maybe"}}},
		"gate.severities":                          {Severities: map[ops.Severity]string{"P9": "deny"}},
		"gate.severities.P1":                       {Severities: map[ops.Severity]string{"P1": "shout"}},
		"gate.no_data":                             {NoData: "perhaps"},
		"gate.approvals":                           {Approvals: map[string]changes.ApprovalRule{"extreme": {Need: 1}}},
		"gate.bake":                                {Bake: ops.Duration(100 * 24 * time.Hour)},
		"gate.valid":                               {Valid: ops.Duration(time.Second)},
		"gate.retry":                               {Retry: ops.Duration(24 * time.Hour)},
		"gate.max_freezes":                         {MaxFreezes: -1},
		"gate.max_changes":                         {MaxChanges: -1},
	}
	for place, c := range tests {
		var e *ops.Error
		if err := c.Validate(); !errors.As(err, &e) || e.Location != place {
			t.Errorf("got %v, want it refused at %s", err, place)
		}
	}
	if err := (changes.Config{}).Validate(); err != nil {
		t.Errorf("the zero value must work: %v", err)
	}
}

func TestStagingIsHeldOnlyWhereItIsNotExempt(t *testing.T) {
	for _, exempt := range []bool{false, true} {
		r := open(t, changes.Config{Environments: map[string]changes.Environment{"staging": {Exempt: exempt}}})
		r.incidents = []ops.Incident{{ID: "INC-1", Severity: ops.P1, State: ops.IncidentOpen}}
		c := ops.Change{Kind: ops.KindConfig, Service: "pay", Environment: "staging"}
		if d := r.check(ci, ops.GateRequest{Change: &c}); (d.Decision == ops.EffectAllow) != exempt {
			t.Errorf("exempt %v: %s", exempt, fmt.Sprint(d.Reasons))
		}
	}
}

func TestNobodyGetsPastAFreezeByNamingSomethingElseAsWell(t *testing.T) {
	now := ops.Freeze{Name: "f", From: ops.At(monday), To: ops.At(monday.Add(time.Hour))}
	tests := map[string]struct {
		freeze ops.Scope
		change ops.Change
	}{
		"another service":          {ops.Scope{Service: []string{"pay"}}, ops.Change{Service: "pay", Scope: ops.Scope{Service: []string{"cart"}}}},
		"a tier that it is not of": {ops.Scope{Tier: []string{"T0"}}, ops.Change{Service: "pay", Scope: ops.Scope{Tier: []string{"T1"}}}},
		"a city that it is not in": {ops.Scope{City: []string{"Shanghai"}}, ops.Change{Title: "x", Scope: ops.Scope{Store: []string{"SH-1"}, City: []string{"Beijing"}}}},
		"a region it is not in":    {ops.Scope{Region: []string{"east"}}, ops.Change{Title: "x", Scope: ops.Scope{Store: []string{"SH-1"}, Region: []string{"north"}}}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := open(t, changes.Config{})
			now.Scope, tt.change.Kind = tt.freeze, ops.KindConfig
			if _, err := r.AddFreeze(context.Background(), commander, now); err != nil {
				t.Fatal(err)
			}
			if d := r.check(ci, ops.GateRequest{Change: &tt.change}); d.Decision != ops.EffectDeny {
				t.Errorf("%s: %+v", d.Decision, d.Reasons)
			}
		})
	}
}
