package ops

// ChangeKind is what sort of change it is.
type ChangeKind string

// The kinds of change. An unknown kind is recorded as KindOther with its own name in the label "kind".
const (
	KindRelease      ChangeKind = "release"
	KindConfig       ChangeKind = "config"
	KindFlag         ChangeKind = "flag"
	KindDatabase     ChangeKind = "database"
	KindFirmware     ChangeKind = "firmware"
	KindPrice        ChangeKind = "price"
	KindPromotion    ChangeKind = "promotion"
	KindStoreOpening ChangeKind = "store_opening"
	KindNetwork      ChangeKind = "network"
	KindDrill        ChangeKind = "drill"
	KindOther        ChangeKind = "other"
)

// ChangeKinds lists every kind.
var ChangeKinds = [...]ChangeKind{KindRelease, KindConfig, KindFlag, KindDatabase, KindFirmware, KindPrice, KindPromotion, KindStoreOpening, KindNetwork, KindDrill, KindOther}

// ChangeStatus is where a change stands.
type ChangeStatus string

const (
	ChangePlanned    ChangeStatus = "planned"     // recorded, nothing done yet
	ChangeStarted    ChangeStatus = "started"     // going out
	ChangePaused     ChangeStatus = "paused"      // held between or within stages
	ChangeFinished   ChangeStatus = "finished"    // out everywhere it was meant to go
	ChangeRolledBack ChangeStatus = "rolled_back" // undone
	ChangeAborted    ChangeStatus = "aborted"     // given up without being undone
)

// Open says whether a change in this status may still move.
func (s ChangeStatus) Open() bool {
	return s == ChangePlanned || s == ChangeStarted || s == ChangePaused
}

// Verdict is what the bake of a stage came to.
type Verdict string

const (
	Baking    Verdict = "baking"    // its time is not over
	Healthy   Verdict = "healthy"   // enough was seen, and nothing got worse
	Unhealthy Verdict = "unhealthy" // an indicator got worse where the change went
	NoData    Verdict = "no_data"   // too little was seen to say
)

// Link is a titled URL.
type Link struct {
	Title string `json:"title,omitempty"`
	URL   string `json:"url"`
}

// Stage is one ring of a gray release. Units are instances of a service, Replaces those that they stand in for.
type Stage struct {
	Name  string `json:"name,omitempty"`
	Scope Scope  `json:"scope"`
	// Share makes the ring reach this part (0 to 1) of the stores of its scope, those of the rings before it included. Which
	// ones these are is settled when the change is recorded: from then on Scope names those that the ring adds.
	Share      float64  `json:"share,omitempty"`
	Bake       Duration `json:"bake,omitempty"`
	Units      []string `json:"units,omitempty"`
	Replaces   []string `json:"replaces,omitempty"`
	StartedAt  Time     `json:"started_at"`
	FinishedAt Time     `json:"finished_at"`
	Verdict    Verdict  `json:"verdict,omitempty"`
	Score      float64  `json:"score,omitempty"`
	Reasons    []Reason `json:"reasons,omitempty"` // of the verdict

	RolledBackAt Time `json:"rolled_back_at"` // when this ring alone was undone
}

// Change is anything that someone does to the running chain.
type Change struct {
	ID              string            `json:"id"`
	Kind            ChangeKind        `json:"kind"`
	Title           string            `json:"title"`
	Status          ChangeStatus      `json:"status"`
	Service         string            `json:"service,omitempty"`
	Version         string            `json:"version,omitempty"`
	PreviousVersion string            `json:"previous_version,omitempty"`
	Environment     string            `json:"environment,omitempty"`
	Scope           Scope             `json:"scope"`
	Risk            string            `json:"risk,omitempty"` // low, medium, high; empty counts as medium
	Author          string            `json:"author,omitempty"`
	Links           []Link            `json:"links,omitempty"`
	Bake            Duration          `json:"bake,omitempty"`
	Stages          []Stage           `json:"stages,omitempty"`
	Rollback        string            `json:"rollback,omitempty"` // how, or a plan's name
	Reviews         map[string]string `json:"reviews,omitempty"`
	Labels          map[string]string `json:"labels,omitempty"`

	CreatedAt  Time   `json:"created_at"`
	StartedAt  Time   `json:"started_at"`
	FinishedAt Time   `json:"finished_at"` // when it ended, whichever way
	UpdatedAt  Time   `json:"updated_at"`
	Source     string `json:"source,omitempty"`     // api, github, argocd, demo, …
	Overridden bool   `json:"overridden,omitempty"` // went out by break-glass
	Unapproved bool   `json:"unapproved,omitempty"` // went out although the gate said no, or without asking
	Drill      string `json:"drill,omitempty"`      // the drill's run that made it; never counted in real figures
	PausedFor  string `json:"paused_for,omitempty"` // why it is paused
	// UnapprovedBecause says which: the gate's decision against it, with its reason, or that nobody asked.
	UnapprovedBecause string `json:"unapproved_because,omitempty"`

	Overrides []Override `json:"overrides,omitempty"` // each time somebody broke the glass for it

	// Verdict, Score and Reasons are those of the bake of a change without stages; a staged change has them per stage.
	Verdict Verdict  `json:"verdict,omitempty"`
	Score   float64  `json:"score,omitempty"`
	Reasons []Reason `json:"reasons,omitempty"`
}

// Touched is the scope that the change has reached so far: of a staged change the stages that have started, else all of it.
// The service is part of it.
func (c Change) Touched() Scope {
	s := c.Scope
	if len(c.Stages) > 0 {
		var reached Scope
		for _, st := range c.Stages {
			if !st.StartedAt.IsZero() {
				reached = reached.Union(st.Scope).Union(Scope{Unit: st.Units})
			}
		}
		for _, k := range ScopeKeys {
			if v := *reached.Key(k); len(v) > 0 {
				*s.Key(k) = v
			}
		}
	}
	if c.Service != "" && len(s.Service) == 0 {
		s.Service = []string{c.Service}
	}
	return s
}

// ChangeEvent moves a change on. Stage counts from 1; 0 is the change as a whole.
type ChangeEvent struct {
	Event    string   `json:"event"` // start, stage_started, stage_finished, pause, resume, finish, rollback, abort
	Stage    int      `json:"stage,omitempty"`
	Units    []string `json:"units,omitempty"`
	Replaces []string `json:"replaces,omitempty"`
	Stores   []string `json:"stores,omitempty"`
	At       Time     `json:"at"`
	Note     string   `json:"note,omitempty"`
}

// ChangeQuery selects changes, newest first. Empty fields select all.
type ChangeQuery struct {
	Service string
	Store   string
	Status  ChangeStatus
	Since   Time
	// Unapproved selects those that went out although the gate said no, or without asking.
	Unapproved bool
	Page
}

// Page asks for one page of a list: at most Limit items (0 means 100, at most 1000) after Cursor.
type Page struct {
	Limit  int
	Cursor string
}

// Size is the number of items that the page may hold.
func (p Page) Size() int {
	switch {
	case p.Limit <= 0:
		return 100
	case p.Limit > 1000:
		return 1000
	}
	return p.Limit
}

// List is one page of items, and the cursor of the next; Next is empty on the last.
type List[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitempty"`
}
