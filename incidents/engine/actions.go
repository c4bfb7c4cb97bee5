package engine

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"goc/incidents/suspects"
	"goc/ops"
)

// Bounds of what people write.
const (
	MaxTitle = 200
	MaxNote  = 10_000
)

// declare opens an incident by hand.
func (e *Engine) declare(in Declare, now time.Time) {
	d := in.Declaration
	if d.Title == "" || len(d.Title) > MaxTitle {
		e.refuse(ops.Errorf(ops.Invalid, "an incident needs a title of 1 to %d bytes", MaxTitle).At("body.title"))
		return
	}
	if err := d.Scope.Validate("body.scope"); err != nil {
		e.refuse(err)
		return
	}
	if d.Severity != "" && !validSeverity(d.Severity) {
		e.refuse(ops.Errorf(ops.Invalid, "a severity must be one of P1, P2, P3, P4").At("body.severity"))
		return
	}
	if d.OnsetAt.After(now) {
		e.refuse(ops.Errorf(ops.Invalid, "an onset must not lie in the future").At("body.onset_at"))
		return
	}
	inc := e.newIncident(d.Title, now)
	inc.Scope, inc.Declared, inc.DetectBy = d.Scope, true, "declared by "+in.Who.Name
	inc.JoinedAt, inc.OnsetFrom = ops.At(now), "the declaration"
	e.look(inc, sightOfScope(d.Scope, now))
	if inc.OnsetAt = d.OnsetAt; d.OnsetAt.IsZero() {
		inc.OnsetFrom = ""
		e.moveOnset(inc, now, "the declaration", now)
	}
	e.judgeSeverity(inc, now, true)
	if d.Severity != "" {
		inc.Severity, inc.SeverityBy, inc.SeverityEvidence = d.Severity, in.Who.Name, "declared so"
	}
	e.event(inc, now, "opened", "action", in.Who.Name, fmt.Sprintf("%s declared: %s", inc.Severity, inc.Title), map[string]any{"scope": inc.Scope, "onset_at": inc.OnsetAt})
	if d.Note != "" {
		e.event(inc, now, "note_added", "note", in.Who.Name, clip(d.Note, MaxNote), nil)
	}
	inc.rankDue = true
	e.out.Incident = inc.ID
}

func validSeverity(s ops.Severity) bool {
	return slices.Contains([]ops.Severity{ops.P1, ops.P2, ops.P3, ops.P4}, s)
}

// refuse makes the step's answer an error; nothing may have been changed before.
func (e *Engine) refuse(err error) { e.out.Err = err }

// act does what a person wants with an incident.
func (e *Engine) act(in Action, now time.Time) {
	inc := e.incidents[in.ID]
	if inc == nil {
		e.refuse(ops.Errorf(ops.NotFound, "there is no such incident").At("path.id"))
		return
	}
	if len(in.Note) > MaxNote {
		e.refuse(ops.Errorf(ops.Invalid, "a note may have at most %d bytes", MaxNote).At("body.note"))
		return
	}
	if inc.Merged != "" && in.Do != "note" && in.Do != "task_change" {
		e.refuse(ops.Errorf(ops.Conflict, "this incident was merged into %s", inc.Merged).WithHint("act on " + inc.Merged))
		return
	}
	do := map[string]func(*incident, Action, time.Time) error{
		"acknowledge": e.acknowledge, "mitigate": e.mitigate, "resolve": e.resolveBy, "reopen": e.reopenBy, "note": e.note,
		"severity": e.setSeverity, "role": e.setRole, "merge": e.mergeBy, "judge": e.judge,
		"cause": e.nameCause, "task_add": e.addTask, "task_change": e.changeTask, "attach": e.addLink, "detach": e.dropLink, "update": e.postUpdate,
		"split": e.split, "unlink": e.unlink,
	}[in.Do]
	if do == nil {
		e.refuse(ops.Errorf(ops.Invalid, "there is no such action"))
		return
	}
	if err := do(inc, in, now); err != nil {
		e.refuse(err)
		return
	}
	e.out.Incident = cmp.Or(e.out.Incident, in.ID)
	e.touch(inc)
}

func with(note string) string {
	if note == "" {
		return ""
	}
	return ": " + note
}

func resolved(inc *incident) error {
	if inc.State.Active() {
		return nil
	}
	return ops.Errorf(ops.Conflict, "this incident is resolved").WithHint("reopen it first")
}

// acknowledge says that someone is on it. Doing it twice is no error.
func (e *Engine) acknowledge(inc *incident, in Action, now time.Time) error {
	if err := resolved(inc); err != nil {
		return err
	}
	if !inc.AcknowledgedAt.IsZero() {
		return nil
	}
	inc.AcknowledgedAt = ops.At(now)
	if inc.State == ops.IncidentOpen {
		inc.State = ops.IncidentAcknowledged
	}
	if inc.Roles["commander"] == "" {
		inc.Roles["commander"] = in.Who.Name
	}
	e.event(inc, now, "acknowledged", "action", in.Who.Name, in.Who.Name+" is on it"+with(in.Note), map[string]any{"note": in.Note})
	return nil
}

// mitigate says that customers no longer suffer. Where no alert fires and no indicator says otherwise that stops the
// recover leg.
func (e *Engine) mitigate(inc *incident, in Action, now time.Time) error {
	if err := resolved(inc); err != nil {
		return err
	}
	if inc.State != ops.IncidentMitigated {
		inc.State, inc.MitigatedAt = ops.IncidentMitigated, ops.At(now)
		if inc.AcknowledgedAt.IsZero() {
			inc.AcknowledgedAt = ops.At(now)
		}
		e.event(inc, now, "mitigated", "action", in.Who.Name, in.Who.Name+" says that customers no longer suffer"+with(in.Note)+inc.contradiction(), map[string]any{"note": in.Note, "firing": inc.firing, "contradiction": inc.contradiction()})
	}
	if inc.firing == 0 && inc.contradiction() == "" {
		e.recovered(inc, inc.stands(now), now, in.Who.Name, "mitigated by "+in.Who.Name, "")
	}
	return nil
}

func (e *Engine) resolveBy(inc *incident, in Action, now time.Time) error {
	if err := resolved(inc); err != nil {
		return err
	}
	if inc.AcknowledgedAt.IsZero() {
		inc.AcknowledgedAt = ops.At(now)
	}
	e.resolve(inc, now, in.Who.Name, "resolved by "+in.Who.Name+with(in.Note)+inc.contradiction(), in.Note)
	return nil
}

func (e *Engine) reopenBy(inc *incident, in Action, now time.Time) error {
	if inc.State.Active() && inc.State != ops.IncidentMitigated {
		return ops.Errorf(ops.Conflict, "this incident is open")
	}
	e.reopen(inc, now, in.Who.Name, "reopened by "+in.Who.Name+with(in.Note))
	return nil
}

func (e *Engine) note(inc *incident, in Action, now time.Time) error {
	if in.Note == "" {
		return ops.Errorf(ops.Invalid, "a note needs a text").At("body.text")
	}
	e.event(inc, now, "note_added", "note", in.Who.Name, in.Note, nil)
	return nil
}

func (e *Engine) setSeverity(inc *incident, in Action, now time.Time) error {
	if !validSeverity(in.Severity) {
		return ops.Errorf(ops.Invalid, "a severity must be one of P1, P2, P3, P4").At("body.severity")
	}
	from := inc.Severity
	inc.Severity, inc.SeverityBy, inc.SeverityEvidence, inc.LowerSince = in.Severity, in.Who.Name, cmp.Or(in.Note, "set by "+in.Who.Name), ops.Time{}
	e.event(inc, now, "severity_changed", "action", in.Who.Name, fmt.Sprintf("%s set %s instead of %s%s", in.Who.Name, in.Severity, from, with(in.Note)),
		map[string]any{"from": from, "to": in.Severity, "note": in.Note})
	return nil
}

func (e *Engine) setRole(inc *incident, in Action, now time.Time) error {
	if in.Role == "" || len(in.Role) > 40 || len(in.Person) > ops.MaxNameLength {
		return ops.Errorf(ops.Invalid, "a role must have 1 to 40 bytes and a person at most %d", ops.MaxNameLength).At("body.role")
	}
	if len(inc.Roles) >= 20 && inc.Roles[in.Role] == "" {
		return ops.Errorf(ops.Invalid, "an incident has at most 20 roles").At("body.role")
	}
	before := inc.Roles[in.Role]
	text := in.Person + " is " + in.Role
	switch {
	case in.Person == "":
		delete(inc.Roles, in.Role)
		text = "nobody is " + in.Role
	case before != "" && before != in.Person:
		text = fmt.Sprintf("%s takes over from %s as %s", in.Person, before, in.Role)
	}
	if in.Person != "" {
		inc.Roles[in.Role] = in.Person
	}
	e.event(inc, now, "role_set", "action", in.Who.Name, text+with(in.Note), map[string]any{"role": in.Role, "person": in.Person, "from": before})
	return nil
}

func (e *Engine) mergeBy(inc *incident, in Action, now time.Time) error {
	into := e.incidents[in.Into]
	switch {
	case into == nil:
		return ops.Errorf(ops.NotFound, "there is no such incident to merge into").At("body.into")
	case into == inc:
		return ops.Errorf(ops.Invalid, "an incident cannot be merged into itself").At("body.into")
	case !into.State.Active() || !inc.State.Active():
		return ops.Errorf(ops.Conflict, "both incidents must still be open")
	}
	e.merge(inc, into, now, in.Who.Name, cmp.Or(in.Note, in.Who.Name+" says that they are one"))
	e.holdTogether(into, in.Who.Name)
	return nil
}

// judge takes a person's verdict on a suspect. Confirming stops the locate leg; both train the priors.
func (e *Engine) judge(inc *incident, in Action, now time.Time) error {
	if in.Change == NoChange {
		return e.judgeNone(inc, in, now)
	}
	ch, ok := e.changes.Change(in.Change)
	if !ok && !slices.ContainsFunc(inc.Suspects, func(s ops.Suspect) bool { return s.ChangeID == in.Change }) {
		return ops.Errorf(ops.NotFound, "there is no such change").At("path.change")
	}
	inc.noteFirst()
	title, kind := in.Change, ops.KindOther
	if ok {
		title, kind = in.Change+" ("+clip(cmp.Or(ch.Title, ch.Service), 100)+")", ch.Kind
	}
	e.unlearn(inc, in.Change, kind)
	learn(e.priors, kind, in.Confirmed, 1)
	e.learned[kind] = true
	if in.Confirmed {
		if old, known := e.changes.Change(inc.Confirmed); known {
			e.unlearn(inc, inc.Confirmed, old.Kind)
		}
		inc.Confirmed = in.Change
		e.event(inc, now, "suspect_confirmed", "suspect", in.Who.Name, in.Who.Name+" confirmed "+title+" as the cause"+with(in.Note), map[string]any{"change_id": in.Change, "note": in.Note})
		inc.causedBy(in.Change, title, in.Who.Name, now)
		e.located(inc, now, in.Who.Name, in.Who.Name+" confirmed "+in.Change, "located "+ops.Since(now.Sub(inc.OnsetAt.Time))+" after the onset: "+title)
	} else {
		if inc.Cause != nil && inc.Cause.ChangeID == in.Change {
			inc.Cause = nil
		}
		inc.Rejected = append(inc.Rejected, in.Change)
		e.event(inc, now, "suspect_rejected", "suspect", in.Who.Name, in.Who.Name+" ruled out "+title+with(in.Note), map[string]any{"change_id": in.Change, "note": in.Note})
	}
	inc.rankDue, inc.rankedAt = true, time.Time{}
	return nil
}

// NoChange stands for "no change did it" where a suspect's change is named.
const NoChange = "none"

// NoChangeText is the cause in words where people say no more than that no change did it.
const NoChangeText = "no change on record did it"

// judgeNone takes a person's word that no change did it: the cause is named as far as changes go, and the locate leg stops.
func (e *Engine) judgeNone(inc *incident, in Action, now time.Time) error {
	if !in.Confirmed {
		return ops.Errorf(ops.Invalid, "that no change did it cannot be ruled out by itself").At("path.change").WithHint("confirm the change that did it")
	}
	if old, known := e.changes.Change(inc.Confirmed); known {
		e.unlearn(inc, inc.Confirmed, old.Kind)
	}
	inc.noteFirst()
	inc.Confirmed = ""
	by := in.Who.Name + " says that no change did it"
	inc.causedBy("", cmp.Or(in.Note, NoChangeText), in.Who.Name, now)
	e.event(inc, now, "cause_named", "suspect", in.Who.Name, by+with(in.Note), map[string]any{"cause": inc.Cause.Text, "change_id": ""})
	e.located(inc, now, in.Who.Name, by, "located "+ops.Since(now.Sub(inc.OnsetAt.Time))+" after the onset: "+by+with(in.Note))
	inc.rankDue, inc.rankedAt = true, time.Time{}
	return nil
}

// unlearn takes an earlier verdict of this incident on the same change back.
func (e *Engine) unlearn(inc *incident, change string, kind ops.ChangeKind) {
	e.learned[kind] = true
	if inc.Confirmed == change {
		inc.Confirmed = ""
		learn(e.priors, kind, true, -1)
	}
	if i := slices.Index(inc.Rejected, change); i >= 0 {
		inc.Rejected = slices.Delete(inc.Rejected, i, i+1)
		learn(e.priors, kind, false, -1)
	}
}

// RestorePrior sets what was judged of a kind of change.
func (e *Engine) RestorePrior(kind ops.ChangeKind, c suspects.Count) { e.priors[kind] = c }
