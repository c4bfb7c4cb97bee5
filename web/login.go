package web

import (
	"strings"
	"time"

	"goc/ops"
)

// Login says whose a token is, for ways in other than HTTP. StillIn knows it by key; expires is zero where it does not.
func (s *Server) Login(token string) (p ops.Principal, key string, expires time.Time, err error) {
	id, err := s.auth.byToken(token, s.o.Now())
	if err != nil {
		return ops.Principal{}, "", time.Time{}, err
	}
	if strings.HasPrefix(id.Name, enrolPrefix) {
		return ops.Principal{}, "", time.Time{}, ops.Errorf(ops.Denied, "an enrolment token only enrols devices")
	}
	if id.device != "" {
		return id.Principal, id.device, id.expires, nil
	}
	if id.file != "" {
		return id.Principal, "file:" + id.file, id.expires, nil
	}
	return id.Principal, "token:" + id.token, id.expires, nil
}

// StillIn says whether the token that Login knew by key would be let in now.
func (s *Server) StillIn(key string) bool {
	if strings.HasPrefix(key, "device:") {
		return s.auth.deviceStill(key)
	}
	s.auth.mu.RLock()
	defer s.auth.mu.RUnlock()
	if hash, ok := strings.CutPrefix(key, "file:"); ok {
		_, ok := s.auth.fromFile(hash)
		return ok
	}
	t, ok := s.auth.tokens[strings.TrimPrefix(key, "token:")]
	return ok && !expired(t.ExpiresAt, s.o.Now())
}
