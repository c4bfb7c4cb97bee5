package intake

import (
	"encoding/json"
	"strings"
	"time"

	"goc/ops"
)

// parseCloudWatch reads an alarm in an SNS notification, where it is JSON in a string, or an object.
func parseCloudWatch(body []byte) ([]said, error) {
	var p struct {
		Type    string          `json:"Type"`
		Subject text            `json:"Subject"`
		Message json.RawMessage `json:"Message"`
	}
	if err := decode(body, &p); err != nil {
		return nil, err
	}
	if p.Type == "SubscriptionConfirmation" || p.Type == "UnsubscribeConfirmation" {
		return nil, nil // a person confirms it in the console: we open no URL that a request names
	}
	message := []byte(p.Message)
	var quoted string
	if len(message) > 0 && message[0] == '"' {
		if err := json.Unmarshal(message, &quoted); err != nil {
			return nil, badJSON(err, "body.Message")
		}
		message = []byte(quoted)
	}
	var m alarm
	if len(message) == 0 {
		return nil, ops.Errorf(ops.Invalid, "must hold an alarm").At("body.Message")
	}
	if err := json.Unmarshal(message, &m); err != nil {
		return nil, badJSON(err, "body.Message")
	}
	return m.said()
}

// alarm is a CloudWatch alarm that changed its state.
type alarm struct {
	AlarmName        text
	AlarmDescription text
	AWSAccountID     text `json:"AWSAccountId"`
	Region           text
	NewStateValue    text // ALARM, OK, INSUFFICIENT_DATA; absent is ALARM
	NewStateReason   text
	StateChangeTime  text
	Namespace        text
	MetricName       text
	Application      text
	Priority         text
	Trigger          struct {
		Namespace  text
		MetricName text
		Dimensions []struct {
			Name  text `json:"name"`
			Value text `json:"value"`
		}
	}
}

func (m alarm) said() ([]said, error) {
	l := loose{}
	l.set("namespace", first(m.Namespace, m.Trigger.Namespace))
	l.set("metric", first(m.MetricName, m.Trigger.MetricName))
	l.set("account", string(m.AWSAccountID))
	l.set("aws_region", string(m.Region)) // not region: that is ours
	l.set("service", string(m.Application))
	l.set("severity", string(m.Priority))
	for _, d := range m.Trigger.Dimensions {
		l.set(labelName(string(d.Name)), string(d.Value))
	}
	a := said{labels: l, annotations: loose{}, resolved: m.NewStateValue == "OK"}
	loose(a.annotations).set("description", string(m.NewStateReason))
	at, err := time.Parse("2006-01-02T15:04:05.000-0700", string(m.StateChangeTime))
	if err != nil {
		at, _ = ops.ParseTime(string(m.StateChangeTime))
	}
	if a.resolved {
		a.ends = ops.At(at)
	} else {
		a.starts = ops.At(at)
	}
	return named(a, string(m.AlarmName), first(m.AlarmDescription, m.NewStateReason))
}

// labelName makes a label's name of a tag's or dimension's: letters, digits and underscores.
func labelName(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' {
			return r
		}
		return '_'
	}, s)
}

// tags reads "a:b, c:d" or a list of such.
type tags map[string]string

func (t *tags) UnmarshalJSON(b []byte) error {
	var list []text
	if json.Unmarshal(b, &list) != nil {
		var one text
		if err := one.UnmarshalJSON(b); err != nil {
			return err
		}
		for _, p := range strings.Split(string(one), ",") {
			list = append(list, text(p))
		}
	}
	*t = tags{}
	for _, p := range list {
		if k, v, ok := strings.Cut(strings.TrimSpace(string(p)), ":"); ok {
			(*t)[labelName(k)] = v
		}
	}
	return nil
}

// parseDatadog reads a monitor's webhook. Its payload is a template that people write, so each field may be absent.
func parseDatadog(body []byte) ([]said, error) {
	var p struct {
		Title       text   `json:"title"`
		Message     text   `json:"message"`
		Body        text   `json:"body"`
		Description text   `json:"description"`
		Query       text   `json:"query"`
		Tags        tags   `json:"tags"`
		Priority    text   `json:"priority"` // P3 or 3
		MonitorID   text   `json:"monitor_id"`
		AlertID     text   `json:"alert_id"`
		Transition  text   `json:"alert_transition"` // Triggered, Recovered, …
		AlertType   text   `json:"alert_type"`       // error, warning, success
		Link        text   `json:"link"`
		Scopes      []text `json:"scopes"`
		Scope       text   `json:"alert_scope"`
	}
	if err := decode(body, &p); err != nil {
		return nil, err
	}
	l := loose(p.Tags)
	if l == nil {
		l = loose{}
	}
	l.set("monitor_id", first(p.MonitorID, p.AlertID))
	if p.Priority != "" {
		l["severity"] = "P" + strings.TrimPrefix(string(p.Priority), "P")
	}
	scope := string(p.Scope)
	for _, s := range p.Scopes {
		scope = strings.TrimPrefix(scope+","+string(s), ",")
	}
	l.set("scope", scope)
	a := said{labels: l, annotations: loose{}, url: string(p.Link), resolved: p.Transition == "Recovered" || p.AlertType == "success"}
	loose(a.annotations).set("description", first(p.Description, p.Message, p.Body))
	loose(a.annotations).set("query", string(p.Query))
	name := strings.TrimSpace(strings.NewReplacer("[Triggered]", "", "[Recovered]", "", "[Re-Triggered]", "", "[Warn]", "", "[No data]", "").Replace(string(p.Title)))
	return named(a, name, first(p.Message, p.Body, p.Title))
}

// parseSentry reads an issue of Sentry's own webhook plugin, or of an integration (data.event, data.issue).
func parseSentry(body []byte) ([]said, error) {
	var p struct {
		sentryIssue
		Action text `json:"action"`
		Data   struct {
			Event *sentryEvent `json:"event"`
			Issue *sentryIssue `json:"issue"`
		} `json:"data"`
	}
	if err := decode(body, &p); err != nil {
		return nil, err
	}
	issue := p.sentryIssue
	if p.Data.Issue != nil {
		issue = *p.Data.Issue
	}
	if p.Data.Event != nil {
		issue.Event = *p.Data.Event
	}
	return issue.said(p.Action == "resolved" || p.Action == "archived" || p.Action == "ignored")
}

type sentryIssue struct {
	ID      text            `json:"id"`
	Title   text            `json:"title"`
	Project json.RawMessage `json:"project"` // a name, or an object with one
	Level   text            `json:"level"`
	Culprit text            `json:"culprit"`
	Message text            `json:"message"`
	URL     text            `json:"url"`
	WebURL  text            `json:"web_url"`
	Event   sentryEvent     `json:"event"`
}

type sentryEvent struct {
	EventID     text     `json:"event_id"`
	IssueID     text     `json:"issue_id"`
	Title       text     `json:"title"`
	Level       text     `json:"level"`
	Environment text     `json:"environment"`
	Timestamp   ops.Time `json:"timestamp"`
	WebURL      text     `json:"web_url"`
	Tags        [][]text `json:"tags"`
}

func (i sentryIssue) said(resolved bool) ([]said, error) {
	l, notes := loose{}, loose{}
	l.set("service", i.project())
	l.set("severity", first(i.Level, i.Event.Level))
	l.set("environment", string(i.Event.Environment))
	l.set("sentry_issue", first(i.ID, i.Event.IssueID))
	for n, tag := range i.Event.Tags {
		if len(tag) != 2 || n >= ops.MaxLabels/2 {
			continue
		}
		var scope ops.Scope
		if name := string(tag[0]); scope.Key(name) != nil { // what is no scope differs from event to event
			l.set(name, string(tag[1]))
		} else {
			notes.set(labelName(name), string(tag[1]))
		}
	}
	notes.set("description", string(i.Culprit))
	a := said{labels: l, annotations: notes, starts: i.Event.Timestamp, url: first(i.URL, i.WebURL, i.Event.WebURL), resolved: resolved}
	if l["sentry_issue"] != "" {
		a.key = "sentry_issue"
	}
	return named(a, first(i.Event.Title, i.Title, i.Message), first(i.Message, i.Title, i.Event.Title))
}

// project is the name of the project, which is most often the service.
func (i sentryIssue) project() string {
	var name text
	if len(i.Project) == 0 || name.UnmarshalJSON(i.Project) == nil {
		return string(name)
	}
	var p struct {
		Slug text `json:"slug"`
		Name text `json:"name"`
	}
	if json.Unmarshal(i.Project, &p) != nil {
		return ""
	}
	return first(p.Slug, p.Name)
}
