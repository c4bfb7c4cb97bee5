package engine

import (
	"fmt"
	"slices"
	"time"

	"goc/ops"
)

// tie is why an alert belongs to an incident. The greatest strength wins, then the smallest distance, then the older incident.
type tie struct {
	strength int
	distance int
	reason   string
	lead     bool // the alert explains the incident, not the incident the alert
}

// Strengths of ties: what was the same before what explains, what explains before what only resembles.
const (
	sameAlert    = 100
	placeParent  = 90
	sameService  = 85
	calleeBelow  = 80
	callerAbove  = 75
	placeOver    = 70
	deviceKin    = 60
	resembles    = 50
	sharedPlace  = 45
	sharedCallee = 35
	storm        = 30
)

// place puts an alert into the incident that explains it best; into a new one when none does and it is not silenced.
func (e *Engine) place(al *alert, now time.Time) {
	s := e.sightOf(al.Alert)
	inc, t := e.bestTie(al, s, now)
	if inc == nil {
		if inc = e.reopening(al.Fingerprint, now); inc != nil {
			t = tie{strength: sameAlert, reason: "it fired again soon after the incident was resolved"}
		}
	}
	switch {
	case inc != nil:
		e.join(inc, al, s, t, now)
	case al.Silenced != "": // told to nobody; it is placed when the silence ends
	case len(e.active) >= e.cfg.MaxActive:
		t = tie{strength: storm, reason: fmt.Sprintf("%d incidents are open, which is the most that are kept apart", len(e.active))}
		e.join(e.active[len(e.active)-1], al, s, t, now)
	default:
		e.open(al, s, now)
	}
}

// bestTie finds the active incident that explains the alert best.
func (e *Engine) bestTie(al *alert, s sight, now time.Time) (best *incident, found tie) {
	for _, inc := range e.active {
		t, ok := e.explains(inc, al, s, now)
		if ok && (best == nil || t.strength > found.strength || (t.strength == found.strength && t.distance < found.distance)) {
			best, found = inc, t
		}
	}
	if best == nil {
		return e.stormOf(s, now)
	}
	return best, found
}

// explains says whether the incident and the alert belong together, and why.
func (e *Engine) explains(inc *incident, al *alert, s sight, now time.Time) (tie, bool) {
	if _, again := inc.members[al.Fingerprint]; again {
		return tie{strength: sameAlert, reason: "it was part of this incident before"}, true
	}
	root := inc.rootSight
	young := now.Sub(inc.JoinedAt.Time) <= e.cfg.Window
	if root.class() == aboutPlace {
		if place, ok := e.covers(root, s); ok {
			return tie{strength: placeParent, reason: place + " as a whole is in trouble, which explains what happens in it"}, true
		}
	}
	if s.class() == aboutService && root.class() == aboutService {
		return e.serviceTie(inc, s, young)
	}
	if !young {
		return tie{}, false
	}
	if s.class() == aboutPlace {
		return e.placeTie(inc, s)
	}
	return kinTie(root, s)
}

// serviceTie is a tie through the call graph: a failing callee explains what its callers show.
func (e *Engine) serviceTie(inc *incident, s sight, young bool) (tie, bool) {
	root := inc.rootSight
	switch {
	case s.service == root.service && (placesMeet(inc, s) || young):
		return tie{strength: sameService, reason: "it is the same service, " + s.service}, true
	case slices.Contains(inc.Scope.Service, s.service) && (placesMeet(inc, s) || young):
		return tie{strength: sameService, distance: 1, reason: s.service + " is part of this incident already"}, true
	}
	if !placesMeet(inc, s) {
		return tie{}, false
	}
	if d, ok := inc.above[s.service]; ok {
		return tie{strength: calleeBelow, distance: d, reason: fmt.Sprintf("%s depends on %s, which is failing (%s away)", s.service, root.service, count(d, "call", "calls"))}, true
	}
	if !young {
		return tie{}, false
	}
	if d, ok := inc.below[s.service]; ok {
		return tie{strength: callerAbove, distance: d, lead: true, reason: fmt.Sprintf("%s, where this incident began to show, depends on it (%s away): the trouble is nearer here", root.service, count(d, "call", "calls"))}, true
	}
	if s.name == root.name && s.store == "" && root.store == "" {
		if c := e.commonCallee(s.service, root.service); c != "" {
			return tie{strength: sharedCallee, reason: fmt.Sprintf("it shows the same as %s, and both depend on %s", root.service, c)}, true
		}
	}
	return tie{}, false
}

// commonCallee is the first service that both call directly and that is no part of any incident, "" when there is none.
func (e *Engine) commonCallee(a, b string) string {
	for _, c := range e.graph.Callees(a) {
		if slices.Contains(e.graph.Callees(b), c) {
			return c
		}
	}
	return ""
}

// placeTie is a tie of an alert about a whole place: it takes over what happens in it, and joins its like.
func (e *Engine) placeTie(inc *incident, s sight) (tie, bool) {
	root := inc.rootSight
	if place, ok := e.covers(s, root); ok && root.class() != aboutOther && (root.class() != aboutService || len(inc.Scope.Store) == 1) {
		return tie{strength: placeOver, lead: true, reason: place + " as a whole is in trouble, which explains this incident"}, true
	}
	if root.class() != aboutPlace || root.name != s.name {
		return tie{}, false
	}
	a, b := e.where(root), e.where(s)
	if a.Network != "" && a.Network == b.Network {
		return tie{strength: sharedPlace, reason: fmt.Sprintf("%s and %s hang on the same network, %s", root.store, s.store, a.Network)}, true
	}
	return tie{}, false
}

// kinTie is a tie between alerts that no place or call graph explains: devices of a kind, or the same job.
func kinTie(root, s sight) (tie, bool) {
	switch {
	case s.class() != root.class():
	case s.class() == aboutDevices && s.store != "" && s.store == root.store:
		return tie{strength: deviceKin, reason: "it is in the same store, " + s.store}, true
	case s.class() == aboutDevices && s.firmware != "" && s.firmware == root.firmware:
		return tie{strength: deviceKin, reason: "its devices run the same firmware, " + s.firmware}, true
	case s.class() == aboutDevices && s.kind != "" && s.kind == root.kind && s.firmware != "" && root.firmware == "":
		return tie{strength: deviceKin, lead: true, reason: "its devices share the firmware " + s.firmware + ", which explains those of the kind " + s.kind}, true
	case s.class() == aboutDevices && s.kind != "" && s.kind == root.kind && (s.name == root.name || root.firmware != ""):
		return tie{strength: deviceKin, distance: 1, reason: "the same shows on devices of the same kind, " + s.kind}, true
	case s.class() == aboutOther && s.instance != "" && s.instance == root.instance:
		return tie{strength: resembles, reason: "it is the same instance, " + s.instance}, true
	case s.class() == aboutOther && s.name == root.name && s.job == root.job:
		return tie{strength: resembles, distance: 1, reason: "it is the same alert, " + s.name}, true
	}
	return tie{}, false
}

// stormSize is how many young incidents of one alert name make a storm.
const stormSize = 3

// stormOf finds, where the same alert has just opened several incidents that nothing explains, the oldest of them: what
// comes next is more likely one trouble than many.
func (e *Engine) stormOf(s sight, now time.Time) (*incident, tie) {
	var first *incident
	n := 0
	for _, inc := range e.active {
		if inc.rootSight.name == s.name && s.name != "" && inc.rootSight.class() == s.class() && now.Sub(inc.JoinedAt.Time) <= e.cfg.Window {
			if n++; first == nil {
				first = inc
			}
			if inc.Storm {
				n += stormSize
			}
		}
	}
	if n < stormSize {
		return nil, tie{}
	}
	return first, tie{strength: storm, reason: fmt.Sprintf("%s fires in many places within %s", s.name, ops.Duration(e.cfg.Window))}
}

// reopening finds the incident, resolved a short while ago, that had this alert.
func (e *Engine) reopening(fingerprint string, now time.Time) *incident {
	var best *incident
	for _, inc := range e.closed {
		if _, had := inc.members[fingerprint]; had && inc.Merged == "" && now.Sub(inc.ResolvedAt.Time) <= e.cfg.ReopenWithin && (best == nil || inc.number > best.number) {
			best = inc
		}
	}
	return best
}
