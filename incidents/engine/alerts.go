package engine

import (
	"time"

	"goc/ops"
)

// Replay is the source of recorded alerts. A recording says when an alert ended, and does not tell it again meanwhile.
const Replay = "replay"

// replayLease is how long a recorded alert fires when the recording says no end.
const replayLease = 24 * time.Hour

// alert is one alert as the engine keeps it: while it fires, and with its incident for as long as that lists it.
type alert struct {
	ops.IncidentAlert
	Held
	sight    sight
	incident *incident // nil for a silenced alert that no incident took in
	storedAs string    // the id of its record, "" while it has none
	dirty    bool
}

// Held is what the engine keeps of an alert beyond what people see; it is stored with it.
type Held struct {
	TakenAt ops.Time `json:"taken_at"`     // when it came in
	By      string   `json:"by,omitempty"` // who put it into its incident, "" when the program did; what people did stays
}

// StoredAlert is an alert as it stands in the journal.
type StoredAlert struct {
	ops.IncidentAlert
	Held
	Incident string `json:"incident,omitempty"`
}

func (a *alert) recordID() string {
	if a.incident == nil {
		return "-/" + a.Fingerprint
	}
	return a.incident.ID + "/" + a.Fingerprint
}

func (a *alert) record() ops.Record {
	s := StoredAlert{IncidentAlert: a.IncidentAlert, Held: a.Held}
	if a.incident != nil {
		s.Incident = a.incident.ID
	}
	return ops.Encode("alert", a.recordID(), s)
}

// unstore deletes the record of an alert that is no longer kept.
func (e *Engine) unstore(a *alert) {
	if a.storedAs != "" {
		e.out.Delete = append(e.out.Delete, ops.Record{Kind: "alert", ID: a.storedAs})
		a.storedAs = ""
	}
}

// receive takes a batch in: each good alert by itself, the bad ones with their reason.
func (e *Engine) receive(in Alerts, now time.Time) {
	for i, a := range in.Alerts {
		if err := e.receiveOne(in.Source, a, now); err != nil {
			e.out.Rejected = append(e.out.Rejected, ops.Rejected{Index: i, Reason: err.Error()})
			continue
		}
		e.out.AlertsTaken++
	}
}

func (e *Engine) receiveOne(source string, a ops.Alert, now time.Time) error {
	a = e.complete(source, a, now)
	if err := a.Validate("alert"); err != nil {
		return err
	}
	known := e.alerts[a.Fingerprint]
	switch {
	case a.Status == ops.Resolved && known == nil: // never told as firing, so there is nothing to take back
	case a.Status == ops.Resolved:
		e.resolveAlert(known, a.EndsAt.Time, now)
	case known != nil:
		e.refresh(known, a)
	case len(e.alerts) >= e.cfg.MaxAlerts:
		return ops.Errorf(ops.TooLarge, "%d alerts fire already, which is the most that are kept", e.cfg.MaxAlerts)
	default:
		e.fire(a, now)
	}
	return nil
}

// complete fills in what a sender may leave out, as Alertmanager does.
func (e *Engine) complete(source string, a ops.Alert, now time.Time) ops.Alert {
	labels := make(map[string]string, len(a.Labels))
	for k, v := range a.Labels {
		if v != "" {
			labels[k] = v
		}
	}
	a.Labels, a.Fingerprint, a.UpdatedAt = labels, ops.Fingerprint(labels), ops.At(now)
	if source != "" {
		a.Source = source
	}
	resolved := a.Status == ops.Resolved || (!a.EndsAt.IsZero() && !a.EndsAt.After(now))
	if a.StartsAt.IsZero() || a.StartsAt.After(now) {
		a.StartsAt = ops.At(now)
	}
	switch {
	case resolved && (a.EndsAt.IsZero() || a.EndsAt.After(now)):
		a.EndsAt = ops.At(now)
	case !resolved && a.EndsAt.IsZero() && source == Replay:
		a.EndsAt = ops.At(now.Add(replayLease))
	case !resolved && a.EndsAt.IsZero():
		a.EndsAt = ops.At(now.Add(e.cfg.ResolveTimeout))
	}
	a.Status = ops.Firing
	if resolved {
		a.Status = ops.Resolved
	}
	return a
}

// refresh takes the newer word on an alert that fires already: its lease and what people read.
func (e *Engine) refresh(known *alert, a ops.Alert) {
	a.StartsAt, a.Source = known.StartsAt, known.Source
	known.Alert = a
	e.touchAlert(known)
}

// fire takes a new alert in: into an incident that explains it, or into a new one, or, when silenced, into none.
func (e *Engine) fire(a ops.Alert, now time.Time) {
	al := &alert{IncidentAlert: ops.IncidentAlert{Alert: a, Silenced: e.silencedBy(a.Labels, now)}, Held: Held{TakenAt: ops.At(now)}, sight: e.sightOf(a)}
	e.alerts[a.Fingerprint] = al
	e.out.Events = append(e.out.Events, ops.NewEvent(ops.At(now), "alert.firing", "alerts", a.Fingerprint, ops.System.Name,
		map[string]any{"text": "firing: " + clip(a.Summary(), 300), "labels": a.Labels, "source": a.Source, "silenced": al.Silenced}))
	e.touchAlert(al)
	e.place(al, now)
}

// resolveAlert ends an alert that fires. It is told so wherever it was told as firing, silenced or not.
func (e *Engine) resolveAlert(al *alert, ended, now time.Time) {
	if ended.Before(al.StartsAt.Time) || ended.After(now) {
		ended = now
	}
	al.Status, al.EndsAt, al.UpdatedAt = ops.Resolved, ops.At(ended), ops.At(now)
	delete(e.alerts, al.Fingerprint)
	e.out.Events = append(e.out.Events, ops.NewEvent(ops.At(now), "alert.resolved", "alerts", al.Fingerprint, ops.System.Name,
		map[string]any{"text": "resolved: " + clip(al.Summary(), 300), "labels": al.Labels}))
	inc := al.incident
	if inc == nil {
		e.touchAlert(al)
		e.unstore(al)
		return
	}
	e.touchAlert(al)
	if inc.firing--; inc.firing == 0 {
		inc.QuietSince = ops.At(now) // not when it ended: a clock that has been shown must not run backwards
	}
	u := e.unsettle(inc)
	u.ended, u.explain = append(u.ended, al), true
	inc.rankDue = true
	e.touch(inc)
}

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
