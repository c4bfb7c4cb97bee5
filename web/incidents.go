package web

import (
	"context"
	"encoding/json"
	"net/http"

	"goc/ops"
)

type (
	// Paging is what any list reads. It is exported because huma looks only into exported parts of an input.
	Paging struct {
		Limit  int    `query:"limit" minimum:"0" maximum:"1000" doc:"at most so many; 100 by default"`
		Cursor string `query:"cursor" maxLength:"256" doc:"the next of the page before"`
	}
	// ByID names one thing by the path.
	ByID struct {
		ID string `path:"id" maxLength:"256"`
	}
	incidentList struct {
		State string `query:"state" enum:"open,acknowledged,mitigated,resolved,active" doc:"active: all that are not resolved"`
		Paging
	}
	noteBody struct {
		Note string `json:"note,omitempty" maxLength:"10000"`
	}
	noted struct {
		ByID
		Body *noteBody
	}
	suspectOf struct {
		ByID
		Change string `path:"change" maxLength:"256"`
		Body   *noteBody
	}
)

// text is the note, "" when there is no body.
func (b *noteBody) text() string {
	if b == nil {
		return ""
	}
	return b.Note
}

func (p Paging) page() ops.Page { return ops.Page{Limit: p.Limit, Cursor: p.Cursor} }

func (s *Server) listIncidents(ctx context.Context, in *incidentList) (ops.List[ops.Incident], error) {
	out, err := s.o.Incidents.List(ctx, ops.IncidentQuery{State: in.State, Page: in.page()})
	return filled(out), err
}

// filled makes an empty list [] and not null.
func filled[T any](l ops.List[T]) ops.List[T] {
	if l.Items == nil {
		l.Items = []T{}
	}
	return l
}

func (s *Server) declareIncident(ctx context.Context, in *struct{ Body ops.Declaration }) (ops.Incident, error) {
	return s.o.Incidents.Declare(ctx, who(ctx), in.Body)
}

func (s *Server) getIncident(ctx context.Context, in *ByID) (ops.Incident, error) {
	return s.o.Incidents.Get(ctx, in.ID)
}

func (s *Server) listTimeline(ctx context.Context, in *struct {
	ByID
	Paging
},
) (ops.List[ops.Entry], error) {
	all, err := s.o.Incidents.Timeline(ctx, in.ID)
	if err != nil {
		return ops.List[ops.Entry]{}, err
	}
	return pageOf(all, in.page())
}

// writeJSON sends v. It must marshal.
func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client is gone when this fails
}

func (s *Server) getIncidentChart(ctx context.Context, in *ByID) (ops.Chart, error) {
	return s.o.Incidents.Chart(ctx, in.ID)
}

func (s *Server) getHeadline(ctx context.Context, _ *struct{}) (ops.Chart, error) {
	return s.o.Incidents.Headline(ctx)
}

func (s *Server) acknowledgeIncident(ctx context.Context, in *noted) (ops.Incident, error) {
	return s.o.Incidents.Acknowledge(ctx, who(ctx), in.ID, in.Body.text())
}

func (s *Server) mitigateIncident(ctx context.Context, in *noted) (ops.Incident, error) {
	return s.o.Incidents.Mitigate(ctx, who(ctx), in.ID, in.Body.text())
}

func (s *Server) resolveIncident(ctx context.Context, in *noted) (ops.Incident, error) {
	return s.o.Incidents.Resolve(ctx, who(ctx), in.ID, in.Body.text())
}

func (s *Server) reopenIncident(ctx context.Context, in *noted) (ops.Incident, error) {
	return s.o.Incidents.Reopen(ctx, who(ctx), in.ID, in.Body.text())
}

func (s *Server) noteIncident(ctx context.Context, in *struct {
	ByID
	Body struct {
		Text string `json:"text" required:"true" minLength:"1" maxLength:"10000"`
	} `nameHint:"NoteRequest"`
},
) (ops.Incident, error) {
	return s.o.Incidents.Note(ctx, who(ctx), in.ID, in.Body.Text)
}

func (s *Server) setSeverity(ctx context.Context, in *struct {
	ByID
	Body struct {
		Severity ops.Severity `json:"severity" required:"true" enum:"P1,P2,P3,P4"`
		Note     string       `json:"note,omitempty" maxLength:"10000"`
	} `nameHint:"SeverityRequest"`
},
) (ops.Incident, error) {
	return s.o.Incidents.SetSeverity(ctx, who(ctx), in.ID, in.Body.Severity, in.Body.Note)
}

func (s *Server) setRole(ctx context.Context, in *struct {
	ByID
	Body struct {
		Role   string `json:"role" required:"true" enum:"commander,liaison,scribe"`
		Person string `json:"person" maxLength:"256" doc:"empty takes the role away"`
	} `nameHint:"RoleRequest"`
},
) (ops.Incident, error) {
	return s.o.Incidents.SetRole(ctx, who(ctx), in.ID, in.Body.Role, in.Body.Person)
}

func (s *Server) mergeIncident(ctx context.Context, in *struct {
	ByID
	Body struct {
		Into string `json:"into" required:"true" minLength:"1" maxLength:"256" doc:"the incident that stays"`
		Note string `json:"note,omitempty" maxLength:"10000" doc:"why they are one"`
	} `nameHint:"MergeRequest"`
},
) (ops.Incident, error) {
	return s.o.Incidents.Merge(ctx, who(ctx), in.ID, in.Body.Into, in.Body.Note)
}

func (s *Server) confirmSuspect(ctx context.Context, in *suspectOf) (ops.Incident, error) {
	return s.o.Incidents.JudgeSuspect(ctx, who(ctx), in.ID, in.Change, true, in.Body.text())
}

func (s *Server) rejectSuspect(ctx context.Context, in *suspectOf) (ops.Incident, error) {
	return s.o.Incidents.JudgeSuspect(ctx, who(ctx), in.ID, in.Change, false, in.Body.text())
}

func (s *Server) listAlerts(ctx context.Context, in *Paging) (ops.List[ops.IncidentAlert], error) {
	all, err := s.o.Incidents.Alerts(ctx)
	if err != nil {
		return ops.List[ops.IncidentAlert]{}, err
	}
	return pageOf(all, in.page())
}
