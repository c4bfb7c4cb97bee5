package ops

import "encoding/json"

// Kinds of task.
const (
	TaskNow    = "task"        // to be done while the incident lasts
	TaskAction = "action_item" // to be done after it, so that it does not come back
)

// Task is something that somebody is to do for an incident.
type Task struct {
	ID         int    `json:"id"`   // counts from 1 within its incident
	Kind       string `json:"kind"` // task, action_item
	Title      string `json:"title"`
	Owner      string `json:"owner,omitempty"` // "" while nobody took it
	DueAt      Time   `json:"due_at"`
	CreatedAt  Time   `json:"created_at"`
	CreatedBy  string `json:"created_by"`
	DoneAt     Time   `json:"done_at"`
	DoneBy     string `json:"done_by,omitempty"`
	RemindedAt Time   `json:"reminded_at"`         // when its owner was last chased
	Reminders  int    `json:"reminders,omitempty"` // how often
}

// TaskChange is what is to become of a task. What is nil stays as it is; the zero time takes the due date away.
type TaskChange struct {
	Title *string `json:"title,omitempty"`
	Owner *string `json:"owner,omitempty"`
	DueAt *Time   `json:"due_at,omitempty"`
	Done  *bool   `json:"done,omitempty"`
}

// MarshalJSON implements json.Marshaler: a due date that is taken away is "", for null would leave it.
func (c TaskChange) MarshalJSON() ([]byte, error) {
	type plain TaskChange
	if c.DueAt == nil || !c.DueAt.IsZero() {
		return json.Marshal(plain(c))
	}
	return json.Marshal(struct {
		plain
		DueAt string `json:"due_at"`
	}{plain: plain(c)})
}

// ActionItem is a task with the incident that it belongs to, as lists across incidents show it.
type ActionItem struct {
	Task
	Incident string `json:"incident"`
	Title    string `json:"incident_title"`
	Overdue  bool   `json:"overdue"`
}

// Attachment is a link to something that belongs to an incident and is kept elsewhere.
type Attachment struct {
	ID      int    `json:"id"` // counts from 1 within its incident
	Title   string `json:"title"`
	URL     string `json:"url"` // http or https
	AddedAt Time   `json:"added_at"`
	AddedBy string `json:"added_by"`
}

// Update is what stakeholders were told of an incident.
type Update struct {
	ID   int    `json:"id"` // counts from 1 within its incident
	At   Time   `json:"at"`
	By   string `json:"by"`
	Text string `json:"text"`
}

// Cause is what people named as the cause. ChangeID is "" when no change did it.
type Cause struct {
	Text     string `json:"text"`
	ChangeID string `json:"change_id,omitempty"`
	At       Time   `json:"at"`
	By       string `json:"by"`
	First    bool   `json:"first"` // the program had it in the first place when people first judged the suspects
}

// Similar is a past incident that resembles another, and what helped then.
type Similar struct {
	Incident   string   `json:"incident"`
	Title      string   `json:"title"`
	Severity   Severity `json:"severity"`
	Score      float64  `json:"score"`   // 0 to 1
	Reasons    []string `json:"reasons"` // what they share, in sentences
	Cause      *Cause   `json:"cause"`   // nil when nobody named one
	Helped     []string `json:"helped"`  // what put it right: plans that ran and verified, a change rolled back, notes of the mitigation
	OnsetAt    Time     `json:"onset_at"`
	RecoveredS float64  `json:"recovered_s"` // from onset to recovery, 0 when it never recovered
}

// Sign is one indicator by which the recovery of an incident is judged.
type Sign struct {
	Indicator string  `json:"indicator"`
	Service   string  `json:"service"`
	Where     string  `json:"where,omitempty"` // the store, unit or caller, or "3 stores"
	Value     float64 `json:"value"`           // now
	Normal    float64 `json:"normal"`          // its course before the onset
	State     string  `json:"state"`           // off, back, unknown: it departed and has not come back; it is back; no samples
	Since     Time    `json:"since"`           // since when it is in that state
	Text      string  `json:"text"`
}

// LegStats is how one leg of the clock went over several incidents.
type LegStats struct {
	Measured int     `json:"measured"` // incidents in which it was stopped
	Met      int     `json:"met"`      // of all incidents of the group: inside the target
	Never    int     `json:"never"`    // ended without ever being stopped
	MedianS  float64 `json:"median_s"` // of those measured
	P90S     float64 `json:"p90_s"`
	WorstS   float64 `json:"worst_s"`
}

// ClockGroup is how the 1-5-10 clock went over a group of incidents.
type ClockGroup struct {
	Key       string   `json:"key"` // a week "2026-W47", a team, a kind of fault, a severity
	Incidents int      `json:"incidents"`
	Detect    LegStats `json:"detect"`
	Locate    LegStats `json:"locate"`
	Recover   LegStats `json:"recover"`
	Judged    int      `json:"judged"`      // incidents whose cause people named
	FirstHit  int      `json:"first_right"` // of these, those whose first suspect at the end was it
}

// ClockReport is the 1-5-10 clock over a span of time, real incidents and drills apart.
type ClockReport struct {
	From   Time         `json:"from"`
	To     Time         `json:"to"`
	By     string       `json:"by"` // week, team, fault, severity
	Total  ClockGroup   `json:"total"`
	Groups []ClockGroup `json:"groups"` // weeks in order, others by number of incidents
	Drills ClockGroup   `json:"drills"` // apart from all of the above
	// CompleteFrom is since when every incident is counted; null when all of the span are. Older ones may have left the memory.
	CompleteFrom Time `json:"complete_from"`
}
