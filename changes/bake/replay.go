package bake

import (
	"slices"
	"time"

	"goc/ops"
)

// Replay runs bakes over recorded history: it is told of changes, stages and samples in time order and asked with Step
// which bakes ended. Next says how far its time must move on after the last line for the last bake to end.
type Replay struct {
	*Bakes
	bake    time.Duration
	changes map[string]*replayed
}

// replayed is a change of the history, with its stages so far.
type replayed struct {
	ops.Change
	stages map[int]*ops.Stage
}

// NewReplay returns a Replay; bakeFor is how long those bake that do not say so themselves, 0 for not at all.
func NewReplay(catalog *ops.Catalog, bakeFor time.Duration) *Replay {
	return &Replay{Bakes: New(catalog), bake: bakeFor, changes: map[string]*replayed{}}
}

// Change tells of a change. Until a stage of it is told of, it bakes as a whole from at on.
func (r *Replay) Change(at time.Time, c ops.Change) {
	ch := &replayed{Change: c, stages: map[int]*ops.Stage{}}
	for i := range c.Stages {
		ch.stages[i+1] = &c.Stages[i]
	}
	r.changes[c.ID] = ch
	if d := r.length(ch.Bake); d > 0 && len(c.Stages) == 0 {
		r.Begin(Bake{ChangeID: c.ID, Service: c.Service, Scope: c.Touched(), From: at, To: at.Add(d)})
	}
}

// Recorded tells of a change as it now is on record, stages and verdicts included, in place of Change and Stage: what
// began to bake since it was last told of begins here too, and what was taken back bakes no more.
func (r *Replay) Recorded(c ops.Change) {
	var old ops.Change
	if ch := r.changes[c.ID]; ch != nil {
		old = ch.Change
	}
	ch := &replayed{Change: c, stages: map[int]*ops.Stage{}}
	r.changes[c.ID] = ch
	for i := range c.Stages {
		ch.stages[i+1] = &c.Stages[i]
	}
	if c.Status == ops.ChangeRolledBack || c.Status == ops.ChangeAborted {
		for i := range len(c.Stages) + 1 {
			r.Cancel(c.ID, i)
		}
		return
	}
	if c.Verdict == ops.Baking && old.Verdict != ops.Baking {
		from := c.FinishedAt.Time
		r.Begin(Bake{ChangeID: c.ID, Service: c.Service, Scope: c.Touched(), From: from, To: from.Add(r.length(c.Bake))})
	}
	for i, st := range c.Stages {
		if st.Verdict == ops.Baking && (i >= len(old.Stages) || old.Stages[i].Verdict != ops.Baking) {
			from := st.FinishedAt.Time
			r.Begin(Bake{
				ChangeID: c.ID, Stage: i + 1, Service: c.Service, Scope: narrowed(c.Scope, st.Scope), Units: st.Units,
				Not: ch.notFair(i + 1), From: from, To: from.Add(r.length(st.Bake)),
			})
		}
	}
}

func (r *Replay) length(d ops.Duration) time.Duration {
	if d == 0 {
		return r.bake
	}
	return time.Duration(d)
}

// Stage tells that a stage started, or finished: from then on it bakes. One of a change that was not told of is ignored.
func (r *Replay) Stage(at time.Time, change string, stage int, finished bool, units, replaces, stores []string) {
	c := r.changes[change]
	if c == nil || stage < 1 {
		return
	}
	r.Cancel(change, 0)
	st := c.stages[stage]
	if st == nil {
		st = new(ops.Stage)
		c.stages[stage] = st
	}
	st.Units, st.Replaces, st.Scope.Store = join(st.Units, units), join(st.Replaces, replaces), join(st.Scope.Store, stores)
	st.StartedAt = ops.At(at)
	if !finished {
		return
	}
	d := r.length(st.Bake)
	if st.Bake == 0 {
		d = r.length(c.Bake)
	}
	if d > 0 {
		r.Begin(Bake{
			ChangeID: change, Stage: stage, Service: c.Service, Scope: narrowed(c.Scope, st.Scope), Units: st.Units,
			Not: c.notFair(stage), From: at, To: at.Add(d),
		})
	}
}

// narrowed is a change's scope as one of its stages narrows it.
func narrowed(s, stage ops.Scope) ops.Scope {
	for _, k := range ops.ScopeKeys {
		if v := *stage.Key(k); len(v) > 0 {
			*s.Key(k) = v
		}
	}
	return s
}

// notFair lists what is no fair comparison for a stage: what it replaces, and what other stages have reached.
func (c *replayed) notFair(stage int) []string {
	out := slices.Clone(c.stages[stage].Replaces)
	for n, st := range c.stages {
		if n != stage && !st.StartedAt.IsZero() {
			out = slices.Concat(out, st.Units, st.Replaces, st.Scope.Store)
		}
	}
	return out
}

func join(a, b []string) []string {
	for _, v := range b {
		if !slices.Contains(a, v) {
			a = append(a, v)
		}
	}
	return a
}
