package chatops

import (
	"context"
	"net/http"
	"time"

	"goc/ops"
)

// Follow reads one batch of events and says how many it were.
func Follow(ctx context.Context, s *Service) (int, error) {
	saved := s.cursor.Load()
	return s.follow(ctx, &saved)
}

// Verify checks a signature of Slack's.
func Verify(secret string, h http.Header, body []byte, now time.Time) string {
	return verify(secret, h, body, now)
}

// Card is the card as JSON-able blocks.
func Card(inc ops.Incident, link string, now time.Time) any { return card(inc, link, now) }

// ParseCommand parses and names the command.
func ParseCommand(text string) (name, incident, words string, err error) {
	v, err := parse(text)
	return v.name, v.incident, v.text, err
}

// ParseInteraction parses a form and says how many actions it has.
func ParseInteraction(body []byte) (kind string, actions int, err error) {
	a, err := parseInteraction(body)
	return a.Type, len(a.Actions), err
}
