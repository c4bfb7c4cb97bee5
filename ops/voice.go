package ops

// Voice is something that a customer or store staff said.
type Voice struct {
	At      Time   `json:"at"`
	Store   string `json:"store,omitempty"`
	Service string `json:"service,omitempty"`
	Channel string `json:"channel,omitempty"` // app, phone, store, rider, …
	Text    string `json:"text"`
	Topic   string `json:"topic,omitempty"`
}

// Topic is what many say: its rate now against normal.
type Topic struct {
	Name         string         `json:"name"`
	Count        int            `json:"count"`          // in the last 10 minutes
	PerMin       float64        `json:"per_min"`        // in the last 10 minutes
	NormalPerMin float64        `json:"normal_per_min"` // over the 24 hours before
	Stores       map[string]int `json:"stores,omitempty"`
	Samples      []string       `json:"samples,omitempty"`
}

// OnCall says who is on call now, and who is next.
type OnCall struct {
	Schedule string `json:"schedule"`
	Person   string `json:"person"`
	Until    Time   `json:"until"`
	Next     string `json:"next,omitempty"`
}

// OnCallSchedule is a rotation: each of People for Shift, in turn from Start.
type OnCallSchedule struct {
	Name     string   `json:"name" yaml:"name"`
	Timezone string   `json:"timezone,omitempty" yaml:"timezone,omitempty"`
	Start    string   `json:"start" yaml:"start"` // 2026-01-05T09:00 in Timezone
	Shift    Duration `json:"shift" yaml:"shift"`
	People   []string `json:"people" yaml:"people"`
}
