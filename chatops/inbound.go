package chatops

import (
	"context"
	"crypto/hmac"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/slack-go/slack"

	"goc/ops"
)

const (
	maxBody  = 1 << 20         // bytes of one inbound request
	maxSkew  = 5 * time.Minute // between Slack's clock and ours
	lateWork = 30 * time.Second
)

// Mount is a handler with its pattern for http.ServeMux; cmd hands it to the web room.
type Mount struct {
	Pattern string
	Roles   []ops.Role
	Public  bool // the handler checks signatures itself
	Handler http.Handler
	Summary string
}

// Mounts are the inbound handlers: none when Slack's signing secret is not configured.
func (s *Service) Mounts() []Mount {
	if s.config.Slack.SigningSecret == "" {
		return nil
	}
	mount := func(name, summary string, h func(http.ResponseWriter, *http.Request, []byte)) Mount {
		return Mount{Pattern: "POST /hooks/slack/" + name, Public: true, Handler: s.signed(name, h), Summary: summary}
	}
	return []Mount{
		mount("interactions", "Buttons of Slack's cards; signed by Slack", s.interaction),
		mount("commands", "The slash command /goc; signed by Slack", s.command),
		mount("events", "Slack's Events API; signed by Slack", s.event),
	}
}

// signed lets only requests through that Slack signed within the last five minutes.
func (s *Service) signed(name string, h func(http.ResponseWriter, *http.Request, []byte)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		var large *http.MaxBytesError
		switch {
		case errors.As(err, &large):
			s.refuse(w, "too_large", http.StatusRequestEntityTooLarge, "the body may have at most 1 MiB")
			return
		case err != nil:
			s.refuse(w, "unread", http.StatusBadRequest, "the body could not be read")
			return
		}
		if reason := verify(s.config.Slack.SigningSecret, r.Header, body, s.o.Now()); reason != "" {
			s.audit(name, reason)
			s.refuse(w, "signature", http.StatusUnauthorized, reason)
			return
		}
		h(w, r, body)
	})
}

// verify checks Slack's signature v0 over the raw body in constant time; it returns why it does not hold, "" when it does.
func verify(secret string, h http.Header, body []byte, now time.Time) string {
	stamp := h.Get("X-Slack-Request-Timestamp")
	sent, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil {
		return "the request has no timestamp"
	}
	if now.Sub(time.Unix(sent, 0)).Abs() > maxSkew {
		return "the timestamp is more than five minutes off"
	}
	given, err := hex.DecodeString(strings.TrimPrefix(h.Get("X-Slack-Signature"), "v0="))
	if err != nil || !hmac.Equal(given, sign(secret, "v0:"+stamp+":"+string(body))) {
		return "the signature does not hold"
	}
	return ""
}

// audit writes down a refusal, at most ten at once and one a second after: the rest is only counted.
func (s *Service) audit(name, reason string) {
	if !s.audits.AllowN(s.o.Now(), 1) {
		return
	}
	s.o.Journal.Append(ops.Mutation{Events: []ops.Event{ops.NewEvent(ops.At(s.o.Now()), "auth.refused", "auth", "slack", "unknown", map[string]string{
		"text": "a request to /hooks/slack/" + name + " was refused: " + reason, "path": "/hooks/slack/" + name, "reason": reason,
	})}})
}

// refuse answers with a problem and counts it.
func (s *Service) refuse(w http.ResponseWriter, reason string, status int, detail string) {
	s.refused.WithLabelValues(reason).Inc()
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]any{"title": http.StatusText(status), "status": status, "detail": detail})
}

// act is what an interaction carries that we use.
type act struct {
	Type      string `json:"type"`
	TriggerID string `json:"trigger_id"`
	User      struct {
		ID       string `json:"id"`
		Name     string `json:"name"`
		Username string `json:"username"`
	} `json:"user"`
	Channel struct {
		ID string `json:"id"`
	} `json:"channel"`
	Actions []struct {
		ActionID string `json:"action_id"`
		ActionTS string `json:"action_ts"`
		Value    string `json:"value"`
	} `json:"actions"`
}

// parseInteraction reads the form field payload of an interaction.
func parseInteraction(body []byte) (act, error) {
	var a act
	form, err := url.ParseQuery(string(body))
	if err != nil || form.Get("payload") == "" {
		return a, ops.Errorf(ops.Invalid, "the body must be a form with the field payload")
	}
	if err := json.Unmarshal([]byte(form.Get("payload")), &a); err != nil || a.Type == "" {
		return a, ops.Errorf(ops.Invalid, "payload is not an interaction")
	}
	return a, nil
}

// person is who acts, as the audit names them.
func person(name, username, id string) ops.Principal {
	for _, n := range []string{name, username, id} {
		if n != "" {
			return ops.Principal{Name: "slack:" + plain(n, 80), Role: ops.Responder}
		}
	}
	return ops.Principal{Name: "slack:unknown", Role: ops.Responder}
}

// interaction answers a button. What it did shows on the card; only what went wrong is said, to the one who pressed.
func (s *Service) interaction(w http.ResponseWriter, r *http.Request, body []byte) {
	a, err := parseInteraction(body)
	if err != nil {
		s.refuse(w, "malformed", http.StatusBadRequest, err.Error())
		return
	}
	if a.Type != "block_actions" {
		return
	}
	s.work(r.Context(), func(ctx context.Context, _ func() bool) {
		for _, one := range a.Actions[:min(len(a.Actions), 10)] {
			if !s.seen.first("act:"+a.TriggerID+":"+one.ActionTS+":"+one.ActionID+":"+one.Value, s.o.Now()) {
				continue
			}
			err := s.may(a.User.ID)
			if err == nil {
				err = s.press(ctx, a, one.ActionID, one.Value)
			}
			if err != nil {
				s.whisper(ctx, a.Channel.ID, a.User.ID, sorry(err))
			}
		}
	})
}

// may refuses those who are not among the configured users, where there are any.
func (s *Service) may(user string) error {
	if u := s.config.Slack.Users; len(u) > 0 && !slices.Contains(u, user) {
		return ops.Errorf(ops.Denied, "you may not act here").WithHint("an admin can add your Slack id to chatops.slack.users")
	}
	return nil
}

// press does what a button stands for.
func (s *Service) press(ctx context.Context, a act, action, incident string) (err error) {
	who := person(a.User.Name, a.User.Username, a.User.ID)
	switch action {
	case actionAcknowledge:
		_, err = s.o.Incidents.Acknowledge(ctx, who, incident, "")
	case actionResolve:
		_, err = s.o.Incidents.Resolve(ctx, who, incident, "")
	}
	return err
}

// command answers the slash command.
func (s *Service) command(w http.ResponseWriter, r *http.Request, body []byte) {
	form, err := url.ParseQuery(string(body))
	if err != nil || form.Get("command") == "" {
		s.refuse(w, "malformed", http.StatusBadRequest, "the body must be a form with the field command")
		return
	}
	if t := form.Get("trigger_id"); t != "" && !s.seen.first("command:"+t, s.o.Now()) {
		say(w, "This was done already.")
		return
	}
	who := person(form.Get("user_name"), "", form.Get("user_id"))
	answer := make(chan string, 1)
	begun := s.work(r.Context(), func(ctx context.Context, late func() bool) {
		text := ""
		if err := s.may(form.Get("user_id")); err != nil {
			text = sorry(err)
		} else {
			text = s.do(ctx, who, form.Get("text"))
		}
		answer <- text
		if late() {
			s.whisper(ctx, form.Get("channel_id"), form.Get("user_id"), text)
		}
	})
	select {
	case text := <-answer:
		say(w, text)
	default:
		if !begun {
			say(w, "Too much is going on; try again in a moment.")
			return
		}
		say(w, "Working on it…")
	}
}

// event answers the Events API. Nothing that is said in channels is read: only the handshake matters.
func (s *Service) event(w http.ResponseWriter, _ *http.Request, body []byte) {
	var e struct {
		Type      string `json:"type"`
		Challenge string `json:"challenge"`
	}
	if err := json.Unmarshal(body, &e); err != nil || e.Type == "" {
		s.refuse(w, "malformed", http.StatusBadRequest, "the body is not an event")
		return
	}
	if e.Type == "url_verification" {
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(map[string]string{"challenge": e.Challenge})
	}
}

// work does fn and returns when it is done or patience is over; then it goes on by itself, at most lateWork. late says
// whether the caller has gone. Beyond 32 at once nothing is begun, and work says so.
func (s *Service) work(ctx context.Context, fn func(ctx context.Context, late func() bool)) (begun bool) {
	patience := time.NewTimer(s.o.Patience)
	defer patience.Stop()
	select {
	case s.busy <- struct{}{}:
	case <-patience.C:
		s.refused.WithLabelValues("busy").Inc()
		return false
	}
	var mu sync.Mutex
	gone := false
	done := make(chan struct{})
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lateWork)
	go func() {
		defer func() { cancel(); <-s.busy; close(done) }()
		fn(ctx, func() bool { mu.Lock(); defer mu.Unlock(); return gone })
	}()
	select {
	case <-done:
	case <-patience.C:
		mu.Lock()
		gone = true
		mu.Unlock()
	}
	return true
}

// whisper tells one person in a channel.
func (s *Service) whisper(ctx context.Context, channel, user, text string) {
	if channel == "" || user == "" {
		return
	}
	if _, err := s.slack.PostEphemeralContext(ctx, channel, user, slack.MsgOptionText(text, false)); err != nil {
		s.o.Logger.Warn("a person in chat could not be told", "error", err)
	}
}

// say answers a slash command, to the one who gave it only.
func say(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(map[string]string{"response_type": "ephemeral", "text": text})
}

// seen remembers keys for a while, so that a request that comes again is not done again.
type seen struct {
	mu   sync.Mutex
	keep time.Duration
	max  int
	at   map[string]time.Time
}

func newSeen(keep time.Duration, most int) *seen {
	return &seen{keep: keep, max: most, at: map[string]time.Time{}}
}

// first says whether the key comes for the first time. When full it forgets what is over, and then everything: the work
// itself may be done twice without harm.
func (s *seen) first(key string, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t, ok := s.at[key]; ok && now.Sub(t) < s.keep {
		return false
	}
	if len(s.at) >= s.max {
		for k, t := range s.at {
			if now.Sub(t) >= s.keep {
				delete(s.at, k)
			}
		}
		if len(s.at) >= s.max {
			clear(s.at)
		}
	}
	s.at[key] = now
	return true
}
