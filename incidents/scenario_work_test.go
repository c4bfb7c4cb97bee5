package incidents_test

import (
	"fmt"
	"strconv"

	"goc/incidents/engine"
	"goc/ops"
)

// workOf reads what people do beyond the words that most actions share. A due date counts from now; none takes it away.
func (s *scenario) workOf(do string, who ops.Principal, id string, a map[string]string) engine.Action {
	in := engine.Action{Do: do, Who: who, ID: id, Text: a["text"], Change: a["change"], Link: ops.Attachment{Title: a["title"], URL: a["url"]}}
	in.Task = ops.Task{Title: a["title"], Owner: a["owner"], Kind: a["kind"]}
	in.Task.ID, _ = strconv.Atoi(a["task"])
	in.Link.ID, _ = strconv.Atoi(a["link"])
	due, said := a["due"]
	if said && due != "none" {
		in.Task.DueAt = ops.At(s.now.Add(s.duration(due)))
	}
	if do != "task_change" {
		return in
	}
	if said {
		in.TaskTo.DueAt = &in.Task.DueAt
	}
	if v, said := a["owner"]; said {
		in.TaskTo.Owner = &v
	}
	if v, said := a["title"]; said {
		in.TaskTo.Title = &v
	}
	if v, said := a["done"]; said {
		done := v == "true"
		in.TaskTo.Done = &done
	}
	return in
}

// work prints what people do about an incident, and by when.
func (s *scenario) work(inc ops.Incident) {
	at := func(t ops.Time) string {
		if t.IsZero() {
			return "-"
		}
		return t.Sub(midnight).String()
	}
	fmt.Fprintf(&s.out, "%s %s %s team=%s fault=%s\n", inc.ID, inc.Severity, inc.State, inc.Team, inc.Fault)
	if c := inc.Cause; c != nil {
		fmt.Fprintf(&s.out, "  cause: %q change=%s by %s at %s, first suspect %v\n", c.Text, c.ChangeID, c.By, at(c.At), c.First)
	}
	for _, t := range inc.Tasks {
		fmt.Fprintf(&s.out, "  %s %d: %q owner=%s due=%s done=%s by %q, reminded %d times, last %s\n", t.Kind, t.ID, t.Title, t.Owner, at(t.DueAt), at(t.DoneAt), t.DoneBy, t.Reminders, at(t.RemindedAt))
	}
	for _, l := range inc.Attachments {
		fmt.Fprintf(&s.out, "  link %d: %q %s\n", l.ID, l.Title, l.URL)
	}
	for _, u := range inc.Updates {
		fmt.Fprintf(&s.out, "  update %d: %q by %s at %s\n", u.ID, u.Text, u.By, at(u.At))
	}
	fmt.Fprintf(&s.out, "  next update due: %s\n", at(inc.UpdateDueAt))
}
