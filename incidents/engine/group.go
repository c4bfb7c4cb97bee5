package engine

import (
	"fmt"
	"time"
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
	sharedCause  = 40
	sharedCallee = 35
	storm        = 30
)

// better says whether t explains more than o, or as much from nearer by.
func (t tie) better(o tie) bool {
	return t.strength > o.strength || t.strength == o.strength && t.distance < o.distance
}

// found is where an alert belongs, and what it is apart from although something ties them.
type found struct {
	inc *incident // nil when no incident explains it
	tie
	apart   *incident
	from    tie
	because string
}

// consider takes an incident that a tie speaks for into account; why says what speaks against it.
func (f *found) consider(inc *incident, t tie, why string) {
	older := func(o *incident) bool { return inc.number < o.number }
	switch {
	case why != "":
		if f.apart == nil || t.better(f.from) || !f.from.better(t) && older(f.apart) {
			f.apart, f.from, f.because = inc, t, why
		}
	case f.inc == nil || t.better(f.tie) || !f.tie.better(t) && older(f.inc):
		f.inc, f.tie = inc, t
	}
}

// place puts an alert into the incident that explains it best; into a new one when none does and it is not silenced.
func (e *Engine) place(al *alert, now time.Time) {
	f := e.find(al, now)
	switch {
	case f.inc != nil:
		e.join(f.inc, al, f.tie, now)
	case al.Silenced != "": // told to nobody; it is placed when the silence ends
	default:
		if inc := e.overflow(al); inc != nil {
			t := tie{strength: storm, reason: fmt.Sprintf("%d incidents are open, which is the most that are kept apart", len(e.active))}
			e.join(inc, al, t, now)
			return
		}
		e.open(al, f, now)
	}
}

// overflow is the newest incident that an alert joins when there are too many, nil while there are not.
func (e *Engine) overflow(al *alert) *incident {
	if len(e.active) < e.cfg.MaxActive {
		return nil
	}
	for i := len(e.active) - 1; i >= 0; i-- {
		if !e.active[i].keepsOut(al.Fingerprint) {
			return e.active[i]
		}
	}
	return nil
}

// find looks for the incident that explains the alert best: the one that had it, one that something ties it to, one of a
// storm, one that was resolved a short while ago.
func (e *Engine) find(al *alert, now time.Time) found {
	var f found
	before := tie{strength: sameAlert, reason: "it was part of this incident before"}
	had := e.home(al.Fingerprint)
	if had != nil {
		if o, t := e.newer(had, al, now); o != nil {
			f.consider(o, t, "")
			f.consider(had, before, fmt.Sprintf("%s had recovered, and %s explains it now", had.ID, o.ID))
			return f
		}
		f.consider(had, before, e.again(had, al, now))
	}
	if f.inc == nil {
		e.near(al.sight, func(inc *incident) {
			if inc == had || inc.keepsOut(al.Fingerprint) {
				return
			}
			if t, ok := e.explains(inc, al.sight, now); ok {
				f.consider(inc, t, e.apart(inc, al.sight, t))
			}
		})
	}
	if f.inc == nil {
		e.stormOf(al, now, &f)
	}
	if f.inc == nil {
		if inc := e.reopening(al.Fingerprint, now); inc != nil {
			before.reason = "it fired again soon after the incident was resolved"
			f.consider(inc, before, e.again(inc, al, now))
		}
	}
	return f
}

// newer finds the incident that goes on and explains an alert which another one had before that recovered; nil when none does.
func (e *Engine) newer(had *incident, al *alert, now time.Time) (*incident, tie) {
	var f found
	if had.RecoveredAt.IsZero() || al.By != "" || !al.StartsAt.After(had.RecoveredAt.Time) {
		return nil, tie{}
	}
	e.near(al.sight, func(inc *incident) {
		if inc == had || inc.keepsOut(al.Fingerprint) || !inc.RecoveredAt.IsZero() || inc.DetectedAt.Before(had.RecoveredAt.Time) {
			return
		}
		if t, ok := e.explains(inc, al.sight, now); ok && t.strength >= calleeBelow {
			f.consider(inc, t, e.apart(inc, al.sight, t))
		}
	})
	return f.inc, f.tie
}

// explains says whether the incident and the alert belong together by what they are about, and why.
func (e *Engine) explains(inc *incident, s sight, now time.Time) (tie, bool) {
	root := inc.rootSight
	if root.class() == aboutPlace {
		if place, ok := e.covers(root, s); ok {
			return tie{strength: placeParent, reason: place + " as a whole is in trouble, which explains what happens in it"}, true
		}
	}
	for _, p := range e.around(s) {
		if a := inc.darkAt(p); a != nil && (s.class() != aboutPlace || s.place() == p) {
			return tie{strength: placeParent, reason: p.String() + " as a whole is in trouble, which explains what happens in it"}, true
		}
	}
	young := e.young(inc, now)
	if s.class() == aboutService && root.class() == aboutService {
		return e.serviceTie(inc, s, young)
	}
	if s.class() == aboutPlace {
		return e.placeTie(inc, s, young)
	}
	if !young {
		return tie{}, false
	}
	return kinTie(root, s)
}

// young says whether inc took an alert in within the window.
func (e *Engine) young(inc *incident, now time.Time) bool {
	return now.Sub(inc.JoinedAt.Time) <= e.cfg.Window
}

// lateParent is how long after its first sign the alert of what explains it may come.
const lateParent = 15 * time.Minute

// waiting says whether inc may still be waiting for the alert that explains it: it goes on, and began not long before s.
func (inc *incident) waiting(s sight) bool {
	return inc.firing > 0 && s.start.Sub(inc.DetectedAt.Time) <= lateParent
}

// serviceTie is a tie through the call graph: a failing callee explains what its callers show.
func (e *Engine) serviceTie(inc *incident, s sight, young bool) (tie, bool) {
	root := inc.rootSight
	meet := placesMeet(inc, s)
	switch {
	case s.service == root.service && (meet || young):
		return tie{strength: sameService, reason: "it is the same service, " + s.service}, true
	case inc.shows(s.service) && (meet || young):
		return tie{strength: sameService, distance: 1, reason: s.service + " is part of this incident already"}, true
	}
	if !meet {
		return e.causeTie(inc, s, young)
	}
	if d, ok := inc.above[s.service]; ok {
		return tie{strength: calleeBelow, distance: d, reason: fmt.Sprintf("%s depends on %s, which is failing (%s away)", s.service, root.service, count(d, "call", "calls"))}, true
	}
	if d, ok := inc.below[s.service]; ok && (young || inc.waiting(s)) {
		return tie{strength: callerAbove, distance: d, lead: true, reason: fmt.Sprintf("%s, where this incident began to show, depends on it (%s away): the trouble is nearer here", root.service, count(d, "call", "calls"))}, true
	}
	if young && s.name == root.name && s.store == root.store && together(inc, s) {
		if c, d := e.commonCallee(s.service, root.service); c != "" {
			return tie{strength: sharedCallee, distance: d, reason: fmt.Sprintf("it shows the same as %s, and both depend on %s", root.service, c)}, true
		}
	}
	return e.causeTie(inc, s, young)
}

// causeTie is a tie through what did it: the first suspect of the incident came to where s shows at about the same time,
// and the service depends on what it changed.
func (e *Engine) causeTie(inc *incident, s sight, young bool) (tie, bool) {
	ch := e.prime(inc)
	if ch == nil || !young || !together(inc, s) || ch.Service == "" && len(ch.Scope.Store) == 0 || !e.could(inc.reachOf(ch), s) {
		return tie{}, false
	}
	_, nearer := inc.below[s.service]
	return tie{strength: sharedCause, lead: nearer, reason: fmt.Sprintf("%s, the first suspect of this incident, came to %s as well", ch.ID, s.spot())}, true
}

// atOnce is how far apart what one cause does at once may be told.
const atOnce = 2 * time.Minute

// together says whether s began at about the time at which inc was detected or last took something in.
func together(inc *incident, s sight) bool {
	near := func(d time.Duration) bool { return max(d, -d) <= atOnce }
	return near(s.start.Sub(inc.DetectedAt.Time)) || near(s.start.Sub(inc.JoinedAt.Time))
}

// commonCallee is the nearest service that both depend on, by name among those as near, and the calls to it from both; ""
// when there is none. It need not show anything itself.
func (e *Engine) commonCallee(a, b string) (name string, calls int) {
	x, _ := e.walks.of(a)
	y, _ := e.walks.of(b)
	for c, d := range x {
		if o, both := y[c]; both && (name == "" || d+o < calls || d+o == calls && c < name) {
			name, calls = c, d+o
		}
	}
	return name, calls
}

// placeTie is a tie of an alert about a whole place: it takes over what happens in it, and joins its like.
func (e *Engine) placeTie(inc *incident, s sight, young bool) (tie, bool) {
	root := inc.rootSight
	if place, ok := e.covers(s, root); ok && (young || inc.waiting(s)) && root.class() != aboutOther && e.allIn(inc, s) {
		return tie{strength: placeOver, lead: true, reason: place + " as a whole is in trouble, which explains this incident"}, true
	}
	if !young || root.class() != aboutPlace || root.name != s.name || s.store == "" || root.store == "" {
		return tie{}, false
	}
	a, b := e.where(root), e.where(s)
	switch {
	case a.Network != "" && a.Network == b.Network:
		return tie{strength: sharedPlace, reason: fmt.Sprintf("%s and %s hang on the same network, %s", root.store, s.store, a.Network)}, true
	case a.City != "" && a.City == b.City && together(inc, s) && len(inc.Scope.City) <= 1 && !e.concentrated(inc, placeNetwork):
		return tie{strength: sharedPlace, distance: 1, reason: fmt.Sprintf("%s and %s lie in the same city, %s", root.store, s.store, a.City)}, true
	}
	return tie{}, false
}

// allIn says whether all that fires in inc happens in the place of s.
func (e *Engine) allIn(inc *incident, s sight) bool {
	if len(inc.Scope.Store) <= 1 {
		return true
	}
	for _, id := range inc.Scope.Store {
		if _, in := e.covers(s, sight{store: id}); !in {
			return false
		}
	}
	return true
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
