package simulate

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// Latency counts how long answers took, in buckets 6 % wide from 1 µs to an hour. It may be used by many at once.
type Latency struct {
	buckets [latencyBuckets]atomic.Int64
	worst   atomic.Int64 // µs
}

const latencyBuckets = 32 * 16

// Add counts one answer.
func (l *Latency) Add(took time.Duration) {
	us := max(took.Microseconds(), 0)
	l.buckets[min(bucketOf(uint64(us)), latencyBuckets-1)].Add(1)
	for was := l.worst.Load(); us > was && !l.worst.CompareAndSwap(was, us); was = l.worst.Load() {
	}
}

// bucketOf numbers values: below 16 each has its own, from there each power of two has 16.
func bucketOf(v uint64) int {
	if v < 16 {
		return int(v)
	}
	power := bits.Len64(v) - 5
	return power*16 + int(v>>power)
}

// valueOf is the largest value of a bucket.
func valueOf(bucket int) uint64 {
	if bucket < 32 {
		return uint64(bucket)
	}
	power := bucket/16 - 1
	return (uint64(bucket-power*16)+1)<<power - 1
}

// Counts are the buckets at one time; what came since an earlier time is the difference.
type Counts [latencyBuckets]int64

// Counts copies the buckets.
func (l *Latency) Counts() *Counts {
	var c Counts
	for i := range l.buckets {
		c[i] = l.buckets[i].Load()
	}
	return &c
}

// Since is what came after before.
func (c *Counts) Since(before *Counts) *Counts {
	var d Counts
	for i := range c {
		d[i] = c[i] - before[i]
	}
	return &d
}

// At is the time within which a share of the answers came, 0 when there were none.
func (c *Counts) At(share float64) time.Duration {
	total := int64(0)
	for _, n := range c {
		total += n
	}
	if total == 0 {
		return 0
	}
	left := int64(share * float64(total))
	for i, n := range c {
		if left -= n; left < 0 {
			return time.Duration(valueOf(i)) * time.Microsecond
		}
	}
	return time.Duration(valueOf(latencyBuckets-1)) * time.Microsecond
}

// Worst is the longest that any answer took.
func (l *Latency) Worst() time.Duration { return time.Duration(l.worst.Load()) * time.Microsecond }
