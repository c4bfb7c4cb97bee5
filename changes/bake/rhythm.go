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
	leastLevel   = 30   // how long before a change counts as its level: half as long as the bake takes, but at least this
	mostLevel    = 60   // and at most this, for an older level says less
	maxDays      = 7    // from how many days the rhythm is taken
	smooth       = 2    // steps to either side that one value of an earlier day is the median of
	nullEvery    = 15   // steps between two earlier times at which the same scan is done
	sameTime     = 60   // steps by which an earlier time may differ from the time of day of the change
	minSameTime  = 8    // scans at the same time of day that suffice
	minAnyTime   = 12   // scans at any time that suffice
	minRelative  = 0.01 // a departure of less than this part of the level is nothing to speak of
	minCoverage  = 0.5  // of the values that a window usually has
	minBakeSteps = 3
)

// window is the farthest window of one length.
type window struct {
	size float64 // signed
	far  float64 // how far in the direction that is bad, at least 0
	at   int

	length int // of the window, 0 when there was none with enough values
}

// scanned is the farthest window of each length, of those that end early in the bake and of those that end later.
type scanned [parts][len(scanWindows)]window

// residual is what is left of an indicator when its rhythm is taken off.
type residual struct {
	rhythm
	before   int // steps whose level counts as that before
	smoothed []float64
	left     []float64
	sums     sums // of left
	values   sums // of the values themselves
}

func newResidual(r rhythm) *residual {
	x := &residual{rhythm: r, before: r.before(), left: make([]float64, len(r.values))}
	if r.day > 0 {
		x.smoothed = smoothed(r.values)
	}
	for i := range x.left {
		x.left[i] = r.values[i] - x.expected(i)
	}
	x.sums, x.values = newSums(x.left, r.from), newSums(r.values, r.from)
	return x
}

// before is how many steps before a change count as its level.
func (r rhythm) before() int {
	return min(max(r.bake/2, leastLevel), mostLevel, max(r.from/2, leastLevel))
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

// sums gives the mean of any stretch at once.
type sums struct {
	sum, count []float64
	need       float64 // values for each step of a stretch, fewer of which are too few
}

// newSums sums v up. How many of the steps before from have a value says how many are usual: one in five for an indicator
// that is measured every five steps.
func newSums(v []float64, from int) sums {
	s := sums{sum: make([]float64, len(v)+1), count: make([]float64, len(v)+1)}
	for i, x := range v {
		s.sum[i+1], s.count[i+1] = s.sum[i], s.count[i]
		if !math.IsNaN(x) {
			s.sum[i+1] += x
			s.count[i+1]++
		}
	}
	s.need = minCoverage * s.count[from] / math.Max(1, float64(from))
	return s
}

// mean is that of the steps from a to b, NaN when fewer than half as many of them as usual have a value.
func (s sums) mean(a, b int) float64 {
	n := s.count[b] - s.count[a]
	if n < s.need*float64(b-a) || n == 0 {
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

// median reorders v and returns its middle, NaN when v holds no number.
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
	upper := nth(v, n/2)
	if n%2 == 1 {
		return upper
	}
	return (slices.Max(v[:n/2]) + upper) / 2
}

// fewEnough is the length up to which sorting is quicker than selecting.
const fewEnough = 24

// nth puts the k-th smallest of v at k, with none larger before it, and returns it (Hoare's selection).
func nth(v []float64, k int) float64 {
	lo, hi := 0, len(v)
	for hi-lo > fewEnough {
		a, b, c := v[lo], v[lo+(hi-lo)/2], v[hi-1]
		pivot := max(min(a, b), min(max(a, b), c))
		i, j := lo, hi-1
		for i <= j {
			for v[i] < pivot {
				i++
			}
			for v[j] > pivot {
				j--
			}
			if i <= j {
				v[i], v[j] = v[j], v[i]
				i, j = i+1, j-1
			}
		}
		switch {
		case k <= j:
			hi = j + 1
		case k >= i:
			lo = i
		default:
			return v[k]
		}
	}
	slices.Sort(v[lo:hi])
	return v[k]
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
