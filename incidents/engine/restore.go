package engine

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"goc/incidents/suspects"
	"goc/ops"
)

// Saved is everything of an engine that was on disk.
type Saved struct {
	Incidents []Stored
	Alerts    []SavedAlert
	Silences  []ops.Silence
	Priors    suspects.Priors
	Changes   []ops.Change

	// GoesOn says that nobody was away: leases end when they end, and Ranked, by incident, says where the rankings stand.
	GoesOn bool
	Ranked map[string]SavedRanking
}

// SavedRanking is where the ranking of an incident's suspects stands.
type SavedRanking struct {
	At   ops.Time `json:"at"`
	Due  bool     `json:"due,omitempty"`
	Told float64  `json:"told,omitempty"`
}

// SavedAlert is an alert's record with its id.
type SavedAlert struct {
	ID string
	StoredAlert
}

// Restore brings an engine back as it was. It is called once, before the first step. Leases run on: an alert whose
// lease ended while nobody was there gets a grace of a minute in which its sender may tell it again.
func (e *Engine) Restore(s Saved, now time.Time) Outputs {
	e.out = Outputs{At: ops.At(now), SilencesChanged: true}
	// In the order of time, which the index appends to; any other order would move its lists about.
	slices.SortStableFunc(s.Changes, func(a, b ops.Change) int {
		return cmp.Or(a.StartedAt.Compare(b.StartedAt.Time), a.CreatedAt.Compare(b.CreatedAt.Time))
	})
	for _, c := range s.Changes {
		e.seeChange(c, now)
	}
	for _, sil := range s.Silences {
		if compiled, err := compile(sil); err == nil {
			compiled.told = !sil.EndsAt.After(now)
			e.silences[sil.ID] = compiled
		}
	}
	for kind, n := range s.Priors {
		e.priors[kind] = n
	}
	slices.SortFunc(s.Incidents, func(a, b Stored) int { return cmp.Compare(numberOf(a.ID), numberOf(b.ID)) })
	for _, in := range s.Incidents {
		e.restoreIncident(in, now)
	}
	grace := now.Add(restoreGrace)
	if s.GoesOn {
		grace = time.Time{}
	}
	slices.SortStableFunc(s.Alerts, func(a, b SavedAlert) int {
		return cmp.Or(a.StartsAt.Compare(b.StartsAt.Time), cmp.Compare(a.ID, b.ID))
	})
	for _, a := range s.Alerts {
		e.restoreAlert(a, grace)
	}
	for id, r := range s.Ranked {
		if inc := e.incidents[id]; inc != nil {
			inc.rankedAt, inc.rankDue, inc.toldP = r.At.Time, r.Due, r.Told
		}
	}
	for _, inc := range slices.SortedFunc(maps.Values(e.incidents), func(a, b *incident) int { return cmp.Compare(a.number, b.number) }) {
		e.out.Changed = append(e.out.Changed, inc.snapshot(e.cfg.MaxListed))
	}
	e.forgetMany()
	return e.out
}

func numberOf(id string) int {
	n, err := strconv.Atoi(strings.TrimPrefix(id, "INC-"))
	if err != nil {
		return 0
	}
	return n
}

func (e *Engine) restoreIncident(in Stored, now time.Time) {
	inc := &incident{Incident: in.Incident, Extra: in.Engine, number: numberOf(in.ID), members: map[string]*alert{}}
	inc.Alerts = nil
	if inc.Roles == nil {
		inc.Roles = map[string]string{}
	}
	s := sightOfScope(inc.Scope, inc.DetectedAt.Time)
	if len(inc.RootLabels) > 0 {
		s = e.sightOf(ops.Alert{Labels: inc.RootLabels, StartsAt: inc.DetectedAt})
	}
	inc.rankedAt = now // what was ranked stands until there is something new
	e.incidents[inc.ID] = inc
	e.owe(inc)
	e.nextID = max(e.nextID, inc.number+1)
	e.look(inc, s)
	inc.shared = true
	switch {
	case inc.State.Active():
		e.active = append(e.active, inc)
	case now.Sub(inc.ResolvedAt.Time) < max(e.cfg.ReopenWithin, e.cfg.RefireAfter):
		e.closed = append(e.closed, inc)
	}
}

// restoreSight gives an incident back what its alerts explain: the places that are dark, and since when its root is.
func (e *Engine) restoreSight(inc *incident, a *alert) {
	if a.Status == ops.Firing && a.sight.class() == aboutPlace {
		if inc.dark == nil {
			inc.dark = map[place]*alert{}
		}
		inc.dark[a.sight.place()] = a
		if inc.State.Active() {
			e.board.add(inc, mark{byTrouble, a.sight.place().key()})
		}
	}
	if a.Fingerprint == inc.Root {
		e.look(inc, a.sight)
	}
}

// restoreGrace is how long senders have to tell their alerts again after a restart.
const restoreGrace = time.Minute

func (e *Engine) restoreAlert(in SavedAlert, grace time.Time) {
	a := &alert{IncidentAlert: in.IncidentAlert, Held: in.Held, sight: e.sightOf(in.Alert), incident: e.incidents[in.Incident], storedAs: in.ID}
	if inc := a.incident; inc != nil {
		inc.members[a.Fingerprint], inc.listed = a, nil
		if inc.State.Active() || slices.Contains(e.closed, inc) {
			e.homes[a.Fingerprint] = append(e.homes[a.Fingerprint], inc)
		}
		e.restoreSight(inc, a)
	}
	if a.Status != ops.Firing {
		return
	}
	if a.EndsAt.Before(grace) {
		a.EndsAt = ops.At(grace)
	}
	e.alerts[a.Fingerprint] = a
	e.out.Alerts = append(e.out.Alerts, a.IncidentAlert)
	if inc := a.incident; inc != nil {
		inc.firing++
		inc.unjudged = inc.firing > crowd
		if !inc.State.Active() && !slices.Contains(e.closed, inc) {
			e.closed = append(e.closed, inc)
		}
	}
}

// forgetMany drops resolved incidents, the oldest first, until no more are in memory than the bound.
func (e *Engine) forgetMany() {
	if len(e.incidents) <= e.cfg.MaxIncidents {
		return
	}
	oldest := slices.SortedFunc(maps.Values(e.incidents), func(a, b *incident) int { return cmp.Compare(a.number, b.number) })
	for _, inc := range oldest {
		if len(e.incidents) <= e.cfg.MaxIncidents {
			return
		}
		if e.forgettable(inc) {
			e.drop(inc)
		}
	}
}
