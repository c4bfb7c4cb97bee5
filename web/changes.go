package web

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"goc/ops"
)

type changeList struct {
	Service    string `query:"service" maxLength:"256"`
	Store      string `query:"store" maxLength:"256"`
	Status     string `query:"status" enum:"planned,started,paused,finished,rolled_back,aborted"`
	Since      string `query:"since" maxLength:"64" doc:"a time: those created or moved on since"`
	Unapproved bool   `query:"unapproved" doc:"only those that went out although the gate said no, or without asking"`
	Paging
}

func (s *Server) listChanges(ctx context.Context, in *changeList) (ops.List[ops.Change], error) {
	since, err := queryTime(in.Since, "query.since")
	if err != nil {
		return ops.List[ops.Change]{}, err
	}
	out, err := s.o.Changes.List(ctx, ops.ChangeQuery{
		Service: in.Service, Store: in.Store, Status: ops.ChangeStatus(in.Status), Since: ops.At(since), Unapproved: in.Unapproved, Page: in.page(),
	})
	return filled(out), err
}

// queryTime reads a time of the query; "" is the zero time.
func queryTime(text, location string) (time.Time, error) {
	t, err := ops.ParseTime(text)
	if err != nil {
		return t, ops.Errorf(ops.Invalid, "%w", err).At(location)
	}
	return t, nil
}

func (s *Server) recordChange(ctx context.Context, in *struct{ Body ops.Change }) (ops.Change, error) {
	return s.o.Changes.Record(ctx, who(ctx), in.Body)
}

func (s *Server) getChange(ctx context.Context, in *ByID) (ops.Change, error) {
	return s.o.Changes.Get(ctx, in.ID)
}

func (s *Server) listOverrides(ctx context.Context, in *struct {
	State string `query:"state" enum:"open,all" doc:"open: those that nobody looked at yet"`
	Paging
},
) (ops.List[ops.Override], error) {
	all, err := s.o.Changes.Overrides(ctx, in.State == "open")
	if err != nil {
		return ops.List[ops.Override]{}, err
	}
	return pageOf(all, in.page())
}

func (s *Server) reviewOverride(ctx context.Context, in *struct {
	ByID
	Body ops.OverrideReview
},
) (ops.Override, error) {
	return s.o.Changes.ReviewOverride(ctx, who(ctx), in.ID, in.Body)
}

func (s *Server) gateHygiene(ctx context.Context, _ *struct{}) (ops.GateHygiene, error) {
	return s.o.Changes.Hygiene(ctx)
}

func (s *Server) changeMatrix(ctx context.Context, in *ByID) (ops.RolloutMatrix, error) {
	return s.o.Changes.Matrix(ctx, in.ID)
}

func (s *Server) moveChange(ctx context.Context, in *struct {
	ByID
	Body ops.ChangeEvent
},
) (ops.Change, error) {
	return s.o.Changes.Event(ctx, who(ctx), in.ID, in.Body)
}

// gateStatus is the status of a decision where ?strict=1 asks for one that a script can act on.
var gateStatus = map[string]int{ops.EffectAllow: http.StatusOK, ops.EffectDeny: http.StatusForbidden, ops.EffectWait: http.StatusTooEarly}

// checkGate decides. It is a plain handler: its body is one of two, and CI asks it most often of all.
func (s *Server) checkGate(w http.ResponseWriter, r *http.Request) {
	data, err := readBody(r)
	if err != nil {
		s.fail(r, err).write(w)
		return
	}
	ask, err := gateRequest(data)
	if err != nil {
		s.fail(r, err).write(w)
		return
	}
	d, err := s.o.Changes.Check(r.Context(), who(r.Context()), ask)
	if err != nil {
		s.fail(r, err).write(w)
		return
	}
	if d.Reasons == nil {
		d.Reasons = []ops.Reason{}
	}
	status := http.StatusOK
	if strict := r.URL.Query().Get("strict"); strict == "1" || strict == "true" {
		status = gateStatus[d.Decision]
	}
	writeJSON(w, status, d)
}

// gateRequest reads a whole change, or {"change_id","stage","rollback"}; the field change_id says which.
func gateRequest(data []byte) (ops.GateRequest, error) {
	var probe struct {
		ChangeID *string `json:"change_id"`
	}
	if err := json.Unmarshal(data, &probe); err != nil {
		return ops.GateRequest{}, placed(data, err)
	}
	if probe.ChangeID != nil {
		var ask ops.GateRequest
		err := decodeStrict(data, &ask)
		if err == nil && ask.ChangeID == "" {
			err = ops.Errorf(ops.Invalid, "must name a change").At("body.change_id")
		}
		return ask, err
	}
	var c ops.Change
	err := decodeStrict(data, &c)
	return ops.GateRequest{Change: &c}, err
}

// gateDocument says both bodies and the statuses of strict.
func (s *Server) gateDocument(op *huma.Operation) {
	r := s.api.OpenAPI().Components.Schemas
	op.Parameters = []*huma.Param{{Name: "strict", In: "query", Description: "1: answer 403 for deny and 425 for wait", Schema: &huma.Schema{Type: huma.TypeString}}}
	op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/json": {Schema: &huma.Schema{
		OneOf: []*huma.Schema{r.Schema(typeOf[ops.GateRequest](), true, ""), r.Schema(typeOf[ops.Change](), true, "")},
	}}}}
	for status, description := range map[string]string{"200": "A decision", "403": "deny, when strict", "425": "wait, when strict"} {
		schemaOf[ops.Decision](s, status, description)(op)
	}
}

func (s *Server) approveChange(ctx context.Context, in *struct{ Body ops.Approval }) (ops.Approval, error) {
	if in.Body.Person == "" {
		in.Body.Person = who(ctx).Name
	}
	return s.o.Changes.Approve(ctx, who(ctx), in.Body)
}

func (s *Server) overrideGate(ctx context.Context, in *struct{ Body ops.Override }) (ops.Override, error) {
	if in.Body.Person == "" {
		in.Body.Person = who(ctx).Name
	}
	return s.o.Changes.Override(ctx, who(ctx), in.Body)
}

func (s *Server) listFreezes(ctx context.Context, in *Paging) (ops.List[ops.Freeze], error) {
	all, err := s.o.Changes.Freezes(ctx)
	if err != nil {
		return ops.List[ops.Freeze]{}, err
	}
	return pageOf(all, in.page())
}

func (s *Server) addFreeze(ctx context.Context, in *struct{ Body ops.Freeze }) (ops.Freeze, error) {
	return s.o.Changes.AddFreeze(ctx, who(ctx), in.Body)
}

func (s *Server) importFreezes(ctx context.Context, in *struct{ Body ops.FreezeImport }) (ops.FreezeImported, error) {
	return s.o.Changes.ImportFreezes(ctx, who(ctx), in.Body)
}

func (s *Server) reviewChange(ctx context.Context, in *struct {
	ByID
	Body ops.ReviewEvidence
},
) (ops.Change, error) {
	return s.o.Changes.Evidence(ctx, who(ctx), in.ID, in.Body.Reviews)
}

func (s *Server) gateMaintenance(ctx context.Context, _ *struct{}) (ops.GateMaintenance, error) {
	return s.o.Changes.Maintenance(ctx)
}

func (s *Server) maintainGate(ctx context.Context, in *struct{ Body ops.GateMaintenance }) (ops.GateMaintenance, error) {
	return s.o.Changes.Maintain(ctx, who(ctx), in.Body)
}

func (s *Server) gateKey(w http.ResponseWriter, r *http.Request) {
	k, err := s.o.Changes.Key(r.Context())
	if err != nil {
		s.fail(r, err).write(w)
		return
	}
	writeJSON(w, http.StatusOK, k)
}

func (s *Server) missGate(ctx context.Context, in *struct{ Body ops.GateAbsence }) (ops.GateAbsence, error) {
	return s.o.Changes.Absent(ctx, who(ctx), in.Body)
}

func (s *Server) dryRunPolicy(ctx context.Context, in *struct{ Body ops.PolicyTrial }) (ops.PolicyDryRun, error) {
	return s.o.Changes.DryRunPolicy(ctx, in.Body)
}

func (s *Server) liftFreeze(ctx context.Context, in *ByID) error {
	return s.o.Changes.LiftFreeze(ctx, who(ctx), in.ID)
}

// freezeCalendar lists when the windows are closed, from now for two weeks unless asked otherwise, at most 366 days.
func (s *Server) freezeCalendar(ctx context.Context, in *struct {
	From string `query:"from" maxLength:"64"`
	To   string `query:"to" maxLength:"64"`
	Paging
},
) (ops.List[ops.FreezeSpan], error) {
	none := ops.List[ops.FreezeSpan]{}
	from, err := queryTime(in.From, "query.from")
	if err != nil {
		return none, err
	}
	to, err := queryTime(in.To, "query.to")
	if err != nil {
		return none, err
	}
	if from.IsZero() {
		from = s.o.Now()
	}
	if to.IsZero() {
		to = from.Add(14 * 24 * time.Hour)
	}
	if !to.After(from) || to.Sub(from) > 366*24*time.Hour {
		return none, ops.Errorf(ops.Invalid, "must lie after from, by at most 366 days").At("query.to")
	}
	all, err := s.o.Changes.Calendar(ctx, from, to)
	if err != nil {
		return none, err
	}
	return pageOf(all, in.page())
}
