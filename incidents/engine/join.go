package engine

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"goc/ops"
)

// open makes a new incident of an alert that nothing explains.
func (e *Engine) open(al *alert, f found, now time.Time) {
	inc := e.newIncident(al.Summary(), now)
	al.Reason = "it opened the incident: no other incident explains it"
	data := map[string]any{}
	if f.apart != nil {
		al.Reason = "it opened the incident: " + f.because
		data["apart_from"], data["reason"] = f.apart.ID, f.because
		if e.past(f.apart, al.sight) == "" { // suspects may change
			inc.Beside = f.apart.ID
		} else {
			since, _ := e.over(f.apart)
			inc.After = ops.At(since)
		}
	}
	inc.setRoot(al, e)
	inc.DetectBy = "alert " + al.Name()
	e.attach(inc, al, now)
	e.findOnset(inc, al.StartsAt.Time, now)
	e.askDrill(inc, now)
	e.judgeSeverity(inc, now, true)
	data["alert"], data["onset_at"], data["onset_from"], data["scope"], data["drill"] = al.Name(), inc.OnsetAt, inc.OnsetFrom, inc.Scope, inc.Drill
	text := fmt.Sprintf("%s opened: %s", inc.Severity, inc.Title)
	if f.apart != nil {
		text += " (" + f.because + ")"
	}
	e.event(inc, now, "opened", "system", "", text, data)
	inc.rankDue = true
	e.unsettle(inc).lead = true // it may explain what others have
}

func (e *Engine) askDrill(inc *incident, now time.Time) {
	if e.hooks.ActiveDrill == nil {
		return
	}
	if id := e.hooks.ActiveDrill(inc.Scope, now); id != "" {
		inc.Drill = &id
	}
}

// join takes an alert into an incident, with the reason, and lets it lead where it explains the rest.
func (e *Engine) join(inc *incident, al *alert, t tie, now time.Time) {
	if !inc.State.Active() {
		e.reopen(inc, now, "", "reopened: "+clip(al.Summary(), 200)+" fires again")
	}
	al.Reason = t.reason
	stores, services := len(inc.Scope.Store), len(inc.Scope.Service)
	e.attach(inc, al, now)
	u := e.unsettle(inc)
	u.added = append(u.added, al)
	u.lead = u.lead || al.Fingerprint == inc.Root
	u.grew = u.grew || len(inc.Scope.Store) > stores || len(inc.Scope.Service) > services
	e.unrecover(inc, now, clip(al.Summary(), 200)+" fires")
	switch {
	case t.lead:
		e.lead(inc, al, now)
	case t.strength == storm:
		e.gather(inc, t.reason, now)
	}
	inc.rankDue = true
}

// attach is the part of open and join that they share: membership, scope, time.
func (e *Engine) attach(inc *incident, al *alert, now time.Time) {
	e.hold(inc, al)
	inc.JoinedAt, inc.QuietSince = ops.At(now), ops.Time{}
	e.prune(inc)
	e.touch(inc)
}

// hold makes an alert a member of inc. It belongs to no other from then on.
func (e *Engine) hold(inc *incident, al *alert) {
	old := inc.members[al.Fingerprint]
	if old == nil {
		inc.Taken++
		if !slices.Contains(e.homes[al.Fingerprint], inc) {
			e.homes[al.Fingerprint] = append(e.homes[al.Fingerprint], inc)
		}
	}
	if al.Status == ops.Firing && (old == nil || old.Status != ops.Firing) {
		inc.firing++
	}
	al.incident, al.InhibitedBy = inc, ""
	inc.members[al.Fingerprint] = al
	if al.sight.class() == aboutPlace {
		e.darken(inc, al)
	}
	e.widenBy(inc, al.sight)
	e.touchAlert(al)
	e.unsettle(inc).explain = true
}

// darken notes that an alert of inc says that a place as a whole is in trouble: it explains what happens there.
func (e *Engine) darken(inc *incident, al *alert) {
	p := al.sight.place()
	if inc.dark == nil {
		inc.dark = map[place]*alert{}
	}
	inc.dark[p] = al
	if inc.State.Active() {
		e.board.add(inc, mark{byTrouble, p.key()})
	}
	u := e.unsettle(inc)
	u.dark = append(u.dark, al)
}

// darkAt is the alert of inc that says that p as a whole is in trouble, nil when none that fires does.
func (inc *incident) darkAt(p place) *alert {
	if a := inc.dark[p]; a != nil && a.incident == inc && a.Status == ops.Firing {
		return a
	}
	return nil
}

// release ends the membership of an alert that another incident is to hold.
func (e *Engine) release(inc *incident, al *alert) {
	if inc.members[al.Fingerprint] != al {
		return
	}
	delete(inc.members, al.Fingerprint)
	inc.listed = nil
	e.leaveHome(inc, al.Fingerprint)
	if al.Status == ops.Firing {
		inc.firing--
	}
	al.incident = nil
	e.touch(inc)
}

// leaveHome forgets that inc had an alert.
func (e *Engine) leaveHome(inc *incident, fingerprint string) {
	left := slices.DeleteFunc(e.homes[fingerprint], func(o *incident) bool { return o == inc })
	if e.homes[fingerprint] = left; len(left) == 0 {
		delete(e.homes, fingerprint)
	}
}

// leaveHomes forgets what inc had, once it does not come back by itself.
func (e *Engine) leaveHomes(inc *incident) {
	for fp := range inc.members {
		e.leaveHome(inc, fp)
	}
}

// maxScope is how many values of a key an incident names.
const maxScope = 1000

// widenBy adds what an alert names to the scope of inc, and finds inc by it.
func (e *Engine) widenBy(inc *incident, s sight) {
	fresh := inc.take(s)
	if !inc.State.Active() {
		return
	}
	if fresh {
		inc.retitle()
	}
	if s.service != "" && len(inc.Scope.Service) <= maxScope {
		e.board.add(inc, mark{bySymptom, s.service})
	}
	if s.store != "" && len(inc.Scope.Store) <= maxScope {
		e.board.add(inc, mark{byStore, s.store})
	}
}

// take adds what a sight names to the scope, and says whether there was anything new. What was shown of the scope before
// is not changed.
func (inc *incident) take(s sight) bool {
	add, fresh := s.scope(), false
	for _, k := range ops.ScopeKeys {
		have, more := inc.Scope.Key(k), *add.Key(k)
		if len(more) == 0 || len(*have) >= maxScope {
			continue
		}
		i, found := slices.BinarySearch(*have, more[0])
		if found {
			continue
		}
		if inc.shared {
			inc.ownScope()
		}
		*have, fresh = slices.Insert(*have, i, more[0]), true
	}
	return fresh
}

// ownScope copies the scope, which has been shown, before it is changed.
func (inc *incident) ownScope() {
	for _, k := range ops.ScopeKeys {
		v := inc.Scope.Key(k)
		*v = slices.Clone(*v)
	}
	inc.shared = false
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
		e.leaveHome(inc, a.Fingerprint)
		e.unstore(a)
	}
	inc.listed = nil
}

// lead makes an alert the root of its incident, which is named after it from then on.
func (e *Engine) lead(inc *incident, al *alert, now time.Time) {
	inc.setRoot(al, e)
	inc.rename(clip(al.Summary(), MaxTitle))
	e.findOnset(inc, al.StartsAt.Time, now)
	u := e.unsettle(inc)
	u.lead, u.explain = true, true
}

// unsettled is what is still to be done for an incident at the end of a step, once for all the alerts that it took in.
type unsettled struct {
	added   []*alert // not yet told of
	ended   []*alert // resolved, and not yet told of
	dark    []*alert // new ones about whole places, which may explain what others have
	lead    bool     // it has a new root, which may explain other incidents
	grew    bool     // it shows in more places or services, so its root may explain more
	explain bool     // what its root explains must be looked at anew
}

// unsettle notes that inc must be concluded at the end of the step.
func (e *Engine) unsettle(inc *incident) *unsettled {
	if inc.unsettled == nil {
		inc.unsettled = &unsettled{}
		e.unsettled = append(e.unsettled, inc)
	}
	return inc.unsettled
}

// conclude does once for each incident what a batch of alerts gave reason for: it tells of them, takes over what the
// incident now explains, and judges how bad it is.
func (e *Engine) conclude(now time.Time) {
	for len(e.unsettled) > 0 {
		due := e.unsettled
		e.unsettled = nil
		slices.SortFunc(due, func(a, b *incident) int { return cmp.Compare(a.number, b.number) })
		for _, inc := range due {
			u := inc.unsettled
			e.tellAlerts(inc, now)
			inc.unsettled = nil
			e.takeOverBy(inc, u, now)
			inc.unjudged = inc.unjudged || u.explain
			if inc.firing <= crowd || now.Sub(inc.judgedAt) >= time.Second {
				e.weigh(inc, now)
			} // else the sweep does within a second
		}
	}
}

// crowd is how many alerts may fire in an incident that is judged with each of them; one with more is judged at most
// once a second, for that looks at all of them.
const crowd = 500

// weigh measures how bad inc is and which of its alerts explain others.
func (e *Engine) weigh(inc *incident, now time.Time) {
	if inc.State.Active() {
		e.judgeSeverity(inc, now, false)
	}
	if inc.unjudged {
		inc.unjudged = false
		e.inhibit(inc)
	}
}

// told is how many alerts of one step an event names; the others are counted, and each has its reason in its own record.
const toldAlerts = 5

// tellAlerts says which alerts inc took in and which of its were resolved, in one event each.
func (e *Engine) tellAlerts(inc *incident, now time.Time) {
	u := inc.unsettled
	if u == nil {
		return
	}
	added, ended := u.added, u.ended
	u.added, u.ended = nil, nil // before the events, for each event tells first what is untold
	if len(added) > 0 {
		data := alertData(added)
		text := fmt.Sprintf("took in %s: %s", clip(added[0].Summary(), 200), added[0].Reason)
		if len(added) > 1 {
			text = fmt.Sprintf("took in %d alerts: %s", len(added), some(added))
		}
		e.event(inc, now, "alert_added", "system", "", text, data)
	}
	if len(ended) > 0 {
		data := alertData(ended)
		data["firing"] = inc.firing
		text := clip(ended[0].Summary(), 200)
		if len(ended) > 1 {
			text = fmt.Sprintf("%d alerts: %s", len(ended), some(ended))
		}
		e.event(inc, now, "alert_resolved", "system", "", fmt.Sprintf("resolved: %s (%s still firing)", text, count(inc.firing, "alert", "alerts")), data)
	}
}

// some names the first of several alerts.
func some(alerts []*alert) string {
	var names []string
	for _, a := range alerts[:min(len(alerts), 3)] {
		names = append(names, clip(a.Summary(), 100))
	}
	if more := len(alerts) - len(names); more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names, "; "), more)
	}
	return strings.Join(names, "; ")
}

// alertData is the data of an event about alerts: those of the first, how many there are, and the first few.
func alertData(alerts []*alert) map[string]any {
	first := alerts[0]
	type told struct {
		Fingerprint string `json:"fingerprint"`
		Alert       string `json:"alert"`
		Summary     string `json:"summary"`
		Reason      string `json:"reason,omitempty"`
	}
	var list []told
	for _, a := range alerts[:min(len(alerts), toldAlerts)] {
		list = append(list, told{a.Fingerprint, a.Name(), clip(a.Summary(), 200), a.Reason})
	}
	return map[string]any{
		"alert": first.Name(), "fingerprint": first.Fingerprint, "reason": first.Reason, "summary": clip(first.Summary(), 200),
		"count": len(alerts), "alerts": list,
	}
}
