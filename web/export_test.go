package web

import (
	"context"
	"testing"

	"goc/ops"
)

// Mint makes a token for a test.
func (s *Server) Mint(t *testing.T, name string, role ops.Role) string {
	t.Helper()
	_, secret, err := s.auth.create(context.Background(), ops.System, TokenSpec{Name: name, Role: role})
	if err != nil {
		t.Fatal(err)
	}
	return secret
}
