package incidents_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"goc/incidents/engine"
	"goc/ops"
)

// desk is an engine of people's work alone, with what it wrote.
type desk struct {
	e   *engine.Engine
	cfg engine.Config
	row map[string]engine.Stored
}

func newDesk(cfg engine.Config) *desk {
	return &desk{e: engine.New(cfg, chain(), engine.Hooks{}), cfg: cfg, row: map[string]engine.Stored{}}
}

// step answers the texts of the events.
func (d *desk) step(t interface{ Fatal(...any) }, in engine.Input, now time.Time) (said []string) {
	out := d.e.Step(in, now)
	for _, r := range out.Put {
		if r.Kind == "incident" {
			var s engine.Stored
			if err := json.Unmarshal(r.Body, &s); err != nil {
				t.Fatal(err)
			}
			d.row[r.ID] = s
		}
	}
	for _, ev := range out.Events {
		var data struct{ Text string }
		if err := json.Unmarshal(ev.Data, &data); err != nil {
			t.Fatal(err)
		}
		said = append(said, ev.Subject+" "+ev.Name+": "+data.Text)
	}
	if out.Err != nil {
		said = append(said, out.Err.Error())
	}
	return said
}

func (d *desk) restart(now time.Time) {
	var saved engine.Saved
	for _, s := range d.row {
		saved.Incidents = append(saved.Incidents, s)
	}
	d.e = engine.New(d.cfg, chain(), engine.Hooks{})
	d.e.Restore(saved, now)
}

// TestARestartForgetsNoneOfPeoplesWork gives two engines the same, one of which is begun anew before every step: they say
// the same, remind at the same times and end with the same work.
func TestARestartForgetsNoneOfPeoplesWork(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		steady, restarted := newDesk(engine.Config{}), newDesk(engine.Config{})
		now := midnight
		for range rapid.IntRange(1, 40).Draw(r, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(1, 100_000).Draw(r, "seconds")) * time.Second)
			in := drawWork(r, now)
			restarted.restart(now)
			a, b := steady.step(r, in, now), restarted.step(r, in, now)
			if diff := cmp.Diff(a, b); diff != "" {
				r.Fatalf("after a restart it says something else (-steady +restarted):\n%s", diff)
			}
			if diff := cmp.Diff(asText(steady.row), asText(restarted.row)); diff != "" {
				r.Fatalf("after a restart it keeps something else (-steady +restarted):\n%s", diff)
			}
		}
	})
}

func asText(v any) string {
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		panic(err)
	}
	return string(b)
}

func drawWork(r *rapid.T, now time.Time) engine.Input {
	who := ops.Principal{Name: "ann", Role: ops.Responder}
	id := fmt.Sprintf("INC-%d", rapid.IntRange(1, 3).Draw(r, "incident"))
	switch do := rapid.SampledFrom([]string{"declare", "tick", "task_add", "task_add", "task_change", "task_change", "attach", "detach", "update", "cause", "severity", "role", "resolve", "reopen", "merge"}).Draw(r, "do"); do {
	case "tick":
		return engine.Tick{}
	case "declare":
		return engine.Declare{Who: who, Declaration: ops.Declaration{Title: "x", Scope: ops.Scope{Service: []string{"pay"}}}}
	default:
		a := engine.Action{Do: do, Who: who, ID: id, Text: "x", Severity: rapid.SampledFrom([]ops.Severity{ops.P1, ops.P2, ops.P3}).Draw(r, "severity"), Role: "commander", Person: rapid.SampledFrom([]string{"", "ann", "bob"}).Draw(r, "person"), Into: "INC-1"}
		a.Link = ops.Attachment{ID: rapid.IntRange(1, 3).Draw(r, "link"), URL: "https://example.com"}
		due := ops.At(now.Add(time.Duration(rapid.IntRange(0, 200_000).Draw(r, "due")) * time.Second))
		done := rapid.Bool().Draw(r, "done")
		a.Task = ops.Task{ID: rapid.IntRange(1, 3).Draw(r, "task"), Title: "x", DueAt: due, Kind: rapid.SampledFrom([]string{"task", "action_item"}).Draw(r, "kind")}
		a.TaskTo = rapid.SampledFrom([]ops.TaskChange{{Done: &done}, {DueAt: &due}, {DueAt: &ops.Time{}}}).Draw(r, "to")
		return a
	}
}

func TestATaskIsChasedOnceADayAtMostFourteenTimesAndWhatWasMissedIsNotMadeUpFor(t *testing.T) {
	who := ops.Principal{Name: "ann"}
	for _, c := range []struct {
		name string
		from time.Duration // the first time that anybody looks, after the due time
		days int
		want int
	}{
		{"three days", 0, 3, 3},
		{"a month", 0, 30, 14},
		{"nobody ran for ten days", 10 * 24 * time.Hour, 3, 3},
	} {
		d := newDesk(engine.Config{})
		d.step(t, engine.Declare{Who: who, Declaration: ops.Declaration{Title: "x"}}, midnight)
		d.step(t, engine.Action{Do: "task_add", Who: who, ID: "INC-1", Task: ops.Task{Title: "dig", Owner: "bob", DueAt: ops.At(midnight.Add(time.Hour))}}, midnight)
		d.step(t, engine.Action{Do: "resolve", Who: who, ID: "INC-1"}, midnight)
		first, n := midnight.Add(time.Hour+c.from), 0
		for at := first; at.Before(first.Add(time.Duration(c.days) * 24 * time.Hour)); at = at.Add(time.Hour) {
			for _, text := range d.step(t, engine.Tick{}, at) {
				if n++; !strings.HasPrefix(text, "INC-1 incident.task_reminded: bob: task 1 ") {
					t.Errorf("%s: %s", c.name, text)
				}
			}
		}
		if n != c.want {
			t.Errorf("%s: bob was reminded %d times, want %d", c.name, n, c.want)
		}
	}
}

// Incidents with action items that are not done stay in memory, so that they are chased; beyond twice the bound even
// these go.
func TestWhatIsUnfinishedIsNotForgotten(t *testing.T) {
	d := newDesk(engine.Config{MaxIncidents: 4})
	who := ops.Principal{Name: "ann"}
	var gone []string
	open := func(id string, item bool) {
		for _, in := range []engine.Input{
			engine.Declare{Who: who, Declaration: ops.Declaration{Title: "x"}},
			engine.Action{Do: "resolve", Who: who, ID: id},
		} {
			gone = append(gone, d.e.Step(in, midnight).Forgotten...)
		}
		if item {
			d.step(t, engine.Action{Do: "task_add", Who: who, ID: id, Task: ops.Task{Kind: ops.TaskAction, Title: "dig"}}, midnight)
		}
	}
	for n := 1; n <= 6; n++ {
		open(fmt.Sprintf("INC-%d", n), n <= 2)
	}
	if diff := cmp.Diff([]string{"INC-3", "INC-4"}, gone); diff != "" {
		t.Errorf("forgotten (-want +got):\n%s", diff)
	}
	gone = nil
	for n := 7; n <= 13; n++ {
		open(fmt.Sprintf("INC-%d", n), true)
	}
	if !slices.Contains(gone, "INC-1") {
		t.Errorf("the memory has no bound: forgotten were %v", gone)
	}
}

func TestBoundsOfPeoplesWork(t *testing.T) {
	who := ops.Principal{Name: "ann"}
	long := strings.Repeat("x", engine.MaxNote+1)
	for _, c := range []struct {
		name string
		in   engine.Action
		n    int // how many fit
		want string
	}{
		{"tasks", engine.Action{Do: "task_add", Task: ops.Task{Title: "x"}}, engine.MaxTasks, "at most 200 tasks"},
		{"links", engine.Action{Do: "attach", Link: ops.Attachment{URL: "http://x"}}, engine.MaxAttachments, "at most 100 attachments"},
		{"updates", engine.Action{Do: "update", Text: "x"}, engine.MaxUpdates, "at most 500 updates"},
		{"a long title", engine.Action{Do: "task_add", Task: ops.Task{Title: long}}, 0, "body.title"},
		{"a long owner", engine.Action{Do: "task_add", Task: ops.Task{Title: "x", Owner: long}}, 0, "body.owner"},
		{"a long URL", engine.Action{Do: "attach", Link: ops.Attachment{URL: "http://" + long}}, 0, "body.url"},
		{"a URL without a host", engine.Action{Do: "attach", Link: ops.Attachment{URL: "http:x"}}, 0, "body.url"},
		{"a script for a URL", engine.Action{Do: "attach", Link: ops.Attachment{URL: "javascript://x/%0aalert(1)"}}, 0, "body.url"},
		{"a long update", engine.Action{Do: "update", Text: long}, 0, "body.text"},
		{"a long cause", engine.Action{Do: "cause", Text: long}, 0, "body.text"},
	} {
		d := newDesk(engine.Config{})
		d.step(t, engine.Declare{Who: who, Declaration: ops.Declaration{Title: "x"}}, midnight)
		c.in.Who, c.in.ID = who, "INC-1"
		for i := range c.n {
			if out := d.e.Step(c.in, midnight); out.Err != nil {
				t.Fatalf("%s: number %d is refused: %v", c.name, i+1, out.Err)
			}
		}
		out := d.e.Step(c.in, midnight)
		if out.Err == nil || !strings.Contains(out.Err.Error(), c.want) {
			t.Errorf("%s over the bound: %v, want %q", c.name, out.Err, c.want)
		}
		if slices.ContainsFunc(out.Events, func(ev ops.Event) bool { return ev.Name != "incident.opened" }) {
			t.Errorf("%s: what was refused left events", c.name)
		}
	}
}
