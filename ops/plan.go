package ops

// Plan is a response plan (预案): what to do, when it may be done, how to see that it worked, and how to undo it.
type Plan struct {
	Name         string   `json:"name" yaml:"name"`
	Title        string   `json:"title" yaml:"title"`
	Description  string   `json:"description,omitempty" yaml:"description,omitempty"`
	Scope        Scope    `json:"scope" yaml:"scope"`                                   // where it may be used
	ChangeKinds  []string `json:"change_kinds,omitempty" yaml:"change_kinds,omitempty"` // it suits incidents whose first suspect is of such a kind; "none" suits "no change"
	Alerts       []string `json:"alerts,omitempty" yaml:"alerts,omitempty"`             // it suits incidents with such alertnames
	Params       []Param  `json:"params,omitempty" yaml:"params,omitempty"`
	Precondition []Check  `json:"precondition,omitempty" yaml:"precondition,omitempty"`
	Steps        []Step   `json:"steps" yaml:"steps"`
	Verify       []Check  `json:"verify,omitempty" yaml:"verify,omitempty"`
	SecondPerson bool     `json:"second_person,omitempty" yaml:"second_person,omitempty"`
	Expected     Duration `json:"expected,omitempty" yaml:"expected,omitempty"` // how long it usually takes
}

// Param is a value that a run needs; From fills it from the incident: suspect (the first suspect's change id), service, store, city, incident.
type Param struct {
	Name     string `json:"name" yaml:"name"`
	From     string `json:"from,omitempty" yaml:"from,omitempty"`
	Default  string `json:"default,omitempty" yaml:"default,omitempty"`
	Required bool   `json:"required,omitempty" yaml:"required,omitempty"`
}

// Step is one thing that a plan does: an HTTP request or a command. ${name} in its texts is replaced by the run's parameter.
type Step struct {
	Name    string       `json:"name" yaml:"name"`
	HTTP    *HTTPStep    `json:"http,omitempty" yaml:"http,omitempty"`
	Command *CommandStep `json:"command,omitempty" yaml:"command,omitempty"`
	Undo    *Step        `json:"undo,omitempty" yaml:"undo,omitempty"`
	Timeout Duration     `json:"timeout,omitempty" yaml:"timeout,omitempty"` // 30s by default, at most 10m
}

// HTTPStep is a request; it succeeds on a 2xx answer. It carries Idempotency-Key, the same on each attempt.
type HTTPStep struct {
	Method  string            `json:"method,omitempty" yaml:"method,omitempty"`
	URL     string            `json:"url" yaml:"url"`
	Headers map[string]string `json:"headers,omitempty" yaml:"headers,omitempty"`
	Body    string            `json:"body,omitempty" yaml:"body,omitempty"`
}

// CommandStep is a program and its arguments, run without a shell; it succeeds with exit code 0.
type CommandStep struct {
	Argv []string `json:"argv" yaml:"argv"`
	Dir  string   `json:"dir,omitempty" yaml:"dir,omitempty"`
}

// Check is a condition on a PromQL query: it holds when every value is inside the bounds. Within is how long to wait for it.
type Check struct {
	Name   string   `json:"name" yaml:"name"`
	Query  string   `json:"query" yaml:"query"`
	Above  *float64 `json:"above,omitempty" yaml:"above,omitempty"`
	Below  *float64 `json:"below,omitempty" yaml:"below,omitempty"`
	Within Duration `json:"within,omitempty" yaml:"within,omitempty"`
}

// RunState is where a run of a plan stands.
type RunState string

const (
	RunWaiting       RunState = "waiting"       // for a second person, or for a confirmation
	RunRunning       RunState = "running"       // steps are being done
	RunVerifying     RunState = "verifying"     // all steps done, waiting to see that it worked
	RunSucceeded     RunState = "succeeded"     // verified
	RunFailed        RunState = "failed"        // a step or the verification failed
	RunAborted       RunState = "aborted"       // a person stopped it
	RunIndeterminate RunState = "indeterminate" // a step's outcome is not known after a crash: a person must look
	RunUndoing       RunState = "undoing"       // its undo steps are being done
	RunUndone        RunState = "undone"        // undone
)

// Done says whether nothing more will happen by itself.
func (s RunState) Done() bool {
	return s != RunWaiting && s != RunRunning && s != RunVerifying && s != RunUndoing
}

// RunRequest starts a run, or tries it dry.
type RunRequest struct {
	Params   map[string]string `json:"params,omitempty"`
	Incident string            `json:"incident,omitempty"`
	Scope    Scope             `json:"scope"`
	Confirm  string            `json:"confirm,omitempty"` // the plan's name, typed by the person who runs it
}

// Run is one run of a plan.
type Run struct {
	ID          string            `json:"id"`
	Plan        string            `json:"plan"`
	Title       string            `json:"title"`
	State       RunState          `json:"state"`
	Incident    string            `json:"incident,omitempty"`
	Scope       Scope             `json:"scope"`
	Params      map[string]string `json:"params,omitempty"`
	StartedBy   string            `json:"started_by"`
	ConfirmedBy string            `json:"confirmed_by,omitempty"`
	CreatedAt   Time              `json:"created_at"`
	FinishedAt  Time              `json:"finished_at"`
	Steps       []RunStep         `json:"steps"`
	Message     string            `json:"message,omitempty"`
}

// RunStep is the progress of one step or check.
type RunStep struct {
	Name       string `json:"name"`
	Kind       string `json:"kind"`  // precondition, step, verify, undo
	State      string `json:"state"` // pending, running, succeeded, failed, skipped, indeterminate
	StartedAt  Time   `json:"started_at"`
	FinishedAt Time   `json:"finished_at"`
	Message    string `json:"message,omitempty"`
}

// DryRun is what a plan would do.
type DryRun struct {
	Plan         string            `json:"plan"`
	OK           bool              `json:"ok"`
	At           Time              `json:"at"`
	Params       map[string]string `json:"params,omitempty"`
	Scope        Scope             `json:"scope"`
	Stores       int               `json:"stores"`  // blast radius
	Devices      int               `json:"devices"` // blast radius
	Reversible   bool              `json:"reversible"`
	SecondPerson bool              `json:"second_person"`
	Steps        []string          `json:"steps"` // each with its parameters filled in
	Problems     []string          `json:"problems"`
}

// Drill breaks something on purpose and scores detection, location and recovery.
type Drill struct {
	Name        string      `json:"name" yaml:"name"`
	Title       string      `json:"title" yaml:"title"`
	Description string      `json:"description,omitempty" yaml:"description,omitempty"`
	Scope       Scope       `json:"scope" yaml:"scope"` // its blast radius
	Schedule    string      `json:"schedule,omitempty" yaml:"schedule,omitempty"`
	Timezone    string      `json:"timezone,omitempty" yaml:"timezone,omitempty"`
	Inject      Step        `json:"inject" yaml:"inject"` // an HTTP answer {"change_id":"CHG-1"} names the guilty change
	Revert      Step        `json:"revert" yaml:"revert"` // done whatever happens
	Expect      Expectation `json:"expect" yaml:"expect"`
	MaxDuration Duration    `json:"max_duration,omitempty" yaml:"max_duration,omitempty"` // 15m by default
	Abort       []Check     `json:"abort,omitempty" yaml:"abort,omitempty"`               // real trouble: stop at once when one does not hold
}

// Expectation is what a drill should lead to.
type Expectation struct {
	Alert    string   `json:"alert,omitempty" yaml:"alert,omitempty"`
	Severity Severity `json:"severity,omitempty" yaml:"severity,omitempty"`
	Plan     string   `json:"plan,omitempty" yaml:"plan,omitempty"`
}

// DrillState is where a drill's run stands.
type DrillState string

const (
	DrillInjecting DrillState = "injecting" // the fault is being made
	DrillWatching  DrillState = "watching"  // the fault is there; the legs are being measured
	DrillReverting DrillState = "reverting" // the fault is being taken away
	DrillScored    DrillState = "scored"    // done
	DrillAborted   DrillState = "aborted"   // stopped early; reverted all the same
	DrillFailed    DrillState = "failed"    // could not be injected or reverted; its message says what to do
)

// DrillRun is one run of a drill and its score.
type DrillRun struct {
	ID         string     `json:"id"`
	Drill      string     `json:"drill"`
	Title      string     `json:"title"`
	State      DrillState `json:"state"`
	StartedBy  string     `json:"started_by"`
	Scope      Scope      `json:"scope"`
	CreatedAt  Time       `json:"created_at"`
	InjectedAt Time       `json:"injected_at"`
	RevertedAt Time       `json:"reverted_at"`
	FinishedAt Time       `json:"finished_at"`
	ChangeID   string     `json:"change_id,omitempty"` // the guilty change
	Incident   string     `json:"incident,omitempty"`  // the incident that detected it
	Legs       []DrillLeg `json:"legs"`
	Score      *int       `json:"score"` // 0 to 100, null until scored
	Message    string     `json:"message,omitempty"`
}

// DrillLeg is one leg of 1-5-10 as a drill measured it, from injection. Seconds is null when it was not reached.
type DrillLeg struct {
	Name    string   `json:"name"` // detect, locate, recover
	TargetS float64  `json:"target_s"`
	Seconds *float64 `json:"seconds"`
	Met     bool     `json:"met"`
	Text    string   `json:"text,omitempty"`
}
