package suspects

import (
	"cmp"
	"slices"
	"time"

	"goc/incidents/series"
)

// maxExamined bounds the series in which an onset is looked for.
const maxExamined = 24

// worst picks, of many series, those that are furthest off course and those that have been for longest, by a glance at a
// few points of each. Their order stays.
func worst(list []*series.Series, end time.Time, direction func(service, indicator string) string) []*series.Series {
	if len(list) <= maxExamined {
		return list
	}
	seen := make([]glance, 0, len(list))
	for i, s := range list {
		if g, ok := look(s, end, direction(s.Service, s.Indicator)); ok {
			g.index = i
			seen = append(seen, g)
		}
	}
	pick := map[int]bool{}
	slices.SortFunc(seen, func(a, b glance) int { return cmp.Or(cmp.Compare(b.off, a.off), cmp.Compare(a.index, b.index)) })
	for _, g := range seen[:min(len(seen), maxExamined/2)] {
		pick[g.index] = true
	}
	slices.SortFunc(seen, func(a, b glance) int {
		return cmp.Or(cmp.Compare(b.long, a.long), cmp.Compare(b.off, a.off), cmp.Compare(a.index, b.index))
	})
	for _, g := range seen {
		if len(pick) < maxExamined {
			pick[g.index] = true
		}
	}
	out := make([]*series.Series, 0, len(pick))
	for i, s := range list {
		if pick[i] {
			out = append(out, s)
		}
	}
	return out
}

// glance is what a few points say of a series.
type glance struct {
	index int
	off   float64 // how far off it is now
	long  int     // at how many of the probed times it was off
}

// probes are how long before the end a glance looks.
var probes = [...]time.Duration{30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 15 * time.Minute}

// look compares the last three points with nine from the course. False when s is on course, or too little is known of it.
func look(s *series.Series, end time.Time, direction string) (glance, bool) {
	points := s.Between(end.Add(-OnsetLookback-courseBefore), end.Add(time.Second))
	n := courseLength(points, end)
	if n < 3 || len(points) < 5 {
		return glance{}, false
	}
	var some [9]series.Point
	for i := range some {
		some[i] = points[i*(n-1)/(len(some)-1)]
	}
	c := CourseOf(some[:], s.Indicator, direction)
	last := points[len(points)-3:]
	g := glance{off: max(min(c.Off(last[0].Value), c.Off(last[1].Value)), c.Off(last[2].Value))}
	if g.off < allowance {
		return g, false
	}
	for _, p := range probes {
		i, _ := slices.BinarySearchFunc(points, end.Add(-p).UnixMilli(), func(p series.Point, t int64) int { return cmp.Compare(p.At, t) })
		if i >= n && i < len(points) && c.Off(points[i].Value) > allowance {
			g.long++
		}
	}
	return g, true
}
