package incidents_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"goc/incidents/engine"
	"goc/ops"
)

// bigChain is 200 services in layers, 5,000 stores in 50 cities, and 100,000 changes over the last day.
func bigChain(b *testing.B) *engine.Engine {
	b.Helper()
	cat := &ops.Catalog{}
	for i := range 200 {
		s := ops.Service{Name: fmt.Sprint("svc-", i), Tier: "T1"}
		for _, c := range []int{i*2 + 1, i*2 + 2} {
			if c < 200 {
				s.Calls = append(s.Calls, fmt.Sprint("svc-", c))
			}
		}
		cat.Services = append(cat.Services, s)
	}
	for i := range 5000 {
		cat.Stores = append(cat.Stores, ops.Store{ID: fmt.Sprint("S-", i), City: fmt.Sprint("C-", i%50)})
	}
	if err := cat.Index(); err != nil {
		b.Fatal(err)
	}
	e := engine.New(engine.Config{}, cat, engine.Hooks{})
	for i := range 100_000 {
		at := midnight.Add(-24*time.Hour + time.Duration(i)*864*time.Millisecond)
		c := ops.Change{ID: fmt.Sprint("CHG-", i), Kind: ops.ChangeKinds[i%10], Status: ops.ChangeStarted, CreatedAt: ops.At(at), Scope: ops.Scope{Store: []string{fmt.Sprint("S-", i%5000)}}}
		if i%3 > 0 {
			c.Service = fmt.Sprint("svc-", i%200)
		}
		e.Step(engine.Change{Change: c}, at)
	}
	return e
}

// BenchmarkOneAlertAgainst100kChanges is what one alert costs: grouped, a new incident, suspects ranked with reasons. What
// came of the alert is closed before the next, outside of what is measured.
func BenchmarkOneAlertAgainst100kChanges(b *testing.B) {
	e := bigChain(b)
	now := midnight
	var took []time.Duration
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		now = now.Add(time.Second)
		a := ops.Alert{Labels: map[string]string{"alertname": fmt.Sprint("Low", i), "service": fmt.Sprint("svc-", i*37%200), "store": fmt.Sprint("S-", i*91%5000)}}
		start := time.Now()
		out := e.Step(engine.Alerts{Source: "rules", Alerts: []ops.Alert{a}}, now)
		took = append(took, time.Since(start))
		if len(out.Ranked) != 1 || len(out.Ranked[0].Suspects) != 5 {
			b.Fatalf("alert %d: %d rankings, want one of five suspects", i, len(out.Ranked))
		}
		b.StopTimer()
		a.Status = ops.Resolved
		e.Step(engine.Alerts{Source: "rules", Alerts: []ops.Alert{a}}, now)
		e.Step(engine.Action{Do: "resolve", ID: out.Ranked[0].Incident, Who: ops.System}, now)
		b.StartTimer()
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
}

// BenchmarkStormOf10kAlerts is a storm in one batch over the same history.
func BenchmarkStormOf10kAlerts(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		e := bigChain(b)
		var batch []ops.Alert
		for i := range 10_000 {
			batch = append(batch, ops.Alert{Labels: map[string]string{"alertname": "StoreSuccessLow", "service": fmt.Sprint("svc-", i%20), "store": fmt.Sprint("S-", i%5000)}})
		}
		b.StartTimer()
		e.Step(engine.Alerts{Source: "rules", Alerts: batch}, midnight)
		b.StopTimer()
		b.ReportMetric(float64(len(e.Step(engine.Tick{}, midnight.Add(2*time.Second)).Changed)), "incidents-changed")
		b.StartTimer()
	}
}

// BenchmarkSamples is one tick of a demo-sized chain: a thousand series, with one incident open that is ranked again.
func BenchmarkSamples(b *testing.B) {
	cat := chain()
	e := engine.New(engine.Config{}, cat, engine.Hooks{})
	now := midnight
	tick := func() {
		now = now.Add(time.Second)
		var s []ops.Sample
		for i := range 1000 {
			s = append(s, ops.Sample{At: ops.At(now), Indicator: "success_ratio", Service: cat.Services[i%4].Name, Caller: fmt.Sprint("c", i%3), Store: fmt.Sprint("S", i/4), Value: 0.99})
		}
		e.Step(engine.Samples{Samples: s}, now)
	}
	for range 600 {
		tick()
	}
	e.Step(engine.Change{Change: ops.Change{ID: "CHG-1", Kind: ops.KindRelease, Service: "db", Status: ops.ChangeStarted, Scope: ops.Scope{Store: []string{"S1", "S2"}}}}, now)
	e.Step(engine.Alerts{Source: "rules", Alerts: []ops.Alert{{Labels: map[string]string{"alertname": "Low", "service": "db", "store": "S1"}}}}, now)
	b.ReportAllocs()
	for b.Loop() {
		tick()
	}
}
