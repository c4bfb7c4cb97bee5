package web

import (
	"context"
	"encoding/json"
	"time"

	"goc/ops"
)

// snapshots says what is, topic by topic.
func (c *conn) snapshots(topics []string) error {
	for _, t := range topics {
		if err := c.snapshotOf(t); err != nil {
			return err
		}
	}
	return nil
}

func (c *conn) snapshotOf(topic string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	switch topic {
	case topicSituation:
		c.sent[topic] = 0
		return c.newest(topic, c.h.saySituation(ctx))
	case topicFleet:
		c.sent[topic] = 0
		if err := c.newest(topic, c.h.sayFleet(ctx)); err != nil {
			return err
		}
		return c.wallWhole()
	}
	what, err := c.h.s.whatIs(ctx, topic)
	var data []byte
	if err == nil {
		data, err = json.Marshal(what)
	}
	if err != nil {
		c.mu.Lock()
		delete(c.topics, topic)
		c.mu.Unlock()
		return c.complain(topic, err)
	}
	return c.say(frame{Seq: c.cursor, At: ops.At(c.h.s.o.Now()), Topic: topic, Type: "snapshot", Name: "snapshot", Data: data})
}

// whatIs is the snapshot of a topic: a list of its nouns, or of incident:INC-n the incident and its timeline.
func (s *Server) whatIs(ctx context.Context, topic string) (any, error) {
	hundred := ops.Page{Limit: 100}
	if id, ok := cutIncident(topic); ok {
		return s.incidentNow(ctx, id)
	}
	switch topic {
	case "incidents":
		l, err := s.o.Incidents.List(ctx, ops.IncidentQuery{Page: hundred})
		return filled(l), err
	case "alerts":
		l, err := s.o.Incidents.Alerts(ctx)
		return firstPage(l, err)
	case "changes":
		l, err := s.o.Changes.List(ctx, ops.ChangeQuery{Page: hundred})
		return filled(l), err
	case "gate":
		l, err := s.o.Changes.Freezes(ctx)
		return firstPage(l, err)
	case "plans":
		l, err := s.o.Plans.Runs(ctx)
		return firstPage(l, err)
	case "drills":
		l, err := s.o.Drills.Runs(ctx)
		return firstPage(l, err)
	case "voice":
		l, err := s.o.Voice.Topics(ctx)
		return firstPage(l, err)
	}
	return struct{}{}, nil // auth has events alone
}

func firstPage[T any](l []T, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return pageOf(l, ops.Page{})
}

func (s *Server) incidentNow(ctx context.Context, id string) (any, error) {
	i, err := s.o.Incidents.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	lines, err := s.o.Incidents.Timeline(ctx, id)
	if err != nil {
		return nil, err
	}
	return struct {
		Incident ops.Incident `json:"incident"`
		Timeline []ops.Entry  `json:"timeline"`
	}{i, listed(lines)}, nil
}
