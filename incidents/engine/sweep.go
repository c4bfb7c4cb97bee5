package engine

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"goc/ops"
)

// sweep does what time alone brings about: leases end, recoveries are confirmed, targets pass, silences begin and end.
func (e *Engine) sweep(now time.Time) {
	if now.Sub(e.lastSweep) < time.Second && !e.lastSweep.IsZero() {
		return
	}
	e.lastSweep = now
	e.endLeases(now)
	e.sweepSilences(now)
	for _, inc := range slices.Clone(e.active) {
		e.sweepIncident(inc, now)
	}
	e.sweepClosed(now)
	e.chase(now)
}

// maxPerStep bounds what one step writes: the rest follows a second later.
const maxPerStep = 4_000

// endLeases resolves the alerts whose senders have fallen silent.
func (e *Engine) endLeases(now time.Time) {
	var ended []*alert
	for _, a := range e.alerts {
		if !a.EndsAt.After(now) {
			ended = append(ended, a)
		}
	}
	slices.SortFunc(ended, func(a, b *alert) int {
		return cmp.Or(a.EndsAt.Compare(b.EndsAt.Time), cmp.Compare(a.Fingerprint, b.Fingerprint))
	})
	for _, a := range ended[:min(len(ended), maxPerStep)] {
		e.resolveAlert(a, a.EndsAt.Time, now)
	}
}

func (e *Engine) sweepIncident(inc *incident, now time.Time) {
	if inc.unjudged && now.Sub(inc.judgedAt) >= time.Second {
		e.weigh(inc, now)
	}
	if inc.RecoveredAt.IsZero() && now.Sub(inc.judgedAt) >= judgeEvery {
		e.judgeSeverity(inc, now, false)
	}
	e.sweepRecovery(inc, now)
	if inc.State == ops.IncidentMitigated && !inc.RecoveredAt.IsZero() && inc.firing == 0 && now.Sub(maxTime(inc.RecoveredAt.Time, inc.JoinedAt.Time)) >= e.cfg.ResolveAfter {
		e.resolve(inc, now, "", fmt.Sprintf("resolved by itself, %s after the recovery", ops.Duration(e.cfg.ResolveAfter)), "")
	}
	e.remindOfUpdate(inc, now)
	e.partOutlasting(inc, now)
	if late := e.lateness(inc, now); late != inc.Late { // the clock as stored must say that a target has passed
		inc.Late = late
		e.touch(inc)
	}
}

// lateness is which running legs have passed their targets.
func (e *Engine) lateness(inc *incident, now time.Time) [3]bool {
	c := e.clockOf(inc, now)
	late := func(l ops.Leg) bool { return l.Running && l.Met != nil }
	return [3]bool{late(c.Detect), late(c.Locate), late(c.Recover)}
}

// sweepClosed reopens what was resolved although it still fires, and lets go of what will not reopen.
func (e *Engine) sweepClosed(now time.Time) {
	var keep []*incident
	for _, inc := range e.closed {
		since := now.Sub(inc.ResolvedAt.Time)
		if since < e.cfg.ReopenWithin && inc.Merged == "" {
			e.judgeSigns(inc, now)
		}
		why, again := e.departedAgain(inc, now)
		switch {
		case inc.State.Active(): // reopened meanwhile
		case inc.firing > 0 && since >= e.cfg.RefireAfter && inc.Merged == "":
			e.reopen(inc, now, "", fmt.Sprintf("%s still firing %s after the resolution", count(inc.firing, "alert is", "alerts are"), ops.Since(since)))
		case again && since < e.cfg.ReopenWithin && inc.Merged == "":
			e.reopen(inc, now, "", "reopened, because the recovery did not hold: "+why)
		case inc.firing > 0 || since < e.cfg.ReopenWithin:
			keep = append(keep, inc)
		default:
			e.leaveHomes(inc)
		}
	}
	e.closed = keep
}

// resolve ends an incident. One that never recovered counts as recovered by it. note is what a person wrote, text all of it.
func (e *Engine) resolve(inc *incident, now time.Time, actor, text, note string) {
	if inc.RecoveredAt.IsZero() {
		at := inc.stands(now)
		if inc.contradiction() != "" {
			at = now
		}
		e.recovered(inc, at, now, actor, "resolved by "+cmp.Or(actor, ops.System.Name), "")
	}
	inc.State, inc.ResolvedAt, inc.ResolvedBy = ops.IncidentResolved, ops.At(now), actor
	e.close(inc)
	e.event(inc, now, "resolved", kindBy(actor), actor, text, map[string]any{"reopened": inc.Reopened, "note": note})
}
