package explain

import (
	"math"
	"slices"
)

// nobody is the class of cells that say nothing: those that a cause covers already.
const nobody = 0

// leastShare is the least that is taken for normal: nothing is never affected.
const leastShare = 1e-4

// classify sorts the cells by their figures. Without a history of their own, all have the given normal share.
func (e *explanation) classify(share float64) {
	e.share, e.most = share, 0
	for _, n := range e.Total {
		e.most = max(e.most, n)
	}
	e.classes, e.class = append(e.classes[:0], class{}), make([]uint32, e.cells)
	ids, large := make([]uint32, tabled*(tabled+1)/2), map[uint64]uint32{}
	normal := around(max(share, leastShare)).likelihood(e.most)
	for i, n := range e.Total {
		a := e.Affected[i]
		switch {
		case n == 0:
		case e.Normal != nil:
			own := max(e.Normal[i], leastShare)
			e.class[i] = e.newClass(a, n, own, around(own).likelihood(0))
		case n < tabled:
			id := &ids[n*(n+1)/2+a]
			if *id == 0 {
				*id = e.newClass(a, n, max(share, leastShare), normal)
			}
			e.class[i] = *id
		default:
			key := uint64(n)<<32 | uint64(a)
			if large[key] == 0 {
				large[key] = e.newClass(a, n, max(share, leastShare), normal)
			}
			e.class[i] = large[key]
		}
	}
	e.say = append(e.say[:0], e.class...)
	e.profiles = nil
	if e.Normal == nil {
		for _, p := range e.Index.profiles(e.Total, e.most) {
			e.profiles = append(e.profiles, profile{p.width, slices.Clone(p.cells)})
		}
	}
}

// reshare takes another share for normal.
func (e *explanation) reshare(share float64) {
	if e.Normal != nil {
		return
	}
	e.share = share
	normal := around(max(share, leastShare)).likelihood(e.most)
	for i := range e.classes {
		c := &e.classes[i]
		c.share, c.normal = max(share, leastShare), normal.of(c.affected, c.total)
	}
}

func (e *explanation) newClass(affected, total uint32, share float64, normal likelihood) uint32 {
	e.classes = append(e.classes, class{affected, total, share, normal.of(affected, total)})
	return uint32(len(e.classes) - 1)
}

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

// says is what each class says under a model, and what cells of each size without anybody affected say.
func (e *explanation) says(r rates) (classes, empty []say) {
	hit, normal := r.likelihood(e.most), around(max(e.share, leastShare)).likelihood(e.most)
	classes = make([]say, len(e.classes))
	for i, c := range e.classes {
		classes[i].odds = c.odds(hit)
	}
	if e.Normal != nil || e.most >= tabled {
		return classes, nil
	}
	empty = make([]say, e.most+1)
	for n := range e.most + 1 {
		empty[n] = e.chance(n, hit, normal)
	}
	for i, c := range e.classes {
		classes[i].mean, classes[i].variance = empty[c.total].mean, empty[c.total].variance
	}
	return classes, empty
}

// chance is what a cell of the size says when nobody is affected, and what it says for a hit by chance.
func (e *explanation) chance(total uint32, hit, normal likelihood) say {
	none := class{0, total, max(e.share, leastShare), normal.of(0, total)}
	out, ways := say{odds: none.odds(hit)}, 0.0 // ways is ln of total over a
	for a := uint32(1); a <= total; a++ {
		ways += math.Log(float64(total-a+1) / float64(a))
		c := class{a, total, none.share, normal.of(a, total)}
		p := math.Exp(ways + c.normal)
		gain := max(c.odds(hit), 0)
		out.mean += p * gain
		out.variance += p * gain * gain
		if p < 1e-6 && float64(a) > e.share*float64(total) {
			break
		}
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

// fitted finds the share that a cause affects, if the set is one: that of the cells that look hit, again and again.
func (e *explanation) fitted(set []crowd) rates {
	r := anyShare
	for range 3 {
		var a, n float64
		l := r.likelihood(e.most)
		for _, c := range set {
			if odds := c.odds(l); odds > lnMiss {
				hit := c.cells * (1 - (1-reach)/math.Exp(odds))
				a, n = a+hit*float64(c.affected), n+hit*float64(c.total)
			}
		}
		r = around((a + .5) / (n + 1))
	}
	return r
}

// score weighs a set under the model that fits it best, less its price.
func (e *explanation) score(f *found) {
	set := e.histogram(f.terms)
	f.rates, f.score = e.fitted(set), -another
	l := f.rates.likelihood(e.most)
	for _, c := range set {
		f.score += c.cells * c.odds(l)
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
