package engine

import (
	"fmt"
	"time"

	"goc/ops"
)

// stormSize is how many young incidents of one alert name make a storm.
const stormSize = 3

// stormOf finds, where the same alert has just opened several incidents that nothing explains, the oldest of them: what
// comes next is more likely one trouble than many.
func (e *Engine) stormOf(al *alert, now time.Time, f *found) {
	s := al.sight
	if s.name == "" {
		return
	}
	t := tie{strength: storm, reason: fmt.Sprintf("%s fires in many places within %s", s.name, ops.Duration(e.cfg.Window))}
	n := 0
	for _, inc := range e.board.at[mark{byName, s.class() + "/" + s.name}] {
		if !e.stormy(inc, now) || inc.keepsOut(al.Fingerprint) || e.apart(inc, s, t) != "" {
			continue
		}
		if n++; inc.Storm {
			n = stormSize
		}
		f.consider(inc, t, "")
	}
	if n < stormSize {
		f.inc, f.tie = nil, tie{}
	}
}

// stormy says whether inc can be part of a storm: it is young, and nothing that its stores share explains it.
func (e *Engine) stormy(inc *incident, now time.Time) bool {
	return e.young(inc, now) && !inc.byHand() && !e.concentrated(inc, placeNetwork) && !e.concentrated(inc, placeCity)
}

// concentrated says whether the stores of inc are several, lie in one place of a kind, and are most of what is there.
func (e *Engine) concentrated(inc *incident, kind string) bool {
	if n := len(inc.Scope.Store); n < 2 || inc.rootSight.class() != aboutPlace {
		return false
	}
	p := e.placeOf(inc.Scope.Store[0], kind)
	for _, id := range inc.Scope.Store[1:] {
		if q := e.placeOf(id, kind); p.name == "" || p != q {
			return false
		}
	}
	return p.name != "" && 2*len(inc.Scope.Store) >= len(e.places[p])
}

// placeOf is the place of a kind that a store lies in.
func (e *Engine) placeOf(store, kind string) place {
	for _, p := range e.around(sight{store: store}) {
		if p.kind == kind {
			return p
		}
	}
	return place{}
}

// reopening finds the incident, resolved a short while ago, that had this alert.
func (e *Engine) reopening(fingerprint string, now time.Time) *incident {
	var best *incident
	for _, inc := range e.homes[fingerprint] {
		if !inc.State.Active() && inc.Merged == "" && !inc.keepsOut(fingerprint) && now.Sub(inc.ResolvedAt.Time) <= e.cfg.ReopenWithin && (best == nil || inc.number > best.number) {
			best = inc
		}
	}
	return best
}

// home finds the active incident that had this alert before, the newest when there are several.
func (e *Engine) home(fingerprint string) *incident {
	var best *incident
	for _, inc := range e.homes[fingerprint] {
		if inc.State.Active() && !inc.keepsOut(fingerprint) && (best == nil || inc.number > best.number) {
			best = inc
		}
	}
	return best
}
