package bake

import (
	"math"
	"slices"
)

// rhythm is one indicator over time: its values one step apart, NaN where there are none, and where the bake begins.
type rhythm struct {
	values []float64
	from   int // the first step after the change was out
	bake   int // steps that the bake takes as a whole, also when it is not over
	day    int // steps of a day; 0 when there is less than a day, and so no rhythm to take off
}

// The scan. Window lengths and the stretch before are in steps; a step is a minute,
// but less for a bake of a few minutes, of which no earlier days are kept.
var scanWindows = [...]int{3, 5, 10, 20}

const (
	before       = 30                 // how long before a change counts as its level
	maxDays      = 7                  // from how many days the rhythm is taken
	smooth       = 2                  // steps to either side that one value of an earlier day is the median of
	nullEvery    = 15                 // steps between two earlier times at which the same scan is done
	sameTime     = 60                 // steps by which an earlier time may differ from the time of day of the change
	minSameTime  = 8                  // scans at the same time of day that suffice
	minAnyTime   = 12                 // scans at any time that suffice
	usual        = 0.95               // the share of earlier scans that stays below what still counts as usual
	normalUsual  = 1.6448536269514722 // the standard normal's
	minRelative  = 0.01               // a departure of less than this part of the level is nothing to speak of
	minCoverage  = 0.5                // of a window that must have values
	minBakeSteps = 3
)

// departure is how far an indicator went from its rhythm after a change, and what is usual.
type departure struct {
	score  float64 // size divided by what 95 % of earlier scans stay below, so that more than 1 is unusual
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
	if horizon < minBakeSteps || r.from < before {
		return departure{}, false
	}
	res := newResidual(r)
	now, ok := res.farthest(r.from, horizon, sign)
	if !ok {
		return departure{}, false
	}
	null := res.earlier(max(r.bake, horizon), sign)
	if null == nil {
		return departure{}, false
	}
	floor := math.Max(minRelative*math.Abs(median(slices.Clone(r.values[r.from-before:r.from]))), resolution(r.values[:r.from]))
	scale := scales(null, floor)
	var usuals []float64
	for _, n := range null {
		v, _ := worst(n, scale)
		usuals = append(usuals, v)
	}
	v, w := worst(now, scale)
	d := departure{score: v / limit(usuals, among), size: now[w].size, at: now[w].at, length: scanWindows[w], scans: len(null)}
	d.level = res.values.mean(d.at, d.at+d.length) - d.size
	return d, true
}

// limit is what still counts as usual: 95 % of the earlier scans stay below it, and it is never less than the scale. When
// several indicators are looked at, it moves out so far that all of them together stay below in 95 % of cases, if the
// logarithms of the scans are normal.
func limit(scans []float64, among int) float64 {
	slices.Sort(scans)
	q := math.Max(quantile(scans, usual), 1)
	if among <= 1 {
		return q
	}
	logs := make([]float64, len(scans))
	for i, v := range scans {
		logs[i] = math.Log(math.Max(v, 1e-3))
	}
	z := math.Sqrt2 * math.Erfinv(2*math.Pow(usual, 1/float64(among))-1)
	return q * math.Exp((z-normalUsual)*deviation(logs))
}

// window is the farthest window of one length.
type window struct {
	size float64 // signed
	far  float64 // how far in the direction that is bad, at least 0
	at   int
}

type scanned [len(scanWindows)]window

// residual is what is left of an indicator when its rhythm is taken off.
type residual struct {
	rhythm
	smoothed []float64
	left     []float64
	sums     sums // of left
	values   sums // of the values themselves
}

func newResidual(r rhythm) *residual {
	x := &residual{rhythm: r, left: make([]float64, len(r.values))}
	if r.day > 0 {
		x.smoothed = smoothed(r.values)
	}
	for i := range x.left {
		x.left[i] = r.values[i] - x.expected(i)
	}
	x.sums, x.values = newSums(x.left), newSums(r.values)
	return x
}

// expected is the median of the values at the same time on other days: days before, and for times well before the change
// also days after, but nothing from after the change.
func (x *residual) expected(i int) float64 {
	if x.day == 0 {
		return 0
	}
	var days [2 * maxDays]float64
	n := 0
	for d := 1; d <= maxDays; d++ {
		if k := i - d*x.day; k >= 0 && !math.IsNaN(x.smoothed[k]) {
			days[n] = x.smoothed[k]
			n++
		}
		if k := i + d*x.day; k+smooth < x.from && i < x.from-x.day && !math.IsNaN(x.smoothed[k]) {
			days[n] = x.smoothed[k]
			n++
		}
	}
	return median(days[:n])
}

// farthest scans the steps from at to at+horizon against the level of the steps before at.
func (x *residual) farthest(at, horizon int, sign float64) (scanned, bool) {
	var out scanned
	if at < before {
		return out, false
	}
	level := median(slices.Clone(x.left[at-before : at]))
	if math.IsNaN(level) {
		return out, false
	}
	for w, length := range scanWindows {
		for a := at; a+length <= at+horizon; a++ {
			size := x.sums.mean(a, a+length) - level
			far := math.Abs(size)
			if sign != 0 {
				far = math.Max(0, sign*size)
			}
			if far > out[w].far || (far == out[w].far && out[w].at == 0) {
				out[w] = window{size, far, a}
			}
		}
	}
	return out, out[0].at > 0
}

// earlier scans as much time before the change, at the same time of earlier days where there are enough of those.
func (x *residual) earlier(horizon int, sign float64) []scanned {
	var same, all []scanned
	for at := before; at+horizon <= x.from; at += nullEvery {
		s, ok := x.farthest(at, horizon, sign)
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
	switch {
	case len(same) >= minSameTime:
		return same
	case len(all) >= minAnyTime:
		return all
	}
	return nil
}

// resolution is the smallest distance between two different values: 1 of a count, next to nothing of a measure. A mean
// that moves by less is noise, however still the indicator was before.
func resolution(v []float64) float64 {
	sorted := slices.Clone(v)
	slices.Sort(sorted) // NaN first
	least := 0.0
	for i := 1; i < len(sorted); i++ {
		if gap := sorted[i] - sorted[i-1]; gap > 0 && (least == 0 || gap < least) {
			least = gap
		}
	}
	return least
}

// scales are what each window's departure is measured in: the median of the earlier ones, but at least floor.
func scales(null []scanned, floor float64) [len(scanWindows)]float64 {
	var out [len(scanWindows)]float64
	for w := range out {
		v := make([]float64, len(null))
		for i, n := range null {
			v[i] = n[w].far
		}
		out[w] = math.Max(median(v), math.Max(floor, 1e-12))
	}
	return out
}

// worst is the farthest of all windows, in multiples of the scales, and which one it is.
func worst(s scanned, scale [len(scanWindows)]float64) (v float64, w int) {
	for i := range s {
		if f := s[i].far / scale[i]; f > v {
			v, w = f, i
		}
	}
	return v, w
}

// sums gives the mean of any stretch at once.
type sums struct{ sum, count []float64 }

func newSums(v []float64) sums {
	s := sums{make([]float64, len(v)+1), make([]float64, len(v)+1)}
	for i, x := range v {
		s.sum[i+1], s.count[i+1] = s.sum[i], s.count[i]
		if !math.IsNaN(x) {
			s.sum[i+1] += x
			s.count[i+1]++
		}
	}
	return s
}

// mean is that of the steps from a to b, NaN when fewer than half of them have a value.
func (s sums) mean(a, b int) float64 {
	n := s.count[b] - s.count[a]
	if n < minCoverage*float64(b-a) || n == 0 {
		return math.NaN()
	}
	return (s.sum[b] - s.sum[a]) / n
}

// smoothed replaces each value by the median of those around it.
func smoothed(v []float64) []float64 {
	out := make([]float64, len(v))
	var around [2*smooth + 1]float64
	for i := range v {
		n := copy(around[:], v[max(0, i-smooth):min(len(v), i+smooth+1)])
		out[i] = median(around[:n])
	}
	return out
}

// median sorts v and returns its middle, NaN when v holds no number.
func median(v []float64) float64 {
	n := 0
	for _, x := range v {
		if !math.IsNaN(x) {
			v[n] = x
			n++
		}
	}
	v = v[:n]
	if n == 0 {
		return math.NaN()
	}
	slices.Sort(v)
	return (v[(n-1)/2] + v[n/2]) / 2
}

// quantile of sorted values, between two of them in proportion.
func quantile(sorted []float64, q float64) float64 {
	i := q * float64(len(sorted)-1)
	lo := int(i)
	if lo+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[lo] + (i-float64(lo))*(sorted[lo+1]-sorted[lo])
}

// deviation is the standard deviation of v.
func deviation(v []float64) float64 {
	if len(v) < 2 {
		return 0
	}
	mean, sum := 0.0, 0.0
	for _, x := range v {
		mean += x / float64(len(v))
	}
	for _, x := range v {
		sum += (x - mean) * (x - mean)
	}
	return math.Sqrt(sum / float64(len(v)-1))
}
