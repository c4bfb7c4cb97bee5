package incidents

import (
	"context"

	"goc/incidents/engine"
	"goc/ops"
)

// restore reads back what the room wrote, and the changes on record, which are candidates for suspects.
func (s *Service) restore(ctx context.Context) error {
	var saved engine.Saved
	for _, kind := range engine.SavedKinds {
		if err := s.journal.Load(ctx, kind, saved.Take); err != nil {
			return ops.Errorf(ops.Internal, "incidents: the records of kind %s cannot be read back: %w", kind, err)
		}
	}
	s.publish(s.engine.Restore(saved, s.tell()))
	return nil
}
