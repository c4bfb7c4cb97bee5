package rollup_test

import (
	"math"
	"testing"
	"time"

	"goc/changes/rollup"
	"goc/ops"
)

var (
	monday = time.Date(2026, 11, 16, 8, 0, 0, 0, time.UTC)
	pay    = rollup.Key{Service: "pay", Indicator: "success_ratio"}
)

// feed gives pay a value each 15 s from `from` up to, not at, `to`.
func feed(r *rollup.Rollup, from, to time.Duration, value float64) {
	for d := from; d < to; d += 15 * time.Second {
		at := monday.Add(d)
		r.Observe([]ops.Sample{{At: ops.At(at), Service: "pay", Indicator: "success_ratio", Value: value}}, at)
	}
}

func near(a, b float64) bool { return math.Abs(a-b) < 1e-9 }

func TestTheMeanIsOverTheTimeAskedForAndWhatIsOlderIsGone(t *testing.T) {
	r := rollup.New(map[rollup.Key]time.Duration{pay: time.Hour})
	feed(r, 0, time.Hour, 1)
	feed(r, time.Hour, time.Hour+5*time.Minute, 0)
	now := monday.Add(time.Hour + 5*time.Minute - time.Second)
	for d, want := range map[time.Duration]float64{5 * time.Minute: 0, 10 * time.Minute: 0.5, time.Hour: 55.0 / 60} {
		if c := r.Recent(pay, d, now); !near(c.Mean, want) || c.Covered != d {
			t.Errorf("over %s: %+v, want %v", d, c, want)
		}
	}
	if c := r.Recent(pay, time.Hour, now.Add(3*time.Hour)); c.Samples != 0 {
		t.Errorf("three hours later: %+v", c)
	}
	if c := r.Recent(rollup.Key{Service: "cart", Indicator: "success_ratio"}, time.Hour, now); c.Samples != 0 {
		t.Errorf("what is not tracked: %+v", c)
	}
}

func TestAMinuteWithManySamplesWeighsAsMuchAsOneWithFew(t *testing.T) {
	r := rollup.New(map[rollup.Key]time.Duration{pay: time.Hour})
	feed(r, 0, time.Minute, 1)
	for range 10_000 {
		feed(r, time.Minute, 2*time.Minute, 0)
	}
	if c := r.Recent(pay, 2*time.Minute, monday.Add(119*time.Second)); !near(c.Mean, 0.5) {
		t.Errorf("%+v", c)
	}
}

func TestWhatNobodyCouldHaveMeasuredIsLeftOut(t *testing.T) {
	r := rollup.New(map[rollup.Key]time.Duration{pay: time.Hour})
	for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		feed(r, 0, time.Minute, v)
	}
	r.Observe([]ops.Sample{{At: ops.At(monday.Add(24 * time.Hour)), Service: "pay", Indicator: "success_ratio"}}, monday)
	if c := r.Recent(pay, time.Hour, monday.Add(time.Minute)); c.Samples != 0 {
		t.Errorf("%+v", c)
	}
	feed(r, 0, time.Minute, 1)
	feed(r, -2*time.Hour, -time.Hour, 0) // late, and older than all that is kept
	if c := r.Recent(pay, time.Hour, monday.Add(time.Minute)); c.Mean != 1 {
		t.Errorf("%+v", c)
	}
}

func TestHoursOutliveTheProgram(t *testing.T) {
	track := map[rollup.Key]time.Duration{pay: 30 * 24 * time.Hour}
	r := rollup.New(track)
	feed(r, 0, time.Hour, 0.9)
	feed(r, time.Hour, 2*time.Hour, 1)
	again := rollup.New(track)
	for h := range 2 {
		at := monday.Add(time.Duration(h) * time.Hour)
		again.RestoreHour("success_ratio", at, r.Hour("success_ratio", at))
	}
	now := monday.Add(2*time.Hour - time.Second)
	for name, x := range map[string]*rollup.Rollup{"as it was": r, "after a restart": again} {
		if c := x.Hours(pay, 30*24*time.Hour, now); !near(c.Mean, 0.95) || c.Covered != 2*time.Hour {
			t.Errorf("%s: %+v", name, c)
		}
	}
	again.Restore(pay, now, 0.5)
	again.Restore(pay, now, 0.1) // known already
	if c := again.Recent(pay, time.Minute, now); c.Mean != 0.5 {
		t.Errorf("restored: %+v", c)
	}
}
