package bake_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"goc/changes/bake"
	"goc/ops"
)

var noon = time.Date(2026, 11, 16, 12, 0, 0, 0, time.UTC)

func catalog(t testing.TB) *ops.Catalog {
	c := &ops.Catalog{Services: []ops.Service{{Name: "pay", Indicators: []ops.Indicator{{Name: "orders_per_min", Expr: "orders", Good: ops.GoodHigher}}}, {Name: "cart"}}}
	for i := range 20 {
		c.Stores = append(c.Stores, ops.Store{ID: fmt.Sprintf("S-%02d", i), City: map[bool]string{true: "Shanghai", false: "Beijing"}[i < 5]})
	}
	if err := c.Index(); err != nil {
		t.Fatal(err)
	}
	return c
}

// world gives the value of a store's indicator at a time; false when nothing is seen there.
type world func(store int, at time.Time, r *rand.Rand) (float64, bool)

// run bakes stage 1 of CHG-1 in the given stores for ten minutes from noon, with samples every 15 s from 11:00 on.
func run(t *testing.T, indicator string, treated []string, w world) []bake.Outcome {
	t.Helper()
	b, r := bake.New(catalog(t)), rand.New(rand.NewPCG(1, 2))
	b.Begin(bake.Bake{ChangeID: "CHG-1", Stage: 1, Service: "pay", Scope: ops.Scope{Store: treated}, From: noon, To: noon.Add(10 * time.Minute)})
	var out []bake.Outcome
	for at := noon.Add(-time.Hour); !at.After(noon.Add(10 * time.Minute)); at = at.Add(15 * time.Second) {
		if !at.Before(noon) {
			out = append(out, b.Step(at)...)
		}
		for i := range 20 {
			if v, ok := w(i, at, r); ok {
				b.Observe([]ops.Sample{{At: ops.At(at), Indicator: indicator, Service: "pay", Store: fmt.Sprintf("S-%02d", i), Value: v}})
			}
		}
	}
	if len(out) > 1 {
		t.Fatalf("%d verdicts, want one at most", len(out))
	}
	return out
}

func TestVerdictWhereOthersAreUntreated(t *testing.T) {
	usual := func(i int, at time.Time, r *rand.Rand) (float64, bool) {
		return 20 + 5*float64(i) + 3*math.Sin(float64(at.Minute())/10) + r.NormFloat64(), true
	}
	after := func(at time.Time) bool { return !at.Before(noon) }
	tests := []struct {
		name      string
		indicator string
		treated   []string
		world     world
		want      ops.Verdict
	}{
		{"nothing happens", "orders_per_min", []string{"S-00", "S-01"}, usual, ops.Healthy},
		{"the treated stores sell a third less", "orders_per_min", []string{"S-10", "S-11"}, func(i int, at time.Time, r *rand.Rand) (float64, bool) {
			v, ok := usual(i, at, r)
			if after(at) && (i == 10 || i == 11) {
				v *= 0.66
			}
			return v, ok
		}, ops.Unhealthy},
		{"the treated stores sell more, which is good", "orders_per_min", []string{"S-10", "S-11"}, func(i int, at time.Time, r *rand.Rand) (float64, bool) {
			v, ok := usual(i, at, r)
			if after(at) && (i == 10 || i == 11) {
				v *= 1.5
			}
			return v, ok
		}, ops.Healthy},
		{"everybody sells less, treated or not", "orders_per_min", []string{"S-10", "S-11"}, func(i int, at time.Time, r *rand.Rand) (float64, bool) {
			v, ok := usual(i, at, r)
			if after(at) {
				v -= 10
			}
			return v, ok
		}, ops.Healthy},
		{"the treated stores have no traffic", "orders_per_min", []string{"S-10", "S-11"}, func(i int, at time.Time, r *rand.Rand) (float64, bool) {
			v, _ := usual(i, at, r)
			return v, !after(at) || (i != 10 && i != 11)
		}, ops.NoData},
		{"success falls in a still indicator", "success_ratio", []string{"S-03"}, func(i int, at time.Time, r *rand.Rand) (float64, bool) {
			if after(at) && i == 3 {
				return 0.9 + 0.05*r.Float64(), true
			}
			return 1, true
		}, ops.Unhealthy},
		{"success falls by next to nothing", "success_ratio", []string{"S-03"}, func(i int, at time.Time, r *rand.Rand) (float64, bool) {
			if after(at) && i == 3 {
				return 0.999, true
			}
			return 1, true
		}, ops.Healthy},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out := run(t, tt.indicator, tt.treated, tt.world)
			if len(out) != 1 || out[0].Verdict != tt.want || len(out[0].Reasons) == 0 {
				t.Fatalf("got %+v, want %s", out, tt.want)
			}
			if tt.want == ops.Unhealthy && (out[0].Score < 1 || !strings.Contains(out[0].Reasons[0].Message, tt.indicator+" of pay")) {
				t.Errorf("it does not say enough: %+v", out[0])
			}
		})
	}
}

func TestABakeUnderWayEndsEarlyWhenSomethingIsClearlyWrong(t *testing.T) {
	out := run(t, "success_ratio", []string{"S-03"}, func(i int, at time.Time, r *rand.Rand) (float64, bool) {
		if i == 3 && at.After(noon) {
			return 0.5 + 0.1*r.Float64(), true
		}
		return 0.99 + 0.01*r.Float64(), true
	})
	if len(out) != 1 || out[0].Verdict != ops.Unhealthy || out[0].At.After(noon.Add(5*time.Minute)) {
		t.Fatalf("got %+v, want unhealthy before half its time", out)
	}
}

func TestVerdictWhereNothingIsUntreated(t *testing.T) {
	daily := func(at time.Time) float64 { return 100 + 60*math.Sin(float64(at.Unix()%86400)/86400*2*math.Pi) }
	tests := []struct {
		name    string
		every   time.Duration // between samples
		history time.Duration
		bake    time.Duration
		after   func(v float64) float64
		want    ops.Verdict
	}{
		{"its daily rhythm goes on", time.Minute, 4 * 24 * time.Hour, 2 * time.Hour, nil, ops.Healthy},
		{"it leaves its daily rhythm", time.Minute, 4 * 24 * time.Hour, 2 * time.Hour, func(v float64) float64 { return v - 25 }, ops.Unhealthy},
		{"more than its rhythm, which is good", time.Minute, 4 * 24 * time.Hour, 2 * time.Hour, func(v float64) float64 { return v + 25 }, ops.Healthy},
		{"an hour of history is too little for two hours", time.Minute, time.Hour, 2 * time.Hour, nil, ops.NoData},
		{"few samples, and its rhythm goes on", 5 * time.Minute, 4 * 24 * time.Hour, 2 * time.Hour, nil, ops.Healthy},
		{"few samples, and it leaves its rhythm", 5 * time.Minute, 4 * 24 * time.Hour, 2 * time.Hour, func(v float64) float64 { return v - 25 }, ops.Unhealthy},
		{"a short bake in which nothing happens", 2 * time.Second, time.Hour, time.Minute, nil, ops.Healthy},
		{"a short bake in which it falls", 2 * time.Second, time.Hour, time.Minute, func(v float64) float64 { return v - 40 }, ops.Unhealthy},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b, r := bake.New(catalog(t)), rand.New(rand.NewPCG(5, 6))
			b.Begin(bake.Bake{ChangeID: "CHG-5", Service: "pay", From: noon, To: noon.Add(tt.bake)})
			for at := noon.Add(-tt.history); at.Before(noon.Add(tt.bake)); at = at.Add(tt.every) {
				v := daily(at) + 3*r.NormFloat64()
				if !at.Before(noon) && tt.after != nil {
					v = tt.after(v)
				}
				b.Observe([]ops.Sample{{At: ops.At(at), Indicator: "orders_per_min", Service: "pay", Value: v}})
			}
			if out := b.Step(noon.Add(tt.bake)); len(out) != 1 || out[0].Verdict != tt.want {
				t.Errorf("got %+v, want %s", out, tt.want)
			}
		})
	}
}

func TestANewUnitIsComparedWithThoseThatRunTheOldVersion(t *testing.T) {
	b, r := bake.New(catalog(t)), rand.New(rand.NewPCG(3, 4))
	b.Begin(bake.Bake{ChangeID: "CHG-2", Stage: 1, Service: "cart", Units: []string{"cart-new"}, Not: []string{"cart-old-0"}, From: noon, To: noon.Add(5 * time.Minute)})
	for at := noon; at.Before(noon.Add(5 * time.Minute)); at = at.Add(10 * time.Second) {
		for i := range 5 {
			b.Observe([]ops.Sample{{At: ops.At(at), Indicator: "latency_seconds", Service: "cart", Unit: fmt.Sprintf("cart-old-%d", i), Value: 0.1 + 0.01*r.NormFloat64()}})
		}
		b.Observe([]ops.Sample{{At: ops.At(at), Indicator: "latency_seconds", Service: "cart", Unit: "cart-new", Value: 0.3 + 0.01*r.NormFloat64()}})
	}
	out := b.Step(noon.Add(5 * time.Minute))
	if len(out) != 1 || out[0].Verdict != ops.Unhealthy {
		t.Fatalf("got %+v, want unhealthy", out)
	}
	if len(b.Step(noon.Add(6*time.Minute))) != 0 || !b.Next().IsZero() {
		t.Error("a bake ended twice")
	}
}

func TestWithoutAnythingSeenThereIsNoVerdict(t *testing.T) {
	b := bake.New(catalog(t))
	b.Begin(bake.Bake{ChangeID: "CHG-3", Service: "pay", From: noon, To: noon.Add(time.Minute)})
	b.Begin(bake.Bake{ChangeID: "CHG-4", Service: "pay", From: noon, To: noon.Add(time.Minute)})
	b.Cancel("CHG-4", 0)
	out := b.Step(noon.Add(time.Minute))
	if len(out) != 1 || out[0].ChangeID != "CHG-3" || out[0].Verdict != ops.NoData || len(out[0].Reasons) != 1 {
		t.Fatalf("got %+v", out)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	b := bake.New(catalog(t))
	for i := range 3 * 24 * 3600 { // three days, a value a second
		b.Observe([]ops.Sample{{At: ops.At(noon.Add(time.Duration(i) * time.Second)), Indicator: "kpi", Service: "pay", Value: float64(i)}})
	}
	series, values := b.Size()
	if series != 1 || values > 1024+4*24*60 {
		t.Errorf("%d series with %d values", series, values)
	}
}

func BenchmarkVerdict(b *testing.B) {
	catalog := &ops.Catalog{}
	var treated []string
	for i := range 500 {
		catalog.Stores = append(catalog.Stores, ops.Store{ID: fmt.Sprintf("S-%03d", i)})
		if i < 50 {
			treated = append(treated, catalog.Stores[i].ID)
		}
	}
	if err := catalog.Index(); err != nil {
		b.Fatal(err)
	}
	k := bake.New(catalog)
	r := rand.New(rand.NewPCG(1, 2))
	for minute := range 240 {
		at := ops.At(noon.Add(time.Duration(minute-120) * time.Minute))
		for i := range 500 {
			for n := range 20 {
				k.Observe([]ops.Sample{{At: at, Indicator: fmt.Sprintf("kpi_%d", n), Service: "pay", Store: catalog.Stores[i].ID, Value: 100 + r.NormFloat64()}})
			}
		}
	}
	for b.Loop() {
		k.Begin(bake.Bake{ChangeID: "CHG-1", Stage: 1, Service: "pay", Scope: ops.Scope{Store: treated}, From: noon, To: noon.Add(2 * time.Hour)})
		if out := k.Step(noon.Add(2 * time.Hour)); len(out) != 1 || len(out[0].Reasons) != 20 {
			b.Fatal(out)
		}
	}
}
