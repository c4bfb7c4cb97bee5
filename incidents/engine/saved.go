package engine

import (
	"encoding/json"
	"maps"
	"slices"

	"goc/incidents/suspects"
	"goc/ops"
)

// SavedKinds are the kinds of the records that Saved.Take takes from a journal.
var SavedKinds = [...]string{"incident", "silence", "change", "alert", "prior"}

// Take takes one record in, as the journal or a recording has it. A kind that it does not know is left alone.
func (s *Saved) Take(r ops.Record) error {
	switch r.Kind {
	case "incident":
		return into(r, &s.Incidents)
	case "silence":
		return into(r, &s.Silences)
	case "change":
		return into(r, &s.Changes)
	case "alert":
		a := SavedAlert{ID: r.ID}
		err := json.Unmarshal(r.Body, &a.StoredAlert)
		s.Alerts = append(s.Alerts, a)
		return err
	case "prior":
		var c suspects.Count
		if err := json.Unmarshal(r.Body, &c); err != nil {
			return err
		}
		if s.Priors == nil {
			s.Priors = suspects.Priors{}
		}
		s.Priors[ops.ChangeKind(r.ID)] = c
	case "ranking":
		var k SavedRanking
		if err := json.Unmarshal(r.Body, &k); err != nil {
			return err
		}
		if s.Ranked == nil {
			s.Ranked = map[string]SavedRanking{}
		}
		s.Ranked[r.ID], s.GoesOn = k, true
	}
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

// Records is s as records that Take takes.
func (s Saved) Records() []ops.Record {
	var out []ops.Record
	for _, inc := range s.Incidents {
		out = append(out, ops.Encode("incident", inc.ID, inc))
	}
	for _, a := range s.Alerts {
		out = append(out, ops.Encode("alert", a.ID, a.StoredAlert))
	}
	for _, sil := range s.Silences {
		out = append(out, ops.Encode("silence", sil.ID, sil))
	}
	for _, c := range s.Changes {
		out = append(out, ops.Encode("change", c.ID, c))
	}
	for _, kind := range slices.Sorted(maps.Keys(s.Priors)) {
		out = append(out, ops.Encode("prior", string(kind), s.Priors[kind]))
	}
	for _, id := range sortedKeys(s.Ranked) {
		out = append(out, ops.Encode("ranking", id, s.Ranked[id]))
	}
	return out
}
