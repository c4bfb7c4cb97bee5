package suspects

import (
	"cmp"
	"math"
	"slices"
)

// MaxCandidates bounds how many changes one ranking weighs against each other: those that circumstance makes most
// likely. What is left out scores no higher by circumstance than what is kept, however much there is of it.
const MaxCandidates = 400

// wideStores is how many stores a change must name to be thought of for a symptom that names none.
const wideStores = 200

// scratch is what rankings write on, by slot, so that they need not clear or allocate it each time.
type scratch struct {
	row, round uint32
	rows       []uint32 // the row that a change stands in
	extra      []uint32 // the round that took it for its place
	hits       []uint32 // the round in which it was found in a list of the symptom's stores
	columns    row      // of the frame in use
	keep       best
	cands      []candidate
}

func (s *scratch) grow(n int) {
	for len(s.rows) < n {
		s.rows, s.extra, s.hits = append(s.rows, 0), append(s.extra, 0), append(s.hits, 0)
	}
}

// row is the changes to which the services of a frame lead, as columns: what does not depend on a place is summed up
// once for all cases that share the frame.
type row struct {
	slots []uint32
	at    []int64
	base  []float64 // prior, conduct, bakes, undoing, time, distance and fit
	reach []uint8
	loose []scored // changes that name services only in their scope: a place decides
	any   []scored // changes that could touch anything and are not of a related service
}

// row collects the changes of every service that the symptom's depend on, and of those that call them directly.
func (x *Index) row(f *frame) *row {
	r := &x.notes.columns
	r.slots, r.at, r.base, r.reach, r.loose, r.any = r.slots[:0], r.at[:0], r.base[:0], r.reach[:0], r.loose[:0], r.any[:0]
	x.notes.row++
	take := func(slot uint32, at int64) {
		if x.notes.rows[slot] == x.notes.row {
			return
		}
		x.notes.rows[slot] = x.notes.row
		facts := x.facts[slot]
		if facts.service == 0 {
			r.loose = append(r.loose, scored{f.circumstance(x, slot, at), at, slot})
			return
		}
		score := f.circumstance(x, slot, at)
		score += f.distance[facts.service-1].weight
		score += f.kinds[facts.kind].fit[ofService]
		r.slots, r.at, r.base, r.reach = append(r.slots, slot), append(r.at, at), append(r.base, score), append(r.reach, facts.reach)
	}
	for _, name := range f.related() {
		if id, ok := x.names[byService].find(name); ok {
			x.moved(x.lists[key{byService, id}], f, take)
		}
	}
	x.moved(x.lists[key{axis: byAny}], f, func(slot uint32, at int64) {
		if x.notes.rows[slot] != x.notes.row {
			x.notes.rows[slot] = x.notes.row
			r.any = append(r.any, scored{f.circumstance(x, slot, at), at, slot})
		}
	})
	return r
}

// related lists the services that the symptom's depend on, and those that call them directly, in order.
func (f *frame) related() []string {
	var out []string
	for name := range f.below {
		out = append(out, name)
	}
	if g := f.w.Graph; g != nil {
		for _, name := range f.services {
			if id, ok := g.nodes.find(name); ok {
				for _, caller := range g.callers[id] {
					out = append(out, g.nodes.list[caller])
				}
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// moved goes through the changes on a list that moved before the onset, and not too long before it for their kind, with
// the time of that move.
func (x *Index) moved(l *list, f *frame, visit func(slot uint32, at int64)) {
	if l == nil {
		return
	}
	for i, kind := range l.kinds {
		since, of := f.kinds[kind].since, l.of[i]
		for j := len(of) - 1; j >= 0 && of[j].at >= since; j-- {
			slot, at := of[j].slot, of[j].at
			if at > f.limit { // it moved on after the onset; what it did before may count
				if x.facts[slot].flags&flagMoves == 0 {
					continue
				}
				if at = x.slots[slot].movedBy(f.limit); at < since {
					continue
				}
			}
			visit(slot, at)
		}
	}
}

// movedBy is the last move not later than limit, -1 << 63 when there was none.
func (p *profile) movedBy(limit int64) int64 {
	at := int64(-1 << 63)
	if t := p.StartedAt; !t.IsZero() && nanos(t.Time) <= limit {
		at = nanos(t.Time)
	}
	for i := range p.Stages {
		if t := p.Stages[i].StartedAt; !t.IsZero() && nanos(t.Time) <= limit {
			at = max(at, nanos(t.Time))
		}
	}
	return at
}

// scan scores every change to which the services or the places of a case lead, and keeps the most likely.
func (x *Index) scan(f *frame, r *row, s *symptom, keep *best) {
	x.notes.round++
	x.scanPlaces(f, s, keep)
	for i, slot := range r.slots {
		score := r.base[i]
		if s.affected > 0 && x.atlas.cat != nil {
			switch r.reach[i] {
			case reachEvery:
				score += s.every
			case reachNamed:
				if x.notes.hits[slot] == x.notes.round {
					score += x.spread(slot, s, f.w).weight(f.w.Weights)
				} else {
					score -= f.w.Weights.Spatial
				}
			case reachArea:
				if score+s.most < keep.floor {
					continue
				}
				score += x.spread(slot, s, f.w).weight(f.w.Weights)
			}
		}
		keep.add(scored{score, r.at[i], slot})
	}
	for _, list := range [][]scored{r.loose, r.any} {
		for _, c := range list {
			c.score = x.place(f, s, c.slot, c.score)
			keep.add(c)
		}
	}
	keep.cut()
}

// scanAll scores every change on record.
func (x *Index) scanAll(f *frame, s *symptom, keep *best) {
	for _, e := range x.all {
		at := x.slots[e.slot].movedBy(f.limit)
		if at >= f.kinds[x.facts[e.slot].kind].since {
			keep.add(x.scored(f, s, e.slot, at))
		}
	}
	slices.SortFunc(keep.list, keep.order)
}

// scanPlaces scores the changes to which only the places of the symptom lead, and notes which changes went to its stores.
func (x *Index) scanPlaces(f *frame, s *symptom, keep *best) {
	take := func(slot uint32, at int64) {
		if x.notes.extra[slot] == x.notes.round || x.notes.rows[slot] == x.notes.row {
			return
		}
		x.notes.extra[slot] = x.notes.round
		keep.add(x.scored(f, s, slot, at))
	}
	for id := range s.stores.each {
		x.moved(x.lists[key{byStore, id}], f, func(slot uint32, at int64) {
			x.notes.hits[slot] = x.notes.round
			take(slot, at)
		})
	}
	x.moved(x.lists[key{axis: byMany}], f, func(slot uint32, at int64) {
		if stores := x.slots[slot].places[byStore]; stores.common(&s.stores) > 0 || s.affected == 0 && stores.size() > wideStores {
			take(slot, at)
		}
	})
	for _, id := range s.cities {
		x.moved(x.lists[key{byCity, id}], f, take)
	}
}

// scored sums up all circumstance of one change.
func (x *Index) scored(f *frame, s *symptom, slot uint32, at int64) scored {
	return scored{x.place(f, s, slot, f.circumstance(x, slot, at)), at, slot}
}

// place adds to the score of a change what its service, its kind and its places say.
func (x *Index) place(f *frame, s *symptom, slot uint32, score float64) float64 {
	facts := x.facts[slot]
	if facts.service > 0 && s.class == ofService {
		score += f.distance[facts.service-1].weight
	} else if facts.flags&flagPlaced == 0 {
		score += unplaced
	} else {
		score += x.placeWeight(&x.slots[slot], s, f.w.Weights)
	}
	score += f.kinds[facts.kind].fit[s.class]
	if facts.reach == reachEvery {
		return score + s.every
	}
	return score + x.spread(slot, s, f.w).weight(f.w.Weights)
}

// scored is a change and what circumstance says of it.
type scored struct {
	score float64
	at    int64 // its last move that counts
	slot  uint32
}

// best keeps the changes of the highest scores, of equal ones those that moved last. A limit of 0 keeps all.
type best struct {
	x     *Index
	limit int
	skip  []uint32 // slots that are not wanted
	list  []scored
	floor float64 // a lower score cannot get in any more
}

// begin empties the list for another case.
func (b *best) begin(x *Index, limit int, skip []uint32) {
	*b = best{x: x, limit: limit, skip: skip, list: b.list[:0], floor: math.Inf(-1)}
}

func (b *best) add(c scored) {
	if c.score < b.floor || len(b.skip) > 0 && slices.Contains(b.skip, c.slot) {
		return
	}
	if b.list = append(b.list, c); b.limit > 0 && len(b.list) == 2*b.limit {
		b.cut()
	}
}

// cut drops what is beyond the limit.
func (b *best) cut() {
	if b.limit == 0 || len(b.list) <= b.limit {
		return
	}
	b.part(0, len(b.list), b.limit)
	b.list = b.list[:b.limit]
	b.floor = b.list[0].score
	for _, c := range b.list {
		b.floor = min(b.floor, c.score)
	}
}

// part moves the n first of list[lo:hi] to its beginning (quickselect).
func (b *best) part(lo, hi, n int) {
	for hi-lo > 1 && n > lo && n < hi {
		pivot := b.list[lo+(hi-lo)/2]
		i, j := lo, hi-1
		for i <= j {
			for b.order(b.list[i], pivot) < 0 {
				i++
			}
			for b.order(b.list[j], pivot) > 0 {
				j--
			}
			if i <= j {
				b.list[i], b.list[j] = b.list[j], b.list[i]
				i, j = i+1, j-1
			}
		}
		switch {
		case n <= j+1:
			hi = j + 1
		case n >= i:
			lo = i
		default:
			return
		}
	}
}

// order puts the likelier first.
func (b *best) order(a, c scored) int {
	switch {
	case a.score != c.score:
		return cmp.Compare(c.score, a.score)
	case a.at != c.at:
		return cmp.Compare(c.at, a.at)
	case a.slot == c.slot:
		return 0
	}
	return cmp.Compare(b.x.slots[a.slot].ID, b.x.slots[c.slot].ID)
}
