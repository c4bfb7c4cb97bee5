package web

import (
	"context"

	"goc/ops"
)

func (s *Server) gateStanding(ctx context.Context, in *ByID) (ops.GateStanding, error) {
	st, err := s.o.Changes.Standing(ctx, who(ctx), in.ID)
	return movable(st, who(ctx)), err
}

// movable says as well whether a person may move the change on: those may who may post its events.
func movable(st ops.GateStanding, p ops.Principal) ops.GateStanding {
	if st.MayMove = p.May(releases...); !st.MayMove {
		st.WhyNotMove = "this takes the role " + string(releases[0])
	}
	return st
}

func (s *Server) gateHeld(ctx context.Context, _ *struct{}) (ops.List[ops.GateStanding], error) {
	held, err := s.o.Changes.Held(ctx, who(ctx))
	for i := range held {
		held[i] = movable(held[i], who(ctx))
	}
	return ops.List[ops.GateStanding]{Items: held}, err
}

func (s *Server) gateRules(ctx context.Context, _ *struct{}) (ops.GateRules, error) {
	return s.o.Changes.Rules(ctx)
}
