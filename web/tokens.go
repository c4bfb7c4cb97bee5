package web

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"goc/ops"
)

type (
	// NewToken is a token that was just made. Secret is said this once.
	NewToken struct {
		Token
		Secret string `json:"token"`
	}
	signInRequest struct {
		Token string `json:"token"`
	}
	// Self is who asks.
	Self struct {
		ops.Principal
		Anonymous bool     `json:"anonymous"`
		ExpiresAt ops.Time `json:"expires_at"`
	}
)

func (s *Server) listTokens(ctx context.Context, in *Paging) (ops.List[Token], error) {
	all, err := Tokens(ctx, s.o.Journal)
	if err != nil {
		return ops.List[Token]{}, err
	}
	slices.SortFunc(all, func(a, b Token) int { return a.CreatedAt.Compare(b.CreatedAt.Time) })
	return pageOf(all, in.page())
}

func (s *Server) createToken(ctx context.Context, in *struct{ Body TokenSpec }) (NewToken, error) {
	t, secret, err := s.auth.create(ctx, who(ctx), in.Body)
	return NewToken{t, secret}, err
}

func (s *Server) revokeToken(ctx context.Context, in *ByID) error {
	return s.auth.revoke(ctx, who(ctx), in.ID)
}

// signIn gives a browser that shows a token a session, so that its pages need not keep the token.
func (s *Server) signIn(w http.ResponseWriter, r *http.Request) {
	data, err := readBody(r)
	var in signInRequest
	if err == nil {
		err = s.auth.sameSite(r)
	}
	if err == nil {
		err = decodeStrict(data, &in)
	}
	if err != nil {
		s.fail(r, err).write(w)
		return
	}
	id, cookie, err := s.auth.signIn(r.Context(), strings.TrimSpace(in.Token), r.TLS != nil)
	if err != nil {
		s.countRefusal(r, err)
		s.fail(r, err).write(w)
		return
	}
	http.SetCookie(w, cookie)
	writeJSON(w, http.StatusOK, id.Principal)
}

// signOut ends the browser's session, where it has one.
func (s *Server) signOut(w http.ResponseWriter, r *http.Request) {
	if c, err := r.Cookie(sessionCookie); err == nil && s.auth.sameSite(r) == nil {
		if err := s.auth.signOut(r.Context(), c.Value); err != nil {
			s.fail(r, err).write(w)
			return
		}
	}
	http.SetCookie(w, s.auth.cookie("", s.o.Now(), r.TLS != nil))
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) whoami(ctx context.Context, _ *struct{}) (Self, error) {
	id, _ := ctx.Value(identityKey{}).(identity)
	return Self{Principal: id.Principal, Anonymous: id.Principal == anonymous, ExpiresAt: ops.At(id.expires)}, nil
}
