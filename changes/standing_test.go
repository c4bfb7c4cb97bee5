package changes_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"goc/changes"
	"goc/ops"
)

func TestAChangeStandsAtTheGateAsItsViewerWouldSeeIt(t *testing.T) {
	r := open(t, changes.Config{
		Approvals: map[string]changes.ApprovalRule{"medium": {Need: 1, From: []string{"dba", "admin"}}},
		Groups:    map[string][]string{"dba": {"Zhao"}},
		Reviews:   []changes.ReviewRule{{Need: []string{"code", "test"}}},
	})
	c := release("pay")
	c.Author, c.Reviews = "Wang", map[string]string{"code": "https://git/1", "prd": "https://prd/1"}
	c = r.record(ci, c)
	before := len(r.journal.names())
	for name, v := range map[string]struct {
		who ops.Principal
		why string
	}{
		"of the group":            {ops.Principal{Name: "Zhao", Role: ops.Commander}, ""},
		"of a role":               {ops.Principal{Name: "root", Role: ops.Admin}, ""},
		"the author":              {ops.Principal{Name: "wang", Role: ops.Admin}, "nobody approves their own change"},
		"who recorded it":         {ops.Principal{Name: ci.Name, Role: ops.Admin}, "nobody approves their own change"},
		"a role that may not":     {ops.Principal{Name: "Zhao", Role: ops.Responder}, "this takes the role commander"},
		"one who would not count": {ops.Principal{Name: "Li", Role: ops.Commander}, "you are not of those who count"},
	} {
		t.Run(name, func(t *testing.T) {
			st, err := r.Standing(context.Background(), v.who, c.ID)
			if err != nil || st.MayApprove != (v.why == "") || st.Why != v.why {
				t.Errorf("may %v, because %q (%v); want %q", st.MayApprove, st.Why, err, v.why)
			}
		})
	}
	st, _ := r.Standing(context.Background(), commander, c.ID)
	if st.Decision != ops.EffectDeny || st.Need != 1 || len(st.Counting) != 0 || strings.Join(st.From, " ") != "dba admin" {
		t.Errorf("%+v", st)
	}
	if got := evidence(st.Reviews); got != "prd:given code:given test:missing" {
		t.Errorf("reviews %s", got)
	}
	if after := len(r.journal.names()); after != before {
		t.Errorf("asking left %d events", after-before)
	}
	if _, err := r.Approve(context.Background(), ops.Principal{Name: "Zhao", Role: ops.Commander}, ops.Approval{ChangeID: c.ID}); err != nil {
		t.Fatal(err)
	}
	if st, _ = r.Standing(context.Background(), commander, c.ID); len(st.Approvals) != 1 || len(st.Counting) != 1 {
		t.Errorf("after an approval: %+v", st)
	}
	_, err := r.Standing(context.Background(), commander, "CHG-99")
	refused(t, err, ops.NotFound)
}

func evidence(list []ops.Review) string {
	var out []string
	for _, r := range list {
		state := "given"
		if r.Missing {
			state = "missing"
		}
		out = append(out, r.Name+":"+state)
	}
	return strings.Join(out, " ")
}

func TestHeldAreTheOpenChangesThatTheGateWouldHoldBackNow(t *testing.T) {
	r := open(t, changes.Config{Approvals: map[string]changes.ApprovalRule{"high": {Need: 1}}})
	ctx := context.Background()
	risky := func(title string) ops.Change {
		return r.record(ci, ops.Change{Kind: ops.KindConfig, Title: title, Risk: "high"})
	}
	first, second, over := risky("first"), risky("second"), risky("over")
	r.record(ci, ops.Change{Kind: ops.KindConfig, Title: "free", Risk: "low"})
	r.event(ci, over.ID, ops.ChangeEvent{Event: "abort"})
	if got := held(t, r); got != second.ID+" "+first.ID {
		t.Errorf("held: %s", got)
	}
	if _, err := r.Approve(ctx, commander, ops.Approval{ChangeID: first.ID}); err != nil {
		t.Fatal(err)
	}
	r.event(ci, second.ID, ops.ChangeEvent{Event: "start"})
	if got := held(t, r); got != "" {
		t.Errorf("held though approved, or out: %s", got)
	}
}

func held(t *testing.T, r *room) string {
	t.Helper()
	list, err := r.Held(context.Background(), commander)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, st := range list {
		ids = append(ids, st.ChangeID)
	}
	return strings.Join(ids, " ")
}

func TestTheRulesInForceAreToldWithTheirHits(t *testing.T) {
	half := 0.5
	r := open(t, changes.Config{
		Policies: []ops.GatePolicy{{Name: "never-flags", Expr: `change.kind == "flag"`}, {Name: "broken", Expr: `change.labels["x"] == "y"`, OnError: "allow"}},
		RedLines: []changes.RedLine{
			{Name: "sales", Service: "pay", Indicator: "success_ratio", Below: &half, Over: ops.Duration(time.Minute)},
			{Name: "dark", Dark: 0.25, Override: "admin", InFlight: "pause"},
			{Name: "busy", Changing: 0.5},
		},
	})
	r.check(ci, ops.GateRequest{Change: &ops.Change{Kind: ops.KindFlag, Title: "f"}})
	got, err := r.Rules(context.Background())
	if err != nil || len(got.Policies) != 2 || len(got.RedLines) != 3 {
		t.Fatalf("%+v %v", got, err)
	}
	if p := got.Policies[0]; p.Name != "never-flags" || p.Held != 1 || p.Last.IsZero() || got.Policies[1].Errors != 1 {
		t.Errorf("policies: %+v", got.Policies)
	}
	var lines []string
	for _, l := range got.RedLines {
		lines = append(lines, l.Name+": "+l.Limit+"; "+l.InFlight+" "+l.Override)
	}
	want := "sales: success_ratio of pay under 0.5, over 1m; finish \ndark: more than 25 % of the stores dark; pause admin\nbusy: more than 50 % of the stores under change; finish "
	if strings.Join(lines, "\n") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(lines, "\n"), want)
	}
}
