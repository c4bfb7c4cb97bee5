package engine

import (
	"fmt"
	"slices"
	"time"

	"goc/ops"
)

// move takes alerts out of one incident into another; tellMove says so. An incident that none fires in any more is quiet
// from then on.
func (e *Engine) move(alerts []*alert, from, into *incident, now time.Time, actor, reason string) {
	e.tellAlerts(from, now)
	e.tellAlerts(into, now)
	for _, a := range alerts {
		e.release(from, a)
		a.Reason, a.By = "moved from "+from.ID+": "+reason, actor
		e.hold(into, a)
	}
	from.Taken -= len(alerts)
	e.remains(from, alerts, now)
	if into.firing > 0 {
		into.JoinedAt, into.QuietSince = ops.At(now), ops.Time{}
		e.unrecover(into, now, "it took over "+count(len(alerts), "alert", "alerts")+", of which some fire")
	} else {
		into.QuietSince = ops.At(now)
	}
	e.unsettle(from).explain, e.unsettle(into).explain = true, true
	from.rankDue, into.rankDue = true, true
}

// tellMove says in both incidents that alerts went from one to the other.
func (e *Engine) tellMove(alerts []*alert, from, into *incident, now time.Time, actor, reason string) {
	names := make([]string, 0, len(alerts))
	for _, a := range alerts {
		names = append(names, a.Fingerprint)
	}
	data := func() map[string]any {
		return map[string]any{"from": from.ID, "into": into.ID, "alerts": names[:min(len(names), 100)], "count": len(names), "reason": reason}
	}
	what := count(len(alerts), "alert", "alerts")
	if len(alerts) == 1 {
		what = clip(alerts[0].Summary(), 200)
	}
	e.event(from, now, "split", kindBy(actor), actor, fmt.Sprintf("gave %s to %s: %s", what, into.ID, reason), data())
	e.event(into, now, "split", kindBy(actor), actor, fmt.Sprintf("took %s over from %s: %s", what, from.ID, reason), data())
}

// remains makes inc what it is without the alerts that left it: its scope, its root, its impact, and whether it is quiet.
func (e *Engine) remains(inc *incident, gone []*alert, now time.Time) {
	if !inc.Declared {
		inc.narrow(gone)
	}
	if inc.members[inc.Root] == nil && len(inc.members) > 0 {
		root := e.rootOf(inc.sorted())
		inc.setRoot(root, e)
		if !inc.Declared && inc.SplitBy == "" {
			inc.BaseTitle = clip(root.Summary(), MaxTitle)
		}
	}
	switch {
	case len(inc.members) == 0: // nothing was resolved: whoever declared it says when it is over
		inc.QuietSince = ops.Time{}
	case inc.firing == 0 && inc.QuietSince.IsZero():
		inc.QuietSince = ops.At(now)
	}
	inc.Impact, inc.OrdersText, inc.usual = ops.Impact{}, "", nil // it was that of the others as well
	inc.retitle()
	e.post(inc)
}

// narrow takes out of the scope what only the alerts that left named.
func (inc *incident) narrow(gone []*alert) {
	var left, lost ops.Scope
	for _, a := range gone {
		lost = widen(lost, a.sight)
	}
	for _, a := range inc.members {
		left = widen(left, a.sight)
	}
	inc.ownScope()
	for _, k := range ops.ScopeKeys {
		v := inc.Scope.Key(k)
		*v = slices.DeleteFunc(*v, func(name string) bool {
			_, kept := slices.BinarySearch(*left.Key(k), name)
			_, left := slices.BinarySearch(*lost.Key(k), name)
			return left && !kept
		})
		if len(*v) == 0 {
			*v = nil
		}
	}
}

// widen adds what a sight names to a scope that nobody else has.
func widen(scope ops.Scope, s sight) ops.Scope {
	inc := incident{Incident: ops.Incident{Scope: scope}}
	inc.take(s)
	return inc.Scope
}
