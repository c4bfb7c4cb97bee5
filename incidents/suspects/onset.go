package suspects

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"goc/incidents/series"
	"goc/ops"
)

// Lookback of an onset: how long before the alert it may lie, and how much more is read to know the course before it.
const (
	OnsetLookback = 30 * time.Minute
	courseBefore  = 30 * time.Minute
)

// Departure is where a series left its course.
type Departure struct {
	At       time.Time     // the first sample off course or, where it left gradually, where the trend began
	Interval time.Duration // the true time lies within so much of At: the gap between samples, and what a trend leaves open
	Size     float64       // how far off it now is, in units of its own noise
	Gradual  bool          // it left over many samples instead of at one
	Key      series.Key
	Course   Course // before it left
}

// Text says where the signal shows the onset.
func (d Departure) Text() string {
	where := cmp.Or(d.Key.Unit, d.Key.CallerUnit, d.Key.Store)
	if where != "" {
		where = " in " + where
	}
	how := "left its course"
	if d.Gradual {
		how = "began to slip"
	}
	return fmt.Sprintf("%s of %s%s %s, to within %s", d.Key.Indicator, d.Key.Service, where, how, ops.Since(d.Interval))
}

// Onset finds when the symptom of the services began: where the first of their series left its course without taking it
// again until end. Only the indicator that departed most counts, and of its series those that departed about as far; one
// that stands alone in time must be as clear as any, so that a noisy one does not fix the onset. False when no series
// departed, or none was seen for long enough.
func Onset(b *series.Buffer, services, stores []string, end time.Time, direction func(service, indicator string) string) (Departure, bool) {
	return First(Departures(b, services, stores, end, direction))
}

// First picks the onset out of the departures of one symptom.
func First(all []Departure) (Departure, bool) {
	if len(all) == 0 {
		return Departure{}, false
	}
	greatest := slices.MaxFunc(all, func(a, b Departure) int { return cmp.Compare(a.Size, b.Size) })
	same := slices.DeleteFunc(slices.Clone(all), func(d Departure) bool {
		return d.Key.Indicator != greatest.Key.Indicator || d.Size < greatest.Size/3
	})
	slices.SortStableFunc(same, func(a, b Departure) int { return a.At.Compare(b.At) })
	for i, d := range same {
		if d.Size >= greatest.Size/2 || supported(same[i:]) {
			return d, true
		}
	}
	return greatest, true
}

// supported says whether the first of the departures has company: one in five of them, itself apart, left when it did.
func supported(list []Departure) bool {
	with := 0
	for _, d := range list[1:] {
		if d.At.Sub(list[0].At) <= list[0].Interval+d.Interval {
			with++
		}
	}
	return 5*with >= len(list) && with > 0
}

// Departures finds the series of the services that left their course and had not taken it again at end, in the order in
// which they were first seen. Of many series those that look worst are examined.
func Departures(b *series.Buffer, services, stores []string, end time.Time, direction func(service, indicator string) string) []Departure {
	var out []Departure
	for _, s := range worst(concerned(b, services, stores, direction), end, direction) {
		if d, ok := DepartureOf(s, end, direction(s.Service, s.Indicator)); ok {
			out = append(out, d)
		}
	}
	return out
}

// concerned lists the series of the services, in the stores where some are named.
func concerned(b *series.Buffer, services, stores []string, direction func(service, indicator string) string) []*series.Series {
	in := make(map[string]bool, len(stores))
	for _, s := range stores {
		in[s] = true
	}
	var out []*series.Series
	for _, name := range services {
		for _, s := range b.OfService(name) {
			if (len(in) == 0 || s.Store == "" || in[s.Store]) && direction(s.Service, s.Indicator) != ops.GoodNone {
				out = append(out, s)
			}
		}
	}
	return out
}

// DepartureOf finds where s left its course, if it had not taken it again at end.
func DepartureOf(s *series.Series, end time.Time, direction string) (Departure, bool) {
	points := s.Between(end.Add(-OnsetLookback-courseBefore), end.Add(time.Second))
	n := courseLength(points, end)
	if n < 3 || len(points) < 5 {
		return Departure{}, false
	}
	c := CourseOf(points[:n], s.Indicator, direction)
	start, ok := excursion(points, n, c)
	if ok && start > n+n/2 { // all that came before it is known better
		c = CourseOf(points[:start], s.Indicator, direction)
		start, ok = excursion(points, n, c)
	}
	if !ok {
		return Departure{}, false
	}
	d := rise(points, start, c)
	d.Key, d.Course = s.Key, c
	return d, true
}

// courseLength is how many of the points, from the first, are taken for its course: those before the lookback, else a
// quarter of them, and all but one at most.
func courseLength(points []series.Point, end time.Time) int {
	from := end.Add(-OnsetLookback).UnixMilli()
	split, _ := slices.BinarySearchFunc(points, from, func(p series.Point, t int64) int { return cmp.Compare(p.At, t) })
	return min(max(split, min(5, len(points)/2), len(points)/4), len(points)-1)
}

// gradually is how long a rise takes that counts as gradual. Faster ones are the range over which the indicator's own
// rate is taken.
const gradually = time.Minute

// maxOnsetStages bounds the stages in which a symptom grew that are looked through for the first.
const maxOnsetStages = 3

// rise finds when the excursion that began about start truly began: the line through where it had come a quarter and three
// quarters of its way, drawn back to the course. A smaller stage before it that lasted is the true beginning.
func rise(points []series.Point, start int, c Course) Departure {
	end := len(points)
	d, quarter := lastRise(points[:end], start, c)
	for range maxOnsetStages {
		before := points[start:quarter]
		if len(before) < 5 || before[len(before)-1].At-before[0].At < 20_000 {
			break
		}
		stage, q := lastRise(points[:quarter], start, c)
		if stage.Size < max(1.5*OffCourse, d.Size/10) || !stage.At.Before(d.At) {
			break
		}
		d.At, d.Interval, d.Gradual, quarter = stage.At, stage.Interval, stage.Gradual, q
	}
	return d
}

// lastRise is the rise that led to the level of the last of the points, and the index at which it had come a quarter of
// its way. What came to its level in two leaps is no trend: then the first leap counts.
func lastRise(points []series.Point, start int, c Course) (Departure, int) {
	size := levelOf(points[start:], c)
	quarter := reach(points, start, c, size/4)
	half := reach(points, quarter, c, size/2)
	most := reach(points, half, c, 3*size/4)
	t25, t50, t75 := points[quarter].At, points[half].At, points[most].At
	slow := t75-t25 >= gradually.Milliseconds()/2
	if slow && 5*(t50-t25) >= 4*(t75-t25) && half > quarter+2 {
		first, q := lastRise(points[:half], start, c)
		first.Size = size
		return first, q
	}
	d := Departure{Size: size, Gradual: slow && 5*(t50-t25) > t75-t25}
	at := t25 - (t75-t25)/2
	slack := t25 - at
	if !d.Gradual { // the first sample of it
		i := quarter
		for slack = 0; i > max(start, 1) && points[i-1].At >= at && !slow; {
			i--
		}
		at = points[i].At
	}
	before := at
	if i, _ := slices.BinarySearchFunc(points, at, func(p series.Point, t int64) int { return cmp.Compare(p.At, t) }); i > 0 {
		before = points[i-1].At
	}
	d.At, d.Interval = time.UnixMilli(at).UTC(), time.Duration(max(at-before, slack))*time.Millisecond
	return d, quarter
}

// levelOf is how far off the points are: the mean of the worse half of them.
func levelOf(points []series.Point, c Course) float64 {
	stride := (len(points) + enoughPoints - 1) / enoughPoints
	off := make([]float64, 0, enoughPoints)
	for i := len(points) - 1; i >= 0; i -= stride {
		off = append(off, c.Off(points[i].Value))
	}
	slices.Sort(off)
	sum, n := 0.0, 0
	for _, v := range off[len(off)/2:] {
		sum, n = sum+v, n+1
	}
	return sum / float64(n)
}

// reach is the first index from start on at which the point and one of the next two, or the last one, are at least so
// far off.
func reach(points []series.Point, start int, c Course, off float64) int {
	is := func(i int) bool { return i >= len(points) || c.Off(points[i].Value) >= off }
	for i := start; i < len(points)-1; i++ {
		if is(i) && (is(i+1) || is(i+2)) {
			return i
		}
	}
	return len(points) - 1
}
