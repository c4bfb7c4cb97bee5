package main

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"goc/incidents/engine"
	"goc/ops"
)

// demo starts `goc demo` in a process of its own.
func demo(t *testing.T, args ...string) *process {
	t.Helper()
	listen := freePort(t)
	p := &process{t: t, url: "http://" + listen, out: &lockedBuffer{}, done: make(chan struct{})}
	p.cmd = gocCommand(context.Background(), append([]string{"demo", "--listen", listen, "--data", t.TempDir()}, args...)...)
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.cmd.Wait(); close(p.done) }()
	t.Cleanup(p.kill)
	return p
}

// told is what an event says of an incident.
type told struct {
	Event    string
	Incident string
	At       string
	Text     string
}

// TestAReplayOfTheDemosHistoryTellsTheSameStory lets the demo's world break something, exports what was recorded of it
// over the API and replays that: each event of every incident comes again, in its order, to the millisecond and the
// word, and the same change is suspected first.
func TestAReplayOfTheDemosHistoryTellsTheSameStory(t *testing.T) {
	p := demo(t, "--speed", "6", "--seed", "3")
	var inc ops.Incident
	p.until(120*time.Second, "at work on its first incident", func() bool {
		inc = ops.Incident{}
		return p.call("GET", "/api/v1/incidents/INC-1", nil, &inc) == 200 && len(inc.Suspects) > 0 && !inc.AcknowledgedAt.IsZero() && !inc.LocatedAt.IsZero()
	})
	file := filepath.Join(t.TempDir(), "inc.jsonl.gz")
	if code, _, stderr := goc(t, "incident", "export", "INC-1", "--server", p.url, "-o", file); code != 0 {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	var events ops.List[ops.Event]
	p.call("GET", "/api/v1/events?limit=1000&topic=incidents", nil, &events)
	code, stdout, stderr := goc(t, "replay", file, "--json")
	if code != 0 || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "the history begins at") { // less than an hour before the onset
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	again, first := tellings(t, stdout, "INC-1")
	live := toldLive(t, events.Items)
	if len(again) < 3 || len(live) < len(again) || !slices.Equal(again, live[:len(again)]) {
		t.Errorf("live:\n%s\nreplayed:\n%s", lines(live), lines(again))
	}
	if first != inc.Suspects[0].ChangeID {
		t.Errorf("replayed, %s is suspected first; live it was %s", first, inc.Suspects[0].ChangeID)
	}
}

// tellings reads what a replay printed: the events of incidents, and who was suspected first at the end.
func tellings(t *testing.T, stdout, incident string) (out []told, first string) {
	t.Helper()
	for _, l := range strings.Split(strings.TrimSpace(stdout), "\n") {
		var row engine.IncidentRow
		var ranked engine.Ranked
		if err := json.Unmarshal([]byte(l), &row); err != nil {
			t.Fatal(err)
		}
		switch row.Kind {
		case "incident":
			out = append(out, told{row.Event, row.Incident, row.At.String(), row.Text})
		case "suspects":
			if err := json.Unmarshal([]byte(l), &ranked); err != nil {
				t.Fatal(err)
			}
			if ranked.Incident == incident && len(ranked.Suspects) > 0 {
				first = ranked.Suspects[0].ChangeID
			}
		}
	}
	return out, first
}

// toldLive is the same of the server's events.
func toldLive(t *testing.T, events []ops.Event) (out []told) {
	t.Helper()
	for _, ev := range events {
		if ev.Topic != "incidents" || ev.Name == "incident.suspects_ranked" {
			continue
		}
		var d struct {
			Text string
		}
		if err := json.Unmarshal(ev.Data, &d); err != nil {
			t.Fatal(err)
		}
		out = append(out, told{ev.Name, ev.Subject, ev.At.String(), d.Text})
	}
	return out
}

func lines(list []told) string {
	var sb strings.Builder
	for _, l := range list {
		fmt.Fprintf(&sb, "%+v\n", l)
	}
	return sb.String()
}
