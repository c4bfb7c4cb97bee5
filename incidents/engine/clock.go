package engine

import (
	"time"

	"goc/ops"
)

// clockOf is the 1-5-10 clock of inc at now. Every leg runs from the onset. While all alerts are resolved but the
// recovery is being verified, the recover leg stands where it would stop.
func (e *Engine) clockOf(inc *incident, now time.Time) ops.Clock {
	t := e.cfg.targets(inc.Severity)
	onset := inc.OnsetAt.Time
	recovering := inc.stands(now)
	end := now // a leg that nothing stopped ends with the incident
	if !inc.State.Active() {
		end = minTime(now, inc.ResolvedAt.Time)
		recovering = minTime(recovering, end)
	}
	c := ops.Clock{
		Detect:  leg(onset, inc.DetectedAt.Time, end, t.Detect, inc.DetectBy, inc.State),
		Locate:  leg(onset, inc.LocatedAt.Time, end, t.Locate, inc.LocateBy, inc.State),
		Recover: leg(onset, inc.RecoveredAt.Time, recovering, t.Recover, inc.RecoverBy, inc.State),
	}
	return c
}

// leg measures from onset to stop, or to now while it runs. Once its target has passed, a running leg is not met.
func leg(onset, stop, now time.Time, target time.Duration, by string, state ops.IncidentState) ops.Leg {
	l := ops.Leg{TargetS: target.Seconds()}
	if stop.IsZero() {
		l.Running = state.Active()
		stop = now
	} else {
		l.StoppedBy = by
	}
	elapsed := max(0, stop.Sub(onset))
	l.ElapsedS = elapsed.Seconds()
	met := elapsed <= target
	if by == "" && !l.Running {
		met = false // it ended without ever being stopped
	}
	if !l.Running || !met {
		l.Met = &met
	}
	return l
}

// located stops the locate leg.
func (e *Engine) located(inc *incident, now time.Time, actor, by, text string) {
	if !inc.LocatedAt.IsZero() {
		return
	}
	inc.LocatedAt, inc.LocateBy = ops.At(now), by
	e.event(inc, now, "located", "action", actor, text, map[string]any{"stopped_by": by, "elapsed_s": now.Sub(inc.OnsetAt.Time).Seconds()})
}

// recovered stops the recover leg at a time that may lie a little back: when the last alert was resolved or the indicators
// came back, whichever was later. detail is what more there is to say, "" for nothing.
func (e *Engine) recovered(inc *incident, at, now time.Time, actor, by, detail string) {
	if !inc.RecoveredAt.IsZero() {
		return
	}
	at = minTime(maxTime(at, inc.DetectedAt.Time), now)
	inc.RecoveredAt, inc.RecoverBy = ops.At(at), by
	if inc.State == ops.IncidentOpen || inc.State == ops.IncidentAcknowledged {
		inc.State = ops.IncidentMitigated
		if inc.MitigatedAt.IsZero() {
			inc.MitigatedAt = ops.At(at)
		}
	}
	e.event(inc, now, "recovered", kindBy(actor), actor, "recovered "+ops.Since(at.Sub(inc.OnsetAt.Time))+" after the onset: "+by+with(detail),
		map[string]any{"stopped_by": by, "elapsed_s": at.Sub(inc.OnsetAt.Time).Seconds(), "recovered_at": ops.At(at), "detail": detail})
}

// unrecover takes a recovery back that did not hold, with the reason.
func (e *Engine) unrecover(inc *incident, now time.Time, why string) {
	if inc.RecoveredAt.IsZero() || !inc.State.Active() {
		return
	}
	inc.RecoveredAt, inc.RecoverBy, inc.MitigatedAt = ops.Time{}, "", ops.Time{}
	inc.State = ops.IncidentOpen
	if !inc.AcknowledgedAt.IsZero() {
		inc.State = ops.IncidentAcknowledged
	}
	inc.Reopened++
	inc.SignsTold = ""
	e.event(inc, now, "reopened", "system", "", "the recovery did not hold: "+why, map[string]any{"reopened": inc.Reopened, "why": why})
}

// reopen brings a resolved incident back; its clock runs on from the same onset.
func (e *Engine) reopen(inc *incident, now time.Time, actor, text string) {
	inc.State = ops.IncidentOpen
	if !inc.AcknowledgedAt.IsZero() {
		inc.State = ops.IncidentAcknowledged
	}
	inc.RecoveredAt, inc.RecoverBy, inc.MitigatedAt = ops.Time{}, "", ops.Time{}
	inc.ResolvedAt, inc.ResolvedBy, inc.Merged = ops.Time{}, "", ""
	inc.QuietSince = ops.Time{}
	if inc.firing == 0 && len(inc.members) > 0 && actor == "" {
		inc.QuietSince = ops.At(now)
	}
	inc.Reopened++
	inc.SignsTold = ""
	e.activate(inc)
	inc.rankDue = true
	e.event(inc, now, "reopened", kindBy(actor), actor, text, map[string]any{"reopened": inc.Reopened})
}

// close takes a resolved incident off the active ones, and remembers it for as long as it may reopen by itself.
func (e *Engine) close(inc *incident) {
	e.deactivate(inc)
	inc.usual, inc.reach = nil, nil // worked out again when it reopens
	e.closed = append(e.closed, inc)
	e.touch(inc)
}
