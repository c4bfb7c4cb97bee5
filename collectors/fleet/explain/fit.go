package explain

import (
	"math"
	"slices"
)

// nobody is the class of cells that say nothing: those without devices, and those that a cause covers already.
const nobody = 0

// leastShare is the least that is taken for normal: nothing is never affected.
const leastShare = 1e-4

// figures are what a cell is judged by.
type figures struct {
	affected, total uint32
	usual           float64 // its own normal share; 0 when it has none
}

// plain cells are small and have no normal share of their own. They are many, and what those of one size say is the same
// as long as nobody is affected.
func (f figures) plain() bool { return f.usual == 0 && f.total < tabled }

// classify sorts the cells by their figures.
func (e *explanation) classify() {
	e.classes, e.class, e.size = []class{{}}, make([]uint32, e.cells), make([]uint32, e.cells)
	ids, others := make([]uint32, tabled*(tabled+1)/2), map[figures]uint32{}
	for i, n := range e.Total {
		f := figures{affected: e.Affected[i], total: n}
		if e.Normal != nil {
			f.usual = e.Normal[i]
		}
		if f.usual == 0 {
			e.unknown += uint64(n)
		}
		if n < tabled {
			e.most = max(e.most, n)
		}
		switch {
		case n == 0:
		case f.plain():
			e.class[i] = e.known(&ids[n*(n+1)/2+f.affected], f)
			e.size[i] = n
		default:
			id := others[f]
			e.class[i] = e.known(&id, f)
			others[f] = id
		}
	}
	e.say = slices.Clone(e.class)
	for _, p := range e.Index.profiles(e.size, e.most) {
		e.profiles = append(e.profiles, profile{p.width, slices.Clone(p.cells)})
	}
}

// known is the class of the figures, a new one when they have none yet.
func (e *explanation) known(id *uint32, f figures) uint32 {
	if *id == 0 {
		*id = uint32(len(e.classes))
		e.classes = append(e.classes, class{figures: f})
	}
	return *id
}

// expect takes what is affected on top of the cells' own normal shares for normal as well.
func (e *explanation) expect(drift float64) {
	e.drift = max(drift, leastShare)
	plain, hit := around(e.drift).likelihood(e.most), anyShare.likelihood(e.most)
	for i := range e.classes[1:] {
		c := &e.classes[i+1]
		c.share = min(c.usual+e.drift, 1)
		if c.plain() {
			c.normal = plain.of(c.affected, c.total)
		} else {
			c.normal = around(c.share).logP(float64(c.affected), float64(c.total))
		}
		c.any = c.odds(hit)
	}
}

// settle finds what is affected besides what is normal for each cell, from the share that it is at most:
// cells that look hit by something not named yet count less.
func (e *explanation) settle(drift float64) {
	cells := make([]float64, len(e.classes))
	for _, c := range e.say {
		cells[c]++
	}
	e.expect(drift)
	for range 2 {
		var a, n float64
		for i, c := range e.classes[1:] {
			normal := 1 / (1 + rarelyHit*math.Exp(min(c.any, 100)))
			a += cells[i+1] * normal * (float64(c.affected) - c.usual*float64(c.total))
			n += cells[i+1] * normal * float64(c.total)
		}
		e.expect(min(max(a, 0)/(n+1), drift))
	}
}

// rarelyHit are the odds of a cell to be hit, where nothing is known of it.
const rarelyHit = .02

// rest counts what no cause covers.
func (e *explanation) rest() tally {
	var rest tally
	for i, by := range e.covered {
		if by == 0 {
			rest = rest.plus(tally{uint64(e.Affected[i]), uint64(e.Total[i])})
		}
	}
	return rest
}

// excess is the share of the rest that is affected beyond the cells' own normal shares.
func (e *explanation) excess(rest tally) float64 {
	usual := 0.0
	for i, share := range e.Normal {
		if e.covered[i] == 0 {
			usual += share * float64(e.Total[i])
		}
	}
	return max(float64(rest.affected)+.5-usual, 0) / (float64(rest.total) + 1)
}

// says is what each class says under a model, and what plain cells of each size without anybody affected say.
func (e *explanation) says(r rates) (classes, empty []say) {
	hit, normal := r.likelihood(e.most), around(e.drift).likelihood(e.most)
	empty = make([]say, e.most+1)
	known := make([]bool, e.most+1)
	classes = make([]say, len(e.classes))
	for i, c := range e.classes {
		if c.plain() && c.total > 0 {
			if !known[c.total] {
				empty[c.total], known[c.total] = e.chance(c.total, hit, normal), true
			}
			classes[i] = empty[c.total]
		}
		if classes[i].odds = c.any; r != anyShare {
			classes[i].odds = c.odds(hit)
		}
	}
	return classes, empty
}

// chance is what a plain cell says when nobody is affected, and what it says for a hit by chance.
func (e *explanation) chance(total uint32, hit, normal likelihood) say {
	c := class{figures: figures{total: total}, share: e.drift, normal: normal.of(0, total)}
	out, ways := say{odds: c.odds(hit)}, 0.0 // ways is ln of total over affected
	for c.affected < total {
		c.affected++
		ways += math.Log(float64(total-c.affected+1) / float64(c.affected))
		c.normal = normal.of(c.affected, total)
		p := math.Exp(ways + c.normal)
		if p < 1e-6 && float64(c.affected) > e.drift*float64(total) {
			break
		}
		gain := max(c.odds(hit), 0)
		out.mean += p * gain
		out.variance += p * gain * gain
	}
	return out
}

// crowd counts cells of one class.
type crowd struct {
	class
	cells float64
}

// histogram counts the cells of a set that say something, by class.
func (e *explanation) histogram(terms []term) []crowd {
	if len(e.count) < len(e.classes) {
		e.count = make([]uint32, len(e.classes))
	}
	var seen []uint32
	for _, i := range e.members(terms) {
		c := e.say[i]
		if e.count[c]++; e.count[c] == 1 {
			seen = append(seen, c)
		}
	}
	out := make([]crowd, 0, len(seen))
	for _, c := range seen {
		out = append(out, crowd{e.classes[c], float64(e.count[c])})
		e.count[c] = 0
	}
	return out
}

// fitted finds the share that a cause affects, if the set is one: that of the cells that look hit, and once more with the
// share so found.
func (e *explanation) fitted(set []crowd) rates {
	r := around(hitShare(set, func(c crowd) float64 { return c.any }))
	l := r.likelihood(e.most)
	return around(hitShare(set, func(c crowd) float64 { return c.odds(l) }))
}

// hitShare is the share of the affected in the cells of a set, each counted as far as it is hit by the odds.
func hitShare(set []crowd, odds func(c crowd) float64) float64 {
	var a, n float64
	for _, c := range set {
		d, hit := odds(c), c.cells
		if d <= lnMiss {
			continue
		}
		if d < 10 {
			hit *= 1 - (1-reach)/math.Exp(d)
		}
		a, n = a+hit*float64(c.affected), n+hit*float64(c.total)
	}
	return (a + .5) / (n + 1)
}

// score weighs a set under the model that fits it best, less its price.
func (e *explanation) score(f *found) {
	set := e.histogram(f.terms)
	*f = found{terms: f.terms, rates: e.fitted(set), score: -another}
	l := f.rates.likelihood(e.most)
	for _, c := range set {
		odds := c.odds(l)
		f.score += c.cells * odds
		if odds < 0 {
			f.against += uint64(c.cells) * uint64(c.total)
		}
		f.size.cells += uint64(c.cells)
		f.size.affected += uint64(c.cells) * uint64(c.affected)
		f.size.total += uint64(c.cells) * uint64(c.total)
	}
	for _, t := range f.terms {
		f.score -= e.price[t.axis]
	}
	if len(f.terms) == 0 {
		f.score -= another // what hits everything is rarer than what hits a part
	}
}
