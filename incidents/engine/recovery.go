package engine

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"goc/ops"
)

// signsAre is the worst state of the signs, since when all of them are at least that well, and the sentences of those in
// it; "" when there are none.
func (inc *incident) signsAre() (state string, since time.Time, text string) {
	if len(inc.Signs) == 0 {
		return "", time.Time{}, ""
	}
	var texts []string
	state = inc.Signs[0].State // off, then unknown, then back
	for _, s := range inc.Signs {
		if s.State == state {
			since = maxTime(since, s.Since.Time)
			texts = append(texts, s.Text)
		}
	}
	text = strings.Join(texts[:min(len(texts), 3)], "; ")
	if n := len(texts) - 3; n > 0 {
		text += fmt.Sprintf("; and %d more", n)
	}
	return state, since, text
}

// stands is where the recover leg stands: while an alert fires it runs; then it stands where the last alert was resolved,
// or at the last sample off course after that, until the recovery has been verified.
func (inc *incident) stands(now time.Time) time.Time {
	if inc.QuietSince.IsZero() {
		return now
	}
	return minTime(now, maxTime(inc.QuietSince.Time, inc.OffUntil.Time))
}

// sweepRecovery judges by the alerts and by the indicators together whether the incident has recovered, and whether that
// has held.
func (e *Engine) sweepRecovery(inc *incident, now time.Time) {
	e.lookForSigns(inc, now)
	e.judgeSigns(inc, now)
	switch {
	case !inc.RecoveredAt.IsZero():
		if why, ok := e.departedAgain(inc, now); ok {
			e.unrecover(inc, now, why)
		}
	case inc.QuietSince.IsZero():
		e.tellSigns(inc, now)
	case now.Sub(inc.QuietSince.Time) >= e.cfg.RecoverHold:
		e.verify(inc, now)
	}
}

// verify says that a quiet incident has recovered when its signs say so too. Where they are unknown or stay off, it waits
// for as long as is configured, and says so.
func (e *Engine) verify(inc *incident, now time.Time) {
	hold := ops.Duration(e.cfg.RecoverHold)
	quiet := fmt.Sprintf("all alerts have been resolved for %s", hold)
	state, since, text := inc.signsAre()
	at := inc.stands(now)
	switch state {
	case "":
		e.recovered(inc, at, now, "", quiet, "")
	case signBack:
		if at = maxTime(at, since); now.Sub(at) >= e.cfg.RecoverHold {
			e.recovered(inc, at, now, "", fmt.Sprintf("all alerts have been resolved and the indicators back for %s", hold), text)
		}
	case signUnknown:
		if now.Sub(maxTime(inc.QuietSince.Time, since)) >= e.cfg.BelieveUnknown {
			e.recovered(inc, at, now, "", fmt.Sprintf("by the alerts alone, resolved for %s; the indicators are unknown", ops.Since(now.Sub(inc.QuietSince.Time))), text)
			return
		}
		e.tell(inc, "unknown while quiet", now, fmt.Sprintf("all alerts are resolved, which is not believed before samples return or %s have passed: %s", ops.Duration(e.cfg.BelieveUnknown), text))
	case signOff:
		if id := e.othersTrouble(inc); id != "" {
			e.recovered(inc, at, now, "", quiet+"; what is off now belongs to "+id, text)
			return
		}
		if now.Sub(inc.QuietSince.Time) >= e.cfg.BelieveOff {
			e.recovered(inc, now, now, "", fmt.Sprintf("by the alerts alone, resolved for %s; what is still off is taken for its new level", ops.Since(now.Sub(inc.QuietSince.Time))), text)
			return
		}
		if slices.ContainsFunc(inc.Watched, func(w *watch) bool { return w.Bad > 0 }) { // not only too short a time back
			e.tell(inc, "off while quiet", now, "all alerts are resolved, but it has not recovered: "+text)
		}
	}
}

// tellSigns says, while alerts fire, when the indicators have come back and when they left again: slow rules fire on
// long after the trouble is over.
func (e *Engine) tellSigns(inc *incident, now time.Time) {
	state, since, text := inc.signsAre()
	switch {
	case state == signBack && now.Sub(maxTime(since, inc.JoinedAt.Time)) >= e.cfg.RecoverHold:
		wait := count(inc.firing, "alert still fires", "alerts still fire")
		if inc.firing == 0 {
			wait = "whoever declared it says when it is over"
		}
		e.tell(inc, "back", now, fmt.Sprintf("the indicators have been back since %s, %s: %s", clockText(ops.At(since)), wait, text))
	case state == signOff && inc.SignsTold == "back":
		e.tell(inc, "off again", now, "the indicators are off again: "+text)
	}
}

// tellEvery bounds how often it is told how the signs stand.
const tellEvery = time.Minute

// tell says once how the signs stand.
func (e *Engine) tell(inc *incident, what string, now time.Time, text string) {
	if inc.SignsTold == what || now.Sub(inc.ToldAt.Time) < tellEvery {
		return
	}
	inc.SignsTold, inc.ToldAt = what, ops.At(now)
	e.event(inc, now, "signs_changed", "system", "", text, map[string]any{"what": what, "firing": inc.firing, "signs": slices.Clone(inc.Signs)})
}

// contradiction is what the indicators say against people who say that it is over, "" when they do not.
func (inc *incident) contradiction() string {
	if state, _, text := inc.signsAre(); state == signOff {
		return "; the indicators say otherwise: " + text
	}
	return ""
}

// departedAgain says whether signs that had come back have been off again for twice as long as a recovery must hold (a rate
// shows one burst for as long as its window), and why that is held against it. What another incident explains is not.
func (e *Engine) departedAgain(inc *incident, now time.Time) (string, bool) {
	for _, s := range inc.Signs {
		if s.State != signOff || e.explainedElsewhere(inc, s.Service, false) != nil {
			continue
		}
		for _, w := range inc.Watched {
			if w.Key.Indicator != s.Indicator || w.Key.Service != s.Service {
				continue
			}
			if from, ok := w.again(); ok && from.After(inc.RecoveredAt.Time) && now.Sub(from) >= 2*e.cfg.RecoverHold && !e.general(w, inc.Scope.Store) {
				return fmt.Sprintf("for %s now %s", ops.Since(now.Sub(from)), s.Text), true
			}
		}
	}
	return "", false
}

// explainedElsewhere finds another incident that has not recovered and fails in the same places, in the service itself or
// in one that it depends on; nil when there is none. firing wants one that still has reason to: two that are quiet must
// not excuse each other.
func (e *Engine) explainedElsewhere(inc *incident, service string, firing bool) *incident {
	for _, o := range e.active {
		if o == inc || !o.RecoveredAt.IsZero() || firing && o.firing == 0 && !o.Declared {
			continue
		}
		_, above := o.above[service]
		if (above || o.shows(service) || o.rootSight.class() == aboutPlace) && storesMeet(o, inc) {
			return o
		}
	}
	return nil
}

// storesMeet says whether two incidents share a store, or one of them names none.
func storesMeet(a, b *incident) bool {
	if len(a.Scope.Store) == 0 || len(b.Scope.Store) == 0 {
		return true
	}
	return slices.ContainsFunc(a.Scope.Store, func(s string) bool {
		_, in := slices.BinarySearch(b.Scope.Store, s)
		return in
	})
}

// othersTrouble names the incident to which everything that is still off belongs, "" when some of it is the incident's own.
func (e *Engine) othersTrouble(inc *incident) string {
	id := ""
	for _, s := range inc.Signs {
		if s.State != signOff {
			continue
		}
		o := e.explainedElsewhere(inc, s.Service, true)
		if o == nil {
			return ""
		}
		id = o.ID
	}
	return id
}
