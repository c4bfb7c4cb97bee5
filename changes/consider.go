package changes

import (
	"context"

	"goc/ops"
)

// Consider says what Check would answer now and records nothing: no audit, no allow to stand on, no token. It is for
// callers who promise no side effects, such as Kubernetes' dry runs.
func (s *Service) Consider(_ context.Context, who ops.Principal, r ops.GateRequest) (ops.Decision, error) {
	incidents := s.incidents()
	s.mu.RLock()
	defer s.mu.RUnlock()
	q, st, err := s.question(who, r)
	if err != nil {
		return ops.Decision{}, err
	}
	st.Incidents = incidents
	now := s.now()
	s.known(&st, q.Change.Service, q.Change.Scope, now)
	return Decide(q, st, now), nil
}
