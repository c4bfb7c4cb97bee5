package chatops

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"goc/ops"
)

const usage = "`/goc list` open incidents\n`/goc ack INC-1` you are on it\n`/goc note INC-1 what you saw`\n`/goc resolve INC-1 [what it was]`"

var incidentID = regexp.MustCompile(`^(?i:INC-)?([1-9][0-9]{0,8})$`)

// verb is one command: what to do, to which incident, with which words.
type verb struct {
	name     string // list, ack, note, resolve, help
	incident string
	text     string
}

// parse reads the text of a slash command. The error says what to type.
func parse(text string) (verb, error) {
	name, rest, _ := strings.Cut(strings.TrimSpace(plain(text, 4000)), " ")
	v := verb{name: strings.ToLower(name)}
	switch v.name {
	case "", "help":
		v.name = "help"
		return v, nil
	case "list":
		return v, nil
	case "acknowledge":
		v.name = "ack"
	case "ack", "note", "resolve":
	default:
		return v, ops.Errorf(ops.Invalid, "there is no such command")
	}
	id, words, _ := strings.Cut(strings.TrimSpace(rest), " ")
	m := incidentID.FindStringSubmatch(id)
	if m == nil {
		return v, ops.Errorf(ops.Invalid, "which incident? Type /goc %s INC-1", v.name)
	}
	v.incident, v.text = "INC-"+m[1], strings.TrimSpace(words)
	if v.name == "note" && v.text == "" {
		return v, ops.Errorf(ops.Invalid, "what is the note? Type /goc note %s what you saw", v.incident)
	}
	return v, nil
}

// do carries a command out and returns what to answer, escaped for Slack.
func (s *Service) do(ctx context.Context, who ops.Principal, text string) string {
	v, err := parse(text)
	if err != nil {
		return sorry(err) + "\n" + usage
	}
	var inc ops.Incident
	switch v.name {
	case "help":
		return usage
	case "list":
		return s.list(ctx)
	case "ack":
		inc, err = s.o.Incidents.Acknowledge(ctx, who, v.incident, v.text)
	case "note":
		inc, err = s.o.Incidents.Note(ctx, who, v.incident, v.text)
	case "resolve":
		inc, err = s.o.Incidents.Resolve(ctx, who, v.incident, v.text)
	}
	if err != nil {
		return sorry(err)
	}
	return fmt.Sprintf("%s is %s: %s", inc.ID, inc.State, mrkdwn(inc.Title, maxField))
}

// list is the open incidents, at most 20.
func (s *Service) list(ctx context.Context) string {
	found, err := s.o.Incidents.List(ctx, ops.IncidentQuery{State: "active", Page: ops.Page{Limit: 20}})
	if err != nil {
		return sorry(err)
	}
	if len(found.Items) == 0 {
		return "Nothing is wrong."
	}
	var lines []string
	for _, inc := range found.Items {
		line := fmt.Sprintf("%s %s %s %s: %s", shapes[inc.Severity], inc.Severity, inc.ID, inc.State, mrkdwn(inc.Title, 100))
		if link := s.link(s.config.Slack.BaseURL, inc.ID); link != "" {
			line += " <" + link + "|war room>"
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

// sorry is an error as a person in chat reads it. What is our own fault is not told in detail.
func sorry(err error) string {
	var e *ops.Error
	if !errors.As(err, &e) || e.Kind == ops.Internal {
		return "That did not work; the server's log says why."
	}
	text := mrkdwn(e.Message, maxField)
	if e.Hint != "" {
		text += " – " + mrkdwn(e.Hint, maxField)
	}
	return text
}
