package incidents

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"

	"goc/ops"
)

// List selects incidents, newest first. The cursor is the id of the last one on the page before.
func (s *Service) List(_ context.Context, q ops.IncidentQuery) (ops.List[ops.Incident], error) {
	before := 0
	if q.Cursor != "" {
		if before = number(q.Cursor); before == 0 {
			return ops.List[ops.Incident]{}, ops.Errorf(ops.Invalid, "this is no cursor of a list of incidents").At("query.cursor")
		}
	}
	var found []ops.Incident
	s.pub.RLock()
	for _, inc := range s.shown {
		if (before == 0 || number(inc.ID) < before) && selects(q.State, inc.State) {
			found = append(found, inc)
		}
	}
	s.pub.RUnlock()
	slices.SortFunc(found, func(a, b ops.Incident) int { return cmp.Compare(number(b.ID), number(a.ID)) })
	out := ops.List[ops.Incident]{Items: found[:min(len(found), q.Size())]}
	if len(found) > len(out.Items) {
		out.Next = out.Items[len(out.Items)-1].ID
	}
	if out.Items == nil {
		out.Items = []ops.Incident{}
	}
	return out, nil
}

func selects(want string, state ops.IncidentState) bool {
	switch want {
	case "":
		return true
	case "active":
		return state.Active()
	}
	return want == string(state)
}

// Get finds one incident.
func (s *Service) Get(_ context.Context, id string) (ops.Incident, error) {
	s.pub.RLock()
	defer s.pub.RUnlock()
	inc, ok := s.shown[id]
	if !ok {
		return ops.Incident{}, ops.Errorf(ops.NotFound, "there is no such incident").At("path.id")
	}
	return inc, nil
}

// maxRecent is how many incidents Recent lists.
const maxRecent = 100

// Recent lists the newest incidents, resolved ones included, newest first.
func (s *Service) Recent() []ops.Incident {
	l, _ := s.List(context.Background(), ops.IncidentQuery{Page: ops.Page{Limit: maxRecent}}) // no cursor that could be wrong
	return l.Items
}

// Alerts lists those that fire, by start.
func (s *Service) Alerts(context.Context) ([]ops.IncidentAlert, error) {
	s.pub.RLock()
	out := make([]ops.IncidentAlert, 0, len(s.alerts))
	for _, a := range s.alerts {
		out = append(out, a)
	}
	s.pub.RUnlock()
	slices.SortFunc(out, func(a, b ops.IncidentAlert) int {
		return cmp.Or(a.StartsAt.Compare(b.StartsAt.Time), cmp.Compare(a.Fingerprint, b.Fingerprint))
	})
	return out, nil
}

// Silences lists those that are kept, by id, expired ones for a day.
func (s *Service) Silences(context.Context) ([]ops.Silence, error) {
	s.pub.RLock()
	defer s.pub.RUnlock()
	return slices.Clone(s.silences), nil
}

// Bounds of one timeline.
const (
	timelinePage = 1_000
	maxTimeline  = 10_000
)

// Timeline lists what happened to an incident in order, at most maxTimeline entries. A ranking that only moved
// probabilities is left out.
func (s *Service) Timeline(ctx context.Context, id string) ([]ops.Entry, error) {
	if _, err := s.Get(ctx, id); err != nil {
		return nil, err
	}
	out := []ops.Entry{}
	err := s.eachEvent(ctx, id, func(ev ops.Event) bool {
		if e, ok := entry(ev); ok {
			out = append(out, e)
		}
		return len(out) < maxTimeline
	})
	return out, err
}

// eachEvent calls take with each event of an incident in order, until it has enough.
func (s *Service) eachEvent(ctx context.Context, id string, take func(ops.Event) (more bool)) error {
	for since := int64(0); ; {
		events, err := s.journal.Events(ctx, ops.EventQuery{Since: since, Limit: timelinePage, Subject: id})
		if err != nil {
			return err
		}
		for _, ev := range events {
			since = ev.Seq
			if !take(ev) {
				return nil
			}
		}
		if len(events) < timelinePage {
			return nil
		}
	}
}

// entry is an event as a line of a timeline, false when it is not for people.
func entry(ev ops.Event) (ops.Entry, bool) {
	var d struct {
		Text  string `json:"text"`
		Kind  string `json:"kind"`
		Quiet bool   `json:"quiet"`
	}
	if len(ev.Data) > 0 && json.Unmarshal(ev.Data, &d) != nil || d.Quiet || d.Text == "" {
		return ops.Entry{}, false
	}
	return ops.Entry{Seq: ev.Seq, At: ev.At, Kind: cmp.Or(d.Kind, "system"), Actor: ev.Actor, Text: d.Text, Name: ev.Name}, true
}
