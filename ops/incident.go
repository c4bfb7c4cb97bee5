package ops

// Severity is how bad an incident is; P1 is the worst.
type Severity string

const (
	P1 Severity = "P1" // customers cannot buy, or many stores stand still
	P2 Severity = "P2" // a core service or several stores suffer
	P3 Severity = "P3" // one store, or a service that is not core
	P4 Severity = "P4" // worth knowing
)

// IncidentState is where people's work on an incident stands.
type IncidentState string

const (
	IncidentOpen         IncidentState = "open"         // nobody has said that they are on it
	IncidentAcknowledged IncidentState = "acknowledged" // someone is on it
	IncidentMitigated    IncidentState = "mitigated"    // customers no longer suffer; the cause may remain
	IncidentResolved     IncidentState = "resolved"     // done
)

// Active says whether the incident still needs people.
func (s IncidentState) Active() bool { return s != IncidentResolved }

// Impact is how much an incident touches.
type Impact struct {
	Stores       int      `json:"stores"`
	Devices      int      `json:"devices"`
	Services     []string `json:"services,omitempty"`
	OrdersPerMin float64  `json:"orders_per_min"` // change against normal; negative is lost
	Voice        int      `json:"voice"`          // complaints above normal
	Evidence     string   `json:"evidence,omitempty"`
}

// Clock is the 1-5-10 clock of an incident; each leg runs from onset.
type Clock struct {
	Detect  Leg `json:"detect"`
	Locate  Leg `json:"locate"`
	Recover Leg `json:"recover"`
}

// Leg is one leg of the clock. Met is null while it runs inside its target.
type Leg struct {
	TargetS   float64 `json:"target_s"`
	ElapsedS  float64 `json:"elapsed_s"`
	Running   bool    `json:"running"`
	Met       *bool   `json:"met"`
	StoppedBy string  `json:"stopped_by,omitempty"`
}

// Suspect is a change that may have caused an incident, with the evidence for and against. Those that people ruled out
// stand after the others, with rank and probability 0.
type Suspect struct {
	ChangeID    string     `json:"change_id"`
	Title       string     `json:"title,omitempty"`
	Kind        ChangeKind `json:"kind,omitempty"`
	Rank        int        `json:"rank"`
	Probability float64    `json:"probability"`
	Score       float64    `json:"score"`
	Verdict     string     `json:"verdict"` // suspect, confirmed, rejected
	Reasons     []Evidence `json:"reasons"`
	Against     []Evidence `json:"against"`
}

// Evidence is one term of a suspect's score, in log-odds, with its sentence.
type Evidence struct {
	Term   string  `json:"term"`
	Weight float64 `json:"weight"`
	Text   string  `json:"text"`
	// Args are the numbers and names in Text, so that a client can say it in another language.
	Args map[string]any `json:"args,omitempty"`
}

// Incident is people's work on something that is wrong.
type Incident struct {
	ID       string        `json:"id"`
	Title    string        `json:"title"`
	Severity Severity      `json:"severity"`
	State    IncidentState `json:"state"`
	Scope    Scope         `json:"scope"`
	Impact   Impact        `json:"impact"`

	OnsetAt        Time `json:"onset_at"`
	DetectedAt     Time `json:"detected_at"`
	LocatedAt      Time `json:"located_at"`
	RecoveredAt    Time `json:"recovered_at"`
	AcknowledgedAt Time `json:"acknowledged_at"`
	MitigatedAt    Time `json:"mitigated_at"`
	ResolvedAt     Time `json:"resolved_at"`
	UpdatedAt      Time `json:"updated_at"`

	Clock    Clock             `json:"clock"` // elapsed as of UpdatedAt; a client counts on from onset_at
	Suspects []Suspect         `json:"suspects"`
	NoChange float64           `json:"no_change"`
	Alerts   []IncidentAlert   `json:"alerts"`
	Roles    map[string]string `json:"roles"` // commander, liaison, scribe → person
	Plans    []string          `json:"plans"` // names of the plans that fit, best first
	Runs     []string          `json:"runs,omitempty"`
	Drill    *string           `json:"drill"`
	Merged   string            `json:"merged_into,omitempty"`
	Reopened int               `json:"reopened,omitempty"`
	// SeverityEvidence says why the incident has its severity; SeverityBy who set it, "" when the program did.
	SeverityEvidence string `json:"severity_evidence,omitempty"`
	SeverityBy       string `json:"severity_by,omitempty"`

	// OnsetFrom says what the onset was found in and how exactly, or why it is only the alert's.
	OnsetFrom string `json:"onset_from,omitempty"`

	AlertsTotal int    `json:"alerts_total"`    // alerts taken in, those no longer listed included
	Team        string `json:"team,omitempty"`  // who owns what fails, by the catalog
	Fault       string `json:"fault,omitempty"` // kind of fault: the kind of the change that did it, else what the symptom is about
	Cause       *Cause `json:"cause"`           // what people named, nil until then
	Signs       []Sign `json:"signs,omitempty"` // the indicators by which the recovery is judged

	Tasks       []Task       `json:"tasks,omitempty"`
	Attachments []Attachment `json:"attachments,omitempty"`
	Updates     []Update     `json:"updates,omitempty"` // what stakeholders were told, oldest first
	UpdateDueAt Time         `json:"update_due_at"`     // when the next update is due; null when none is
}

// IncidentAlert is an alert that an incident took in, and why.
type IncidentAlert struct {
	Alert
	Reason   string `json:"reason"`             // why it belongs here
	Silenced string `json:"silenced,omitempty"` // the silence that hides it
	// InhibitedBy is the fingerprint of the alert of the same incident that explains this one, so that nobody need be told of it.
	InhibitedBy string `json:"inhibited_by,omitempty"`
}

// IncidentQuery selects incidents, newest first. State "" selects all, "active" those not resolved.
type IncidentQuery struct {
	State string
	Page
}

// Declaration is what a person says who declares an incident by hand.
type Declaration struct {
	Title    string   `json:"title"`
	Severity Severity `json:"severity,omitempty"`
	Scope    Scope    `json:"scope"`
	OnsetAt  Time     `json:"onset_at"`
	Note     string   `json:"note,omitempty"`
}

// Entry is one line of an incident's timeline.
type Entry struct {
	Seq   int64  `json:"seq"`
	At    Time   `json:"at"`
	Kind  string `json:"kind"` // system, action, note, suspect, plan, chat
	Actor string `json:"actor,omitempty"`
	Text  string `json:"text"`
	Name  string `json:"name"` // the event's name
}

// Chart is what one curve needs to be drawn: series over time, and marks where something changed.
type Chart struct {
	Title     string   `json:"title"`
	Indicator string   `json:"indicator"`
	Service   string   `json:"service,omitempty"`
	Unit      string   `json:"unit,omitempty"` // ratio, s, 1/min
	From      Time     `json:"from"`
	To        Time     `json:"to"`
	Series    []Series `json:"series"`
	Marks     []Mark   `json:"marks"`
}

// Series is one line of a chart: values at Unix seconds; a gap is null.
type Series struct {
	Name   string     `json:"name"` // affected, others, all
	Times  []float64  `json:"times"`
	Values []*float64 `json:"values"`
}

// Mark is a vertical line on a chart.
type Mark struct {
	At       Time   `json:"at"`
	Kind     string `json:"kind"` // change, onset, plan, alert
	Label    string `json:"label"`
	ChangeID string `json:"change_id,omitempty"`
}
