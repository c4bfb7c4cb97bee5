package bake

import (
	"math"
	"slices"
	"time"
)

// Bounds of what is kept.
const (
	MaxSeries   = 50_000         // series in all; samples of further ones are counted and dropped
	ringSize    = 1024           // values of one series
	ringSpan    = 3 * time.Hour  // a full ring halves its resolution until it covers this much
	historyDays = 28             // of one indicator of one service, a value a minute
	idle        = 24 * time.Hour // after which a series that says nothing is forgotten
	minutes     = 24 * 60
)

// ring keeps the last values of one series. When it is full and covers less than ringSpan, each two neighbours become
// one, and later values are put together likewise; otherwise the oldest goes.
type ring struct {
	times  []int64 // milliseconds, ascending
	values []float32
	step   int64 // milliseconds that one value stands for at least
	parts  int   // how many samples the last value is the mean of
}

func (r *ring) add(at time.Time, v float64) {
	ms := at.UnixMilli()
	n := len(r.times)
	if n > 0 && ms <= r.times[n-1] {
		return // late or twice
	}
	if n > 0 && ms-r.times[n-1] < r.step {
		r.parts++
		r.values[n-1] += (float32(v) - r.values[n-1]) / float32(r.parts)
		return
	}
	if n == ringSize {
		r.makeRoom(ms)
	}
	r.times, r.values, r.parts = append(r.times, ms), append(r.values, float32(v)), 1
}

func (r *ring) makeRoom(now int64) {
	if now-r.times[0] >= ringSpan.Milliseconds() {
		keep := ringSize / 8 // at once, so that room is made seldom
		r.times, r.values = append(r.times[:0], r.times[keep:]...), append(r.values[:0], r.values[keep:]...)
		return
	}
	half := ringSize / 2
	for i := range half {
		r.times[i], r.values[i] = r.times[2*i], (r.values[2*i]+r.values[2*i+1])/2
	}
	r.step = (now - r.times[0]) / int64(half)
	r.times, r.values = r.times[:half], r.values[:half]
}

// between lists the values from one time up to another, the end left out.
func (r *ring) between(from, to time.Time) []float64 {
	lo, _ := slices.BinarySearch(r.times, from.UnixMilli())
	hi, _ := slices.BinarySearch(r.times, to.UnixMilli())
	if lo >= hi {
		return nil
	}
	out := make([]float64, hi-lo)
	for i, v := range r.values[lo:hi] {
		out[i] = float64(v)
	}
	return out
}

// newest is when the last value was taken in.
func (r *ring) newest() time.Time {
	if len(r.times) == 0 {
		return time.Time{}
	}
	return time.UnixMilli(r.times[len(r.times)-1])
}

// history keeps the mean of each minute of one indicator of one service, over all its series, for weeks.
type history struct {
	days  map[int64]*[minutes]float32 // by Unix day; NaN where there is nothing
	last  int64                       // the Unix minute that is being put together
	parts float32
}

func newHistory() *history { return &history{days: map[int64]*[minutes]float32{}} }

func (h *history) add(at time.Time, v float64) {
	minute := at.Unix() / 60
	if minute < h.last {
		return // late
	}
	day, slot := minute/minutes, minute%minutes
	d := h.days[day]
	if d == nil {
		d = new([minutes]float32)
		for i := range d {
			d[i] = float32(math.NaN())
		}
		h.days[day] = d
		for old := range h.days {
			if old <= day-historyDays {
				delete(h.days, old)
			}
		}
	}
	if minute > h.last {
		h.last, h.parts = minute, 0
	}
	h.parts++
	if h.parts == 1 {
		d[slot] = float32(v)
		return
	}
	d[slot] += (float32(v) - d[slot]) / h.parts
}

// grid writes out the minutes up to `to`, oldest first, with the index of the first minute that begins at or after from.
func (h *history) grid(from, to time.Time) (values []float64, first int) {
	oldest, end := int64(math.MaxInt64), to.Unix()/60
	for day := range h.days {
		oldest = min(oldest, day*minutes)
	}
	if oldest >= end {
		return nil, 0
	}
	values = make([]float64, end-oldest)
	for i := range values {
		values[i] = math.NaN()
	}
	for day, d := range h.days {
		for slot, v := range d {
			if i := day*minutes + int64(slot) - oldest; i < int64(len(values)) {
				values[i] = float64(v)
			}
		}
	}
	begin := 0
	for begin < len(values) && math.IsNaN(values[begin]) {
		begin++
	}
	first = int((from.Unix()+59)/60 - oldest)
	return values[begin:], first - begin
}

// finest is into how many steps a short bake is divided at most.
const finest = 20

// usualGap is the time between two values of a series, as it mostly is, rounded up to a second.
func usualGap(rings []*ring) time.Duration {
	var gaps []float64
	for _, r := range rings {
		for i := max(1, len(r.times)-5); i < len(r.times); i++ {
			gaps = append(gaps, float64(r.times[i]-r.times[i-1]))
		}
	}
	if len(gaps) == 0 {
		return 0
	}
	return time.Duration(math.Ceil(median(gaps)/1000)) * time.Second
}

// means averages all rings in steps, so that one step begins at from: the means up to `to`, oldest first, and the index
// of that step.
func means(rings []*ring, step time.Duration, from, to time.Time) (values []float64, first int) {
	for _, r := range rings {
		if len(r.times) > 0 {
			first = max(first, int(from.Sub(time.UnixMilli(r.times[0]))/step)+1)
		}
	}
	n := first + int(to.Sub(from)/step)
	if n <= 0 {
		return nil, 0
	}
	begin, width := from.Add(-time.Duration(first)*step).UnixMilli(), step.Milliseconds()
	values = make([]float64, n)
	counts := make([]float64, n)
	for _, r := range rings {
		for i, t := range r.times {
			if at := int((t - begin) / width); t >= begin && at < n {
				values[at] += float64(r.values[i])
				counts[at]++
			}
		}
	}
	for i := range values {
		values[i] /= counts[i] // NaN where there are none
	}
	return values, first
}
