package incidents

import (
	"context"
	"slices"
	"strings"
	"time"

	"goc/ops"
)

// Report is the post-incident report: its parts, and all of it as Markdown.
func (s *Service) Report(ctx context.Context, id string) (ops.IncidentReport, error) {
	st, err := s.storyOf(ctx, id)
	if err != nil {
		return ops.IncidentReport{}, err
	}
	st.clock = clock{time.UTC} // as the log books that it is laid beside
	return report(st), nil
}

// report gathers what the story says; it is pure.
func report(st story) ops.IncidentReport {
	inc := st.inc
	r := ops.IncidentReport{
		ID: inc.ID, Title: inc.Title, Incident: inc, Summary: summary(st), Recovery: recovery(st),
		Decisions: []ops.Entry{}, Runs: append([]ops.ReportRun{}, st.runs...), Timeline: condense(st.entries),
	}
	for _, leg := range []struct {
		name string
		at   ops.Time
		leg  ops.Leg
	}{{"detect", inc.DetectedAt, inc.Clock.Detect}, {"locate", inc.LocatedAt, inc.Clock.Locate}, {"recover", inc.RecoveredAt, inc.Clock.Recover}} {
		r.Clock = append(r.Clock, ops.ReportLeg{Name: leg.name, At: leg.at, AfterS: leg.leg.ElapsedS, TargetS: leg.leg.TargetS, Met: leg.leg.Met, StoppedBy: leg.leg.StoppedBy})
	}
	r.Decisions = decisions(st)
	r.Markdown = markdown(st, r)
	return r
}

// decisions are what people decided, in order; of a plan that they started it.
func decisions(st story) []ops.Entry {
	out := []ops.Entry{}
	for _, e := range st.entries {
		if decided(e) {
			out = append(out, e)
		}
	}
	for _, r := range st.runs {
		if r.By != "" && r.By != ops.System.Name {
			out = append(out, ops.Entry{At: r.StartedAt, Kind: "plan", Actor: r.By, Text: r.By + " ran plan " + r.Plan + " (" + r.ID + ")", Name: "incident.plan_progress"})
		}
	}
	slices.SortStableFunc(out, func(a, b ops.Entry) int { return a.At.Compare(b.At.Time) })
	return out
}

// undecided are events of people that decide nothing, or that follow from a decision which is told by another.
var undecided = []string{
	"incident.note_added", "incident.task_added", "incident.task_changed", "incident.attachment_added", "incident.attachment_removed",
	"incident.update_posted", "incident.recovered", "incident.located", "incident.plan_progress",
}

// decided says whether a person decided something with an entry.
func decided(e ops.Entry) bool {
	return e.Actor != "" && e.Actor != ops.System.Name && e.Kind != "note" && !slices.Contains(undecided, e.Name)
}

// foldable are the events of which many in a row are told as one line.
var foldable = map[string]string{
	"incident.alert_added": "alerts were taken in", "incident.alert_resolved": "alerts were resolved", "incident.suspects_ranked": "rankings changed the first suspect",
	"incident.merged": "incidents were merged", "incident.plan_progress": "steps of plans were told",
}

// foldFrom is how many of the same sort in a row it takes to be told as one line.
const foldFrom = 4

// condense tells long runs of the same sort of entry as one line. Entries of alerts that only alternate count as one run.
func condense(entries []ops.Entry) []ops.ReportLine {
	out := []ops.ReportLine{}
	for i := 0; i < len(entries); {
		n := sameSort(entries[i:])
		if _, can := foldable[entries[i].Name]; !can || n < foldFrom {
			e := entries[i]
			if e.Name == "incident.update_posted" { // its text stands by itself
				e.Text, _, _ = strings.Cut(e.Text, ":")
			}
			out = append(out, ops.ReportLine{From: e.At, To: e.At, Count: 1, Kind: e.Kind, Actor: e.Actor, Text: e.Text})
			i++
			continue
		}
		out = append(out, folded(entries[i:i+n]))
		i += n
	}
	return out
}

// sameSort counts how many entries from the first on are of its sort.
func sameSort(entries []ops.Entry) int {
	alerts := func(e ops.Entry) bool { return strings.HasPrefix(e.Name, "incident.alert_") }
	for i, e := range entries {
		if e.Name != entries[0].Name && !(alerts(e) && alerts(entries[0])) {
			return i
		}
	}
	return len(entries)
}

// folded is a run of entries as one line: how many of what, and the first of them.
func folded(run []ops.Entry) ops.ReportLine {
	counts := map[string]int{}
	for _, e := range run {
		counts[e.Name]++
	}
	var parts []string
	for _, name := range []string{"incident.alert_added", "incident.alert_resolved", "incident.suspects_ranked", "incident.merged", "incident.plan_progress"} {
		if n := counts[name]; n > 0 {
			parts = append(parts, itoa(n)+" "+foldable[name])
		}
	}
	text := strings.Join(parts, ", ") + " within " + ops.Since(run[len(run)-1].At.Sub(run[0].At.Time)) + "; the first: " + run[0].Text
	if last := run[len(run)-1]; last.Name == "incident.plan_progress" {
		text += "; the last: " + last.Text
	}
	return ops.ReportLine{From: run[0].At, To: run[len(run)-1].At, Count: len(run), Kind: run[0].Kind, Actor: run[0].Actor, Text: text}
}

// summary tells the whole in one paragraph to somebody who was not there, from facts alone.
func summary(st story) string {
	inc := st.inc
	parts := []string{span(st) + ": " + inc.Title + "."}
	if inc.Drill != nil {
		parts = append(parts, "This was a drill ("+*inc.Drill+").")
	}
	if inc.Merged != "" {
		return strings.Join(append(parts, "It was found to be part of "+inc.Merged+", which tells the rest."), " ")
	}
	parts = append(parts, "It was a "+string(inc.Severity)+".", affected(st, english), found(inc), causeOf(st, english))
	if deeds := st.deeds(english); len(deeds) > 0 {
		parts = append(parts, "What was done: "+english.join(deeds)+".")
	}
	return strings.Join(append(parts, recovery(st)), " ")
}

// span says from when to when it lasted, as far as that is known.
func span(st story) string {
	inc := st.inc
	day := "On " + inc.OnsetAt.UTC().Format(time.DateOnly)
	end := inc.RecoveredAt
	if end.IsZero() {
		end = inc.ResolvedAt
	}
	if end.IsZero() {
		return day + " since " + inc.OnsetAt.UTC().Format("15:04:05 UTC")
	}
	form := "15:04:05 UTC"
	if end.UTC().Format(time.DateOnly) != inc.OnsetAt.UTC().Format(time.DateOnly) {
		form = "2006-01-02 15:04:05 UTC"
	}
	return day + " from " + inc.OnsetAt.UTC().Format("15:04:05") + " to " + end.UTC().Format(form) + " (" + ops.Since(end.Sub(inc.OnsetAt.Time)) + ")"
}

// found says how it was found, and how long it took to name the cause.
func found(inc ops.Incident) string {
	by, after := inc.Clock.Detect.StoppedBy, "at once"
	if d := inc.DetectedAt.Sub(inc.OnsetAt.Time); d >= time.Second {
		after = ops.Since(d) + " after it began"
	}
	text := "It was detected " + after
	switch {
	case strings.HasPrefix(by, "declared by "):
		text = "It was " + by + " " + after
	case by != "":
		text += " by " + by
	}
	if !inc.LocatedAt.IsZero() {
		text += ", and a cause was named " + ops.Since(inc.LocatedAt.Sub(inc.OnsetAt.Time)) + " after it began"
	}
	return text + "."
}

// recovery says how the recovery was judged.
func recovery(st story) string {
	inc := st.inc
	if inc.RecoveredAt.IsZero() {
		if inc.State.Active() {
			return "It has not recovered yet."
		}
		return "It was ended without a recovery being seen."
	}
	text := "It counts as recovered since " + inc.RecoveredAt.UTC().Format("15:04:05 UTC") + ": " + inc.Clock.Recover.StoppedBy + "."
	if inc.Reopened > 0 {
		text += " Before that it had come back " + english.many(inc.Reopened, "time") + "."
	}
	return text
}
