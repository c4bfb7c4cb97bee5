package suspects

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	"goc/incidents/series"
	"goc/ops"
)

// Case is an incident as the ranking sees it.
type Case struct {
	Onset     time.Time
	OnsetBy   time.Duration   // how exactly the onset is known: it may be later by this much
	Until     time.Time       // when the symptom ended; zero while it lasts
	Services  []string        // that show the symptom, the deepest one in the call graph first
	Stores    []string        // named by its alerts; empty when they name none
	Place     ops.Scope       // cities, regions and kinds of device that its alerts name
	Rejected  map[string]bool // changes that people ruled out
	Confirmed string          // the change that people confirmed, "" when none
}

// World is everything else that is known.
type World struct {
	Graph     *Graph
	Samples   *series.Buffer
	Catalog   *ops.Catalog // may be nil: then stores are only those that changes and alerts name
	Priors    Priors
	Weights   Weights
	Direction func(service, indicator string) string // which way is good; nil goes by the indicator's name
}

// Ranking is the suspects, best first, then those that people rejected, and the probability that none of the changes on
// record did it. Suspects is never nil.
type Ranking struct {
	Suspects []ops.Suspect
	NoChange float64
	Weighed  int // how many changes were weighed
}

// maxSuspects is how many suspects are shown, maxRejected how many of those that people ruled out.
const (
	maxSuspects = 5
	maxRejected = 20
)

// candidate is one change under examination.
type candidate struct {
	scored
	*profile
	evident  float64   // the score with what was measured
	distance int       // calls from a symptom's service down to its own, -1 when there is no way
	measured *measured // nil when nothing could be
}

// Rank weighs the changes against the case: all of those that could have begun before the onset, but for those that
// people rejected. An index ranks without looking at every change; this is for lists of them.
func Rank(k Case, changes []*ops.Change, w World, now time.Time) Ranking {
	x := NewIndex()
	x.adopt(w.Catalog)
	sorted := slices.Clone(changes)
	slices.SortStableFunc(sorted, func(a, b *ops.Change) int {
		return cmp.Or(cmp.Compare(a.ID, b.ID), a.UpdatedAt.Compare(b.UpdatedAt.Time))
	})
	for _, ch := range sorted {
		x.put(*ch)
	}
	b := x.begin(k, w, now, &table{})
	b.all = true
	return b.rank(k)
}

// Rank weighs the changes on record that can matter to the case, at most MaxCandidates.
func (x *Index) Rank(k Case, w World, now time.Time) Ranking {
	return x.begin(k, w, now, &table{}).rank(k)
}

// RankAll ranks many cases at once and answers in their order what Rank answers for each. Cases whose services and onset
// are the same share all that no place decides, and cases that are the same share their ranking.
func (x *Index) RankAll(cases []Case, w World, now time.Time) []Ranking {
	out := make([]Ranking, len(cases))
	order, keys := make([]int, len(cases)), make([][2]string, len(cases))
	for i, k := range cases {
		order[i], keys[i] = i, keysOf(k)
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(keys[a][0], keys[b][0]), cmp.Compare(keys[a][1], keys[b][1]), cmp.Compare(a, b))
	})
	var b *batch
	t := &table{said: map[said]ops.Evidence{}}
	for n, i := range order {
		switch {
		case n == 0 || keys[order[n-1]][0] != keys[i][0]:
			b = x.begin(cases[i], w, now, t)
		case keys[order[n-1]][1] == keys[i][1]:
			out[i] = out[order[n-1]].clone()
			continue
		}
		out[i] = b.rank(cases[i])
	}
	return out
}

// keysOf is what two cases must have in common to share a frame, and what else to share their ranking.
func keysOf(k Case) [2]string {
	frame := k.Onset.UTC().Format(time.RFC3339Nano) + "\x00" + k.OnsetBy.String() + "\x00" + strings.Join(k.Services, "\x00")
	rejected := make([]string, 0, len(k.Rejected))
	for id, is := range k.Rejected {
		if is {
			rejected = append(rejected, id)
		}
	}
	slices.Sort(rejected)
	rest := strings.Join([]string{
		strings.Join(k.Stores, "\x00"), k.Place.String(), k.Until.UTC().Format(time.RFC3339Nano), strings.Join(rejected, "\x00"), k.Confirmed,
	}, "\x01")
	return [2]string{frame, rest}
}

func (r Ranking) clone() Ranking {
	r.Suspects = slices.Clone(r.Suspects)
	return r
}

// batch is the ranking of cases that share a frame.
type batch struct {
	*frame
	*table
	number int // of the frame
	x      *Index
	row    *row
	now    time.Time
	all    bool // weigh every change there is
}

// table is what one ranking after the other works on, so that it is allocated once.
type table struct {
	frames int
	said   map[said]ops.Evidence // nil where only one case is ranked
}

// said is what a sentence depends on: rankings of one batch share those that are the same.
type said struct {
	term    string
	kind    ops.ChangeKind
	frame   int // 0 for what does not depend on services and onset
	a, b, c int
}

func (x *Index) begin(k Case, w World, now time.Time, t *table) *batch {
	x.adopt(w.Catalog)
	f := x.frame(k, w)
	t.frames++
	return &batch{frame: f, table: t, number: t.frames, x: x, row: x.row(f), now: now}
}

// once says a sentence, or finds it where it was said before.
func (t *table) once(key said, say func() ops.Evidence) ops.Evidence {
	if t.said == nil {
		return say()
	}
	e, ok := t.said[key]
	if !ok {
		e = say()
		t.said[key] = e
	}
	return e
}

// rank ranks one case.
func (b *batch) rank(k Case) Ranking {
	k.Stores = unique(k.Stores)
	s := b.x.symptomOf(k, b.w)
	var skip []uint32
	for id, is := range k.Rejected {
		if slot, known := b.x.byID[id]; known && is {
			skip = append(skip, slot)
		}
	}
	keep := &b.x.notes.keep
	keep.begin(b.x, MaxCandidates, skip)
	if b.all {
		keep.limit = 0
		b.x.scanAll(b.frame, &s, keep)
	} else {
		b.x.scan(b.frame, b.row, &s, keep)
		b.insist(k.Confirmed, &s, keep)
	}
	cands := b.x.notes.cands[:0]
	for _, c := range keep.list {
		cands = append(cands, b.candidate(k, &s, c))
	}
	b.x.notes.cands = cands
	explainAway(cands, b.w)
	r := b.normalise(k, &s, cands)
	return b.addRejected(k, &s, skip, r)
}

// insist keeps the change that people confirmed, likely or not.
func (b *batch) insist(confirmed string, s *symptom, keep *best) {
	slot, known := b.x.byID[confirmed]
	if !known || slices.ContainsFunc(keep.list, func(c scored) bool { return c.slot == slot }) {
		return
	}
	if c, ok := b.one(slot, s); ok {
		keep.list = append(keep.list, c)
	}
}

// one scores one change by circumstance, false when it cannot have done it.
func (b *batch) one(slot uint32, s *symptom) (scored, bool) {
	at := b.x.slots[slot].movedBy(b.limit)
	if at < b.kinds[b.x.facts[slot].kind].since {
		return scored{}, false
	}
	return b.x.scored(b.frame, s, slot, at), true
}

// candidate measures a change.
func (b *batch) candidate(k Case, s *symptom, c scored) candidate {
	out := candidate{scored: c, profile: &b.x.slots[c.slot], distance: -1}
	if service := b.x.facts[c.slot].service; service > 0 && s.class == ofService {
		out.distance = int(b.distance[service-1].calls)
	}
	if b.measurable(&out) {
		b.measure(k, s, &out)
	}
	b.shiftTerms(k, &out)
	out.evident = c.score
	if m := out.measured; m != nil {
		out.evident += m.gap
		out.evident += m.suffer
		out.evident += m.silence.weight
		out.evident += m.own + m.partial + m.deeper
	}
	return out
}

// normalise turns scores into probabilities, against "no change" with a score of zero, and shows the first ones.
func (b *batch) normalise(k Case, s *symptom, cands []candidate) Ranking {
	heat := cmp.Or(max(0, b.w.Weights.Temper), 1)
	top := 0.0
	for i := range cands {
		top = max(top, cands[i].evident)
	}
	none := math.Exp(-top / heat)
	sum := none
	for i := range cands {
		sum += math.Exp((cands[i].evident - top) / heat)
	}
	known := 1 - max(0, min(1, b.w.Weights.Unknown))
	out := Ranking{NoChange: 1 - known + known*none/sum, Suspects: []ops.Suspect{}, Weighed: len(cands)}
	for i, c := range first(cands, k.Confirmed) {
		sus := b.suspect(k, s, c, known*math.Exp((c.evident-top)/heat)/sum)
		if sus.Rank = i + 1; c.ID == k.Confirmed {
			sus.Verdict = "confirmed"
		}
		out.Suspects = append(out.Suspects, sus)
	}
	return out
}

// first picks those to show: the confirmed one, then by score, then by id.
func first(cands []candidate, confirmed string) []*candidate {
	order := func(a, b *candidate) int {
		if (a.ID == confirmed) != (b.ID == confirmed) {
			return map[bool]int{true: -1, false: 1}[a.ID == confirmed]
		}
		return cmp.Or(cmp.Compare(b.evident, a.evident), cmp.Compare(a.ID, b.ID))
	}
	out := make([]*candidate, 0, maxSuspects+1)
	for i := range cands {
		c := &cands[i]
		if len(out) == maxSuspects && c.evident < out[maxSuspects-1].evident && c.ID != confirmed {
			continue
		}
		if len(out) == maxSuspects && order(c, out[maxSuspects-1]) > 0 {
			continue
		}
		at, _ := slices.BinarySearchFunc(out, c, order)
		out = slices.Insert(out, at, c)
		out = out[:min(len(out), maxSuspects)]
	}
	return out
}

// addRejected lists the changes that people ruled out after the others, with their evidence. They have no place and no
// probability: the others share it among them.
func (b *batch) addRejected(k Case, s *symptom, rejected []uint32, r Ranking) Ranking {
	var cands []candidate
	for _, slot := range rejected {
		if c, ok := b.one(slot, s); ok {
			cands = append(cands, b.candidate(k, s, c))
		}
	}
	slices.SortFunc(cands, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(b.evident, a.evident), cmp.Compare(a.ID, b.ID))
	})
	for i := range cands[:min(len(cands), maxRejected)] {
		sus := b.suspect(k, s, &cands[i], 0)
		sus.Verdict = "rejected"
		r.Suspects = append(r.Suspects, sus)
	}
	return r
}

// suspect splits the evidence into what speaks for and against, the weightiest first.
func (b *batch) suspect(k Case, s *symptom, c *candidate, p float64) ops.Suspect {
	out := ops.Suspect{ChangeID: c.ID, Title: c.Title, Kind: c.Kind, Probability: p, Score: round(c.evident), Verdict: "suspect", Reasons: []ops.Evidence{}, Against: []ops.Evidence{}}
	for _, e := range b.evidence(k, s, c) {
		e.Weight = round(e.Weight)
		if e.Weight < 0 {
			out.Against = append(out.Against, e)
		} else {
			out.Reasons = append(out.Reasons, e)
		}
	}
	slices.SortStableFunc(out.Reasons, func(a, b ops.Evidence) int { return cmp.Compare(b.Weight, a.Weight) })
	slices.SortStableFunc(out.Against, func(a, b ops.Evidence) int { return cmp.Compare(a.Weight, b.Weight) })
	return out
}

func round(x float64) float64 { return math.Round(x*1000) / 1000 }

// lastBefore is when ch last moved not later than limit, and the stage that did (0 for the change as a whole). False
// when it has not moved by then.
func lastBefore(ch *ops.Change, limit time.Time) (at time.Time, stage int, ok bool) {
	take := func(t time.Time, n int) {
		if !t.IsZero() && !t.After(limit) && !t.Before(at) {
			at, stage, ok = t, n, true
		}
	}
	take(ch.StartedAt.Time, 0)
	for i, s := range ch.Stages {
		take(s.StartedAt.Time, i+1)
	}
	return at, stage, ok
}
