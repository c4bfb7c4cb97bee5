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
	for _, e := range st.entries {
		if decided(e) {
			r.Decisions = append(r.Decisions, e)
		}
	}
	r.Markdown = markdown(st, r)
	return r
}

// decided says whether a person decided something with an entry. Notes, tasks and links are no decisions.
func decided(e ops.Entry) bool {
	if e.Actor == ops.System.Name || e.Actor == "" {
		return false
	}
	undecided := []string{"incident.note_added", "incident.task_added", "incident.task_changed", "incident.attachment_added", "incident.attachment_removed", "incident.update_posted", "incident.recovered", "incident.located"}
	return e.Kind != "note" && !slices.Contains(undecided, e.Name)
}

// foldable are the events of which many in a row are told as one line.
var foldable = map[string]string{
	"incident.alert_added": "alerts were taken in", "incident.alert_resolved": "alerts were resolved", "incident.suspects_ranked": "rankings changed the first suspect",
	"incident.merged": "incidents were merged",
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
	for _, name := range []string{"incident.alert_added", "incident.alert_resolved", "incident.suspects_ranked", "incident.merged"} {
		if n := counts[name]; n > 0 {
			parts = append(parts, itoa(n)+" "+foldable[name])
		}
	}
	text := strings.Join(parts, ", ") + " within " + ops.Since(run[len(run)-1].At.Sub(run[0].At.Time)) + "; the first: " + run[0].Text
	return ops.ReportLine{From: run[0].At, To: run[len(run)-1].At, Count: len(run), Kind: run[0].Kind, Actor: run[0].Actor, Text: text}
}

// summary tells the whole in one paragraph to somebody who was not there, from facts alone.
func summary(st story) string {
	inc := st.inc
	now := st.now
	parts := []string{}
	begin := "At " + english.at(inc.OnsetAt, time.Time{}) + " began what was told as “" + inc.Title + "”"
	if inc.Drill != nil {
		begin = "This was a drill (" + *inc.Drill + "). " + begin
	}
	parts = append(parts, begin+", "+string(inc.Severity)+".", affected(st, english))
	parts = append(parts, legStory(inc))
	parts = append(parts, causeOf(st, english))
	if deeds := st.deeds(english); len(deeds) > 0 {
		parts = append(parts, "What was done: "+strings.Join(deeds, "; ")+".")
	}
	switch {
	case inc.Merged != "":
		parts = append(parts, "It was merged into "+inc.Merged+".")
	case !inc.RecoveredAt.IsZero():
		parts = append(parts, "It recovered "+english.span(inc.RecoveredAt.Sub(inc.OnsetAt.Time))+" after it began.")
	case inc.State.Active():
		parts = append(parts, "It still lasts, "+english.span(now.Sub(inc.OnsetAt.Time))+" after it began.")
	}
	return strings.Join(parts, " ")
}

// legStory says how it was found, and how long it took to name the cause.
func legStory(inc ops.Incident) string {
	text := "It was detected " + ops.Since(inc.DetectedAt.Sub(inc.OnsetAt.Time)) + " later by " + inc.Clock.Detect.StoppedBy
	if by := inc.Clock.Detect.StoppedBy; strings.HasPrefix(by, "declared by ") {
		text = "It was " + by + " " + ops.Since(inc.DetectedAt.Sub(inc.OnsetAt.Time)) + " later"
	} else if by == "" {
		text = "It was detected " + ops.Since(inc.DetectedAt.Sub(inc.OnsetAt.Time)) + " later"
	}
	if !inc.LocatedAt.IsZero() {
		text += "; the cause was named " + ops.Since(inc.LocatedAt.Sub(inc.OnsetAt.Time)) + " after it began"
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
		return "It ended without a recovery being seen."
	}
	text := "It counts as recovered since " + inc.RecoveredAt.UTC().Format("2006-01-02 15:04:05 UTC") + ": " + inc.Clock.Recover.StoppedBy + "."
	if inc.Reopened > 0 {
		text += " Before that it had come back " + times(inc.Reopened) + "."
	}
	return text
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return itoa(n) + " times"
}
