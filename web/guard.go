package web

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"goc/ops"
)

// Who may do what. An admin may do everything.
var (
	reads     = []ops.Role{ops.Viewer, ops.Responder, ops.Commander}
	responds  = []ops.Role{ops.Responder, ops.Commander}
	commands  = []ops.Role{ops.Commander}
	admins    = []ops.Role{ops.Admin}
	seesGate  = []ops.Role{ops.Viewer, ops.Responder, ops.Commander, ops.CI} // changes, freezes, plans to roll back with
	releases  = []ops.Role{ops.Responder, ops.Commander, ops.CI}
	devices   = []ops.Role{ops.Agent}
	says      = []ops.Role{ops.Agent, ops.Responder, ops.Commander}
	anyone    = ops.Roles[:]
	unchecked = access{public: true, always: true}
)

// access is who may use a route, and how much they may send.
type access struct {
	roles  []ops.Role
	public bool  // no token is asked for
	always bool  // answers even when the journal has stopped
	limit  int64 // bytes of the body; 0 is maxJSON
}

type identityKey struct{}

// guard lets a request through to next when its sender may use the route, and bounds what next can read.
func (s *Server) guard(a access, next http.Handler) http.Handler {
	if a.limit == 0 {
		a.limit = maxJSON
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := s.o.Journal.Err(); err != nil && !a.always {
			refuse(http.StatusServiceUnavailable, "the journal has stopped, so nothing is answered").hint("see /readyz and the server's log").write(w)
			return
		}
		id := identity{}
		if !a.public {
			var err error
			if id, err = s.admit(a, r); err != nil {
				s.fail(r, err).write(w)
				return
			}
			ctx := context.WithValue(ops.WithPrincipal(r.Context(), id.Principal), identityKey{}, id)
			r = r.WithContext(ctx)
		}
		if r.ContentLength > a.limit {
			w.Header().Set("Connection", "close") // so that the rest is not read
			tooLarge(a.limit).write(w)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, a.limit)
		if r.Method == http.MethodPost && r.Header.Get("Idempotency-Key") != "" && !a.public {
			s.once.serve(w, r, id.Name, next)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// admit says who sends r and whether they may use the route. What it refuses is counted and audited.
func (s *Server) admit(a access, r *http.Request) (identity, error) {
	id, err := s.auth.identify(r)
	if err != nil {
		s.countRefusal(r, err)
		return id, err
	}
	if err := enrolsOnly(id, r); err != nil {
		s.metrics.refused.WithLabelValues("role").Inc()
		return id, err
	}
	if !id.May(a.roles...) {
		s.metrics.refused.WithLabelValues("role").Inc()
		return id, refuse(http.StatusForbidden, "the role "+string(id.Role)+" may not do this").hint("it takes one of: " + roleNames(a.roles))
	}
	return id, nil
}

// countRefusal leaves what a refused request leaves: a counter, and at times an audit line.
func (s *Server) countRefusal(r *http.Request, err error) {
	var no *refusal
	if errors.As(err, &no) {
		s.metrics.refused.WithLabelValues(no.reason).Inc()
		s.auth.audit(r, no.reason)
	}
}

// roleNames lists the roles that may, admin last.
func roleNames(roles []ops.Role) string {
	var names []string
	for _, r := range roles {
		if r != ops.Admin {
			names = append(names, string(r))
		}
	}
	return strings.Join(append(names, string(ops.Admin)), ", ")
}

// fail says err as a problem. What is our own fault is logged once, here, with an id that the answer carries.
func (s *Server) fail(r *http.Request, err error) *problem {
	p := problemOf(err)
	if p.Status == http.StatusInternalServerError && p.Instance == "" {
		id, _ := newSecret()
		p.Instance = "urn:goc:error:" + id
		s.o.Logger.Error("request failed", slog.String("instance", id), slog.String("route", r.Pattern), slog.Any("err", err))
	}
	return p
}

// who is the principal of a request that the guard let in.
func who(ctx context.Context) ops.Principal {
	p, _ := ops.PrincipalFrom(ctx)
	return p
}
