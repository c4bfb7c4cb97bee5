package intake

import (
	"context"
	"slices"

	"goc/ops"
)

// takeTarget takes an event of a target rollout: one place of a deployment, which is a stage of one store of its change.
// Places come at the same time, so the stages are given out one by one.
func (s *Service) takeTarget(ctx context.Context, who ops.Principal, c *cdEvent, predicate string) (why string, err error) {
	if predicate != "queued" && predicate != "started" && predicate != "finished" {
		return unknownPredicate, nil
	}
	content := &c.Subject.Content
	store := lastPart(first(text(c.CustomData["store"]), text(content.Target.id)))
	deployment := first(text(content.DeploymentID), c.Subject.ID)
	if store == "" || deployment == "" {
		return "", ops.Errorf(ops.Invalid, "must name its target and the deployment that it belongs to").At("body.data.subject.content.target")
	}
	ch := c.change(c.deployment(deployment), "targetrollout")
	ch.Scope.Store, ch.Title = nil, "Deploy "+ch.Service+" "+ch.Version
	s.staging.Lock()
	defer s.staging.Unlock()
	known, err := s.changes.Record(ctx, who, withLabels(ch))
	if err != nil || predicate == "queued" {
		return "", err
	}
	return "", s.moveTarget(ctx, who, known, c, predicate, store)
}

// moveTarget starts or ends the stage of a store. What is told twice, or late, changes nothing.
func (s *Service) moveTarget(ctx context.Context, who ops.Principal, known ops.Change, c *cdEvent, predicate, store string) error {
	n := 1 + slices.IndexFunc(known.Stages, func(st ops.Stage) bool { return slices.Equal(st.Scope.Store, []string{store}) })
	begun := n > 0 && !known.Stages[n-1].StartedAt.IsZero()
	over := n > 0 && !known.Stages[n-1].FinishedAt.IsZero()
	if over || begun && predicate == "started" {
		return nil
	}
	if n == 0 {
		n = len(known.Stages) + 1
	}
	event := ops.ChangeEvent{Event: "stage_" + predicate, Stage: n, Stores: []string{store}, At: s.notAhead(timeOf(c.Context.Timestamp)), Note: string(c.Subject.Content.Outcome)}
	_, err := s.changes.Event(ctx, who, known.ID, event)
	if ops.KindOf(err) == ops.Conflict {
		s.unused.WithLabelValues("cloudevents", alreadyThere).Inc()
		return nil
	}
	s.taken.WithLabelValues("cloudevents").Inc()
	return err
}
