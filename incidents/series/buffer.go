// Package series keeps the recent samples of indicators, bounded, so that pure functions can look back over them.
package series

import (
	"math"
	"slices"
	"sort"
	"time"

	"goc/ops"
)

// Key names one series: an indicator of a service and, where it is finer, a caller, a unit, a caller's unit, a store.
type Key struct{ Indicator, Service, Caller, Unit, CallerUnit, Store string }

// Point is one value; At is in Unix milliseconds.
type Point struct {
	At    int64
	Value float64
}

// Series is the recent points of one key, times ascending.
type Series struct {
	Key
	points []Point
}

// Bounds of a buffer.
const (
	DefaultKeep      = 2 * time.Hour
	DefaultMaxSeries = 20_000
	DefaultMaxPoints = 2_000 // of one series
)

// Buffer holds the series of all services. It is not safe for concurrent use.
type Buffer struct {
	keep      time.Duration
	maxSeries int
	maxPoints int
	all       map[Key]*Series
	service   map[string][]*Series
	caller    map[string][]*Series
	newest    int64
	Refused   int // samples not kept: not a number, too old, or of a series beyond the bound
}

// New makes a buffer; a bound that is zero takes its default.
func New(keep time.Duration, maxSeries, maxPoints int) *Buffer {
	b := &Buffer{keep: keep, maxSeries: maxSeries, maxPoints: maxPoints}
	if keep <= 0 {
		b.keep = DefaultKeep
	}
	if maxSeries <= 0 {
		b.maxSeries = DefaultMaxSeries
	}
	if maxPoints <= 0 {
		b.maxPoints = DefaultMaxPoints
	}
	b.all, b.service, b.caller = map[Key]*Series{}, map[string][]*Series{}, map[string][]*Series{}
	return b
}

// Add takes one sample in, in any order of time, and says whether it was kept.
func (b *Buffer) Add(s ops.Sample) bool {
	at := s.At.UnixMilli()
	if math.IsNaN(s.Value) || math.IsInf(s.Value, 0) || s.Indicator == "" || at < b.newest-b.keep.Milliseconds() {
		b.Refused++
		return false
	}
	b.newest = max(b.newest, at)
	k := Key{s.Indicator, s.Service, s.Caller, s.Unit, s.CallerUnit, s.Store}
	se := b.all[k]
	if se == nil {
		if se = b.open(k); se == nil {
			b.Refused++
			return false
		}
	}
	se.insert(Point{at, s.Value})
	se.trim(b.newest-b.keep.Milliseconds(), b.maxPoints)
	return true
}

// open makes the series of k, after dropping those that ended when there are too many; nil when there still are.
func (b *Buffer) open(k Key) *Series {
	if len(b.all) >= b.maxSeries {
		b.dropEnded()
		if len(b.all) >= b.maxSeries {
			return nil
		}
	}
	se := &Series{Key: k}
	b.all[k] = se
	b.service[k.Service] = append(b.service[k.Service], se)
	if k.Caller != "" {
		b.caller[k.Caller] = append(b.caller[k.Caller], se)
	}
	return se
}

// dropEnded forgets the series whose last point is older than half of what is kept.
func (b *Buffer) dropEnded() {
	limit := b.newest - b.keep.Milliseconds()/2
	gone := func(s *Series) bool { return s.Last().At < limit }
	for k, s := range b.all {
		if gone(s) {
			delete(b.all, k)
		}
	}
	for _, index := range []map[string][]*Series{b.service, b.caller} {
		for name, list := range index {
			if index[name] = slices.DeleteFunc(list, gone); len(index[name]) == 0 {
				delete(index, name)
			}
		}
	}
}

// OfService lists the series of a service, in the order in which they were first seen. The slice is the buffer's own.
func (b *Buffer) OfService(name string) []*Series { return b.service[name] }

// OfCaller lists the series in which a service is the caller. The slice is the buffer's own.
func (b *Buffer) OfCaller(name string) []*Series { return b.caller[name] }

// Find is the series of a key, nil when there is none.
func (b *Buffer) Find(k Key) *Series { return b.all[k] }

// Len is the number of series.
func (b *Buffer) Len() int { return len(b.all) }

// insert puts p in its place; a second point of the same time replaces the first.
func (s *Series) insert(p Point) {
	n := len(s.points)
	if n == 0 || s.points[n-1].At < p.At {
		s.points = append(s.points, p)
		return
	}
	i := sort.Search(n, func(i int) bool { return s.points[i].At >= p.At })
	if s.points[i].At == p.At {
		s.points[i] = p
		return
	}
	s.points = slices.Insert(s.points, i, p)
}

// trim drops points before oldest, and the first ones beyond limit; it moves memory only when much is dropped.
func (s *Series) trim(oldest int64, limit int) {
	n := len(s.points)
	if n < limit+limit/4 && s.points[0].At >= oldest-600_000 {
		return
	}
	i := sort.Search(n, func(i int) bool { return s.points[i].At >= oldest })
	i = max(i, n-limit)
	s.points = append(s.points[:0], s.points[i:]...)
}

// Last is the newest point, the zero Point when there is none.
func (s *Series) Last() Point {
	if len(s.points) == 0 {
		return Point{}
	}
	return s.points[len(s.points)-1]
}

// After lists the points later than t. The slice is the series' own.
func (s *Series) After(t time.Time) []Point {
	at := t.UnixMilli()
	i := sort.Search(len(s.points), func(i int) bool { return s.points[i].At > at })
	return s.points[i:]
}

// Between lists the points in [from, to). The slice is the series' own.
func (s *Series) Between(from, to time.Time) []Point {
	f, t := from.UnixMilli(), to.UnixMilli()
	i := sort.Search(len(s.points), func(i int) bool { return s.points[i].At >= f })
	j := sort.Search(len(s.points), func(i int) bool { return s.points[i].At >= t })
	if j < i {
		return nil
	}
	return s.points[i:j]
}
