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
	terms []term
	score float64 // evidence that the whole set is affected, in nats, less what naming it costs
}

// tally counts a set.
type tally struct{ affected, total uint64 }

// search finds the set whose cells' weights sum highest. Because evidence adds up over cells, the sum of the positive
// weights bounds all that any part of a set can reach, and most of the lattice is never opened.
type search struct {
	axes   []Axis
	weight []float64 // per cell: log-odds of affected against normal
	depth  int
	cost   float64 // of one more term
	best   []found // the best few, best first
	keep   int
	budget int // cells that may still be visited
}

// run looks for the best sets among cells.
func (s *search) run(cells []uint32) {
	s.open(nil, cells)
}

// open weighs every set that has one more term than terms, on axes after its last, and opens the promising ones.
func (s *search) open(terms []term, cells []uint32) {
	if len(terms) >= s.depth || s.budget <= 0 {
		return
	}
	var next []candidate
	for axis := firstAfter(terms); axis < len(s.axes); axis++ {
		if s.implied(terms, axis) {
			continue
		}
		s.budget -= len(cells)
		next = append(next, s.weigh(axis, cells)...)
	}
	slices.SortStableFunc(next, func(a, b candidate) int { return cmp.Compare(b.gain, a.gain) })
	for _, c := range next {
		s.offer(found{terms: extend(terms, c.term), score: c.net - s.price(len(terms)+1)})
	}
	for _, c := range next {
		if c.gain-s.price(len(terms)+2) <= s.floor() {
			continue
		}
		s.open(extend(terms, c.term), s.among(cells, c.term))
	}
}

// candidate is a term with what its cells weigh.
type candidate struct {
	term
	net, gain float64
}

func (s *search) weigh(axis int, cells []uint32) []candidate {
	a := s.axes[axis]
	net, gain := make([]float64, len(a.Values)), make([]float64, len(a.Values))
	for _, i := range cells {
		w, v := s.weight[i], a.Code[i]
		net[v] += w
		if w > 0 {
			gain[v] += w
		}
	}
	var out []candidate
	for v := range a.Values {
		if a.Values[v] != "" && gain[v] > 0 {
			out = append(out, candidate{term{axis, uint32(v)}, net[v], gain[v]})
		}
	}
	return out
}

func (s *search) among(cells []uint32, t term) []uint32 {
	var out []uint32
	for _, i := range cells {
		if s.axes[t.axis].Code[i] == t.code {
			out = append(out, i)
		}
	}
	return out
}

// price is what it costs to name a set of n terms.
func (s *search) price(n int) float64 { return s.cost * float64(n) }

func (s *search) floor() float64 {
	if len(s.best) < s.keep {
		return 0
	}
	return s.best[len(s.best)-1].score
}

func (s *search) offer(f found) {
	if f.score <= 0 || (len(s.best) == s.keep && f.score <= s.floor()) {
		return
	}
	at, _ := slices.BinarySearchFunc(s.best, f, func(a, b found) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(len(a.terms), len(b.terms)), -1)
	})
	s.best = slices.Insert(s.best, at, f)
	s.best = s.best[:min(len(s.best), s.keep)]
}

// implied says that a term already decides the axis, or the axis a term.
func (s *search) implied(terms []term, axis int) bool {
	return slices.ContainsFunc(terms, func(t term) bool {
		return slices.Contains(s.axes[t.axis].Above, axis) || slices.Contains(s.axes[axis].Above, t.axis)
	})
}

func firstAfter(terms []term) int {
	if len(terms) == 0 {
		return 0
	}
	return terms[len(terms)-1].axis + 1
}

func extend(terms []term, t term) []term { return append(slices.Clip(slices.Clone(terms)), t) }

func logOf(n int) float64 { return math.Log(float64(max(n, 2))) }
