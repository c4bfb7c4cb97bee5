package incidents

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"goc/incidents/engine"
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
	p.clock(st, r)
	p.suspects(st)
	p.runs(st, r.Runs)
	p.decisions(st, r.Decisions)
	p.updates(st)
	p.tasks(st)
	p.links(st.inc.Attachments)
	p.alerts(st)
	p.timeline(st, r.Timeline)
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
	row("Scope", where(st))
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
		row("Reopened", english.many(inc.Reopened, "time"))
	}
	p.line("")
}

func (p *page) clock(st story, r ops.IncidentReport) {
	inc := st.inc
	p.section("Clock")
	p.line("All times are in UTC; the legs are measured from the onset, %s.\n\n| leg | at | after | target | met | stopped by |\n|---|---|---|---|---|---|", inc.OnsetAt.UTC().Format("2006-01-02 15:04:05"))
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
		p.line("| %s | %s | %s | %s | %s | %s |", name, st.moment(leg.At), after, ops.Since(seconds(leg.TargetS)), met, md(leg.StoppedBy))
	}
	p.line("\n%s\n", md(r.Recovery))
	for i, s := range inc.Signs {
		if i == 0 {
			p.line("The recovery is judged by:\n")
		}
		p.line("- %s", md(s.Text))
	}
	if len(inc.Signs) > 0 {
		p.line("")
	}
}

// suspects are the changes that were weighed, each with what spoke for and against it.
func (p *page) suspects(st story) {
	inc := st.inc
	p.section("Suspects and cause")
	if c := inc.Cause; c != nil {
		text := md(strings.TrimRight(c.Text, "."))
		if c.ChangeID != "" && !strings.Contains(text, c.ChangeID) {
			text += " (" + c.ChangeID + ")"
		} else if c.ChangeID == "" && c.Text != engine.NoChangeText {
			text += " (no change on record did it)"
		}
		first := "It was not what the program had in the first place when people first judged."
		if c.First {
			first = "The program had it in the first place when people first judged."
		}
		p.line("%s %s named the cause: %s. %s\n", st.moment(c.At), md(c.By), text, first)
	}
	if len(inc.Suspects) == 0 {
		p.line("No change on record could have reached it.\n")
		return
	}
	for _, s := range inc.Suspects {
		p.line("- **%s** %s, %.0f %%, %s", s.ChangeID, md(s.Title), 100*s.Probability, s.Verdict)
		for _, e := range slices.Concat(s.Reasons, s.Against) {
			switch {
			case math.Abs(e.Weight) < 0.05:
				p.line("  - without weight: %s", md(e.Text))
			case e.Weight > 0:
				p.line("  - for (%+.1f): %s", e.Weight, md(e.Text))
			default:
				p.line("  - against (%+.1f): %s", e.Weight, md(e.Text))
			}
		}
	}
	p.line("- No change on record did it: %.0f %%\n", 100*inc.NoChange)
}

// moment is a time of day, with the date when it is not that of the onset; "" when there is none.
func (st story) moment(t ops.Time) string {
	switch {
	case t.IsZero():
		return ""
	case t.UTC().Format(time.DateOnly) == st.inc.OnsetAt.UTC().Format(time.DateOnly):
		return t.UTC().Format("15:04:05")
	}
	return t.UTC().Format("2006-01-02 15:04:05")
}

// where is the scope in a few words: stores by number and city where they are many.
func where(st story) string {
	s := st.inc.Scope
	if len(s.Store) <= 5 {
		return s.String()
	}
	n := len(s.Store)
	s.Store, s.City = nil, nil
	return strings.TrimSpace(s.String() + " " + places(st, english, english.many(n, "store")))
}

func (p *page) runs(st story, runs []ops.ReportRun) {
	if len(runs) == 0 {
		return
	}
	p.section("Plans run")
	for _, r := range runs {
		p.line("- %s to %s: %s, %s: %s", st.moment(r.StartedAt), st.moment(r.LastAt), r.ID, r.State, md(r.Text))
	}
	p.line("")
}

// decisions lists what people decided.
func (p *page) decisions(st story, entries []ops.Entry) {
	p.section("Decisions")
	for _, e := range entries {
		p.line("- %s %s", st.moment(e.At), said(e.Actor, e.Text))
	}
	if len(entries) == 0 {
		p.line("None.")
	}
	p.line("")
}

// said is what somebody did; who it was is not said twice, and what the program did needs no name.
func said(actor, text string) string {
	if actor == "" || actor == ops.System.Name || strings.Contains(text, actor) {
		return md(text)
	}
	return md(actor) + ": " + md(text)
}

func (p *page) updates(st story) {
	if len(st.inc.Updates) == 0 {
		return
	}
	p.section("What stakeholders were told")
	for _, u := range st.inc.Updates {
		p.line("%s, by %s:\n", st.moment(u.At), md(u.By))
		for text := range strings.SplitSeq(u.Text, "\n") {
			p.line("> %s  ", md(text))
		}
		p.line("")
	}
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
		facts = append(facts, "done by "+md(t.DoneBy)+" at "+st.at(t.DoneAt))
	case overdue(t, st.now):
		facts = append(facts, english.say("task late", st.at(t.DueAt)))
	case !t.DueAt.IsZero():
		facts = append(facts, english.say("task due", st.at(t.DueAt)))
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

// reportAlerts is how many kinds of alert a report lists.
const reportAlerts = 30

// alerts lists those that the incident took in; the same alert for the same reason stands once, with how often.
func (p *page) alerts(st story) {
	p.section("Alerts")
	type sort struct{ name, reason string }
	var order []sort
	found := map[sort][]ops.IncidentAlert{}
	for _, a := range st.inc.Alerts {
		k := sort{a.Name(), a.Reason}
		if found[k] == nil {
			order = append(order, k)
		}
		found[k] = append(found[k], a)
	}
	for _, k := range order[:min(len(order), reportAlerts)] {
		same := found[k]
		head := md(k.name)
		if n := len(same); n > 1 {
			head = fmt.Sprintf("%d × %s, the first of them", n, head)
		}
		p.line("- %s %s “%s”: %s", st.moment(same[0].StartsAt), head, md(same[0].Summary()), md(k.reason))
	}
	if n := len(order) - reportAlerts; n > 0 {
		p.line("- and %d more sorts", n)
	}
	if n := st.inc.AlertsTotal - len(st.inc.Alerts); n > 0 {
		p.line("- and %s that are no longer listed", english.many(n, "alert"))
	}
	if len(order) == 0 {
		p.line("None: people declared it.")
	}
	p.line("")
}

// timeline is what happened, in order, day by day.
func (p *page) timeline(st story, lines []ops.ReportLine) {
	p.section("Timeline")
	day := st.inc.OnsetAt.UTC().Format(time.DateOnly)
	for _, l := range lines {
		if d := l.From.UTC().Format(time.DateOnly); d != day {
			day = d
			p.line("\n%s\n", day)
		}
		p.line("- %s %s", l.From.UTC().Format("15:04:05"), said(l.Actor, l.Text))
	}
	p.line("")
}
