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
	of := slices.IndexFunc(q.exprs, func(e string) bool { return strings.Contains(e, "goc_fleet_devices") })
	if of < 0 {
		t.Fatalf("nobody asked for devices: %q", q.exprs)
	}
	// A store's name is data: it must not become part of the expression.
	want := `sum(goc_fleet_devices{state=~"offline|degraded",kind=~"scanner",store=~"S-1\"\\}\\) or vector\\(1"})`
	if q.exprs[of] != want {
		t.Errorf("asked %s\nwant  %s", q.exprs[of], want)
	}
}
