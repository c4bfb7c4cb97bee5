package suspects_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"

	"goc/incidents/series"
	"goc/incidents/suspects"
	"goc/ops"
)

// signal is what one indicator says at a time, after seconds from the true onset; false is a gap.
type signal func(after float64, r *rand.Rand) (float64, bool)

// observe feeds a signal to a buffer from before the onset until an alert comes.
func observe(b *series.Buffer, k series.Key, f signal, every, before, until time.Duration, r *rand.Rand) {
	for at := onset.Add(-before); !at.After(onset.Add(until)); at = at.Add(every) {
		if v, ok := f(at.Sub(onset).Seconds(), r); ok {
			b.Add(ops.Sample{At: ops.At(at), Indicator: k.Indicator, Service: k.Service, Store: k.Store, Unit: k.Unit, Value: v})
		}
	}
}

// normal is a success ratio that is well, level one that is at another level from the onset on.
func normal(_ float64, r *rand.Rand) (float64, bool) { return 0.99 + 0.003*r.NormFloat64(), true }

func level(bad float64) signal {
	return func(after float64, r *rand.Rand) (float64, bool) {
		v, ok := normal(after, r)
		if after >= 0 {
			v -= 0.99 - bad
		}
		return v, ok
	}
}

func TestTheOnsetIsWhereTheSignalLeftItsCourse(t *testing.T) {
	const ratio, orders, latency = "success_ratio", "orders_per_min", "latency_seconds"
	tests := []struct {
		name      string
		indicator string
		f         signal
		every     time.Duration
		until     time.Duration
		late      float64 // seconds by which the first that can be seen of it lies after the onset
		within    time.Duration
		gradual   bool
		none      bool
	}{
		{name: "a step", indicator: ratio, f: level(0.6), every: time.Second, until: 40 * time.Second, within: time.Second},
		{name: "a step seen once a minute, by one sample", indicator: ratio, f: level(0.6), every: time.Minute, until: 10 * time.Second, within: time.Minute},
		{
			name: "a rate over eight seconds, which takes eight to show a step", indicator: ratio, every: time.Second, until: 30 * time.Second, within: 3 * time.Second,
			f: func(after float64, r *rand.Rand) (float64, bool) {
				v, ok := normal(after, r)
				return v - 0.4*min(1, max(0, after/8)), ok
			},
		},
		{
			name: "a leak: latency doubles within ten minutes", indicator: latency, every: 5 * time.Second, until: 12 * time.Minute, within: 4 * time.Minute, gradual: true,
			f: func(after float64, r *rand.Rand) (float64, bool) {
				return 0.2 * (1 + max(0, after)/600) * (1 + 0.03*r.NormFloat64()), true
			},
		},
		{
			name: "success that slips by a hundredth a minute", indicator: ratio, every: time.Second, until: 8 * time.Minute, within: 3 * time.Minute, gradual: true,
			f: func(after float64, r *rand.Rand) (float64, bool) {
				v, ok := normal(after, r)
				return v - 0.01*max(0, after)/60, ok
			},
		},
		{
			name: "a spike that is over is none", indicator: ratio, every: time.Second, until: time.Minute, none: true,
			f: func(after float64, r *rand.Rand) (float64, bool) {
				if after >= 0 && after < 5 {
					return 0.2, true
				}
				return normal(after, r)
			},
		},
		{
			name: "a spike half a minute before the step is not part of it", indicator: ratio, every: time.Second, until: time.Minute, within: time.Second,
			f: func(after float64, r *rand.Rand) (float64, bool) {
				if after >= -30 && after < -28 {
					return 0.5, true
				}
				return level(0.6)(after, r)
			},
		},
		{
			name: "a trouble ten minutes ago that lasted two is not part of it", indicator: ratio, every: time.Second, until: time.Minute, within: time.Second,
			f: func(after float64, r *rand.Rand) (float64, bool) {
				if after >= -600 && after < -480 {
					return 0.3, true
				}
				return level(0.6)(after, r)
			},
		},
		{name: "nothing but noise is none", indicator: ratio, f: normal, every: time.Second, until: time.Minute, none: true},
		{
			name: "one failed call among twenty, every now and then, is none", indicator: ratio, every: time.Second, until: time.Minute, none: true,
			f: func(after float64, _ *rand.Rand) (float64, bool) {
				if math.Mod(math.Abs(after), 97) < 8 {
					return 0.95, true
				}
				return 1, true
			},
		},
		{
			name: "every third sample is well", indicator: ratio, every: time.Second, until: time.Minute, within: 3 * time.Second,
			f: func(after float64, r *rand.Rand) (float64, bool) {
				if int(after)%3 == 1 {
					return normal(after, r)
				}
				return level(0.6)(after, r)
			},
		},
		{
			name: "a gap over the onset leaves it open by as much", indicator: ratio, every: time.Second, until: time.Minute, late: 20, within: 41 * time.Second,
			f: func(after float64, r *rand.Rand) (float64, bool) {
				v, _ := level(0.6)(after, r)
				return v, after < -20 || after >= 20
			},
		},
		{
			name: "nine samples in ten are missing", indicator: ratio, every: time.Second, until: 2 * time.Minute, late: 5, within: 30 * time.Second,
			f: func(after float64, r *rand.Rand) (float64, bool) {
				v, _ := level(0.6)(after, r)
				return v, int(after+1e6)%10 == 5
			},
		},
		{
			name: "the rhythm of a week, at its steepest, is none", indicator: orders, every: 15 * time.Second, until: time.Minute, none: true,
			f: func(after float64, r *rand.Rand) (float64, bool) {
				day := math.Sin(2*math.Pi*after/86400) * 0.6
				return 180 * (1 + day) * (1 + 0.04*r.NormFloat64()), true
			},
		},
		{
			name: "orders that collapse on a busy morning", indicator: orders, every: 15 * time.Second, until: 2 * time.Minute, within: 30 * time.Second,
			f: func(after float64, r *rand.Rand) (float64, bool) {
				v := 180 * (1 + 0.6*math.Sin(2*math.Pi*after/86400)) * (1 + 0.04*r.NormFloat64())
				if after >= 0 {
					v *= 0.3
				}
				return v, true
			},
		},
		{
			name: "little at first, much after two minutes", indicator: ratio, every: time.Second, until: 150 * time.Second, within: time.Second,
			f: func(after float64, r *rand.Rand) (float64, bool) {
				if after >= 120 {
					return level(0.5)(after, r)
				}
				return level(0.9)(after, r)
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := series.New(0, 0, 0)
			observe(b, series.Key{Indicator: tt.indicator, Service: "pay"}, tt.f, tt.every, 40*time.Minute, tt.until, rand.New(rand.NewPCG(1, 2)))
			alert := onset.Add(tt.until)
			d, ok := suspects.Onset(b, []string{"pay"}, nil, alert, good)
			if ok == tt.none {
				t.Fatalf("an onset was found: %v, %+v", ok, d)
			}
			if tt.none {
				return
			}
			off := d.At.Sub(onset).Seconds() - tt.late
			if math.Abs(off) > d.Interval.Seconds() || d.Interval > tt.within || d.Gradual != tt.gradual {
				t.Errorf("the onset is %+.1f s off and said to be known within %s (want %s), gradual %v: %s", off, d.Interval, tt.within, d.Gradual, d.Text())
			}
		})
	}
}

func good(_, indicator string) string {
	if indicator == "orders_per_min" {
		return ops.GoodHigher
	}
	return ops.DirectionOf(indicator)
}

func TestOneNoisyStoreDoesNotFixTheOnset(t *testing.T) {
	b, r := series.New(0, 0, 0), rand.New(rand.NewPCG(3, 4))
	key := func(i int) series.Key {
		return series.Key{Indicator: "success_ratio", Service: "pay", Store: fmt.Sprintf("S-%02d", i)}
	}
	for i := range 9 {
		observe(b, key(i), level(0.6), time.Second, 20*time.Minute, 30*time.Second, r)
	}
	observe(b, key(9), func(after float64, r *rand.Rand) (float64, bool) { // it strays by itself, and does so since a minute
		if after >= -60 {
			return 0.5 + 0.06*r.NormFloat64(), true
		}
		return 0.9 + 0.06*r.NormFloat64(), true
	}, time.Second, 20*time.Minute, 30*time.Second, r)
	d, ok := suspects.Onset(b, []string{"pay"}, nil, onset.Add(30*time.Second), good)
	if !ok || !d.At.Equal(onset) {
		t.Errorf("the onset is %v, want %v: %+v", d.At, onset, d)
	}
}

func TestTheFirstRingOfAReleaseFixesTheOnset(t *testing.T) {
	b, r := series.New(0, 0, 0), rand.New(rand.NewPCG(3, 4))
	later := func(after float64, r *rand.Rand) (float64, bool) { return level(0.6)(after-120, r) }
	for i := range 30 {
		f := signal(later)
		if i == 17 { // one store of thirty, two minutes before the others
			f = level(0.6)
		}
		observe(b, series.Key{Indicator: "success_ratio", Service: "pay", Store: fmt.Sprintf("S-%02d", i)}, f, time.Second, 20*time.Minute, 3*time.Minute, r)
	}
	d, ok := suspects.Onset(b, []string{"pay"}, nil, onset.Add(3*time.Minute), good)
	if !ok || !d.At.Equal(onset) || d.Key.Store != "S-17" {
		t.Errorf("the onset is %v in %s, want %v in S-17", d.At, d.Key.Store, onset)
	}
}

func TestTheOnsetIsTheFirstSampleOffCourse(t *testing.T) {
	w := world()
	put(w, ops.Sample{Indicator: "success_ratio", Service: "pay", Store: "S-00"}, 0.99, 0.6)
	put(w, ops.Sample{Indicator: "success_ratio", Service: "pay", Store: "S-01"}, 0.99, 0.99)
	d, ok := suspects.Onset(w.Samples, []string{"pay"}, nil, onset.Add(40*time.Second), good)
	if want := onset.Add(5 * time.Second); !ok || !d.At.Equal(want) || d.Key.Store != "S-00" || d.Interval != 5*time.Second {
		t.Errorf("onset %v %+v, want %v in S-00", ok, d, want)
	}
	if _, ok := suspects.Onset(w.Samples, []string{"bank"}, nil, onset, good); ok {
		t.Error("an onset was found without samples")
	}
	none := func(string, string) string { return ops.GoodNone }
	if _, ok := suspects.Onset(w.Samples, []string{"pay"}, nil, onset.Add(40*time.Second), none); ok {
		t.Error("an onset was found in what only says how much there is")
	}
}

// TestNoOnsetLiesAfterTheAlertOrIsNotANumber feeds anything.
func TestNoOnsetLiesAfterTheAlertOrIsNotANumber(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		b := series.New(0, 0, 0)
		value := rapid.OneOf(rapid.SampledFrom([]float64{0, 1, -1, 0.99, 1e-300, math.MaxFloat64, -math.MaxFloat64}), rapid.Float64Range(0, 1))
		for range rapid.IntRange(0, 60).Draw(r, "samples") {
			b.Add(ops.Sample{
				At: ops.At(onset.Add(time.Duration(rapid.IntRange(-3600, 60).Draw(r, "at")) * time.Second)), Service: "pay",
				Indicator: rapid.SampledFrom([]string{"success_ratio", "latency_seconds", "queue"}).Draw(r, "indicator"),
				Store:     rapid.SampledFrom([]string{"", "A", "B"}).Draw(r, "store"), Value: value.Draw(r, "value"),
			})
		}
		for _, d := range suspects.Departures(b, []string{"pay"}, nil, onset, byName) {
			if d.At.After(onset.Add(time.Second)) || d.At.Before(onset.Add(-2*time.Hour)) || d.Interval < 0 || math.IsNaN(d.Size) || math.IsNaN(d.Course.Centre) || !(d.Course.Noise > 0) {
				r.Fatalf("%+v", d)
			}
		}
	})
}

// BenchmarkOnset finds the onset among few and among 5,000 units, with 30 minutes of samples of each.
func BenchmarkOnset(b *testing.B) {
	for _, n := range []int{3, 34, 5000} {
		buf, r := series.New(0, 0, 0), rand.New(rand.NewPCG(1, 2))
		for i := range n {
			f := signal(normal)
			if i%10 == 0 {
				f = level(0.6)
			}
			observe(buf, series.Key{Indicator: "success_ratio", Service: "pay", Unit: fmt.Sprint(i)}, f, 5*time.Second, 30*time.Minute, 30*time.Second, r)
		}
		b.Run(fmt.Sprintf("units=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, ok := suspects.Onset(buf, []string{"pay"}, nil, onset.Add(30*time.Second), good); !ok {
					b.Fatal("no onset")
				}
			}
		})
	}
}
