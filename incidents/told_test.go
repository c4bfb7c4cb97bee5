package incidents_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"goc/incidents"
	"goc/ops"
)

// life is an incident from its opening to its end, told at every stage.
type life struct {
	*room
	told strings.Builder
}

// newLife is a chain of two cities with a payment service that every store uses.
func newLife(t *testing.T) *life {
	r := &room{t: t, journal: newJournal(), at: midnight}
	cat := &ops.Catalog{Services: []ops.Service{{Name: "pay", Tier: "T0", Core: true, Owner: "payments", Calls: []string{"bank"}}, {Name: "bank", Owner: "treasury"}}}
	for i := range 40 {
		cat.Stores = append(cat.Stores, ops.Store{ID: fmt.Sprintf("SH-%03d", i+1), City: []string{"上海", "苏州"}[i%2]})
	}
	if err := cat.Index(); err != nil {
		t.Fatal(err)
	}
	r.options = incidents.Options{
		Catalog: cat, Journal: r.journal, Now: func() time.Time { return r.at },
		OnCall:   incidents.OnCallConfig{Schedules: []ops.OnCallSchedule{{Name: "primary", Start: "2026-01-05T00:00", Shift: ops.Duration(24 * time.Hour), People: []string{"王芳", "bob"}}}},
		PlansFor: func(ops.Incident) []string { return []string{"rollback-change"} },
	}
	r.restart()
	return &life{room: r}
}

// at lets time pass to so long after midnight.
func (l *life) pass(d time.Duration) {
	for l.at.Before(midnight.Add(d)) {
		l.at = l.at.Add(time.Second)
		if l.at.After(midnight.Add(d)) {
			l.at = midnight.Add(d)
		}
		l.ReceiveAlerts(l.t.Context(), "rules", nil) // a tick
	}
}

func (l *life) fail(status ops.AlertStatus, stores ...int) {
	var batch []ops.Alert
	for _, n := range stores {
		a := low(fmt.Sprintf("SH-%03d", n))
		if a.Status = status; status == ops.Firing {
			a.EndsAt = ops.At(l.at.Add(time.Hour))
		}
		batch = append(batch, a)
	}
	l.receive(batch...)
}

// run says what the room of plans would say of a run.
func (l *life) run(id, plan string, state ops.RunState, step, steps int, text string) {
	l.ObserveRun(ops.Run{ID: id, Plan: plan, Incident: "INC-1"})
	l.journal.Append(ops.Mutation{Events: []ops.Event{ops.NewEvent(ops.At(l.at), "incident.plan_progress", "incidents", "INC-1", "王芳",
		map[string]any{"text": text, "kind": "plan", "run": id, "plan": plan, "state": state, "step": step, "steps": steps})}})
}

func (l *life) draft(stage, id string) {
	l.t.Helper()
	fmt.Fprintf(&l.told, "=== %s, %s\n", stage, l.at.Sub(midnight))
	for _, lang := range []string{"en", "zh"} {
		text, due, err := l.UpdateDraft(l.t.Context(), id, lang)
		if err != nil {
			l.t.Fatal(err)
		}
		fmt.Fprintf(&l.told, "--- %s, due %s\n%s\n", lang, due, text)
	}
}

// weighed is what the ranking of suspects comes to, which is tested elsewhere and moves with its weights.
var weighed = regexp.MustCompile(`\d+ %|\([+-]\d\.\d\)`)

func golden(t *testing.T, name, got string) {
	t.Helper()
	got = weighed.ReplaceAllString(got, "N %")
	path := filepath.Join("testdata", "told", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s reads otherwise (-want +got):\n%s", path, diff)
	}
}

// numbers is 1 to n.
func numbers(n int) (out []int) {
	for i := range n {
		out = append(out, i+1)
	}
	return out
}

// live takes the incident through its life: a bad release in many stores, found, rolled back, over.
func (l *life) live(at func(stage string)) {
	ctx := l.t.Context()
	must := func(_ ops.Incident, err error) {
		if err != nil {
			l.t.Helper()
			l.t.Fatal(err)
		}
	}
	l.fail(ops.Firing, 1)
	at("it has just opened in one store")
	l.pass(90 * time.Second)
	l.fail(ops.Firing, numbers(25)...)
	release := ops.Change{
		ID: "CHG-7", Kind: ops.KindRelease, Service: "pay", Version: "1.2.3", Title: "pay 1.2.3", Status: ops.ChangeStarted,
		CreatedAt: ops.At(midnight.Add(-2 * time.Minute)), StartedAt: ops.At(midnight.Add(-2 * time.Minute)),
	}
	l.ObserveChange(release)
	l.pass(2 * time.Minute)
	must(l.Acknowledge(ctx, ops.Principal{Name: "王芳"}, "INC-1", "looking"))
	must(l.AddTask(ctx, ann, "INC-1", ops.Task{Title: "call the acquirer", Owner: "bob", DueAt: ops.At(l.at.Add(5 * time.Minute))}))
	at("somebody is on it, a change is suspected")
	l.pass(3 * time.Minute)
	l.run("RUN-4", "rollback-change", ops.RunRunning, 1, 2, "plan rollback-change step 1 of 2 started")
	must(l.Note(ctx, ann, "INC-1", "the acquirer sees nothing unusual"))
	at("a plan is running")
	l.pass(4 * time.Minute)
	must(l.NameCause(ctx, ops.Principal{Name: "王芳"}, "INC-1", "rounding of the new price", "CHG-7"))
	text, _, err := l.UpdateDraft(ctx, "INC-1", "en")
	if err != nil {
		l.t.Fatal(err)
	}
	must(l.PostUpdate(ctx, ann, "INC-1", text))
	release.Status, release.FinishedAt = ops.ChangeRolledBack, ops.At(l.at)
	l.ObserveChange(release)
	l.run("RUN-4", "rollback-change", ops.RunSucceeded, 2, 2, "plan rollback-change (RUN-4) succeeded")
	at("the cause is named, the change is rolled back")
	l.pass(6 * time.Minute)
	l.fail(ops.Resolved, numbers(25)...)
	l.pass(8 * time.Minute)
	must(l.AddTask(ctx, ann, "INC-1", ops.Task{Title: "test the rounding of prices", Kind: ops.TaskAction, Owner: "ann", DueAt: ops.At(l.at.Add(72 * time.Hour))}))
	must(l.Attach(ctx, ann, "INC-1", "the dashboard", "https://wiki.example.com/pay"))
	at("it has recovered")
	l.pass(9 * time.Minute)
	must(l.Resolve(ctx, ops.Principal{Name: "王芳"}, "INC-1", "all tills work again"))
	at("it is over")
}

func TestTheDraftOfAnUpdateAtEveryStage(t *testing.T) {
	l := newLife(t)
	l.live(func(stage string) { l.draft(stage, "INC-1") })
	golden(t, "drafts.txt", l.told.String())
}

func TestTheDraftWhenLittleIsKnown(t *testing.T) {
	l := newLife(t)
	ctx := t.Context()
	l.Declare(ctx, ann, ops.Declaration{Title: "customers phone about the app"})
	l.draft("declared, nothing is known", "INC-1")
	l.pass(5 * time.Minute)
	l.Mitigate(ctx, ann, "INC-1", "moved to the other site")
	l.draft("mitigated by hand", "INC-1")
	l.pass(10 * time.Minute)
	l.Reopen(ctx, ann, "INC-1", "it came back")
	l.draft("it came back", "INC-1")
	l.JudgeSuspect(ctx, ann, "INC-1", "none", true, "")
	l.draft("no change did it, and nobody says more", "INC-1")
	l.NameCause(ctx, ann, "INC-1", "a lorry on the cable", "none")
	l.draft("no change did it", "INC-1")
	l.Declare(ctx, ann, ops.Declaration{Title: "the app is slow"})
	l.Merge(ctx, ann, "INC-2", "INC-1", "the same")
	l.draft("merged", "INC-2")
	l.fail(ops.Firing, 1, 2)
	l.ObserveChange(ops.Change{ID: "CHG-1", Kind: ops.KindRelease, Service: "pay", Title: "pay 2", Status: ops.ChangeStarted, CreatedAt: ops.At(l.at), StartedAt: ops.At(l.at)})
	l.JudgeSuspect(ctx, ann, "INC-3", "CHG-1", true, "")
	l.JudgeSuspect(ctx, ann, "INC-3", "CHG-1", false, "rolling it back did not help")
	for _, run := range []string{"RUN-1", "RUN-2"} {
		l.journal.Append(ops.Mutation{Events: []ops.Event{ops.NewEvent(ops.At(l.at), "incident.plan_progress", "incidents", "INC-3", "ann", map[string]any{"text": "x", "run": run, "plan": "rollback", "state": "failed"})}})
	}
	l.draft("a confirmed change was ruled out after all", "INC-3")
	golden(t, "little_is_known.txt", l.told.String())
}

func TestTheHandOverOfOneAndOfAll(t *testing.T) {
	l := newLife(t)
	ctx := t.Context()
	hand := func(lang string) {
		text, err := l.HandoverAll(ctx, lang)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&l.told, "=== %s, %s\n%s\n", lang, l.at.Sub(midnight), text)
	}
	hand("en")
	l.live(func(stage string) {
		if stage == "a plan is running" || stage == "it has recovered" {
			hand("en")
			hand("zh")
		}
	})
	l.pass(10 * time.Minute)
	l.at = midnight.Add(80 * time.Hour)
	l.Declare(ctx, ann, ops.Declaration{Title: "tills are slow | <b>", Severity: ops.P3, Scope: ops.Scope{Store: []string{"SH-001"}}})
	hand("en")
	golden(t, "handover.txt", l.told.String())
	one, err := l.Handover(ctx, "INC-1", "")
	if err != nil || !strings.HasPrefix(one, "# INC-1 P1: ") {
		t.Errorf("the hand-over of one is %q, %v", one, err)
	}
	if _, err := l.Handover(ctx, "INC-1", "fr"); ops.KindOf(err) != ops.Invalid {
		t.Errorf("French was answered with %v", err)
	}
}

func TestTheReportTellsTheWholeToWhoWasNotThere(t *testing.T) {
	l := newLife(t)
	l.live(func(string) {})
	r, err := l.Report(t.Context(), "INC-1")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "report.md", r.Markdown)
	if len(r.Clock) != 3 || len(r.Runs) != 1 || r.Incident.ID != "INC-1" || r.Summary == "" || !strings.Contains(r.Markdown, "## Timeline") {
		t.Errorf("the parts are %+v", r)
	}
	whole, told := 0, 0
	entries, err := l.Timeline(t.Context(), "INC-1")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range r.Timeline {
		whole += line.Count
		if strings.Contains(line.Text, "took in") {
			told++
		}
	}
	if whole != len(entries) || told > 1 {
		t.Errorf("%d lines stand for %d entries, %d of them for alerts taken in", len(r.Timeline), whole, told)
	}
}

// Both languages say the same things about the same facts.
func TestTheLanguagesHaveTheSameSentences(t *testing.T) {
	verb := regexp.MustCompile(`%(\[\d\])?[.\d]*[sdfv]`)
	all := incidents.Sentences()
	singular := 0
	for key, en := range all["en"] {
		if strings.HasPrefix(key, "1 ") { // Chinese has no singular
			singular++
			continue
		}
		zh, ok := all["zh"][key]
		if !ok {
			t.Errorf("%q is not said in Chinese", key)
			continue
		}
		facts := func(s string) []string {
			var out []string
			for _, v := range verb.FindAllString(s, -1) {
				out = append(out, v[len(v)-1:])
			}
			slices.Sort(out)
			return out
		}
		if !slices.Equal(facts(en), facts(zh)) {
			t.Errorf("%q takes %v in English and %v in Chinese", key, facts(en), facts(zh))
		}
	}
	if len(all["en"])-singular != len(all["zh"]) {
		t.Errorf("%d sentences in English, %d in Chinese", len(all["en"])-singular, len(all["zh"]))
	}
}
