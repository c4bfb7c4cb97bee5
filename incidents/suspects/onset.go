package suspects

import (
	"cmp"
	"math"
	"slices"
	"time"

	"goc/incidents/series"
	"goc/ops"
)

// maxLookback bounds how long before the first alert an onset is looked for.
const maxLookback = 15 * time.Minute

// Departure is where a series left its course.
type Departure struct {
	At       time.Time     // the first sample off course after which it stayed off
	Interval time.Duration // between that sample and the one before: the onset may lie anywhere in it
	Size     float64       // in units of the series' own noise
	Key      series.Key
}

// Onset finds when the symptom of the services began: the earliest lasting departure among their series that was still
// there when the alert came. Only the indicator that departed most counts, and of its series those that departed about as far. False when no
// series departed, or none was seen for long enough.
func Onset(b *series.Buffer, services, stores []string, alert time.Time, direction func(service, indicator string) string) (Departure, bool) {
	var all []Departure
	for _, name := range services {
		for _, s := range b.OfService(name) {
			if len(stores) > 0 && s.Store != "" && !slices.Contains(stores, s.Store) {
				continue
			}
			if d, ok := departure(s, alert, direction(s.Service, s.Indicator)); ok {
				all = append(all, d)
			}
		}
	}
	if len(all) == 0 {
		return Departure{}, false
	}
	greatest := slices.MaxFunc(all, func(a, b Departure) int { return cmp.Compare(a.Size, b.Size) })
	var first Departure
	for _, d := range all {
		if d.Size >= greatest.Size/3 && d.Key.Indicator == greatest.Key.Indicator && (first.At.IsZero() || d.At.Before(first.At)) {
			first = d
		}
	}
	return first, true
}

// departure finds where s left its course, looking back from the alert while its samples stay off course.
func departure(s *series.Series, alert time.Time, direction string) (Departure, bool) {
	points := s.Between(alert.Add(-2*maxLookback), alert.Add(time.Second))
	start := alert.Add(-maxLookback).UnixMilli()
	split, _ := slices.BinarySearchFunc(points, start, func(p series.Point, t int64) int { return int(p.At - t) })
	base := points[:max(split, min(len(points)/2, 5))]
	if len(base) < 3 || len(points) == len(base) || len(points) < 5 {
		return Departure{}, false
	}
	centre, noise := course(base, s.Indicator)
	off := func(p series.Point) float64 {
		switch direction {
		case ops.GoodHigher:
			return (centre - p.Value) / noise
		case ops.GoodLower:
			return (p.Value - centre) / noise
		}
		return math.Abs(p.Value-centre) / noise
	}
	i, size := len(points), 0.0
	for i > len(base) && off(points[i-1]) > 4 {
		i--
		size = max(size, off(points[i]))
	}
	if i == len(points) {
		return Departure{}, false
	}
	return Departure{At: time.UnixMilli(points[i].At).UTC(), Interval: time.Duration(points[i].At-points[i-1].At) * time.Millisecond, Size: size, Key: s.Key}, true
}

// course is the median of the points and their noise: the median distance from it, never less than what is worth noticing.
func course(points []series.Point, indicator string) (centre, noise float64) {
	values := make([]float64, len(points))
	for i, p := range points {
		values[i] = p.Value
	}
	centre = median(values)
	for i := range values {
		values[i] = math.Abs(values[i] - centre)
	}
	floor := 0.05 * math.Abs(centre)
	if level(indicator, ops.GoodHigher, 1) == -1/meaningful { // a ratio
		floor = 0.003
	}
	return centre, max(1.4826*median(values), floor, 1e-9)
}

func median(values []float64) float64 {
	sorted := slices.Clone(values)
	slices.Sort(sorted)
	n := len(sorted)
	if n%2 == 1 {
		return sorted[n/2]
	}
	return (sorted[n/2-1] + sorted[n/2]) / 2
}
