package ops

// IncidentReport is the post-incident report: what it was, for somebody who was not there.
type IncidentReport struct {
	ID        string       `json:"id"`
	Title     string       `json:"title"`
	Summary   string       `json:"summary"` // one paragraph, from facts alone
	Incident  Incident     `json:"incident"`
	Clock     []ReportLeg  `json:"clock"`
	Recovery  string       `json:"recovery"` // how the recovery was judged
	Decisions []Entry      `json:"decisions"`
	Runs      []ReportRun  `json:"runs"`
	Timeline  []ReportLine `json:"timeline"`
	Markdown  string       `json:"markdown"` // all of it, to be read
}

// ReportLeg is one leg of the 1-5-10 clock as it ended.
type ReportLeg struct {
	Name      string  `json:"name"` // detect, locate, recover
	At        Time    `json:"at"`   // when it was stopped; null when never
	AfterS    float64 `json:"after_s"`
	TargetS   float64 `json:"target_s"`
	Met       *bool   `json:"met"`
	StoppedBy string  `json:"stopped_by,omitempty"`
}

// ReportRun is one run of a plan for the incident, as far as the incident was told of it.
type ReportRun struct {
	ID        string   `json:"id"`
	Plan      string   `json:"plan"`
	State     RunState `json:"state"`
	StartedAt Time     `json:"started_at"`
	LastAt    Time     `json:"last_at"`
	By        string   `json:"by,omitempty"`
	Text      string   `json:"text"`            // the last that was said of it
	Step      int      `json:"step,omitempty"`  // the last that was begun or done, from 1
	Steps     int      `json:"steps,omitempty"` // how many the plan has
}

// ReportLine is one line of the timeline; many that say the same sort of thing are one line with their number.
type ReportLine struct {
	From  Time   `json:"from"`
	To    Time   `json:"to"`
	Count int    `json:"count"`
	Kind  string `json:"kind"` // system, action, note, suspect, plan, chat
	Actor string `json:"actor,omitempty"`
	Text  string `json:"text"`
}
