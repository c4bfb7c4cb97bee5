// Package policy holds the gate's policies: conditions in CEL (https://cel.dev) over a change, where and when it goes and
// what is known of it then.
//
// A policy is checked when it is read: its types, its length and the most that it can ever cost. What could cost much is
// stopped when it really does. CEL has no loops but over lists, and those are bounded, so every evaluation ends.
package policy

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/interpreter"

	"goc/ops"
)

// Bounds of policies. Costs are in CEL's own units: one is about a comparison.
const (
	MaxPolicies = 200
	MaxExpr     = 4096      // bytes of an expression
	MaxCost     = 1_000_000 // that an expression may cost at worst, or it is refused
	MaxSpent    = 50_000    // that one evaluation may cost, or it is stopped
	maxMessage  = 1024      // bytes
)

// Nobody as the override of a policy means that no role may override it.
const Nobody = "nobody"

// Held is a policy whose condition holds for a change, or that could not be evaluated.
type Held struct {
	Name     string   `json:"name"`
	Effect   string   `json:"effect"`
	Message  string   `json:"message"`
	Override ops.Role `json:"override,omitempty"` // "" when nobody may
	Error    string   `json:"error,omitempty"`    // why it could not be evaluated
}

// Set is policies, compiled. It is safe for use by many at once.
type Set struct {
	policies []*compiled
	uses     map[string]bool // variables that one of them looks at
}

type compiled struct {
	ops.GatePolicy
	guards   []guard
	programs []cel.Program // all must hold
	override ops.Role
	hits     atomic.Int64
	errors   atomic.Int64
}

// Compile reads policies and refuses those that are not good, each with its place below at.
func Compile(list []ops.GatePolicy, at string) (*Set, error) {
	if len(list) > MaxPolicies {
		return nil, ops.Errorf(ops.Invalid, "there may be at most %d policies", MaxPolicies).At(at)
	}
	s := &Set{uses: map[string]bool{}}
	seen := map[string]bool{}
	for i, p := range list {
		place := fmt.Sprintf("%s[%d]", at, i)
		if seen[p.Name] {
			return nil, ops.Errorf(ops.Invalid, "two policies have this name").At(place + ".name")
		}
		seen[p.Name] = true
		c, err := compile(p, place, s.uses)
		if err != nil {
			return nil, err
		}
		s.policies = append(s.policies, c)
	}
	return s, nil
}

// One compiles a single policy, for a dry run. at is its place in the input.
func One(p ops.GatePolicy, at string) (*Set, error) {
	uses := map[string]bool{}
	c, err := compile(p, at, uses)
	if err != nil {
		return nil, err
	}
	return &Set{policies: []*compiled{c}, uses: uses}, nil
}

func compile(p ops.GatePolicy, at string, uses map[string]bool) (*compiled, error) {
	if err := validate(p, at); err != nil {
		return nil, err
	}
	c := &compiled{GatePolicy: p, override: ops.Commander}
	switch p.Override {
	case "":
	case Nobody:
		c.override = ""
	default:
		c.override = ops.Role(p.Override)
	}
	c.Effect, c.OnError = orDefault(p.Effect, ops.EffectDeny), orDefault(p.OnError, ops.EffectWait)
	c.stated()
	for _, e := range []struct{ field, text string }{{"when", p.When}, {"expr", p.Expr}} {
		if e.text == "" {
			continue
		}
		program, tree, err := expression(e.text, at+"."+e.field)
		if err != nil {
			return nil, err
		}
		c.programs = append(c.programs, program)
		c.guards = append(c.guards, guardsOf(tree)...)
		usesOf(tree, uses)
	}
	return c, nil
}

func validate(p ops.GatePolicy, at string) error {
	switch {
	case p.Name == "" || len(p.Name) > ops.MaxNameLength || strings.ContainsAny(p.Name, "\n\r\t"):
		return ops.Errorf(ops.Invalid, "a policy must have a name of 1 to %d bytes", ops.MaxNameLength).At(at + ".name")
	case p.Expr == "":
		return ops.Errorf(ops.Invalid, "a policy must say when it holds, as a CEL expression").At(at + ".expr").WithHint(`for example: change.risk == "high" && local.weekday == 5`)
	case p.Effect != "" && p.Effect != ops.EffectDeny && p.Effect != ops.EffectWait:
		return ops.Errorf(ops.Invalid, "must be deny or wait").At(at + ".effect")
	case p.OnError != "" && p.OnError != ops.EffectDeny && p.OnError != ops.EffectWait && p.OnError != ops.EffectAllow:
		return ops.Errorf(ops.Invalid, "must be wait, deny or allow").At(at + ".on_error")
	case len(p.Message) > maxMessage:
		return ops.Errorf(ops.Invalid, "must have at most %d bytes", maxMessage).At(at + ".message")
	case p.Override != "" && p.Override != Nobody && p.Override != string(ops.Commander) && p.Override != string(ops.Admin):
		return ops.Errorf(ops.Invalid, "must be commander, admin or nobody").At(at + ".override")
	case len(p.Kinds) > 64 || len(p.Environments) > 64:
		return ops.Errorf(ops.Invalid, "may name at most 64").At(at + ".kinds")
	}
	for _, k := range p.Kinds {
		if !slices.Contains(ops.ChangeKinds[:], k) {
			return ops.Errorf(ops.Invalid, "no such kind of change").At(at + ".kinds")
		}
	}
	return p.Scope.Validate(at + ".scope")
}

// stated makes guards of what the policy states beside its expressions.
func (c *compiled) stated() {
	if len(c.Kinds) > 0 {
		g := guard{field: "kind"}
		for _, k := range c.Kinds {
			g.values = append(g.values, string(k))
		}
		c.guards = append(c.guards, g)
	}
	if len(c.Environments) > 0 {
		c.guards = append(c.guards, guard{field: "environment", values: c.Environments})
	}
	for i, k := range ops.ScopeKeys {
		if v := *c.Scope.Key(k); len(v) > 0 {
			c.guards = append(c.guards, guard{scope: i + 1, values: v})
		}
	}
}

// Len is the number of policies.
func (s *Set) Len() int {
	if s == nil {
		return 0
	}
	return len(s.policies)
}

// Uses says whether a policy of the set looks at the named variable, so that facts that are dear need not be gathered
// for nobody.
func (s *Set) Uses(variable string) bool {
	return s != nil && s.uses[variable]
}

// Evaluate lists the policies that hold for the facts, in their order. It changes nothing but the counts of Fired.
func (s *Set) Evaluate(f *Facts) []Held {
	if s == nil || len(s.policies) == 0 {
		return nil
	}
	var out []Held
	var frame *interpreter.ExecutionFrame
	for _, c := range s.policies {
		if !c.concerns(f) {
			continue
		}
		if frame == nil {
			var err error
			if frame, err = interpreter.NewExecutionFrame(f); err != nil {
				return []Held{{Name: c.Name, Effect: c.OnError, Message: "policies cannot be evaluated", Error: err.Error()}}
			}
			defer frame.Close()
		}
		if h, ok := c.evaluate(frame); ok {
			out = append(out, h)
		}
	}
	return out
}

// evaluate says whether all of the policy's conditions hold.
func (c *compiled) evaluate(frame *interpreter.ExecutionFrame) (Held, bool) {
	for _, p := range c.programs {
		v, _, err := p.Eval(frame)
		if err != nil {
			c.errors.Add(1)
			return Held{Name: c.Name, Effect: c.OnError, Message: c.Message, Override: c.override, Error: short(err)}, true
		}
		if v.Value() != true {
			return Held{}, false
		}
	}
	c.hits.Add(1)
	return Held{Name: c.Name, Effect: c.Effect, Message: c.Message, Override: c.override}, true
}

// short is an error of CEL in one bounded line.
func short(err error) string {
	text, _, _ := strings.Cut(err.Error(), "\n")
	if len(text) > 200 {
		text = strings.ToValidUTF8(text[:200], "") + "…"
	}
	return text
}

// Count is how often a policy held, and could not be evaluated, since it was compiled.
type Count struct {
	Name         string
	Held, Errors int64
}

// Counts lists the policies' counts in their order.
func (s *Set) Counts() []Count {
	if s == nil {
		return nil
	}
	out := make([]Count, len(s.policies))
	for i, c := range s.policies {
		out[i] = Count{Name: c.Name, Held: c.hits.Load(), Errors: c.errors.Load()}
	}
	return out
}

func orDefault(v, def string) string {
	if v == "" {
		return def
	}
	return v
}
