package incidents

import (
	"cmp"
	"context"
	"slices"
	"time"

	"goc/ops"
)

// ActionItems lists the tasks to be done after incidents, of all incidents in memory: overdue first, then by due date,
// those without one last. state is open, overdue, done or all ("" is open); owner "" is everybody's.
func (s *Service) ActionItems(_ context.Context, state, owner string) ([]ops.ActionItem, error) {
	if !slices.Contains([]string{"", "open", "overdue", "done", "all"}, state) {
		return nil, ops.Errorf(ops.Invalid, "a state must be one of open, overdue, done, all").At("query.state")
	}
	now := s.now()
	out := []ops.ActionItem{}
	s.pub.RLock()
	for _, inc := range s.shown {
		for _, t := range inc.Tasks {
			if t.Kind == ops.TaskAction && (owner == "" || t.Owner == owner) && wanted(t, state, now) {
				out = append(out, ops.ActionItem{Task: t, Incident: inc.ID, Title: inc.Title, Overdue: overdue(t, now)})
			}
		}
	}
	s.pub.RUnlock()
	slices.SortFunc(out, func(a, b ops.ActionItem) int {
		return cmp.Or(compareDue(a.Task, b.Task), cmp.Compare(number(a.Incident), number(b.Incident)), cmp.Compare(a.ID, b.ID))
	})
	return out, nil
}

// overdue says whether t should have been done by now.
func overdue(t ops.Task, now time.Time) bool {
	return t.DoneAt.IsZero() && !t.DueAt.IsZero() && t.DueAt.Before(now)
}

func wanted(t ops.Task, state string, now time.Time) bool {
	switch state {
	case "done":
		return !t.DoneAt.IsZero()
	case "overdue":
		return overdue(t, now)
	case "all":
		return true
	}
	return t.DoneAt.IsZero()
}

// compareDue puts what is not done first, and of that what is due first.
func compareDue(a, b ops.Task) int {
	order := func(t ops.Task) (int, time.Time) {
		switch {
		case !t.DoneAt.IsZero():
			return 2, t.DoneAt.Time
		case t.DueAt.IsZero():
			return 1, t.CreatedAt.Time
		}
		return 0, t.DueAt.Time
	}
	ka, ta := order(a)
	kb, tb := order(b)
	return cmp.Or(cmp.Compare(ka, kb), ta.Compare(tb))
}
