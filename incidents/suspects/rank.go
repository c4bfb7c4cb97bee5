package suspects

import (
	"cmp"
	"math"
	"slices"
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

	below map[string]below // every service that the symptom depends on; filled in by Rank
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

// Ranking is the suspects, best first, and the probability that none of the changes on record did it. Suspects is never nil.
type Ranking struct {
	Suspects []ops.Suspect
	NoChange float64
	Weighed  int // how many changes were weighed
}

// maxSuspects is how many suspects are shown.
const maxSuspects = 5

// candidate is one change under examination.
type candidate struct {
	*ops.Change
	exposure exposure
	evidence []ops.Evidence
	local    float64 // how suspicious its own units are, 0 to 1
	gap      int     // index of the gap's evidence, -1 when there is none
	distance int     // calls from a symptom's service down to its own, -1 when there is no way
}

func (c *candidate) add(e ops.Evidence) {
	if e.Text != "" {
		c.evidence = append(c.evidence, e)
	}
}

func (c *candidate) score() float64 {
	sum := 0.0
	for _, e := range c.evidence {
		sum += e.Weight
	}
	return sum
}

// Rank weighs the changes against the case. Every change that could have started after the onset is left out; so are
// those that people rejected.
func Rank(k Case, changes []*ops.Change, w World, now time.Time) Ranking {
	k.below = belowAll(k, w.Graph)
	var cands []*candidate
	for _, ch := range changes {
		if k.Rejected[ch.ID] {
			continue
		}
		if c := consider(k, ch, w, now); c != nil {
			cands = append(cands, c)
		}
	}
	explainAway(cands, w)
	return normalise(k, cands)
}

// consider collects the evidence on one change, nil when it cannot have done it.
func consider(k Case, ch *ops.Change, w World, now time.Time) *candidate {
	c := &candidate{Change: ch, gap: -1, distance: -1, exposure: exposureOf(ch, w.Catalog, now)}
	moved, stage, ok := lastBefore(ch, k.Onset.Add(Skew+k.OnsetBy))
	if !ok || k.Onset.Sub(moved) > factsOf(ch.Kind).lookback {
		return nil
	}
	c.add(priorTerm(ch, w))
	c.add(conductTerm(ch, w.Weights))
	c.add(bakedTerm(ch, k, w.Weights))
	c.add(undoneTerm(ch, k, w.Weights))
	c.add(timeTerm(ch, k, moved, stage, w.Weights))
	reach, distance := reachTerm(k, ch, w)
	c.distance = distance
	c.add(reach)
	c.add(fitTerm(k, ch, w.Weights))
	c.add(spatialTerm(k, c, w, now))
	if len(k.Services) > 0 && !c.exposure.misses(k) { // indicators of services say nothing of a dark store or failing devices
		gapTerms(k, c, w, now)
	}
	if c.distance >= 0 {
		silenceTerm(k, c, w, now)
	}
	return c
}

// normalise turns scores into probabilities, against "no change" with a score of zero, and keeps the first ones.
func normalise(k Case, cands []*candidate) Ranking {
	top := 0.0
	for _, c := range cands {
		top = max(top, c.score())
	}
	none := math.Exp(-top)
	sum := none
	for _, c := range cands {
		sum += math.Exp(c.score() - top)
	}
	first := func(c *candidate) int {
		if c.ID == k.Confirmed {
			return 0
		}
		return 1
	}
	slices.SortFunc(cands, func(a, b *candidate) int {
		return cmp.Or(cmp.Compare(first(a), first(b)), cmp.Compare(b.score(), a.score()), cmp.Compare(a.ID, b.ID))
	})
	out := Ranking{NoChange: none / sum, Suspects: []ops.Suspect{}, Weighed: len(cands)}
	for i, c := range cands[:min(len(cands), maxSuspects)] {
		s := c.suspect(math.Exp(c.score()-top) / sum)
		if s.Rank = i + 1; c.ID == k.Confirmed {
			s.Verdict = "confirmed"
		}
		out.Suspects = append(out.Suspects, s)
	}
	return out
}

// suspect splits the evidence into what speaks for and against, the weightiest first.
func (c *candidate) suspect(p float64) ops.Suspect {
	s := ops.Suspect{ChangeID: c.ID, Title: c.Title, Kind: c.Kind, Probability: p, Score: round(c.score()), Verdict: "suspect", Reasons: []ops.Evidence{}, Against: []ops.Evidence{}}
	for _, e := range c.evidence {
		e.Weight = round(e.Weight)
		if e.Weight < 0 {
			s.Against = append(s.Against, e)
		} else {
			s.Reasons = append(s.Reasons, e)
		}
	}
	slices.SortStableFunc(s.Reasons, func(a, b ops.Evidence) int { return cmp.Compare(b.Weight, a.Weight) })
	slices.SortStableFunc(s.Against, func(a, b ops.Evidence) int { return cmp.Compare(a.Weight, b.Weight) })
	return s
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
