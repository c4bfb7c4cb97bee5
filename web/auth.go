package web

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"goc/ops"
)

// anonymous is who acts where auth.anonymous lets anyone in.
var anonymous = ops.Principal{Name: "anonymous", Role: ops.Admin}

// identity is who a request comes from, and how that is known.
type identity struct {
	ops.Principal
	token   string // the token's id, "" when it is none of ours
	file    string // the hash of a token of tokens_file, "" when it is none of those
	device  string // Login's key of a device's own secret, "" when it is none
	session string // the session's id, "" unless a cookie said it
	ambient bool   // the browser sent it by itself (cookie, anonymous), so other sites' pages must be kept out
	expires time.Time
}

// auth knows the tokens and sessions, and tells who a request comes from.
type auth struct {
	o       Options
	refused *rate.Limiter // of audit lines about refused requests
	cross   *http.CrossOriginProtection

	mu       sync.RWMutex
	tokens   map[string]storedToken // by id
	file     []storedToken          // from tokens_file
	sessions map[string]session     // by id
	missed   int                    // refused requests since the last audit line
	devices  deviceSecrets

	issuing sync.Mutex // one device's secret at a time; taken before mu
}

// newAuth restores the tokens and sessions from the journal, and reads the file of tokens.
func newAuth(ctx context.Context, o Options) (*auth, error) {
	a := &auth{
		o: o, tokens: map[string]storedToken{}, sessions: map[string]session{},
		devices: deviceSecrets{hashes: map[string]string{}, revoked: map[string]struct{}{}, joining: map[string]struct{}{}},
		refused: rate.NewLimiter(rate.Every(10*time.Second), 5), cross: http.NewCrossOriginProtection(),
	}
	stored, err := loadTokens(ctx, o.Journal)
	if err != nil {
		return nil, err
	}
	for _, t := range stored {
		a.tokens[t.ID] = t
	}
	if err := a.loadSessions(ctx); err != nil {
		return nil, err
	}
	return a, a.readFile()
}

// identify says who r comes from, or why it is refused.
func (a *auth) identify(r *http.Request) (identity, error) {
	now := a.o.Now()
	if h := r.Header.Get("Authorization"); h != "" {
		return a.byToken(bearer(r, h), now)
	}
	if c, err := r.Cookie(sessionCookie); err == nil {
		if id, ok := a.bySession(c.Value, now); ok {
			return id, a.sameSite(r)
		}
	}
	if a.o.Config.Anonymous && local(r) {
		return identity{Principal: anonymous, ambient: true}, a.sameSite(r)
	}
	return identity{}, unauthenticated("none", "this needs a token").hintf("send Authorization: Bearer TOKEN; an admin makes one with goc token create")
}

// bearer reads the token of an Authorization header. Basic is for clients that know nothing else: its password is the token.
func bearer(r *http.Request, header string) string {
	if _, password, ok := r.BasicAuth(); ok {
		return password
	}
	scheme, token, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// byToken finds whose token it is.
func (a *auth) byToken(token string, now time.Time) (identity, error) {
	if strings.HasPrefix(token, devicePrefix) {
		return a.byDevice(token)
	}
	a.mu.RLock()
	defer a.mu.RUnlock()
	hash := hashOf(token)
	if t, ok := a.fromFile(hash); ok {
		return identity{Principal: ops.Principal{Name: t.Name, Role: t.Role}, file: t.Hash}, nil
	}
	id, ok := tokenID(token)
	if !ok {
		return identity{}, unauthenticated("malformed", "that is no token").hintf("copy it again: a part is missing or mistyped")
	}
	t, known := a.tokens[id]
	if !sameHash(t.Hash, hash) || !known {
		return identity{}, unauthenticated("unknown", "the token is not known, or was revoked")
	}
	if expired(t.ExpiresAt, now) {
		return identity{}, unauthenticated("expired", "the token has expired").hintf("an admin makes a new one with goc token create")
	}
	return identity{Principal: ops.Principal{Name: t.Name, Role: t.Role}, token: id, expires: t.ExpiresAt.Time}, nil
}

// fromFile finds a token of tokens_file by its hash. The caller holds the lock.
func (a *auth) fromFile(hash string) (storedToken, bool) {
	for _, t := range a.file {
		if sameHash(t.Hash, hash) {
			return t, true
		}
	}
	return storedToken{}, false
}

func expired(at ops.Time, now time.Time) bool { return !at.IsZero() && !now.Before(at.Time) }

// local says whether r comes from this machine without a proxy, and asks for it by a local name, so that a page whose
// host name was made to point here (DNS rebinding) is kept out.
func local(r *http.Request) bool {
	proxied := r.Header.Get("X-Forwarded-For") != "" || r.Header.Get("Forwarded") != "" || r.Header.Get("X-Real-Ip") != ""
	return loopback(r.RemoteAddr) && loopback(r.Host) && !proxied
}

// sameSite keeps other sites' pages from acting with what a browser sends by itself.
func (a *auth) sameSite(r *http.Request) error {
	if err := a.cross.Check(r); err != nil {
		return &refusal{refuse(http.StatusForbidden, "a page of another site may not do this"), "cross_origin"}
	}
	return nil
}

// refusal is a problem with the reason under which it is counted.
type refusal struct {
	*problem
	reason string
}

// Unwrap lets problemOf find the problem.
func (r *refusal) Unwrap() error { return r.problem }

func unauthenticated(reason, detail string) *refusal {
	return &refusal{refuse(http.StatusUnauthorized, detail), reason}
}

func (r *refusal) hintf(s string) *refusal { r.Hint = s; return r }

// still says whether an identity that was let in earlier would be let in now: live connections outlast tokens.
func (a *auth) still(id identity, now time.Time) bool {
	a.mu.RLock()
	defer a.mu.RUnlock()
	if !id.expires.IsZero() && !now.Before(id.expires) {
		return false
	}
	if id.session != "" {
		if _, ok := a.sessions[id.session]; !ok {
			return false
		}
	}
	if id.device != "" {
		_, gone := a.devices.revoked[id.device]
		return !gone
	}
	ok := true
	if id.token != "" {
		_, ok = a.tokens[id.token]
	} else if id.file != "" {
		_, ok = a.fromFile(id.file)
	}
	return ok
}

// audit writes that a request was refused, at most some per minute; the line says how many more there were.
func (a *auth) audit(r *http.Request, reason string) {
	a.mu.Lock()
	if !a.refused.AllowN(a.o.Now(), 1) {
		a.missed++
		a.mu.Unlock()
		return
	}
	missed := a.missed
	a.missed = 0
	a.mu.Unlock()
	// Nobody waits for the receipt: a refusal must not cost a commit's time, nor be refused when it fails.
	a.o.Journal.Append(ops.Mutation{Events: []ops.Event{ops.NewEvent(ops.At(a.o.Now()), "auth.refused", "auth", r.Pattern, "", map[string]any{
		"text": "a request was refused: " + reason, "reason": reason, "remote": host(r.RemoteAddr), "route": r.Pattern, "more_before": missed,
	})}})
}
