package explain

import (
	"math"
	"slices"
)

// Explain names the causes in in. It fails only where in.Validate does.
func Explain(in Input, o Options) (Result, error) {
	if err := in.Validate(); err != nil {
		return Result{}, err
	}
	e := &explanation{Input: in, o: o.orDefaults()}
	e.prepare()
	for len(e.chosen) < e.o.MaxCauses {
		s := e.look()
		if len(s.best) == 0 {
			break
		}
		e.choose(s)
	}
	return e.result(), nil
}

// explanation is the work on one input.
type explanation struct {
	Input
	o       Options
	all     []uint32 // the cells that have devices
	weight  []float64
	covered []bool
	cost    float64
	chosen  []chosen
}

// chosen is a cause with what else it could have been.
type chosen struct {
	found
	others []found
}

// prepare weighs every cell: affected, with any share, against normal.
func (e *explanation) prepare() {
	e.weight, e.covered = make([]float64, len(e.Total)), make([]bool, len(e.Total))
	var sum tally
	for i, n := range e.Total {
		if n > 0 {
			e.all = append(e.all, uint32(i))
			sum.affected += uint64(e.Affected[i])
			sum.total += uint64(n)
		}
	}
	values := 0
	for _, a := range e.Axes {
		values += len(a.Values)
	}
	e.cost = logOf(values)
	share := (float64(sum.affected) + .5) / (float64(sum.total) + 1) / 4
	hit := rates{1, 1}
	for _, i := range e.all {
		if e.Normal != nil {
			share = e.Normal[i]
		}
		a, n := float64(e.Affected[i]), float64(e.Total[i])
		normal := around(max(share, 1e-4), 200)
		if w := hit.logP(a, n) - normal.logP(a, n); w < 0 || a/n > share {
			e.weight[i] = w
		} else {
			e.weight[i] = -w // fewer than normal is no sign of being hit
		}
	}
}

func (e *explanation) look() *search {
	weight := slices.Clone(e.weight)
	for i, c := range e.covered {
		if c {
			weight[i] = 0
		}
	}
	s := &search{axes: e.Axes, weight: weight, depth: e.o.MaxDepth, cost: e.cost, keep: 8, budget: 50_000_000}
	s.run(e.all)
	return s
}

func (e *explanation) choose(s *search) {
	e.chosen = append(e.chosen, chosen{s.best[0], s.best[1:]})
	for _, i := range e.of(s.best[0].terms) {
		e.covered[i] = true
	}
}

// of lists the cells of a set.
func (e *explanation) of(terms []term) []uint32 {
	var out []uint32
	for _, i := range e.all {
		if !slices.ContainsFunc(terms, func(t term) bool { return e.Axes[t.axis].Code[i] != t.code }) {
			out = append(out, i)
		}
	}
	return out
}

func (e *explanation) result() Result {
	var rest tally
	for _, i := range e.all {
		if !e.covered[i] {
			rest.affected += uint64(e.Affected[i])
			rest.total += uint64(e.Total[i])
		}
	}
	r := Result{Causes: []Cause{}, Unexplained: rest.affected}
	done := make([]bool, len(e.Total))
	for _, c := range e.chosen {
		r.Causes = append(r.Causes, e.cause(c, rest, done))
	}
	return r
}

func (e *explanation) cause(c chosen, rest tally, done []bool) Cause {
	out := Cause{Scope: map[string][]string{}, Probability: c.probability()}
	for _, t := range c.terms {
		a := e.Axes[t.axis]
		out.Scope[a.Name] = append(out.Scope[a.Name], a.Values[t.code])
	}
	for _, i := range e.of(c.terms) {
		out.Affected += uint64(e.Affected[i])
		out.Total += uint64(e.Total[i])
		if !done[i] {
			done[i] = true
			out.Explained += uint64(e.Affected[i])
		}
	}
	inside := (float64(out.Affected) + .5) / (float64(out.Total) + 1)
	out.Lift = inside / ((float64(rest.affected) + .5) / (float64(rest.total) + 1))
	out.Text = out.said(e.Axes, c.terms, rest, e.o)
	return out
}

// probability weighs the cause against what else it could have been.
func (c chosen) probability() float64 {
	sum := 1.0
	for _, o := range c.others {
		sum += math.Exp(o.score - c.score)
	}
	return 1 / sum
}
