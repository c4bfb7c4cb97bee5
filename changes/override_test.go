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

var second = ops.Principal{Name: "Zhao", Role: ops.Commander}

func (r *room) breakGlass(change string) ops.Override {
	r.t.Helper()
	o, err := r.Override(context.Background(), commander, ops.Override{ChangeID: change, Reason: "the fix must go out"})
	if err != nil {
		r.t.Fatal(err)
	}
	return o
}

func TestABrokenGlassIsAnnouncedInTheWarRoomsOfItsScope(t *testing.T) {
	r := open(t, changes.Config{})
	incident := func(id string, state ops.IncidentState, s ops.Scope) ops.Incident {
		return ops.Incident{ID: id, State: state, Severity: ops.P1, Scope: s}
	}
	r.incidents = []ops.Incident{
		incident("INC-1", ops.IncidentOpen, ops.Scope{Service: []string{"pay"}}),
		incident("INC-2", ops.IncidentOpen, ops.Scope{Service: []string{"cart"}}),
		incident("INC-3", ops.IncidentResolved, ops.Scope{Service: []string{"pay"}}),
		incident("INC-4", ops.IncidentMitigated, ops.Scope{Tier: []string{"T0"}}),
	}
	c := r.record(ci, release("pay"))
	o := r.breakGlass(c.ID)
	var told []string
	for _, e := range r.journal.effects {
		var a changes.Announcement
		if err := json.Unmarshal(e.Body, &a); err != nil || e.Kind != changes.AnnounceEffect || !strings.Contains(a.Text, "the fix must go out") {
			t.Fatalf("%+v %v", e, err)
		}
		told = append(told, a.Incident)
	}
	if got := strings.Join(told, " "); got != "INC-1 INC-4" {
		t.Errorf("told %s, want INC-1 INC-4", got)
	}
	r.reopen()
	got, _ := r.Get(context.Background(), c.ID)
	if len(got.Overrides) != 1 || got.Overrides[0].ID != o.ID || got.Overrides[0].Reason != "the fix must go out" {
		t.Errorf("the change's record shows %+v", got.Overrides)
	}
}

func TestAnOverrideIsChasedDailyUntilSomebodyElseLooksAtIt(t *testing.T) {
	r := open(t, changes.Config{Override: changes.OverrideRule{Reviewer: "Zhao", Within: ops.Duration(48 * time.Hour)}})
	c := r.record(ci, release("pay"))
	o := r.breakGlass(c.ID)
	if o.FollowUp == nil || o.FollowUp.Reviewer != "Zhao" || !o.FollowUp.Due.Equal(monday.Add(48*time.Hour)) {
		t.Fatalf("the follow-up is %+v", o.FollowUp)
	}
	r.event(ci, c.ID, ops.ChangeEvent{Event: "start"})
	r.event(ci, c.ID, ops.ChangeEvent{Event: "finish"})
	pass := func(hours int) (chased int) {
		for range hours {
			r.at = r.at.Add(time.Hour)
			r.tick()
			if r.at.Hour()%6 == 0 {
				r.reopen()
			}
		}
		for _, n := range r.journal.names() {
			if n == "gate.override_due" {
				chased++
			}
		}
		return chased
	}
	if n := pass(47); n != 0 {
		t.Errorf("chased %d times before it was due", n)
	}
	if n := pass(49); n != 3 {
		t.Errorf("chased %d times in the two days after, want once a day", n)
	}
	for _, tt := range []struct {
		who  ops.Principal
		id   string
		note string
		kind ops.Kind
	}{
		{commander, o.ID, "it was fine", ops.Denied},
		{ci, o.ID, "it was fine", ops.Denied},
		{second, o.ID, " ", ops.Invalid},
		{second, "OVR-9", "it was fine", ops.NotFound},
		{second, o.ID, strings.Repeat("x", changes.MaxText+1), ops.Invalid},
	} {
		_, err := r.ReviewOverride(context.Background(), tt.who, tt.id, ops.OverrideReview{Note: tt.note})
		refused(t, err, tt.kind)
	}
	if left, _ := r.Overrides(context.Background(), true); len(left) != 1 {
		t.Errorf("%d are open, want 1", len(left))
	}
	if _, err := r.ReviewOverride(context.Background(), second, o.ID, ops.OverrideReview{Note: "the freeze was too wide"}); err != nil {
		t.Fatal(err)
	}
	_, err := r.ReviewOverride(context.Background(), second, o.ID, ops.OverrideReview{Note: "once more"})
	refused(t, err, ops.Conflict, "Zhao closed it")
	if n := pass(72); n != 3 {
		t.Errorf("chased %d times, also after it was closed", n)
	}
	open, _ := r.Overrides(context.Background(), true)
	all, _ := r.Overrides(context.Background(), false)
	if len(open) != 0 || len(all) != 1 || all[0].FollowUp.Note != "the freeze was too wide" {
		t.Errorf("open %v, all %+v", open, all)
	}
	if got, _ := r.Get(context.Background(), c.ID); len(got.Overrides) != 1 || got.Overrides[0].FollowUp.ClosedBy != "Zhao" || !got.Overridden {
		t.Errorf("the change's record shows %+v", got.Overrides)
	}
}

func TestHygiene(t *testing.T) {
	never := ops.GatePolicy{Name: "never", Expr: `change.kind == "network"`}
	daily := ops.Freeze{Name: "lunch", Schedule: &ops.FreezeSchedule{Cron: "0 11 * * *", Duration: ops.Duration(2 * time.Hour), Timezone: "UTC"}}
	freeze := func(r *room, f ops.Freeze) {
		if _, err := r.AddFreeze(context.Background(), commander, f); err != nil {
			r.t.Fatal(err)
		}
	}
	month := 31 * 24 * time.Hour
	approve := func(r *room, after time.Duration, times int) {
		for range times {
			c := r.record(ci, release("pay"))
			r.at = r.at.Add(after)
			if _, err := r.Approve(context.Background(), second, ops.Approval{ChangeID: c.ID}); err != nil {
				r.t.Fatal(err)
			}
			r.event(ci, c.ID, ops.ChangeEvent{Event: "abort"})
		}
	}
	undoable := release("pay")
	undoable.Rollback = "undo"
	over := func(r *room, c ops.Change) { r.event(ci, r.record(ci, c).ID, ops.ChangeEvent{Event: "abort"}) }
	for _, tt := range []struct {
		name   string
		config changes.Config
		given  func(r *room)
		want   string
		says   string
	}{
		{name: "nothing", given: func(*room) {}},
		{name: "a freeze by cron that never held", given: func(r *room) { freeze(r, daily); r.at = r.at.Add(month) }, want: "freeze_never_hit FRZ-1", says: "held nothing back in the last 30 days"},
		{name: "a freeze that is young", given: func(r *room) { freeze(r, daily); r.at = r.at.Add(month / 2) }},
		{
			name: "a freeze that held last week, over a restart",
			given: func(r *room) {
				freeze(r, daily)
				r.at = r.at.Add(month).Truncate(24 * time.Hour).Add(12 * time.Hour)
				if d := r.check(ci, ops.GateRequest{Change: &undoable}); d.Decision != ops.EffectDeny {
					r.t.Fatalf("the freeze does not hold: %s", told(d))
				}
				r.tick()
				r.reopen()
			},
		},
		{
			name: "a window that is over and never held", want: "freeze_never_hit FRZ-1", says: "was closed from",
			given: func(r *room) {
				freeze(r, ops.Freeze{Name: "sale", From: ops.At(monday), To: ops.At(monday.Add(time.Hour))})
				r.at = r.at.Add(2 * time.Hour)
			},
		},
		{name: "a window to come", given: func(r *room) {
			freeze(r, ops.Freeze{Name: "sale", From: ops.At(monday.Add(2 * month)), To: ops.At(monday.Add(2*month + time.Hour))})
			r.at = r.at.Add(month)
		}},
		{name: "a policy that never held, over a restart", config: changes.Config{Policies: []ops.GatePolicy{never}}, given: func(r *room) { r.tick(); r.at = r.at.Add(month); r.reopen() }, want: "policy_never_fires never"},
		{name: "a policy that is new", config: changes.Config{Policies: []ops.GatePolicy{never}}, given: func(r *room) { r.at = r.at.Add(month / 2) }},
		{
			name: "a policy that held", config: changes.Config{Policies: []ops.GatePolicy{never}},
			given: func(r *room) {
				r.at = r.at.Add(month)
				r.check(ci, ops.GateRequest{Change: &ops.Change{Kind: ops.KindNetwork, Title: "new lines"}})
			},
		},
		{name: "who always approves within seconds", given: func(r *room) { approve(r, 4*time.Second, 6) }, want: "approval_in_seconds Zhao, service_without_rollback pay", says: "all of 6 approvals within 4s"},
		{name: "who thinks once", given: func(r *room) { approve(r, 4*time.Second, 6); approve(r, time.Hour, 1) }, want: "service_without_rollback pay"},
		{name: "who approved seldom", given: func(r *room) { approve(r, 4*time.Second, 4) }, want: "service_without_rollback pay"},
		{name: "a change left open", given: func(r *room) { r.underway(undoable); r.at = r.at.Add(8 * 24 * time.Hour) }, want: "change_left_open CHG-1", says: "did not move since 2026-11-16"},
		{name: "a change that is under way", given: func(r *room) { r.underway(undoable); r.at = r.at.Add(6 * 24 * time.Hour) }},
		{name: "a service of which no change names a way back", given: func(r *room) { over(r, release("pay")); over(r, release("pay")) }, want: "service_without_rollback pay", says: "none of the 2 changes"},
		{name: "a service of which one does", given: func(r *room) { over(r, release("pay")); over(r, undoable) }},
		{name: "an override that nobody looked at", given: func(r *room) { r.breakGlass(r.record(ci, undoable).ID) }, want: "override_not_followed_up OVR-1", says: "is due by"},
		{name: "an override that is overdue", given: func(r *room) { r.breakGlass(r.record(ci, undoable).ID); r.at = r.at.Add(4 * 24 * time.Hour) }, want: "override_not_followed_up OVR-1", says: "is overdue since"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := open(t, tt.config)
			tt.given(r)
			h, err := r.Hygiene(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			var got, text []string
			for _, i := range h.Items {
				got = append(got, i.Kind+" "+i.Subject)
				text = append(text, i.Text)
				if i.Advice == "" || i.Since.IsZero() {
					t.Errorf("%s says not what to change, or since when", i.Kind)
				}
			}
			if all := strings.Join(got, ", "); all != tt.want {
				t.Errorf("got  %s\nwant %s", all, tt.want)
			}
			if !strings.Contains(strings.Join(text, "\n"), tt.says) {
				t.Errorf("%q is not said: %v", tt.says, text)
			}
		})
	}
}
