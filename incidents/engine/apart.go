package engine

import (
	"fmt"
	"slices"
	"time"

	"goc/incidents/suspects"
	"goc/ops"
)

// sameCause is how probable the first suspect of two incidents must be to make them one; tellApart how probable the first
// suspect of one must be to keep out what it cannot have done. Keeping out must be surer: two incidents of one cause are
// found out and merged, one incident of two causes hides the second.
const (
	sameCause = 0.7
	tellApart = 0.8
)

// likely is the first suspect of inc when it is probable enough to tell incidents apart by it.
func likely(inc *incident) (string, bool) {
	first, ok := inc.firstSuspect()
	return first.ChangeID, ok && first.Probability >= sameCause
}

// prime is the change that did it as far as is known: the one that people confirmed, else a first suspect that is
// probable enough; nil when there is none on record.
func (e *Engine) prime(inc *incident) *ops.Change {
	if inc.Cause != nil && inc.Cause.ChangeID == "" {
		return nil // people say that no change did it
	}
	id := inc.Confirmed
	if first, ok := likely(inc); ok && id == "" && inc.Suspects[0].Probability >= tellApart {
		id = first
	}
	if id == "" {
		return nil
	}
	ch, _ := e.changes.Change(id)
	return ch
}

// reach is what a change can have touched, by the records.
type reach struct {
	of     *ops.Change
	scope  ops.Scope
	stores map[string]bool // named by it; nil when it names none
}

// reachOf is the reach of the prime suspect of inc, kept until that changes.
func (inc *incident) reachOf(ch *ops.Change) *reach {
	if inc.reach == nil || inc.reach.of != ch {
		inc.reach = newReach(ch)
	}
	return inc.reach
}

func newReach(ch *ops.Change) *reach {
	r := &reach{of: ch, scope: ch.Touched()}
	if len(r.scope.Store) > 0 {
		r.stores = make(map[string]bool, len(r.scope.Store))
		for _, s := range r.scope.Store {
			r.stores[s] = true
		}
	}
	return r
}

// wideShare is the share of the stores of a place that must be hit before an alert speaks of the place as a whole.
const wideShare = 0.3

// could says whether a change can have made what an alert of sight s says: it came to that place, and the service depends on what
// it changed.
func (e *Engine) could(r *reach, s sight) bool {
	if s.service != "" && r.of.Service != "" {
		below, _ := e.walks.of(s.service)
		if !has(below, r.of.Service) {
			return false
		}
	}
	if s.kind != "" && len(r.scope.Kind) > 0 && !slices.Contains(r.scope.Kind, s.kind) {
		return false
	}
	if s.firmware != "" && r.of.Kind == ops.KindFirmware && r.of.Version != "" && s.firmware != r.of.Version {
		return false
	}
	return e.cameTo(r, s)
}

// cameTo says whether a change reached the place of s; one that names no place reached every place.
func (e *Engine) cameTo(r *reach, s sight) bool {
	in := e.where(s)
	switch {
	case r.stores != nil && s.store != "":
		return r.stores[s.store]
	case r.stores != nil && s.class() == aboutDevices: // of a kind or firmware, wherever they are
		return true
	case r.stores != nil && s.class() == aboutService && s.place().name == "": // few stores can pull down what all show together
		return true
	case r.stores != nil:
		all, hit := e.storesIn(s), 0
		for _, i := range all {
			if r.stores[e.catalog.Stores[i].ID] {
				hit++
			}
		}
		return len(all) == 0 || float64(hit) >= wideShare*float64(len(all))
	case len(r.scope.City) > 0:
		return in.City == "" || slices.Contains(r.scope.City, in.City)
	case len(r.scope.Region) > 0:
		return in.Region == "" || slices.Contains(r.scope.Region, in.Region)
	}
	return true
}

// storesIn lists the stores of the place of s, by their index in the catalog; all of them when it names none.
func (e *Engine) storesIn(s sight) []int32 {
	if p := s.place(); p.name != "" {
		return e.places[p]
	}
	return e.every
}

// undone says when a change was rolled back, false when it was not.
func undone(ch *ops.Change) (time.Time, bool) {
	if ch == nil || ch.Status != ops.ChangeRolledBack || ch.FinishedAt.IsZero() {
		return time.Time{}, false
	}
	return ch.FinishedAt.Time, true
}

// over says since when the trouble of inc is past, and how; the zero time while it lasts. What a rolled back change did
// may go on to show for a while.
func (e *Engine) over(inc *incident) (time.Time, string) {
	switch {
	case !inc.RecoveredAt.IsZero():
		return inc.RecoveredAt.Time, "had recovered"
	case inc.firing == 0 && !inc.QuietSince.IsZero():
		return inc.QuietSince.Time, "had been quiet"
	case inc.State == ops.IncidentMitigated && !inc.MitigatedAt.IsZero():
		return inc.MitigatedAt.Time, "had been mitigated"
	}
	if at, ok := undone(e.prime(inc)); ok {
		return at.Add(suspects.Skew), "had lost its cause, " + e.prime(inc).ID + ", which was rolled back,"
	}
	return time.Time{}, ""
}

// apart says why an alert that something ties to inc has another cause nevertheless, "" when it has not.
func (e *Engine) apart(inc *incident, s sight, t tie) string {
	if why := e.past(inc, s); why != "" {
		return why
	}
	return e.elsewhere(inc, s, t)
}

// past says that the trouble of inc was over before s began, "" when it was not.
func (e *Engine) past(inc *incident, s sight) string {
	if since, how := e.over(inc); !since.IsZero() && s.start.After(since) && !e.relapse(inc, s) {
		return fmt.Sprintf("%s %s %s before it began", inc.ID, how, ops.Since(s.start.Sub(since)))
	}
	return ""
}

// elsewhere says that what is known to have caused inc cannot have caused s, "" when it can. What happens in a place that
// is in trouble as a whole is explained by that, whatever was changed.
func (e *Engine) elsewhere(inc *incident, s sight, t tie) string {
	if t.strength == placeParent || t.strength == placeOver {
		return ""
	}
	if ch := e.prime(inc); ch != nil && !e.could(inc.reachOf(ch), s) {
		return fmt.Sprintf("%s, the first suspect of %s, did not come to %s", ch.ID, inc.ID, s.spot())
	}
	return ""
}

// spot is what an alert is about, in words.
func (s sight) spot() string {
	where, p := "", s.place()
	if p.name != "" {
		where = " in " + p.String()
	}
	switch s.class() {
	case aboutService:
		return s.service + where
	case aboutDevices:
		return "these devices" + where
	case aboutPlace:
		return p.String()
	}
	return "this"
}

// relapse says whether something shows again exactly where the incident showed, while nothing of what did it was taken back: then the
// recovery did not hold, even when another alert says so.
func (e *Engine) relapse(inc *incident, s sight) bool {
	if _, gone := undone(e.prime(inc)); gone {
		return false
	}
	root := inc.rootSight
	switch s.class() {
	case aboutService:
		in := slices.Contains(inc.Scope.Service, s.service)
		if s.store == "" {
			return in && len(inc.Scope.Store) == 0
		}
		return in && slices.Contains(inc.Scope.Store, s.store)
	case aboutPlace:
		return root.class() == aboutPlace && s.place() == root.place()
	case aboutDevices:
		return root.class() == aboutDevices && s.place() == root.place() && s.kind == root.kind && s.firmware == root.firmware
	}
	return s.name == root.name
}

// again says why the same alert is another trouble this time, "" when it is not: the incident had recovered, and since then
// what did it was rolled back a while ago, or another change began which is likely now.
func (e *Engine) again(inc *incident, al *alert, now time.Time) string {
	if inc.RecoveredAt.IsZero() || al.By != "" || !al.StartsAt.After(inc.RecoveredAt.Time) {
		return ""
	}
	old := e.prime(inc)
	_, gone := undone(old)
	if since := al.StartsAt.Sub(inc.RecoveredAt.Time); gone && since > atOnce {
		return fmt.Sprintf("%s had recovered %s before, after %s was rolled back", inc.ID, ops.Since(since), old.ID)
	}
	first := e.firstSuspect([]*alert{al}, al.sight, now)
	switch ch, _ := e.changes.Change(first); {
	case ch == nil || old != nil && first == old.ID:
	case gone:
		return fmt.Sprintf("%s had recovered after %s was rolled back, and now %s is the first suspect", inc.ID, old.ID, first)
	case suspects.LastMove(ch).After(inc.RecoveredAt.Time):
		return fmt.Sprintf("%s had recovered, and now %s, which went out after that, is the first suspect", inc.ID, first)
	}
	return ""
}

// firstSuspect ranks the changes on record against some alerts alone, and answers the first when it is probable enough to
// tell incidents apart by it, "" otherwise.
func (e *Engine) firstSuspect(alerts []*alert, root sight, now time.Time) string {
	probe, start := &incident{rootSight: root}, now
	for _, a := range alerts {
		probe.take(a.sight)
		start = minTime(start, a.StartsAt.Time)
	}
	e.findOnset(probe, start, now)
	k := e.caseOf(probe)
	r := e.changes.Rank(k, e.suspectWorld(e.cfg.Weights), now)
	if len(r.Suspects) == 0 || r.Suspects[0].Probability < tellApart {
		return ""
	}
	return r.Suspects[0].ChangeID
}
