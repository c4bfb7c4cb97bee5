package incidents

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"goc/ops"
)

// Bounds of a hand-over.
const (
	handoverNotes = 3  // last notes of an incident
	handoverOpen  = 50 // incidents that are told whole
	handoverItems = 50 // overdue action items of earlier incidents
)

// Handover writes for the next shift, in Markdown, how one incident stands: state, clocks, cause or first suspect, what
// was tried, open tasks, updates, roles. lang is en or zh.
func (s *Service) Handover(ctx context.Context, id, lang string) (string, error) {
	l, err := tongueOf(lang)
	if err != nil {
		return "", err
	}
	st, err := s.storyOf(ctx, id)
	if err != nil {
		return "", err
	}
	return "# " + handover(st, l), nil
}

// HandoverAll writes how everything stands that is open, the worst first, and which action items of earlier incidents
// are overdue.
func (s *Service) HandoverAll(ctx context.Context, lang string) (string, error) {
	l, err := tongueOf(lang)
	if err != nil {
		return "", err
	}
	open := slices.Clone(s.Active())
	slices.SortStableFunc(open, func(a, b ops.Incident) int { return cmp.Compare(a.Severity, b.Severity) })
	now := s.now().UTC()
	parts := []string{l.say("handover all", s.clockOf(nil).at(ops.At(now), time.Time{}))}
	if duty := onDuty(s.OnCall(now), l); duty != "" {
		parts = append(parts, duty)
	}
	if len(open) == 0 {
		parts = append(parts, l.say("nothing open"))
	} else {
		parts = append(parts, l.say("open now", l.many(len(open), "incident")))
	}
	for _, inc := range open[:min(len(open), handoverOpen)] {
		st, err := s.storyOf(ctx, inc.ID)
		if err != nil {
			return "", err
		}
		parts = append(parts, "## "+handover(st, l))
	}
	items, err := s.ActionItems(ctx, "overdue", "")
	if err != nil {
		return "", err
	}
	if len(items) > 0 {
		parts = append(parts, overdueItems(items, now, s.clockOf(nil), l))
	}
	return strings.Join(parts, "\n\n") + "\n", nil
}

func onDuty(now []ops.OnCall, l tongue) string {
	var names []string
	for _, o := range now {
		if o.Person != "" {
			names = append(names, l.say("is on", md(o.Person), md(o.Schedule)))
		}
	}
	if len(names) == 0 {
		return ""
	}
	return l.say("on duty", l.list(names))
}

func overdueItems(items []ops.ActionItem, now time.Time, c clock, l tongue) string {
	lines := []string{l.say("items"), ""}
	for _, it := range items[:min(len(items), handoverItems)] {
		lines = append(lines, "- "+l.say("item", it.Incident, md(it.Task.Title), taskOwner(it.Task, l), l.say("task late", c.at(it.DueAt, now))))
	}
	return strings.Join(lines, "\n")
}

// handover is how one incident stands, from its heading on, without what marks the heading. It is pure.
func handover(st story, l tongue) string {
	inc := st.inc
	state := string(inc.State)
	if inc.State == ops.IncidentMitigated && !inc.RecoveredAt.IsZero() {
		state = "recovered"
	}
	lines := []string{l.say("handover one", inc.ID, inc.Severity, md(inc.Title)), ""}
	item := func(text string) { lines = append(lines, "- "+text) }
	if inc.Drill != nil {
		item(l.say("drill"))
	}
	item(l.say("state is", l.say(state)+firingNow(st, l)))
	item(md(affected(st, l)))
	item(l.say("clock", clockSaid(st, l)))
	item(md(causeOf(st, l)))
	lines = append(lines, under(l.say("tried"), l.say("tried nothing"), tried(st, l))...)
	lines = append(lines, under(l.say("tasks"), l.say("tasks none"), openTasks(st, l))...)
	item(rolesSaid(st, l))
	item(updatesSaid(st, l))
	lines = append(lines, under(l.say("notes"), "", lastNotes(st, l))...)
	return strings.Join(lines, "\n")
}

// under is an item with its own items below it, or what stands there when there are none; nothing where that is "".
func under(head, none string, items []string) []string {
	if len(items) == 0 {
		if none == "" {
			return nil
		}
		return []string{"- " + none}
	}
	out := []string{"- " + head}
	for _, it := range items {
		out = append(out, "  - "+it)
	}
	return out
}

func firingNow(st story, l tongue) string {
	n := 0
	for _, a := range st.inc.Alerts {
		if a.Status == ops.Firing {
			n++
		}
	}
	if n == 0 {
		return ""
	}
	return l.say("semi") + l.say("alerts firing", l.many(n, "alert"))
}

// clockSaid says each leg: when it was stopped and whether that was in time, or how long it runs.
func clockSaid(st story, l tongue) string {
	inc := st.inc
	var parts []string
	for _, leg := range []struct {
		name string
		at   ops.Time
		leg  ops.Leg
	}{{"detect", inc.DetectedAt, inc.Clock.Detect}, {"locate", inc.LocatedAt, inc.Clock.Locate}, {"recover", inc.RecoveredAt, inc.Clock.Recover}} {
		parts = append(parts, legSaid(l, l.say(leg.name), leg.leg, !leg.at.IsZero(), st.now.Sub(inc.OnsetAt.Time)))
	}
	return l.join(parts)
}

func legSaid(l tongue, name string, leg ops.Leg, stopped bool, runs time.Duration) string {
	target := seconds(leg.TargetS)
	switch {
	case stopped && leg.Met != nil && *leg.Met:
		return l.say("leg done", name, ops.Since(seconds(leg.ElapsedS)), ops.Since(target), l.say("met"))
	case stopped:
		return l.say("leg done", name, ops.Since(seconds(leg.ElapsedS)), ops.Since(target), l.say("missed"))
	case !leg.Running:
		return l.say("leg never", name)
	case runs > target:
		return l.say("leg late", name, ops.Since(runs), ops.Since(runs-target))
	}
	return l.say("leg running", name, ops.Since(runs), ops.Since(target))
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// tried lists what was done, and which suspects people ruled out.
func tried(st story, l tongue) []string {
	var out []string
	for _, d := range st.deeds(l) {
		out = append(out, md(d))
	}
	for _, s := range st.inc.Suspects {
		if s.Verdict == "rejected" {
			out = append(out, md(l.say("ruled out", st.nameOf(s.ChangeID, l))))
		}
	}
	return out
}

func openTasks(st story, l tongue) []string {
	tasks := slices.DeleteFunc(slices.Clone(st.inc.Tasks), func(t ops.Task) bool { return !t.DoneAt.IsZero() })
	slices.SortStableFunc(tasks, compareDue)
	var out []string
	for _, t := range tasks {
		facts := []string{taskOwner(t, l)}
		if overdue(t, st.now) {
			facts = append(facts, l.say("task late", st.at(t.DueAt)))
		} else if !t.DueAt.IsZero() {
			facts = append(facts, l.say("task due", st.at(t.DueAt)))
		}
		out = append(out, l.say("of", fmt.Sprintf("%d. %s", t.ID, md(t.Title)), l.join(facts)))
	}
	return out
}

func taskOwner(t ops.Task, l tongue) string {
	if t.Owner == "" {
		return l.say("task free")
	}
	return md(t.Owner)
}

// roleNames are the roles in the order in which they are told.
var roleNames = []string{"commander", "liaison", "scribe"}

func rolesSaid(st story, l tongue) string {
	var parts []string
	for _, name := range roleNames {
		if p := st.inc.Roles[name]; p != "" {
			parts = append(parts, l.say("role", l.say(name), md(p)))
		}
	}
	if len(parts) == 0 {
		return l.say("roles none")
	}
	return l.say("roles", l.list(parts))
}

func updatesSaid(st story, l tongue) string {
	inc := st.inc
	text := l.say("told never")
	if n := len(inc.Updates); n > 0 {
		text = l.say("told", st.at(inc.Updates[n-1].At), md(inc.Updates[n-1].By))
	}
	switch due := inc.UpdateDueAt; {
	case due.IsZero():
	case due.Before(st.now):
		text += l.say("gap") + l.say("due late", st.at(due))
	default:
		text += l.say("gap") + l.say("due", st.at(due))
	}
	return text
}

func lastNotes(st story, l tongue) []string {
	var out []string
	for _, e := range st.entries {
		if e.Kind == "note" {
			out = append(out, fmt.Sprintf("%s %s: %s", st.at(e.At), md(e.Actor), md(clip(e.Text, 300))))
		}
	}
	return out[max(0, len(out)-handoverNotes):]
}

// clip bounds a text to n characters.
func clip(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n]) + "…"
	}
	return s
}
