package incidents_test

import (
	"context"
	"time"

	"goc/incidents"
	"goc/ops"
)

// What the API needs of this room, as web.Incidents says it; the rooms do not import one another, not even in tests.
var _ interface {
	List(ctx context.Context, q ops.IncidentQuery) (ops.List[ops.Incident], error)
	Get(ctx context.Context, id string) (ops.Incident, error)
	Timeline(ctx context.Context, id string) ([]ops.Entry, error)
	Report(ctx context.Context, id string) (ops.IncidentReport, error)
	Chart(ctx context.Context, id string) (ops.Chart, error)
	Headline(ctx context.Context) (ops.Chart, error)
	Declare(ctx context.Context, who ops.Principal, d ops.Declaration) (ops.Incident, error)
	Acknowledge(ctx context.Context, who ops.Principal, id, note string) (ops.Incident, error)
	Mitigate(ctx context.Context, who ops.Principal, id, note string) (ops.Incident, error)
	Resolve(ctx context.Context, who ops.Principal, id, note string) (ops.Incident, error)
	Reopen(ctx context.Context, who ops.Principal, id, note string) (ops.Incident, error)
	Note(ctx context.Context, who ops.Principal, id, text string) (ops.Incident, error)
	SetSeverity(ctx context.Context, who ops.Principal, id string, s ops.Severity, note string) (ops.Incident, error)
	SetRole(ctx context.Context, who ops.Principal, id, role, person string) (ops.Incident, error)
	Merge(ctx context.Context, who ops.Principal, id, into, note string) (ops.Incident, error)
	JudgeSuspect(ctx context.Context, who ops.Principal, id, change string, confirmed bool, note string) (ops.Incident, error)
	Split(ctx context.Context, who ops.Principal, id string, alerts []string, title, note string) (ops.Incident, error)
	Unlink(ctx context.Context, who ops.Principal, id string, alerts []string, note string) (ops.Incident, error)
	NameCause(ctx context.Context, who ops.Principal, id, text, change string) (ops.Incident, error)
	AddTask(ctx context.Context, who ops.Principal, id string, t ops.Task) (ops.Incident, error)
	ChangeTask(ctx context.Context, who ops.Principal, id string, task int, to ops.TaskChange) (ops.Incident, error)
	Attach(ctx context.Context, who ops.Principal, id, title, url string) (ops.Incident, error)
	Detach(ctx context.Context, who ops.Principal, id string, attachment int) (ops.Incident, error)
	UpdateDraft(ctx context.Context, id, lang string) (text string, due ops.Time, err error)
	PostUpdate(ctx context.Context, who ops.Principal, id, text string) (ops.Incident, error)
	Similar(ctx context.Context, id string) ([]ops.Similar, error)
	Handover(ctx context.Context, id, lang string) (markdown string, err error)
	HandoverAll(ctx context.Context, lang string) (markdown string, err error)
	ActionItems(ctx context.Context, state, owner string) ([]ops.ActionItem, error)
	Clocks(ctx context.Context, from, to time.Time, by string) (ops.ClockReport, error)
	ReceiveAlerts(ctx context.Context, source string, alerts []ops.Alert) ([]ops.Rejected, error)
	Alerts(ctx context.Context) ([]ops.IncidentAlert, error)
	Silences(ctx context.Context) ([]ops.Silence, error)
	PutSilence(ctx context.Context, who ops.Principal, s ops.Silence) (ops.Silence, error)
	ExpireSilence(ctx context.Context, who ops.Principal, id string) error
	OnCall(now time.Time) []ops.OnCall
	OnCallSchedules() []ops.OnCallSchedule
} = (*incidents.Service)(nil)
