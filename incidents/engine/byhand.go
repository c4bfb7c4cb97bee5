package engine

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"goc/ops"
)

// Bounds of what people decide about the grouping of one incident.
const (
	maxSplit  = 1_000 // alerts that one split or unlink names
	maxKeptIn = 2_000 // alerts that people took out of one incident
	maxApart  = 200   // incidents that people set apart from one
)

// keepsOut says whether people took an alert out of inc: it never comes back by itself.
func (inc *incident) keepsOut(fingerprint string) bool {
	_, out := slices.BinarySearch(inc.Out, fingerprint)
	return out
}

// keptApart says whether people decided that two incidents are not one: they split one from the other, or took out of
// one an alert that the other has.
func (e *Engine) keptApart(a, b *incident) bool {
	for _, p := range [][2]*incident{{a, b}, {b, a}} {
		if slices.Contains(p[0].Apart, p[1].ID) {
			return true
		}
		for _, fp := range p[0].Out {
			if p[1].members[fp] != nil {
				return true
			}
		}
	}
	return false
}

// adoptApart lets into keep apart what from was kept apart from. Where people merged the two, that is the newer word.
func (e *Engine) adoptApart(from, into *incident) {
	for _, id := range from.Apart {
		if other := e.incidents[id]; other != nil && other != into && len(into.Apart) < 5*maxApart {
			into.Apart, other.Apart = add(into.Apart, id), add(other.Apart, into.ID)
			e.touch(other)
		}
	}
	into.Apart = slices.DeleteFunc(into.Apart, func(id string) bool { return id == from.ID })
	for _, fp := range from.Out {
		if len(into.Out) < 5*maxKeptIn {
			into.Out = add(into.Out, fp)
		}
	}
	into.Out = slices.DeleteFunc(into.Out, func(fp string) bool { return into.members[fp] != nil })
}

// add puts a value into a sorted list.
func add(list []string, v string) []string {
	if i, found := slices.BinarySearch(list, v); !found {
		return slices.Insert(slices.Clone(list), i, v)
	}
	return list
}

// holdTogether notes that a person put together what inc has: the program does not part it again.
func (e *Engine) holdTogether(inc *incident, by string) {
	for _, a := range inc.members {
		if a.By == "" {
			a.By = by
			e.touchAlert(a)
		}
	}
}

// chosen finds the alerts of inc that a person named.
func (e *Engine) chosen(inc *incident, in Action) ([]*alert, error) {
	if len(in.Alerts) == 0 || len(in.Alerts) > maxSplit {
		return nil, ops.Errorf(ops.Invalid, "name 1 to %d alerts by their fingerprints", maxSplit).At("body.alerts")
	}
	var out []*alert
	for i, fp := range in.Alerts {
		a := inc.members[fp]
		if a == nil {
			return nil, ops.Errorf(ops.Invalid, "this incident has no such alert").At(fmt.Sprintf("body.alerts[%d]", i)).WithHint("the incident lists its alerts with their fingerprints")
		}
		if !slices.Contains(out, a) {
			out = append(out, a)
		}
	}
	if len(inc.Out)+len(out) > maxKeptIn {
		return nil, ops.Errorf(ops.TooLarge, "people took %d alerts out of this incident already, which is the most", len(inc.Out)).At("body.alerts")
	}
	slices.SortFunc(out, byStart)
	return out, nil
}

// split makes a new incident of some alerts: people say that they have another cause. The two are never made one again
// but by people.
func (e *Engine) split(inc *incident, in Action, now time.Time) error {
	if err := resolved(inc); err != nil {
		return err
	}
	if len(in.Title) > MaxTitle {
		return ops.Errorf(ops.Invalid, "a title may have at most %d bytes", MaxTitle).At("body.title")
	}
	alerts, err := e.chosen(inc, in)
	switch {
	case err != nil:
		return err
	case len(alerts) == len(inc.members) && !inc.Declared:
		return ops.Errorf(ops.Conflict, "nothing would remain of this incident").At("body.alerts").WithHint("name only the alerts that have another cause")
	case len(e.active) >= e.cfg.MaxActive:
		return ops.Errorf(ops.Conflict, "%d incidents are open, which is the most", len(e.active))
	case len(inc.Apart) >= maxApart:
		return ops.Errorf(ops.Conflict, "this incident was split %d times, which is the most", maxApart)
	}
	part := e.born(alerts, in.Title, now)
	part.SplitBy, part.Titled = in.Who.Name, in.Title != ""
	part.Apart, inc.Apart = add(part.Apart, inc.ID), add(inc.Apart, part.ID)
	e.keepOut(inc, alerts)
	reason := cmp.Or(in.Note, in.Who.Name+" says that they have another cause")
	e.move(alerts, inc, part, now, in.Who.Name, reason)
	if !inc.AcknowledgedAt.IsZero() {
		part.AcknowledgedAt, part.State = ops.At(now), ops.IncidentAcknowledged
		part.Roles["commander"] = cmp.Or(inc.Roles["commander"], in.Who.Name)
	}
	e.introduce(part, inc, now, in.Who.Name, reason)
	e.tellMove(alerts, inc, part, now, in.Who.Name, reason)
	e.out.Incident = part.ID
	return nil
}

// keepOut remembers that people took alerts out of inc.
func (e *Engine) keepOut(inc *incident, alerts []*alert) {
	out := slices.Clone(inc.Out)
	for _, a := range alerts {
		out = append(out, a.Fingerprint)
	}
	slices.Sort(out)
	inc.Out = slices.Compact(out)
}

// unlink takes alerts out of an incident, where people say that they do not belong, and places them anew. They never
// come back into it by themselves.
func (e *Engine) unlink(inc *incident, in Action, now time.Time) error {
	if err := resolved(inc); err != nil {
		return err
	}
	alerts, err := e.chosen(inc, in)
	switch {
	case err != nil:
		return err
	case len(alerts) == len(inc.members) && !inc.Declared:
		return ops.Errorf(ops.Conflict, "nothing would remain of this incident").At("body.alerts").WithHint("resolve it, or merge it into another")
	}
	e.tellAlerts(inc, now)
	e.keepOut(inc, alerts)
	reason := cmp.Or(in.Note, in.Who.Name+" says that it does not belong here")
	into := []string{}
	for _, a := range alerts {
		e.release(inc, a)
		a.By = ""
	}
	inc.Taken -= len(alerts)
	e.remains(inc, alerts, now)
	for _, a := range alerts {
		e.placeAnew(a, now)
		if a.incident != nil {
			into = add(into, a.incident.ID)
		}
	}
	what := count(len(alerts), "alert", "alerts")
	if len(alerts) == 1 {
		what = clip(alerts[0].Summary(), 200)
	}
	e.event(inc, now, "unlinked", "action", in.Who.Name, fmt.Sprintf("%s took %s out: %s", in.Who.Name, what, reason),
		map[string]any{"from": inc.ID, "into": into, "alerts": in.Alerts[:min(len(in.Alerts), 100)], "count": len(alerts), "reason": reason})
	e.unsettle(inc).explain = true
	inc.rankDue = true
	return nil
}

// placeAnew puts an alert that was taken out of an incident where it belongs otherwise. One that is resolved is over.
func (e *Engine) placeAnew(a *alert, now time.Time) {
	a.Reason, a.InhibitedBy = "", ""
	e.touchAlert(a)
	if a.Status == ops.Resolved {
		e.unstore(a)
		return
	}
	e.place(a, now)
}
