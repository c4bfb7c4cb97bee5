package fleet

import (
	"math"
	"strconv"

	"goc/ops"
)

// readings are what a beat may tell beyond that its device is alive: battery, temperature, paper and queue.
const readings = 4

const battery = 0 // the number of the reading that every row has room for

// gauge is how a reading is kept: as a number of its steps.
type gauge struct {
	name     string
	min, max float64
	steps    float64 // in one
	unit     string  // as people say it
	percent  bool
	wrong    string
}

// gauges are in the order of ops.Readings, and say what it says.
var gauges = func() (out [readings]gauge) {
	for i, k := range ops.Readings() {
		out[i] = gauge{name: k.Name, min: k.Min, max: k.Max, steps: [readings]float64{10_000, 100, 10_000, 1}[i]}
	}
	out[0].unit, out[1].unit, out[2].unit = " %", " °C", " %"
	out[0].percent, out[2].percent = true, true
	out[0].wrong, out[1].wrong, out[2].wrong, out[3].wrong = badBattery, badDegrees, badPaper, badQueue
	return out
}()

func (g *gauge) kept(v float64) int16 { return int16(math.Round(v * g.steps)) }

func (g *gauge) value(kept int16) float64 { return float64(kept) / g.steps }

// say is a value as people say it: 3 %, 71.5 °C, 14.
func (g *gauge) say(kept int16) string {
	v := g.value(kept)
	if g.percent {
		v = float64(kept) / 100
	}
	return strconv.FormatFloat(v, 'f', -1, 64) + g.unit
}

// limits are those of a kind, by reading.
type limits [readings]limit

// limit is one reading's, in the steps of its gauge.
type limit struct {
	named             bool // the catalog names it
	low, high         int16
	lowBack, highBack int16 // where a reading that was beyond is well again
	wait              int64 // s for which it must be beyond
}

const noLow, noHigh = math.MinInt16, math.MaxInt16

// limitsOf turns what the catalog says of a kind into what a beat is held against; nil when it says nothing.
func limitsOf(t *ops.Telemetry) *limits {
	if t == nil {
		return nil
	}
	out := &limits{}
	for i, of := range t.Limits() {
		l, g := &out[i], &gauges[i]
		l.low, l.high, l.lowBack, l.highBack = noLow, noHigh, noLow, noHigh
		if of == nil {
			continue
		}
		low, high := of.Back(ops.Readings()[i])
		l.named, l.wait = true, int64(of.For)/1e9
		if of.Low != nil {
			l.low, l.lowBack = g.kept(*of.Low), g.kept(low)
		}
		if of.High != nil {
			l.high, l.highBack = g.kept(*of.High), g.kept(high)
		}
	}
	return out
}

// of returns a reading's limit, nil when its kind has none.
func (l *limits) of(reading uint8) *limit {
	if l == nil {
		return nil
	}
	return &l[reading]
}

// names says whether the catalog names a reading.
func (l *limits) names(reading uint8) bool { return l != nil && l[reading].named }

// judge says whether a reading is beyond its limit: was says whether it was, since when it has been outside (Unix s, 0 when
// it has not). One that was beyond stays so until it is well inside; one that was not must be outside for as long as the
// limit says.
func (l *limit) judge(v int16, was bool, since, now int64) (beyond bool, outside int64) {
	if l == nil {
		return false, 0
	}
	if was {
		if v >= l.lowBack && v <= l.highBack {
			return false, 0
		}
		return true, since
	}
	if v >= l.low && v <= l.high {
		return false, 0
	}
	if since == 0 {
		since = now
	}
	return now-since >= l.wait, since
}

// why says of a reading that is beyond its limit what is wrong with it.
func (l *limit) why(reading uint8, v int16) string {
	g := &gauges[reading]
	text := g.name + " " + g.say(v)
	switch {
	case v < l.low:
		return text + " is below " + g.say(l.low)
	case v > l.high:
		return text + " is above " + g.say(l.high)
	case v < l.lowBack:
		return text + " is not yet back at " + g.say(l.lowBack)
	}
	return text + " is not yet back at " + g.say(l.highBack)
}
