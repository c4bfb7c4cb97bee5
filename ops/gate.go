package ops

// Effect on a release that a reason has.
const (
	EffectAllow = "allow"
	EffectDeny  = "deny"
	EffectWait  = "wait"
)

// Reason is one rule that held for a decision or a verdict, in a sentence that a person can act on.
type Reason struct {
	// Rule is freeze, incident, error_budget, collision, share, stage, review, rollback, approval, red_line, maintenance,
	// catalog, policy:NAME or break_glass; of a verdict: the indicator.
	Rule     string `json:"rule"`
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
	Role      Role     `json:"role,omitempty"`     // the person's; it opens what that role may override
	Duration  Duration `json:"duration,omitempty"` // at most 60m, which is also the default
	CreatedAt Time     `json:"created_at"`
	ExpiresAt Time     `json:"expires_at"`

	FollowUp *FollowUp `json:"follow_up,omitempty"`
}

// FollowUp is the task that an override leaves behind: somebody else looks at why it was needed, and says what follows.
type FollowUp struct {
	Reviewer string `json:"reviewer,omitempty"` // "" is anybody but the person who broke the glass
	Due      Time   `json:"due"`
	ChasedAt Time   `json:"chased_at"` // when it was last called overdue; once a day until it is closed
	ClosedAt Time   `json:"closed_at"`
	ClosedBy string `json:"closed_by,omitempty"`
	Note     string `json:"note,omitempty"`
}

// OverrideReview closes an override's follow-up.
type OverrideReview struct {
	Note string `json:"note"`
}

// GateHygiene is what is worth to tidy up at the gate. Kind is freeze_never_hit, policy_never_fires, approval_in_seconds,
// change_left_open, service_without_rollback or override_not_followed_up.
type GateHygiene struct {
	At      Time           `json:"at"`
	Since   Time           `json:"since"` // what was looked at
	Items   []HygieneItem  `json:"items"`
	Omitted map[string]int `json:"omitted,omitempty"` // per kind, beyond the 200 that are listed
}

// HygieneItem is one thing to tidy up.
type HygieneItem struct {
	Kind    string `json:"kind"`
	Subject string `json:"subject"` // FRZ-3, a policy, a person, CHG-7, a service, OVR-2
	Text    string `json:"text"`    // what is so, with its numbers
	Advice  string `json:"advice"`  // what to change
	Since   Time   `json:"since"`
}

// Approval is one person's yes to a held change, as it was when they said it: to its version, and to stages of it.
type Approval struct {
	ChangeID string `json:"change_id"`
	Person   string `json:"person"`
	Role     Role   `json:"role,omitempty"`    // the person's
	Version  string `json:"version,omitempty"` // the change's; another version must be approved again
	Stages   []int  `json:"stages,omitempty"`  // from 1; absent: those that the change had then
	Note     string `json:"note,omitempty"`
	At       Time   `json:"at"`
}

// GateMaintenance is the gate's own: until then everything is allowed, or nothing is.
type GateMaintenance struct {
	Mode   string `json:"mode"` // allow, deny; "" when there is none
	Until  Time   `json:"until"`
	Reason string `json:"reason,omitempty"`
	By     string `json:"by,omitempty"`
}

// ReviewEvidence adds links to reviews to a change on record: prd, design, test_case, code, test, gray, operation.
type ReviewEvidence struct {
	Reviews map[string]string `json:"reviews"`
}

// GateKey is the public key that checks the gate's tokens, as a JSON Web Key (RFC 8037).
type GateKey struct {
	Type      string `json:"kty"` // OKP
	Curve     string `json:"crv"` // Ed25519
	X         string `json:"x"`   // the key, base64url without padding
	Algorithm string `json:"alg"` // EdDSA
	Use       string `json:"use"` // sig
}

// GateAbsence is one question that the gate did not answer, as who asked tells it afterwards.
type GateAbsence struct {
	At          Time       `json:"at"`       // when it was asked
	Decision    string     `json:"decision"` // what the caller made of it: allow, deny, wait
	Why         string     `json:"why"`      // by which setting
	Cause       string     `json:"cause,omitempty"`
	DecisionID  string     `json:"decision_id,omitempty"` // the last known decision, where that was used
	ChangeID    string     `json:"change_id,omitempty"`
	Stage       int        `json:"stage,omitempty"`
	Rollback    bool       `json:"rollback,omitempty"`
	Kind        ChangeKind `json:"kind,omitempty"`
	Title       string     `json:"title,omitempty"`
	Service     string     `json:"service,omitempty"`
	Version     string     `json:"version,omitempty"`
	Environment string     `json:"environment,omitempty"`
	Job         string     `json:"job,omitempty"` // where it was asked: a CI job's URL, or a host
	By          string     `json:"by,omitempty"`  // who told; the server's word
	ToldAt      Time       `json:"told_at"`       // when; the server's word
}

// PolicyTrial asks what a policy would have done. Since is 30 days ago when absent.
type PolicyTrial struct {
	Policy GatePolicy `json:"policy"`
	Since  Time       `json:"since"`
}

// PolicyDryRun is what a policy would have done to the changes that went out.
type PolicyDryRun struct {
	Policy  string          `json:"policy"`
	Since   Time            `json:"since"`
	Until   Time            `json:"until"`
	Changes int             `json:"changes"` // that went out since then
	Stopped int             `json:"stopped"` // those it would have denied, or made wait
	Caused  int             `json:"caused"`  // of these, those that caused incidents
	Missed  int             `json:"missed"`  // caused incidents, and it would have let them pass
	Errors  int             `json:"errors"`  // those that it could not be evaluated for; they count as stopped as on_error says
	Items   []PolicyStopped `json:"items"`   // stopped, those that caused incidents first; at most 200
	Assumed []string        `json:"assumed"` // what it looks at and is not known of the past
	Text    string          `json:"text"`    // all that in a sentence
}

// PolicyStopped is one change that a policy would have stopped.
type PolicyStopped struct {
	ChangeID  string   `json:"change_id"`
	Title     string   `json:"title"`
	Service   string   `json:"service,omitempty"`
	Stage     int      `json:"stage,omitempty"` // where it would have stopped; 0 is the change as a whole
	At        Time     `json:"at"`              // when that went out
	Effect    string   `json:"effect"`
	Error     string   `json:"error,omitempty"`
	Incidents []string `json:"incidents,omitempty"` // that it caused
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
	UID       string          `json:"uid,omitempty"` // of the calendar's event that it was imported from
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

// FreezeImport is a calendar (RFC 5545, .ics) to make freezes of, and what holds for each of them.
type FreezeImport struct {
	Calendar string       `json:"calendar"`
	Scope    Scope        `json:"scope"`
	InFlight string       `json:"in_flight,omitempty"`
	Exempt   FreezeExempt `json:"exempt"`
	Timezone string       `json:"timezone,omitempty"` // of days and times without a zone of their own; UTC when absent
}

// FreezeImported is what an import did. Events are known again by their UID: to import a calendar twice adds nothing,
// and one that has moved or was cancelled moves or lifts its freeze.
type FreezeImported struct {
	Added     int        `json:"added"`
	Replaced  int        `json:"replaced"`
	Unchanged int        `json:"unchanged"`
	Lifted    int        `json:"lifted"`
	Over      int        `json:"over"` // left out, because they lie in the past
	Rejected  []Rejected `json:"rejected"`
	Freezes   []Freeze   `json:"freezes"` // added
}
