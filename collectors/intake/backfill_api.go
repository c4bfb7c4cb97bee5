package intake

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"goc/ops"
)

// pause is what a sender asks for that is asked too often.
type pause struct{ wanted time.Duration }

func (p *pause) Error() string { return "the sender asks for a pause of " + p.wanted.String() }

// ask does one request of a sender's API and reads its JSON into v.
func (s *Service) ask(ctx context.Context, f *feeder, path string, v any) (http.Header, error) {
	ctx, cancel := context.WithTimeout(ctx, backfillTimeout)
	defer cancel()
	resp, err := s.request(ctx, f, path)
	if err == nil && resp.StatusCode == http.StatusUnauthorized && f.rotated() {
		resp.Body.Close()
		resp, err = s.request(ctx, f, path)
	}
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if err := s.refusal(resp, path); err != nil {
		return nil, err
	}
	body, err := readBody(nil, &http.Request{Body: resp.Body}, 4*MaxHookBody)
	if err != nil {
		return nil, err
	}
	return resp.Header, decode(body, v)
}

// request sends one. The caller closes the answer's body.
func (s *Service) request(ctx context.Context, f *feeder, path string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, f.base+path, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	if f.token != "" {
		req.Header.Set("Authorization", "Bearer "+f.token)
	}
	return s.client.Do(req)
}

// rotated reads the token's file again, and says whether another token stands there.
func (f *feeder) rotated() bool {
	if f.about.TokenFile == "" {
		return false
	}
	token, err := secretOf("", f.about.TokenFile, "token_file")
	if err != nil || token == f.token {
		return false
	}
	f.token = token
	return true
}

// refusal is the error of an answer that is not what was asked for: NotFound where asking again will not help.
func (s *Service) refusal(resp *http.Response, path string) error {
	code, kind := resp.StatusCode, ops.Unavailable
	switch {
	case code == http.StatusOK:
		return nil
	case code == http.StatusTooManyRequests || code == http.StatusForbidden && resp.Header.Get("Retry-After")+resp.Header.Get("X-RateLimit-Reset") != "":
		return &pause{s.pauseOf(resp.Header)}
	case code == http.StatusNotFound || code == http.StatusGone || code == http.StatusUnprocessableEntity:
		kind = ops.NotFound
	}
	return ops.Errorf(kind, "%s is answered %d", strings.SplitN(path, "?", 2)[0], code)
}

// pauseOf reads how long a sender wants to be left alone.
func (s *Service) pauseOf(h http.Header) time.Duration {
	if n, err := strconv.Atoi(h.Get("Retry-After")); err == nil && n > 0 {
		return time.Duration(n) * time.Second
	}
	if at, err := strconv.ParseInt(h.Get("X-RateLimit-Reset"), 10, 64); err == nil {
		return max(time.Unix(at, 0).Sub(s.now()), time.Minute)
	}
	return time.Minute
}
