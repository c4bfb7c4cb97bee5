// Package engine turns alerts, changes and samples into incidents with their suspects and clocks. It has no clock, disk
// or network: Step takes what happened and when, and answers what to write and to say. The live service, `goc replay`
// and the tests run this same code.
package engine

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"goc/incidents/series"
	"goc/incidents/suspects"
	"goc/ops"
)

// Hooks ask other rooms for facts while a step runs. Each may be nil; none may call back into the engine or block.
type Hooks struct {
	Affected    func(ops.Scope) Affected          // how many stores and devices suffer in a scope
	VoiceAbove  func(ops.Scope) int               // complaints above normal in a scope
	PlansFor    func(ops.Incident) []string       // names of the plans that fit, best first
	ActiveDrill func(ops.Scope, time.Time) string // the drill's run that touches a scope now, "" when none does
}

// Affected is how much of the chain suffers.
type Affected struct{ Stores, Devices int }

// Engine is the state of all incidents. It is not safe for concurrent use.
type Engine struct {
	cfg      Config
	hooks    Hooks
	catalog  *ops.Catalog
	graph    *suspects.Graph
	walks    *walks // over the graph
	places   places
	every    []int32              // all stores of the catalog
	good     map[[2]string]string // service and indicator → direction, where the catalog states it
	samples  *series.Buffer
	ordering []string // services that measure orders
	changes  *suspects.Index
	priors   suspects.Priors
	learned  map[ops.ChangeKind]bool // priors that this step changed

	incidents map[string]*incident
	board     *board                 // where the active ones are found
	homes     map[string][]*incident // by fingerprint: those, active or closed, that have the alert
	active    []*incident            // in the order of opening
	closed    []*incident            // resolved, and may still reopen by themselves
	alerts    map[string]*alert
	silences  map[string]*silence
	holding   []string // silences by which the alerts were last looked at; nil when they must be again
	nextID    int
	owing     map[*incident]bool // those with tasks that are not done and have a due date
	nextChase time.Time          // when the next of these tasks is to be chased; zero when none is
	lastSweep time.Time
	sampled   time.Time // when samples last came in

	unsettled     []*incident
	touched       []*incident
	touchedAlerts []*alert
	out           Outputs
}

// New makes an engine. The catalog must be indexed; nil means that nothing is known.
func New(cfg Config, cat *ops.Catalog, hooks Hooks) *Engine {
	if cat == nil {
		cat = &ops.Catalog{}
		_ = cat.Index() // an empty catalog has no doubles
	}
	cfg = cfg.WithDefaults()
	e := &Engine{
		cfg: cfg, hooks: hooks,
		samples: series.New(0, 0, 0), changes: suspects.NewIndex(), priors: suspects.Priors{},
		incidents: map[string]*incident{}, board: newBoard(), homes: map[string][]*incident{}, alerts: map[string]*alert{}, silences: map[string]*silence{}, nextID: 1,
		owing: map[*incident]bool{}, learned: map[ops.ChangeKind]bool{},
	}
	e.adopt(cat)
	return e
}

// adopt takes in what a catalog says.
func (e *Engine) adopt(cat *ops.Catalog) {
	e.catalog, e.good, e.ordering = cat, map[[2]string]string{}, nil
	e.places, e.every = placesOf(cat), make([]int32, len(cat.Stores))
	for i := range cat.Stores {
		e.every[i] = int32(i)
	}
	e.setGraph(cat.Calls())
	for _, s := range cat.Services {
		for _, i := range s.Indicators {
			e.good[[2]string{s.Name, i.Name}] = i.Direction()
			if i.Name == ordersIndicator {
				e.ordering = append(e.ordering, s.Name)
			}
		}
	}
}

// setGraph takes over who calls whom, and understands what is open by it.
func (e *Engine) setGraph(calls [][2]string) {
	e.graph = suspects.NewGraph(calls)
	e.walks = newWalks(e.graph)
	for _, inc := range e.active {
		e.look(inc, inc.rootSight)
	}
}

// Reload takes a new catalog, which must be indexed. What is open is understood by it from here on.
func (e *Engine) Reload(cat *ops.Catalog) {
	e.adopt(cat)
	for _, inc := range e.incidents {
		for _, a := range inc.members {
			a.sight = e.sightOf(a.Alert)
		}
	}
	for _, a := range e.alerts {
		a.sight = e.sightOf(a.Alert)
	}
	for _, inc := range e.active {
		if root := inc.members[inc.Root]; root != nil {
			e.look(inc, root.sight)
		}
	}
}

// Samples is the engine's memory of indicators, for charts. It must not be modified.
func (e *Engine) Samples() *series.Buffer { return e.samples }

// Change finds a change that the engine has seen.
func (e *Engine) Change(id string) (*ops.Change, bool) { return e.changes.Change(id) }

// ChangesSince lists the changes that moved since a time, newest first, at most limit. They must not be modified.
func (e *Engine) ChangesSince(since time.Time, limit int) []*ops.Change {
	return e.changes.Since(since, limit)
}

// Priors is what people judged of suspects so far, by kind of change.
func (e *Engine) Priors() suspects.Priors { return e.priors }

// Direction says which way an indicator of a service is good.
func (e *Engine) Direction(service, indicator string) string {
	if d, ok := e.good[[2]string{service, indicator}]; ok {
		return d
	}
	return ops.DirectionOf(indicator)
}

// Step takes one input in and answers what follows from it. now must not run backwards; if it does, it counts as the
// latest time seen. What refuses an input is Outputs.Err; what time alone brings about happens all the same.
func (e *Engine) Step(in Input, now time.Time) Outputs {
	now = now.UTC()
	if now.Before(e.lastSweep) {
		now = e.lastSweep
	}
	e.out = Outputs{At: ops.At(now)}
	e.take(in, now)
	e.conclude(now)
	e.sweep(now)
	e.conclude(now)
	e.rankDue(now)
	e.conclude(now)
	e.flush(now)
	return e.out
}

// take applies one input.
func (e *Engine) take(in Input, now time.Time) {
	switch in := in.(type) {
	case Alerts:
		e.receive(in, now)
	case Change:
		e.seeChange(in.Change, now)
	case Stage:
		e.seeStage(in, now)
	case Topology:
		e.setGraph(in.Calls)
	case Samples:
		e.seeSamples(in.Samples, now)
	case Declare:
		e.declare(in, now)
	case Action:
		e.act(in, now)
	case PutSilence:
		e.putSilence(in, now)
	case ExpireSilence:
		e.expireSilence(in, now)
	case Run:
		e.seeRun(in)
	case Tick:
	}
}

func (e *Engine) seeSamples(samples []ops.Sample, now time.Time) {
	for _, s := range samples {
		if s.At.IsZero() {
			s.At = ops.At(now)
		}
		if s.At.After(now.Add(suspects.Skew)) { // a clock far ahead would push out all that is kept
			e.out.SamplesRefused++
			continue
		}
		if !e.samples.Add(s) {
			e.out.SamplesRefused++
		}
	}
	if len(samples) > 0 {
		e.sampled = now
	}
}

// seeRun notes that a plan runs for an incident.
func (e *Engine) seeRun(in Run) {
	inc := e.incidents[in.Incident]
	if inc == nil || slices.Contains(inc.Runs, in.ID) {
		return
	}
	inc.Runs = append(inc.Runs, in.ID)
	e.touch(inc)
}

// touch notes that inc must be written at the end of the step.
func (e *Engine) touch(inc *incident) {
	if !inc.dirty {
		inc.dirty = true
		e.touched = append(e.touched, inc)
	}
}

// touchAlert notes that a must be written at the end of the step.
func (e *Engine) touchAlert(a *alert) {
	if a.incident != nil {
		a.incident.listed = nil
	}
	if !a.dirty {
		a.dirty = true
		e.touchedAlerts = append(e.touchedAlerts, a)
	}
}

// flush writes out every incident and alert that this step touched, in the order of their ids.
func (e *Engine) flush(now time.Time) {
	slices.SortFunc(e.touched, func(a, b *incident) int { return cmp.Compare(a.number, b.number) })
	for _, inc := range e.touched {
		inc.dirty = false
		inc.UpdatedAt = ops.At(now)
		e.settle(inc, now)
		inc.Clock = e.clockOf(inc, now)
		e.out.Put = append(e.out.Put, ops.Encode("incident", inc.ID, inc.stored()))
		e.out.Changed = append(e.out.Changed, inc.snapshot(e.cfg.MaxListed))
	}
	ids := make(map[*alert]string, len(e.touchedAlerts))
	for _, a := range e.touchedAlerts {
		ids[a] = a.recordID()
	}
	slices.SortFunc(e.touchedAlerts, func(a, b *alert) int { return cmp.Compare(ids[a], ids[b]) })
	for _, a := range e.touchedAlerts {
		a.dirty = false
		e.out.Alerts = append(e.out.Alerts, a.IncidentAlert)
		if a.incident == nil && a.Status == ops.Resolved {
			continue // nothing of it is kept
		}
		if a.storedAs != ids[a] {
			e.unstore(a)
			a.storedAs = ids[a]
		}
		e.out.Put = append(e.out.Put, a.record())
	}
	for _, kind := range slices.Sorted(maps.Keys(e.learned)) {
		e.out.Put = append(e.out.Put, ops.Encode("prior", string(kind), e.priors[kind]))
	}
	clear(e.learned)
	e.touched, e.touchedAlerts = e.touched[:0], e.touchedAlerts[:0]
	e.keepPut()
}

// keepPut drops the deletes of what the same step writes again: a mutation has no order between the two.
func (e *Engine) keepPut() {
	if len(e.out.Delete) == 0 {
		return
	}
	put := make(map[[2]string]bool, len(e.out.Put))
	for _, r := range e.out.Put {
		put[[2]string{r.Kind, r.ID}] = true
	}
	e.out.Delete = slices.DeleteFunc(e.out.Delete, func(r ops.Record) bool { return put[[2]string{r.Kind, r.ID}] })
}
