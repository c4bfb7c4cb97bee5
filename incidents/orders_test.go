package incidents_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"goc/incidents/engine"
	"goc/ops"
)

// TestMissingOrdersAreMeasuredAgainstTheStoresThatAreWell lets thirty stores take orders, which come by chance, and five
// of them lose a part, whatever the rhythm of the day does meanwhile.
func TestMissingOrdersAreMeasuredAgainstTheStoresThatAreWell(t *testing.T) {
	const stores, hit, usual = 30, 5, 40.0
	tests := []struct {
		name   string
		rhythm func(minutes float64) float64 // since the onset
		kept   float64                       // the share of orders that still come in where it fails
		lost   float64                       // orders a minute
	}{
		{"half are lost on a level day", func(float64) float64 { return 1 }, 0.5, hit * usual * 0.5},
		{"half are lost while the morning's rush begins", func(m float64) float64 { return 1 + 0.03*max(m, 0) + 0.01*min(m, 0) }, 0.5, hit * usual * 1.09 * 0.5},
		{"all are lost while the night falls", func(m float64) float64 { return math.Exp(-m / 30) }, 0, hit * usual * math.Exp(-0.1)},
		{"none are lost on a level day", func(float64) float64 { return 1 }, 1, 0},
		{"none are lost while the night falls", func(m float64) float64 { return math.Exp(-m / 20) }, 1, 0},
		{"none are lost when a promotion ends and everybody buys half", func(m float64) float64 {
			if m > 0 {
				return 0.5
			}
			return 1
		}, 1, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cat := &ops.Catalog{Services: []ops.Service{{Name: "shop", Core: true, Indicators: []ops.Indicator{{Name: "orders_per_min", Expr: "orders", Good: ops.GoodHigher}}}}}
			for i := range stores {
				cat.Stores = append(cat.Stores, ops.Store{ID: fmt.Sprintf("S-%02d", i)})
			}
			if err := cat.Index(); err != nil {
				t.Fatal(err)
			}
			e, r := engine.New(engine.Config{}, cat, engine.Hooks{}), rand.New(rand.NewPCG(7, 8))
			var inc ops.Incident
			for at := -20 * time.Minute; at <= 3*time.Minute; at += 5 * time.Second {
				now := midnight.Add(at)
				var samples []ops.Sample
				for i := range stores {
					v := usual * tt.rhythm(at.Minutes())
					if i < hit && at > 0 {
						v *= tt.kept
					}
					v = max(0, v+math.Sqrt(v*3)*r.NormFloat64()) // a rate over twenty seconds
					samples = append(samples, ops.Sample{At: ops.At(now), Indicator: "orders_per_min", Service: "shop", Store: fmt.Sprintf("S-%02d", i), Value: v})
				}
				in := []engine.Input{engine.Samples{Samples: samples}}
				for i := range hit {
					if at == 0 {
						in = append(in, engine.Alerts{Source: "rules", Alerts: []ops.Alert{{Labels: map[string]string{"alertname": "Low", "service": "shop", "store": fmt.Sprintf("S-%02d", i)}, EndsAt: ops.At(now.Add(time.Hour))}}})
					}
				}
				for _, one := range in {
					for _, changed := range e.Step(one, now).Changed {
						inc = changed
					}
				}
			}
			if got := -inc.Impact.OrdersPerMin; math.Abs(got-tt.lost) > 0.2*tt.lost+0.01 {
				t.Errorf("%.1f orders a minute are said to be missing, want %.1f within a fifth: %s", got, tt.lost, inc.Impact.Evidence)
			}
		})
	}
}
