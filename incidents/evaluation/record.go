package evaluation

import (
	"fmt"
	"slices"
	"time"

	"goc/incidents/engine"
	"goc/ops"
)

// record adds what is on record of the changes: late, twice, by clocks that are off, without stages, or not at all.
func (c *chain) record(seed uint64, h *History, t *trouble, acts []*act, end time.Time) {
	d := newDice(seed, ofRecords)
	from := t.begins.Add(-before)
	for _, a := range acts {
		if a.begins.After(end) {
			continue
		}
		if a == t.guilty {
			if d.chance(c.records.missing) {
				h.Truth.Hidden = true
				continue
			}
			h.Truth.Guilty = a.id
		}
		h.Truth.Changes++
		w := writer{dice: d, chain: c, act: a, h: h, from: from, end: end, skew: c.records.skew[a.kind], lines: c.records.stageLines, noEnds: d.chance(c.records.noStages)}
		if d.chance(c.records.late) {
			w.late = d.span(time.Minute, 15*time.Minute)
		}
		w.verdicts(t)
		w.write()
	}
}

// writer puts one change on record.
type writer struct {
	dice
	chain     *chain
	act       *act
	h         *History
	from, end time.Time
	late      time.Duration
	skew      time.Duration
	lines     bool // stages are told one by one
	noEnds    bool // that a stage finished is told by nobody
}

// verdicts draws what the bakes found: harm is seen in nine of ten rings that it hit, and in one healthy ring of ten.
func (w *writer) verdicts(t *trouble) {
	if !w.chain.records.verdicts {
		return
	}
	for i := range w.act.rings {
		r := &w.act.rings[i]
		harm := 0.1
		if w.act == t.guilty && t.begins.Before(r.end.Add(r.bake)) {
			harm = 0.9
		}
		if r.verdict = ops.Healthy; w.chance(harm) {
			r.verdict = ops.Unhealthy
		}
	}
}

// put adds a step that tells of something at a time; what was before the history began stands on record when it begins.
func (w *writer) put(of time.Time, in engine.Input) {
	at := of.Add(w.late).Add(w.span(100*time.Millisecond, 8*time.Second)).Round(time.Millisecond)
	if at.Before(w.from) {
		at = w.from
	}
	if at.After(w.end) {
		return
	}
	w.h.Steps = append(w.h.Steps, Step{at, in})
	if w.chance(w.chain.records.twice) {
		w.h.Steps = append(w.h.Steps, Step{at.Add(w.span(time.Second, 2*time.Minute)), in})
	}
}

// write tells of the change as it goes on.
func (w *writer) write() {
	a := w.act
	if !w.lines || w.old() {
		for _, at := range w.moves() {
			w.put(at, engine.Change{Change: w.change(at)})
		}
		return
	}
	c := w.change(a.begins)
	c.Stages = nil
	w.put(a.begins, engine.Change{Change: c})
	for i, r := range a.rings {
		in := engine.Stage{ChangeID: a.id, Stage: i + 1, State: "started", Units: r.units, Replaces: r.replaces, Stores: w.stores(r.stores)}
		w.put(r.start, in)
		if in.State = "finished"; !w.noEnds {
			w.put(r.end, in)
		}
	}
	if !a.rolledBack.IsZero() {
		c := w.change(a.rolledBack)
		if len(a.rings) > 0 {
			for i := range c.Stages {
				c.Stages[i].Verdict = ""
			}
		}
		w.put(a.rolledBack, engine.Change{Change: c})
	}
}

// old says whether all of it was over when the history began.
func (w *writer) old() bool {
	moves := w.moves()
	return moves[len(moves)-1].Add(w.late).Before(w.from)
}

// moves lists when the change did something, in order; of an old one only the last time counts.
func (w *writer) moves() []time.Time {
	a := w.act
	out := []time.Time{a.begins}
	for _, r := range a.rings {
		out = append(out, r.start)
		if !w.noEnds {
			out = append(out, r.end)
		}
		if r.verdict != "" {
			out = append(out, r.end.Add(r.bake))
		}
	}
	if !a.rolledBack.IsZero() {
		out = append(out, a.rolledBack)
	}
	slices.SortFunc(out, time.Time.Compare)
	known := slices.IndexFunc(out, func(t time.Time) bool { return t.After(w.from) })
	if known < 0 {
		known = len(out)
	}
	return out[max(0, known-1):]
}

// clock is a time as the recorder's clock shows it.
func (w *writer) clock(t time.Time) ops.Time { return ops.At(t.Add(w.skew)) }

// change is the record of the change as it was at a time.
func (w *writer) change(at time.Time) ops.Change {
	a, c := w.act, w.chain
	out := ops.Change{ID: a.id, Kind: a.kind, Title: fmt.Sprintf("%s %s", a.kind, a.id), Risk: a.risk, Overridden: a.overridden, Unapproved: a.unapproved, Status: ops.ChangeStarted}
	if a.named && a.service >= 0 {
		out.Service = c.services[a.service].name
	}
	out.Scope.Store = w.stores(a.stores)
	if a.device != "" {
		out.Scope.Kind, out.Scope.Firmware, out.Version = []string{a.device}, []string{a.firmware}, a.firmware
	}
	out.CreatedAt, out.StartedAt, out.UpdatedAt = w.clock(a.begins), w.clock(a.begins), w.clock(at)
	for _, r := range a.rings {
		st := ops.Stage{Bake: ops.Duration(r.bake), Scope: ops.Scope{Store: w.stores(r.stores)}}
		if !r.start.After(at) {
			st.StartedAt, st.Units, st.Replaces = w.clock(r.start), r.units, r.replaces
		}
		if !r.end.After(at) && !w.noEnds {
			st.FinishedAt, st.Verdict = w.clock(r.end), ops.Baking
			if !r.end.Add(r.bake).After(at) {
				st.Verdict = r.verdict
			}
		}
		out.Stages = append(out.Stages, st)
	}
	if !a.rolledBack.IsZero() && !a.rolledBack.After(at) {
		out.Status, out.FinishedAt = ops.ChangeRolledBack, w.clock(a.rolledBack)
	}
	return out
}

func (w *writer) stores(list []int) []string {
	var out []string
	for _, s := range list {
		out = append(out, w.chain.stores[s].ID)
	}
	return out
}
