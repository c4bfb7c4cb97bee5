package incidents_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"goc/incidents"
	"goc/incidents/engine"
	"goc/incidents/history"
	"goc/ops"
)

// night is a room that is recorded while anything happens in it, on a clock that the test moves.
type night struct {
	*incidents.Service
	t       *testing.T
	rnd     *rand.Rand
	options incidents.Options
	at      time.Time
	seen    map[string]ops.Incident // every incident as it last was
	changes int
}

func newNight(t *testing.T, seed uint64) *night {
	n := &night{t: t, rnd: rand.New(rand.NewPCG(seed, 1)), at: midnight.Add(123456 * time.Nanosecond), seen: map[string]ops.Incident{}}
	n.options = incidents.Options{
		Config:  incidents.Config{Hold: ops.Duration(20 * time.Second), ResolveAfter: ops.Duration(2 * time.Minute), RefireAfter: ops.Duration(time.Minute), ReopenWithin: ops.Duration(time.Minute)},
		Catalog: chain(), Journal: newJournal(), Now: func() time.Time { return n.at }, History: t.TempDir(), Version: "test",
		// What other rooms know changes all the time, as it does.
		Affected: func(ops.Scope) engine.Affected {
			return engine.Affected{Stores: n.rnd.IntN(3), Devices: n.rnd.IntN(200)}
		},
		VoiceAbove:  func(ops.Scope) int { return n.rnd.IntN(30) },
		PlansFor:    func(inc ops.Incident) []string { return []string{fmt.Sprint("plan ", n.rnd.IntN(3))} },
		ActiveDrill: func(ops.Scope, time.Time) string { return []string{"", "", "DRL-1"}[n.rnd.IntN(3)] },
	}
	n.start()
	t.Cleanup(func() { n.Close() })
	return n
}

func (n *night) start() {
	s, err := incidents.New(n.t.Context(), n.options)
	if err != nil {
		n.t.Fatal(err)
	}
	n.Service = s
}

// restart ends the program and begins it again, some time later.
func (n *night) restart() {
	if err := n.Close(); err != nil {
		n.t.Fatal(err)
	}
	n.at = n.at.Add(time.Duration(n.rnd.IntN(120_000)) * time.Millisecond)
	n.start()
}

func (n *night) pick(list ...string) string { return list[n.rnd.IntN(len(list))] }

// happen lets one thing happen. What is refused is part of it.
func (n *night) happen() {
	n.at = n.at.Add(time.Duration(n.rnd.Int64N(int64(20 * time.Second))))
	ctx, id := n.t.Context(), fmt.Sprint("INC-", 1+n.rnd.IntN(5))
	switch n.pick("alert", "alert", "alert", "alert", "samples", "samples", "samples", "change", "person", "person", "silence", "run", "tick", "tick") {
	case "alert":
		var batch []ops.Alert
		for range 1 + n.rnd.IntN(3) {
			batch = append(batch, n.alert())
		}
		n.ReceiveAlerts(ctx, n.pick("rules", "", "grafana"), batch)
	case "samples":
		n.ObserveSamples(n.samples())
	case "change":
		n.ObserveChange(n.change())
	case "person":
		n.person(id)
	case "silence":
		sil, err := n.PutSilence(ctx, ann, ops.Silence{Matchers: []ops.Matcher{{Name: "service", Value: n.pick("db", "pay", "shop|cart"), IsRegex: true, IsEqual: true}}, EndsAt: ops.At(n.at.Add(time.Minute))})
		if err == nil && n.rnd.IntN(2) == 0 {
			n.ExpireSilence(ctx, ann, sil.ID)
		}
	case "run":
		n.ObserveRun(ops.Run{ID: fmt.Sprint("RUN-", n.rnd.IntN(9)), Incident: id})
	default:
		n.ObserveSamples([]ops.Sample{{Indicator: "x", Service: "nobody", Value: 1}})
	}
	n.look()
}

func (n *night) alert() ops.Alert {
	a := ops.Alert{
		Labels:      map[string]string{"alertname": n.pick("Low", "Dark"), "severity": n.pick("critical", "warning", "bad\xff"), "service": n.pick("", "shop", "cart", "pay", "db"), "store": n.pick("", "", "A1", "A2", "B1")},
		Annotations: map[string]string{"summary": n.pick("it fails", "\"quoted\" <b> 支付")}, StartsAt: ops.At(n.at.Add(-time.Duration(n.rnd.Int64N(int64(2 * time.Minute))))),
	}
	switch n.rnd.IntN(4) {
	case 0:
		a.Status, a.EndsAt = ops.Resolved, ops.At(n.at)
	case 1:
		a.EndsAt = ops.At(n.at.Add(time.Duration(n.rnd.Int64N(int64(5 * time.Minute)))))
	}
	return a
}

func (n *night) samples() []ops.Sample {
	var out []ops.Sample
	for _, service := range []string{"shop", "cart", "pay", "db"} {
		for _, unit := range []string{"", "u1", "u2"} {
			v := 0.99 + n.rnd.Float64()/100
			if unit == "u1" && n.rnd.IntN(2) == 0 {
				v = n.rnd.Float64()
			}
			out = append(out, ops.Sample{At: ops.At(n.at.Add(-time.Duration(n.rnd.IntN(3000)) * time.Microsecond)), Indicator: "success_ratio", Service: service, Unit: unit, Value: v})
		}
	}
	return out
}

func (n *night) change() ops.Change {
	n.changes++
	c := ops.Change{
		ID: fmt.Sprint("CHG-", 1+n.rnd.IntN(n.changes)), Kind: ops.KindRelease, Service: n.pick("shop", "cart", "pay", "db"), Title: n.pick("release", "rettung"),
		Status: ops.ChangeStarted, Risk: n.pick("", "low", "high"), CreatedAt: ops.At(n.at.Add(-time.Minute)), StartedAt: ops.At(n.at.Add(-time.Second)),
	}
	if n.rnd.IntN(2) == 0 {
		c.Stages = []ops.Stage{{Name: "ring", Units: []string{"u1"}, StartedAt: ops.At(n.at)}}
	}
	return c
}

func (n *night) person(id string) {
	ctx := n.t.Context()
	switch n.rnd.IntN(12) {
	case 9:
		n.AddTask(ctx, ann, id, ops.Task{Title: "dig", Owner: n.pick("bob", ""), DueAt: ops.At(n.at.Add(time.Minute))})
	case 10:
		done, due := n.rnd.IntN(2) == 0, ops.At(n.at.Add(time.Hour))
		n.ChangeTask(ctx, ann, id, 1, []ops.TaskChange{{Done: &done}, {DueAt: &due}, {DueAt: &ops.Time{}}}[n.rnd.IntN(3)])
	case 11:
		n.PostUpdate(ctx, ann, id, "it goes on")
		n.NameCause(ctx, ann, id, "a cable", n.pick("", "none", "CHG-1"))
	case 0:
		n.Acknowledge(ctx, ann, id, "on it")
	case 1:
		n.Mitigate(ctx, ann, id, "")
	case 2:
		n.Resolve(ctx, ann, id, "done")
	case 3:
		n.Reopen(ctx, ann, id, "")
	case 4:
		n.SetSeverity(ctx, ann, id, ops.P1, "worse")
	case 5:
		n.JudgeSuspect(ctx, ann, id, fmt.Sprint("CHG-", 1+n.rnd.IntN(3)), n.rnd.IntN(2) == 0, "")
	case 6:
		n.Merge(ctx, ann, id, fmt.Sprint("INC-", 1+n.rnd.IntN(5)), "")
	case 7:
		n.Declare(ctx, ann, ops.Declaration{Title: "customers call", Scope: ops.Scope{Service: []string{"pay"}}, OnsetAt: ops.At(n.at.Add(-time.Minute))})
	default:
		n.SetRole(ctx, ann, id, "scribe", n.pick("bob", ""))
	}
}

// look notes how every incident is now.
func (n *night) look() {
	l, err := n.List(n.t.Context(), ops.IncidentQuery{Page: ops.Page{Limit: 1000}})
	if err != nil {
		n.t.Fatal(err)
	}
	for _, inc := range l.Items {
		n.seen[inc.ID] = inc
	}
}

// export is what was recorded in a span.
func (n *night) export(from, to time.Time) []byte {
	n.t.Helper()
	e, err := n.History(n.t.Context(), from, to)
	if err != nil {
		n.t.Fatal(err)
	}
	var b bytes.Buffer
	if _, err := e.WriteTo(&b); err != nil {
		n.t.Fatal(err)
	}
	return b.Bytes()
}

// play replays a file and returns every incident as it last was.
func play(t *testing.T, file []byte, o history.PlayerOptions) (map[string]ops.Incident, history.Played) {
	t.Helper()
	seen := map[string]ops.Incident{}
	o.Out = func(out engine.Outputs) error {
		for _, inc := range out.Changed {
			seen[inc.ID] = inc
		}
		return nil
	}
	p := history.NewPlayer(o)
	if _, err := history.Read(bytes.NewReader(file), func(_ int, line []byte) error {
		l, err := engine.ParseLine(line)
		if err != nil {
			return err
		}
		return p.Line(l)
	}); err != nil {
		t.Fatal(err)
	}
	if err := p.Flush(); err != nil {
		t.Fatal(err)
	}
	return seen, p.Played()
}

// TestAReplayOfTheExportedHistoryGivesTheSameIncidents lets a night of anything happen, restarts of the program included:
// what was recorded, played back, gives every incident as it was, to the last digit of its suspects' probabilities.
func TestAReplayOfTheExportedHistoryGivesTheSameIncidents(t *testing.T) {
	seeds := uint64(30)
	if testing.Short() {
		seeds = 10
	}
	for seed := range seeds {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			n := newNight(t, seed)
			for range 120 {
				if n.rnd.IntN(40) == 0 {
					n.restart()
				}
				n.happen()
			}
			got, played := play(t, n.export(time.Time{}, time.Time{}), history.PlayerOptions{})
			if diff := cmp.Diff(asJSON(t, n.seen), asJSON(t, got)); diff != "" {
				t.Errorf("go test ./incidents -run '%s' plays otherwise (-live +replayed):\n%.4000s", t.Name(), diff)
			}
			if len(played.Gaps) > 0 || played.Unasked > 0 {
				t.Errorf("%+v", played)
			}
		})
	}
}

// TestOtherRoomsAreAskedInEachStepThoughNothingIsRecorded: what they answered last is not what they would answer now.
func TestOtherRoomsAreAskedInEachStepThoughNothingIsRecorded(t *testing.T) {
	n := &night{t: t, at: midnight}
	complaints := 7
	n.options = incidents.Options{
		Catalog: chain(), Journal: newJournal(), Now: func() time.Time { return n.at },
		VoiceAbove: func(ops.Scope) int { return complaints },
	}
	n.start()
	low := ops.Alert{Labels: map[string]string{"alertname": "Low", "service": "pay"}, EndsAt: ops.At(n.at.Add(time.Hour))}
	for _, want := range []int{7, 9} {
		complaints = want
		n.at = n.at.Add(time.Minute)
		n.ReceiveAlerts(t.Context(), "rules", []ops.Alert{low})
		if inc, err := n.Get(t.Context(), "INC-1"); err != nil || inc.Impact.Voice != want {
			t.Errorf("%d complaints, %v; want %d", inc.Impact.Voice, err, want)
		}
	}
}

// TestAStepThatFailsIsAGapInTheRecordingAndItsAnswersAreForgotten: what it has changed by then nobody knows, but the next
// step goes by what is true then, and the recording from there on plays back as it was.
func TestAStepThatFailsIsAGapInTheRecordingAndItsAnswersAreForgotten(t *testing.T) {
	n := newNight(t, 1)
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	dark, fails := 7, false
	n.options.Affected = func(ops.Scope) engine.Affected { return engine.Affected{Devices: dark} }
	n.options.VoiceAbove = func(ops.Scope) int {
		if fails {
			panic("a mistake of ours")
		}
		return 0
	}
	n.start()
	receive := func() error {
		n.at = n.at.Add(time.Minute)
		_, err := n.ReceiveAlerts(t.Context(), "rules", []ops.Alert{{Labels: map[string]string{"alertname": "Dark", "store": "A1"}, EndsAt: ops.At(n.at.Add(time.Hour))}})
		n.look()
		return err
	}
	if err := receive(); err != nil {
		t.Fatal(err)
	}
	n.export(time.Time{}, time.Time{}) // what was recorded is on disk: while a beginning waits, no other is taken
	fails, dark = true, 8
	if err := receive(); ops.KindOf(err) != ops.Internal {
		t.Fatalf("%v, want an internal error", err)
	}
	fails, dark = false, 9
	for range 3 {
		if err := receive(); err != nil {
			t.Fatal(err)
		}
		if got := n.seen["INC-1"].Impact.Devices; got != 9 {
			t.Errorf("%d dark devices, want 9", got)
		}
	}
	got, played := play(t, n.export(time.Time{}, time.Time{}), history.PlayerOptions{})
	if diff := cmp.Diff(asJSON(t, n.seen), asJSON(t, got)); diff != "" {
		t.Errorf("played otherwise (-live +replayed):\n%.4000s", diff)
	}
	if len(played.Gaps) != 1 || !strings.Contains(played.Gaps[0], "inputs could not be recorded") {
		t.Errorf("gaps %q, want one", played.Gaps)
	}
}
