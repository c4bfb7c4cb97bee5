package incidents_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"goc/incidents/engine"
	"goc/ops"
)

// chain is a small world in which everything can be somebody's parent.
func chain() *ops.Catalog {
	c := &ops.Catalog{
		Services: []ops.Service{{Name: "shop", Calls: []string{"cart", "pay"}}, {Name: "cart", Calls: []string{"db"}}, {Name: "pay", Calls: []string{"db"}, Tier: "T0", Core: true}, {Name: "db"}},
		Stores:   []ops.Store{{ID: "A1", City: "A", Network: "n"}, {ID: "A2", City: "A", Network: "m"}, {ID: "B1", City: "B", Network: "n"}},
	}
	if err := c.Index(); err != nil {
		panic(err)
	}
	return c
}

// model is what must be true of an engine, kept beside it.
type model struct {
	t      *rapid.T
	e      *engine.Engine
	twin   *engine.Engine // gets the same inputs and must give the same outputs
	cfg    engine.Config
	now    time.Time
	firing map[string]time.Time // by fingerprint: when its lease ends
	rows   map[[2]string]string
	told   map[string]int // firing less resolved, by fingerprint
	legs   map[string][3]float64
}

func newModel(t *rapid.T) *model {
	m := &model{
		t: t, now: midnight, firing: map[string]time.Time{}, rows: map[[2]string]string{}, told: map[string]int{}, legs: map[string][3]float64{},
		cfg: engine.Config{RecoverHold: 20 * time.Second, ResolveAfter: 2 * time.Minute, RefireAfter: time.Minute, ReopenWithin: time.Minute, MaxListed: 3},
	}
	m.e, m.twin = engine.New(m.cfg, chain(), engine.Hooks{}), engine.New(m.cfg, chain(), engine.Hooks{})
	for _, store := range []string{"A1", "A2", "B1"} {
		m.measure("pay", store, 0.99, 5*time.Minute)
	}
	return m
}

// measure takes samples of the last while in.
func (m *model) measure(service, store string, value float64, last time.Duration) {
	var samples []ops.Sample
	for at := m.now.Add(-last); !at.After(m.now); at = at.Add(5 * time.Second) {
		samples = append(samples, ops.Sample{At: ops.At(at), Indicator: "success_ratio", Service: service, Store: store, Value: value})
	}
	m.step(engine.Samples{Samples: samples})
}

func (m *model) step(in engine.Input) engine.Outputs {
	out := m.e.Step(in, m.now)
	again := m.twin.Step(in, m.now)
	if a, b := fmt.Sprint(out.Mutation()), fmt.Sprint(again.Mutation()); a != b {
		m.t.Fatalf("the same inputs gave different outputs:\n%s\n%s", a, b)
	}
	for fp, end := range m.firing {
		if !end.After(m.now) {
			delete(m.firing, fp)
		}
	}
	m.write(out)
	m.check(out)
	return out
}

// write is the journal.
func (m *model) write(out engine.Outputs) {
	for _, r := range out.Delete {
		delete(m.rows, [2]string{r.Kind, r.ID})
	}
	for _, r := range out.Put {
		m.rows[[2]string{r.Kind, r.ID}] = string(r.Body)
	}
	for _, ev := range out.Events {
		switch ev.Name {
		case "alert.firing":
			m.told[ev.Subject]++
		case "alert.resolved":
			m.told[ev.Subject]--
		}
		if n := m.told[ev.Subject]; n < 0 || n > 1 {
			m.t.Fatalf("%s was told twice of %s", ev.Name, ev.Subject)
		}
	}
}

// check is what must hold after every step.
func (m *model) check(out engine.Outputs) {
	where := map[string]string{}
	for k, body := range m.rows {
		if k[0] != "alert" {
			continue
		}
		var a engine.StoredAlert
		if err := json.Unmarshal([]byte(body), &a); err != nil {
			m.t.Fatal(err)
		}
		if a.Incident != "" && a.Reason == "" {
			m.t.Fatalf("alert %s is in %s without a reason", a.Name(), a.Incident)
		}
		if a.Status != ops.Firing {
			continue
		}
		if old, twice := where[a.Fingerprint]; twice {
			m.t.Fatalf("alert %s is in %q and in %q", a.Fingerprint, old, a.Incident)
		}
		if a.Incident == "" && a.Silenced == "" {
			m.t.Fatalf("alert %s fires, is not silenced and belongs to no incident", a.Fingerprint)
		}
		where[a.Fingerprint] = a.Incident
	}
	if len(where) != len(m.firing) {
		m.t.Fatalf("%d alerts fire and %d are kept: %v, %v", len(m.firing), len(where), m.firing, where)
	}
	for fp := range m.firing {
		if _, ok := where[fp]; !ok {
			m.t.Fatalf("alert %s fires and was lost", fp)
		}
		if m.told[fp] != 1 {
			m.t.Fatalf("alert %s fires and was not told", fp)
		}
	}
	for _, inc := range out.Changed {
		m.checkClock(inc)
	}
}

func (m *model) checkClock(inc ops.Incident) {
	if inc.OnsetAt.After(inc.DetectedAt.Time) {
		m.t.Fatalf("%s was detected before its onset", inc.ID)
	}
	before := m.legs[inc.ID]
	after := [3]float64{inc.Clock.Detect.ElapsedS, inc.Clock.Locate.ElapsedS, inc.Clock.Recover.ElapsedS}
	for i := range after {
		if after[i] < before[i] {
			m.t.Fatalf("a leg of %s ran backwards: %v, then %v", inc.ID, before, after)
		}
	}
	m.legs[inc.ID] = after
}

// restart begins both engines anew from what was written.
func (m *model) restart() {
	load := func() *engine.Engine {
		var saved engine.Saved
		for k, body := range m.rows {
			switch k[0] {
			case "incident":
				var s engine.Stored
				must(m.t, json.Unmarshal([]byte(body), &s))
				saved.Incidents = append(saved.Incidents, s)
			case "alert":
				a := engine.SavedAlert{ID: k[1]}
				must(m.t, json.Unmarshal([]byte(body), &a.StoredAlert))
				saved.Alerts = append(saved.Alerts, a)
			case "silence":
				var s ops.Silence
				must(m.t, json.Unmarshal([]byte(body), &s))
				saved.Silences = append(saved.Silences, s)
			}
		}
		slices.SortFunc(saved.Alerts, func(a, b engine.SavedAlert) int { return strings.Compare(a.ID, b.ID) })
		e := engine.New(m.cfg, chain(), engine.Hooks{})
		e.Restore(saved, m.now)
		return e
	}
	m.e, m.twin = load(), load()
	for fp, end := range m.firing {
		if grace := m.now.Add(time.Minute); end.Before(grace) {
			m.firing[fp] = grace
		}
	}
}

func must(t *rapid.T, err error) {
	if err != nil {
		t.Fatal(err)
	}
}

// draw lets one thing happen.
func (m *model) draw(r *rapid.T) {
	m.now = m.now.Add(time.Duration(rapid.IntRange(1, 40).Draw(r, "seconds")) * time.Second)
	who := ops.Principal{Name: "ann", Role: ops.Responder}
	id := fmt.Sprintf("INC-%d", rapid.IntRange(1, 6).Draw(r, "incident"))
	switch rapid.SampledFrom([]string{"firing", "firing", "firing", "resolved", "resolved", "tick", "silence", "action", "action", "restart", "change", "samples", "samples", "samples"}).Draw(r, "what") {
	case "samples":
		store := rapid.SampledFrom([]string{"A1", "A2", "B1"}).Draw(r, "measured")
		value := rapid.SampledFrom([]float64{0.99, 0.99, 0.5}).Draw(r, "value")
		m.measure("pay", store, value, time.Duration(rapid.IntRange(0, 40).Draw(r, "last"))*time.Second)
	case "firing":
		a := drawAlert(r)
		lease := time.Duration(rapid.IntRange(30, 300).Draw(r, "lease")) * time.Second
		a.Status, a.EndsAt = ops.Firing, ops.At(m.now.Add(lease))
		m.firing[ops.Fingerprint(a.Labels)] = a.EndsAt.Time
		m.step(engine.Alerts{Source: "rules", Alerts: []ops.Alert{a}})
	case "resolved":
		a := drawAlert(r)
		a.Status = ops.Resolved
		delete(m.firing, ops.Fingerprint(a.Labels))
		m.step(engine.Alerts{Source: "rules", Alerts: []ops.Alert{a}})
	case "silence":
		value := rapid.SampledFrom([]string{"shop|cart", "db", "pay"}).Draw(r, "silenced")
		m.step(engine.PutSilence{Who: who, Silence: ops.Silence{Matchers: []ops.Matcher{{Name: "service", Value: value, IsRegex: true, IsEqual: true}}, EndsAt: ops.At(m.now.Add(time.Minute))}})
	case "action":
		do := rapid.SampledFrom([]string{"acknowledge", "mitigate", "resolve", "reopen", "note", "merge", "severity", "judge", "cause", "task_add", "task_change", "update"}).Draw(r, "do")
		into := fmt.Sprintf("INC-%d", rapid.IntRange(1, 6).Draw(r, "into"))
		m.step(engine.Action{
			Do: do, Who: who, ID: id, Note: "x", Into: into, Severity: ops.P2, Change: "CHG-1", Confirmed: rapid.Bool().Draw(r, "confirmed"),
			Text: "x", Task: ops.Task{ID: 1, Title: "x", DueAt: ops.At(m.now.Add(time.Minute))},
		})
	case "change":
		m.step(engine.Change{Change: ops.Change{ID: "CHG-1", Kind: ops.KindRelease, Service: "db", Status: ops.ChangeStarted}})
	case "restart":
		m.restart()
	default:
		m.step(engine.Tick{})
	}
}

func drawAlert(r *rapid.T) ops.Alert {
	labels := map[string]string{"alertname": rapid.SampledFrom([]string{"Low", "Dark"}).Draw(r, "name")}
	for _, l := range []struct {
		key    string
		values []string
	}{{"service", []string{"", "shop", "cart", "pay", "db"}}, {"store", []string{"", "A1", "A2", "B1"}}, {"kind", []string{"", "", "pos"}}, {"network", []string{"", "", "", "n"}}} {
		if v := rapid.SampledFrom(l.values).Draw(r, l.key); v != "" {
			labels[l.key] = v
		}
	}
	return ops.Alert{Labels: labels}
}

// TestNoAlertIsLostAndNoClockRunsBackwards lets anything happen in any order, restarts included. After every step each
// firing alert is in exactly one incident, with a reason, or silenced; what was told as firing is told as resolved once;
// no leg of a clock becomes shorter; and the same inputs give the same outputs.
func TestNoAlertIsLostAndNoClockRunsBackwards(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		m := newModel(r)
		for range rapid.IntRange(1, 60).Draw(r, "steps") {
			m.draw(r)
		}
		m.now = m.now.Add(10 * time.Minute) // every lease ends
		m.step(engine.Tick{})
		m.now = m.now.Add(10 * time.Minute)
		m.step(engine.Tick{})
		for fp, n := range m.told {
			if n != 0 {
				r.Fatalf("alert %s was told as firing and never as resolved", fp)
			}
		}
	})
}
