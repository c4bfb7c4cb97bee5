package changes_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"goc/changes"
	"goc/ops"
)

func TestADryRunSaysWhatAPolicyWouldHaveDone(t *testing.T) {
	r := open(t, changes.Config{Timezone: "Asia/Shanghai"})
	for day := range 5 { // one release at 16:00 and one at 20:00 in Shanghai, Monday to Friday
		for _, hour := range []int{8, 12} {
			r.at = monday.Add(time.Duration(day)*24*time.Hour + time.Duration(hour-8)*time.Hour)
			c := release("pay")
			c.Version = fmt.Sprint(day, hour)
			r.underway(c)
		}
	}
	r.record(ci, release("pay")) // never went out
	r.incidents = []ops.Incident{
		{ID: "INC-1", Cause: &ops.Cause{ChangeID: "CHG-2"}, State: ops.IncidentResolved},                                      // a late one
		{ID: "INC-2", Suspects: []ops.Suspect{{ChangeID: "CHG-3", Verdict: "confirmed"}}, State: ops.IncidentResolved},        // an early one
		{ID: "INC-3", Suspects: []ops.Suspect{{ChangeID: "CHG-4", Rank: 1, Verdict: "suspect"}}, State: ops.IncidentResolved}, // nobody said so
	}
	late := ops.GatePolicy{Name: "late", Expr: `local.hour >= 18`}
	d, err := r.DryRunPolicy(context.Background(), ops.PolicyTrial{Policy: late, Since: ops.At(monday)})
	if err != nil {
		t.Fatal(err)
	}
	if d.Changes != 10 || d.Stopped != 5 || d.Caused != 1 || d.Missed != 1 || d.Items[0].ChangeID != "CHG-2" || d.Items[0].Incidents[0] != "INC-1" {
		t.Errorf("%+v", d)
	}
	if want := "would have stopped 5 of 10 changes since 2026-11-16, of which 1 caused incidents; 1 others that caused incidents would have passed"; d.Text != want {
		t.Errorf("it says %q, want %q", d.Text, want)
	}
	events := len(r.journal.names())
	d, err = r.DryRunPolicy(context.Background(), ops.PolicyTrial{Policy: ops.GatePolicy{Name: "p", Expr: `share > 0.5 || change.labels["x"] == "y"`}, Since: ops.At(monday)})
	if err != nil || d.Errors != 10 || d.Stopped != 10 || len(d.Assumed) != 1 || !strings.Contains(d.Text, "could not be evaluated") {
		t.Errorf("%+v %v", d, err)
	}
	if len(r.journal.names()) != events {
		t.Error("a dry run left a trace")
	}
	_, err = r.DryRunPolicy(context.Background(), ops.PolicyTrial{Policy: ops.GatePolicy{Name: "p", Expr: `stage`}})
	refusedAt(t, err, "body.policy.expr")
	_, err = r.DryRunPolicy(context.Background(), ops.PolicyTrial{Policy: late, Since: ops.At(r.at.Add(time.Hour))})
	refusedAt(t, err, "body.since")
}

func TestADryRunSeesTheStagesFreezesAndIncidentsOfThen(t *testing.T) {
	r := open(t, changes.Config{})
	if _, err := r.AddFreeze(context.Background(), commander, ops.Freeze{Name: "noon", Schedule: schedule("0 12 * * *", "UTC", time.Hour)}); err != nil {
		t.Fatal(err)
	}
	c := r.record(ci, staged())
	for stage := range 2 {
		r.event(ci, c.ID, ops.ChangeEvent{Event: "stage_started", Stage: stage + 1})
		r.event(ci, c.ID, ops.ChangeEvent{Event: "stage_finished", Stage: stage + 1})
		r.at = r.at.Add(4*time.Hour + time.Minute) // the second within the freeze
	}
	r.incidents = []ops.Incident{{ID: "INC-1", Severity: ops.P1, DetectedAt: ops.At(monday.Add(time.Hour)), ResolvedAt: ops.At(monday.Add(5 * time.Hour)), Scope: ops.Scope{City: []string{"Shanghai"}}}}
	for expr, want := range map[string]int{
		`scope.store == ["SH-2"]`:                      2,
		`freezes.exists(f, f.name == "noon")`:          2,
		`incidents.exists(i, i.severity == "P1")`:      2,
		`incidents.size() == 0 && freezes.size() == 0`: 1,
		`stage > 2`: 0,
	} {
		d, err := r.DryRunPolicy(context.Background(), ops.PolicyTrial{Policy: ops.GatePolicy{Name: "p", Expr: expr}, Since: ops.At(monday)})
		if err != nil {
			t.Fatal(err)
		}
		if stopped := len(d.Items) > 0; stopped != (want > 0) || (stopped && d.Items[0].Stage != want) {
			t.Errorf("%s: %+v, want it stopped at stage %d", expr, d.Items, want)
		}
	}
}

// BenchmarkDryRun is a policy over 100,000 changes of one month.
func BenchmarkDryRun(b *testing.B) {
	at := monday
	s := loadedAt(b, 100_000, 1000, func() time.Time { return at }, func(i int) { at = monday.Add(time.Duration(i) * 25 * time.Second) })
	for _, expr := range []string{`change.risk == "high" && local.hour >= 18`, `local.weekday == 5 && local.hour >= 18 && scope.store.exists(s, s.startsWith("SH"))`, `freezes.size() > 0`} {
		b.Run(expr, func(b *testing.B) {
			for b.Loop() {
				d, err := s.DryRunPolicy(context.Background(), ops.PolicyTrial{Policy: ops.GatePolicy{Name: "p", Expr: expr}})
				if err != nil || d.Changes < 89_000 {
					b.Fatal(d.Changes, err)
				}
			}
		})
	}
}
