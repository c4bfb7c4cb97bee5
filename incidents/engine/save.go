package engine

import (
	"time"

	"goc/ops"
)

// savedChanges is how far back Save takes changes: beyond what any ranking thinks of.
const (
	savedChanges    = 26 * time.Hour
	maxSavedChanges = 20_000
	// savedResolved is how long after its resolution an incident is still saved.
	savedResolved = 2 * time.Hour
)

// Save is what Restore needs for an engine that goes on where this one stands, but for its samples: for the beginning of
// a recording, not for keeping. Incidents resolved long ago and old changes are left out.
func (e *Engine) Save(now time.Time) (Saved, int) {
	s := Saved{GoesOn: true, Silences: e.Silences(), Priors: e.priors, Ranked: map[string]SavedRanking{}}
	changes := map[string]bool{}
	for _, c := range e.changes.Since(now.Add(-savedChanges), maxSavedChanges) {
		changes[c.ID] = true
		s.Changes = append(s.Changes, *c)
	}
	for _, id := range sortedKeys(e.incidents) {
		inc := e.incidents[id]
		if !inc.State.Active() && inc.firing == 0 && !e.owing[inc] && now.Sub(inc.ResolvedAt.Time) > savedResolved {
			continue
		}
		s.Incidents = append(s.Incidents, inc.stored())
		s.Ranked[id] = SavedRanking{At: ops.At(inc.rankedAt), Due: inc.rankDue, Told: inc.toldP}
		for _, a := range inc.sorted() {
			s.Alerts = append(s.Alerts, a.saved())
		}
		for _, sus := range inc.Suspects {
			if c, ok := e.changes.Change(sus.ChangeID); ok && !changes[c.ID] {
				changes[c.ID] = true
				s.Changes = append(s.Changes, *c)
			}
		}
	}
	for _, fp := range sortedKeys(e.alerts) {
		if a := e.alerts[fp]; a.incident == nil {
			s.Alerts = append(s.Alerts, a.saved())
		}
	}
	return s, e.nextID
}

func (a *alert) saved() SavedAlert {
	s := SavedAlert{ID: a.recordID(), StoredAlert: StoredAlert{IncidentAlert: a.IncidentAlert, Held: a.Held}}
	if a.incident != nil {
		s.Incident = a.incident.ID
	}
	return s
}

// Numbered makes the next incident's number n, unless it is higher already.
func (e *Engine) Numbered(n int) { e.nextID = max(e.nextID, n) }
