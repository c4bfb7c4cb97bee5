package web

import (
	"context"
	"net/http"

	"goc/ops"
)

func (s *Server) listOnCall(_ context.Context, in *Paging) (ops.List[ops.OnCall], error) {
	return pageOf(s.o.Incidents.OnCall(s.o.Now()), in.page())
}

func (s *Server) listSchedules(_ context.Context, in *Paging) (ops.List[ops.OnCallSchedule], error) {
	return pageOf(s.o.Incidents.OnCallSchedules(), in.page())
}

// noOverrides is an empty list: overrides and policies over the API are still to come.
func (s *Server) noOverrides(_ context.Context, in *Paging) (ops.List[ops.OnCallSchedule], error) {
	return pageOf([]ops.OnCallSchedule(nil), in.page())
}

// notYet says so, rather than take what nothing would act on.
func (s *Server) notYet(context.Context, *struct{}) (ops.List[ops.OnCallSchedule], error) {
	return ops.List[ops.OnCallSchedule]{}, refuse(http.StatusNotImplemented, "rotations cannot be written over the API yet").
		hint("write them in the configuration under oncall, and reload")
}
