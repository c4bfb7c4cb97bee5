package intake

import (
	"bytes"
	"encoding/json"
	"strings"

	"goc/ops"
)

// text reads a JSON string, number or true and false as text: senders write the same field now one way, now another.
type text string

func (t *text) UnmarshalJSON(b []byte) error {
	b = bytes.TrimSpace(b)
	switch {
	case string(b) == "null":
		*t = ""
	case b[0] == '"':
		var s string
		if err := json.Unmarshal(b, &s); err != nil {
			return err
		}
		*t = text(s)
	case b[0] == '{', b[0] == '[':
		return ops.Errorf(ops.Invalid, "must be text")
	default:
		*t = text(b)
	}
	return nil
}

// first is the first of the texts that is not empty.
func first(texts ...text) string {
	for _, t := range texts {
		if t != "" {
			return string(t)
		}
	}
	return ""
}

// decode reads one JSON value; what it has beyond v is ignored.
func decode(body []byte, v any) error {
	if err := json.Unmarshal(body, v); err != nil {
		return badJSON(err, "body")
	}
	return nil
}

// loose reads a map of texts, whatever their JSON types, and drops what is nested.
type loose map[string]string

func (l *loose) UnmarshalJSON(b []byte) error {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(b, &raw); err != nil {
		return err
	}
	*l = loose{}
	for k, v := range raw {
		var t text
		if t.UnmarshalJSON(v) == nil {
			(*l)[k] = string(t)
		}
	}
	return nil
}

// set adds a value, if there is one.
func (l loose) set(name, value string) {
	if value != "" {
		l[name] = value
	}
}

// sent is one alert in the webhooks of Alertmanager and Grafana.
type sent struct {
	Status       string   `json:"status"`
	Labels       loose    `json:"labels"`
	Annotations  loose    `json:"annotations"`
	StartsAt     ops.Time `json:"startsAt"`
	EndsAt       ops.Time `json:"endsAt"`
	GeneratorURL string   `json:"generatorURL"`
	PanelURL     string   `json:"panelURL"` // Grafana
}

func (a sent) said() said {
	out := said{labels: a.Labels, annotations: a.Annotations, starts: a.StartsAt, url: a.GeneratorURL, resolved: strings.EqualFold(a.Status, "resolved")}
	if a.Annotations == nil {
		out.annotations = loose{}
	}
	if out.url == "" {
		out.url = a.PanelURL
	}
	if out.resolved {
		out.ends = a.EndsAt
	}
	return out
}

// parseAlertmanager reads the webhook of version 4: a group of alerts.
func parseAlertmanager(body []byte) ([]said, error) {
	var p struct {
		Alerts []sent `json:"alerts"`
	}
	if err := decode(body, &p); err != nil {
		return nil, err
	}
	if len(p.Alerts) == 0 {
		return nil, ops.Errorf(ops.Invalid, "must hold alerts").At("body.alerts").WithHint("this is for Alertmanager's webhook_configs; Prometheus itself sends to /api/v2/alerts")
	}
	out := make([]said, len(p.Alerts))
	for i, a := range p.Alerts {
		out[i] = a.said()
	}
	return out, nil
}

// parsePrometheus reads what Prometheus sends (an array of alerts), Alertmanager's webhook, or a single alert.
func parsePrometheus(body []byte) ([]said, error) {
	if b := bytes.TrimSpace(body); len(b) > 0 && b[0] == '[' {
		var list []sent
		if err := decode(body, &list); err != nil {
			return nil, err
		}
		out := make([]said, len(list))
		for i, a := range list {
			out[i] = a.said()
			out[i].ends = a.EndsAt
		}
		return out, nil
	}
	var p struct {
		sent
		Alerts  []sent `json:"alerts"`
		Name    text   `json:"name"`
		Summary text   `json:"summary"`
	}
	if err := decode(body, &p); err != nil {
		return nil, err
	}
	if len(p.Alerts) > 0 {
		return parseAlertmanager(body)
	}
	a := p.said()
	return named(a, first(text(a.labels["alertname"]), p.Name, p.Summary), string(p.Summary))
}

// named gives an alert its name and summary; one without a name is refused.
func named(a said, name, summary string) ([]said, error) {
	if name == "" {
		return nil, ops.Errorf(ops.Invalid, "does not say what the alert is called").At("body")
	}
	if a.labels == nil {
		a.labels = map[string]string{}
	}
	if a.annotations == nil {
		a.annotations = map[string]string{}
	}
	a.labels["alertname"] = name
	if a.annotations["summary"] == "" && summary != "" {
		a.annotations["summary"] = summary
	}
	return []said{a}, nil
}

// parseGrafana reads the webhook of Grafana's alerting (alerts), of its older one (ruleName, state), and a rule that
// fires as its provisioning API writes it (title, labels, annotations).
func parseGrafana(body []byte) ([]said, error) {
	var p struct {
		Alerts      []sent `json:"alerts"`
		Title       text   `json:"title"`
		RuleName    text   `json:"ruleName"`
		RuleURL     text   `json:"ruleUrl"`
		RuleGroup   text   `json:"ruleGroup"`
		State       text   `json:"state"`
		Message     text   `json:"message"`
		Labels      loose  `json:"labels"`
		Annotations loose  `json:"annotations"`
		Tags        loose  `json:"tags"`
	}
	if err := decode(body, &p); err != nil {
		return nil, err
	}
	if len(p.Alerts) > 0 {
		return parseAlertmanager(body)
	}
	a := said{labels: p.Labels, annotations: p.Annotations, url: string(p.RuleURL), resolved: p.State == "ok" || p.State == "Normal" || p.State == "resolved"}
	if a.labels == nil {
		a.labels = p.Tags
	}
	return named(a, first(p.RuleName, p.Title), string(p.Message))
}
