package incidents_test

import (
	"fmt"
	"testing"

	"goc/incidents/engine"
	"goc/ops"
)

// TestTenThousandAlertsEndInAHandfulOfIncidents sends storms of one batch each.
func TestTenThousandAlertsEndInAHandfulOfIncidents(t *testing.T) {
	cat := &ops.Catalog{}
	for i := range 200 {
		s := ops.Service{Name: fmt.Sprint("svc-", i)}
		for _, c := range []int{i*2 + 1, i*2 + 2} {
			if c < 200 {
				s.Calls = append(s.Calls, fmt.Sprint("svc-", c))
			}
		}
		cat.Services = append(cat.Services, s)
	}
	for i := range 5000 {
		cat.Stores = append(cat.Stores, ops.Store{ID: fmt.Sprint("S-", i), City: fmt.Sprint("C-", i%50), Network: fmt.Sprint("N-", i%7)})
	}
	if err := cat.Index(); err != nil {
		t.Fatal(err)
	}
	for _, storm := range []struct {
		name   string
		most   int // incidents
		labels func(i int) map[string]string
	}{
		{"twenty services fail in every store", 5, func(i int) map[string]string {
			return map[string]string{"alertname": "StoreSuccessLow", "service": fmt.Sprint("svc-", i%20), "store": fmt.Sprint("S-", i/2), "caller": fmt.Sprint(i)}
		}},
		{"every store goes dark, and something fails in each", 8, func(i int) map[string]string {
			if i%2 == 0 {
				return map[string]string{"alertname": "StoreDark", "store": fmt.Sprint("S-", i/2)}
			}
			return map[string]string{"alertname": "DevicesOffline", "kind": "pos", "store": fmt.Sprint("S-", i/2)}
		}},
		{"one network of seven is down", 1, func(i int) map[string]string {
			return map[string]string{"alertname": fmt.Sprint("StoreDark", i/5000), "store": fmt.Sprint("S-", i%700*7), "line": fmt.Sprint(i)}
		}},
		{"ten thousand devices of one firmware", 1, func(i int) map[string]string {
			return map[string]string{"alertname": "DeviceOffline", "kind": "pos", "firmware": "4.2.1", "device": fmt.Sprint("pos-", i), "store": fmt.Sprint("S-", i%5000)}
		}},
		{"a job fails in ten thousand ways that say nothing", 5, func(i int) map[string]string {
			return map[string]string{"alertname": "JobFailed", "shard": fmt.Sprint(i), "job": fmt.Sprint("job-", i)}
		}},
	} {
		t.Run(storm.name, func(t *testing.T) {
			e := engine.New(engine.Config{}, cat, engine.Hooks{})
			var batch []ops.Alert
			for i := range 10_000 {
				batch = append(batch, ops.Alert{Labels: storm.labels(i)})
			}
			out := e.Step(engine.Alerts{Source: "rules", Alerts: batch}, midnight)
			if out.AlertsTaken != len(batch) || len(out.Alerts) != len(batch) {
				t.Fatalf("%d alerts were taken, %d kept, of %d", out.AlertsTaken, len(out.Alerts), len(batch))
			}
			for _, a := range out.Alerts {
				if a.Reason == "" {
					t.Fatalf("alert %v has no reason", a.Labels)
				}
			}
			open, told := 0, 0
			for _, inc := range out.Changed {
				if inc.State.Active() {
					open++
				}
			}
			for _, ev := range out.Events {
				if ev.Topic == "incidents" {
					told++
				}
			}
			if open > storm.most || told > 100 {
				t.Errorf("%d incidents are open, want at most %d; %d entries in their timelines, want at most 100", open, storm.most, told)
			}
		})
	}
}
