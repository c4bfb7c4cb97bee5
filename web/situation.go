package web

import "goc/ops"

// Situation is everything that a wall shows, built at most twice a second for however many walls.
type Situation struct {
	At        ops.Time        `json:"at"`  // when it was built
	Seq       int64           `json:"seq"` // it knows of every event up to this one
	Version   string          `json:"version"`
	Counts    Counts          `json:"counts"`
	Incidents []ops.Incident  `json:"incidents"` // active, and those over within the last ten minutes; worst first, at most 20
	Freeze    FreezeState     `json:"freeze"`
	Services  []ServiceState  `json:"services"` // by tier, worst first
	Cities    []CityState     `json:"cities"`   // worst first
	OnCall    []ops.OnCall    `json:"oncall"`
	Changes   []ops.Change    `json:"changes"` // open, or ended within the last hour; newest first, at most 20
	Runs      []ops.Run       `json:"runs"`    // of plans: active or just over, at most 5
	Recent    []RecentEvent   `json:"recent"`  // what a person would want in a ticker, newest first, at most 20
	Headline  *ops.Chart      `json:"headline"`
	Missing   []MissingSource `json:"missing,omitempty"` // rooms that did not answer: their part is empty, not well
}

// Counts are the figures of the top strip. Incidents that have recovered no longer count.
type Counts struct {
	P1             int `json:"P1"`
	P2             int `json:"P2"`
	P3             int `json:"P3"`
	P4             int `json:"P4"`
	DevicesOffline int `json:"devices_offline"`
	DevicesTotal   int `json:"devices_total"`
}

// FreezeState is which windows are closed now, and which closes next.
type FreezeState struct {
	Active []ops.FreezeSpan `json:"active"`
	Next   *ops.FreezeSpan  `json:"next"` // within a week, else null
}

// ServiceState is one service and the incidents that touch it.
type ServiceState struct {
	Name      string   `json:"name"`
	Tier      string   `json:"tier"`
	Core      bool     `json:"core"`
	Business  string   `json:"business"`
	Owner     string   `json:"owner"`
	State     string   `json:"state"` // ok, warning, critical
	Incidents []string `json:"incidents"`
}

// CityState is one city: its devices by state, and its stores.
type CityState struct {
	City           string         `json:"city"`
	Region         string         `json:"region"`
	Total          int            `json:"total"`    // devices
	Affected       int            `json:"affected"` // devices that are offline or degraded
	States         map[string]int `json:"states"`   // devices by state
	StoresTotal    int            `json:"stores_total"`
	StoresAffected int            `json:"stores_affected"` // stores in warning, critical or offline
	Stores         []StoreState   `json:"stores"`          // worst first
}

// StoreState is one store: its devices by state.
type StoreState struct {
	ID     string         `json:"id"`
	Name   string         `json:"name"`
	Open   bool           `json:"open"`
	States map[string]int `json:"states"`
	State  string         `json:"state"` // ok, warning, critical, offline, closed
}

// RecentEvent is an event as a ticker shows it.
type RecentEvent struct {
	Seq     int64    `json:"seq"`
	At      ops.Time `json:"at"`
	Name    string   `json:"name"`
	Topic   string   `json:"topic"`
	Subject string   `json:"subject"`
	Actor   string   `json:"actor"`
	Text    string   `json:"text"`
	Data    any      `json:"data,omitempty"`
}

// MissingSource is a room that did not answer.
type MissingSource struct {
	Source string `json:"source"`
	Detail string `json:"detail"`
}
