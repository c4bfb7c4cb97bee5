package ops

// StoreState is where one store stands in a rollout.
type StoreState string

const (
	StoreUntreated  StoreState = "untreated"   // no ring names it: it is what the treated are compared with
	StoreWaiting    StoreState = "waiting"     // its ring has not begun
	StoreInProgress StoreState = "in_progress" // its ring is going out
	StoreHeld       StoreState = "held"        // its ring is going out, and the change is paused; or it is the next and waits for that
	StoreBaking     StoreState = "baking"      // out, and watched
	StoreDone       StoreState = "done"        // out, with no bake or one that saw too little
	StoreHealthy    StoreState = "healthy"     // out, and its ring's bake was healthy
	StoreUnhealthy  StoreState = "unhealthy"   // out, and its ring's bake was not
	StoreRolledBack StoreState = "rolled_back" // undone
)

// RolloutCell is one store in a rollout.
type RolloutCell struct {
	Store   string     `json:"store"`
	Name    string     `json:"name,omitempty"`
	City    string     `json:"city,omitempty"`
	Stage   int        `json:"stage,omitempty"` // its ring, from 1; 0: none, or the change has none
	State   StoreState `json:"state"`
	Treated bool       `json:"treated"` // the change has reached it and was not undone there
	At      Time       `json:"at"`      // since when it stands there, zero before its ring begins
}

// RolloutMatrix is a change store by store: those that it is to reach, by city, and the others of the same cities.
type RolloutMatrix struct {
	ChangeID string             `json:"change_id"`
	Status   ChangeStatus       `json:"status"`
	Cells    []RolloutCell      `json:"cells"`
	Counts   map[StoreState]int `json:"counts"`
	Omitted  int                `json:"omitted,omitempty"` // stores beyond the most that are listed
}
