package web

import (
	"context"

	"goc/ops"
)

func (s *Server) listDrills(_ context.Context, in *Paging) (ops.List[ops.Drill], error) {
	return pageOf(s.o.Drills.Drills(), in.page())
}

func (s *Server) startDrill(ctx context.Context, in *ByName) (ops.DrillRun, error) {
	return s.o.Drills.Start(ctx, who(ctx), in.Name)
}

func (s *Server) listDrillRuns(ctx context.Context, in *struct {
	Drill string `query:"drill" maxLength:"256"`
	Paging
},
) (ops.List[ops.DrillRun], error) {
	all, err := s.o.Drills.Runs(ctx)
	if err != nil {
		return ops.List[ops.DrillRun]{}, err
	}
	var out []ops.DrillRun
	for _, r := range all {
		if in.Drill == "" || r.Drill == in.Drill {
			out = append(out, r)
		}
	}
	return pageOf(out, in.page())
}

func (s *Server) getDrillRun(ctx context.Context, in *ByID) (ops.DrillRun, error) {
	return s.o.Drills.Get(ctx, in.ID)
}

func (s *Server) abortDrill(ctx context.Context, in *ByID) (ops.DrillRun, error) {
	return s.o.Drills.Abort(ctx, who(ctx), in.ID)
}
