package incidents_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"goc/incidents"
	"goc/incidents/engine"
	"goc/ops"
)

var ann = ops.Principal{Name: "ann", Role: ops.Responder}

// room is a service on a journal in memory, with a clock that stands still unless it is moved.
type room struct {
	*incidents.Service
	t       *testing.T
	journal *journal
	options incidents.Options
	at      time.Time
}

func newRoom(t *testing.T) *room {
	r := &room{t: t, journal: newJournal(), at: midnight}
	cat := &ops.Catalog{
		Services: []ops.Service{{Name: "pay", Tier: "T0", Core: true, Calls: []string{"bank"}}, {Name: "bank"}},
		Stores:   []ops.Store{{ID: "S-1", City: "A"}, {ID: "S-2", City: "A"}, {ID: "S-3", City: "B"}},
	}
	if err := cat.Index(); err != nil {
		t.Fatal(err)
	}
	r.options = incidents.Options{
		Catalog: cat, Journal: r.journal, Now: func() time.Time { return r.at },
		OnCall:   incidents.OnCallConfig{Schedules: []ops.OnCallSchedule{{Name: "primary", Start: "2026-01-05T09:00", Shift: ops.Duration(24 * time.Hour), People: []string{"ann", "bob"}}}},
		PlansFor: func(inc ops.Incident) []string { return []string{fmt.Sprint("for ", len(inc.Suspects), " suspects")} },
	}
	r.restart()
	return r
}

func (r *room) restart() {
	r.t.Helper()
	s, err := incidents.New(r.t.Context(), r.options)
	if err != nil {
		r.t.Fatal(err)
	}
	r.Service = s
}

func (r *room) receive(alerts ...ops.Alert) {
	r.t.Helper()
	rejected, err := r.ReceiveAlerts(r.t.Context(), "rules", alerts)
	if err != nil || len(rejected) > 0 {
		r.t.Fatal(rejected, err)
	}
}

func (r *room) get(id string) ops.Incident {
	r.t.Helper()
	inc, err := r.Get(r.t.Context(), id)
	if err != nil {
		r.t.Fatal(err)
	}
	return inc
}

func low(store string) ops.Alert {
	return ops.Alert{Labels: map[string]string{"alertname": "SuccessLow", "service": "pay", "store": store, "severity": "critical"}, Annotations: map[string]string{"summary": "pay fails in " + store}}
}

func TestARestartBringsBackIncidentsAlertsSilencesAndRunningClocks(t *testing.T) {
	r := newRoom(t)
	ctx := t.Context()
	r.ObserveChange(ops.Change{ID: "CHG-1", Kind: ops.KindRelease, Service: "pay", Title: "pay 2", Status: ops.ChangeStarted, CreatedAt: ops.At(midnight.Add(-time.Minute))})
	r.receive(low("S-1"), low("S-2"))
	if _, err := r.Acknowledge(ctx, ann, "INC-1", "looking"); err != nil {
		t.Fatal(err)
	}
	if _, err := r.JudgeSuspect(ctx, ann, "INC-1", "CHG-1", true, ""); err != nil {
		t.Fatal(err)
	}
	sil, err := r.PutSilence(ctx, ann, ops.Silence{Matchers: []ops.Matcher{{Name: "store", Value: "S-2", IsEqual: true}}, EndsAt: ops.At(midnight.Add(time.Hour))})
	if err != nil {
		t.Fatal(err)
	}
	before := r.get("INC-1")
	r.restart()
	if diff := cmp.Diff(asJSON(t, before), asJSON(t, r.get("INC-1"))); diff != "" {
		t.Errorf("the incident came back otherwise (-before +after):\n%s", diff)
	}
	if a, _ := r.Alerts(ctx); len(a) != 2 {
		t.Errorf("%d alerts fire after the restart, want 2", len(a))
	}
	if s, _ := r.Silences(ctx); len(s) != 1 || s[0].ID != sil.ID {
		t.Errorf("the silence did not come back: %v", s)
	}
	if got := before.Suspects[0]; got.ChangeID != "CHG-1" || got.Verdict != "confirmed" || before.LocatedAt.IsZero() {
		t.Errorf("the confirmed suspect is %+v, located at %s", got, before.LocatedAt)
	}
	r.at = r.at.Add(7 * time.Minute) // the leases of five minutes end
	r.receive(ops.Alert{Status: ops.Resolved, Labels: map[string]string{"alertname": "unknown"}})
	r.at = r.at.Add(2 * time.Minute)
	r.receive(ops.Alert{Status: ops.Resolved, Labels: map[string]string{"alertname": "unknown"}})
	if inc := r.get("INC-1"); inc.State != ops.IncidentMitigated || inc.Clock.Recover.Running {
		t.Errorf("after the leases ended it is %s, recover %+v", inc.State, inc.Clock.Recover)
	}
	r.receive(ops.Alert{Labels: map[string]string{"alertname": "Other", "service": "bank2"}})
	if _, err := r.Get(ctx, "INC-2"); err != nil {
		t.Errorf("the numbers do not go on after a restart: %v", err)
	}
}

// asJSON is v as clients see it.
func asJSON(t *testing.T, v any) (out any) {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestAThousandAlertsAreOneMutation(t *testing.T) {
	r := newRoom(t)
	var batch []ops.Alert
	for i := range 1000 {
		a := low("S-1")
		a.Labels["instance"] = fmt.Sprint(i)
		batch = append(batch, a)
	}
	before := r.journal.count()
	r.receive(batch...)
	if n := r.journal.count() - before; n != 1 {
		t.Errorf("a thousand alerts took %d mutations, want 1", n)
	}
	inc := r.get("INC-1")
	if l, _ := r.List(t.Context(), ops.IncidentQuery{}); len(l.Items) != 1 || len(inc.Alerts) != 500 {
		t.Errorf("%d incidents, the first lists %d alerts; want 1 that lists 500", len(l.Items), len(inc.Alerts))
	}
	if a, _ := r.Alerts(t.Context()); len(a) != 1000 {
		t.Errorf("%d alerts fire, want 1000", len(a))
	}
}

func TestNobodyIsAnsweredBeforeTheDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		r.journal.hold = make(chan struct{})
		answered := make(chan error, 1)
		go func() {
			_, err := r.ReceiveAlerts(context.Background(), "rules", []ops.Alert{low("S-1")})
			answered <- err
		}()
		synctest.Wait()
		select {
		case <-answered:
			t.Fatal("answered before the mutation was on disk")
		default:
		}
		if got := r.Active(); len(got) != 1 {
			t.Errorf("a reader waits for the disk or sees %d incidents", len(got))
		}
		close(r.journal.hold)
		if err := <-answered; err != nil {
			t.Fatal(err)
		}
	})
}

func TestABrokenJournalAcknowledgesNothing(t *testing.T) {
	r := newRoom(t)
	r.journal.broken = ops.Errorf(ops.Unavailable, "the disk is full")
	if _, err := r.ReceiveAlerts(t.Context(), "rules", []ops.Alert{low("S-1")}); ops.KindOf(err) != ops.Unavailable {
		t.Errorf("the sender was told %v", err)
	}
	if _, err := r.Declare(t.Context(), ann, ops.Declaration{Title: "x"}); !errors.Is(err, r.journal.broken) {
		t.Errorf("the person was told %v", err)
	}
}

func TestBadAlertsAreListedAndTheGoodOnesKept(t *testing.T) {
	r := newRoom(t)
	bad := low("S-1")
	bad.StartsAt, bad.EndsAt = ops.At(midnight), ops.At(midnight.Add(-time.Hour))
	long := low("S-3")
	long.Labels["x"] = strings.Repeat("x", ops.MaxLabelValue+1)
	rejected, err := r.ReceiveAlerts(t.Context(), "prometheus", []ops.Alert{bad, {}, low("S-2"), long})
	if err != nil {
		t.Fatal(err)
	}
	var at []int
	for _, no := range rejected {
		at = append(at, no.Index)
	}
	if diff := cmp.Diff([]int{0, 1, 3}, at); diff != "" {
		t.Errorf("rejected (-want +got):\n%s", diff)
	}
	if a, _ := r.Alerts(t.Context()); len(a) != 1 {
		t.Errorf("%d alerts fire, want the good one", len(a))
	}
	if _, err := r.ReceiveAlerts(t.Context(), "x", make([]ops.Alert, ops.MaxAlertsBatch+1)); ops.KindOf(err) != ops.TooLarge {
		t.Errorf("a batch over the bound was answered with %v", err)
	}
}

func TestListsPageFromTheNewest(t *testing.T) {
	r := newRoom(t)
	for i := range 5 {
		if _, err := r.Declare(t.Context(), ann, ops.Declaration{Title: fmt.Sprint("trouble ", i)}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.Resolve(t.Context(), ann, "INC-4", ""); err != nil {
		t.Fatal(err)
	}
	var got []string
	for cursor := ""; ; {
		l, err := r.List(t.Context(), ops.IncidentQuery{State: "active", Page: ops.Page{Limit: 2, Cursor: cursor}})
		if err != nil {
			t.Fatal(err)
		}
		for _, inc := range l.Items {
			got = append(got, inc.ID)
		}
		if cursor = l.Next; cursor == "" {
			break
		}
	}
	if diff := cmp.Diff([]string{"INC-5", "INC-3", "INC-2", "INC-1"}, got); diff != "" {
		t.Errorf("active incidents (-want +got):\n%s", diff)
	}
	if _, err := r.List(t.Context(), ops.IncidentQuery{Page: ops.Page{Cursor: "x"}}); ops.KindOf(err) != ops.Invalid {
		t.Errorf("a wrong cursor was answered with %v", err)
	}
	if n := len(r.Active()); n != 4 {
		t.Errorf("%d are active, want 4", n)
	}
}

func TestTheChartPartsTheAffectedFromTheOthersAndTheReportTellsTheStory(t *testing.T) {
	r := newRoom(t)
	ctx := t.Context()
	r.ObserveChange(ops.Change{
		ID: "CHG-1", Kind: ops.KindRelease, Service: "pay", Title: "pay 2 | <b>", Status: ops.ChangeStarted, CreatedAt: ops.At(midnight),
		Stages: []ops.Stage{{Scope: ops.Scope{Store: []string{"S-1"}}, StartedAt: ops.At(midnight), FinishedAt: ops.At(midnight.Add(5 * time.Second))}},
	})
	for at := midnight.Add(-10 * time.Minute); !at.After(midnight.Add(40 * time.Second)); at = at.Add(5 * time.Second) {
		for _, store := range []string{"S-1", "S-2", "S-3"} {
			v := 0.99
			if store == "S-1" && at.After(midnight.Add(6*time.Second)) {
				v = 0.4
			}
			r.at = maxOf(r.at, at)
			r.ObserveSamples([]ops.Sample{{At: ops.At(at), Indicator: "success_ratio", Service: "pay", Store: store, Value: v}})
		}
	}
	r.receive(low("S-1"))
	r.Acknowledge(ctx, ann, "INC-1", "")
	c, err := r.Chart(ctx, "INC-1")
	if err != nil {
		t.Fatal(err)
	}
	if c.Indicator != "success_ratio" || c.Service != "pay" || len(c.Series) != 2 {
		t.Fatalf("the chart is of %s %s with %d series", c.Indicator, c.Service, len(c.Series))
	}
	for i, want := range []float64{0.4, 0.99} {
		if got := last(c.Series[i]); got != want {
			t.Errorf("%s ends at %v, want %v", c.Series[i].Name, got, want)
		}
	}
	kinds := map[string]bool{}
	for _, m := range c.Marks {
		kinds[m.Kind] = true
	}
	if !kinds["change"] || !kinds["onset"] {
		t.Errorf("the marks are %v", c.Marks)
	}
	whole, err := r.Report(ctx, "INC-1")
	if err != nil {
		t.Fatal(err)
	}
	report := whole.Markdown
	for _, want := range []string{"# INC-1: pay fails in S-1", "| detected |", "**CHG-1** pay 2 \\| &lt;b>", "ann is on it", "## Timeline", "it opened the incident"} {
		if !strings.Contains(report, want) {
			t.Errorf("the report does not say %q:\n%s", want, report)
		}
	}
	h, err := r.Headline(ctx)
	if err != nil || len(h.Series) != 1 || len(h.Marks) == 0 {
		t.Errorf("the headline is %+v, %v", h, err)
	}
	if got := r.get("INC-1").Plans; len(got) != 1 || got[0] != "for 1 suspects" {
		t.Errorf("the plans are %v", got)
	}
}

func maxOf(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func last(s ops.Series) float64 {
	for i := len(s.Values) - 1; i >= 0; i-- {
		if s.Values[i] != nil {
			return *s.Values[i]
		}
	}
	return -1
}

func TestAnIncidentThatADrillMakesSaysSo(t *testing.T) {
	r := newRoom(t)
	r.options.ActiveDrill = func(s ops.Scope, _ time.Time) string {
		if len(s.Store) == 1 && s.Store[0] == "S-1" {
			return "DRL-1"
		}
		return ""
	}
	r.restart()
	r.receive(low("S-1"), ops.Alert{Labels: map[string]string{"alertname": "Slow", "service": "warehouse"}})
	if d := r.get("INC-1").Drill; d == nil || *d != "DRL-1" {
		t.Errorf("INC-1 is drill %v", d)
	}
	if d := r.get("INC-2").Drill; d != nil {
		t.Errorf("INC-2 is drill %v, and is real", *d)
	}
}

func TestTheFiguresCountWhatHappened(t *testing.T) {
	r := newRoom(t)
	reg := prometheus.NewRegistry()
	r.options.Registerer = reg
	r.restart()
	r.receive(low("S-1"), low("S-2"))
	want := `
# HELP goc_incidents_open Incidents that still need people.
# TYPE goc_incidents_open gauge
goc_incidents_open{severity="P1"} 0
goc_incidents_open{severity="P2"} 1
goc_incidents_open{severity="P3"} 0
goc_incidents_open{severity="P4"} 0
# HELP goc_alerts_received_total Alerts received, good or not.
# TYPE goc_alerts_received_total counter
goc_alerts_received_total{source="rules"} 2
`
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "goc_incidents_open", "goc_alerts_received_total"); err != nil {
		t.Error(err)
	}
	if n := testutil.CollectAndCount(reg, "goc_incident_detect_seconds"); n != 1 {
		t.Errorf("%d series of the detect leg, want 1", n)
	}
}

func TestTheLoopLetsTimePass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		r.options.Now = nil
		r.restart()
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error)
		go func() { done <- r.Run(ctx) }()
		r.receive(low("S-1"))
		time.Sleep(10 * time.Minute) // virtual
		synctest.Wait()
		if inc := r.get("INC-1"); inc.State != ops.IncidentMitigated {
			t.Errorf("ten minutes after its sender fell silent it is %s", inc.State)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestConfigSaysWhatIsWrongAndWhere(t *testing.T) {
	bad := incidents.Config{Targets: map[ops.Severity]incidents.Targets{"P9": {}}, Severity: []engine.SeverityRule{{Severity: "P0"}, {Severity: ops.P1, Share: 2}}}
	err := bad.Validate()
	for _, want := range []string{"incidents.targets", "incidents.severity[0].severity", "incidents.severity[1].share"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not name %s", err, want)
		}
	}
	if err := (incidents.Config{}).Validate(); err != nil {
		t.Errorf("the zero configuration is refused: %v", err)
	}
}
