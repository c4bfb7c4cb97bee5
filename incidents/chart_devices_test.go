package incidents_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"goc/ops"
)

// asked remembers the expressions and answers each with one curve.
type asked struct{ exprs []string }

func (a *asked) Query(context.Context, string, time.Time) ([]ops.Point, error) { return nil, nil }

func (a *asked) QueryRange(_ context.Context, expr string, from, to time.Time, _ time.Duration) ([]ops.Curve, error) {
	a.exprs = append(a.exprs, expr)
	return []ops.Curve{{Times: []time.Time{from, to}, Values: []float64{0, 15}}}, nil
}

func TestAnIncidentOfDevicesIsDrawnByTheDevicesThatAreNotWell(t *testing.T) {
	r := newRoom(t)
	q := &asked{}
	r.options.Querier = q
	r.restart()
	r.receive(ops.Alert{Labels: map[string]string{"alertname": "DevicesOffline", "store": `S-1"}) or vector(1`, "kind": "scanner"}})
	c, err := r.Chart(t.Context(), "INC-1")
	if err != nil {
		t.Fatal(err)
	}
	if c.Indicator != "devices_unwell" || len(c.Series) != 2 || last(c.Series[0]) != 15 {
		t.Errorf("the chart is of %s with %d series", c.Indicator, len(c.Series))
	}
	of := slices.IndexFunc(q.exprs, func(e string) bool { return strings.Contains(e, "goc_fleet_store_devices") })
	if of < 0 {
		t.Fatalf("nobody asked for devices: %q", q.exprs)
	}
	// A store's name is data: it must not become part of the expression.
	want := `sum(goc_fleet_store_devices{state=~"offline|degraded",kind=~"scanner",store=~"S-1\"\\}\\) or vector\\(1"})`
	if q.exprs[of] != want {
		t.Errorf("asked %s\nwant  %s", q.exprs[of], want)
	}
}

func TestTheChartStaysWithWhatTheAlertsSpeakOf(t *testing.T) {
	r := newRoom(t)
	for at := midnight.Add(-5 * time.Minute); !at.After(midnight.Add(40 * time.Second)); at = at.Add(5 * time.Second) {
		ratio, latency := 0.99, 0.1
		if at.After(midnight.Add(-time.Second)) { // what fails is quick, and slow again afterwards: not what it is about
			ratio, latency = 0.4, 0.01
		}
		if at.After(midnight.Add(20 * time.Second)) {
			ratio, latency = 0.99, 0.3
		}
		r.at = maxOf(r.at, at)
		r.ObserveSamples([]ops.Sample{
			{At: ops.At(at), Indicator: "success_ratio", Service: "pay", Store: "S-1", Value: ratio},
			{At: ops.At(at), Indicator: "latency_seconds", Service: "pay", Store: "S-1", Value: latency},
		})
	}
	a := low("S-1")
	a.Labels["indicator"] = "success_ratio"
	r.receive(a)
	c, err := r.Chart(t.Context(), "INC-1")
	if err != nil {
		t.Fatal(err)
	}
	if c.Indicator != "success_ratio" {
		t.Errorf("the chart is of %s, the alerts are of success_ratio", c.Indicator)
	}
	if first := midnight.Add(-5 * time.Minute); c.From.Before(first.Add(-time.Second)) {
		t.Errorf("the chart begins at %s, the first sample is of %s", c.From, first)
	}
}

func TestSayingThatNoChangeDidItStopsTheLocateLeg(t *testing.T) {
	r := newRoom(t)
	r.receive(low("S-1"))
	if _, err := r.JudgeSuspect(t.Context(), ann, "INC-1", "none", false, ""); ops.KindOf(err) != ops.Invalid {
		t.Errorf("ruling out that no change did it: %v, want invalid", err)
	}
	inc, err := r.JudgeSuspect(t.Context(), ann, "INC-1", "none", true, "the provider's line is down")
	if err != nil {
		t.Fatal(err)
	}
	if inc.LocatedAt.IsZero() || inc.Clock.Locate.Running || !strings.Contains(inc.Clock.Locate.StoppedBy, "no change did it") {
		t.Errorf("located at %q, the leg is %+v", inc.LocatedAt, inc.Clock.Locate)
	}
}
