package ops

// Effect on a release that a reason has.
const (
	EffectAllow = "allow"
	EffectDeny  = "deny"
	EffectWait  = "wait"
)

// Reason is one rule that held for a decision or a verdict, in a sentence that a person can act on.
type Reason struct {
	Rule     string `json:"rule"`   // freeze, incident, error_budget, collision, stage, review, approval, policy:NAME, break_glass; of a verdict: the indicator
	Effect   string `json:"effect"` // deny, wait, allow
	Message  string `json:"message"`
	Evidence string `json:"evidence,omitempty"` // a URL
	Override *Role  `json:"override"`           // the role that may override it, null when nobody may
}

// GateRequest asks whether a change, or a stage of one on record, may go out now. Either ChangeID or Change is set.
type GateRequest struct {
	ChangeID string  `json:"change_id,omitempty"`
	Stage    int     `json:"stage,omitempty"`
	Rollback bool    `json:"rollback,omitempty"` // undoing: never held back
	Change   *Change `json:"-"`                  // a whole change, given inline
}

// Decision is the gate's answer with every reason that holds.
type Decision struct {
	Decision    string   `json:"decision"` // allow, deny, wait
	DecisionID  string   `json:"decision_id"`
	ChangeID    string   `json:"change_id,omitempty"`
	RetryAfterS int      `json:"retry_after_s,omitempty"`
	ValidUntil  Time     `json:"valid_until"`
	Token       string   `json:"token,omitempty"`
	Reasons     []Reason `json:"reasons"`
	At          Time     `json:"at"`
}

// Override is a broken glass: one change may pass for a while, whatever the gate would say.
type Override struct {
	ID        string   `json:"id"`
	ChangeID  string   `json:"change_id"`
	Reason    string   `json:"reason"`
	Person    string   `json:"person"`
	Duration  Duration `json:"duration,omitempty"` // at most 60m, which is also the default
	CreatedAt Time     `json:"created_at"`
	ExpiresAt Time     `json:"expires_at"`
}

// Approval is one person's yes to a held change.
type Approval struct {
	ChangeID string `json:"change_id"`
	Person   string `json:"person"`
	Note     string `json:"note,omitempty"`
	At       Time   `json:"at"`
}

// Freeze is a window in which changes in its scope may not go out: fixed (From, To) or repeated (Schedule).
type Freeze struct {
	ID        string          `json:"id"`
	Name      string          `json:"name"`
	Scope     Scope           `json:"scope"`
	From      Time            `json:"from"`
	To        Time            `json:"to"`
	Schedule  *FreezeSchedule `json:"schedule,omitempty"`
	InFlight  string          `json:"in_flight,omitempty"` // what a rollout under way does: finish (default), pause, rollback
	Exempt    FreezeExempt    `json:"exempt"`
	Reason    string          `json:"reason,omitempty"`
	CreatedBy string          `json:"created_by,omitempty"`
	CreatedAt Time            `json:"created_at"`
	LiftedAt  Time            `json:"lifted_at"`
}

// FreezeSchedule repeats a window: at each time of Cron in Timezone (IANA) for Duration.
type FreezeSchedule struct {
	Cron     string   `json:"cron"`
	Duration Duration `json:"duration"`
	Timezone string   `json:"timezone"`
}

// FreezeExempt names who and what a freeze does not hold.
type FreezeExempt struct {
	Kinds []ChangeKind `json:"kinds,omitempty"`
	Roles []Role       `json:"roles,omitempty"`
}

// FreezeSpan is one time for which a freeze is closed.
type FreezeSpan struct {
	FreezeID string `json:"freeze_id"`
	Name     string `json:"name"`
	Scope    Scope  `json:"scope"`
	From     Time   `json:"from"`
	To       Time   `json:"to"`
}

// GatePolicy is a condition of one's own that the gate looks at, in CEL. Effect, Override and OnError may be empty: deny,
// commander, wait.
type GatePolicy struct {
	Name         string       `json:"name" yaml:"name"`
	Scope        Scope        `json:"scope" yaml:"scope"`                                   // only changes that touch it
	Kinds        []ChangeKind `json:"kinds,omitempty" yaml:"kinds,omitempty"`               // only changes of these kinds
	Environments []string     `json:"environments,omitempty" yaml:"environments,omitempty"` // only changes of these environments
	When         string       `json:"when,omitempty" yaml:"when,omitempty"`                 // CEL: the policy applies
	Expr         string       `json:"expr" yaml:"expr"`                                     // CEL: the effect holds
	Effect       string       `json:"effect,omitempty" yaml:"effect,omitempty"`             // deny, wait
	Message      string       `json:"message,omitempty" yaml:"message,omitempty"`           // what a person is to do
	Override     string       `json:"override,omitempty" yaml:"override,omitempty"`         // the role that may override it: commander, admin, nobody
	OnError      string       `json:"on_error,omitempty" yaml:"on_error,omitempty"`         // what holds when it cannot be evaluated: wait, deny, allow
}
