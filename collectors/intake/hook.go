package intake

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"

	"goc/ops"
)

// hook reads the body, checks the signature where there is one, drops what was delivered before, and answers what fn
// answers, as JSON.
func (s *Service) hook(format string, signed bool, fn func(*http.Request, ops.Principal, []byte) (any, error)) http.Handler {
	label := strings.TrimPrefix(strings.TrimPrefix(format, "hooks/"), "alerts/")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, err := s.take(w, r, label, signed, fn)
		if err != nil {
			s.refused.WithLabelValues(label).Inc()
			s.problem(w, r, err)
			return
		}
		writeJSON(w, http.StatusOK, answer)
	})
}

// take reads a hook and has fn do what it says, once.
func (s *Service) take(w http.ResponseWriter, r *http.Request, label string, signed bool, fn func(*http.Request, ops.Principal, []byte) (any, error)) (any, error) {
	body, err := readBody(w, r, MaxHookBody)
	if err != nil {
		return nil, err
	}
	who := ops.Principal{Name: label, Role: ops.CI}
	if !signed {
		who = s.who(r)
	} else if err := s.verify(label, r.Header, body); err != nil {
		return nil, s.forged(label, err)
	}
	hash := sha256.Sum256(body)
	id := delivery(label, who, r.Header, hash)
	if label == "gitlab" && asksGitLab(body) || label == "github" && r.Header.Get("X-GitHub-Event") == protectionRule {
		id = "" // a check that is retried sends the same again and is to be asked again; a rule's question is remembered on disk
	}
	switch known, before := s.seen.has(id); {
	case before && known != hash:
		return nil, s.forged(label, ops.Errorf(ops.Conflict, "this delivery was taken before with another body").At("header").WithHint("a replay that was altered, or a sender that uses an id twice"))
	case before:
		s.unused.WithLabelValues(label, takenBefore).Inc()
		return ignored(takenBefore), nil
	}
	answer, err := fn(r, who, body)
	if err != nil {
		return answer, err
	}
	s.seen.add(id, hash)
	if d, ok := answer.(done); ok && d.Ignored != "" {
		s.unused.WithLabelValues(label, d.reason()).Inc()
	}
	return answer, nil
}

// reason is why nothing came of a hook, in few words that never differ.
func (d done) reason() string {
	if d.ChangeID != "" {
		return alreadyThere
	}
	return d.Ignored
}

// Reasons for which what was taken comes to nothing.
const (
	takenBefore  = "this delivery was taken before"
	alreadyThere = "it had come that far already"
)

// delivery is by what a delivery is known when it is sent again; "" when its sender gives it no id. It is its sender's own:
// nobody makes another's delivery look as if it had come before. GitLab gives all hooks of one event the same id, so there
// the body is part of it.
func delivery(label string, who ops.Principal, h http.Header, body seen) string {
	of := label + "\x00" + who.Name + "\x00" // no header holds a NUL
	for _, name := range []string{"X-GitHub-Delivery", "Idempotency-Key", "X-Gitlab-Event-UUID"} {
		id := h.Get(name)
		switch {
		case id == "" || len(id) > 128:
		case name == "X-Gitlab-Event-UUID":
			return of + id + " " + hex.EncodeToString(body[:8])
		default:
			return of + id
		}
	}
	return ""
}

// verify checks what a sender proves itself with.
func (s *Service) verify(format string, h http.Header, body []byte) *ops.Error {
	ok := false
	switch format {
	case "github":
		ok = signedBy(s.github, h.Get("X-Hub-Signature-256"), body)
	case "gitlab":
		if signature := h.Get("X-Gitlab-Signature"); signature != "" { // of a status check; it counts over the token
			ok = signedByGitLab(s.gitlab, signature, body)
		} else {
			ok = same(s.gitlab, h.Get("X-Gitlab-Token"))
		}
	}
	if !ok {
		return ops.Errorf(ops.Unauthenticated, "the signature is missing or wrong").WithHint("the secret must be the one in the configuration, section hooks." + format)
	}
	return nil
}

// signedBy checks sha256=HEX, the HMAC of the body.
func signedBy(secret, signature string, body []byte) bool {
	given, err := hex.DecodeString(strings.TrimPrefix(signature, "sha256="))
	if err != nil || secret == "" {
		return false
	}
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return hmac.Equal(given, mac.Sum(nil))
}

// same compares secrets in a time that says nothing of them.
func same(secret, given string) bool {
	a, b := sha256.Sum256([]byte(secret)), sha256.Sum256([]byte(given))
	return secret != "" && hmac.Equal(a[:], b[:])
}

// done is the answer to a hook that brings changes.
type done struct {
	ChangeID string           `json:"change_id,omitempty"`
	Status   ops.ChangeStatus `json:"status,omitempty"`
	Ignored  string           `json:"ignored,omitempty"`
}

func ignored(why string) done { return done{Ignored: why} }

// deed is what a hook says of a change: which one, and how far it has come.
type deed struct {
	change ops.Change       // Source and the label external_id say which; Status is not read
	reach  ops.ChangeStatus // "" when it is only announced
	at     ops.Time         // when it came that far; zero is now
	began  ops.Time         // when it began, for one of which the beginning was not told
	note   string
}

// perform records a deed, or moves on the change that it is about. A deed that says less than what is known changes
// nothing: deliveries come late, twice and out of order.
func (s *Service) perform(ctx context.Context, who ops.Principal, d deed) (done, error) {
	d.change = withLabels(d.change)
	c, err := s.changes.Record(ctx, who, d.change)
	if err == nil {
		err = sameKey(d.change, c)
	}
	if err != nil {
		return done{}, err
	}
	d.at = s.notAhead(d.at)
	for _, event := range steps(c.Status, d.reach) {
		moved, err := s.changes.Event(ctx, who, c.ID, ops.ChangeEvent{Event: event, At: d.when(event), Note: d.note})
		if ops.KindOf(err) == ops.Conflict {
			return done{ChangeID: c.ID, Status: c.Status, Ignored: err.Error()}, nil
		}
		if err != nil {
			return done{}, err
		}
		c = moved
	}
	s.taken.WithLabelValues(d.change.Source).Inc()
	return done{ChangeID: c.ID, Status: c.Status}, nil
}

// when is the time of one of the events that a deed comes to: a beginning that was not told lies before the end.
func (d deed) when(event string) ops.Time {
	if event == "start" && d.reach != ops.ChangeStarted && !d.began.IsZero() && d.began.Before(d.at.Time) {
		return d.began
	}
	return d.at
}

// withLabels is a change without labels that say nothing.
func withLabels(c ops.Change) ops.Change {
	c.Labels = withoutEmpty(c.Labels)
	return c
}

// notAhead is a time of a sender; one that is missing, or lies in the future, is now.
func (s *Service) notAhead(at ops.Time) ops.Time {
	if at.IsZero() || at.After(s.now()) {
		return ops.At(s.now())
	}
	return at
}

// sameKey refuses a deed that goes by the id of another: of another service, or of another version of it.
func sameKey(told, known ops.Change) error {
	if told.Service == known.Service && (told.Version == known.Version || told.Version == "" || known.Version == "") {
		return nil
	}
	return ops.Errorf(ops.Conflict, "%s is known by the same id and is another change", known.ID).At("body").WithHint("a replay that was altered, or a sender that uses an id twice")
}

// steps are the events that take a change from one status to another; none when it is there, or past it.
func steps(from, to ops.ChangeStatus) []string {
	switch {
	case to == ops.ChangeStarted && from == ops.ChangePlanned:
		return []string{"start"}
	case to == ops.ChangeStarted && from == ops.ChangePaused:
		return []string{"resume"}
	case to == ops.ChangePaused && from == ops.ChangeStarted:
		return []string{"pause"}
	case to == ops.ChangeFinished && from == ops.ChangePlanned:
		return []string{"start", "finish"}
	case to == ops.ChangeFinished && from.Open():
		return []string{"finish"}
	case to == ops.ChangeAborted && from.Open():
		return []string{"abort"}
	case to == ops.ChangeRolledBack && (from.Open() || from == ops.ChangeFinished):
		return []string{"rollback"}
	}
	return nil
}
