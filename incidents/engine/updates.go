package engine

import (
	"fmt"
	"slices"
	"time"

	"goc/ops"
)

// postUpdate notes what stakeholders were told; the next is due after the severity's cadence.
func (e *Engine) postUpdate(inc *incident, in Action, now time.Time) error {
	switch {
	case in.Text == "" || len(in.Text) > MaxNote:
		return ops.Errorf(ops.Invalid, "an update needs a text of 1 to %d bytes", MaxNote).At("body.text")
	case len(inc.Updates) >= MaxUpdates:
		return ops.Errorf(ops.Conflict, "an incident has at most %d updates", MaxUpdates)
	}
	u := ops.Update{ID: len(inc.Updates) + 1, At: ops.At(now), By: in.Who.Name, Text: in.Text}
	inc.Updates = append(slices.Clip(inc.Updates), u)
	inc.UpdateDueAt = e.nextUpdate(inc, now)
	e.event(inc, now, "update_posted", "action", in.Who.Name, fmt.Sprintf("update %d told: ", u.ID)+u.Text, map[string]any{"update": u.ID, "update_text": u.Text, "due_at": inc.UpdateDueAt})
	return nil
}

// nextUpdate is when the next update is due if one was told at a time; zero when none is owed.
func (e *Engine) nextUpdate(inc *incident, told time.Time) ops.Time {
	every := e.cfg.Updates[inc.Severity]
	if every <= 0 || !inc.State.Active() {
		return ops.Time{}
	}
	return ops.At(told.Add(every))
}

// settle brings what follows from the rest of inc up to date before it is written: whose it is, what kind of fault it
// is, and when stakeholders are to be told next.
func (e *Engine) settle(inc *incident, now time.Time) {
	if inc.State.Active() || inc.Team == "" {
		inc.Team = e.teamOf(inc)
	}
	inc.Fault = e.faultOf(inc)
	e.settleUpdates(inc, now)
}

// settleUpdates sets the due time of the next update where the incident was opened or ended, or its severity changed.
func (e *Engine) settleUpdates(inc *incident, now time.Time) {
	if !inc.State.Active() {
		inc.UpdateDueAt, inc.UpdatesFor, inc.UpdatesFrom = ops.Time{}, "", ops.Time{}
		return
	}
	if inc.UpdatesFor == inc.Severity {
		return
	}
	if inc.UpdatesFor == "" {
		inc.UpdatesFrom = ops.At(now)
	}
	told := inc.UpdatesFrom
	if n := len(inc.Updates); n > 0 && inc.Updates[n-1].At.After(told.Time) {
		told = inc.Updates[n-1].At
	}
	due, old := e.nextUpdate(inc, told.Time), inc.UpdateDueAt
	if !due.IsZero() && !due.After(now) { // owed only now: it gets a full span, unless it was due before that anyway
		due = e.nextUpdate(inc, now)
		if old.After(now) && old.Before(due.Time) {
			due = old
		}
	}
	inc.UpdatesFor, inc.UpdateDueAt = inc.Severity, due
}

// remindOfUpdate says once that an update to stakeholders is due.
func (e *Engine) remindOfUpdate(inc *incident, now time.Time) {
	due := inc.UpdateDueAt
	if due.IsZero() || now.Before(due.Time) || inc.UpdateTold.Equal(due.Time) || !inc.State.Active() {
		return
	}
	inc.UpdateTold = due
	text := "an update to stakeholders is due"
	if n := len(inc.Updates); n > 0 {
		text += "; the last was told " + ago(now.Sub(inc.Updates[n-1].At.Time))
	} else {
		text += "; none was told yet"
	}
	e.event(inc, now, "update_due", "system", "", text, map[string]any{"due_at": due, "updates": len(inc.Updates)})
}
