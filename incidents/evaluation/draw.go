package evaluation

import (
	"math"
	"math/rand/v2"
	"time"
)

// dice draws one aspect of a history. Each aspect has dice of its own, so that a change to how one is drawn leaves the others as they were.
type dice struct{ *rand.Rand }

// The aspects.
const (
	ofChain = iota + 1
	ofTrouble
	ofChanges
	ofRecords
	ofSignal
	ofAlerts
)

func newDice(seed uint64, aspect uint64) dice {
	return dice{rand.New(rand.NewPCG(seed, aspect*0x9e3779b97f4a7c15))}
}

// chance is true with probability p.
func (d dice) chance(p float64) bool { return d.Float64() < p }

// between is uniform in [a, b).
func (d dice) between(a, b float64) float64 { return a + (b-a)*d.Float64() }

// spread is uniform on a logarithmic scale in [a, b): small and large sizes are equally common.
func (d dice) spread(a, b float64) float64 {
	return a * math.Exp(d.Float64()*math.Log(b/a))
}

// count is spread for whole numbers from a to b.
func (d dice) count(a, b int) int { return min(b, int(d.spread(float64(a), float64(b)+1))) }

// span is spread for durations, rounded to a tenth of a second.
func (d dice) span(a, b time.Duration) time.Duration {
	return time.Duration(d.spread(float64(a), float64(b))).Round(100 * time.Millisecond)
}

// poisson is how many of what happens mean times on average.
func (d dice) poisson(mean float64) int {
	n := 0
	for p := d.ExpFloat64(); p < mean; p += d.ExpFloat64() {
		n++
	}
	return n
}

// pick draws one of the names by its weight.
func pick[T any](d dice, list []weighted[T]) T {
	sum := 0.0
	for _, w := range list {
		sum += w.weight
	}
	x := d.Float64() * sum
	for _, w := range list {
		if x -= w.weight; x < 0 {
			return w.value
		}
	}
	return list[len(list)-1].value
}

type weighted[T any] struct {
	value  T
	weight float64
}

// some draws n different numbers below of, in random order; all of them when n is not less.
func (d dice) some(n, of int) []int { return d.Perm(of)[:min(n, of)] }
