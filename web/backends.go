package web

import (
	"context"
	"io"
	"net/http"
	"time"

	"goc/ops"
)

// The rooms behind the API, as the API needs them. Each is satisfied by the room of its name; cmd/goc connects them.
// Every method that changes something returns only once the change is on disk, and takes who does it.
type (
	// Incidents is the incident engine. Alerts and silences are its too.
	Incidents interface {
		List(ctx context.Context, q ops.IncidentQuery) (ops.List[ops.Incident], error)
		Get(ctx context.Context, id string) (ops.Incident, error)
		Timeline(ctx context.Context, id string) ([]ops.Entry, error)
		Report(ctx context.Context, id string) (ops.IncidentReport, error)
		Chart(ctx context.Context, id string) (ops.Chart, error)
		Headline(ctx context.Context) (ops.Chart, error) // the one curve when nothing is wrong
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
		Split(ctx context.Context, who ops.Principal, id string, alerts []string, title, note string) (ops.Incident, error) // the new one
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

		// History and IncidentHistory open what was recorded as a replay file, gzip of JSON lines; a zero time leaves an end
		// open. What they return reads the disk as it is written out.
		History(ctx context.Context, from, to time.Time) (io.WriterTo, error)
		IncidentHistory(ctx context.Context, id string) (io.WriterTo, error)

		// ReceiveAlerts takes alerts from anywhere: those that are good are on disk when it returns, the others are listed.
		ReceiveAlerts(ctx context.Context, source string, alerts []ops.Alert) ([]ops.Rejected, error)
		Alerts(ctx context.Context) ([]ops.IncidentAlert, error) // those firing now
		Silences(ctx context.Context) ([]ops.Silence, error)
		PutSilence(ctx context.Context, who ops.Principal, s ops.Silence) (ops.Silence, error)
		ExpireSilence(ctx context.Context, who ops.Principal, id string) error
		OnCall(now time.Time) []ops.OnCall
		OnCallSchedules() []ops.OnCallSchedule
	}

	// Changes is the record of changes and the gate.
	Changes interface {
		List(ctx context.Context, q ops.ChangeQuery) (ops.List[ops.Change], error)
		Get(ctx context.Context, id string) (ops.Change, error)
		Record(ctx context.Context, who ops.Principal, c ops.Change) (ops.Change, error)
		Event(ctx context.Context, who ops.Principal, id string, e ops.ChangeEvent) (ops.Change, error)
		Matrix(ctx context.Context, id string) (ops.RolloutMatrix, error)
		Overrides(ctx context.Context, open bool) ([]ops.Override, error) // the newest first
		ReviewOverride(ctx context.Context, who ops.Principal, id string, r ops.OverrideReview) (ops.Override, error)
		Hygiene(ctx context.Context) (ops.GateHygiene, error)
		Standing(ctx context.Context, who ops.Principal, id string) (ops.GateStanding, error)
		Held(ctx context.Context, who ops.Principal) ([]ops.GateStanding, error) // the newest first
		Rules(ctx context.Context) (ops.GateRules, error)
		Check(ctx context.Context, who ops.Principal, r ops.GateRequest) (ops.Decision, error)
		Approve(ctx context.Context, who ops.Principal, a ops.Approval) (ops.Approval, error)
		Override(ctx context.Context, who ops.Principal, o ops.Override) (ops.Override, error)
		Freezes(ctx context.Context) ([]ops.Freeze, error) // not lifted, the next first
		AddFreeze(ctx context.Context, who ops.Principal, f ops.Freeze) (ops.Freeze, error)
		LiftFreeze(ctx context.Context, who ops.Principal, id string) error
		Calendar(ctx context.Context, from, to time.Time) ([]ops.FreezeSpan, error)
		ImportFreezes(ctx context.Context, who ops.Principal, i ops.FreezeImport) (ops.FreezeImported, error)
		Evidence(ctx context.Context, who ops.Principal, id string, reviews map[string]string) (ops.Change, error)
		Maintenance(ctx context.Context) (ops.GateMaintenance, error)
		Maintain(ctx context.Context, who ops.Principal, m ops.GateMaintenance) (ops.GateMaintenance, error)
		DryRunPolicy(ctx context.Context, t ops.PolicyTrial) (ops.PolicyDryRun, error)
		Key(ctx context.Context) (ops.GateKey, error)
		Absent(ctx context.Context, who ops.Principal, a ops.GateAbsence) (ops.GateAbsence, error)
	}

	// Fleet is the table of devices.
	Fleet interface {
		Receive(ctx context.Context, who ops.Principal, beats []ops.Heartbeat) (accepted int, rejected []ops.Rejected, err error)
		Rollup(ctx context.Context, q ops.FleetQuery) ([]ops.FleetGroup, error)
		StoreView(ctx context.Context, id string) (ops.StoreView, error)
		Device(ctx context.Context, store, device string) (ops.Device, error)
		Devices(ctx context.Context, q ops.DeviceQuery) (page []ops.Device, next string, err error)
		// List makes devices known before they beat; Retire takes them out of service; Move and Rename keep their state.
		List(ctx context.Context, who ops.Principal, devices []ops.Heartbeat, dry bool) (ops.Imported, error)
		Retire(ctx context.Context, who ops.Principal, devices []ops.DeviceRef) ([]ops.Rejected, error)
		Move(ctx context.Context, who ops.Principal, d ops.DeviceRef, store string) (ops.Device, error)
		Rename(ctx context.Context, who ops.Principal, d ops.DeviceRef, name string) (ops.Device, error)
		Wall(ctx context.Context) (ops.Wall, error)
		// Causes answers what the devices that are not well have in common.
		Causes(ctx context.Context) (ops.FleetCauses, error)
		// WatchWall calls fn, one call at a time and at most ten times a second, with the cells that changed since the
		// last call: state<<24 | index. A layout that differs from the client's means that it must fetch Wall again.
		// fn must not block. It returns the function that ends the watch.
		WatchWall(fn func(layout uint32, cells []uint32)) (cancel func())
	}

	// Voice is what customers and staff say.
	Voice interface {
		Say(ctx context.Context, who ops.Principal, said []ops.Voice) ([]ops.Rejected, error)
		Topics(ctx context.Context) ([]ops.Topic, error)
	}

	// Plans is the response plans and their runs.
	Plans interface {
		Plans() []ops.Plan
		Runs(ctx context.Context) ([]ops.Run, error) // newest first, at most 100
		DryRun(ctx context.Context, who ops.Principal, plan string, r ops.RunRequest) (ops.DryRun, error)
		Start(ctx context.Context, who ops.Principal, plan string, r ops.RunRequest) (ops.Run, error)
		Get(ctx context.Context, id string) (ops.Run, error)
		Confirm(ctx context.Context, who ops.Principal, id string) (ops.Run, error)
		Abort(ctx context.Context, who ops.Principal, id string) (ops.Run, error)
		Undo(ctx context.Context, who ops.Principal, id string) (ops.Run, error)
	}

	// Drills is the drills and their scores.
	Drills interface {
		Drills() []ops.Drill
		Runs(ctx context.Context) ([]ops.DrillRun, error) // newest first, at most 100
		Start(ctx context.Context, who ops.Principal, drill string) (ops.DrillRun, error)
		Get(ctx context.Context, id string) (ops.DrillRun, error)
		Abort(ctx context.Context, who ops.Principal, id string) (ops.DrillRun, error)
	}

	// Journal is the durable state as the API needs it.
	Journal interface {
		Append(m ops.Mutation) *ops.Receipt
		Load(ctx context.Context, kind string, each func(ops.Record) error) error
		Record(ctx context.Context, kind, id string) (ops.Record, error) // NotFound when there is none
		Events(ctx context.Context, q ops.EventQuery) ([]ops.Event, error)
		LastSeq() int64
		// Subscribe calls fn after each commit with the new events in order; fn must not block.
		Subscribe(fn func([]ops.Event)) (cancel func())
		Verify(ctx context.Context) (ops.ChainReport, error)
		Err() error // what made the journal stop, nil while it works
	}

	// Mount is a handler that another room brings, with its pattern for http.ServeMux and who may use it.
	Mount struct {
		Pattern string // "POST /api/v2/alerts"
		Roles   []ops.Role
		Public  bool // the handler checks signatures itself
		Handler http.Handler
		Summary string // for the OpenAPI document
	}
)
