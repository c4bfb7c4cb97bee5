package engine

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"goc/incidents/suspects"
	"goc/ops"
)

// States of a sign.
const (
	signOff     = "off"     // it departed and has not come back
	signBack    = "back"    // it is back within its course
	signUnknown = "unknown" // no samples
)

// Bounds of what is watched for one incident, and how often it is looked for and shown.
const (
	maxSigns     = 10
	maxWatched   = 40
	lookEvery    = 10 * time.Second // for more that departed, in the first minute; later each minute
	lookFor      = 10 * time.Minute // after which nothing more is taken to belong to the incident
	showEvery    = 10 * time.Second // values that move without a change of state
	departBefore = 2 * time.Minute  // before the onset: what departed earlier is another trouble
)

// lookForSigns finds the series of the incident's services that departed at its onset or after it. Only incidents about
// services have signs: for places and devices the fleet's alerts are the indicator.
func (e *Engine) lookForSigns(inc *incident, now time.Time) {
	age, pause := now.Sub(inc.DetectedAt.Time), lookEvery
	if age > time.Minute {
		pause = time.Minute
	}
	if inc.rootSight.class() != aboutService || !inc.RecoveredAt.IsZero() || !inc.QuietSince.IsZero() || age > lookFor ||
		!e.sampled.After(inc.lookedAt) || now.Sub(inc.lookedAt) < pause {
		return
	}
	inc.lookedAt = now
	all := suspects.Departures(e.samples, inc.services(), inc.Scope.Store, now, e.Direction)
	all = slices.DeleteFunc(all, func(d suspects.Departure) bool {
		return d.Size < 1.5*suspects.OffCourse || d.Size*d.Course.Noise < felt(d.Key.Indicator) || d.At.Before(inc.OnsetAt.Add(-departBefore-time.Duration(inc.OnsetBy)))
	})
	steady := func(d suspects.Departure) bool { return d.Course.Direction == ops.GoodSteady }
	if slices.ContainsFunc(all, func(d suspects.Departure) bool { return !steady(d) }) {
		all = slices.DeleteFunc(all, steady) // where something says what is bad, what only moves proves nothing
	}
	told := inc.toldIndicators()
	named := func(d suspects.Departure) bool { return told[d.Key.Indicator] }
	if slices.ContainsFunc(all, named) { // what its alerts speak of proves the incident; what else moved may have its own reason
		all = slices.DeleteFunc(all, func(d suspects.Departure) bool { return !named(d) })
	}
	slices.SortStableFunc(all, func(a, b suspects.Departure) int { return cmp.Compare(b.Size, a.Size) })
	if d, ok := suspects.First(all); ok && age <= time.Minute && !inc.Declared {
		e.onsetEarlier(inc, d, now) // in stores that have joined since
	}
	for _, d := range all {
		known := slices.ContainsFunc(inc.Watched, func(w *watch) bool { return w.Key == d.Key })
		if s := e.samples.Find(d.Key); !known && s != nil && len(inc.Watched) < maxWatched {
			inc.Watched = append(inc.Watched, newWatch(d, s))
		}
	}
}

// toldIndicators are those that its alerts name in their label "indicator", as the shipped rules do.
func (inc *incident) toldIndicators() map[string]bool {
	told := map[string]bool{}
	for _, a := range inc.members {
		if name := a.Labels["indicator"]; name != "" {
			told[name] = true
		}
	}
	return told
}

// adoptSigns goes on watching what another incident watched that is now part of this one.
func (inc *incident) adoptSigns(from *incident) {
	for _, w := range from.Watched {
		known := slices.ContainsFunc(inc.Watched, func(o *watch) bool { return o.Key == w.Key })
		if !known && len(inc.Watched) < maxWatched {
			one := *w
			inc.Watched = append(inc.Watched, &one)
		}
	}
	inc.OffUntil = ops.At(maxTime(inc.OffUntil.Time, from.OffUntil.Time))
}

// judgeSigns reads what is new of the watched series and says how each sign is.
func (e *Engine) judgeSigns(inc *incident, now time.Time) {
	if len(inc.Watched) == 0 {
		return
	}
	services := inc.services()
	inc.Watched = slices.DeleteFunc(inc.Watched, func(w *watch) bool { return !slices.Contains(services, w.Key.Service) })
	var groups [][]*watch
	for _, w := range inc.Watched {
		if s := e.samples.Find(w.Key); s != nil {
			w.take(s.After(w.Seen.Time))
		}
		i := slices.IndexFunc(groups, func(g []*watch) bool {
			return g[0].Key.Indicator == w.Key.Indicator && g[0].Key.Service == w.Key.Service
		})
		if i < 0 {
			i, groups = len(groups), append(groups, nil)
		}
		groups[i] = append(groups[i], w)
	}
	signs := make([]ops.Sign, 0, len(groups))
	for _, g := range groups[:min(len(groups), maxSigns)] {
		s := e.signOf(g, now)
		if s.State == signOff {
			for _, w := range g {
				if w.Back.IsZero() && w.Off.After(inc.OffUntil.Time) {
					inc.OffUntil = w.Off
				}
			}
		}
		signs = append(signs, s)
	}
	order := map[string]int{signOff: 0, signUnknown: 1, signBack: 2}
	slices.SortStableFunc(signs, func(a, b ops.Sign) int { return cmp.Compare(order[a.State], order[b.State]) })
	e.showSigns(inc, signs, now)
}

// showSigns notes the signs: at once when a state changed, else at a bounded rate.
func (e *Engine) showSigns(inc *incident, signs []ops.Sign, now time.Time) {
	same := slices.EqualFunc(inc.Signs, signs, func(a, b ops.Sign) bool {
		return a.Indicator == b.Indicator && a.Service == b.Service && a.State == b.State && a.Where == b.Where
	})
	if same && (now.Sub(inc.shownAt) < showEvery || slices.EqualFunc(inc.Signs, signs, func(a, b ops.Sign) bool { return a.Text == b.Text })) {
		return
	}
	inc.Signs, inc.shownAt = signs, now
	e.touch(inc)
}

// signOf says how the watched series of one indicator of one service are. It is off while more than one in ten of them
// are, unknown while more than one in ten are not seen, else back.
func (e *Engine) signOf(g []*watch, now time.Time) ops.Sign {
	s := ops.Sign{Indicator: g[0].Key.Indicator, Service: g[0].Key.Service}
	var off, shown []*watch
	silent, gone, others, back, departed, seen := 0, 0, 0.0, time.Time{}, time.Time{}, time.Time{}
	for _, w := range g {
		seen = maxTime(seen, w.Seen.Time)
		value, replaced := 0.0, false
		if w.silent(now) {
			value, replaced = e.replaced(w, now)
		}
		switch {
		case replaced:
			gone, others, back = gone+1, others+value, maxTime(back, w.Seen.Time)
		case w.silent(now):
			silent++
		case w.Back.IsZero():
			off = append(off, w)
			if departed.IsZero() || w.BadFrom.Before(departed) {
				departed = w.BadFrom.Time
			}
		default:
			back = maxTime(back, w.Back.Time)
		}
	}
	shown = g
	switch {
	case 10*len(off) > len(g):
		s.State, s.Since, shown = signOff, ops.At(departed), off
	case 10*silent > len(g):
		s.State, s.Since = signUnknown, ops.At(seen)
	default:
		s.State, s.Since = signBack, ops.At(back)
	}
	for _, w := range shown {
		s.Value += w.Value / float64(len(shown))
		s.Normal += w.Course.Centre / float64(len(shown))
	}
	s.Where = placeOf(shown)
	s.Text = signText(s)
	if gone == len(g) {
		s.Value = others / float64(gone)
		s.Text = fmt.Sprintf("%s of %s: %s is gone, the others are at %s, normal %s", s.Indicator, s.Service, s.Where, valueText(s.Indicator, s.Value), valueText(s.Indicator, s.Normal))
	}
	if s.State == signOff && !slices.ContainsFunc(off, func(w *watch) bool { return w.Bad > 0 }) {
		s.Text += ", too short a time to count as back"
	}
	return s
}

// replaced says whether a unit that fell silent is gone for good: others of the same service speak, and are well. It
// answers their mean.
func (e *Engine) replaced(w *watch, now time.Time) (mean float64, ok bool) {
	if w.Key.Unit == "" && w.Key.CallerUnit == "" {
		return 0, false
	}
	well, fresh := 0, 0
	for _, s := range e.samples.OfService(w.Key.Service) {
		if s.Indicator != w.Key.Indicator || s.Caller != w.Key.Caller || s.Store != w.Key.Store || s.Key == w.Key {
			continue
		}
		if last := s.Last(); now.Sub(time.UnixMilli(last.At)) <= 3*time.Duration(w.Every)+5*time.Second {
			mean += last.Value
			if fresh++; w.Course.Off(last.Value) <= w.bound() {
				well++
			}
		}
	}
	return mean / float64(max(1, fresh)), fresh > 0 && 10*(fresh-well) <= fresh
}

// placeOf names the one place of the series, or counts them.
func placeOf(list []*watch) string {
	names, kind := []string{}, ""
	for _, w := range list {
		if k, n := w.where(); n != "" && !slices.Contains(names, n) {
			names, kind = append(names, n), k
		}
	}
	switch len(names) {
	case 0:
		return ""
	case 1:
		return names[0]
	}
	return fmt.Sprintf("%d %s", len(names), kind)
}

// signText says how a sign is.
func signText(s ops.Sign) string {
	what := s.Indicator + " of " + s.Service
	if s.Where != "" {
		what += " in " + s.Where
	}
	normal := valueText(s.Indicator, s.Normal)
	switch s.State {
	case signOff:
		return fmt.Sprintf("%s is %s, normal %s", what, valueText(s.Indicator, s.Value), normal)
	case signUnknown:
		return fmt.Sprintf("%s has had no samples since %s", what, clockText(s.Since))
	}
	return fmt.Sprintf("%s is back at %s, normal %s", what, valueText(s.Indicator, s.Value), normal)
}

func clockText(t ops.Time) string { return t.UTC().Format("15:04:05") + " UTC" }

// valueText writes a value of an indicator as people read it.
func valueText(indicator string, v float64) string {
	switch {
	case strings.HasSuffix(indicator, "_ratio"):
		return fmt.Sprintf("%.1f %%", 100*v)
	case strings.HasSuffix(indicator, "_seconds") && math.Abs(v) < 10:
		return fmt.Sprintf("%.0f ms", 1000*v)
	case strings.HasSuffix(indicator, "_seconds"):
		return fmt.Sprintf("%.0f s", v)
	}
	return fmt.Sprintf("%.4g", v)
}
