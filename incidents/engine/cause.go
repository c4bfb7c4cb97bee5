package engine

import (
	"cmp"
	"slices"
	"time"

	"goc/ops"
)

// noteFirst notes, the first time that people judge the suspects, what the program had in the first place.
func (inc *incident) noteFirst() {
	if inc.FirstSuspect != "" {
		return
	}
	inc.FirstSuspect = NoChange
	if first, ok := inc.firstSuspect(); ok && first.Probability >= inc.NoChange {
		inc.FirstSuspect = first.ChangeID
	}
}

// causedBy makes a change, "" when none did it, the cause of inc. What people wrote of the same cause stays.
func (inc *incident) causedBy(change, text, who string, now time.Time) {
	if inc.Cause != nil && inc.Cause.ChangeID == change {
		return
	}
	inc.Cause = &ops.Cause{Text: text, ChangeID: change, At: ops.At(now), By: who, First: inc.FirstSuspect == cmp.Or(change, NoChange)}
}

// nameCause takes what people found to be the cause. A change that it names counts as confirmed; NoChange says that none
// did it, and takes an earlier confirmation back; without either the text describes the change that is confirmed, or,
// where none is, a cause that is no change.
func (e *Engine) nameCause(inc *incident, in Action, now time.Time) error {
	if in.Text == "" || len(in.Text) > MaxNote {
		return ops.Errorf(ops.Invalid, "a cause needs a text of 1 to %d bytes", MaxNote).At("body.text")
	}
	change := cmp.Or(in.Change, inc.Confirmed, NoChange)
	if _, known := e.changes.Change(change); !known && change != NoChange && !slices.ContainsFunc(inc.Suspects, func(s ops.Suspect) bool { return s.ChangeID == change }) {
		return ops.Errorf(ops.NotFound, "there is no such change").At("body.change_id").WithHint("goc change list names those on record; leave it out when none did it")
	}
	inc.noteFirst()
	if change != NoChange && inc.Confirmed != change {
		if err := e.judge(inc, Action{Who: in.Who, Change: change, Confirmed: true}, now); err != nil {
			return err
		}
	}
	if change == NoChange && inc.Confirmed != "" {
		if old, known := e.changes.Change(inc.Confirmed); known {
			e.unlearn(inc, inc.Confirmed, old.Kind)
		}
		inc.Confirmed = ""
	}
	inc.Cause = nil
	inc.causedBy(named(change), in.Text, in.Who.Name, now)
	inc.rankDue, inc.rankedAt = true, time.Time{}
	e.event(inc, now, "cause_named", "suspect", in.Who.Name, in.Who.Name+" named the cause: "+in.Text, map[string]any{"cause": in.Text, "change_id": named(change)})
	e.located(inc, now, in.Who.Name, in.Who.Name+" named the cause", "located "+ops.Since(now.Sub(inc.OnsetAt.Time))+" after the onset: "+in.Text)
	return nil
}

// named is a change's id, "" for NoChange.
func named(change string) string {
	if change == NoChange {
		return ""
	}
	return change
}

// faultOf is the kind of fault: that of the change that people confirmed, else what the symptom is about.
func (e *Engine) faultOf(inc *incident) string {
	if inc.Confirmed == "" {
		return inc.rootSight.class()
	}
	if c, known := e.changes.Change(inc.Confirmed); known {
		return string(c.Kind)
	}
	for _, s := range inc.Suspects {
		if s.ChangeID == inc.Confirmed && s.Kind != "" {
			return string(s.Kind)
		}
	}
	return cmp.Or(inc.Fault, inc.rootSight.class())
}

// teamOf is who owns the service that explains the incident, else the one that most of its alerts are about; "" when
// the catalog does not say.
func (e *Engine) teamOf(inc *incident) string {
	if s, _ := e.catalog.Service(inc.rootSight.service); s.Owner != "" {
		return s.Owner
	}
	owned := func(name string) bool { s, _ := e.catalog.Service(name); return s.Owner != "" }
	if !slices.ContainsFunc(inc.Scope.Service, owned) {
		return "" // without a look at each of thousands of alerts
	}
	alerts := map[string]int{}
	for _, a := range inc.members {
		alerts[a.Labels["service"]]++
	}
	team, most := "", 0
	for _, name := range inc.Scope.Service {
		if s, _ := e.catalog.Service(name); s.Owner != "" && alerts[name]+1 > most {
			team, most = s.Owner, alerts[name]+1
		}
	}
	return team
}
