package incidents

import (
	"context"
	"encoding/json"

	"goc/incidents/engine"
	"goc/incidents/suspects"
	"goc/ops"
)

// restore reads back what the room wrote, and the changes on record, which are candidates for suspects.
func (s *Service) restore(ctx context.Context) error {
	saved := engine.Saved{Priors: suspects.Priors{}}
	kinds := []struct {
		kind string
		take func(ops.Record) error
	}{
		{"incident", func(r ops.Record) error { return into(r, &saved.Incidents) }},
		{"silence", func(r ops.Record) error { return into(r, &saved.Silences) }},
		{"change", func(r ops.Record) error { return into(r, &saved.Changes) }},
		{"alert", func(r ops.Record) error {
			a := engine.SavedAlert{ID: r.ID}
			if err := json.Unmarshal(r.Body, &a.StoredAlert); err != nil {
				return err
			}
			saved.Alerts = append(saved.Alerts, a)
			return nil
		}},
		{"prior", func(r ops.Record) error {
			var c suspects.Count
			if err := json.Unmarshal(r.Body, &c); err != nil {
				return err
			}
			saved.Priors[ops.ChangeKind(r.ID)] = c
			return nil
		}},
	}
	for _, k := range kinds {
		if err := s.journal.Load(ctx, k.kind, k.take); err != nil {
			return ops.Errorf(ops.Internal, "incidents: the records of kind %s cannot be read back: %w", k.kind, err)
		}
	}
	s.publish(s.engine.Restore(saved, s.now()))
	return nil
}

// into decodes a record and appends it.
func into[T any](r ops.Record, list *[]T) error {
	var v T
	if err := json.Unmarshal(r.Body, &v); err != nil {
		return err
	}
	*list = append(*list, v)
	return nil
}
