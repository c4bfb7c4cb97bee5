package engine

import (
	"goc/incidents/suspects"
	"goc/ops"
)

// Input is something that happened.
type Input interface{ input() }

type (
	// Alerts is one batch from one source.
	Alerts struct {
		Source string
		Alerts []ops.Alert
	}
	// Change is a change as it now is on record, with its stages.
	Change struct{ Change ops.Change }
	// Stage moves one stage of a change that was seen before; replay files tell it so. Stage counts from 1.
	Stage struct {
		ChangeID string
		Stage    int
		State    string // started, finished
		Units    []string
		Replaces []string
		Stores   []string
		At       ops.Time
	}
	// Topology is who calls whom, caller first; it replaces what the catalog says.
	Topology struct{ Calls [][2]string }
	// Samples are values of indicators.
	Samples struct{ Samples []ops.Sample }
	// Declare opens an incident by hand.
	Declare struct {
		Who         ops.Principal
		Declaration ops.Declaration
	}
	// Action is what a person does with an incident.
	Action struct {
		Do        string         `json:"do"` // acknowledge, mitigate, resolve, reopen, note, severity, role, merge, split, unlink, judge, cause, task_add, task_change, attach, detach, update
		Who       ops.Principal  `json:"-"`  // a recording has it beside the action
		ID        string         `json:"id"`
		Note      string         `json:"note,omitempty"`
		Severity  ops.Severity   `json:"severity,omitempty"`
		Role      string         `json:"role,omitempty"`
		Person    string         `json:"person,omitempty"`
		Into      string         `json:"into,omitempty"`
		Change    string         `json:"change,omitempty"`
		Confirmed bool           `json:"confirmed,omitempty"`
		Text      string         `json:"text,omitempty"`   // of a cause or an update
		Task      ops.Task       `json:"task,omitzero"`    // task_add: kind, title, owner, due_at; task_change: the id
		TaskTo    ops.TaskChange `json:"task_to,omitzero"` // task_change: what is to become of it
		Link      ops.Attachment `json:"link,omitzero"`    // attach: title, url; detach: the id
		Alerts    []string       `json:"alerts,omitempty"` // fingerprints, of a split or unlink
		Title     string         `json:"title,omitempty"`  // of what a split makes
	}
	// PutSilence sets a silence, or changes the one of its id.
	PutSilence struct {
		Who     ops.Principal
		Silence ops.Silence
	}
	// ExpireSilence ends one.
	ExpireSilence struct {
		Who ops.Principal
		ID  string
	}
	// Run is a plan's run that belongs to an incident.
	Run struct{ ID, Incident string }
	// Tick is nothing but time going on.
	Tick struct{}
)

func (Alerts) input()        {}
func (Change) input()        {}
func (Stage) input()         {}
func (Topology) input()      {}
func (Samples) input()       {}
func (Declare) input()       {}
func (Action) input()        {}
func (PutSilence) input()    {}
func (ExpireSilence) input() {}
func (Run) input()           {}
func (Tick) input()          {}

// Outputs is what follows from one input: what to write, what to say, and what became of it.
type Outputs struct {
	At              ops.Time
	Put             []ops.Record
	Delete          []ops.Record
	Events          []ops.Event
	Changed         []ops.Incident      // as they now are
	Alerts          []ops.IncidentAlert // that changed, as they now are
	SilencesChanged bool
	Ranked          []Ranked
	Rejected        []ops.Rejected
	Incident        string // the incident that an action was about, or opened
	Silence         ops.Silence
	Forgotten       []string // resolved incidents that only the journal still has
	SamplesRefused  int
	AlertsTaken     int
	Err             error // why the input was refused; what time alone brought about stands all the same
}

// Mutation is what must be on disk before anyone is answered.
func (o Outputs) Mutation() ops.Mutation {
	return ops.Mutation{Put: o.Put, Delete: o.Delete, Events: o.Events}
}

// Empty says whether there is nothing to write.
func (o Outputs) Empty() bool { return len(o.Put)+len(o.Delete)+len(o.Events) == 0 }

// Ranked is one ranking of the suspects of an incident, as `goc replay --json` prints it.
type Ranked struct {
	At       ops.Time      `json:"at"`
	Kind     string        `json:"kind"` // suspects
	Incident string        `json:"incident"`
	Suspects []ops.Suspect `json:"suspects"`
	NoChange float64       `json:"no_change"`
}

// IncidentRow is one change of state of an incident, as `goc replay --json` prints it.
type IncidentRow struct {
	At       ops.Time          `json:"at"`
	Kind     string            `json:"kind"` // incident
	Event    string            `json:"event"`
	Incident string            `json:"incident"`
	Title    string            `json:"title"`
	Severity ops.Severity      `json:"severity"`
	State    ops.IncidentState `json:"state"`
	Scope    ops.Scope         `json:"scope"`
	OnsetAt  ops.Time          `json:"onset_at"`
	Clock    ops.Clock         `json:"clock"`
	Text     string            `json:"text"`
}

// Rows are the lines that `goc replay --json` prints for one step: rankings, and the events of incidents in order.
func (o Outputs) Rows() []any {
	var rows []any
	now := map[string]ops.Incident{}
	for _, inc := range o.Changed {
		now[inc.ID] = inc
	}
	for _, ev := range o.Events {
		if ev.Topic != "incidents" || ev.Name == "incident.suspects_ranked" {
			continue
		}
		inc := now[ev.Subject]
		rows = append(rows, IncidentRow{
			At: ev.At, Kind: "incident", Event: ev.Name, Incident: ev.Subject, Title: inc.Title, Severity: inc.Severity,
			State: inc.State, Scope: inc.Scope, OnsetAt: inc.OnsetAt, Clock: inc.Clock, Text: textOf(ev),
		})
	}
	for _, r := range o.Ranked {
		rows = append(rows, r)
	}
	return rows
}

// learn counts a person's judgement of a kind of change; undo takes an earlier one back.
func learn(p suspects.Priors, kind ops.ChangeKind, confirmed bool, n int) {
	c := p[kind]
	if confirmed {
		c.Confirmed = max(0, c.Confirmed+n)
	} else {
		c.Rejected = max(0, c.Rejected+n)
	}
	p[kind] = c
}
