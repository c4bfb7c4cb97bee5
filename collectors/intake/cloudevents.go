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

// cdEvent is a CDEvent: the data of an event whose type begins with dev.cdevents.
type cdEvent struct {
	Context struct {
		ID        text `json:"id"`
		Source    text `json:"source"`
		Type      text `json:"type"`
		Timestamp text `json:"timestamp"`
	} `json:"context"` // its version stands in version up to 0.4 and in specversion from 0.5; we need neither
	Subject struct {
		ID      text `json:"id"`
		Content struct {
			Environment reference `json:"environment"`
			Service     reference `json:"service"`
			ArtifactID  text      `json:"artifactId"`
			Description text      `json:"description"`
			TicketURI   text      `json:"ticketURI"`
		} `json:"content"`
	} `json:"subject"`
	CustomData loosely `json:"customData"`
}

// reference is the id of something, as an object or, in older versions, as text.
type reference string

func (r *reference) UnmarshalJSON(b []byte) error {
	var o struct {
		ID   text `json:"id"`
		Name text `json:"name"`
	}
	if json.Unmarshal(b, &o) == nil {
		*r = reference(first(o.ID, o.Name))
		return nil
	}
	var t text
	err := t.UnmarshalJSON(b)
	*r = reference(t)
	return err
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
		if err == nil {
			err = s.takeEvent(r.Context(), who, e)
		}
		switch ops.KindOf(err) {
		case "":
			out.Accepted++
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

// takeEvent does what an event asks for; an event of a type that we do not know is taken and ignored.
func (s *Service) takeEvent(ctx context.Context, who ops.Principal, e cloudEvent) error {
	subject, predicate, ok := cdType(string(e.Type))
	if !ok || subject != "service" && subject != "incident" {
		return nil
	}
	var c cdEvent
	if err := json.Unmarshal(e.Data, &c); err != nil {
		return badJSON(err, "body.data")
	}
	at := first(c.Context.Timestamp, e.Time)
	if subject == "incident" {
		a, known := c.said(predicate)
		if !known {
			return nil
		}
		if when := timeOf(text(at)); a.resolved {
			a.ends = when
		} else {
			a.starts = when
		}
		_, err := s.hear(ctx, "cloudevents", []said{a})
		return err
	}
	d, known := c.deed(predicate, string(e.Source)+" "+string(e.ID))
	if !known {
		return nil
	}
	d.at = timeOf(text(at))
	if predicate == "rolledback" {
		return s.rollBack(ctx, who, d)
	}
	_, err := s.perform(ctx, who, d)
	return err
}

// cdType takes dev.cdevents.service.deployed.0.3.0 apart; the version does not matter.
func cdType(t string) (subject, predicate string, ok bool) {
	rest, ok := strings.CutPrefix(t, "dev.cdevents.")
	parts := strings.SplitN(rest, ".", 3)
	if !ok || len(parts) < 2 {
		return "", "", false
	}
	return parts[0], parts[1], true
}

// cdTitles say what happened to a service.
var cdTitles = map[string]string{
	"deployed": "Deploy ", "upgraded": "Upgrade ", "rolledback": "Roll back ", "published": "Publish ", "removed": "Remove ",
}

// deed makes a finished change of a service event.
func (c *cdEvent) deed(predicate, id string) (deed, bool) {
	title, ok := cdTitles[predicate]
	if !ok {
		return deed{}, false
	}
	version := string(c.Subject.Content.ArtifactID)
	if i := strings.LastIndexByte(version, '/'); i >= 0 { // of a purl, the name and its version
		version = version[i+1:]
	}
	ch := ops.Change{
		Kind: ops.KindRelease, Source: "cloudevents", Service: string(c.Subject.ID), Version: version, Environment: string(c.Subject.Content.Environment),
		Title: title + string(c.Subject.ID), Labels: map[string]string{"external_id": id, "cdevent": "service." + predicate},
	}
	for _, k := range ops.ScopeKeys {
		if v := c.CustomData[k]; v != "" && k != "service" {
			*ch.Scope.Key(k) = []string{v}
		}
	}
	return deed{change: ch, reach: ops.ChangeFinished}, true
}

// rollBack marks the latest release of the service as rolled back; without one it is recorded as a change of its own.
func (s *Service) rollBack(ctx context.Context, who ops.Principal, d deed) error {
	list, err := s.changes.List(ctx, ops.ChangeQuery{Service: d.change.Service, Page: ops.Page{Limit: 100}})
	if err != nil {
		return err
	}
	for _, c := range list.Items {
		if c.Source != d.change.Source || c.Environment != d.change.Environment || c.Labels["cdevent"] == "service.removed" || c.Labels["cdevent"] == "service.published" {
			continue
		}
		if len(steps(c.Status, ops.ChangeRolledBack)) == 0 {
			return nil // told before
		}
		_, err := s.changes.Event(ctx, who, c.ID, ops.ChangeEvent{Event: "rollback", At: d.at})
		return err
	}
	_, err = s.perform(ctx, who, d)
	return err
}

// said makes an alert of an incident event. The incident's id is what it is known by.
func (c *cdEvent) said(predicate string) (said, bool) {
	if predicate != "detected" && predicate != "reported" && predicate != "resolved" {
		return said{}, false
	}
	content := &c.Subject.Content
	l := loose{"alertname": first(content.Description, c.Subject.ID), "cdevents_incident": string(c.Subject.ID)}
	l.set("service", string(content.Service))
	l.set("environment", string(content.Environment))
	l.set("severity", first(text(c.CustomData["priority"]), text(c.CustomData["severity"])))
	notes := loose{}
	notes.set("summary", string(content.Description))
	notes.set("artifact", string(content.ArtifactID))
	return said{labels: l, annotations: notes, url: string(content.TicketURI), key: "cdevents_incident", resolved: predicate == "resolved"}, true
}
