// Package rollup keeps the recent course of indicators as sums over short times, so that means over minutes, hours and
// weeks cost nothing to ask for. It reads no clock; what is tracked, and for how long, is bounded when it is set up.
package rollup

import (
	"sync"
	"time"

	"goc/ops"
)

// Width is how much time one sum covers.
const Width = 30 * time.Second

// MaxRecent is the longest time that Mean can look back.
const MaxRecent = 24 * time.Hour

// Key names what is tracked: an indicator of a service.
type Key struct{ Service, Indicator string }

// sum is of the samples of one Width or hour; slot says which, in units since 1970.
type sum struct {
	slot  int32
	n     uint32
	total float64
}

// ring holds sums by slot: a slot's place is its number modulo the length, and an older one there counts as nothing.
type ring []sum

func (r ring) add(slot int64, n uint32, total float64) {
	if len(r) == 0 || slot < 0 { // nothing was measured before 1970
		return
	}
	s := &r[slot%int64(len(r))]
	switch {
	case s.slot > int32(slot):
		return // older than all that is kept
	case s.slot < int32(slot):
		*s = sum{slot: int32(slot)}
	}
	s.n += n
	s.total += total
}

func (r ring) at(slot int64) (n uint32, total float64) {
	if s := r[slot%int64(len(r))]; s.slot == int32(slot) {
		return s.n, s.total
	}
	return 0, 0
}

// Rollup is the course of what is tracked. All its methods may be called at once.
type Rollup struct {
	mu     sync.RWMutex
	series map[Key]*series
}

type series struct {
	recent ring // by Width
	hours  ring // by hour; empty when nobody asks for more than MaxRecent
}

// New tracks each key for its time; what is longer than MaxRecent is kept by hour.
func New(track map[Key]time.Duration) *Rollup {
	r := &Rollup{}
	r.Track(track)
	return r
}

// Track tracks these keys from here on and no others. What is known of those that it tracked already stays known.
func (r *Rollup) Track(track map[Key]time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	next := make(map[Key]*series, len(track))
	for k, d := range track {
		recent, hours := int(min(d, MaxRecent)/Width)+2, 0
		if d > MaxRecent {
			hours = int(d/time.Hour) + 2
		}
		if s := r.series[k]; s != nil && len(s.recent) == recent && len(s.hours) == hours {
			next[k] = s
			continue
		}
		next[k] = &series{recent: make(ring, recent), hours: make(ring, hours)}
	}
	r.series = next
}

// Keys lists what is tracked, in no order, and how long each looks back.
func (r *Rollup) Keys() map[Key]time.Duration {
	r.mu.RLock()
	defer r.mu.RUnlock()
	out := make(map[Key]time.Duration, len(r.series))
	for k, s := range r.series {
		out[k] = time.Duration(len(s.recent)-2) * Width
	}
	return out
}

// Observe takes in samples; those of what is not tracked, and those that lie in the future of now, are left out.
func (r *Rollup) Observe(samples []ops.Sample, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.series) == 0 {
		return
	}
	for i := range samples {
		s := &samples[i]
		if t := r.series[Key{s.Service, s.Indicator}]; t != nil && !s.At.After(now.Add(time.Minute)) && s.Value-s.Value == 0 {
			t.add(s.At.Time, 1, s.Value)
		}
	}
}

func (t *series) add(at time.Time, n uint32, total float64) {
	t.recent.add(at.Unix()/int64(Width/time.Second), n, total)
	t.hours.add(at.Unix()/3600, n, total)
}

// Restore takes in one mean that was read from elsewhere, for a time before anything was observed. It adds nothing where
// something is known already.
func (r *Rollup) Restore(k Key, at time.Time, value float64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.series[k]
	if t == nil || value-value != 0 {
		return
	}
	slot := at.Unix() / int64(Width/time.Second)
	if n, _ := t.recent.at(slot); n == 0 {
		t.recent.add(slot, 1, value)
	}
}

// Course is the mean of an indicator over a time, and on how much of it that rests.
type Course struct {
	Mean    float64
	Samples uint64
	Covered time.Duration // of the time asked for, in which there were samples
}

// Recent is the course over the last d before now, d being at most MaxRecent. The sum that is still being filled counts.
func (r *Rollup) Recent(k Key, d time.Duration, now time.Time) Course {
	r.mu.RLock()
	defer r.mu.RUnlock()
	t := r.series[k]
	if t == nil {
		return Course{}
	}
	return t.recent.course(Width, d, now)
}

// Hours is the course over the last d before now, by whole hours and the one that has begun.
func (r *Rollup) Hours(k Key, d time.Duration, now time.Time) Course {
	r.mu.RLock()
	defer r.mu.RUnlock()
	t := r.series[k]
	if t == nil || len(t.hours) == 0 {
		return Course{}
	}
	return t.hours.course(time.Hour, d, now)
}

// late is how many slots at the end may still be empty because their samples are on the way: they are then not looked at.
const late = 2

// course joins the slots of the last d. Each slot weighs the same, however many samples it has: a store that opens must
// not make the minutes before it count for less.
func (r ring) course(width, d time.Duration, now time.Time) Course {
	var c Course
	last := now.Unix() / int64(width/time.Second)
	for range late {
		if n, _ := r.at(last); n > 0 {
			break
		}
		last--
	}
	slots := min(int64(d/width), int64(len(r)-1))
	means := 0.0
	for slot := last; slot > last-slots; slot-- {
		if n, total := r.at(slot); n > 0 {
			c.Samples += uint64(n)
			c.Covered += width
			means += total / float64(n)
		}
	}
	if c.Covered > 0 {
		c.Mean = means / float64(c.Covered/width)
	}
	return c
}

// Hour is what one hour came to, as it is kept on disk.
type Hour struct {
	Samples uint32  `json:"n"`
	Total   float64 `json:"t"`
}

// Hour returns the sums of the hour that t lies in, by service, for one indicator.
func (r *Rollup) Hour(indicator string, t time.Time) map[string]Hour {
	r.mu.RLock()
	defer r.mu.RUnlock()
	out := map[string]Hour{}
	for k, s := range r.series {
		if k.Indicator != indicator || len(s.hours) == 0 {
			continue
		}
		if n, total := s.hours.at(t.Unix() / 3600); n > 0 {
			out[k.Service] = Hour{Samples: n, Total: total}
		}
	}
	return out
}

// RestoreHour takes back what Hour returned.
func (r *Rollup) RestoreHour(indicator string, t time.Time, sums map[string]Hour) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for service, h := range sums {
		if s := r.series[Key{service, indicator}]; s != nil && len(s.hours) > 0 {
			s.hours.add(t.Unix()/3600, h.Samples, h.Total)
		}
	}
}
