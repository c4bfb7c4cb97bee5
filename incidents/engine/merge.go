package engine

import (
	"fmt"
	"slices"
	"time"

	"goc/ops"
)

// takeOverBy gives inc what its root explains of others when the root or the scope is new, and what happens in the
// places that it has just been told are in trouble as a whole.
func (e *Engine) takeOverBy(inc *incident, u *unsettled, now time.Time) {
	if (u.lead || u.grew) && inc.rootFires() {
		e.takeOver(inc, inc.rootSight, now)
	}
	for _, a := range u.dark {
		if a.Fingerprint != inc.Root && a.Status == ops.Firing && a.incident != nil {
			e.takeOver(a.incident, a.sight, now)
		}
	}
}

// takeOver gives inc what one of its alerts, of sight s, explains of others: whole incidents, and of those that began
// elsewhere as well the alerts that began when it did.
func (e *Engine) takeOver(inc *incident, s sight, now time.Time) {
	for _, other := range e.reachable(inc, s) {
		if !inc.State.Active() || !other.State.Active() {
			continue
		}
		t, ok := e.rootTie(inc, s, other, now)
		if !ok {
			e.pull(inc, s, other, now)
			continue
		}
		from, into := other, inc
		if other.number < inc.number && !inc.byHand() { // people know the older one
			from, into = inc, other
		}
		if !e.mayMerge(from, into, t) {
			continue
		}
		if into == other && t.lead {
			into.adoptRoot(inc, e)
			e.unsettle(into).lead = true
		}
		e.merge(from, into, now, "", t.reason)
	}
}

// reachable lists the active incidents that an alert of inc could explain, the oldest first.
func (e *Engine) reachable(inc *incident, s sight) []*incident {
	seen := map[*incident]bool{inc: true}
	var out []*incident
	visit := func(by byte, value string) {
		for _, o := range e.board.at[mark{by, value}] {
			if !seen[o] {
				seen[o] = true
				out = append(out, o)
			}
		}
	}
	switch {
	case s.class() == aboutPlace && s.store != "":
		visit(byStore, s.store)
		visit(byName, aboutPlace+"/"+s.name)
	case s.class() == aboutPlace:
		out = slices.DeleteFunc(slices.Clone(e.active), func(o *incident) bool { return o == inc })
	case s.class() == aboutService:
		for service := range inc.above {
			visit(byRoot, service)
		}
	}
	slices.SortFunc(out, func(a, b *incident) int { return a.number - b.number })
	return out
}

// rootTie says whether an alert of inc, of sight s, explains all of other, or resembles its root in a place that both lie in.
func (e *Engine) rootTie(inc *incident, s sight, other *incident, now time.Time) (tie, bool) {
	o := other.rootSight
	switch {
	case s.class() == aboutPlace:
		if place, ok := e.covers(s, o); ok && e.allIn(other, s) {
			return tie{strength: placeOver, lead: true, reason: place + " as a whole is in trouble, which explains it"}, true
		}
		if o.class() == aboutPlace {
			t, ok := e.placeTie(other, s, e.young(other, now))
			return t, ok && t.strength == sharedPlace
		}
	case s.class() == aboutService && o.class() == aboutService && placesMeet(inc, o):
		if d, ok := inc.above[o.service]; ok && d > 0 {
			return tie{strength: calleeBelow, lead: true, reason: fmt.Sprintf("%s depends on %s, which is failing (%s away)", o.service, s.service, count(d, "call", "calls"))}, true
		}
	}
	return tie{}, false
}

// mayMerge says whether the program may make other part of into because of a tie: neither is over for the other, neither
// has a cause that the other cannot have, it began about when it could have, and people did not set them apart.
func (e *Engine) mayMerge(other, into *incident, t tie) bool {
	if other.byHand() || e.keptApart(other, into) {
		return false
	}
	if e.apart(into, other.rootSight, t) != "" || e.apart(other, into.rootSight, t) != "" {
		return false
	}
	a, okA := likely(other)
	b, okB := likely(into)
	if t.strength != placeOver && okA && okB && a != b {
		return false
	}
	d := other.DetectedAt.Sub(into.DetectedAt.Time)
	return max(d, -d) <= lateParent
}

// rootFires says whether what explains the others still holds; of what people declared it does as long as they say.
func (inc *incident) rootFires() bool {
	if root := inc.members[inc.Root]; root != nil {
		return root.Status == ops.Firing
	}
	return inc.Declared && inc.Root == ""
}

// byHand says whether people made this incident: then the program takes nothing of it away.
func (inc *incident) byHand() bool { return inc.Declared || inc.SplitBy != "" }

// adoptRoot lets what explains from explain inc.
func (inc *incident) adoptRoot(from *incident, e *Engine) {
	inc.Root, inc.RootLabels = from.Root, from.RootLabels
	inc.rootSight, inc.below, inc.above = from.rootSight, from.below, from.above
	inc.rename(from.BaseTitle)
	e.post(inc)
}

// gather merges the incidents of a storm into the oldest.
func (e *Engine) gather(inc *incident, reason string, now time.Time) {
	inc.Storm = true
	t := tie{strength: storm, reason: reason}
	for _, other := range slices.Clone(e.board.at[mark{byName, inc.rootSight.class() + "/" + inc.rootSight.name}]) {
		if other != inc && e.stormy(other, now) && e.mayMerge(other, inc, t) {
			e.merge(other, inc, now, "", reason)
		}
	}
}

// joinByCause merges inc with an older incident that has the same first suspect, which still acts: what the call graph
// and the places could not connect, its cause does.
func (e *Engine) joinByCause(inc *incident, now time.Time) {
	first, ok := likely(inc)
	if !ok || inc.byHand() {
		return
	}
	for _, older := range e.active {
		if older.number >= inc.number {
			return
		}
		other, ok := likely(older)
		if !ok || other != first || older.byHand() || e.keptApart(inc, older) || (older.rootSight.class() == aboutPlace) != (inc.rootSight.class() == aboutPlace) {
			continue
		}
		ch, known := e.changes.Change(first)
		if e.past(older, inc.rootSight) != "" || known && !(e.could(older.reachOf(ch), inc.rootSight) && e.could(older.reachOf(ch), older.rootSight)) {
			continue
		}
		if d, below := older.below[inc.rootSight.service]; below && d > 0 && inc.rootSight.class() == aboutService {
			older.adoptRoot(inc, e)
		}
		e.merge(inc, older, now, "", "both have the same first suspect, "+first)
		return
	}
}

// merge moves everything of from into the other incident and resolves from.
func (e *Engine) merge(from, into *incident, now time.Time, actor, reason string) {
	e.tellAlerts(from, now)
	e.tellAlerts(into, now)
	moved := from.sorted()
	for _, a := range moved {
		if have := into.members[a.Fingerprint]; have != nil && (have.Status == ops.Firing || a.Status != ops.Firing) {
			continue
		}
		e.release(from, a)
		a.Reason = "merged from " + from.ID + ": " + reason
		e.hold(into, a)
	}
	into.Taken += max(0, from.Taken-len(moved)) // those that were no longer listed
	into.adoptClock(from)
	into.adoptSigns(from)
	e.moveWork(from, into)
	e.adoptApart(from, into)
	if into.AcknowledgedAt.IsZero() && !from.AcknowledgedAt.IsZero() && into.State == ops.IncidentOpen {
		into.AcknowledgedAt, into.State = from.AcknowledgedAt, ops.IncidentAcknowledged
	}
	switch {
	case into.firing > 0:
		into.QuietSince = ops.Time{}
	case into.QuietSince.IsZero() && len(into.members) > 0:
		into.QuietSince = ops.At(now)
	}
	e.prune(into)
	from.Merged, from.State, from.ResolvedAt, from.ResolvedBy = into.ID, ops.IncidentResolved, ops.At(now), actor
	e.close(from)
	data := func() map[string]any { return map[string]any{"from": from.ID, "into": into.ID, "reason": reason} }
	e.event(from, now, "merged", kindBy(actor), actor, fmt.Sprintf("merged into %s: %s", into.ID, reason), data())
	e.event(into, now, "merged", kindBy(actor), actor, fmt.Sprintf("took over %s: %s", from.ID, reason), data())
	u := e.unsettle(into)
	u.grew, u.explain = true, true
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

func minTime(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
