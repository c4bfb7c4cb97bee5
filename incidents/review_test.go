package incidents_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"goc/incidents"
	"goc/ops"
)

// past puts an incident into the journal as it might have been left there.
func (r *room) past(inc ops.Incident) {
	if inc.State == "" {
		inc.State, inc.ResolvedAt = ops.IncidentResolved, ops.At(inc.DetectedAt.Add(time.Hour))
	}
	r.journal.Append(ops.Mutation{Put: []ops.Record{ops.Encode("incident", inc.ID, inc)}})
}

func leg(elapsed, target float64) ops.Leg {
	met := elapsed <= target
	return ops.Leg{TargetS: target, ElapsedS: elapsed, Met: &met, StoppedBy: "x"}
}

func never(target float64) ops.Leg {
	m := false
	return ops.Leg{TargetS: target, ElapsedS: 3600, Met: &m}
}

func TestTheClocksByWeekTeamFaultAndSeverity(t *testing.T) {
	r := newRoom(t)
	monday := midnight // of ISO week 2 of 2026
	drill := "DRL-1"
	for i, inc := range []ops.Incident{
		{Team: "payments", Fault: "release", Severity: ops.P1, DetectedAt: ops.At(monday.Add(-24 * time.Hour)), LocatedAt: ops.At(monday), RecoveredAt: ops.At(monday), Cause: &ops.Cause{First: true}, Clock: ops.Clock{Detect: leg(30, 60), Locate: leg(200, 300), Recover: leg(500, 600)}},
		{Team: "payments", Fault: "config", Severity: ops.P1, DetectedAt: ops.At(monday), LocatedAt: ops.At(monday), RecoveredAt: ops.At(monday), Cause: &ops.Cause{}, Clock: ops.Clock{Detect: leg(90, 60), Locate: leg(100, 300), Recover: leg(900, 600)}},
		{Team: "", Fault: "place", Severity: ops.P3, DetectedAt: ops.At(monday.Add(24 * time.Hour)), RecoveredAt: ops.At(monday), Clock: ops.Clock{Detect: leg(10, 60), Locate: never(300), Recover: leg(100, 600)}},
		{Team: "payments", Fault: "release", Severity: ops.P1, DetectedAt: ops.At(monday), Merged: "INC-1", Clock: ops.Clock{Detect: leg(9999, 60)}},
		{Team: "payments", Fault: "drill", Severity: ops.P1, DetectedAt: ops.At(monday), Drill: &drill, Clock: ops.Clock{Detect: leg(5, 60), Locate: never(300), Recover: never(600)}},
		{Team: "old", Fault: "release", Severity: ops.P1, DetectedAt: ops.At(monday.Add(-100 * 24 * time.Hour)), Clock: ops.Clock{Detect: leg(9999, 60)}},
	} {
		inc.ID, inc.OnsetAt = fmt.Sprintf("INC-%d", i+1), inc.DetectedAt
		r.past(inc)
	}
	r.restart()
	r.at = monday.Add(48 * time.Hour)
	var got []string
	for _, by := range []string{"week", "team", "fault", "severity", ""} {
		rep, err := r.Clocks(t.Context(), time.Time{}, time.Time{}, by)
		if err != nil {
			t.Fatal(err)
		}
		line := "by " + rep.By + ":"
		for _, g := range rep.Groups {
			line += fmt.Sprintf(" %q %d", g.Key, g.Incidents)
		}
		got = append(got, line)
		if by == "week" {
			got = append(got, say("all", rep.Total), say("drills", rep.Drills), say("W02", rep.Groups[1]))
		}
	}
	want := []string{
		`by week: "2026-W01" 1 "2026-W02" 2`,
		"all: detect 3 measured, 2 met, 0 never, 30/90/90; locate 2 measured, 2 met, 1 never, 100/200/200; recover 3 measured, 2 met, 0 never, 500/900/900; first right 1 of 2",
		"drills: detect 1 measured, 1 met, 0 never, 5/5/5; locate 0 measured, 0 met, 1 never, 0/0/0; recover 0 measured, 0 met, 1 never, 0/0/0; first right 0 of 0",
		"W02: detect 2 measured, 1 met, 0 never, 10/90/90; locate 1 measured, 1 met, 1 never, 100/100/100; recover 2 measured, 1 met, 0 never, 100/900/900; first right 0 of 1",
		`by team: "payments" 2 "" 1`, `by fault: "config" 1 "place" 1 "release" 1`, `by severity: "P1" 2 "P3" 1`, `by week: "2026-W01" 1 "2026-W02" 2`,
	}
	if diff := cmp.Diff(strings.Join(want, "\n"), strings.Join(got, "\n")); diff != "" {
		t.Errorf("the clocks (-want +got):\n%s", diff)
	}
}

func say(name string, g ops.ClockGroup) string {
	s := func(l ops.LegStats) string {
		return fmt.Sprintf("%d measured, %d met, %d never, %g/%g/%g", l.Measured, l.Met, l.Never, l.MedianS, l.P90S, l.WorstS)
	}
	return fmt.Sprintf("%s: detect %s; locate %s; recover %s; first right %d of %d", name, s(g.Detect), s(g.Locate), s(g.Recover), g.FirstHit, g.Judged)
}

func TestTheClocksRefuseWhatMakesNoSense(t *testing.T) {
	r := newRoom(t)
	for _, c := range []struct {
		from, to time.Time
		by, want string
	}{
		{by: "phase of the moon", want: "query.by"},
		{from: midnight, to: midnight, want: "query.to"},
		{from: midnight.Add(time.Hour), want: "query.to"},
	} {
		if _, err := r.Clocks(t.Context(), c.from, c.to, c.by); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%v: %v, want an error at %s", c, err, c.want)
		}
	}
}

func TestTheClocksSaySinceWhenTheyAreComplete(t *testing.T) {
	r := newRoom(t)
	for i := range 10_002 {
		r.past(ops.Incident{ID: fmt.Sprintf("INC-%d", i+1), Severity: ops.P2, OnsetAt: ops.At(midnight), DetectedAt: ops.At(midnight.Add(time.Duration(i) * time.Minute))})
	}
	r.restart()
	r.at = midnight.Add(10_002 * time.Minute)
	rep, err := r.Clocks(t.Context(), midnight, time.Time{}, "")
	if err != nil || rep.Total.Incidents != 10_000 || !rep.CompleteFrom.Equal(midnight.Add(time.Minute)) {
		t.Errorf("%d incidents, complete from %s, %v; want 10000, complete from the last that was forgotten", rep.Total.Incidents, rep.CompleteFrom, err)
	}
	if rep, _ = r.Clocks(t.Context(), midnight.Add(time.Hour), time.Time{}, ""); !rep.CompleteFrom.IsZero() {
		t.Errorf("a later span is said to be complete only from %s", rep.CompleteFrom)
	}
}

func TestActionItemsOfAllIncidentsOverdueFirst(t *testing.T) {
	r := newRoom(t)
	ctx := t.Context()
	add := func(id, title, owner, kind string, due time.Duration) {
		task := ops.Task{Title: title, Owner: owner, Kind: kind}
		if due > 0 {
			task.DueAt = ops.At(midnight.Add(due))
		}
		if _, err := r.AddTask(ctx, ann, id, task); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if _, err := r.Declare(ctx, ann, ops.Declaration{Title: "trouble"}); err != nil {
			t.Fatal(err)
		}
	}
	add("INC-2", "later", "ann", ops.TaskAction, 48*time.Hour)
	add("INC-1", "some day", "", ops.TaskAction, 0)
	add("INC-1", "soon", "bob", ops.TaskAction, time.Hour)
	add("INC-1", "now", "bob", ops.TaskNow, time.Hour)
	add("INC-2", "was done", "bob", ops.TaskAction, time.Hour)
	done := true
	if _, err := r.ChangeTask(ctx, ann, "INC-2", 2, ops.TaskChange{Done: &done}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Resolve(ctx, ann, "INC-1", ""); err != nil {
		t.Fatal(err)
	}
	r.at = midnight.Add(2 * time.Hour)
	r.restart()
	for _, c := range []struct{ state, owner, want string }{
		{"", "", "INC-1 soon overdue, INC-2 later, INC-1 some day"},
		{"open", "ann", "INC-2 later"},
		{"overdue", "", "INC-1 soon overdue"},
		{"done", "", "INC-2 was done"},
		{"all", "bob", "INC-1 soon overdue, INC-2 was done"},
		{"done", "ann", ""},
	} {
		items, err := r.ActionItems(ctx, c.state, c.owner)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, it := range items {
			got = append(got, strings.TrimSuffix(fmt.Sprintf("%s %s %s", it.Incident, it.Task.Title, map[bool]string{true: "overdue"}[it.Overdue]), " "))
		}
		if s := strings.Join(got, ", "); s != c.want {
			t.Errorf("state %q of %q: %s; want %s", c.state, c.owner, s, c.want)
		}
	}
	if _, err := r.ActionItems(ctx, "lost", ""); ops.KindOf(err) != ops.Invalid {
		t.Errorf("a state that there is not was answered with %v", err)
	}
}

func TestPastIncidentsThatResembleOneAndWhatHelpedThen(t *testing.T) {
	r := newRoom(t)
	ctx := t.Context()
	drill := "DRL-1"
	live := func(id, service string, stores []string, change string, edit func(string)) {
		r.at = r.at.Add(24 * time.Hour)
		if change != "" {
			r.ObserveChange(ops.Change{ID: change, Kind: ops.KindRelease, Service: service, Title: service + " " + change, Status: ops.ChangeStarted, CreatedAt: ops.At(r.at.Add(-time.Minute)), StartedAt: ops.At(r.at.Add(-time.Minute))})
		}
		for _, st := range stores {
			r.receive(ops.Alert{Labels: map[string]string{"alertname": "SuccessLow", "service": service, "store": st}})
		}
		if _, err := r.Get(ctx, id); err != nil {
			t.Fatalf("%s was not opened: %v", id, err)
		}
		edit(id)
		for _, st := range stores {
			r.receive(ops.Alert{Status: ops.Resolved, Labels: map[string]string{"alertname": "SuccessLow", "service": service, "store": st}})
		}
		if _, err := r.Resolve(ctx, ann, id, ""); err != nil {
			t.Fatal(err)
		}
	}
	live("INC-1", "pay", []string{"S-1", "S-2"}, "CHG-1", func(id string) {
		if _, err := r.NameCause(ctx, ann, id, "rounding", "CHG-1"); err != nil {
			t.Fatal(err)
		}
		undone := ops.Change{ID: "CHG-1", Kind: ops.KindRelease, Service: "pay", Title: "pay 2", Status: ops.ChangeRolledBack, CreatedAt: ops.At(r.at.Add(-time.Minute)), FinishedAt: ops.At(r.at)}
		r.journal.Append(ops.Mutation{Put: []ops.Record{ops.Encode("change", undone.ID, undone)}}) // as the room of changes would
		r.journal.Append(ops.Mutation{Events: []ops.Event{ops.NewEvent(ops.At(r.at), "incident.plan_progress", "incidents", id, "ann", map[string]any{"text": "x", "run": "RUN-1", "plan": "rollback", "state": "succeeded"})}})
		if _, err := r.Mitigate(ctx, ann, id, "the old version is back"); err != nil {
			t.Fatal(err)
		}
	})
	live("INC-2", "bank", []string{"S-1"}, "", func(string) {})
	live("INC-3", "warehouse", []string{"S-3"}, "", func(string) {})
	r.options.ActiveDrill = func(ops.Scope, time.Time) string { return drill }
	r.restart()
	live("INC-4", "pay", []string{"S-1"}, "", func(string) {})
	r.options.ActiveDrill = nil
	r.restart()
	live("INC-5", "pay", []string{"S-1", "S-3"}, "CHG-5", func(id string) {
		got, err := r.Similar(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		var said []string
		for _, s := range got {
			said = append(said, fmt.Sprintf("%s %.2f: %s; helped: %s", s.Incident, s.Score, strings.Join(s.Reasons, ", "), strings.Join(s.Helped, ", ")))
		}
		want := []string{
			"INC-1 0.85: it was the same service, pay, it was in the same stores: S-1, the same alerts fired: SuccessLow, a release did it then, and a release probably did it now; helped: plan rollback (RUN-1) was run, and it was verified that it worked, CHG-1, pay 2 was rolled back, the old version is back",
			"INC-2 0.54: it was bank, which pay calls, it was in the same stores: S-1, the same alerts fired: SuccessLow; helped: ",
		}
		if diff := cmp.Diff(want, said); diff != "" {
			t.Errorf("similar (-want +got):\n%s", diff)
		}
		if got[0].Cause == nil || got[0].Cause.Text != "rounding" {
			t.Errorf("the cause then is %+v", got[0].Cause)
		}
	})
	if got, _ := r.Similar(ctx, "INC-4"); slices.ContainsFunc(got, func(s ops.Similar) bool { return s.Incident != "INC-4" }) {
		t.Errorf("a drill resembles real incidents: %v", got)
	}
}

// BenchmarkSimilar prints what it costs to compare one incident with 10,000 past ones, each with 50 alerts in 20 stores.
func BenchmarkSimilar(b *testing.B) {
	j := newJournal()
	cat := &ops.Catalog{}
	for i := range 200 {
		sv := ops.Service{Name: fmt.Sprintf("svc-%d", i)}
		if i > 0 {
			sv.Calls = []string{fmt.Sprintf("svc-%d", i/2)}
		}
		cat.Services = append(cat.Services, sv)
	}
	for i := range 5_000 {
		cat.Stores = append(cat.Stores, ops.Store{ID: fmt.Sprintf("SH-%04d", i), City: fmt.Sprintf("city-%d", i%40), Network: fmt.Sprintf("net-%d", i%7)})
	}
	if err := cat.Index(); err != nil {
		b.Fatal(err)
	}
	for i := range 9_999 {
		inc := ops.Incident{ID: fmt.Sprintf("INC-%d", i+1), State: ops.IncidentResolved, OnsetAt: ops.At(midnight), DetectedAt: ops.At(midnight.Add(time.Duration(i) * time.Second)), ResolvedAt: ops.At(midnight.Add(time.Hour))}
		inc.Scope.Service = []string{fmt.Sprintf("svc-%d", i%200)}
		for k := range 20 {
			inc.Scope.Store = append(inc.Scope.Store, fmt.Sprintf("SH-%04d", (i*13+k*17)%5_000))
		}
		slices.Sort(inc.Scope.Store)
		var puts []ops.Record
		for k := range 50 {
			a := ops.IncidentAlert{Alert: ops.Alert{Fingerprint: fmt.Sprintf("%016x", i*100+k), Status: ops.Resolved, Labels: map[string]string{"alertname": fmt.Sprintf("Alert%d", (i+k)%30), "service": inc.Scope.Service[0]}}, Reason: "x"}
			puts = append(puts, ops.Encode("alert", inc.ID+"/"+a.Fingerprint, struct {
				ops.IncidentAlert
				Incident string `json:"incident"`
			}{a, inc.ID}))
		}
		j.Append(ops.Mutation{Put: append(puts, ops.Encode("incident", inc.ID, inc))})
	}
	s, err := incidents.New(b.Context(), incidents.Options{Catalog: cat, Journal: j, Now: func() time.Time { return midnight.Add(24 * time.Hour) }})
	if err != nil {
		b.Fatal(err)
	}
	inc, err := s.Declare(b.Context(), ann, ops.Declaration{Title: "x", Scope: ops.Scope{Service: []string{"svc-7"}, Store: []string{"SH-0001", "SH-0014"}}})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := s.Similar(b.Context(), inc.ID); err != nil {
			b.Fatal(err)
		}
	}
}
