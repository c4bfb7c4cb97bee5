package explain

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// How alternatives are weighed and listed.
const (
	doubt        = 3   // what evidence is divided by before it becomes probability: cells are less independent than the model says
	worthAWord   = .05 // the least probability of an alternative that is listed
	alternatives = 3   // at most
)

// tally counts a set.
type tally struct{ affected, total uint64 }

func (t tally) plus(u tally) tally { return tally{t.affected + u.affected, t.total + u.total} }

// share of the affected.
func (t tally) share() float64 { return float64(t.affected) / float64(max(t.total, 1)) }

// smoothed is the share with half a device added to the affected, so that it is neither 0 nor undefined.
func (t tally) smoothed() float64 { return (float64(t.affected) + .5) / (float64(t.total) + 1) }

// Options bound the search and choose the words. The zero value means the defaults.
type Options struct {
	MaxCauses int    // how many causes at most; 8
	MaxDepth  int    // how many attributes one cause names at most; 3
	Things    string // what is counted, for the text; "devices"
	State     string // what is wrong with them; "are affected"
}

func (o Options) orDefaults() Options {
	if o.MaxCauses <= 0 {
		o.MaxCauses = 8
	}
	o.MaxCauses = min(o.MaxCauses, mostCauses)
	if o.MaxDepth <= 0 {
		o.MaxDepth = 3
	}
	if o.Things == "" {
		o.Things = "devices"
	}
	if o.State == "" {
		o.State = "are affected"
	}
	return o
}

// Result is the explanation: the causes that hold together, strongest first, and after them what else could have been
// meant in place of one of them.
type Result struct {
	Causes      []Cause `json:"causes"`
	Unexplained uint64  `json:"unexplained"` // affected that lie in no cause (alternatives do not count)
}

// Cause is one set that explains part of the affected.
type Cause struct {
	Scope       map[string][]string `json:"scope"`
	Affected    uint64              `json:"affected"`  // of the set
	Total       uint64              `json:"total"`     // the set's size
	Explained   uint64              `json:"explained"` // affected that no cause before it explains; 0 for an alternative
	Lift        float64             `json:"lift"`      // share affected in the set over the share outside of all causes, half a device added to both
	Probability float64             `json:"probability"`
	Alternative bool                `json:"alternative,omitempty"` // could stand in place of a cause, and is less probable
	Text        string              `json:"text"`
}

func (e *explanation) result() Result {
	rest := e.rest()
	r := Result{Causes: []Cause{}, Unexplained: rest.affected}
	slices.SortStableFunc(e.chosen, func(a, b chosen) int { return cmp.Compare(b.score, a.score) })
	done := make([]bool, e.cells)
	for _, c := range e.chosen {
		r.Causes = append(r.Causes, e.cause(c.found, c.probability(c.score), rest, done))
	}
	r.Causes = append(r.Causes, e.alternatives(rest)...)
	return r
}

// alternatives are what could stand in place of a cause, likeliest first.
func (e *explanation) alternatives(rest tally) []Cause {
	var out []Cause
	for _, c := range e.chosen {
		for _, f := range c.others {
			if p := c.probability(f.score); p >= worthAWord {
				a := e.cause(f, p, rest, nil)
				a.Alternative = true
				out = append(out, a)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b Cause) int { return cmp.Compare(b.Probability, a.Probability) })
	return out[:min(len(out), alternatives)]
}

func (e *explanation) cause(f found, p float64, rest tally, done []bool) Cause {
	out := Cause{Scope: map[string][]string{}, Probability: p}
	for _, t := range f.terms {
		a := e.axes[t.axis]
		out.Scope[a.Name] = append(out.Scope[a.Name], a.Values[t.code])
	}
	var set tally
	for _, i := range e.members(f.terms) {
		set = set.plus(tally{uint64(e.Affected[i]), uint64(e.Total[i])})
		if done != nil && !done[i] {
			done[i] = true
			out.Explained += uint64(e.Affected[i])
		}
	}
	out.Affected, out.Total = set.affected, set.total
	out.Lift = set.smoothed() / rest.smoothed()
	out.Text = e.said(out, f.terms, rest)
	return out
}

// probability weighs a score among all that the cause could have been.
func (c chosen) probability(score float64) float64 {
	sum := math.Exp((c.score - score) / doubt)
	for _, o := range c.others {
		sum += math.Exp((o.score - score) / doubt)
	}
	return 1 / sum
}

// said writes the sentence for people.
func (e *explanation) said(c Cause, terms []term, rest tally) string {
	var names []string
	for _, t := range terms {
		names = append(names, e.axes[t.axis].Name+" "+e.axes[t.axis].Values[t.code])
	}
	if len(names) == 0 {
		return fmt.Sprintf("%s of %s %s %s: it is everywhere", thousands(c.Affected), thousands(c.Total), e.o.Things, e.o.State)
	}
	return fmt.Sprintf("%s of %s %s with %s %s, %s of %s others", thousands(c.Affected), thousands(c.Total), e.o.Things,
		strings.Join(names, ", "), e.o.State, thousands(rest.affected), thousands(rest.total))
}

// thousands writes 12345 as 12,345.
func thousands(n uint64) string {
	s := strconv.FormatUint(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
