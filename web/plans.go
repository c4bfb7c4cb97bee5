package web

import (
	"context"

	"goc/ops"
)

type (
	// ByName names a plan or drill by the path.
	ByName struct {
		Name string `path:"name" maxLength:"256"`
	}
	runOf struct {
		ByName
		Body *ops.RunRequest
	}
)

// request is the body, empty where there is none.
func (in *runOf) request() ops.RunRequest {
	if in.Body == nil {
		return ops.RunRequest{}
	}
	return *in.Body
}

func (s *Server) listPlans(_ context.Context, in *Paging) (ops.List[ops.Plan], error) {
	return pageOf(s.o.Plans.Plans(), in.page())
}

func (s *Server) getPlan(_ context.Context, in *ByName) (ops.Plan, error) {
	for _, p := range s.o.Plans.Plans() {
		if p.Name == in.Name {
			return p, nil
		}
	}
	return ops.Plan{}, ops.Errorf(ops.NotFound, "no such plan").WithHint("GET /api/v1/plans lists them")
}

func (s *Server) dryRun(ctx context.Context, in *runOf) (ops.DryRun, error) {
	return s.o.Plans.DryRun(ctx, who(ctx), in.Name, in.request())
}

func (s *Server) startRun(ctx context.Context, in *runOf) (ops.Run, error) {
	return s.o.Plans.Start(ctx, who(ctx), in.Name, in.request())
}

func (s *Server) listRuns(ctx context.Context, in *struct {
	Incident string `query:"incident" maxLength:"256"`
	Plan     string `query:"plan" maxLength:"256"`
	Paging
},
) (ops.List[ops.Run], error) {
	all, err := s.o.Plans.Runs(ctx)
	if err != nil {
		return ops.List[ops.Run]{}, err
	}
	var out []ops.Run
	for _, r := range all {
		if (in.Incident == "" || r.Incident == in.Incident) && (in.Plan == "" || r.Plan == in.Plan) {
			out = append(out, r)
		}
	}
	return pageOf(out, in.page())
}

func (s *Server) getRun(ctx context.Context, in *ByID) (ops.Run, error) {
	return s.o.Plans.Get(ctx, in.ID)
}

func (s *Server) confirmRun(ctx context.Context, in *ByID) (ops.Run, error) {
	return s.o.Plans.Confirm(ctx, who(ctx), in.ID)
}

func (s *Server) abortRun(ctx context.Context, in *ByID) (ops.Run, error) {
	return s.o.Plans.Abort(ctx, who(ctx), in.ID)
}

func (s *Server) undoRun(ctx context.Context, in *ByID) (ops.Run, error) {
	return s.o.Plans.Undo(ctx, who(ctx), in.ID)
}
