package intake

import (
	"context"
	"encoding/json"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"goc/ops"
)

// cloudEvent is a CloudEvents 1.0 event. Data is JSON, as it is for all events that we know.
type cloudEvent struct {
	SpecVersion text            `json:"specversion"`
	ID          text            `json:"id"`
	Source      text            `json:"source"`
	Type        text            `json:"type"`
	Subject     text            `json:"subject"`
	Time        text            `json:"time"`
	Data        json.RawMessage `json:"data"`
}

// maxEvents bounds one batch.
const maxEvents = 1000

// parseCloudEvents reads a request in any of the three modes: structured, batch, or binary (the event in the headers,
// the data in the body). A body that is a CDEvent without any envelope is taken as its own data.
func parseCloudEvents(h http.Header, body []byte) ([]cloudEvent, error) {
	kind, _, _ := mime.ParseMediaType(h.Get("Content-Type"))
	switch {
	case strings.HasPrefix(kind, "application/cloudevents-batch"):
		var list []cloudEvent
		if err := decode(body, &list); err != nil {
			return nil, err
		}
		if len(list) > maxEvents {
			return nil, ops.Errorf(ops.TooLarge, "may hold at most %d events", maxEvents).At("body")
		}
		return list, nil
	case strings.HasPrefix(kind, "application/cloudevents"):
		var e cloudEvent
		err := decode(body, &e)
		return []cloudEvent{e}, err
	}
	e := cloudEvent{
		SpecVersion: text(h.Get("Ce-Specversion")), ID: text(h.Get("Ce-Id")), Source: text(h.Get("Ce-Source")), Type: text(h.Get("Ce-Type")),
		Subject: text(h.Get("Ce-Subject")), Time: text(h.Get("Ce-Time")), Data: body,
	}
	if e.Type == "" && e.ID == "" {
		var c cdEvent
		if err := decode(body, &c); err != nil {
			return nil, err
		}
		e.SpecVersion, e.ID, e.Source, e.Type, e.Time = "1.0", c.Context.ID, c.Context.Source, c.Context.Type, c.Context.Timestamp
	}
	return []cloudEvent{e}, nil
}

// check says what an event lacks.
func (e cloudEvent) check(place string) error {
	switch {
	case e.SpecVersion != "1.0":
		return ops.Errorf(ops.Invalid, "must be 1.0").At(place + ".specversion")
	case e.ID == "" || e.Source == "" || e.Type == "":
		return ops.Errorf(ops.Invalid, "must have id, source and type").At(place)
	}
	return nil
}

// cloudEventsHook takes each event of a request by itself; the answer lists those that were refused.
func (s *Service) cloudEventsHook(r *http.Request, who ops.Principal, body []byte) (any, error) {
	events, err := parseCloudEvents(r.Header, body)
	if err != nil {
		return nil, err
	}
	out := outcome{Rejected: []ops.Rejected{}}
	var last error
	for i, e := range events {
		err := e.check("body[" + strconv.Itoa(i) + "]")
		why := ""
		if err == nil {
			why, err = s.takeEvent(r.Context(), who, e)
		}
		switch ops.KindOf(err) {
		case "":
			out.Accepted++
			if why != "" {
				out.Ignored++
				s.unused.WithLabelValues("cloudevents", why).Inc()
			}
		case ops.Unavailable, ops.Internal:
			return nil, err
		default:
			out.Rejected, last = append(out.Rejected, ops.Rejected{Index: i, Reason: err.Error()}), err
		}
	}
	if out.Accepted == 0 && last != nil {
		return nil, last
	}
	s.refused.WithLabelValues("cloudevents").Add(float64(len(out.Rejected)))
	return out, nil
}

// cdType takes dev.cdevents.service.deployed.0.3.0 apart; the version does not matter.
func cdType(t string) (subject, predicate string, ok bool) {
	rest, ok := strings.CutPrefix(t, "dev.cdevents.")
	parts := strings.SplitN(rest, ".", 3)
	if !ok || len(parts) < 2 {
		return "", "", false
	}
	return strings.ToLower(parts[0]), strings.ToLower(parts[1]), true
}

// takeEvent does what an event asks for; why says why nothing came of one that was taken.
func (s *Service) takeEvent(ctx context.Context, who ops.Principal, e cloudEvent) (why string, err error) {
	subject, predicate, ok := cdType(string(e.Type))
	if !ok {
		return "the type is no CDEvent", nil
	}
	if !cdUsed[subject] {
		return notUsed(subject), nil
	}
	var c cdEvent
	if err := json.Unmarshal(e.Data, &c); err != nil {
		return "", badJSON(err, "body.data")
	}
	c.complete(e)
	switch subject {
	case "incident":
		return s.takeIncident(ctx, &c, predicate)
	case "changewindow":
		return s.takeWindow(ctx, who, &c, predicate)
	case "targetrollout":
		return s.takeTarget(ctx, who, &c, predicate)
	}
	d, known := c.deed(subject, predicate)
	switch {
	case !known:
		return unknownPredicate, nil
	case predicate == "rolledback":
		return "", s.rollBack(ctx, who, d)
	}
	_, err = s.perform(ctx, who, d)
	return "", err
}
