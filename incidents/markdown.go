package incidents

import (
	"fmt"
	"strconv"
	"strings"

	"goc/ops"
)

func itoa(n int) string { return strconv.Itoa(n) }

// md keeps people's text from being read as Markdown's structure, and from doing anything to a terminal.
func md(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
	return strings.NewReplacer("\\", "\\\\", "|", "\\|", "<", "&lt;", "`", "\\`", "*", "\\*", "[", "\\[", "#", "\\#").Replace(s)
}

// page writes Markdown.
type page struct{ strings.Builder }

func (p *page) line(format string, args ...any) { fmt.Fprintf(p, format+"\n", args...) }

func (p *page) section(title string) { p.line("## %s\n", title) }

// markdown is the report to be read, or to be filed.
func markdown(st story, r ops.IncidentReport) string {
	p := &page{}
	p.line("# %s: %s\n\n%s\n", r.ID, md(r.Title), md(r.Summary))
	p.facts(st)
	p.clock(st.inc, r)
	p.suspects(st.inc)
	p.runs(r.Runs)
	p.entries("Decisions", r.Decisions)
	p.updates(st.inc.Updates)
	p.tasks(st)
	p.links(st.inc.Attachments)
	p.alerts(st.inc)
	p.timeline(r.Timeline)
	p.section("To be filled in by people")
	p.line("- What helped, and what stood in the way?\n- What should be different next time?")
	return p.String()
}

// facts are the things that one looks up.
func (p *page) facts(st story) {
	inc := st.inc
	p.section("Facts")
	p.line("| | |\n|---|---|")
	row := func(name, text string) {
		if text != "" {
			p.line("| %s | %s |", name, md(text))
		}
	}
	row("Severity", strings.TrimSuffix(string(inc.Severity)+" ("+inc.SeverityEvidence+")", " ()"))
	row("State", string(inc.State))
	row("Scope", inc.Scope.String())
	row("Impact", inc.Impact.Evidence)
	if inc.Impact.OrdersPerMin != 0 {
		row("Orders", fmt.Sprintf("%+.1f a minute against normal", inc.Impact.OrdersPerMin))
	}
	row("Team", inc.Team)
	row("Kind of fault", inc.Fault)
	for _, role := range roleNames {
		row(strings.ToUpper(role[:1])+role[1:], inc.Roles[role])
	}
	if inc.Drill != nil {
		row("Drill", *inc.Drill)
	}
	row("Merged into", inc.Merged)
	if inc.Reopened > 0 {
		row("Reopened", times(inc.Reopened))
	}
	p.line("")
}

func (p *page) clock(inc ops.Incident, r ops.IncidentReport) {
	p.section("Clock")
	p.line("Measured from the onset at %s.\n\n| leg | at | after | target | met | stopped by |\n|---|---|---|---|---|---|", inc.OnsetAt)
	for _, leg := range r.Clock {
		met, after := "running", ops.Since(seconds(leg.AfterS))
		if leg.Met != nil {
			met = map[bool]string{true: "yes", false: "no"}[*leg.Met]
		}
		if leg.At.IsZero() {
			if after = "not yet after " + after; !inc.State.Active() {
				after = "never"
			}
		}
		name := map[string]string{"detect": "detected", "locate": "located", "recover": "recovered"}[leg.Name]
		p.line("| %s | %s | %s | %s | %s | %s |", name, leg.At, after, ops.Since(seconds(leg.TargetS)), met, md(leg.StoppedBy))
	}
	p.line("\n%s\n", md(r.Recovery))
	if len(inc.Signs) > 0 {
		for _, s := range inc.Signs {
			p.line("- %s", md(s.Text))
		}
		p.line("")
	}
}

// suspects are the changes that were weighed, each with what spoke for and against it.
func (p *page) suspects(inc ops.Incident) {
	p.section("Suspects and cause")
	if c := inc.Cause; c != nil {
		what := "no change on record"
		if c.ChangeID != "" {
			what = c.ChangeID
		}
		first := "It was not the first suspect when people first judged."
		if c.First {
			first = "The program had it in the first place."
		}
		p.line("%s named the cause at %s: %s (%s). %s\n", md(c.By), c.At, md(c.Text), what, first)
	}
	if len(inc.Suspects) == 0 {
		p.line("No change on record could have reached it.\n")
		return
	}
	for _, s := range inc.Suspects {
		if s.Verdict == "rejected" {
			p.line("- **%s** %s, ruled out by people", s.ChangeID, md(s.Title))
		} else {
			p.line("%d. **%s** %s, %.0f %%, %s", s.Rank, s.ChangeID, md(s.Title), 100*s.Probability, s.Verdict)
		}
		for _, e := range s.Reasons {
			p.line("   - for (%+.1f): %s", e.Weight, md(e.Text))
		}
		for _, e := range s.Against {
			p.line("   - against (%+.1f): %s", e.Weight, md(e.Text))
		}
	}
	p.line("\nProbability that no change on record did it: %.0f %%.\n", 100*inc.NoChange)
}

func (p *page) runs(runs []ops.ReportRun) {
	if len(runs) == 0 {
		return
	}
	p.section("Plans run")
	for _, r := range runs {
		p.line("- %s to %s, %s, %s: %s", r.StartedAt, r.LastAt, r.ID, r.State, md(r.Text))
	}
	p.line("")
}

// entries lists decisions, each with who took it.
func (p *page) entries(title string, entries []ops.Entry) {
	p.section(title)
	for _, e := range entries {
		p.line("- %s %s: %s", e.At, md(e.Actor), md(e.Text))
	}
	if len(entries) == 0 {
		p.line("None.")
	}
	p.line("")
}

func (p *page) updates(updates []ops.Update) {
	if len(updates) == 0 {
		return
	}
	p.section("What stakeholders were told")
	for _, u := range updates {
		p.line("- %s %s: %s", u.At, md(u.By), md(u.Text))
	}
	p.line("")
}

// tasks are what was to be done during the incident, and after it.
func (p *page) tasks(st story) {
	for _, kind := range []struct{ kind, title string }{{ops.TaskNow, "Tasks"}, {ops.TaskAction, "Action items"}} {
		n := 0
		for _, t := range st.inc.Tasks {
			if t.Kind != kind.kind {
				continue
			}
			if n++; n == 1 {
				p.section(kind.title)
			}
			p.line("- [%s] %d. %s (%s)", map[bool]string{true: " ", false: "x"}[t.DoneAt.IsZero()], t.ID, md(t.Title), taskFacts(t, st))
		}
		switch {
		case n > 0:
			p.line("")
		case kind.kind == ops.TaskAction:
			p.section(kind.title)
			p.line("None yet. Each needs an owner and a date.\n")
		}
	}
}

func taskFacts(t ops.Task, st story) string {
	facts := []string{taskOwner(t, english)}
	switch {
	case !t.DoneAt.IsZero():
		facts = append(facts, "done by "+md(t.DoneBy)+" at "+english.at(t.DoneAt, st.now))
	case overdue(t, st.now):
		facts = append(facts, english.say("task late", english.at(t.DueAt, st.now)))
	case !t.DueAt.IsZero():
		facts = append(facts, english.say("task due", english.at(t.DueAt, st.now)))
	}
	return strings.Join(facts, ", ")
}

func (p *page) links(links []ops.Attachment) {
	if len(links) == 0 {
		return
	}
	p.section("Links")
	for _, l := range links {
		p.line("- [%s](<%s>), %s", strings.ReplaceAll(md(l.Title), "]", "\\]"), strings.NewReplacer("<", "%3C", ">", "%3E", "\n", "").Replace(l.URL), md(l.AddedBy))
	}
	p.line("")
}

// reportAlerts is how many alerts a report lists.
const reportAlerts = 20

func (p *page) alerts(inc ops.Incident) {
	p.section("Alerts")
	for _, a := range inc.Alerts[:min(len(inc.Alerts), reportAlerts)] {
		p.line("- %s %s (%s): %s", a.StartsAt, md(a.Name()), md(a.Summary()), md(a.Reason))
	}
	if n := max(len(inc.Alerts), inc.AlertsTotal) - reportAlerts; n > 0 {
		p.line("- and %d more", n)
	}
	if len(inc.Alerts) == 0 {
		p.line("None: people declared it.")
	}
	p.line("")
}

func (p *page) timeline(lines []ops.ReportLine) {
	p.section("Timeline")
	for _, l := range lines {
		p.line("- %s %s: %s", l.From, md(l.Actor), md(l.Text))
	}
	p.line("")
}
