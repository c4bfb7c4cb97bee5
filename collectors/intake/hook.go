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
		answer, err := func() (any, error) {
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
			id := delivery(r.Header)
			if id != "" && s.seen.has(label+" "+id) {
				return ignored("this delivery was taken before"), nil
			}
			answer, err := fn(r, who, body)
			if err == nil && id != "" {
				s.seen.add(label + " " + id)
			}
			return answer, err
		}()
		if err != nil {
			s.refused.WithLabelValues(label).Inc()
			s.problem(w, r, err)
			return
		}
		writeJSON(w, http.StatusOK, answer)
	})
}

// delivery is the sender's id of a delivery, the same when it is sent again.
func delivery(h http.Header) string {
	for _, name := range []string{"X-GitHub-Delivery", "Idempotency-Key", "X-Gitlab-Event-UUID"} {
		if id := h.Get(name); id != "" && len(id) <= 128 {
			return id
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
		ok = same(s.gitlab, h.Get("X-Gitlab-Token"))
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
	note   string
}

// perform records a deed, or moves on the change that it is about. A deed that says less than what is known changes
// nothing: deliveries come late, twice and out of order.
func (s *Service) perform(ctx context.Context, who ops.Principal, d deed) (done, error) {
	d.change.Labels = withoutEmpty(d.change.Labels)
	c, err := s.changes.Record(ctx, who, d.change)
	if err != nil {
		return done{}, err
	}
	if d.at.IsZero() || d.at.After(s.now()) {
		d.at = ops.At(s.now())
	}
	for _, event := range steps(c.Status, d.reach) {
		moved, err := s.changes.Event(ctx, who, c.ID, ops.ChangeEvent{Event: event, At: d.at, Note: d.note})
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
