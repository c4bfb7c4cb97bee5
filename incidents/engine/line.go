package engine

import (
	"encoding/json"

	"goc/ops"
)

// Line is one line of a replay file. Which fields are set depends on Kind; fields that it does not know are ignored, so
// that other rooms may read more from the same file. Lines of one step that is not 0 are one input, as they were live.
type Line struct {
	At          ops.Time          `json:"at"`
	Kind        string            `json:"kind"` // topology, change, stage, indicator, alert, heartbeat, voice, tick; more in Recorded
	Step        uint64            `json:"step"` // counts the steps of a recording; 0 where nobody counted
	Calls       [][2]string       `json:"calls"`
	Change      *ops.Change       `json:"change"`
	ChangeID    string            `json:"change_id"`
	Stage       int               `json:"stage"`
	State       string            `json:"state"`
	Units       []string          `json:"units"`
	Replaces    []string          `json:"replaces"`
	Stores      []string          `json:"stores"`
	Indicator   string            `json:"indicator"`
	Service     string            `json:"service"`
	Caller      string            `json:"caller"`
	Unit        string            `json:"unit"`
	CallerUnit  string            `json:"caller_unit"`
	Store       string            `json:"store"`
	Value       *float64          `json:"value"`      // null is a gap
	SampledAt   ops.Time          `json:"sampled_at"` // when it was measured, where that is not when it came in
	Status      ops.AlertStatus   `json:"status"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	*Recorded
}

// Recorded is what only lines of a recording have: the full fields of alerts, what people did, the state that it began
// with, and what other rooms answered.
type Recorded struct {
	Source       string           `json:"source,omitempty"`        // alert
	StartsAt     ops.Time         `json:"starts_at,omitzero"`      // alert
	EndsAt       ops.Time         `json:"ends_at,omitzero"`        // alert
	GeneratorURL string           `json:"generator_url,omitempty"` // alert
	Who          *ops.Principal   `json:"who,omitempty"`           // declare, action, silence, expire
	Declaration  *ops.Declaration `json:"declaration,omitempty"`   // declare
	Action       *Action          `json:"action,omitempty"`        // action
	Silence      *ops.Silence     `json:"silence,omitempty"`       // silence
	ID           string           `json:"id,omitempty"`            // expire, run, record
	Incident     string           `json:"incident,omitempty"`      // run
	Answer       *Answer          `json:"answer,omitempty"`        // answer: what another room said when the engine asked
	Begin        *Beginning       `json:"begin,omitempty"`         // start
	Catalog      *ops.Catalog     `json:"catalog,omitempty"`       // catalog: a part of it
	Record       string           `json:"record,omitempty"`        // record: its kind
	Body         json.RawMessage  `json:"body,omitempty"`          // record
	Until        ops.Time         `json:"until,omitzero"`          // gap: from at to here something is missing
	Lost         int              `json:"lost,omitempty"`          // gap: so many inputs
	Text         string           `json:"text,omitempty"`          // gap: what is missing
}

// Beginning is where a recording starts, or starts again: an engine with these settings and the records that follow.
type Beginning struct {
	Why      string `json:"why"`      // start: of the program; segment: a new file of the same recording; gap: after something was lost
	Version  string `json:"version"`  // of the program
	Settings Config `json:"settings"` // of the engine
	Next     int    `json:"next"`     // number of the next incident
}

// Answer is what another room said when the engine asked: the inputs that do not come by themselves.
type Answer struct {
	Ask     string    `json:"ask"` // affected, voice, drill, plans
	Scope   ops.Scope `json:"scope,omitzero"`
	About   string    `json:"about,omitempty"` // plans: the incident
	Stores  int       `json:"stores,omitempty"`
	Devices int       `json:"devices,omitempty"`
	Voice   int       `json:"voice,omitempty"`
	Drill   string    `json:"drill,omitempty"`
	Plans   []string  `json:"plans,omitempty"`
}

// Input is what the line means to the engine; a line that says nothing to it is a tick. The line must be of ParseLine.
func (l Line) Input() Input {
	switch l.Kind {
	case "topology":
		return Topology{Calls: l.Calls}
	case "change":
		return Change{Change: *l.Change}
	case "stage":
		return Stage{ChangeID: l.ChangeID, Stage: l.Stage, State: l.State, Units: l.Units, Replaces: l.Replaces, Stores: l.Stores, At: l.At}
	case "indicator":
		if l.Value == nil {
			return Tick{}
		}
		return Samples{Samples: []ops.Sample{l.sample()}}
	case "alert":
		return l.alert()
	case "declare":
		return Declare{Who: *l.Who, Declaration: *l.Declaration}
	case "action":
		a := *l.Action
		a.Who = *l.Who
		return a
	case "silence":
		return PutSilence{Who: *l.Who, Silence: *l.Silence}
	case "expire":
		return ExpireSilence{Who: *l.Who, ID: l.ID}
	case "run":
		return Run{ID: l.ID, Incident: l.Incident}
	}
	return Tick{}
}

func (l Line) sample() ops.Sample {
	at := l.SampledAt
	if at.IsZero() {
		at = l.At
	}
	return ops.Sample{At: at, Indicator: l.Indicator, Service: l.Service, Caller: l.Caller, Unit: l.Unit, CallerUnit: l.CallerUnit, Store: l.Store, Value: *l.Value}
}

// alert is the line's alert: of a recording with the fields that it came with, else as a history tells it.
func (l Line) alert() Alerts {
	a := ops.Alert{Status: l.Status, Labels: l.Labels, Annotations: l.Annotations}
	if l.Step > 0 {
		if r := l.Recorded; r != nil {
			a.StartsAt, a.EndsAt, a.GeneratorURL, a.Source = r.StartsAt, r.EndsAt, r.GeneratorURL, r.Source
		}
		in := Alerts{Alerts: []ops.Alert{a}}
		if a.Source == Replay { // whose leases are longer
			in.Source = Replay
		}
		return in
	}
	a.StartsAt = l.At
	if l.Status == ops.Resolved {
		a.EndsAt = l.At
	}
	return Alerts{Source: Replay, Alerts: []ops.Alert{a}}
}
