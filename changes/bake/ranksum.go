package bake

import (
	"math"
	"slices"
)

// RankSum is the Mann-Whitney test of whether the values of a tend to be smaller or larger than those of b.
type RankSum struct {
	U      float64 // of a: in how many pairs a's value is the larger one, ties counting half
	P      float64 // two-sided, of seeing this or more by chance
	Effect float64 // Cliff's delta: -1 all of a below all of b, 0 no tendency, 1 all of a above
}

// exactUpTo is the size of both samples up to which P is counted out instead of taken from the normal distribution.
const exactUpTo = 12

// MannWhitney compares two samples. P is exact for small samples without ties, otherwise from the normal distribution
// with corrections for ties and continuity (Mann and Whitney 1947; Lehmann, Nonparametrics, 1975).
func MannWhitney(a, b []float64) RankSum {
	n, m := float64(len(a)), float64(len(b))
	if len(a) == 0 || len(b) == 0 {
		return RankSum{P: 1}
	}
	ranks, ties := rankSum(a, b)
	u := ranks - n*(n+1)/2
	out := RankSum{U: u, Effect: 2*u/(n*m) - 1}
	if ties == 0 && len(a) <= exactUpTo && len(b) <= exactUpTo {
		out.P = exactP(len(a), len(b), u)
		return out
	}
	total := n + m
	variance := n * m / 12 * (total + 1 - ties/(total*(total-1)))
	if variance <= 0 {
		out.P = 1
		return out
	}
	z := math.Max(0, math.Abs(u-n*m/2)-0.5) / math.Sqrt(variance)
	out.P = math.Erfc(z / math.Sqrt2)
	return out
}

// rankSum is the sum of the ranks of a among both, and the sum of t³-t over the groups of t equal values.
func rankSum(a, b []float64) (sum, ties float64) {
	a, b = sorted(a), sorted(b)
	rank := 0 // of the values passed so far
	for len(a) > 0 || len(b) > 0 {
		v := least(a, b)
		mine, others := leading(a, v), leading(b, v)
		t := float64(mine + others)
		sum += float64(mine) * (float64(rank) + (t+1)/2) // the mean of the ranks of the equal ones
		ties += t*t*t - t
		rank += mine + others
		a, b = a[mine:], b[others:]
	}
	return sum, ties
}

func sorted(v []float64) []float64 {
	out := slices.Clone(v)
	slices.Sort(out)
	return out
}

// least is the smallest value of two sorted lists, not both empty.
func least(a, b []float64) float64 {
	if len(b) == 0 || (len(a) > 0 && a[0] < b[0]) {
		return a[0]
	}
	return b[0]
}

// leading counts how many values at the head of v are x.
func leading(v []float64, x float64) int {
	n := 0
	for n < len(v) && v[n] == x {
		n++
	}
	return n
}

// exactP counts in how many of all orders of n and m values U is as far from its middle as u, or farther.
func exactP(n, m int, u float64) float64 {
	counts := make([]float64, n*m+1) // counts[k]: orders of the values so far with U = k
	counts[0] = 1
	for i := 1; i <= n; i++ { // times (1-x^(m+i))/(1-x^i), whose product is the generating function of U
		for k := len(counts) - 1; k >= m+i; k-- {
			counts[k] -= counts[k-m-i]
		}
		for k := i; k < len(counts); k++ {
			counts[k] += counts[k-i]
		}
	}
	far, total, middle := 0.0, 0.0, float64(n*m)/2
	for k, c := range counts {
		total += c
		if math.Abs(float64(k)-middle) >= math.Abs(u-middle)-1e-9 {
			far += c
		}
	}
	return math.Min(1, far/total)
}
