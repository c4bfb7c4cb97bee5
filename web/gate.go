package web

import (
	"context"

	"goc/ops"
)

func (s *Server) gateStanding(ctx context.Context, in *ByID) (ops.GateStanding, error) {
	return s.o.Changes.Standing(ctx, who(ctx), in.ID)
}

func (s *Server) gateHeld(ctx context.Context, _ *struct{}) (ops.List[ops.GateStanding], error) {
	held, err := s.o.Changes.Held(ctx, who(ctx))
	return ops.List[ops.GateStanding]{Items: held}, err
}

func (s *Server) gateRules(ctx context.Context, _ *struct{}) (ops.GateRules, error) {
	return s.o.Changes.Rules(ctx)
}
