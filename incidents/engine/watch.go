package engine

import (
	"slices"
	"strings"
	"time"

	"goc/incidents/series"
	"goc/incidents/suspects"
	"goc/ops"
)

// watch is one series by which a recovery is judged: it left its course at the onset.
type watch struct {
	Key    series.Key      `json:"key"`
	Course suspects.Course `json:"course"` // before the onset
	Size   float64         `json:"size"`   // how far it had departed, in units of its noise
	Every  ops.Duration    `json:"every"`  // between two of its samples, before the onset
	Value  float64         `json:"value"`  // its newest sample
	Seen   ops.Time        `json:"seen"`   // when that was
	Off    ops.Time        `json:"off"`    // its newest sample off course
	Back   ops.Time        `json:"back"`   // since when it is back; zero while it is off

	Good     int      `json:"good,omitempty"` // samples in a row on course
	Bad      int      `json:"bad,omitempty"`  // and off course
	GoodFrom ops.Time `json:"good_from"`      // when those began
	BadFrom  ops.Time `json:"bad_from"`
	Was      bool     `json:"was,omitempty"` // it had come back before
}

// newWatch begins to watch a series that departed.
func newWatch(d suspects.Departure, s *series.Series) *watch {
	w := &watch{Key: d.Key, Course: d.Course, Size: d.Size, Every: ops.Duration(15 * time.Second), Seen: ops.At(d.At.Add(-time.Millisecond))}
	if p := s.Between(d.At.Add(-suspects.OnsetLookback), d.At); len(p) > 1 {
		w.Every = ops.Duration(time.Duration((p[len(p)-1].At-p[0].At)/int64(len(p)-1)) * time.Millisecond)
	}
	w.take(s.After(w.Seen.Time))
	return w
}

// bound is how far off course it may be and still count as back: within its noise, or nine tenths of the way (four fifths
// for a duration, which varies more by itself), or so little that nobody feels it.
func (w *watch) bound() float64 {
	left := 0.1
	if duration(w.Key.Indicator) {
		left = 0.2
	}
	return max(suspects.OffCourse, w.Size*left, felt(w.Key.Indicator)/w.Course.Noise)
}

func duration(indicator string) bool {
	return strings.HasSuffix(indicator, "_seconds") || strings.HasSuffix(indicator, "_ms")
}

// felt is the difference in an indicator below which nobody would notice: a tenth of a second, one call in a hundred.
func felt(indicator string) float64 {
	switch {
	case strings.HasSuffix(indicator, "_seconds"):
		return 0.1
	case strings.HasSuffix(indicator, "_ms"):
		return 100
	case strings.HasSuffix(indicator, "_ratio"):
		return 0.01
	}
	return 0
}

// take reads new samples. It is back after three in a row on course, two where they are rare, since the first of them;
// it is off again after two in a row off course.
func (w *watch) take(points []series.Point) {
	enough := 3
	if time.Duration(w.Every) >= 30*time.Second {
		enough = 2
	}
	for _, p := range points {
		w.Value, w.Seen = p.Value, ops.At(time.UnixMilli(p.At).UTC())
		if w.Course.Off(p.Value) > w.bound() {
			if w.Bad++; w.Bad == 1 {
				w.BadFrom = w.Seen
			}
			if w.Good = 0; w.Bad >= 2 || w.Back.IsZero() {
				w.Off, w.Back, w.Was = w.Seen, ops.Time{}, w.Was || !w.Back.IsZero()
			}
			continue
		}
		if w.Good++; w.Good == 1 {
			w.GoodFrom = w.Seen
		}
		if w.Bad = 0; w.Good >= enough && w.Back.IsZero() {
			w.Back = w.GoodFrom
		}
	}
}

// silent says whether samples that are due have not come.
func (w *watch) silent(now time.Time) bool {
	return now.Sub(w.Seen.Time) > 3*time.Duration(w.Every)+5*time.Second
}

// again says whether it left its course anew after it had come back, by at least half of what it was, and since when.
func (w *watch) again() (time.Time, bool) {
	return w.BadFrom.Time, w.Was && w.Bad >= 3 && w.Course.Off(w.Value) >= max(1.5*suspects.OffCourse, w.Size/2)
}

// general says whether most others of the kind, outside the stores, are as far off: then it is not the incident's own.
func (e *Engine) general(w *watch, stores []string) bool {
	if w.Key.Store == "" || len(stores) == 0 {
		return false
	}
	off, all := 0, 0
	for _, s := range e.samples.OfService(w.Key.Service) {
		if _, in := slices.BinarySearch(stores, s.Store); in || s.Indicator != w.Key.Indicator || s.Caller != w.Key.Caller {
			continue
		}
		if all++; w.Course.Off(s.Last().Value) > w.bound() {
			off++
		}
	}
	return all >= 3 && 2*off > all
}

// where is the place that the series speaks of.
func (w *watch) where() (kind, name string) {
	switch {
	case w.Key.Store != "":
		return "stores", w.Key.Store
	case w.Key.Unit != "":
		return "units", w.Key.Unit
	case w.Key.CallerUnit != "":
		return "units", w.Key.CallerUnit
	case w.Key.Caller != "":
		return "callers", w.Key.Caller
	}
	return "", ""
}
