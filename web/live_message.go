package web

import (
	"encoding/json"
	"regexp"
	"slices"

	"goc/ops"
)

// Bounds of what a live client may send.
const (
	maxLiveMessage = 16 << 10 // bytes
	maxLiveTopics  = 64       // subscribed at once
)

// Topics of the live feed, beside incident:INC-n.
const (
	topicSituation = "situation"
	topicFleet     = "fleet"
)

// liveTopics are those that may be subscribed by name. Alerts come with incidents too, and the gate with changes.
var liveTopics = []string{topicSituation, topicFleet, "incidents", "alerts", "changes", "gate", "plans", "drills", "voice", "auth"}

var incidentTopic = regexp.MustCompile(`^incident:INC-[0-9]{1,18}$`)

// command is what a live client asks for. Since, where set, is the last sequence number that it knows of.
type command struct {
	Subscribe   []string `json:"subscribe"`
	Unsubscribe []string `json:"unsubscribe"`
	Since       *int64   `json:"since"`
}

// parseCommand reads a client's message.
func parseCommand(data []byte) (command, error) {
	var c command
	if err := decodeStrict(data, &c); err != nil {
		return c, err
	}
	if len(c.Subscribe)+len(c.Unsubscribe) > maxLiveTopics {
		return c, ops.Errorf(ops.Invalid, "at most %d topics at once", maxLiveTopics).At("body.subscribe")
	}
	for _, t := range c.Subscribe {
		if !slices.Contains(liveTopics, t) && !incidentTopic.MatchString(t) {
			return c, ops.Errorf(ops.Invalid, "there is no such topic").At("body.subscribe").
				WithHint("situation, fleet, incidents, incident:INC-1, alerts, changes, gate, plans, drills, voice, auth")
		}
	}
	if c.Since != nil && *c.Since < 0 {
		return c, ops.Errorf(ops.Invalid, "must not be negative").At("body.since")
	}
	return c, nil
}

// frame is what the server says. Of an error, Data is a problem and the connection goes on.
type frame struct {
	Seq     int64           `json:"seq"`
	At      ops.Time        `json:"at"`
	Topic   string          `json:"topic,omitempty"`
	Type    string          `json:"type"` // snapshot, event, error
	Name    string          `json:"name"`
	Subject string          `json:"subject,omitempty"`
	Actor   string          `json:"actor,omitempty"`
	Data    json.RawMessage `json:"data"`
}

// encode writes the frame; its parts marshal.
func (f frame) encode() []byte {
	if len(f.Data) == 0 {
		f.Data = json.RawMessage("null")
	}
	b, err := json.Marshal(f)
	if err != nil {
		panic("web: a live frame does not marshal: " + err.Error())
	}
	return b
}

// eventFrame says an event under a topic.
func eventFrame(e ops.Event, topic string, data json.RawMessage) []byte {
	return frame{Seq: e.Seq, At: e.At, Topic: topic, Type: "event", Name: e.Name, Subject: e.Subject, Actor: e.Actor, Data: data}.encode()
}

// carries says whether an event goes out under a topic.
func carries(topic string, e ops.Event, incident string) bool {
	switch topic {
	case topicSituation, topicFleet: // these say what is, not what happened
		return false
	case "incidents":
		return e.Topic == "incidents" || e.Topic == "alerts"
	case "changes":
		return e.Topic == "changes" || e.Topic == "gate"
	}
	if id, ok := cutIncident(topic); ok {
		return id == incident
	}
	return topic == e.Topic
}

// cutIncident reads the id out of incident:INC-n.
func cutIncident(topic string) (string, bool) {
	const before = "incident:"
	if len(topic) > len(before) && topic[:len(before)] == before {
		return topic[len(before):], true
	}
	return "", false
}

// incidentOf is the incident that an event is about, "" when it is about none: the subject, or what its data says.
func incidentOf(e ops.Event) string {
	if e.Topic == "incidents" {
		return e.Subject
	}
	if e.Topic != "plans" && e.Topic != "drills" && e.Topic != "alerts" {
		return ""
	}
	var d struct {
		Incident string `json:"incident"`
	}
	_ = json.Unmarshal(e.Data, &d) // data of another shape is about none
	return d.Incident
}

// withIncident puts the current incident into an event's data.
func withIncident(data json.RawMessage, incident json.RawMessage) json.RawMessage {
	fields := map[string]json.RawMessage{}
	if json.Unmarshal(data, &fields) != nil || fields == nil {
		fields = map[string]json.RawMessage{}
	}
	fields["incident"] = incident
	b, err := json.Marshal(fields)
	if err != nil {
		return data
	}
	return b
}
