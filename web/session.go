package web

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"goc/ops"
)

// sessionCookie carries a browser's session.
const sessionCookie = "goc_session"

// maxSessions bounds how many browsers may be signed in at once.
const maxSessions = 10_000

// session is the record of kind "session": a browser that showed a token. Its id is the SHA-256 of what the cookie says.
type session struct {
	TokenID   string        `json:"token_id,omitempty"`
	File      string        `json:"file,omitempty"` // the hash of a token of tokens_file
	Who       ops.Principal `json:"who"`
	CreatedAt ops.Time      `json:"created_at"`
	ExpiresAt ops.Time      `json:"expires_at"`
}

func (a *auth) loadSessions(ctx context.Context) error {
	return a.o.Journal.Load(ctx, "session", func(r ops.Record) error {
		var s session
		if err := json.Unmarshal(r.Body, &s); err != nil {
			return fmt.Errorf("session: %w", err)
		}
		a.sessions[r.ID] = s
		return nil
	})
}

// bySession finds whose session a cookie's value is. A session ends with its token.
func (a *auth) bySession(value string, now time.Time) (identity, bool) {
	id := hashOf(value)
	a.mu.RLock()
	defer a.mu.RUnlock()
	s, ok := a.sessions[id]
	if !ok || expired(s.ExpiresAt, now) {
		return identity{}, false
	}
	if t, ok := a.tokens[s.TokenID]; s.TokenID != "" && (!ok || expired(t.ExpiresAt, now)) {
		return identity{}, false
	}
	if _, ok := a.fromFile(s.File); s.File != "" && !ok {
		return identity{}, false
	}
	return identity{Principal: s.Who, token: s.TokenID, file: s.File, session: id, ambient: true, expires: s.ExpiresAt.Time}, true
}

// signIn makes a session for a token and returns the cookie that carries it.
func (a *auth) signIn(ctx context.Context, token string, secure bool) (identity, *http.Cookie, error) {
	now := a.o.Now()
	id, err := a.byToken(token, now)
	if err != nil {
		return identity{}, nil, err
	}
	_, value := newSecret()
	s := session{TokenID: id.token, File: id.file, Who: id.Principal, CreatedAt: ops.At(now), ExpiresAt: ops.At(now.Add(a.o.Config.sessionLifetime()))}
	a.mu.Lock()
	m := ops.Mutation{Put: []ops.Record{ops.Encode("session", hashOf(value), s)}, Delete: a.dropSessions(now)}
	a.sessions[hashOf(value)] = s
	receipt := a.o.Journal.Append(m)
	a.mu.Unlock()
	if _, err := receipt.Wait(ctx); err != nil {
		return identity{}, nil, err
	}
	return id, a.cookie(value, s.ExpiresAt.Time, secure), nil
}

// dropSessions forgets the sessions that have ended, and one more when there are too many. The caller holds the lock.
func (a *auth) dropSessions(now time.Time) (gone []ops.Record) {
	full := len(a.sessions) >= maxSessions
	for id, s := range a.sessions {
		if full || expired(s.ExpiresAt, now) {
			delete(a.sessions, id)
			gone = append(gone, ops.Record{Kind: "session", ID: id})
			full = false
		}
	}
	return gone
}

// signOut ends a session.
func (a *auth) signOut(ctx context.Context, value string) error {
	id := hashOf(value)
	a.mu.Lock()
	if _, ok := a.sessions[id]; !ok {
		a.mu.Unlock()
		return nil
	}
	delete(a.sessions, id)
	receipt := a.o.Journal.Append(ops.Mutation{Delete: []ops.Record{{Kind: "session", ID: id}}})
	a.mu.Unlock()
	_, err := receipt.Wait(ctx)
	return err
}

// cookie is the session's cookie; an empty value takes it away.
func (a *auth) cookie(value string, expires time.Time, secure bool) *http.Cookie {
	c := &http.Cookie{
		Name: sessionCookie, Value: value, Path: "/", Expires: expires, HttpOnly: true,
		Secure: secure || a.o.Config.CookieSecure, SameSite: http.SameSiteStrictMode,
	}
	if value == "" {
		c.MaxAge = -1
	}
	return c
}

// create makes a token and knows it from then on.
func (a *auth) create(ctx context.Context, who ops.Principal, spec TokenSpec) (Token, string, error) {
	a.mu.RLock()
	full := len(a.tokens) >= maxTokens
	a.mu.RUnlock()
	if full {
		return Token{}, "", ops.Errorf(ops.Conflict, "there are already %d tokens", maxTokens).WithHint("revoke those that nobody uses")
	}
	t, secret, err := CreateToken(ctx, a.o.Journal, who, spec, a.o.Now())
	if err != nil {
		return Token{}, "", err
	}
	a.mu.Lock()
	a.tokens[t.ID] = storedToken{t, hashOf(secret)}
	a.mu.Unlock()
	return t, secret, nil
}

// revoke takes a token back; its sessions end with it. It is refused from the moment on disk.
func (a *auth) revoke(ctx context.Context, who ops.Principal, id string) error {
	a.issuing.Lock() // an enrolment that takes a use off the token must not write it again
	defer a.issuing.Unlock()
	if err := RevokeToken(ctx, a.o.Journal, who, id, a.o.Now()); err != nil {
		return err
	}
	a.mu.Lock()
	delete(a.tokens, id)
	a.mu.Unlock()
	return nil
}
