package bake

import "math"

// sloping is from how many usual spreads on the treated count as on a slope of their own before the change. It is less than
// spreads, for to take off a slope that is none costs less than to blame a change for what began before it.
const sloping = 1.5

// peers is what is usual among the untreated units.
type peers struct {
	gauges
	floor  float64 // a difference of less is nobody's concern
	many   bool    // enough units to say how they differ
	center float64 // of what they moved by
	spread float64 // between them, or between samples where they are few
	noise  float64 // of the median unit, before
}

func newPeers(b gauges, floor float64) peers {
	p := peers{gauges: b, floor: floor, many: len(b.units) >= minPeers}
	v := b.changes()
	if !p.many {
		v = b.blocks()
	}
	p.center, p.spread = middle(v)
	p.noise = median(b.each(func(g *gauge) float64 { return g.noise }))
	return p
}

// middle is the median, and the median deviation from it as a standard deviation.
func middle(v []float64) (center, spread float64) {
	off := make([]float64, len(v))
	copy(off, v)
	center = median(off)
	for i, x := range v {
		off[i] = math.Abs(x - center)
	}
	return center, 1.4826 * median(off)
}

// restless is how many times noisier than the median peer a unit was before; at least 1, for that it was calm for a while
// does not say that it will be.
func (p peers) restless(g *gauge) float64 {
	if p.noise <= 0 || g.noise <= p.noise {
		return 1
	}
	return g.noise / p.noise
}

// usual is the difference between treated and untreated that still counts as usual; unsure is how far off a drift that was
// taken off may be.
func (p peers) usual(a gauges, unsure float64) float64 {
	return math.Max(p.floor, spreads*math.Hypot(p.over(a, p.spread), unsure))
}

// over is what a spread between single units comes to for the mean of the treated, each as restless as it is.
func (p peers) over(a gauges, spread float64) float64 {
	sum := 0.0
	for i := range a.units {
		r := p.restless(&a.units[i])
		sum += r * r
	}
	n := float64(len(a.units))
	spread *= math.Sqrt(sum / n)
	if p.many {
		spread /= math.Sqrt(n)
	}
	return spread
}

// drift is the part of size that the treated would have moved by anyway, and how unsure that is: they were on a slope before
// the change, by more than is usual among the untreated. A slope that led the other way is not held against them.
func (p peers) drift(a gauges, size float64) (drift, unsure float64) {
	if !p.many {
		return 0, 0
	}
	slopes := func(g *gauge) float64 { return g.slope }
	center, spread := middle(p.each(slopes))
	spread = p.over(a, spread)
	slope := mean(a.each(slopes)) - center
	if math.Abs(slope) <= sloping*spread || slope*size <= 0 {
		return 0, 0
	}
	ahead := mean(a.each(func(g *gauge) float64 { return g.ahead }))
	return math.Copysign(math.Min(math.Abs(slope*ahead), math.Abs(size)), size), spread * ahead
}

// outliers are single units that are worse than usual, when not all of the treated are.
type outliers struct {
	treated, untreated int     // how many
	worst              float64 // of the treated, in multiples of what still counts as usual
	p                  float64 // of so many being among the treated by chance
}

// outliers counts the units of each side that are farther in the bad direction than chance would take any of the treated.
func (p peers) outliers(a gauges, sign float64) (out outliers) {
	out.p = 1
	if !p.many || len(a.units) < 2 {
		return out
	}
	limit := student(chance/float64(len(a.units)), float64(len(p.units)-1))
	far := func(g *gauge) float64 {
		bad := sign * (g.change - p.center)
		if sign == 0 {
			bad = math.Abs(g.change - p.center)
		}
		return bad / math.Max(p.floor, limit*p.spread*p.restless(g))
	}
	for _, v := range a.each(far) {
		if out.worst = math.Max(out.worst, v); v > 1 {
			out.treated++
		}
	}
	for _, v := range p.each(far) {
		if v > 1 {
			out.untreated++
		}
	}
	out.p = fisher(out.treated, len(a.units), out.untreated, len(p.units))
	return out
}

// student is what Student's t with so many degrees of freedom exceeds with probability p, to the third term of its
// expansion around the normal distribution (Abramowitz and Stegun 26.7.5).
func student(p, freedom float64) float64 {
	z := deviate(p)
	z3, z5, z7 := math.Pow(z, 3), math.Pow(z, 5), math.Pow(z, 7)
	return z + (z3+z)/(4*freedom) + (5*z5+16*z3+3*z)/(96*freedom*freedom) + (3*z7+19*z5+17*z3-15*z)/(384*math.Pow(freedom, 3))
}

// fisher is the probability of at least x of n, when x and y of n and m are shared out by chance (Fisher's exact test,
// one-sided).
func fisher(x, n, y, m int) float64 {
	total, p := x+y, 0.0
	for k := x; k <= min(n, total); k++ {
		p += math.Exp(choose(n, k) + choose(m, total-k) - choose(n+m, total))
	}
	return math.Min(1, p)
}

// choose is the logarithm of the number of ways to take k of n; minus infinity when there is none.
func choose(n, k int) float64 {
	if k < 0 || k > n {
		return math.Inf(-1)
	}
	a, _ := math.Lgamma(float64(n + 1))
	b, _ := math.Lgamma(float64(k + 1))
	c, _ := math.Lgamma(float64(n - k + 1))
	return a - b - c
}
