package intake

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"

	"goc/ops"
)

// pdEvent is an event of PagerDuty's Events API v2.
type pdEvent struct {
	RoutingKey string     `json:"routing_key"`
	Action     string     `json:"event_action"` // trigger, acknowledge, resolve
	DedupKey   string     `json:"dedup_key"`
	Payload    *pdPayload `json:"payload"`
	Links      []pdLink   `json:"links"`
	Client     text       `json:"client"`
	ClientURL  text       `json:"client_url"`
}

type pdPayload struct {
	Summary   string          `json:"summary"`
	Source    string          `json:"source"`
	Severity  string          `json:"severity"` // critical, error, warning, info
	Timestamp text            `json:"timestamp"`
	Component text            `json:"component"`
	Group     text            `json:"group"`
	Class     text            `json:"class"`
	Details   json.RawMessage `json:"custom_details"`
}

type pdLink struct {
	Href string `json:"href"`
	Text text   `json:"text"`
}

// pdAnswer is what PagerDuty answers.
type pdAnswer struct {
	Status   string   `json:"status"`
	Message  string   `json:"message"`
	DedupKey string   `json:"dedup_key,omitempty"`
	Errors   []string `json:"errors,omitempty"`
}

// parsePD reads an event and lists all that is wrong with it.
func parsePD(body []byte, change bool) (e pdEvent, wrong []string) {
	if err := json.Unmarshal(body, &e); err != nil {
		return e, []string{badJSON(err, "body").Error()}
	}
	must := func(ok bool, what string) {
		if !ok {
			wrong = append(wrong, what)
		}
	}
	must(e.RoutingKey != "" && len(e.RoutingKey) <= 128, "'routing_key' is missing or too long")
	if change {
		must(e.Payload != nil && e.Payload.Summary != "" && len(e.Payload.Summary) <= 1024, "'payload.summary' must have 1 to 1024 bytes")
		return e, wrong
	}
	must(len(e.DedupKey) <= 255, "'dedup_key' may have at most 255 bytes")
	switch e.Action {
	case "trigger":
		p := e.Payload
		if p == nil {
			return e, append(wrong, "'payload' is missing")
		}
		must(p.Summary != "" && len(p.Summary) <= 1024, "'payload.summary' must have 1 to 1024 bytes")
		must(p.Source != "" && len(p.Source) <= ops.MaxLabelValue, "'payload.source' is missing or too long")
		must(p.Severity == "critical" || p.Severity == "error" || p.Severity == "warning" || p.Severity == "info", "'payload.severity' must be critical, error, warning or info")
	case "acknowledge", "resolve":
		must(e.DedupKey != "", "'dedup_key' is missing")
	default:
		must(false, "'event_action' must be trigger, acknowledge or resolve")
	}
	return e, wrong
}

// said makes an alert of an event. Its name is the class, else the summary of the first trigger.
func (e pdEvent) said() said {
	l, notes := loose{"dedup_key": e.DedupKey}, loose{}
	a := said{labels: l, annotations: notes, key: "dedup_key", resolved: e.Action == "resolve", url: string(e.ClientURL)}
	if p := e.Payload; p != nil {
		details := loose{}
		_ = json.Unmarshal(p.Details, &details) // free text is fine as well; only a map can say more of the scope
		for k, v := range details {
			var scope ops.Scope
			if scope.Key(k) != nil {
				l.set(k, v)
			} else if len(notes) < ops.MaxLabels/2 {
				notes.set(labelName(k), v)
			}
		}
		l.set("source", p.Source)
		l.set("severity", p.Severity)
		l.set("component", string(p.Component))
		l.set("group", string(p.Group))
		l["alertname"] = first(p.Class, text(p.Summary))
		notes.set("summary", p.Summary)
		at, _ := ops.ParseTime(string(p.Timestamp))
		a.starts = ops.At(at)
	}
	return a
}

// pdRead reads a request of either endpoint; ok is false when it has been answered.
func (s *Service) pdRead(w http.ResponseWriter, r *http.Request, change bool) (e pdEvent, ok bool) {
	body, err := readBody(w, r, maxPagerDuty)
	if err != nil {
		s.pdRefuse(w, codeOf(err), err.Error())
		return e, false
	}
	e, wrong := parsePD(body, change)
	if len(wrong) > 0 {
		s.pdRefuse(w, http.StatusBadRequest, wrong...)
		return e, false
	}
	if s.pagerduty != "" && !same(s.pagerduty, e.RoutingKey) {
		s.pdRefuse(w, http.StatusUnauthorized, "'routing_key' is not known")
		return e, false
	}
	return e, true
}

func (s *Service) pdRefuse(w http.ResponseWriter, code int, errs ...string) {
	s.refused.WithLabelValues("pagerduty").Inc()
	writeJSON(w, code, pdAnswer{Status: "invalid event", Message: "Event object is invalid", Errors: errs})
}

// pdEnqueue takes an alert. A trigger without a dedup_key is always a new one; an acknowledgement is taken and says
// nothing: people acknowledge incidents here.
func (s *Service) pdEnqueue(w http.ResponseWriter, r *http.Request) {
	e, ok := s.pdRead(w, r, false)
	if !ok {
		return
	}
	if e.DedupKey == "" {
		e.DedupKey = newKey()
	}
	if e.Action != "acknowledge" {
		if _, err := s.hear(r.Context(), "pagerduty", []said{e.said()}); err != nil {
			s.pdRefuse(w, codeOf(err), err.Error())
			return
		}
	}
	writeJSON(w, http.StatusAccepted, pdAnswer{Status: "success", Message: "Event processed", DedupKey: e.DedupKey})
}

// newKey is a key that no one else has.
func newKey() string {
	var b [16]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// pdChange takes a change that has happened.
func (s *Service) pdChange(w http.ResponseWriter, r *http.Request) {
	e, ok := s.pdRead(w, r, true)
	if !ok {
		return
	}
	who := ops.Principal{Name: "pagerduty", Role: ops.CI}
	if s.pagerduty == "" {
		who = s.who(r)
	}
	if _, err := s.perform(r.Context(), who, e.deed()); err != nil {
		s.pdRefuse(w, codeOf(err), err.Error())
		return
	}
	writeJSON(w, http.StatusAccepted, pdAnswer{Status: "success", Message: "Change event processed"})
}

// deed makes a finished change of a change event. Its details may say kind, service, version, environment and scope.
func (e pdEvent) deed() deed {
	p := e.Payload
	details := loose{}
	_ = json.Unmarshal(p.Details, &details)
	at, _ := ops.ParseTime(string(p.Timestamp))
	c := ops.Change{
		Kind: kindOf(details["kind"]), Title: p.Summary, Source: "pagerduty", Service: first(text(details["service"]), text(p.Source)),
		Version: details["version"], Environment: details["environment"], Author: details["author"], Labels: map[string]string{},
	}
	for _, k := range ops.ScopeKeys {
		if v := details[k]; v != "" && k != "service" && k != "kind" {
			*c.Scope.Key(k) = []string{v}
		}
	}
	for i, l := range e.Links {
		if i < maxLinks && l.Href != "" {
			c.Links = append(c.Links, ops.Link{Title: string(l.Text), URL: l.Href})
		}
	}
	if !at.IsZero() { // one that is sent again has the same time and summary
		c.Labels["external_id"] = fmt.Sprintf("%s %s", ops.At(at), ops.Fingerprint(map[string]string{"summary": p.Summary, "source": p.Source}))
	}
	return deed{change: c, reach: ops.ChangeFinished, at: ops.At(at)}
}

const maxLinks = 20

// kindOf is the kind of that name, else other.
func kindOf(name string) ops.ChangeKind {
	for _, k := range ops.ChangeKinds {
		if string(k) == name {
			return k
		}
	}
	return ops.KindOther
}
