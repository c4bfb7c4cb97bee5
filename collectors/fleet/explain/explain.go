package explain

import (
	"cmp"
	"slices"
)

// Bounds of one search.
const (
	kept        = 6       // sets that are looked at closely
	worthALook  = .6      // of the best score, what a set must have to be among them
	visited     = 250_000 // cells that the sets of two and more terms may visit, and three times as many as there are
	mixedFrom   = .1      // of a set's devices, how many must be in cells that speak against it for two causes to be tried in its place
	worthASplit = 1.2     // of the score of one cause, what two in its place must have
	manyOfAll   = .1      // the share affected from which on the whole is looked at as one set
	rounds      = 3       // of looking at all causes again, as long as one comes out differently
	mostCauses  = 32
)

// Explain names the causes in in. It fails only where the input does not fit its own axes or bounds.
func Explain(in Input, o Options) (Result, error) {
	x, err := NewIndex(in.Axes, len(in.Total))
	if err != nil {
		return Result{}, err
	}
	return x.Explain(in.Counts, o)
}

// Explain names the causes in the counts of one moment.
func (x *Index) Explain(c Counts, o Options) (Result, error) {
	if err := x.check(c); err != nil {
		return Result{}, err
	}
	e := &explanation{Index: x, Counts: c, o: o.orDefaults(), covered: make([]uint8, x.cells), ground: x.everything}
	e.classify()
	all := e.rest()
	excess := e.excess(all)
	e.everywhere = excess > manyOfAll
	e.expect(0)
	if 2*e.unknown > all.total {
		e.settle(excess / 4) // a guess
	}
	e.add()
	for range rounds {
		if !e.refine() {
			break
		}
		e.add()
	}
	e.prune()
	return e.result(), nil
}

// explanation is the work on the counts of one moment.
type explanation struct {
	*Index
	Counts
	o          Options
	everywhere bool     // so many are affected that it may be all together
	unknown    uint64   // devices of cells without a normal share of their own
	drift      float64  // share that is affected besides what is normal for each cell
	most       uint32   // devices in the largest cell below tabled
	class      []uint32 // per cell
	size       []uint32 // per cell, its devices if it is plain, else 0
	say        []uint32 // per cell, its class, or nobody where a cause covers it
	ground     []uint32 // the cells that the question is about
	classes    []class
	profiles   []profile // per axis, of the cells that say something; nil when there are none
	covered    []uint8   // per cell, by how many causes
	silent     int       // cells that a cause covers
	count      []uint32
	chosen     []chosen
}

// chosen is a cause with what else it could have been.
type chosen struct {
	found
	others []found
}

// add names causes as long as one pays for its name.
func (e *explanation) add() {
	for len(e.chosen) < e.o.MaxCauses {
		pool := e.look(anyShare)
		if len(pool) == 0 {
			return
		}
		e.chosen = append(e.chosen, chosen{pool[0], pool[1:]})
		e.cover(pool[0].terms)
		e.settle(e.excess(e.rest()))
	}
}

// refine looks at each cause again, now that the others, its own share and what is normal are known. It says whether any
// came out differently.
func (e *explanation) refine() (changed bool) {
	for k := 0; k < len(e.chosen); k++ {
		was := e.chosen[k]
		e.uncover(was.terms)
		var pool []found
		if k > 0 && k == len(e.chosen)-1 && !changed {
			pool = e.rank(append([]found{was.found}, was.others...)) // it was looked for when all others were known
		} else {
			pool = e.look(was.rates)
		}
		if len(pool) == 0 {
			e.chosen = slices.Delete(e.chosen, k, k+1)
			k, changed = k-1, true
			continue
		}
		e.chosen[k] = chosen{pool[0], pool[1:]}
		if part, other, ok := e.split(pool[0]); ok && len(e.chosen) < e.o.MaxCauses {
			e.chosen[k] = chosen{found: part}
			e.chosen = append(e.chosen, chosen{found: other})
			e.cover(other.terms)
		}
		e.cover(e.chosen[k].terms)
		changed = changed || !slices.Equal(was.terms, e.chosen[k].terms)
	}
	return changed
}

// prune leaves out causes that the others have made needless, the weakest first.
func (e *explanation) prune() {
	slices.SortStableFunc(e.chosen, func(a, b chosen) int { return cmp.Compare(b.score, a.score) })
	for k := len(e.chosen) - 1; k > 0; k-- {
		f := e.chosen[k].found
		e.uncover(f.terms)
		if e.score(&f); f.score <= 0 {
			e.chosen = slices.Delete(e.chosen, k, k+1)
			continue
		}
		e.cover(f.terms)
	}
}

// split asks whether two causes explain more than the one that spans them both. They do only where a part of it is hit
// plainly harder than the whole.
func (e *explanation) split(f found) (part, other found, ok bool) {
	if !f.mixed() {
		return part, other, false
	}
	harder := e.within(f).seek(anyShare, 0) // one more cause is paid for below
	if len(harder) == 0 || len(harder[0].terms)+len(f.terms) > e.o.MaxDepth {
		return part, other, false
	}
	part = found{terms: e.both(f.terms, harder[0].terms)}
	e.score(&part)
	e.cover(part.terms)
	defer e.uncover(part.terms)
	pool := e.look(anyShare)
	if part.score <= 0 || len(pool) == 0 {
		return part, other, false
	}
	margin := worthASplit
	if len(f.terms) == 0 {
		margin = 1 // everything is the last that is named
	}
	return part, pool[0], part.score+pool[0].score > f.score*margin
}

// mixed says that many cells of the set speak against it.
func (f found) mixed() bool { return float64(f.against) > mixedFrom*float64(f.size.total) }

// within is the same question about the cells of a set only, with the set's own share for normal.
func (e *explanation) within(f found) *explanation {
	in := *e
	in.Normal, in.profiles = nil, nil
	in.classes, in.say, in.ground = slices.Clone(e.classes), make([]uint32, e.cells), e.members(f.terms)
	for i := range in.classes {
		in.classes[i].usual = 0
	}
	in.expect(float64(f.size.affected) / float64(max(f.size.total, 1)))
	for _, i := range in.ground {
		in.say[i] = e.say[i]
	}
	return &in
}

// both are the terms of either, without those that others decide.
func (e *explanation) both(a, b []term) []term {
	out := slices.Clone(b)
	for _, t := range a {
		if !slices.ContainsFunc(b, func(u term) bool { return u.axis == t.axis || e.implied[u.axis][t.axis] }) {
			out = append(out, t)
		}
	}
	slices.SortFunc(out, func(t, u term) int { return slices.Index(e.order, t.axis) - slices.Index(e.order, u.axis) })
	return out
}

// cover lets the cells of a cause say nothing any more.
func (e *explanation) cover(terms []term) {
	for _, i := range e.members(terms) {
		if e.covered[i]++; e.covered[i] == 1 {
			e.say[i] = nobody
			e.recount(i, -1)
			e.silent++
		}
	}
}

func (e *explanation) uncover(terms []term) {
	for _, i := range e.members(terms) {
		if e.covered[i]--; e.covered[i] == 0 {
			e.say[i] = e.class[i]
			e.recount(i, 1)
			e.silent--
		}
	}
}

// recount keeps the profiles to the cells that say something.
func (e *explanation) recount(i uint32, by int) {
	for axis, p := range e.profiles {
		if p.cells != nil {
			p.cells[int(e.axes[axis].Code[i])*p.width+int(e.size[i])] += uint32(by)
		}
	}
}

// look finds what one more cause could be, best first. It searches for hits of the given kind; where the best of these is
// not what it seemed, because a large part of it is not hit at all, for hits like those in it.
func (e *explanation) look(r rates) []found {
	sets := e.seek(r, another)
	if e.silent == 0 && e.everywhere {
		sets = append(sets, found{})
	}
	pool := e.rank(slices.Clone(sets))
	if len(sets) == 0 || len(pool) > 0 && 2*pool[0].score > sets[0].score {
		return pool
	}
	e.score(&sets[0])
	return e.rank(append(pool, e.seek(sets[0].rates, another)...))
}

// rank scores each set under the model that fits it best, and leaves those that are worth their names, best first.
func (e *explanation) rank(pool []found) []found {
	for i := range pool {
		e.score(&pool[i])
	}
	pool = slices.DeleteFunc(pool, func(f found) bool { return f.score <= 0 })
	slices.SortStableFunc(pool, func(a, b found) int { return cmp.Compare(b.score, a.score) })
	return distinct(pool)
}

// distinct leaves of sets that are the same cells the one with the fewest terms.
func distinct(pool []found) []found {
	var out []found
	for _, f := range pool {
		switch i := slices.IndexFunc(out, func(g found) bool { return f.size == g.size }); {
		case i < 0:
			out = append(out, f)
		case len(f.terms) < len(out[i].terms):
			out[i].terms = f.terms
		}
	}
	return out
}

// seek finds the best sets under the model of one cause, each of which costs so much.
func (e *explanation) seek(r rates, cost float64) []found {
	s := &search{Index: e.Index, class: e.say, counts: e.profiles, depth: e.o.MaxDepth}
	s.say, s.empty = e.says(r)
	s.gains, s.beyond = make([]float64, len(e.classes)), make([]float64, len(e.classes))
	for i, c := range e.classes {
		s.gains[i], s.beyond[i] = max(s.say[i].odds, 0), s.say[i].odds
		if c.plain() {
			s.beyond[i] -= s.empty[c.total].odds
		}
	}
	s.gain, s.sums = make([]float64, e.widest), make([]say, e.widest)
	var hot []uint32
	for _, i := range e.ground {
		if e.say[i] != nobody && (e.Affected[i] > 0 || e.size[i] == 0) {
			hot = append(hot, i)
		}
	}
	s.open(nil, cost, e.ground, hot)
	return s.best
}
