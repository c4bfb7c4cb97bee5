package drills

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"goc/ops"
)

// run is one run as it is recorded: the public fields, and what it takes to go on after a restart.
type run struct {
	ops.DrillRun
	// RightAt is since when the right answer has stood first among the suspects without a break.
	RightAt ops.Time `json:"right_at"`
	// Then is the state that follows once the fault is taken away, Why the reason in words.
	Then ops.DrillState `json:"then,omitempty"`
	Why  string         `json:"why,omitempty"`
	// Attempts counts the failed attempts to take the fault away.
	Attempts int `json:"attempts,omitempty"`
	// Slot is the local time of the schedule that started the run: the hour that autumn repeats starts one run.
	Slot string `json:"slot,omitempty"`
}

// live says whether the run still needs the loop.
func (r run) live() bool {
	return r.State == ops.DrillInjecting || r.State == ops.DrillWatching || r.State == ops.DrillReverting
}

// news is an event that follows from watching.
type news struct{ name, text string }

// world is what a run is judged against at one time.
type world struct {
	now       time.Time
	incidents []ops.Incident
	expand    func(ops.Scope) ops.Scope
}

// touches says whether something with the scope s may be the drill's: it overlaps the blast radius, and names at least one
// of the keys that the blast radius names. An alert on a whole service is not laid at the door of a drill in one store.
func touches(drill, s ops.Scope, expand func(ops.Scope) ops.Scope) bool {
	s = expand(s)
	if !expand(drill).Overlaps(s) {
		return false
	}
	return slices.ContainsFunc(ops.ScopeKeys[:], func(k string) bool { return len(*drill.Key(k)) > 0 && len(*s.Key(k)) > 0 })
}

// own finds the run's incident: the one marked with the run, else the first that was detected after the injection and
// that the drill may have caused. A merged incident gives way to the one that took it in.
func (w world) own(r run) (ops.Incident, bool) {
	find := func(fits func(ops.Incident) bool) (found ops.Incident, ok bool) {
		for _, inc := range w.incidents {
			if fits(inc) && (!ok || inc.DetectedAt.Before(found.DetectedAt.Time)) {
				found, ok = inc, true
			}
		}
		return found, ok
	}
	id := r.Incident
	for range 3 {
		inc, ok := find(func(i ops.Incident) bool { return id != "" && i.ID == id })
		if !ok {
			break
		}
		if id = inc.Merged; id == "" {
			return inc, true
		}
	}
	if inc, ok := find(func(i ops.Incident) bool { return r.after(i) && i.Drill != nil && *i.Drill == r.ID }); ok {
		return inc, true
	}
	return find(func(i ops.Incident) bool { return w.mayBe(r, i) })
}

// after says whether the incident was detected after the injection, and stands for itself.
func (r run) after(i ops.Incident) bool {
	return i.Merged == "" && !r.InjectedAt.IsZero() && !i.DetectedAt.Before(r.InjectedAt.Time)
}

// mayBe says whether an incident that bears no drill's mark may be the run's work.
func (w world) mayBe(r run, i ops.Incident) bool {
	return r.after(i) && i.Drill == nil && touches(r.Scope, i.Scope, w.expand)
}

// trouble names an incident that is no drill's and bad enough to stop one: P1 or P2, and not recovered.
func (w world) trouble(r run) (ops.Incident, bool) {
	for _, inc := range w.incidents {
		bad := inc.Severity == ops.P1 || inc.Severity == ops.P2
		if bad && inc.State.Active() && inc.RecoveredAt.IsZero() && inc.Drill == nil && inc.Merged == "" && inc.ID != r.Incident && !w.mayBe(r, inc) {
			return inc, true
		}
	}
	return ops.Incident{}, false
}

// observe is what a watched run becomes in the world w, and what is new about it. It is pure.
func observe(r run, d ops.Drill, w world) (run, []news) {
	r.Legs = slices.Clone(r.Legs)
	var out []news
	inc, found := w.own(r)
	if found {
		r.Incident = inc.ID
		out = r.measure(inc, w.now)
	}
	if bad, ok := w.trouble(r); ok {
		r.leave(ops.DrillAborted, fmt.Sprintf("real trouble: %s %s is open", bad.Severity, bad.ID))
		return r, out
	}
	limit := time.Duration(d.MaxDuration)
	if limit <= 0 {
		limit = defaultMaxDuration
	}
	switch {
	case r.Legs[2].Seconds != nil:
		r.leave(ops.DrillScored, unmet(d.Expect, inc, found))
	case w.now.Sub(r.InjectedAt.Time) >= limit:
		text := "it had not recovered after " + ops.Duration(limit).String()
		if !found {
			text = "nobody noticed within " + ops.Duration(limit).String()
		}
		r.leave(ops.DrillScored, strings.Trim(text+"; "+unmet(d.Expect, inc, found), "; "))
	}
	return r, out
}

// leave ends the watch: the fault is taken away next, and then comes the state.
func (r *run) leave(then ops.DrillState, why string) {
	r.State, r.Then, r.Why, r.Message = ops.DrillReverting, then, why, why
}

// measure brings the legs up to what the incident shows. All are measured from the injection.
func (r *run) measure(inc ops.Incident, now time.Time) (out []news) {
	injected := r.InjectedAt.Time
	if r.Legs[0].Seconds == nil && !inc.DetectedAt.IsZero() {
		reach(&r.Legs[0], injected, inc.DetectedAt.Time, fmt.Sprintf("%s opened %s after the injection", inc.ID, since(injected, inc.DetectedAt.Time)))
		out = append(out, news{"drill.detected", r.Drill + ": " + r.Legs[0].Text})
	}
	before := r.Legs[1].Seconds
	r.locate(inc, now)
	if before == nil && r.Legs[1].Seconds != nil {
		out = append(out, news{"drill.located", r.Drill + ": " + r.Legs[1].Text})
	}
	if r.Legs[2].Seconds == nil && inc.RecoveredAt.After(injected) {
		reach(&r.Legs[2], injected, inc.RecoveredAt.Time, fmt.Sprintf("%s recovered %s after the injection", inc.ID, since(injected, inc.RecoveredAt.Time)))
		out = append(out, news{"drill.recovered", r.Drill + ": " + r.Legs[2].Text})
	}
	return out
}

// locate measures the second leg. It is reached when the right answer was confirmed (the incident's located_at, if what
// stands first then is right), else at the time since when the right answer has stood first without a break. The right
// answer is the injected change; of a fault that is no change it is "no change".
func (r *run) locate(inc ops.Incident, now time.Time) {
	injected, leg := r.InjectedAt.Time, &r.Legs[1]
	if len(inc.Suspects) == 0 && inc.NoChange == 0 {
		return // not ranked yet
	}
	right, stands := r.right(inc)
	switch {
	case !right:
		r.RightAt = ops.Time{}
	case r.RightAt.IsZero():
		r.RightAt = ops.At(now)
	}
	located := !inc.LocatedAt.IsZero() && !inc.LocatedAt.Before(injected)
	switch {
	case located && right:
		text := fmt.Sprintf("the locate clock stopped %s after the injection, at %s", since(injected, inc.LocatedAt.Time), stands)
		if r.RightAt.Before(inc.LocatedAt.Time) {
			text += ", which had stood first from " + since(injected, r.RightAt.Time) + " on"
		}
		reach(leg, injected, inc.LocatedAt.Time, text)
	case right:
		reach(leg, injected, r.RightAt.Time, fmt.Sprintf("%s stands first from %s after the injection on; nobody has confirmed it", stands, since(injected, r.RightAt.Time)))
	case located:
		miss(leg, "the locate clock stopped at "+stands+", which is not it")
	default:
		miss(leg, stands+" stands first, which is not it")
	}
}

// right says whether what stands first among the suspects is what the drill did, and names what stands first.
func (r *run) right(inc ops.Incident) (bool, string) {
	i := slices.IndexFunc(inc.Suspects, func(s ops.Suspect) bool { return s.Verdict == "confirmed" })
	if i < 0 {
		i = slices.IndexFunc(inc.Suspects, func(s ops.Suspect) bool { return s.Verdict != "rejected" })
	}
	if i < 0 || inc.Suspects[i].Verdict != "confirmed" && inc.NoChange > inc.Suspects[i].Probability {
		return r.ChangeID == "", "no change"
	}
	return inc.Suspects[i].ChangeID == r.ChangeID, inc.Suspects[i].ChangeID
}

// unmet says what the drill should have led to and did not.
func unmet(e ops.Expectation, inc ops.Incident, found bool) string {
	var out []string
	if e.Alert != "" && !slices.ContainsFunc(inc.Alerts, func(a ops.IncidentAlert) bool { return a.Name() == e.Alert }) {
		out = append(out, "the alert "+e.Alert+" did not fire")
	}
	if e.Severity != "" && found && inc.Severity != e.Severity {
		out = append(out, fmt.Sprintf("the severity was %s, not %s", inc.Severity, e.Severity))
	}
	if e.Plan != "" && !slices.Contains(inc.Plans, e.Plan) {
		out = append(out, "the plan "+e.Plan+" was not offered")
	}
	return strings.Join(out, "; ")
}

func since(from, to time.Time) string { return ops.Since(max(0, to.Sub(from))) }
