package engine

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"goc/ops"
)

// Bounds of people's work on one incident.
const (
	MaxTasks       = 200
	MaxAttachments = 100
	MaxUpdates     = 500
	MaxURL         = 2_000 // bytes
)

// addTask notes what somebody is to do. Also when the incident is resolved: action items often come later.
func (e *Engine) addTask(inc *incident, in Action, now time.Time) error {
	t := in.Task
	t.Kind = cmp.Or(t.Kind, ops.TaskNow)
	switch {
	case len(inc.Tasks) >= MaxTasks:
		return ops.Errorf(ops.Conflict, "an incident has at most %d tasks", MaxTasks)
	case t.Kind != ops.TaskNow && t.Kind != ops.TaskAction:
		return ops.Errorf(ops.Invalid, "a kind must be task or action_item").At("body.kind")
	}
	if err := checkTask(&t.Title, &t.Owner, &t.DueAt, now); err != nil {
		return err
	}
	inc.LastTask++
	t = ops.Task{ID: inc.LastTask, Kind: t.Kind, Title: t.Title, Owner: t.Owner, DueAt: t.DueAt, CreatedAt: ops.At(now), CreatedBy: in.Who.Name}
	inc.Tasks = append(slices.Clip(inc.Tasks), t)
	e.owe(inc)
	e.event(inc, now, "task_added", "action", in.Who.Name, fmt.Sprintf("%s %d added: %s%s", word(t.Kind), t.ID, t.Title, forWhom(t)), taskData(t))
	return nil
}

// checkTask refuses a title, owner or due date that cannot be; nil is not asked about.
func checkTask(title, owner *string, due *ops.Time, now time.Time) error {
	switch {
	case title != nil && (*title == "" || len(*title) > MaxTitle):
		return ops.Errorf(ops.Invalid, "a task needs a title of 1 to %d bytes", MaxTitle).At("body.title")
	case owner != nil && len(*owner) > ops.MaxNameLength:
		return ops.Errorf(ops.Invalid, "an owner may have at most %d bytes", ops.MaxNameLength).At("body.owner")
	case due != nil && !due.IsZero() && due.Before(now):
		return ops.Errorf(ops.Invalid, "a due date must lie in the future").At("body.due_at")
	}
	return nil
}

// changeTask ticks a task off, or changes who does what by when. To ask for what is so already changes nothing.
func (e *Engine) changeTask(inc *incident, in Action, now time.Time) error {
	i := slices.IndexFunc(inc.Tasks, func(t ops.Task) bool { return t.ID == in.Task.ID })
	if i < 0 {
		return ops.Errorf(ops.NotFound, "this incident has no such task").At("path.task")
	}
	to, t := in.TaskTo, inc.Tasks[i]
	if err := checkTask(to.Title, to.Owner, to.DueAt, now); err != nil {
		return err
	}
	what := applyTo(&t, to, in.Who.Name, now)
	if what == "" {
		return nil
	}
	inc.Tasks = slices.Clone(inc.Tasks) // those who read the incident hold the old ones
	inc.Tasks[i] = t
	e.owe(inc)
	e.event(inc, now, "task_changed", "action", in.Who.Name, fmt.Sprintf("%s %d %s: %s%s", word(t.Kind), t.ID, what, t.Title, forWhom(t)), taskData(t))
	return nil
}

// applyTo changes t as asked and says what that was, "" when nothing changed.
func applyTo(t *ops.Task, to ops.TaskChange, who string, now time.Time) string {
	var did []string
	if to.Title != nil && *to.Title != t.Title {
		t.Title = *to.Title
		did = append(did, "renamed")
	}
	if to.Owner != nil && *to.Owner != t.Owner {
		t.Owner = *to.Owner
		did = append(did, "given to "+cmp.Or(t.Owner, "nobody"))
	}
	if to.DueAt != nil && !to.DueAt.Equal(t.DueAt.Time) {
		t.DueAt, t.RemindedAt, t.Reminders = *to.DueAt, ops.Time{}, 0
		if did = append(did, "moved"); t.DueAt.IsZero() {
			did[len(did)-1] = "no longer due at a time"
		}
	}
	switch {
	case to.Done == nil || *to.Done == !t.DoneAt.IsZero():
	case *to.Done:
		t.DoneAt, t.DoneBy = ops.At(now), who
		did = append(did, "done")
	default:
		t.DoneAt, t.DoneBy = ops.Time{}, ""
		did = append(did, "taken up again")
	}
	return strings.Join(did, ", ")
}

// word is a kind of task in words.
func word(kind string) string {
	if kind == ops.TaskAction {
		return "action item"
	}
	return "task"
}

// forWhom says whose a task is and by when, "" when neither is known.
func forWhom(t ops.Task) string {
	var parts []string
	if t.Owner != "" {
		parts = append(parts, t.Owner)
	}
	if !t.DueAt.IsZero() {
		parts = append(parts, "by "+stamp(t.DueAt))
	}
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, ", ") + ")"
}

// stamp is a time as sentences of the timeline say it.
func stamp(t ops.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// taskData is a task as its events carry it.
func taskData(t ops.Task) map[string]any {
	return map[string]any{
		"task": t.ID, "task_kind": t.Kind, "task_title": t.Title, "owner": t.Owner, "due_at": t.DueAt, "done": !t.DoneAt.IsZero(), "reminders": t.Reminders,
	}
}

// addLink attaches a link to something that is kept elsewhere.
func (e *Engine) addLink(inc *incident, in Action, now time.Time) error {
	l := in.Link
	switch u, err := url.Parse(l.URL); {
	case len(inc.Attachments) >= MaxAttachments:
		return ops.Errorf(ops.Conflict, "an incident has at most %d attachments", MaxAttachments)
	case len(l.URL) > MaxURL || err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return ops.Errorf(ops.Invalid, "an attachment is a link that begins with http:// or https://, of at most %d bytes", MaxURL).At("body.url")
	case len(l.Title) > MaxTitle:
		return ops.Errorf(ops.Invalid, "a title may have at most %d bytes", MaxTitle).At("body.title")
	}
	inc.LastLink++
	l = ops.Attachment{ID: inc.LastLink, Title: cmp.Or(l.Title, l.URL), URL: l.URL, AddedAt: ops.At(now), AddedBy: in.Who.Name}
	inc.Attachments = append(slices.Clip(inc.Attachments), l)
	e.event(inc, now, "attachment_added", "action", in.Who.Name, in.Who.Name+" attached "+l.Title, map[string]any{"attachment": l.ID, "link_title": l.Title, "url": l.URL})
	return nil
}

// dropLink takes a link away.
func (e *Engine) dropLink(inc *incident, in Action, now time.Time) error {
	i := slices.IndexFunc(inc.Attachments, func(l ops.Attachment) bool { return l.ID == in.Link.ID })
	if i < 0 {
		return ops.Errorf(ops.NotFound, "this incident has no such attachment").At("path.attachment")
	}
	l := inc.Attachments[i]
	inc.Attachments = slices.Delete(slices.Clone(inc.Attachments), i, i+1)
	e.event(inc, now, "attachment_removed", "action", in.Who.Name, in.Who.Name+" removed the link "+l.Title, map[string]any{"attachment": l.ID, "link_title": l.Title, "url": l.URL})
	return nil
}

// moveWork gives what people planned, attached and told in an incident that is merged to the one that stays. What does
// not fit there stays where it is, and its tasks can still be done there.
func (e *Engine) moveWork(from, into *incident) {
	n := min(len(from.Tasks), max(0, MaxTasks-len(into.Tasks)))
	for _, t := range from.Tasks[:n] {
		into.LastTask++
		t.ID = into.LastTask
		into.Tasks = append(slices.Clip(into.Tasks), t)
	}
	from.Tasks = slices.Clone(from.Tasks[n:])
	n = min(len(from.Attachments), max(0, MaxAttachments-len(into.Attachments)))
	for _, l := range from.Attachments[:n] {
		into.LastLink++
		l.ID = into.LastLink
		into.Attachments = append(slices.Clip(into.Attachments), l)
	}
	from.Attachments = slices.Clone(from.Attachments[n:])
	e.owe(from)
	e.owe(into)
}
