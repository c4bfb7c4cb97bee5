package web_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"sync"
	"time"

	"goc/ops"
)

// journal keeps records and events in memory.
type journal struct {
	mu      sync.Mutex
	records map[string]ops.Record
	events  []ops.Event
	heard   map[int]func([]ops.Event)
	next    int
	err     error
}

func newJournal() *journal {
	return &journal{records: map[string]ops.Record{}, heard: map[int]func([]ops.Event){}}
}

func (j *journal) Append(m ops.Mutation) *ops.Receipt {
	r := ops.NewReceipt()
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err != nil {
		r.Settle(nil, ops.Errorf(ops.Unavailable, "the journal has stopped"))
		return r
	}
	for _, p := range m.Put {
		j.records[p.Kind+"/"+p.ID] = p
	}
	for _, d := range m.Delete {
		delete(j.records, d.Kind+"/"+d.ID)
	}
	var out []ops.Event
	for _, e := range m.Events {
		e.Seq = int64(len(j.events) + 1)
		sum := sha256.Sum256([]byte(e.Name + strconv.FormatInt(e.Seq, 10)))
		e.Hash = hex.EncodeToString(sum[:])
		j.events = append(j.events, e)
		out = append(out, e)
	}
	if len(out) > 0 {
		for _, fn := range j.heard {
			fn(out)
		}
	}
	r.Settle(out, nil)
	return r
}

func (j *journal) Load(_ context.Context, kind string, each func(ops.Record) error) error {
	j.mu.Lock()
	var all []ops.Record
	for _, r := range j.records {
		if r.Kind == kind {
			all = append(all, r)
		}
	}
	j.mu.Unlock()
	for _, r := range all {
		if err := each(r); err != nil {
			return err
		}
	}
	return nil
}

func (j *journal) Record(_ context.Context, kind, id string) (ops.Record, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	r, ok := j.records[kind+"/"+id]
	if !ok {
		return r, ops.Errorf(ops.NotFound, "no such %s", kind)
	}
	return r, nil
}

func (j *journal) Events(_ context.Context, q ops.EventQuery) ([]ops.Event, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	var out []ops.Event
	for _, e := range j.events {
		if e.Seq > q.Since && (q.Topic == "" || q.Topic == e.Topic) && (q.Subject == "" || q.Subject == e.Subject) && (q.Limit == 0 || len(out) < q.Limit) {
			out = append(out, e)
		}
	}
	return out, nil
}

func (j *journal) LastSeq() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return int64(len(j.events))
}

func (j *journal) Subscribe(fn func([]ops.Event)) func() {
	j.mu.Lock()
	defer j.mu.Unlock()
	id := j.next
	j.next++
	j.heard[id] = fn
	return func() {
		j.mu.Lock()
		defer j.mu.Unlock()
		delete(j.heard, id)
	}
}

func (j *journal) Verify(context.Context) (ops.ChainReport, error) {
	return ops.ChainReport{Events: j.LastSeq(), LastSeq: j.LastSeq(), Intact: true}, nil
}

func (j *journal) Err() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.err
}

func (j *journal) stop(err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.err = err
}

// rooms is every other room, as far as these tests look into it: incidents by id, changes in order, one city of stores.
type rooms struct {
	j         *journal
	mu        sync.Mutex
	incidents map[string]ops.Incident
	changes   []ops.Change
	asked     ops.GateRequest
	decision  string
	slow      chan struct{} // where set, recording a change says so and waits for it
	entered   chan struct{}
	panics    bool
	wall      func(uint32, []uint32)
	watched   chan struct{} // closed once someone watches the wall
	cells     []byte
	layout    uint32
	lists     int // how often the incidents were listed
}

func newRooms(j *journal) *rooms {
	return &rooms{j: j, incidents: map[string]ops.Incident{}, decision: ops.EffectAllow, watched: make(chan struct{}), cells: []byte{1, 1, 4}, layout: 7}
}

func (r *rooms) put(i ops.Incident) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.incidents[i.ID] = i
}

// say appends an event as a room would.
func (r *rooms) say(name, topic, subject string, data any) {
	r.j.Append(ops.Mutation{Events: []ops.Event{ops.NewEvent(ops.At(start), name, topic, subject, "goc", data)}})
}

type incidentRoom struct{ *rooms }

func (r incidentRoom) List(_ context.Context, q ops.IncidentQuery) (ops.List[ops.Incident], error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lists++
	var out ops.List[ops.Incident]
	for _, i := range r.incidents {
		if q.State == "" || q.State == string(i.State) || (q.State == "active" && i.State.Active()) {
			out.Items = append(out.Items, i)
		}
	}
	slices.SortFunc(out.Items, func(a, b ops.Incident) int { return b.OnsetAt.Compare(a.OnsetAt.Time) })
	return out, nil
}

func (r incidentRoom) Get(_ context.Context, id string) (ops.Incident, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.panics {
		panic("out of coffee")
	}
	i, ok := r.incidents[id]
	if !ok {
		return i, ops.Errorf(ops.NotFound, "no such incident").WithHint("GET /api/v1/incidents lists them")
	}
	return i, nil
}

func (r incidentRoom) Timeline(ctx context.Context, id string) ([]ops.Entry, error) {
	if _, err := r.Get(ctx, id); err != nil {
		return nil, err
	}
	return []ops.Entry{{Seq: 1, At: ops.At(start), Kind: "system", Text: "opened", Name: "incident.opened"}, {Seq: 2, At: ops.At(start), Kind: "note", Text: "a note", Name: "incident.note_added"}}, nil
}

func (r incidentRoom) Report(_ context.Context, id string) (ops.IncidentReport, error) {
	return ops.IncidentReport{ID: id, Markdown: "# Report\n"}, nil
}

func (r incidentRoom) Chart(_ context.Context, id string) (ops.Chart, error) {
	return ops.Chart{Title: "of " + id}, nil
}

func (r incidentRoom) Headline(context.Context) (ops.Chart, error) {
	return ops.Chart{Title: "orders"}, nil
}

// act is what every action does here: it changes the incident and says so in the note.
func (r incidentRoom) act(ctx context.Context, who ops.Principal, id, verb string, f func(*ops.Incident)) (ops.Incident, error) {
	i, err := r.Get(ctx, id)
	if err != nil {
		return i, err
	}
	f(&i)
	r.put(i)
	r.j.Append(ops.Mutation{Events: []ops.Event{ops.NewEvent(ops.At(start), "incident."+verb, "incidents", id, who.Name, map[string]any{"text": verb})}})
	return i, nil
}

func (r incidentRoom) Declare(_ context.Context, who ops.Principal, d ops.Declaration) (ops.Incident, error) {
	if d.Title == "" {
		return ops.Incident{}, ops.Errorf(ops.Invalid, "must not be empty").At("body.title")
	}
	i := ops.Incident{ID: "INC-" + strconv.Itoa(len(r.incidents)+1), Title: d.Title, Severity: d.Severity, State: ops.IncidentOpen, Scope: d.Scope, OnsetAt: d.OnsetAt}
	r.put(i)
	r.j.Append(ops.Mutation{Events: []ops.Event{ops.NewEvent(ops.At(start), "incident.opened", "incidents", i.ID, who.Name, map[string]any{"text": i.Title})}})
	return i, nil
}

func (r incidentRoom) Acknowledge(ctx context.Context, who ops.Principal, id, _ string) (ops.Incident, error) {
	return r.act(ctx, who, id, "acknowledged", func(i *ops.Incident) { i.State = ops.IncidentAcknowledged })
}

func (r incidentRoom) Mitigate(ctx context.Context, who ops.Principal, id, _ string) (ops.Incident, error) {
	return r.act(ctx, who, id, "mitigated", func(i *ops.Incident) { i.State = ops.IncidentMitigated })
}

func (r incidentRoom) Resolve(_ context.Context, _ ops.Principal, _, _ string) (ops.Incident, error) {
	return ops.Incident{}, ops.Errorf(ops.Conflict, "it is still firing").WithHint("wait until it has recovered")
}

func (r incidentRoom) Reopen(ctx context.Context, who ops.Principal, id, _ string) (ops.Incident, error) {
	return r.act(ctx, who, id, "reopened", func(i *ops.Incident) { i.State = ops.IncidentOpen })
}

func (r incidentRoom) Note(ctx context.Context, who ops.Principal, id, text string) (ops.Incident, error) {
	return r.act(ctx, who, id, "note_added", func(i *ops.Incident) { i.Title = text })
}

func (r incidentRoom) SetSeverity(ctx context.Context, who ops.Principal, id string, s ops.Severity, _ string) (ops.Incident, error) {
	return r.act(ctx, who, id, "severity_changed", func(i *ops.Incident) { i.Severity = s })
}

func (r incidentRoom) SetRole(ctx context.Context, who ops.Principal, id, role, person string) (ops.Incident, error) {
	return r.act(ctx, who, id, "role_set", func(i *ops.Incident) { i.Roles = map[string]string{role: person} })
}

func (r incidentRoom) Merge(ctx context.Context, who ops.Principal, id, into, _ string) (ops.Incident, error) {
	return r.act(ctx, who, id, "merged", func(i *ops.Incident) { i.Merged = into })
}

func (r incidentRoom) JudgeSuspect(ctx context.Context, who ops.Principal, id, change string, confirmed bool, _ string) (ops.Incident, error) {
	return r.act(ctx, who, id, "suspect", func(i *ops.Incident) { i.Title = change + strconv.FormatBool(confirmed) })
}

func (r incidentRoom) Split(ctx context.Context, who ops.Principal, id string, alerts []string, title, _ string) (ops.Incident, error) {
	if _, err := r.act(ctx, who, id, "split", func(*ops.Incident) {}); err != nil {
		return ops.Incident{}, err
	}
	return r.Declare(ctx, who, ops.Declaration{Title: title + " with " + strconv.Itoa(len(alerts))})
}

func (r incidentRoom) Unlink(ctx context.Context, who ops.Principal, id string, _ []string, _ string) (ops.Incident, error) {
	return r.act(ctx, who, id, "unlinked", func(*ops.Incident) {})
}

func (r incidentRoom) NameCause(ctx context.Context, who ops.Principal, id, text, change string) (ops.Incident, error) {
	return r.act(ctx, who, id, "cause_named", func(i *ops.Incident) { i.Cause = &ops.Cause{Text: text, ChangeID: change, By: who.Name} })
}

func (r incidentRoom) AddTask(ctx context.Context, who ops.Principal, id string, t ops.Task) (ops.Incident, error) {
	return r.act(ctx, who, id, "task_added", func(i *ops.Incident) { t.ID = len(i.Tasks) + 1; i.Tasks = append(i.Tasks, t) })
}

func (r incidentRoom) ChangeTask(ctx context.Context, who ops.Principal, id string, task int, to ops.TaskChange) (ops.Incident, error) {
	return r.act(ctx, who, id, "task_changed", func(i *ops.Incident) {
		for n := range i.Tasks {
			if i.Tasks[n].ID == task && to.DueAt != nil {
				i.Tasks[n].DueAt = *to.DueAt
			}
		}
	})
}

func (r incidentRoom) Attach(ctx context.Context, who ops.Principal, id, title, url string) (ops.Incident, error) {
	return r.act(ctx, who, id, "attachment_added", func(i *ops.Incident) {
		i.Attachments = append(i.Attachments, ops.Attachment{ID: 1, Title: title, URL: url})
	})
}

func (r incidentRoom) Detach(ctx context.Context, who ops.Principal, id string, _ int) (ops.Incident, error) {
	return r.act(ctx, who, id, "attachment_removed", func(i *ops.Incident) { i.Attachments = nil })
}

func (r incidentRoom) UpdateDraft(_ context.Context, id, lang string) (string, ops.Time, error) {
	return "of " + id + " in " + lang, ops.At(start), nil
}

func (r incidentRoom) PostUpdate(ctx context.Context, who ops.Principal, id, text string) (ops.Incident, error) {
	return r.act(ctx, who, id, "update_posted", func(i *ops.Incident) { i.Updates = append(i.Updates, ops.Update{ID: 1, By: who.Name, Text: text}) })
}

func (r incidentRoom) Similar(context.Context, string) ([]ops.Similar, error) { return nil, nil }

func (r incidentRoom) Handover(_ context.Context, id, lang string) (string, error) {
	return "# " + id + " in " + lang + "\n", nil
}

func (r incidentRoom) HandoverAll(_ context.Context, lang string) (string, error) {
	return "# All in " + lang + "\n", nil
}

func (r incidentRoom) ActionItems(_ context.Context, state, owner string) ([]ops.ActionItem, error) {
	return []ops.ActionItem{{Task: ops.Task{ID: 1, Title: "dig", Owner: owner}, Incident: "INC-1", Title: state}}, nil
}

func (r incidentRoom) Clocks(_ context.Context, from, to time.Time, by string) (ops.ClockReport, error) {
	return ops.ClockReport{From: ops.At(from), To: ops.At(to), By: by}, nil
}

func (r incidentRoom) ReceiveAlerts(context.Context, string, []ops.Alert) ([]ops.Rejected, error) {
	return nil, nil
}
func (r incidentRoom) Alerts(context.Context) ([]ops.IncidentAlert, error) { return nil, nil }
func (r incidentRoom) Silences(context.Context) ([]ops.Silence, error)     { return nil, nil }
func (r incidentRoom) PutSilence(_ context.Context, _ ops.Principal, s ops.Silence) (ops.Silence, error) {
	return s, nil
}
func (r incidentRoom) ExpireSilence(context.Context, ops.Principal, string) error { return nil }
func (r incidentRoom) OnCall(time.Time) []ops.OnCall {
	return []ops.OnCall{{Schedule: "duty", Person: "Wang"}}
}
func (r incidentRoom) OnCallSchedules() []ops.OnCallSchedule { return nil }

type changeRoom struct{ *rooms }

func (r changeRoom) List(_ context.Context, q ops.ChangeQuery) (ops.List[ops.Change], error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return ops.List[ops.Change]{Items: slices.Clone(r.changes[:min(len(r.changes), q.Size())])}, nil
}

func (r changeRoom) Get(_ context.Context, id string) (ops.Change, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.changes {
		if c.ID == id {
			return c, nil
		}
	}
	return ops.Change{}, ops.Errorf(ops.NotFound, "no such change")
}

func (r changeRoom) Record(_ context.Context, who ops.Principal, c ops.Change) (ops.Change, error) {
	if r.slow != nil {
		r.entered <- struct{}{}
		<-r.slow
	}
	r.mu.Lock()
	c.ID = "CHG-" + strconv.Itoa(len(r.changes)+1)
	c.Status = ops.ChangePlanned
	r.changes = append(r.changes, c)
	r.mu.Unlock()
	r.j.Append(ops.Mutation{Events: []ops.Event{ops.NewEvent(ops.At(start), "change.recorded", "changes", c.ID, who.Name, map[string]any{"text": c.Title})}})
	return c, nil
}

func (r changeRoom) Event(ctx context.Context, _ ops.Principal, id string, _ ops.ChangeEvent) (ops.Change, error) {
	return r.Get(ctx, id)
}

func (r changeRoom) Overrides(context.Context, bool) ([]ops.Override, error) { return nil, nil }

func (r changeRoom) ReviewOverride(_ context.Context, _ ops.Principal, id string, _ ops.OverrideReview) (ops.Override, error) {
	return ops.Override{ID: id}, nil
}

func (r changeRoom) Hygiene(context.Context) (ops.GateHygiene, error) {
	return ops.GateHygiene{Items: []ops.HygieneItem{}}, nil
}

func (r changeRoom) Matrix(_ context.Context, id string) (ops.RolloutMatrix, error) {
	return ops.RolloutMatrix{ChangeID: id, Cells: []ops.RolloutCell{}, Counts: map[ops.StoreState]int{}}, nil
}

func (r changeRoom) Check(_ context.Context, _ ops.Principal, q ops.GateRequest) (ops.Decision, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = q
	return ops.Decision{Decision: r.decision, DecisionID: "D-1"}, nil
}

func (r changeRoom) Approve(_ context.Context, _ ops.Principal, a ops.Approval) (ops.Approval, error) {
	return a, nil
}

func (r changeRoom) Override(_ context.Context, _ ops.Principal, o ops.Override) (ops.Override, error) {
	return o, nil
}
func (r changeRoom) Freezes(context.Context) ([]ops.Freeze, error) { return nil, nil }
func (r changeRoom) AddFreeze(_ context.Context, _ ops.Principal, f ops.Freeze) (ops.Freeze, error) {
	f.ID = "FRZ-1"
	return f, nil
}

func (r changeRoom) ImportFreezes(context.Context, ops.Principal, ops.FreezeImport) (ops.FreezeImported, error) {
	return ops.FreezeImported{Added: 1}, nil
}

func (r changeRoom) Evidence(ctx context.Context, _ ops.Principal, id string, _ map[string]string) (ops.Change, error) {
	return r.Get(ctx, id)
}

func (r changeRoom) Standing(_ context.Context, who ops.Principal, id string) (ops.GateStanding, error) {
	if id != "CHG-1" {
		return ops.GateStanding{}, ops.Errorf(ops.NotFound, "no change of that id is on record")
	}
	return ops.GateStanding{ChangeID: id, Decision: "wait", Reasons: []ops.Reason{}, Approvals: []ops.Approval{}, Counting: []string{}, Reviews: []ops.Review{}, Why: "for " + who.Name}, nil
}

func (r changeRoom) Held(ctx context.Context, who ops.Principal) ([]ops.GateStanding, error) {
	st, err := r.Standing(ctx, who, "CHG-1")
	return []ops.GateStanding{st}, err
}

func (r changeRoom) Rules(context.Context) (ops.GateRules, error) {
	return ops.GateRules{Policies: []ops.PolicyStanding{}, RedLines: []ops.RedLineState{}, Budgets: []ops.BudgetLeft{}}, nil
}

func (r changeRoom) Maintenance(context.Context) (ops.GateMaintenance, error) {
	return ops.GateMaintenance{}, nil
}

func (r changeRoom) Key(context.Context) (ops.GateKey, error) {
	return ops.GateKey{Type: "OKP", Curve: "Ed25519", X: "x"}, nil
}

func (r changeRoom) Absent(_ context.Context, _ ops.Principal, a ops.GateAbsence) (ops.GateAbsence, error) {
	return a, nil
}

func (r changeRoom) Maintain(_ context.Context, _ ops.Principal, m ops.GateMaintenance) (ops.GateMaintenance, error) {
	return m, nil
}

func (r changeRoom) DryRunPolicy(_ context.Context, t ops.PolicyTrial) (ops.PolicyDryRun, error) {
	return ops.PolicyDryRun{Policy: t.Policy.Name}, nil
}

func (r changeRoom) LiftFreeze(context.Context, ops.Principal, string) error { return nil }
func (r changeRoom) Calendar(context.Context, time.Time, time.Time) ([]ops.FreezeSpan, error) {
	return nil, nil
}

type fleetRoom struct{ *rooms }

func (r fleetRoom) Receive(context.Context, ops.Principal, []ops.Heartbeat) (int, []ops.Rejected, error) {
	return 0, nil, nil
}

func (r fleetRoom) Rollup(_ context.Context, q ops.FleetQuery) ([]ops.FleetGroup, error) {
	group := map[string]string{}
	for _, k := range q.GroupBy {
		group[k] = map[string]string{"city": "Shanghai", "store": "SH-001", "region": "east"}[k]
	}
	return []ops.FleetGroup{{Group: group, Total: 3, States: map[string]int{"online": 2, "offline": 1}}}, nil
}

func (r fleetRoom) StoreView(_ context.Context, id string) (ops.StoreView, error) {
	return ops.StoreView{}, ops.Errorf(ops.NotFound, "no such store")
}

func (r fleetRoom) Device(_ context.Context, store, device string) (ops.Device, error) {
	return ops.Device{ID: store + "/" + device, Store: store, Device: device, State: ops.Late}, nil
}

func (r fleetRoom) Wall(context.Context) (ops.Wall, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return ops.Wall{Layout: r.layout, Cells: slices.Clone(r.cells)}, nil
}

func (r fleetRoom) WatchWall(fn func(uint32, []uint32)) func() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wall = fn
	close(r.watched)
	return func() {}
}

type voiceRoom struct{ *rooms }

func (r voiceRoom) Say(_ context.Context, _ ops.Principal, said []ops.Voice) (out []ops.Rejected, err error) {
	for i, v := range said {
		if v.Text == "" {
			out = append(out, ops.Rejected{Index: i, Reason: "text is required"})
		}
	}
	return out, nil
}
func (r voiceRoom) Topics(context.Context) ([]ops.Topic, error) { return nil, nil }

type planRoom struct{ *rooms }

func (r planRoom) Plans() []ops.Plan                       { return []ops.Plan{{Name: "rollback", Title: "Roll back"}} }
func (r planRoom) Runs(context.Context) ([]ops.Run, error) { return nil, nil }
func (r planRoom) DryRun(_ context.Context, _ ops.Principal, plan string, _ ops.RunRequest) (ops.DryRun, error) {
	return ops.DryRun{Plan: plan, OK: true}, nil
}

func (r planRoom) Start(_ context.Context, who ops.Principal, plan string, _ ops.RunRequest) (ops.Run, error) {
	return ops.Run{ID: "RUN-1", Plan: plan, StartedBy: who.Name}, nil
}
func (r planRoom) Get(_ context.Context, id string) (ops.Run, error) { return ops.Run{ID: id}, nil }
func (r planRoom) Confirm(_ context.Context, _ ops.Principal, id string) (ops.Run, error) {
	return ops.Run{ID: id}, nil
}

func (r planRoom) Abort(_ context.Context, _ ops.Principal, id string) (ops.Run, error) {
	return ops.Run{ID: id}, nil
}

func (r planRoom) Undo(_ context.Context, _ ops.Principal, id string) (ops.Run, error) {
	return ops.Run{ID: id}, nil
}

type drillRoom struct{ *rooms }

func (r drillRoom) Drills() []ops.Drill                          { return nil }
func (r drillRoom) Runs(context.Context) ([]ops.DrillRun, error) { return nil, nil }
func (r drillRoom) Start(_ context.Context, _ ops.Principal, drill string) (ops.DrillRun, error) {
	return ops.DrillRun{ID: "DRL-1", Drill: drill}, nil
}

func (r drillRoom) Get(_ context.Context, id string) (ops.DrillRun, error) {
	return ops.DrillRun{ID: id}, nil
}

func (r drillRoom) Abort(_ context.Context, _ ops.Principal, id string) (ops.DrillRun, error) {
	return ops.DrillRun{ID: id}, nil
}
