package engine

import (
	"fmt"
	"slices"
	"sort"
	"time"

	"goc/incidents/suspects"
	"goc/ops"
)

// open makes a new incident of an alert that nothing explains.
func (e *Engine) open(al *alert, s sight, now time.Time) {
	inc := e.newIncident(al.Summary(), now)
	inc.Root, inc.RootLabels = al.Fingerprint, al.Labels
	inc.setRoot(s, e.graph)
	inc.DetectBy = "alert " + al.Name()
	al.Reason = "it opened the incident: no other incident explains it"
	e.attach(inc, al, s, now)
	e.findOnset(inc, al.StartsAt.Time, now)
	if e.hooks.ActiveDrill != nil {
		if id := e.hooks.ActiveDrill(inc.Scope, now); id != "" {
			inc.Drill = &id
		}
	}
	e.judgeSeverity(inc, now, true)
	e.event(inc, now, "opened", "system", "", fmt.Sprintf("%s opened: %s", inc.Severity, inc.Title),
		map[string]any{"alert": al.Name(), "onset_at": inc.OnsetAt, "scope": inc.Scope, "drill": inc.Drill})
	inc.rankDue = true
}

// join takes an alert into an incident, with the reason, and lets it lead where it explains the rest.
func (e *Engine) join(inc *incident, al *alert, s sight, t tie, now time.Time) {
	if !inc.State.Active() {
		e.reopen(inc, now, "", "reopened: "+clip(al.Summary(), 200)+" fires again")
	}
	al.Reason = t.reason
	stores, services := len(inc.Scope.Store), len(inc.Scope.Service)
	e.attach(inc, al, s, now)
	e.event(inc, now, "alert_added", "system", "", fmt.Sprintf("took in %s: %s", clip(al.Summary(), 200), t.reason),
		map[string]any{"alert": al.Name(), "fingerprint": al.Fingerprint, "reason": t.reason, "summary": clip(al.Summary(), 200)})
	e.unrecover(inc, now)
	switch {
	case t.lead:
		e.lead(inc, al, s, now)
	case t.strength == storm:
		e.gather(inc, t.reason, now)
	case len(inc.Scope.Store) > stores || len(inc.Scope.Service) > services:
		e.takeOver(inc, now) // where it now is, it may explain what it did not before
	}
	for inc.Merged != "" {
		inc = e.incidents[inc.Merged]
	}
	e.judgeSeverity(inc, now, false)
	inc.rankDue = true
}

// attach is the part of open and join that they share: membership, scope, time.
func (e *Engine) attach(inc *incident, al *alert, s sight, now time.Time) {
	if old := inc.members[al.Fingerprint]; old == nil || old.Status != ops.Firing {
		inc.firing++
	}
	al.incident = inc
	inc.members[al.Fingerprint] = al
	inc.Taken++
	inc.Scope = e.widen(inc.Scope, s)
	inc.JoinedAt, inc.QuietSince = ops.At(now), ops.Time{}
	inc.retitle()
	e.prune(inc)
	e.touchAlert(al)
	e.touch(inc)
}

// widen adds what the alert names to the scope; an incident names at most a thousand values of a key.
func (e *Engine) widen(scope ops.Scope, s sight) ops.Scope {
	add := s.scope()
	for _, k := range ops.ScopeKeys {
		have, more := *scope.Key(k), *add.Key(k)
		if len(more) == 0 || len(have) >= 1000 {
			continue
		}
		if i, found := slices.BinarySearch(have, more[0]); !found {
			*scope.Key(k) = slices.Insert(slices.Clone(have), i, more[0])
		}
	}
	return scope
}

// prune forgets the members that were resolved first when there are more than an incident lists.
func (e *Engine) prune(inc *incident) {
	if len(inc.members)-inc.firing <= e.cfg.MaxListed {
		return
	}
	var ended []*alert
	for _, a := range inc.members {
		if a.Status == ops.Resolved {
			ended = append(ended, a)
		}
	}
	sort.Slice(ended, func(i, j int) bool {
		if c := ended[i].EndsAt.Compare(ended[j].EndsAt.Time); c != 0 {
			return c < 0
		}
		return ended[i].Fingerprint < ended[j].Fingerprint
	})
	for _, a := range ended[:len(ended)-e.cfg.MaxListed/2] {
		delete(inc.members, a.Fingerprint)
		e.unstore(a)
	}
}

// lead makes an alert the root of its incident, which is named after it from then on, and takes over the incidents
// that the new root explains.
func (e *Engine) lead(inc *incident, al *alert, s sight, now time.Time) {
	inc.Root, inc.RootLabels = al.Fingerprint, al.Labels
	inc.setRoot(s, e.graph)
	inc.BaseTitle = clip(al.Summary(), MaxTitle)
	inc.retitle()
	e.findOnset(inc, al.StartsAt.Time, now)
	e.takeOver(inc, now)
}

// takeOver merges the young incidents that the root of inc explains.
func (e *Engine) takeOver(inc *incident, now time.Time) {
	for _, other := range slices.Clone(e.active) {
		if other == inc || other.Declared || !inc.State.Active() || e.apart(inc, other) {
			continue
		}
		t, ok := e.rootTie(inc, other)
		switch {
		case !ok:
		case other.number < inc.number: // people know the older one
			other.adoptRoot(inc, e.graph)
			e.merge(inc, other, now, "", t.reason)
			e.takeOver(other, now)
			return
		default:
			e.merge(other, inc, now, "", t.reason)
		}
	}
}

// adoptRoot lets what explains from explain inc.
func (inc *incident) adoptRoot(from *incident, g *suspects.Graph) {
	inc.Root, inc.RootLabels, inc.BaseTitle = from.Root, from.RootLabels, from.BaseTitle
	inc.setRoot(from.rootSight, g)
}

// apart says whether two incidents began too long after one another to be one by resemblance.
func (e *Engine) apart(a, b *incident) bool {
	d := a.DetectedAt.Sub(b.DetectedAt.Time)
	return max(d, -d) > e.cfg.Window
}

// sameCause is how probable the first suspect of two incidents must be to make them one.
const sameCause = 0.7

// joinByCause merges inc with an older incident of the same class that began at about the same time and has the same
// first suspect: what the call graph and the places could not connect, its cause does.
func (e *Engine) joinByCause(inc *incident, now time.Time) {
	first, ok := likely(inc)
	if !ok || inc.Declared {
		return
	}
	for _, older := range e.active {
		if older.number >= inc.number || older.Declared || older.rootSight.class() != inc.rootSight.class() || e.apart(older, inc) {
			continue
		}
		if other, ok := likely(older); ok && other == first {
			if d, below := older.below[inc.rootSight.service]; below && d > 0 {
				older.adoptRoot(inc, e.graph)
			}
			e.merge(inc, older, now, "", "both have the same first suspect, "+first)
			return
		}
	}
}

// likely is the first suspect of inc when it is probable enough to tell incidents apart by it.
func likely(inc *incident) (string, bool) {
	if len(inc.Suspects) == 0 || inc.Suspects[0].Probability < sameCause {
		return "", false
	}
	return inc.Suspects[0].ChangeID, true
}

// gather merges the incidents of a storm into the oldest.
func (e *Engine) gather(inc *incident, reason string, now time.Time) {
	inc.Storm = true
	for _, other := range slices.Clone(e.active) {
		if other != inc && !other.Declared && other.rootSight.name == inc.rootSight.name && other.rootSight.class() == inc.rootSight.class() && now.Sub(other.JoinedAt.Time) <= e.cfg.Window {
			e.merge(other, inc, now, "", reason)
		}
	}
}

// rootTie says whether the root of inc explains the root of other.
func (e *Engine) rootTie(inc, other *incident) (tie, bool) {
	root, s := inc.rootSight, other.rootSight
	if root.class() == aboutPlace {
		if place, ok := e.covers(root, s); ok {
			return tie{reason: place + " as a whole is in trouble, which explains it"}, true
		}
		return tie{}, false
	}
	if root.class() == aboutService && s.class() == aboutService && placesMeet(inc, s) {
		if d, ok := inc.above[s.service]; ok && d > 0 {
			return tie{reason: fmt.Sprintf("%s depends on %s, which is failing (%s away)", s.service, root.service, count(d, "call", "calls"))}, true
		}
	}
	return tie{}, false
}

// merge moves everything of from into the other incident and resolves from.
func (e *Engine) merge(from, into *incident, now time.Time, actor, reason string) {
	for _, a := range from.sorted() {
		if have := into.members[a.Fingerprint]; have != nil && have.Status == ops.Firing {
			continue
		}
		if a.Status == ops.Firing {
			into.firing++
			from.firing--
		}
		delete(from.members, a.Fingerprint)
		a.incident, a.Reason = into, "merged from "+from.ID+": "+reason
		into.members[a.Fingerprint] = a
		into.Taken++
		into.Scope = e.widen(into.Scope, e.sightOf(a.Alert))
		e.touchAlert(a)
	}
	into.retitle()
	into.adoptClock(from)
	e.moveWork(from, into)
	if into.AcknowledgedAt.IsZero() && !from.AcknowledgedAt.IsZero() && into.State == ops.IncidentOpen {
		into.AcknowledgedAt, into.State = from.AcknowledgedAt, ops.IncidentAcknowledged
	}
	if into.firing > 0 {
		into.QuietSince = ops.Time{}
	}
	from.Merged, from.State, from.ResolvedAt, from.ResolvedBy = into.ID, ops.IncidentResolved, ops.At(now), actor
	e.close(from)
	data := func() map[string]any { return map[string]any{"from": from.ID, "into": into.ID, "reason": reason} }
	e.event(from, now, "merged", kindBy(actor), actor, fmt.Sprintf("merged into %s: %s", into.ID, reason), data())
	e.event(into, now, "merged", kindBy(actor), actor, fmt.Sprintf("took over %s: %s", from.ID, reason), data())
	e.judgeSeverity(into, now, false)
	into.rankDue = true
}

// adoptClock takes the earlier onset and detection of an incident that was merged in, unless a leg that has been shown
// would become shorter.
func (inc *incident) adoptClock(from *incident) {
	shown := inc.DetectedAt.Sub(inc.OnsetAt.Time)
	if from.OnsetAt.Before(inc.OnsetAt.Time) {
		inc.OnsetAt, inc.OnsetBy, inc.OnsetFrom = from.OnsetAt, from.OnsetBy, from.OnsetFrom
	}
	if from.DetectedAt.Before(inc.DetectedAt.Time) && from.DetectedAt.Sub(inc.OnsetAt.Time) >= shown {
		inc.DetectedAt, inc.DetectBy = from.DetectedAt, from.DetectBy
	}
}

// kindBy is the kind of timeline entry that an actor makes.
func kindBy(actor string) string {
	if actor == "" || actor == ops.System.Name {
		return "system"
	}
	return "action"
}

// findOnset looks for the onset in the samples of the incident's services. It is never later than the alert, and moves
// only to earlier times once it was found.
func (e *Engine) findOnset(inc *incident, alert, now time.Time) {
	at, by, from := minTime(alert, now), time.Duration(0), "the alert"
	if d, ok := suspects.Onset(e.samples, inc.services(), inc.Scope.Store, minTime(alert.Add(e.cfg.Window), now), e.Direction); ok && !d.At.After(at) {
		at, by, from = d.At, d.Interval, fmt.Sprintf("%s of %s", d.Key.Indicator, d.Key.Service)
	}
	if inc.OnsetFrom == "" || at.Before(inc.OnsetAt.Time) {
		inc.OnsetAt, inc.OnsetBy, inc.OnsetFrom = ops.At(at), ops.Duration(by), from
	}
}

func minTime(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
