package policy

import (
	"slices"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"

	"goc/ops"
)

// guard is a condition that must hold for a policy to hold, and that is cheap to look at: a field of the change is one
// of the values, or a key of the scope overlaps them. Guards are what a policy states beside its expressions, and the
// comparisons with constants that its expressions demand; where one fails the policy need not be evaluated, for in CEL
// what is false stays false whatever is joined to it by &&.
type guard struct {
	field  string // of the change; "" for a key of the scope
	scope  int    // 1 + its place in ops.ScopeKeys
	values []string
}

// concerns says whether all of the policy's guards hold.
func (c *compiled) concerns(f *Facts) bool {
	for i := range c.guards {
		g := &c.guards[i]
		if g.scope > 0 {
			if have := *f.Scope.Key(ops.ScopeKeys[g.scope-1]); len(have) > 0 && !sharesOne(have, g.values) {
				return false
			}
			continue
		}
		if !slices.Contains(g.values, f.text(g.field)) {
			return false
		}
	}
	return true
}

func sharesOne(a, b []string) bool {
	for _, v := range a {
		if slices.Contains(b, v) {
			return true
		}
	}
	return false
}

// guardsOf finds the guards among what an expression joins by && at its top.
func guardsOf(tree *cel.Ast) []guard {
	var out []guard
	var walk func(e ast.Expr)
	walk = func(e ast.Expr) {
		if e.Kind() != ast.CallKind {
			return
		}
		call := e.AsCall()
		switch call.FunctionName() {
		case operators.LogicalAnd:
			for _, a := range call.Args() {
				walk(a)
			}
		case operators.Equals, operators.In:
			a, b := call.Args()[0], call.Args()[1]
			if g, ok := guardOf(a, b); ok {
				out = append(out, g)
			} else if g, ok := guardOf(b, a); ok && call.FunctionName() == operators.Equals {
				out = append(out, g)
			}
		}
	}
	walk(tree.NativeRep().Expr())
	return out
}

// guardOf reads change.field against a constant, or a list of them.
func guardOf(field, constant ast.Expr) (guard, bool) {
	if field.Kind() != ast.SelectKind || field.AsSelect().IsTestOnly() {
		return guard{}, false
	}
	sel := field.AsSelect()
	if sel.Operand().Kind() != ast.IdentKind || sel.Operand().AsIdent() != "change" || !slices.Contains(guarded[:], sel.FieldName()) {
		return guard{}, false
	}
	values, ok := constants(constant)
	return guard{field: sel.FieldName(), values: values}, ok
}

func constants(e ast.Expr) ([]string, bool) {
	switch e.Kind() {
	case ast.LiteralKind:
		s, ok := e.AsLiteral().Value().(string)
		return []string{s}, ok
	case ast.ListKind:
		var out []string
		for _, item := range e.AsList().Elements() {
			one, ok := constants(item)
			if !ok || len(one) != 1 || item.Kind() != ast.LiteralKind {
				return nil, false
			}
			out = append(out, one[0])
		}
		return out, true
	}
	return nil, false
}

// usesOf notes the variables that an expression looks at.
func usesOf(tree *cel.Ast, uses map[string]bool) {
	for _, e := range ast.MatchDescendants(ast.NavigateAST(tree.NativeRep()), ast.KindMatcher(ast.IdentKind)) {
		uses[e.AsIdent()] = true
	}
}
