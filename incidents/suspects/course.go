package suspects

import (
	"math"
	"slices"
	"strings"

	"goc/incidents/series"
	"goc/ops"
)

// Course is how an indicator runs while all is well.
type Course struct {
	Centre    float64 `json:"centre"`              // its median
	Noise     float64 `json:"noise"`               // how far it strays by itself; never less than what is worth noticing, never 0
	Direction string  `json:"direction,omitempty"` // which way is good: higher, lower, steady
}

// Off is how far v is off course in units of the noise; positive is worse.
func (c Course) Off(v float64) float64 {
	switch c.Direction {
	case ops.GoodHigher:
		return (c.Centre - v) / c.Noise
	case ops.GoodLower:
		return (v - c.Centre) / c.Noise
	}
	return math.Abs(v-c.Centre) / c.Noise
}

// OffCourse is the distance from which on one sample is off its course: further than chance goes in thousands of samples.
const OffCourse = 4

// Bounds of the noise: the floors below which nobody would notice, and the number of points that are enough to know it.
const (
	ratioFloor    = 0.003
	relativeFloor = 0.05
	tailBound     = 10 // rare blips widen the noise to at most so many floors: an earlier trouble must not hide the next
	enoughPoints  = 128
)

// CourseOf is the course that the points show: their median, and as noise the median distance from it or, where most
// points are alike and a few stray (one failed call among twenty), what those few stray. One must be given at least.
func CourseOf(points []series.Point, indicator, direction string) Course {
	stride := (len(points) + enoughPoints - 1) / enoughPoints
	values := make([]float64, 0, enoughPoints)
	for i := 0; i < len(points); i += stride {
		values = append(values, points[i].Value)
	}
	slices.Sort(values)
	c := Course{Centre: middle(values), Direction: direction}
	for i, v := range values {
		values[i] = math.Abs(v - c.Centre)
	}
	slices.Sort(values)
	floor := relativeFloor * math.Abs(c.Centre)
	if strings.HasSuffix(indicator, "_ratio") {
		floor = ratioFloor
	}
	tail := values[len(values)*39/40] / 2.5 // 2.5 % of normal values lie further out than 2.24 deviations
	c.Noise = max(1.4826*middle(values), floor, min(tail, tailBound*floor), 1e-9)
	return c
}

// middle is the median of sorted values.
func middle(sorted []float64) float64 {
	n := len(sorted)
	if n%2 == 1 {
		return sorted[n/2]
	}
	return (sorted[n/2-1] + sorted[n/2]) / 2
}

// The cumulative sum by which an excursion is followed, after Page (1954): what exceeds the allowance adds up, what stays
// below it takes off again. Both bounds keep one wild sample, or a long trouble that is over, from counting for long.
const (
	allowance = 2
	mostOff   = 8
	mostSum   = 16
)

// excursion finds the first of the points after which the course was left and, up to the last point, not taken again.
// Single points on course in between do not end it. False when the last points are on course.
func excursion(points []series.Point, from int, c Course) (int, bool) {
	start, sum := -1, 0.0
	for i := from; i < len(points); i++ {
		sum = min(mostSum, sum+min(mostOff, c.Off(points[i].Value))-allowance)
		switch {
		case sum <= 0:
			start, sum = -1, 0
		case start < 0:
			start = i
		}
	}
	return start, start >= 0 && sum >= OffCourse-allowance
}
