package bake

import (
	"math"
	"slices"
)

// The calibration of the scan. Neither number is fitted to recorded cases: falseAlarms is what we accept, and the tail is
// where a scan is still often seen.
const (
	parts       = 2    // early and late in the bake, each with its own calibration
	earlyPart   = 0.25 // of the bake that is early
	falseAlarms = 0.05 // of all healthy bakes, over all indicators and both parts
	tail        = 0.9  // the quantile of earlier scans from which, with the median, the rest of the tail is drawn out
	anyTimeDays = 2    // how many days' worth of scans at the same time the scans at any time are taken for
	minShare    = 1e-3 // of the usual departure; less than that is as good as none
)

// departure is how far an indicator went from its rhythm after a change, and what is usual.
type departure struct {
	score  float64 // size divided by what is still usual, so that more than 1 is unusual
	size   float64 // in the indicator's unit, signed
	at     int     // the step at which the farthest window begins
	length int     // steps of that window
	scans  int     // how many earlier scans were compared with
	level  float64 // what was to be expected in that window
}

// scan measures the farthest departure after the change in windows of several lengths, measures the same at earlier
// times, and divides. sign is +1 when only more is bad, -1 when only less is, 0 when both are. among is how many
// indicators are looked at: the more, the farther one may be out by chance. It returns false when there is too little
// to compare.
//
// Earlier times are scanned for as long as the whole bake takes. So the score only grows while a bake is under way, and
// to look often does not make it wrong more often.
func (r rhythm) scan(sign float64, among int) (departure, bool) {
	horizon := len(r.values) - r.from
	if horizon < minBakeSteps || r.from < leastLevel {
		return departure{}, false
	}
	res := newResidual(r)
	whole := max(r.bake, horizon)
	now, ok := res.farthest(r.from, horizon, whole, sign)
	if !ok {
		return departure{}, false
	}
	same, all := res.earlier(whole, sign)
	if len(same) < minSameTime && len(all) < minAnyTime {
		return departure{}, false
	}
	c := calibration{same: same, all: all, floor: res.floor(), days: float64(r.from) / float64(max(1, r.day))}
	best := departure{score: -1, scans: len(all)}
	for part, share := range shares(whole) {
		z := deviate(share * (1 - math.Pow(1-falseAlarms, 1/float64(max(1, among)))))
		if score, w := c.score(now, part, z); score > best.score && now[part][w].length > 0 {
			best.score, best.size, best.at, best.length = score, now[part][w].size, now[part][w].at, scanWindows[w]
		}
	}
	best.level = res.values.mean(best.at, best.at+best.length) - best.size
	return best, true
}

// floor is the departure that is nothing to speak of: a hundredth of the level, or one of a count.
func (x *residual) floor() float64 {
	level := median(slices.Clone(x.rhythm.values[x.from-leastLevel : x.from]))
	if math.IsNaN(level) {
		level = 0
	}
	return math.Max(math.Max(minRelative*math.Abs(level), resolution(x.rhythm.values[:x.from])), 1e-12)
}

// farthest scans the steps from at to at+horizon of a bake of whole steps against the level of the steps before at.
func (x *residual) farthest(at, horizon, whole int, sign float64) (out scanned, ok bool) {
	if at < x.before {
		return out, false
	}
	level := median(slices.Clone(x.left[at-x.before : at]))
	if math.IsNaN(level) {
		return out, false
	}
	early := at + int(earlyPart*float64(whole))
	for w, length := range scanWindows {
		for a := at; a+length <= at+horizon; a++ {
			size := x.sums.mean(a, a+length) - level
			if math.IsNaN(size) {
				continue
			}
			far := math.Abs(size)
			if sign != 0 {
				far = math.Max(0, sign*size)
			}
			part := 0
			if a+length > early {
				part = 1
			}
			if o := &out[part][w]; far > o.far || o.length == 0 {
				*o, ok = window{size, far, a, length}, true
			}
		}
	}
	return out, ok
}

// earlier scans as much time before the change: at the same time of earlier days, and at any time.
func (x *residual) earlier(whole int, sign float64) (same, all []scanned) {
	for at := x.before; at+whole <= x.from; at += nullEvery {
		s, ok := x.farthest(at, whole, whole, sign)
		if !ok {
			continue
		}
		all = append(all, s)
		if x.day == 0 {
			continue
		}
		off := (x.from - at) % x.day
		if min(off, x.day-off) <= sameTime {
			same = append(same, s)
		}
	}
	return same, all
}

// shares is how the chance of a false alarm is spent on the parts of a bake: as it is likely for a fault to show there.
// How long a change takes to do harm spreads over orders of magnitude, so that as many faults show between one and ten
// minutes as between ten and a hundred. A bake too short to have an early window is one part.
func shares(whole int) [parts]float64 {
	early := earlyPart * float64(whole)
	if int(early) < scanWindows[0] {
		return [parts]float64{0, 1}
	}
	s := math.Log1p(early) / math.Log1p(float64(whole))
	return [parts]float64{s, 1 - s}
}

// calibration says what is usual, from earlier scans.
type calibration struct {
	same, all []scanned // at the same time of day, and at any time; the first may be too few
	floor     float64
	days      float64
}

// score is the worst of a part's windows, in multiples of what is still usual, and which one it is.
//
// Scans at the same time of day know of the hour that is always restless, but those of one day are nearly one and the
// same, so that two days are two scans, however often one looks; scans at any time are many. What is usual is taken
// between the two, the nearer to the same time of day the more days there are.
func (c calibration) score(now scanned, part int, z float64) (float64, int) {
	score, w := c.against(c.all, now, part, z)
	if len(c.same) < minSameTime {
		return score, w
	}
	same, at := c.against(c.same, now, part, z)
	if len(c.all) < minAnyTime {
		return same, at
	}
	weight := c.days / (c.days + anyTimeDays)
	return math.Pow(same, weight) * math.Pow(score, 1-weight), w
}

// against divides the worst of a part's windows by what is usual among earlier scans: their median, moved out by z standard
// deviations of their logarithm, but never less than the scale of the window.
func (c calibration) against(null []scanned, now scanned, part int, z float64) (float64, int) {
	scale := scales(null, part, c.floor)
	logs := make([]float64, len(null))
	for i, n := range null {
		v, _ := worst(n, part, scale)
		logs[i] = math.Log(math.Max(v, minShare))
	}
	slices.Sort(logs)
	middle := quantile(logs, 0.5)
	spread := (quantile(logs, tail) - middle) / deviate(1-tail)
	v, w := worst(now, part, scale)
	return v / math.Max(1, math.Exp(middle+z*spread)), w
}

// deviate is what a standard normal variable exceeds with probability p.
func deviate(p float64) float64 { return math.Sqrt2 * math.Erfinv(1-2*math.Max(p, 1e-15)) }

// scales are what each window's departure is measured in: the median of the earlier ones, but at least floor.
func scales(null []scanned, part int, floor float64) [len(scanWindows)]float64 {
	var out [len(scanWindows)]float64
	v := make([]float64, len(null))
	for w := range out {
		for i, n := range null {
			v[i] = n[part][w].far
		}
		out[w] = math.Max(median(v), floor)
	}
	return out
}

// worst is the farthest of all windows of a part, in multiples of the scales, and which one it is.
func worst(s scanned, part int, scale [len(scanWindows)]float64) (v float64, w int) {
	for i, x := range s[part] {
		if f := x.far / scale[i]; f > v || (s[part][w].length == 0 && x.length > 0) {
			v, w = f, i
		}
	}
	return v, w
}
