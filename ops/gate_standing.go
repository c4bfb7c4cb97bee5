package ops

// GateStanding is how a change stands at the gate: what the gate would say of its next stage now, and what people have
// done about it. Asking for it leaves no trace, and nothing may go out on it.
type GateStanding struct {
	ChangeID   string     `json:"change_id"`
	Title      string     `json:"title"`
	Service    string     `json:"service,omitempty"`
	Author     string     `json:"author,omitempty"`
	Status     string     `json:"status"`
	Stage      int        `json:"stage,omitempty"` // the one that would go out; 0 is the change as a whole
	Decision   string     `json:"decision"`
	Reasons    []Reason   `json:"reasons"`
	Need       int        `json:"need"`           // approvals
	From       []string   `json:"from,omitempty"` // people, groups and roles; absent: anybody but the author
	Approvals  []Approval `json:"approvals"`      // given, in order
	Counting   []string   `json:"counting"`       // people whose approval counts for this stage
	Reviews    []Review   `json:"reviews"`        // demanded, or given
	MayApprove bool       `json:"may_approve"`    // you, who ask
	Why        string     `json:"why,omitempty"`  // you may not
	MayMove    bool       `json:"may_move"`       // you may pause it, resume it and roll it back
	WhyNotMove string     `json:"why_not_move,omitempty"`
}

// Review is one of the reviews of the funnel, with its evidence.
type Review struct {
	Name     string `json:"name"`
	Evidence string `json:"evidence,omitempty"`
	Missing  bool   `json:"missing,omitempty"` // demanded, and there is no evidence
}

// GateRules is the rules in force, and how they stand.
type GateRules struct {
	At       Time             `json:"at"`
	Policies []PolicyStanding `json:"policies"`
	RedLines []RedLineState   `json:"red_lines"`
	Budgets  []BudgetLeft     `json:"budgets"` // of services with an objective of their own, and of those that burn
}

// PolicyStanding is a policy and how often it held a change back.
type PolicyStanding struct {
	GatePolicy
	Since  Time  `json:"since"` // when counting began
	Held   int64 `json:"held"`
	Last   Time  `json:"last"`
	Errors int64 `json:"errors,omitempty"` // since the start
}

// RedLineState is a red line, and whether it is crossed.
type RedLineState struct {
	Name     string `json:"name"`
	Scope    Scope  `json:"scope"`
	Limit    string `json:"limit"` // what must not be, as a sentence
	InFlight string `json:"in_flight"`
	Override string `json:"override,omitempty"` // the role that may, "" when nobody may
	Crossed  bool   `json:"crossed"`
	Since    Time   `json:"since"`          // of the crossing
	Text     string `json:"text,omitempty"` // what is crossed, with its numbers
}

// BudgetLeft is how a service stands against its objective.
type BudgetLeft struct {
	Service   string  `json:"service"`
	Objective float64 `json:"objective"`
	Known     bool    `json:"known"` // there were samples in the last minutes
	Left      float64 `json:"left"`  // share of the period's budget, negative when overspent
	Burn      float64 `json:"burn"`  // times too fast, over the shortest window
	Burning   bool    `json:"burning"`
}
