package web

import (
	"context"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"goc/ops"
)

type (
	taskBody struct {
		Title string   `json:"title" required:"true" minLength:"1" maxLength:"200" doc:"what is to be done"`
		Owner string   `json:"owner,omitempty" maxLength:"256" doc:"who does it; empty while nobody took it"`
		DueAt ops.Time `json:"due_at,omitempty" doc:"by when; the owner is reminded then, and each day after, at most 14 times"`
		Kind  string   `json:"kind,omitempty" enum:"task,action_item" doc:"task: while the incident lasts (the default); action_item: after it, so that it does not come back"`
	}
	// due is a due date that may be taken away: null is not the same as absent.
	due struct {
		set bool
		at  ops.Time
	}
	taskChangeBody struct {
		Done  *bool   `json:"done,omitempty" doc:"true: it is done; false: it is not done after all"`
		Owner *string `json:"owner,omitempty" maxLength:"256" doc:"who does it; empty: nobody"`
		DueAt due     `json:"due_at,omitempty" doc:"by when; null takes the date away"`
		Title *string `json:"title,omitempty" minLength:"1" maxLength:"200"`
	}
	// InLanguage says which language a text is wanted in.
	InLanguage struct {
		Lang string `query:"lang" enum:"en,zh" doc:"the language of the text; en by default"`
	}
	updateDraft struct {
		Text  string   `json:"text" doc:"written from facts alone; post it as it is, or better"`
		DueAt ops.Time `json:"due_at" doc:"by when stakeholders are to be told next; null when no update is owed"`
	}
	markdownText struct {
		Markdown string `json:"markdown"`
	}
	similarList struct {
		Items []ops.Similar `json:"items" doc:"the most similar first, at most five"`
	}
)

// UnmarshalJSON implements json.Unmarshaler.
func (d *due) UnmarshalJSON(b []byte) error {
	d.set = true
	return d.at.UnmarshalJSON(b)
}

// Schema implements huma.SchemaProvider.
func (due) Schema(r huma.Registry) *huma.Schema { return timeSchema{}.Schema(r) }

func (s *Server) splitIncident(ctx context.Context, in *struct {
	ByID
	Body struct {
		Alerts []string `json:"alerts" required:"true" minItems:"1" maxItems:"1000" doc:"fingerprints of the alerts that are another trouble"`
		Title  string   `json:"title,omitempty" maxLength:"200" doc:"of the new incident; the summary of its first alert when left out"`
		Note   string   `json:"note,omitempty" maxLength:"10000"`
	} `nameHint:"SplitRequest"`
},
) (ops.Incident, error) {
	return s.o.Incidents.Split(ctx, who(ctx), in.ID, in.Body.Alerts, in.Body.Title, in.Body.Note)
}

func (s *Server) unlinkAlerts(ctx context.Context, in *struct {
	ByID
	Body struct {
		Alerts []string `json:"alerts" required:"true" minItems:"1" maxItems:"1000" doc:"fingerprints of the alerts that do not belong to it"`
		Note   string   `json:"note,omitempty" maxLength:"10000"`
	} `nameHint:"UnlinkRequest"`
},
) (ops.Incident, error) {
	return s.o.Incidents.Unlink(ctx, who(ctx), in.ID, in.Body.Alerts, in.Body.Note)
}

func (s *Server) addTask(ctx context.Context, in *struct {
	ByID
	Body taskBody `nameHint:"TaskRequest"`
},
) (ops.Incident, error) {
	b := in.Body
	return s.o.Incidents.AddTask(ctx, who(ctx), in.ID, ops.Task{Title: b.Title, Owner: b.Owner, DueAt: b.DueAt, Kind: b.Kind})
}

func (s *Server) changeTask(ctx context.Context, in *struct {
	ByID
	Task int            `path:"task" minimum:"1"`
	Body taskChangeBody `nameHint:"TaskChangeRequest"`
},
) (ops.Incident, error) {
	to := ops.TaskChange{Done: in.Body.Done, Owner: in.Body.Owner, Title: in.Body.Title}
	if in.Body.DueAt.set {
		to.DueAt = &in.Body.DueAt.at
	}
	return s.o.Incidents.ChangeTask(ctx, who(ctx), in.ID, in.Task, to)
}

func (s *Server) attach(ctx context.Context, in *struct {
	ByID
	Body struct {
		Title string `json:"title,omitempty" maxLength:"200" doc:"what it is; the URL when left out"`
		URL   string `json:"url" required:"true" minLength:"1" maxLength:"2000" doc:"http or https; only the link is kept"`
	} `nameHint:"AttachmentRequest"`
},
) (ops.Incident, error) {
	return s.o.Incidents.Attach(ctx, who(ctx), in.ID, in.Body.Title, in.Body.URL)
}

func (s *Server) detach(ctx context.Context, in *struct {
	ByID
	Attachment int `path:"attachment" minimum:"1"`
},
) (ops.Incident, error) {
	return s.o.Incidents.Detach(ctx, who(ctx), in.ID, in.Attachment)
}

func (s *Server) draftUpdate(ctx context.Context, in *struct {
	ByID
	InLanguage
},
) (updateDraft, error) {
	text, due, err := s.o.Incidents.UpdateDraft(ctx, in.ID, in.Lang)
	return updateDraft{text, due}, err
}

func (s *Server) postUpdate(ctx context.Context, in *struct {
	ByID
	Body struct {
		Text string `json:"text" required:"true" minLength:"1" maxLength:"10000" doc:"what stakeholders are told"`
	} `nameHint:"UpdateRequest"`
},
) (ops.Incident, error) {
	return s.o.Incidents.PostUpdate(ctx, who(ctx), in.ID, in.Body.Text)
}

func (s *Server) nameCause(ctx context.Context, in *struct {
	ByID
	Body struct {
		Text     string `json:"text" required:"true" minLength:"1" maxLength:"10000" doc:"what it was, in words"`
		ChangeID string `json:"change_id,omitempty" maxLength:"256" doc:"the change that did it, which confirms it as a suspect; none: no change on record did, which takes an earlier confirmation back; left out: the text describes the change that is confirmed, or, where none is, a cause that is no change"`
	} `nameHint:"CauseRequest"`
},
) (ops.Incident, error) {
	return s.o.Incidents.NameCause(ctx, who(ctx), in.ID, in.Body.Text, in.Body.ChangeID)
}

func (s *Server) listSimilar(ctx context.Context, in *ByID) (similarList, error) {
	items, err := s.o.Incidents.Similar(ctx, in.ID)
	return similarList{listed(items)}, err
}

func (s *Server) handOver(ctx context.Context, in *struct {
	ByID
	InLanguage
},
) (markdownText, error) {
	text, err := s.o.Incidents.Handover(ctx, in.ID, in.Lang)
	return markdownText{text}, err
}

func (s *Server) handOverAll(ctx context.Context, in *InLanguage) (markdownText, error) {
	text, err := s.o.Incidents.HandoverAll(ctx, in.Lang)
	return markdownText{text}, err
}

func (s *Server) listActionItems(ctx context.Context, in *struct {
	State string `query:"state" enum:"open,overdue,done,all" doc:"open by default"`
	Owner string `query:"owner" maxLength:"256" doc:"whose; everybody's when left out"`
	Paging
},
) (ops.List[ops.ActionItem], error) {
	all, err := s.o.Incidents.ActionItems(ctx, in.State, in.Owner)
	if err != nil {
		return ops.List[ops.ActionItem]{}, err
	}
	return pageOf(all, in.page())
}

func (s *Server) reviewClocks(ctx context.Context, in *struct {
	From string `query:"from" maxLength:"64" doc:"incidents detected at or after this time; twelve weeks before to by default"`
	To   string `query:"to" maxLength:"64" doc:"incidents detected before this time; now by default"`
	By   string `query:"by" enum:"week,team,fault,severity" doc:"what the groups are; week by default"`
},
) (ops.ClockReport, error) {
	from, err := queryTime(in.From, "query.from")
	if err != nil {
		return ops.ClockReport{}, err
	}
	to, err := queryTime(in.To, "query.to")
	if err != nil {
		return ops.ClockReport{}, err
	}
	return s.o.Incidents.Clocks(ctx, from, to, in.By)
}

// getReport answers the report as Markdown, or in its parts to a client that asks for JSON.
func (s *Server) getReport(w http.ResponseWriter, r *http.Request) {
	report, err := s.o.Incidents.Report(r.Context(), r.PathValue("id"))
	if err != nil {
		s.fail(r, err).write(w)
		return
	}
	if strings.Contains(r.Header.Get("Accept"), "application/json") {
		writeJSON(w, http.StatusOK, report)
		return
	}
	w.Header().Set("Content-Type", "text/markdown; charset=utf-8")
	_, _ = w.Write([]byte(report.Markdown)) // the client is gone when this fails
}

// reportDocument says what the report looks like in either form.
func reportDocument(s *Server) option {
	return func(op *huma.Operation) {
		pathParams("id")(op)
		schemaOf[ops.IncidentReport](s, "200", "In parts where Accept asks for application/json, else as Markdown alone")(op)
		op.Responses["200"].Content["text/markdown"] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString}}
	}
}
