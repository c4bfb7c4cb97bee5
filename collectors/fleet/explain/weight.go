package explain

import "math"

// rates is the model of one kind of cell: each cell draws its own share from a Beta(alpha, beta), so that a cause need
// not hit all of its cells alike.
type rates struct{ alpha, beta float64 }

// around makes rates of the mean share and the strength: how many devices' worth of agreement the cells have.
func around(share, strength float64) rates {
	share = min(max(share, 1e-6), 1-1e-6)
	return rates{share * strength, (1 - share) * strength}
}

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
