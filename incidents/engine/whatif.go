package engine

import (
	"time"

	"goc/incidents/suspects"
)

// RankWith is how the suspects of an incident would rank with other weights, from what is known at now. It changes
// nothing. False when there is no such incident.
func (e *Engine) RankWith(id string, w suspects.Weights, now time.Time) (suspects.Ranking, bool) {
	inc := e.incidents[id]
	if inc == nil {
		return suspects.Ranking{NoChange: 1}, false
	}
	k := e.caseOf(inc)
	return e.changes.Rank(k, e.suspectWorld(w), now), true
}

// suspectWorld is what a ranking with these weights goes by.
func (e *Engine) suspectWorld(w suspects.Weights) suspects.World {
	return suspects.World{Graph: e.graph, Samples: e.samples, Catalog: e.catalog, Priors: e.priors, Weights: w, Direction: e.Direction}
}
