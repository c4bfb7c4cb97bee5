package suspects_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"goc/incidents/series"
	"goc/incidents/suspects"
	"goc/ops"
)

// drawn is a world drawn by a seed: a call graph that may have circles, stores in cities, changes of every kind in every
// state, samples with gaps, and an incident.
type drawn struct {
	rng     *rand.Rand
	k       suspects.Case
	w       suspects.World
	changes []*ops.Change
	now     time.Time
}

func draw(seed uint64) *drawn {
	d := &drawn{rng: rand.New(rand.NewPCG(seed, 7)), now: onset.Add(time.Minute)}
	cat := &ops.Catalog{}
	for i := range d.rng.IntN(20) {
		cat.Stores = append(cat.Stores, ops.Store{ID: d.store(i), City: fmt.Sprint("C", i%4), Region: fmt.Sprint("R", i%2)})
	}
	if err := cat.Index(); err != nil {
		panic(err)
	}
	var calls [][2]string
	for range d.rng.IntN(12) {
		calls = append(calls, [2]string{d.service(), d.service()})
	}
	d.w = suspects.World{Graph: suspects.NewGraph(calls), Samples: series.New(0, 0, 0), Weights: suspects.DefaultWeights(), Priors: suspects.Priors{ops.KindRelease: {Confirmed: 3, Rejected: 1}}}
	if d.rng.IntN(4) > 0 {
		d.w.Catalog = cat
	}
	for i := range d.rng.IntN(30) {
		d.changes = append(d.changes, d.change(fmt.Sprint("CHG-", i)))
	}
	d.samples()
	d.incident()
	return d
}

func (d *drawn) one(n int) bool             { return d.rng.IntN(n) == 0 }
func (d *drawn) service() string            { return fmt.Sprint("s", d.rng.IntN(8)) }
func (d *drawn) store(i int) string         { return fmt.Sprintf("S-%02d", i) }
func (d *drawn) unit(service string) string { return fmt.Sprint(service, "-u", d.rng.IntN(6)) }

// some draws up to a number of values.
func some[T any](d *drawn, most int, pick func() T) (out []T) {
	for range d.rng.IntN(most + 1) {
		out = append(out, pick())
	}
	return out
}

// names draws up to a number of names, in order, each once.
func (d *drawn) names(most int, pick func() string) []string {
	out := some(d, most, pick)
	slices.Sort(out)
	return slices.Compact(out)
}

func (d *drawn) before(most time.Duration) ops.Time {
	if d.one(12) {
		return ops.Time{}
	}
	return ops.At(onset.Add(-time.Duration(d.rng.Int64N(int64(most))) + 2*time.Minute))
}

func (d *drawn) scope() ops.Scope {
	var s ops.Scope
	if d.one(2) {
		s.Store = d.names(4, func() string { return d.store(d.rng.IntN(22)) })
	}
	if d.one(6) {
		s.City = d.names(2, func() string { return fmt.Sprint("C", d.rng.IntN(5)) })
	}
	if d.one(8) {
		s.Region = []string{fmt.Sprint("R", d.rng.IntN(3))}
	}
	if d.one(5) {
		s.Kind = []string{[]string{"pos", "scanner"}[d.rng.IntN(2)]}
	}
	if d.one(8) {
		s.Firmware = []string{fmt.Sprint("v", d.rng.IntN(3))}
	}
	if d.one(9) {
		s.Service = d.names(2, d.service)
	}
	return s
}

func (d *drawn) change(id string) *ops.Change {
	span := []time.Duration{10 * time.Minute, time.Hour, 30 * time.Hour}[d.rng.IntN(3)]
	c := &ops.Change{
		ID: id, Title: "title of " + id, Kind: ops.ChangeKinds[d.rng.IntN(len(ops.ChangeKinds))], Status: ops.ChangeStarted, Risk: []string{"", "low", "medium", "high"}[d.rng.IntN(4)],
		Scope: d.scope(), StartedAt: d.before(span), CreatedAt: ops.At(onset.Add(-span)), Overridden: d.one(8), Unapproved: d.one(8), Bake: ops.Duration(d.rng.IntN(2)) * ops.Duration(time.Minute),
	}
	if d.rng.IntN(4) > 0 {
		c.Service = d.service()
	}
	if d.one(6) {
		c.Status, c.FinishedAt, c.UpdatedAt = ops.ChangeRolledBack, d.before(span), d.before(span)
	}
	if d.one(2) {
		c.Stages = some(d, 3, func() ops.Stage { return d.stage(c.Service, span) })
	}
	return c
}

func (d *drawn) stage(service string, span time.Duration) ops.Stage {
	st := ops.Stage{Scope: d.scope(), StartedAt: d.before(span), FinishedAt: d.before(span), Verdict: []ops.Verdict{"", ops.Healthy, ops.Unhealthy}[d.rng.IntN(3)], Bake: ops.Duration(d.rng.IntN(2)) * ops.Duration(time.Minute)}
	if d.one(2) {
		st.Units = some(d, 3, func() string { return d.unit(service) })
		st.Replaces = some(d, 2, func() string { return d.unit(service) })
	}
	return st
}

func (d *drawn) samples() {
	names := []string{"success_ratio", "latency_p99_seconds", "error_ratio", "orders_per_minute"}
	for range d.rng.IntN(60) {
		s := ops.Sample{Indicator: names[d.rng.IntN(len(names))], Service: d.service()}
		if d.one(2) {
			s.Caller = d.service()
			if d.one(3) {
				s.CallerUnit = d.unit(s.Caller)
			}
		}
		if d.one(2) {
			s.Unit = d.unit(s.Service)
		} else if d.one(2) {
			s.Store = d.store(d.rng.IntN(22))
		}
		before, after := 0.95+0.05*d.rng.Float64(), 0.95+0.05*d.rng.Float64()
		if d.one(3) {
			after = d.rng.Float64()
		}
		step := time.Duration(5+d.rng.IntN(40)) * time.Second
		for at := onset.Add(-20 * time.Minute); !at.After(d.now); at = at.Add(step) {
			if s.At, s.Value = ops.At(at), before; at.After(onset) {
				s.Value = after
			}
			if !d.one(5) {
				s.Value += 0.01 * d.rng.Float64()
				d.w.Samples.Add(s)
			}
		}
	}
}

func (d *drawn) incident() {
	d.k = suspects.Case{Onset: onset, OnsetBy: time.Duration(d.rng.IntN(2)) * 20 * time.Second, Rejected: map[string]bool{}}
	if d.rng.IntN(4) > 0 {
		d.k.Services = d.names(2, d.service)
	}
	if d.one(2) {
		d.k.Stores = d.names(4, func() string { return d.store(d.rng.IntN(22)) })
	}
	if d.one(4) {
		d.k.Place.City = []string{fmt.Sprint("C", d.rng.IntN(4))}
	}
	if d.one(4) {
		d.k.Place.Kind = []string{"pos"}
	}
	if d.one(6) {
		d.k.Place.Region = []string{"R1"}
	}
	if d.one(6) {
		d.k.Until = d.now.Add(-10 * time.Second)
	}
	if len(d.changes) > 0 {
		if d.one(4) {
			d.k.Confirmed = d.changes[d.rng.IntN(len(d.changes))].ID
		}
	}
}
