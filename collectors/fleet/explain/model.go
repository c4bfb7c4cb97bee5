package explain

import "math"

// The three constants of the model. docs/explain.md says how they were chosen and how little hangs on them.
const (
	// agreement is how alike cells of one kind are: their shares scatter like those of samples of so many devices. It
	// holds for normal cells and for those of one cause.
	agreement = 200
	// reach is the share of a cause's cells that it is expected to hit. One plainly normal cell costs a cause at most
	// -log(1-reach), so that a large cell that a fault spares does not hide the fault.
	reach = .99
	// another is what one more cause costs, in nats: independent faults at the same time are rare.
	another = 10
)

// rates is the model of one kind of cell: each cell draws its own share from a Beta(alpha, beta).
type rates struct{ alpha, beta float64 }

// around makes rates that scatter about the share.
func around(share float64) rates {
	share = min(max(share, 1e-6), 1-1e-6)
	return rates{share * agreement, (1 - share) * agreement}
}

// anyShare is what is known of a cause before it is seen.
var anyShare = rates{1, 1}

// logP is the log-probability of a affected in n, but for the binomial coefficient, which cancels in every comparison.
func (r rates) logP(a, n float64) float64 {
	return lnBeta(r.alpha+a, r.beta+n-a) - lnBeta(r.alpha, r.beta)
}

func lnBeta(a, b float64) float64 {
	x, _ := math.Lgamma(a)
	y, _ := math.Lgamma(b)
	z, _ := math.Lgamma(a + b)
	return x + y - z
}

// tabled is up to which count the logarithms of products are kept in a table.
const tabled = 256

// product is ln of x (x+1) … (x+n-1), which a Beta-binomial is made of, for each n.
type product struct {
	x, lnGamma float64
	table      []float64
}

func newProduct(x float64, n int) product {
	p := product{x: x, table: make([]float64, min(n, tabled)+1)}
	for i := range len(p.table) - 1 {
		p.table[i+1] = p.table[i] + math.Log(x+float64(i))
	}
	p.lnGamma, _ = math.Lgamma(x)
	return p
}

func (p product) ln(n uint32) float64 {
	if int(n) < len(p.table) {
		return p.table[n]
	}
	top, _ := math.Lgamma(p.x + float64(n))
	return top - p.lnGamma
}

// likelihood is logP from tables, for rates under which many counts are looked at.
type likelihood struct{ affected, well, all product }

func (r rates) likelihood(most uint32) likelihood {
	n := int(min(most, tabled))
	return likelihood{newProduct(r.alpha, n), newProduct(r.beta, n), newProduct(r.alpha+r.beta, n)}
}

func (l likelihood) of(affected, total uint32) float64 {
	return l.affected.ln(affected) + l.well.ln(total-affected) - l.all.ln(total)
}

// class is what cells with the same figures share. Most cells of a fleet fall into a few hundred classes.
type class struct {
	figures
	share  float64 // what is normal now
	normal float64 // log-probability of the figures when that is so
	any    float64 // odds under anyShare
}

// lnReach and lnMiss are the two ends of what a cell can say.
var lnReach, lnMiss = math.Log(reach), math.Log(1 - reach)

// odds is the log-odds of the figures under a cause against a normal day.
func (c class) odds(l likelihood) float64 {
	if c.total == 0 {
		return 0
	}
	d := l.of(c.affected, c.total) - c.normal
	if d > 0 && float64(c.affected) <= c.share*float64(c.total) {
		d = -d // fewer than normal is no sign of being hit
	}
	switch {
	case d > 20: // the ends, where the mixture is one of its parts
		return d + lnReach
	case d < -20:
		return lnMiss
	}
	return math.Log(reach*math.Exp(d) + 1 - reach)
}
