package web

import (
	"context"
	"testing"
	"time"

	"goc/ops"
)

// Mint makes a token for a test.
func (s *Server) Mint(t testing.TB, name string, role ops.Role) string {
	t.Helper()
	_, secret, err := s.auth.create(context.Background(), ops.System, TokenSpec{Name: name, Role: role})
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

// Limit replaces the live feed's limits; call it before anyone connects.
func (s *Server) Limit(backlog, deltas, connections int, replay int64) {
	h := s.hub
	h.limits.backlog, h.limits.deltas, h.limits.connections, h.limits.replay = backlog, deltas, connections, replay
	h.ring, h.deltas = make([]*entry, backlog), make([]delta, deltas)
}

// LiveConnections counts them.
func (s *Server) LiveConnections() int {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	return len(s.hub.conns)
}

// The pure parts, for tables.
var (
	Assemble     = assemble
	ParseCommand = parseCommand
	TokenID      = tokenID
	NewSecret    = newSecret
)

// FactsOf are facts of incidents and devices.
func FactsOf(now time.Time, c *ops.Catalog, incidents []ops.Incident, fleet []ops.FleetGroup) facts {
	return facts{now: now, catalog: c, incidents: incidents, fleet: fleet}
}

// Patience sets how long one write may take.
func (s *Server) Patience(d time.Duration) { s.hub.limits.write = d }

// Ping sets how often a connection is asked whether it is still there, and may still be.
func (s *Server) Ping(every time.Duration) { s.hub.limits.ping = every }
