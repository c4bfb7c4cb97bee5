package engine

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"goc/incidents/suspects"
	"goc/ops"
)

// oldestStart is how long before its arrival an alert is believed to have begun. No change that is older is suspected.
const oldestStart = suspects.Lookback

// findOnset looks for the onset in the signals of the incident's services, before its first alert began. It is never later
// than the alert, and moves only to earlier times once it was found, which is told.
func (e *Engine) findOnset(inc *incident, alert, now time.Time) {
	start, from := minTime(alert, now), "the alert"
	if now.Sub(start) > oldestStart {
		from = fmt.Sprintf("the alert's arrival, because its own start, %s, is more than %s before it", ops.At(alert), ops.Duration(oldestStart))
		start = now
	}
	e.moveOnset(inc, start, from, now)
}

// moveOnset sets the onset to where the signal departed or, when it shows nothing before start, to start itself.
func (e *Engine) moveOnset(inc *incident, start time.Time, from string, now time.Time) {
	at, by := start, time.Duration(0)
	services := inc.services()
	all := suspects.Departures(e.samples, services, inc.Scope.Store, minTime(start.Add(e.cfg.Window), now), e.Direction)
	d, ok := suspects.First(all)
	switch {
	case ok && !d.At.After(at) && !d.At.Before(inc.After.Time):
		at, by, from = d.At, d.Interval, d.Text()
	case ok:
		from += "; the signal left its course only after it"
	case len(services) > 0 && !e.measured(services):
		from += "; no indicator of " + clip(strings.Join(services, ", "), 100) + " has samples"
	case len(services) > 0:
		from += "; no indicator of " + clip(strings.Join(services, ", "), 100) + " had left its course"
	}
	if inc.OnsetFrom == "" {
		inc.OnsetAt, inc.OnsetBy, inc.OnsetFrom = ops.At(at), ops.Duration(by), from
		return
	}
	e.shiftOnset(inc, at, by, from, now)
}

// onsetEarlier moves the onset to a departure that lies before it by more than either is uncertain.
func (e *Engine) onsetEarlier(inc *incident, d suspects.Departure, now time.Time) {
	if inc.OnsetAt.Sub(d.At) > max(d.Interval, time.Duration(inc.OnsetBy)) {
		e.shiftOnset(inc, d.At, d.Interval, d.Text(), now)
	}
}

// shiftOnset moves an onset that has been shown, to an earlier time only.
func (e *Engine) shiftOnset(inc *incident, at time.Time, by time.Duration, from string, now time.Time) {
	earlier := inc.OnsetAt.Sub(at)
	if earlier <= 0 {
		return
	}
	inc.OnsetAt, inc.OnsetBy, inc.OnsetFrom = ops.At(at), ops.Duration(by), from
	e.event(inc, now, "onset_moved", "system", "", fmt.Sprintf("the onset lies %s earlier than thought: %s", ops.Since(earlier), from),
		map[string]any{"onset_at": inc.OnsetAt, "onset_from": from, "earlier_s": earlier.Seconds()})
}

// measured says whether any of the services has samples.
func (e *Engine) measured(services []string) bool {
	return slices.ContainsFunc(services, func(s string) bool { return len(e.samples.OfService(s)) > 0 })
}
