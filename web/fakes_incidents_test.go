package web_test

import (
	"context"
	"slices"
	"strconv"
	"time"

	"goc/ops"
)

// incidentRoom is the room of incidents.
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
