package series_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"goc/incidents/series"
	"goc/ops"
)

var start = time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC)

func sample(at time.Duration, service string, v float64) ops.Sample {
	return ops.Sample{At: ops.At(start.Add(at)), Indicator: "x", Service: service, Value: v}
}

func TestSamplesComeInAnyOrderAndTheNewestWordCounts(t *testing.T) {
	b := series.New(time.Hour, 0, 0)
	for _, s := range []ops.Sample{sample(3, "a", 3), sample(1*time.Minute, "a", 1), sample(3*time.Minute, "a", 3), sample(2*time.Minute, "a", 2), sample(2*time.Minute, "a", 22)} {
		b.Add(s)
	}
	var got []float64
	for _, p := range b.OfService("a")[0].Between(start.Add(time.Minute), start.Add(3*time.Minute)) {
		got = append(got, p.Value)
	}
	if fmt.Sprint(got) != "[1 22]" {
		t.Errorf("between one and three minutes stand %v, want [1 22]", got)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	b := series.New(10*time.Minute, 3, 100)
	for i := range 1000 {
		b.Add(sample(time.Duration(i)*time.Second, "a", float64(i)))
	}
	s := b.OfService("a")[0]
	if n := len(s.Between(start, start.Add(time.Hour))); n > 125 {
		t.Errorf("a series keeps %d points, want at most 125", n)
	}
	for i := range 5 {
		b.Add(sample(1000*time.Second, fmt.Sprint("s", i), 1))
	}
	if b.Len() != 3 || b.Refused != 3 {
		t.Errorf("%d series, %d samples refused; want 3 and 3", b.Len(), b.Refused)
	}
	b.Add(sample(2000*time.Second, "a", 1))
	if !b.Add(sample(2000*time.Second, "fresh", 1)) || b.Len() != 2 {
		t.Errorf("series that ended do not make room: %d series", b.Len())
	}
	for _, bad := range []ops.Sample{sample(0, "a", 1), sample(2000*time.Second, "a", math.NaN()), sample(2000*time.Second, "a", math.Inf(1))} {
		if b.Add(bad) {
			t.Errorf("took %+v", bad)
		}
	}
}
