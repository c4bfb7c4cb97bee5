package engine

import (
	"encoding/json"

	"goc/ops"
)

// Line is one line of a replay file. Which fields are set depends on Kind; fields that it does not know are ignored, so
// that other rooms may read more from the same file.
type Line struct {
	At          ops.Time          `json:"at"`
	Kind        string            `json:"kind"` // topology, change, stage, indicator, alert, heartbeat, voice, tick
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
	Value       *float64          `json:"value"` // null is a gap
	Status      ops.AlertStatus   `json:"status"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}

// ParseLine reads one line of a replay file.
func ParseLine(b []byte) (Line, error) {
	var l Line
	if err := json.Unmarshal(b, &l); err != nil {
		return l, ops.Errorf(ops.Invalid, "this is no line of a replay file: %w", err)
	}
	if l.At.IsZero() {
		return l, ops.Errorf(ops.Invalid, "a line needs a time").At("at")
	}
	if l.Kind == "change" && (l.Change == nil || l.Change.ID == "") {
		return l, ops.Errorf(ops.Invalid, "a change needs an id").At("change.id")
	}
	return l, nil
}

// Input is what the line means to the engine; a line that says nothing to it is a tick.
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
		return Samples{Samples: []ops.Sample{{At: l.At, Indicator: l.Indicator, Service: l.Service, Caller: l.Caller, Unit: l.Unit, CallerUnit: l.CallerUnit, Store: l.Store, Value: *l.Value}}}
	case "alert":
		a := ops.Alert{Status: l.Status, Labels: l.Labels, Annotations: l.Annotations, StartsAt: l.At}
		if l.Status == ops.Resolved {
			a.EndsAt = l.At
		}
		return Alerts{Source: Replay, Alerts: []ops.Alert{a}}
	}
	return Tick{}
}
