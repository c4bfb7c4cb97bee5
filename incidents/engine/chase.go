package engine

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"goc/ops"
)

// The owner of a task is reminded when it is due, and each day after while it is not done, at most maxReminders times.
const (
	maxReminders  = 14
	reminderEvery = 24 * time.Hour
)

// nextReminder is when the owner of t is to be reminded next; zero when never.
func nextReminder(t ops.Task) time.Time {
	switch {
	case t.DueAt.IsZero() || !t.DoneAt.IsZero() || t.Reminders >= maxReminders:
		return time.Time{}
	case t.RemindedAt.IsZero():
		return t.DueAt.Time
	}
	days := t.RemindedAt.Sub(t.DueAt.Time)/reminderEvery + 1 // at the same time of day; what was missed while nobody ran is not made up for
	return t.DueAt.Add(days * reminderEvery)
}

// chaseAt is when the next task of inc is to be chased; zero when none is.
func (inc *incident) chaseAt() time.Time {
	var next time.Time
	for _, t := range inc.Tasks {
		if at := nextReminder(t); !at.IsZero() && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	return next
}

// unfinished says whether inc has action items, or tasks with a due date, that are not done.
func (inc *incident) unfinished() bool {
	return slices.ContainsFunc(inc.Tasks, func(t ops.Task) bool {
		return t.DoneAt.IsZero() && (t.Kind == ops.TaskAction || !t.DueAt.IsZero())
	})
}

// owe notes whether inc has tasks to be chased. It is called whenever a task changed. nextChase may come too early, when
// what was due first no longer is; it never comes too late.
func (e *Engine) owe(inc *incident) {
	at := inc.chaseAt()
	if at.IsZero() {
		delete(e.owing, inc)
		return
	}
	e.owing[inc] = true
	if e.nextChase.IsZero() || at.Before(e.nextChase) {
		e.nextChase = at
	}
}

// chase reminds of every task that is due, also of incidents that are long resolved.
func (e *Engine) chase(now time.Time) {
	if e.nextChase.IsZero() || now.Before(e.nextChase) {
		return
	}
	var due []*incident
	for inc := range e.owing {
		if !inc.chaseAt().After(now) {
			due = append(due, inc)
		}
	}
	slices.SortFunc(due, func(a, b *incident) int { return cmp.Compare(a.number, b.number) })
	for _, inc := range due {
		e.remind(inc, now)
	}
	e.nextChase = time.Time{}
	for inc := range maps.Clone(e.owing) {
		e.owe(inc)
	}
}

func (e *Engine) remind(inc *incident, now time.Time) {
	inc.Tasks = slices.Clone(inc.Tasks)
	for i := range inc.Tasks {
		t := &inc.Tasks[i]
		if at := nextReminder(*t); at.IsZero() || at.After(now) {
			continue
		}
		t.RemindedAt, t.Reminders = ops.At(now), t.Reminders+1
		late := "is due now"
		if d := now.Sub(t.DueAt.Time); d >= time.Minute {
			late = "was due " + ago(d)
		}
		text := fmt.Sprintf("%s: %s %d %s: %s", cmp.Or(t.Owner, "nobody owns it"), word(t.Kind), t.ID, late, t.Title)
		e.event(inc, now, "task_reminded", "system", "", text, taskData(*t))
	}
}

// ago says a time span in days where it is days.
func ago(d time.Duration) string {
	if d >= 48*time.Hour {
		return count(int(d/(24*time.Hour)), "day", "days") + " ago"
	}
	return ops.Since(d) + " ago"
}
