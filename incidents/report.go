package incidents

import (
	"context"
	"fmt"
	"strings"
	"time"

	"goc/ops"
)

// Report is the post-incident report in Markdown: what it was, the clock, the suspects, what people decided, the timeline.
func (s *Service) Report(ctx context.Context, id string) (string, error) {
	inc, err := s.Get(ctx, id)
	if err != nil {
		return "", err
	}
	entries, err := s.Timeline(ctx, id)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	writeHead(&b, inc)
	writeClock(&b, inc)
	writeSuspects(&b, inc)
	writeAlerts(&b, inc)
	writeEntries(&b, "Decisions", entries, func(e ops.Entry) bool {
		return e.Kind == "action" || e.Kind == "suspect" && e.Actor != ops.System.Name || e.Kind == "plan"
	})
	writeEntries(&b, "Timeline", entries, func(ops.Entry) bool { return true })
	b.WriteString("## To be filled in by people\n\n- What helped, and what stood in the way?\n- Action items, each with an owner and a date.\n")
	return b.String(), nil
}

// md keeps people's text from being read as Markdown's structure.
func md(s string) string {
	return strings.NewReplacer("\\", "\\\\", "|", "\\|", "\n", " ", "\r", " ", "<", "&lt;", "`", "\\`", "*", "\\*", "[", "\\[", "#", "\\#").Replace(s)
}

func writeHead(b *strings.Builder, inc ops.Incident) {
	fmt.Fprintf(b, "# %s: %s\n\n", inc.ID, md(inc.Title))
	fmt.Fprintf(b, "- Severity: **%s** (%s)\n- State: %s\n- Scope: %s\n", inc.Severity, md(inc.SeverityEvidence), inc.State, md(inc.Scope.String()))
	fmt.Fprintf(b, "- Impact: %s\n", md(inc.Impact.Evidence))
	if inc.Impact.OrdersPerMin != 0 {
		fmt.Fprintf(b, "- Orders: %+.1f a minute against normal\n", inc.Impact.OrdersPerMin)
	}
	for _, role := range []string{"commander", "liaison", "scribe"} {
		if p := inc.Roles[role]; p != "" {
			fmt.Fprintf(b, "- %s: %s\n", strings.ToUpper(role[:1])+role[1:], md(p))
		}
	}
	if inc.Drill != nil {
		fmt.Fprintf(b, "- This was a drill: %s\n", md(*inc.Drill))
	}
	if inc.Merged != "" {
		fmt.Fprintf(b, "- Merged into %s\n", inc.Merged)
	}
	if inc.Reopened > 0 {
		fmt.Fprintf(b, "- Reopened %d times\n", inc.Reopened)
	}
	b.WriteString("\n")
}

func writeClock(b *strings.Builder, inc ops.Incident) {
	b.WriteString("## Clock\n\nMeasured from the onset")
	fmt.Fprintf(b, " at %s.\n\n| leg | at | after | target | met | stopped by |\n|---|---|---|---|---|---|\n", inc.OnsetAt)
	row := func(name string, at ops.Time, l ops.Leg) {
		met := "running"
		if l.Met != nil {
			met = map[bool]string{true: "yes", false: "no"}[*l.Met]
		}
		after := ops.Since(time.Duration(l.ElapsedS * float64(time.Second)))
		if at.IsZero() {
			after = "not yet after " + after
			if !l.Running {
				after = "never"
			}
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %s |\n", name, at, after, ops.Duration(l.TargetS*float64(time.Second)), met, md(l.StoppedBy))
	}
	row("detected", inc.DetectedAt, inc.Clock.Detect)
	row("located", inc.LocatedAt, inc.Clock.Locate)
	row("recovered", inc.RecoveredAt, inc.Clock.Recover)
	b.WriteString("\n")
}

func writeSuspects(b *strings.Builder, inc ops.Incident) {
	b.WriteString("## Suspects\n\n")
	if len(inc.Suspects) == 0 {
		b.WriteString("No change on record could have reached it.\n\n")
		return
	}
	for _, s := range inc.Suspects {
		fmt.Fprintf(b, "%d. **%s** %s, %.0f %%, %s\n", s.Rank, s.ChangeID, md(s.Title), 100*s.Probability, s.Verdict)
		for _, e := range s.Reasons {
			fmt.Fprintf(b, "   - for (%+.1f): %s\n", e.Weight, md(e.Text))
		}
		for _, e := range s.Against {
			fmt.Fprintf(b, "   - against (%+.1f): %s\n", e.Weight, md(e.Text))
		}
	}
	fmt.Fprintf(b, "\nProbability that no change on record did it: %.0f %%.\n\n", 100*inc.NoChange)
}

// reportAlerts is how many alerts a report lists.
const reportAlerts = 50

func writeAlerts(b *strings.Builder, inc ops.Incident) {
	fmt.Fprintf(b, "## Alerts\n\n")
	for i, a := range inc.Alerts {
		if i == reportAlerts {
			fmt.Fprintf(b, "- and %d more\n", len(inc.Alerts)-i)
			break
		}
		fmt.Fprintf(b, "- %s %s (%s): %s\n", a.StartsAt, md(a.Name()), md(a.Summary()), md(a.Reason))
	}
	b.WriteString("\n")
}

func writeEntries(b *strings.Builder, title string, entries []ops.Entry, pick func(ops.Entry) bool) {
	fmt.Fprintf(b, "## %s\n\n", title)
	n := 0
	for _, e := range entries {
		if pick(e) {
			n++
			fmt.Fprintf(b, "- %s %s: %s\n", e.At, md(e.Actor), md(e.Text))
		}
	}
	if n == 0 {
		b.WriteString("None.\n")
	}
	b.WriteString("\n")
}
