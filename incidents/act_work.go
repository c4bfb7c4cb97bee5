package incidents

import (
	"context"

	"goc/incidents/engine"
	"goc/ops"
)

// AddTask notes what somebody is to do: kind, title, owner and due date are read, only the title is required.
func (s *Service) AddTask(ctx context.Context, who ops.Principal, id string, t ops.Task) (ops.Incident, error) {
	return s.act(ctx, engine.Action{Do: "task_add", Who: who, ID: id, Task: t})
}

// ChangeTask ticks a task off, or changes who does what by when.
func (s *Service) ChangeTask(ctx context.Context, who ops.Principal, id string, task int, to ops.TaskChange) (ops.Incident, error) {
	return s.act(ctx, engine.Action{Do: "task_change", Who: who, ID: id, Task: ops.Task{ID: task}, TaskTo: to})
}

// Attach adds a link to something that is kept elsewhere, http or https.
func (s *Service) Attach(ctx context.Context, who ops.Principal, id, title, url string) (ops.Incident, error) {
	return s.act(ctx, engine.Action{Do: "attach", Who: who, ID: id, Link: ops.Attachment{Title: title, URL: url}})
}

// Detach takes a link away.
func (s *Service) Detach(ctx context.Context, who ops.Principal, id string, attachment int) (ops.Incident, error) {
	return s.act(ctx, engine.Action{Do: "detach", Who: who, ID: id, Link: ops.Attachment{ID: attachment}})
}

// PostUpdate notes what stakeholders were told, and sets when they are to be told next.
func (s *Service) PostUpdate(ctx context.Context, who ops.Principal, id, text string) (ops.Incident, error) {
	return s.act(ctx, engine.Action{Do: "update", Who: who, ID: id, Text: text})
}

// NameCause takes what people found to be the cause; the locate clock stops. change is the change that did it, "none"
// when no change on record did, "" when the text describes the change that is confirmed, or, where none is, no change.
func (s *Service) NameCause(ctx context.Context, who ops.Principal, id, text, change string) (ops.Incident, error) {
	return s.act(ctx, engine.Action{Do: "cause", Who: who, ID: id, Text: text, Change: change})
}
