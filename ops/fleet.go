package ops

// DeviceState is what the fleet table knows of a device.
type DeviceState uint8

// The states of a device. Their numbers go over the live feed and must not change.
const (
	NeverSeen DeviceState = iota // listed, but it has never beaten
	Online                       // beats in time and says that it is well
	Degraded                     // beats in time and says that it is not well
	Late                         // missed its deadline, still within grace
	Offline                      // missed its deadline and the grace
	Closed                       // its store is closed, so silence means nothing
	Retired                      // taken out of service
)

var deviceStates = [...]string{"never_seen", "online", "degraded", "late", "offline", "closed", "retired"}

// DeviceStates lists the names of all states by number.
func DeviceStates() []string { return deviceStates[:] }

func (s DeviceState) String() string { return deviceStates[s] }

// MarshalText implements encoding.TextMarshaler.
func (s DeviceState) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *DeviceState) UnmarshalText(b []byte) error {
	for i, name := range deviceStates {
		if name == string(b) {
			*s = DeviceState(i)
			return nil
		}
	}
	return Errorf(Invalid, "a device state must be one of never_seen, online, degraded, late, offline, closed, retired")
}

// Heartbeat is what a device says of itself. Store and Device are required.
type Heartbeat struct {
	Store    string   `json:"store"`
	Device   string   `json:"device"`
	Kind     string   `json:"kind,omitempty"`
	Model    string   `json:"model,omitempty"`
	Firmware string   `json:"firmware,omitempty"`
	At       Time     `json:"at"`
	Status   string   `json:"status,omitempty"` // ok, degraded, fault; empty is ok
	Battery  *float64 `json:"battery,omitempty"`
	Note     string   `json:"note,omitempty"`

	Temperature *float64 `json:"temperature,omitempty"` // °C
	Paper       *float64 `json:"paper,omitempty"`       // what a printer has left, 0 to 1
	Queue       *float64 `json:"queue,omitempty"`       // people or jobs that wait
}

// Rejected says which of a batch was refused, and why.
type Rejected struct {
	Index  int    `json:"index"`
	Reason string `json:"reason"`
}

// Device is one device as the fleet table has it. Its id is store/device.
type Device struct {
	ID       string      `json:"id"`
	Store    string      `json:"store"`
	Device   string      `json:"device"`
	Kind     string      `json:"kind,omitempty"`
	Model    string      `json:"model,omitempty"`
	Firmware string      `json:"firmware,omitempty"`
	State    DeviceState `json:"state"`
	Since    Time        `json:"since"` // when it came into this state
	SeenAt   Time        `json:"seen_at"`
	Deadline Time        `json:"deadline"`
	Status   string      `json:"status,omitempty"`
	Battery  *float64    `json:"battery,omitempty"`
	Note     string      `json:"note,omitempty"`

	Flapping  bool         `json:"flapping,omitempty"`    // its link, or its store's, comes and goes
	ClockOffS float64      `json:"clock_off_s,omitempty"` // seconds by which its clock is wrong; negative when it is behind
	History   []DeviceTurn `json:"history,omitempty"`     // the newest first; only where one device is asked for

	Temperature *float64  `json:"temperature,omitempty"` // °C
	Paper       *float64  `json:"paper,omitempty"`       // what a printer has left, 0 to 1
	Queue       *float64  `json:"queue,omitempty"`       // people or jobs that wait
	Readings    []Reading `json:"readings,omitempty"`    // those that have limits or a history
	Why         []string  `json:"why,omitempty"`         // why it is degraded
}

// DeviceTurn is one change of a device's state.
type DeviceTurn struct {
	At   Time        `json:"at"`
	From DeviceState `json:"from"`
	To   DeviceState `json:"to"`
}

// FleetGroup is one row of a roll-up: the values of the keys it is grouped by, and how many devices are in each state.
type FleetGroup struct {
	Group  map[string]string `json:"group"`
	Total  int               `json:"total"`
	States map[string]int    `json:"states"`
}

// FleetQuery asks for a roll-up by keys (city, store, region, kind, model, firmware, network, state); State, where set,
// counts only devices in it; Scope narrows.
type FleetQuery struct {
	GroupBy []string
	State   string
	Scope   Scope
}

// StoreView is one store with its devices.
type StoreView struct {
	Store
	Open    bool           `json:"open"`
	Flaps   bool           `json:"flapping,omitempty"` // its link comes and goes
	States  map[string]int `json:"states"`
	Devices []Device       `json:"device_list"`
}

// Wall is the layout of the fleet wall: stores in order, each with a run of cells in Cells. It changes its Layout number
// whenever a store or device comes or goes; deltas are valid only for the layout they name.
type Wall struct {
	Layout uint32      `json:"layout"`
	Stores []WallStore `json:"stores"`
	Cells  []byte      `json:"cells"` // one DeviceState a cell (base64 in JSON)
}

// WallStore is one store's run of cells.
type WallStore struct {
	ID      string   `json:"id"`
	Name    string   `json:"name,omitempty"`
	City    string   `json:"city,omitempty"`
	Offset  int      `json:"offset"`
	Devices []string `json:"devices"` // names, a cell each
}

// FleetCause is something that devices which are not well have in common.
type FleetCause struct {
	Scope    map[string][]string `json:"scope"` // store, city, region, network, kind, model, firmware, change
	Since    Time                `json:"since"`
	Affected uint64              `json:"affected"` // of the set: offline or degraded
	Total    uint64              `json:"total"`    // the set, without what is closed, retired or never came
	Lift     float64             `json:"lift"`     // share affected in the set over the share outside of all causes
	Text     string              `json:"text"`
	Stores   int                 `json:"stores"`             // in how many the affected are
	Worst    []string            `json:"worst,omitempty"`    // the stores with most of them, at most 20
	Gateways []string            `json:"gateways,omitempty"` // among the affected, of the worst stores
}

// FleetCauses is what the devices that are not well have in common.
type FleetCauses struct {
	Causes      []FleetCause `json:"causes"`
	Unexplained uint64       `json:"unexplained"` // not well, and in none of the causes
}

// DeviceRef is a device by its store and name.
type DeviceRef struct {
	Store  string `json:"store"`
	Device string `json:"device"`
}

func (d DeviceRef) String() string { return d.Store + "/" + d.Device }

// DeviceQuery asks for devices in the order of their ids: those in a scope and, where set, in a state. Page.Cursor is the
// id after which the page begins.
type DeviceQuery struct {
	Scope Scope
	State string
	Page  Page
}

// Imported says what an import of devices did, or would do. Indexes are those of its devices.
type Imported struct {
	New       int        `json:"new"`
	Updated   int        `json:"updated"`   // another kind, model or firmware
	Revived   int        `json:"revived"`   // retired before, expected again
	Unchanged int        `json:"unchanged"` // known as it is
	Rejected  []Rejected `json:"rejected"`
}
