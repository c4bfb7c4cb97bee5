package engine

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"goc/ops"
)

// regroup looks at an incident again after its suspects were ranked: two causes part, one cause is one incident.
func (e *Engine) regroup(inc *incident, now time.Time) {
	e.partByCause(inc, now)
	e.reunite(inc, now)
	if inc.State.Active() {
		e.joinByCause(inc, now)
	}
}

// partByCause parts what fires in inc in two when its first suspect did not come to some of it, and both parts have a
// cause of their own: each a first suspect, or the one that people or the whole incident already point at and nothing
// that explains the other. A suspect looks guilty of whatever is picked by where it went, so that alone parts nothing;
// nor does anything part what the call graph or a place explains. What people put together stays.
func (e *Engine) partByCause(inc *incident, now time.Time) {
	if len(inc.Suspects) < 2 || inc.Suspects[0].Verdict == "rejected" || inc.byHand() || len(e.active) >= e.cfg.MaxActive {
		return
	}
	first, ok := e.changes.Change(inc.Suspects[0].ChangeID)
	if !ok {
		return
	}
	within, without := e.sortByReach(inc, newReach(first))
	if len(within) == 0 || len(without) == 0 || e.oneTrouble(within, without) || e.firstSuspect(within, within[0].sight, now) != first.ID {
		return
	}
	switch second := e.firstSuspect(without, without[0].sight, now); {
	case second == first.ID:
	case second != "":
		e.parted(inc, without, now, fmt.Sprintf("%s did not come to these, and %s is their first suspect", first.ID, second))
	case inc.Suspects[0].Probability >= tellApart || inc.Confirmed == first.ID:
		part := e.parted(inc, without, now, fmt.Sprintf("%s, the first suspect of the others, did not come to these", first.ID))
		part.Beside = inc.ID // suspects may change
	}
}

// oneTrouble says whether what explains one part of some alerts explains the other part as well.
func (e *Engine) oneTrouble(within, without []*alert) bool {
	a, b := e.rootOf(within).sight, e.rootOf(without).sight
	return e.explainsSight(a, b) || e.explainsSight(b, a)
}

// sortByReach parts the firing alerts of inc into those that a change can have caused and those that it cannot.
func (e *Engine) sortByReach(inc *incident, r *reach) (within, without []*alert) {
	for _, a := range inc.sorted() {
		switch {
		case a.Status != ops.Firing:
		case e.could(r, a.sight):
			within = append(within, a)
		case a.By == "":
			without = append(without, a)
		}
	}
	// What happens in a place that is dark is explained by that; where the change can have made it dark, by the change.
	without = slices.DeleteFunc(without, func(a *alert) bool {
		for _, p := range e.around(a.sight) {
			if d := inc.darkAt(p); d != nil && d != a && e.could(r, d.sight) {
				return true
			}
		}
		return false
	})
	return within, without
}

// parted makes an incident of its own of some alerts of inc.
func (e *Engine) parted(inc *incident, alerts []*alert, now time.Time, reason string) *incident {
	e.tellAlerts(inc, now)
	part := e.born(alerts, "", now)
	e.move(alerts, inc, part, now, "", reason)
	e.introduce(part, inc, now, "", reason)
	e.tellMove(alerts, inc, part, now, "", reason)
	return part
}

// reunite merges inc with the incident that it was kept apart from because of a suspect that is one no longer.
func (e *Engine) reunite(inc *incident, now time.Time) {
	if inc.Beside == "" || inc.byHand() {
		return
	}
	other := e.incidents[inc.Beside]
	for other != nil && other.Merged != "" {
		other = e.incidents[other.Merged]
	}
	if other == nil || other == inc || !other.State.Active() || now.Sub(inc.DetectedAt.Time) > lateParent {
		inc.Beside = ""
		return
	}
	if t, ok := e.explains(other, inc.rootSight, inc.DetectedAt.Time); ok && e.mayMerge(inc, other, t) {
		e.merge(inc, other, now, "", t.reason)
	}
}

// pull takes over the alerts of another incident that began in a place that is in trouble as a whole when that did: it
// explains them, though not the rest of that incident. What the first suspect of the other can have done stays there.
func (e *Engine) pull(inc *incident, root sight, other *incident, now time.Time) {
	if root.class() != aboutPlace || other.byHand() || other.rootSight.class() == aboutPlace && other.rootSight.place() == root.place() {
		return
	}
	var r *reach
	if ch := e.prime(other); ch != nil {
		r = other.reachOf(ch)
	}
	var took []*alert
	for _, a := range other.members {
		if a.Status != ops.Firing || a.By != "" || inc.keepsOut(a.Fingerprint) {
			continue
		}
		if d := a.StartsAt.Sub(root.start); max(d, -d) > atOnce || r != nil && e.could(r, a.sight) {
			continue
		}
		if _, in := e.covers(root, a.sight); in {
			took = append(took, a)
		}
	}
	slices.SortFunc(took, byStart)
	if len(took) == 0 || len(took) == len(other.members) || e.past(inc, took[0].sight) != "" {
		return
	}
	reason := root.place().String() + " as a whole is in trouble, which explains what happens in it"
	e.move(took, other, inc, now, "", reason)
	e.tellMove(took, other, inc, now, "", reason)
}

// partOutlasting gives what its root explained an incident of its own when it still fires long after the root was
// resolved: then it has a cause of its own.
func (e *Engine) partOutlasting(inc *incident, now time.Time) {
	root := inc.members[inc.Root]
	if root == nil || root.Status == ops.Firing || inc.firing == 0 || inc.byHand() || now.Sub(root.UpdatedAt.Time) < e.cfg.Window || len(e.active) >= e.cfg.MaxActive {
		return
	}
	var left []*alert
	for _, a := range inc.sorted() {
		switch {
		case a.Status != ops.Firing:
		case e.likeRoot(inc, a.sight):
			return // the trouble itself goes on elsewhere
		case a.By == "" && e.rootExplains(inc, a.sight):
			left = append(left, a)
		}
	}
	if len(left) > 0 {
		e.parted(inc, left, now, fmt.Sprintf("%s has been resolved for %s, and it still fires", clip(root.Summary(), 100), ops.Since(now.Sub(root.UpdatedAt.Time))))
	}
}

// likeRoot says whether an alert speaks of the same as the root of inc: the same service, the same place as a whole.
func (e *Engine) likeRoot(inc *incident, s sight) bool {
	root := inc.rootSight
	if root.class() == aboutService {
		return s.service == root.service
	}
	return s.class() == root.class() && s.place() == root.place()
}

// byStart orders alerts by when they began.
func byStart(a, b *alert) int {
	return cmp.Or(a.StartsAt.Compare(b.StartsAt.Time), cmp.Compare(a.Fingerprint, b.Fingerprint))
}

// born makes an incident for alerts that others hold so far: its clock runs by their own times.
func (e *Engine) born(alerts []*alert, title string, now time.Time) *incident {
	root := e.rootOf(alerts)
	inc := e.newIncident(cmp.Or(title, root.Summary()), now)
	first := slices.MinFunc(alerts, func(a, b *alert) int { return cmp.Or(a.TakenAt.Compare(b.TakenAt.Time), byStart(a, b)) })
	if !first.TakenAt.IsZero() && first.TakenAt.Before(now) {
		inc.DetectedAt = first.TakenAt
	}
	inc.DetectBy = "alert " + first.Name()
	inc.setRoot(root, e)
	return inc
}

// introduce tells of an incident that was made of another's alerts, once it has them.
func (e *Engine) introduce(inc, from *incident, now time.Time, actor, reason string) {
	start := inc.DetectedAt.Time
	for _, a := range inc.members {
		start = minTime(start, a.StartsAt.Time)
	}
	e.findOnset(inc, start, inc.DetectedAt.Time)
	e.askDrill(inc, now)
	e.judgeSeverity(inc, now, true)
	e.event(inc, now, "opened", kindBy(actor), actor, fmt.Sprintf("%s opened out of %s: %s (%s)", inc.Severity, from.ID, inc.Title, reason),
		map[string]any{"from": from.ID, "reason": reason, "onset_at": inc.OnsetAt, "scope": inc.Scope, "drill": inc.Drill})
}

// rootOf is the alert that explains the most of the others by what they are about: the place that holds them, the
// service that they depend on; the first where none explains another.
func (e *Engine) rootOf(alerts []*alert) *alert {
	order := slices.Clone(alerts)
	slices.SortFunc(order, func(a, b *alert) int { return cmp.Or(cmp.Compare(a.Status, b.Status), byStart(a, b)) })
	root := order[0]
	for _, a := range order[1:] {
		if a.Status != root.Status {
			break
		}
		if e.explainsSight(a.sight, root.sight) && !e.explainsSight(root.sight, a.sight) {
			root = a
		}
	}
	return root
}

// explainsSight says whether what a is about explains what b is about, were they one trouble.
func (e *Engine) explainsSight(a, b sight) bool {
	switch {
	case a.class() == aboutPlace:
		_, in := e.covers(a, b)
		return in
	case a.class() == aboutService && b.class() == aboutService && a.service != b.service:
		below, _ := e.walks.of(b.service)
		return has(below, a.service)
	}
	return false
}
