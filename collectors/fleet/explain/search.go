package explain

import (
	"cmp"
	"math"
	"slices"
)

// term is one value of one axis; a conjunction of terms on different axes is a set.
type term struct {
	axis int
	code uint32
}

// found is a set that the search looked at.
type found struct {
	terms   []term
	score   float64 // evidence that the whole set is hit, in nats, less what naming it costs
	rates   rates   // the model that fits it
	size    size    // of what of it says something
	against uint64  // devices in cells that speak against it
}

// size tells whether two sets are the same, whatever they are called.
type size struct{ cells, affected, total uint64 }

// search finds the sets whose cells' odds sum highest. Because evidence adds up over cells, the sum of the positive odds
// bounds all that any part of a set can reach. What normal cells show by chance is taken off that bound: a large set
// always has some evidence. So most of the lattice is never opened, and of most sets only the cells that speak for them
// are ever visited.
type search struct {
	*Index
	class  []uint32 // per cell
	say    []say    // per class
	empty  []say    // per size, of cells without anybody affected; with profiles only
	counts []profile
	depth  int
	best   []found   // best first
	gains  []float64 // per class, its odds where they are positive
	beyond []float64 // per class, its odds less those of a cell of its size without anybody affected
	budget int       // cells that may still be visited
	gain   []float64 // of the axis at hand, per value
	sums   []say
}

// candidate is a term with the evidence that speaks for it.
type candidate struct {
	term
	gain, price float64 // what speaks for it, and what naming it costs
	net         float64 // what all of its cells say
	part        float64 // what the best part of it can be expected to reach
	surprise    float64 // in standard deviations, how much more speaks for it than would by chance
}

// say is what a cell says for a hit: its log-odds, and the mean and the variance of what it would say for a hit by chance
// if it were normal.
type say struct{ odds, mean, variance float64 }

// open weighs every set that has one more term than terms, on axes after its last, and opens the promising ones. cells are
// those of the set, hot are those of them that are not plain or have anybody affected.
func (s *search) open(terms []term, price float64, cells, hot []uint32) {
	var next []candidate
	for _, axis := range s.order[s.after(terms):] {
		if !s.decided(terms, axis) {
			first := len(next)
			next = s.weigh(next, axis, price+s.price[axis], cells, hot, len(terms) == 0)
			for _, c := range next[first:] {
				s.offer(terms, c)
			}
		}
	}
	if len(terms)+1 >= s.depth {
		return
	}
	if len(terms) == 0 {
		s.budget = visited + 3*s.cells // the sets of one term are always weighed
	}
	next = slices.DeleteFunc(next, func(c candidate) bool { return c.part <= s.floor() })
	slices.SortStableFunc(next, func(a, b candidate) int { return cmp.Compare(b.surprise, a.surprise) })
	for _, c := range next {
		if c.part > s.floor() && s.budget > 0 {
			s.open(extend(terms, c.term), c.price, s.within(terms, cells, c.term), s.among(hot, c.term))
		}
	}
}

// within lists the cells of one more term.
func (s *search) within(terms []term, cells []uint32, t term) []uint32 {
	if len(terms) == 0 && len(cells) == s.cells {
		return s.having(t)
	}
	s.budget -= len(cells)
	return s.among(cells, t)
}

// weigh adds a candidate for each value of the axis that enough speaks for. Where no value has enough, only the hot cells
// are visited.
func (s *search) weigh(next []candidate, axis int, price float64, cells, hot []uint32, root bool) []candidate {
	a, first := s.axes[axis], len(next)
	gain := s.gain[:len(a.Values)]
	clear(gain)
	for _, i := range hot {
		gain[a.Code[i]] += s.gains[s.class[i]]
	}
	s.budget -= len(hot)
	floor := s.floor()
	for v, g := range gain {
		if g-price > floor && a.Values[v] != "" {
			next = append(next, candidate{term: term{axis, uint32(v)}, gain: g, price: price})
		}
	}
	if len(next) == first {
		return next
	}
	if root && s.counts != nil && s.counts[axis].cells != nil {
		s.count(next[first:], s.counts[axis], hot)
	} else {
		s.visit(next[first:], cells)
	}
	return next
}

// visit sums what cells say, per value.
func (s *search) visit(next []candidate, cells []uint32) {
	a := s.axes[next[0].axis]
	sums := s.sums[:len(a.Values)]
	clear(sums)
	s.budget -= len(cells)
	for _, i := range cells {
		sum, c := &sums[a.Code[i]], &s.say[s.class[i]]
		sum.odds += c.odds
		sum.mean += c.mean
		sum.variance += c.variance
	}
	for k := range next {
		next[k].settle(sums[next[k].code])
	}
}

// count sums the same from the profile and the cells that have anybody affected.
func (s *search) count(next []candidate, p profile, hot []uint32) {
	a := s.axes[next[0].axis]
	more := s.gain[:len(a.Values)]
	clear(more)
	s.budget -= len(hot)
	for _, i := range hot {
		more[a.Code[i]] += s.beyond[s.class[i]]
	}
	for k := range next {
		sum := say{odds: more[next[k].code]}
		for size, cells := range p.of(next[k].code) {
			if n := float64(cells); n > 0 { // and so size is one that occurs
				sum.odds += n * s.empty[size].odds
				sum.mean += n * s.empty[size].mean
				sum.variance += n * s.empty[size].variance
			}
		}
		next[k].settle(sum)
	}
}

// settle takes what all cells of the set say.
func (c *candidate) settle(sum say) {
	scatter := math.Sqrt(sum.variance)
	c.net = sum.odds
	c.part = c.gain - sum.mean + 3*scatter - c.price
	c.surprise = (c.gain - sum.mean) / max(scatter, 1e-9)
}

// floor is what a set must beat to be kept.
func (s *search) floor() float64 {
	switch {
	case len(s.best) == 0:
		return 0
	case len(s.best) < kept:
		return s.best[0].score * worthALook
	}
	return max(s.best[len(s.best)-1].score, s.best[0].score*worthALook)
}

func (s *search) offer(terms []term, c candidate) {
	f := found{terms: extend(terms, c.term), score: c.net - c.price}
	if f.score <= s.floor() {
		return
	}
	at := 0
	for at < len(s.best) && (s.best[at].score > f.score || s.best[at].score == f.score && len(s.best[at].terms) <= len(f.terms)) {
		at++
	}
	s.best = slices.Insert(s.best, at, f)
	s.best = s.best[:min(len(s.best), kept)]
}

// decided says that the axis cannot narrow the set: it tells nothing apart, or hangs together with one of its axes.
func (s *search) decided(terms []term, axis int) bool {
	return !s.varied[axis] || slices.ContainsFunc(terms, func(t term) bool { return s.implied[t.axis][axis] })
}

// after is where in the order of the axes those come that may still narrow the set.
func (s *search) after(terms []term) int {
	if len(terms) == 0 {
		return 0
	}
	return slices.Index(s.order, terms[len(terms)-1].axis) + 1
}

func extend(terms []term, t term) []term { return append(slices.Clone(terms), t) }
