package incidents

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"goc/incidents/engine"
	"goc/ops"
)

// UpdateDraft writes, from facts alone, what stakeholders could be told now, and says by when they are to be told; null
// when no update is owed. lang is en or zh.
func (s *Service) UpdateDraft(ctx context.Context, id, lang string) (text string, due ops.Time, err error) {
	l, err := tongueOf(lang)
	if err != nil {
		return "", ops.Time{}, err
	}
	st, err := s.storyOf(ctx, id)
	if err != nil {
		return "", ops.Time{}, err
	}
	return draft(st, l), st.inc.UpdateDueAt, nil
}

// draft is an update to stakeholders: what customers notice, since when, where, what state it is in, what is known of
// the cause and never more, what was done, and when the next update comes. It is pure.
func draft(st story, l tongue) string {
	inc := st.inc
	lines := []string{l.say("head", inc.Severity, inc.Title, inc.ID)}
	if inc.Drill != nil {
		lines = append(lines, l.say("drill"))
	}
	if inc.Merged != "" {
		return strings.Join(append(lines, stateOf(st, l)), "\n")
	}
	lines = append(lines, affected(st, l), lasted(st, l), stateOf(st, l), causeOf(st, l), done(st, l))
	switch {
	case !inc.State.Active():
		lines = append(lines, l.say("last"))
	case st.every > 0:
		lines = append(lines, l.say("next", st.at(ops.At(st.now.Add(st.every)))))
	}
	return strings.Join(slices.DeleteFunc(lines, func(s string) bool { return s == "" }), "\n")
}

// affected says what customers notice, by what was counted.
func affected(st story, l tongue) string {
	i := st.inc.Impact
	var parts []string
	if i.Stores > 0 {
		parts = append(parts, places(st, l, l.many(i.Stores, "store")))
	}
	if i.Devices > 0 {
		parts = append(parts, l.many(i.Devices, "device"))
	}
	if n := len(i.Services); n == 1 {
		parts = append(parts, l.say("service fails", i.Services[0]))
	} else if n > 1 {
		parts = append(parts, l.say("services fail", few(l, i.Services)))
	}
	text := l.say("affected unknown")
	if len(parts) > 0 {
		text = l.say("affected", l.join(parts))
	}
	if i.OrdersPerMin <= -1 {
		text += l.say("gap") + l.say("orders", -i.OrdersPerMin)
	}
	if i.Voice > 0 {
		text += l.say("gap") + l.say("voice", i.Voice)
	}
	return text
}

// places adds where the stores are: their names when they are few, else their cities.
func places(st story, l tongue, stores string) string {
	switch n := len(st.inc.Scope.Store); {
	case n > 0 && n <= 3 && n == st.inc.Impact.Stores:
		return l.say("of", stores, l.list(st.inc.Scope.Store))
	case len(st.cities) > 0:
		return l.say("in", stores, few(l, st.cities))
	}
	return stores
}

// few lists at most five words.
func few(l tongue, words []string) string {
	if len(words) <= 5 {
		return l.list(words)
	}
	return strings.Join(words[:5], l.say("comma")) + " …"
}

// lasted says since when, or from when to when.
func lasted(st story, l tongue) string {
	inc := st.inc
	if end := cmp.Or(inc.RecoveredAt, inc.ResolvedAt); !end.IsZero() {
		return l.say("was", st.at(inc.OnsetAt), st.at(end), l.span(end.Sub(inc.OnsetAt.Time)))
	}
	return l.say("since", st.at(inc.OnsetAt), l.span(st.now.Sub(inc.OnsetAt.Time)))
}

func stateOf(st story, l tongue) string {
	inc := st.inc
	text := ""
	switch {
	case inc.Merged != "":
		text = l.say("state merged", inc.Merged)
	case !inc.State.Active():
		if text = l.say("state resolved", st.at(inc.ResolvedAt)); st.ended != "" {
			text = l.say("state ended", st.at(inc.ResolvedAt), st.ended)
		}
	case !inc.RecoveredAt.IsZero():
		text = l.say("state recovered", st.at(inc.RecoveredAt))
	case inc.State == ops.IncidentMitigated:
		text = l.say("state mitigated")
	case inc.State == ops.IncidentOpen:
		text = l.say("state open")
	case inc.Roles["commander"] != "":
		text = l.say("state commander", inc.Roles["commander"])
	default:
		text = l.say("state acknowledged")
	}
	if inc.Reopened > 0 {
		text += l.say("gap") + l.say("reopened", l.many(inc.Reopened, "time"))
	}
	return text
}

// worthNaming is how probable a suspect must be before people outside the room are told of it.
const worthNaming = 0.5

// causeOf says what is known of the cause: named, suspected, or not known. Never more.
func causeOf(st story, l tongue) string {
	inc := st.inc
	if c := inc.Cause; c != nil {
		switch {
		case c.ChangeID == "" && c.Text == engine.NoChangeText:
			return l.say("cause none", c.By)
		case c.ChangeID == "":
			return l.say("cause named", c.Text, c.By)
		case strings.Contains(c.Text, c.ChangeID):
			return l.say("cause confirmed", c.Text, c.By)
		}
		return l.say("cause text", c.Text, st.nameOf(c.ChangeID, l), c.By)
	}
	first, ok := st.first()
	switch {
	case !inc.LocatedAt.IsZero():
		return l.say("cause undone")
	case !inc.State.Active():
		return l.say("cause never")
	case ok && first.Probability >= worthNaming:
		return l.say("cause suspected", st.nameOf(first.ChangeID, l), fmt.Sprintf("%.0f %%", 100*first.Probability))
	case len(inc.Suspects) > 0 && inc.NoChange >= worthNaming:
		return l.say("cause none suspected")
	}
	return l.say("cause unknown")
}

// nameOf is a change with its title, as far as that is known.
func (st story) nameOf(change string, l tongue) string {
	title := ""
	if c, ok := st.changes[change]; ok {
		title = cmp.Or(c.Title, strings.TrimSpace(c.Service+" "+c.Version))
	}
	for _, s := range st.inc.Suspects {
		if s.ChangeID == change {
			title = cmp.Or(title, s.Title)
		}
	}
	if title == "" {
		return change
	}
	return l.say("named", change, title)
}

// done says what was done so far: plans, changes rolled back, what people called a mitigation.
func done(st story, l tongue) string {
	parts := st.deeds(l)
	if len(parts) == 0 {
		if st.inc.State == ops.IncidentOpen {
			return "" // nobody is on it, which has been said
		}
		return l.say("done nothing")
	}
	return l.say("done", l.join(parts))
}

// deeds are what was done, in the order in which it began.
func (st story) deeds(l tongue) []string {
	type deed struct {
		at   time.Time
		text string
	}
	var all []deed
	for _, r := range st.runs {
		all = append(all, deed{r.StartedAt.Time, runSaid(r, l)})
	}
	for _, c := range st.rolledBack() {
		all = append(all, deed{c.FinishedAt.Time, l.say("rolled back", c.ID)})
	}
	if st.helped != "" {
		all = append(all, deed{st.eased.Time, l.say("helped", st.helped)})
	}
	slices.SortStableFunc(all, func(a, b deed) int { return a.at.Compare(b.at) })
	var out []string
	times := map[string]int{}
	for _, d := range all {
		if times[d.text]++; times[d.text] == 1 {
			out = append(out, d.text)
		}
	}
	for i, text := range out {
		if n := times[text]; n > 1 {
			out[i] = l.say("often", text, l.many(n, "time"))
		}
	}
	return out
}

func runSaid(r ops.ReportRun, l tongue) string {
	if r.State == ops.RunRunning && r.Steps > 0 {
		return l.say("run step", r.Plan, r.Step, r.Steps)
	}
	if _, known := sentences[l]["run "+string(r.State)]; !known {
		return r.Text
	}
	return l.say("run "+string(r.State), r.Plan)
}
