package policy

import (
	"reflect"
	"slices"
	"strings"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/interpreter"

	"goc/ops"
)

// field is one field of an object of CEL: its type, and how it is read off the value behind the object.
type field struct {
	typ  *cel.Type
	read func(v any) any
}

func of[T any](typ *cel.Type, read func(*T) any) field {
	return field{typ, func(v any) any { return read(v.(*T)) }}
}

var (
	texts   = cel.ListType(cel.StringType)
	textMap = cel.MapType(cel.StringType, cel.StringType)
)

// objects are the types of the variables, by name, and their fields.
var objects = map[string]map[string]field{
	"goc.Change": {
		"id":               of(cel.StringType, func(f *Facts) any { return types.String(f.Change.ID) }),
		"kind":             of(cel.StringType, func(f *Facts) any { return f.boxed(0) }),
		"title":            of(cel.StringType, func(f *Facts) any { return types.String(f.Change.Title) }),
		"service":          of(cel.StringType, func(f *Facts) any { return f.boxed(1) }),
		"tier":             of(cel.StringType, func(f *Facts) any { return f.boxed(4) }),
		"core":             of(cel.BoolType, func(f *Facts) any { return types.Bool(f.Service.Core) }),
		"business":         of(cel.StringType, func(f *Facts) any { return types.String(f.Service.Business) }),
		"owner":            of(cel.StringType, func(f *Facts) any { return types.String(f.Service.Owner) }),
		"version":          of(cel.StringType, func(f *Facts) any { return types.String(f.Change.Version) }),
		"previous_version": of(cel.StringType, func(f *Facts) any { return types.String(f.Change.PreviousVersion) }),
		"environment":      of(cel.StringType, func(f *Facts) any { return f.boxed(2) }),
		"risk":             of(cel.StringType, func(f *Facts) any { return f.boxed(3) }),
		"author":           of(cel.StringType, func(f *Facts) any { return types.String(f.Change.Author) }),
		"source":           of(cel.StringType, func(f *Facts) any { return f.boxed(5) }),
		"rollback":         of(cel.StringType, func(f *Facts) any { return types.String(f.Change.Rollback) }),
		"stages":           of(cel.IntType, func(f *Facts) any { return types.Int(len(f.Change.Stages)) }),
		"reviews":          of(textMap, func(f *Facts) any { return orEmpty(f.Change.Reviews) }),
		"labels":           of(textMap, func(f *Facts) any { return orEmpty(f.Change.Labels) }),
	},
	"goc.Scope": scopeFields(),
	"goc.Actor": {
		"name": of(cel.StringType, func(p *ops.Principal) any { return types.String(p.Name) }),
		"role": of(cel.StringType, func(p *ops.Principal) any { return types.String(p.Role) }),
	},
	"goc.Local": {
		"year":    of(cel.IntType, func(f *Facts) any { return types.Int(f.local().Year()) }),
		"month":   of(cel.IntType, func(f *Facts) any { return types.Int(f.local().Month()) }),
		"day":     of(cel.IntType, func(f *Facts) any { return types.Int(f.local().Day()) }),
		"hour":    of(cel.IntType, func(f *Facts) any { return types.Int(f.local().Hour()) }),
		"minute":  of(cel.IntType, func(f *Facts) any { return types.Int(f.local().Minute()) }),
		"weekday": of(cel.IntType, func(f *Facts) any { return types.Int(f.local().Weekday()) }),
		"date":    of(cel.StringType, func(f *Facts) any { return types.String(f.local().Format("2006-01-02")) }),
		"time":    of(cel.StringType, func(f *Facts) any { return types.String(f.local().Format("15:04")) }),
	},
	"goc.Incident": {
		"id":       of(cel.StringType, func(i *Incident) any { return types.String(i.ID) }),
		"title":    of(cel.StringType, func(i *Incident) any { return types.String(i.Title) }),
		"severity": of(cel.StringType, func(i *Incident) any { return types.String(i.Severity) }),
		"cause":    of(cel.BoolType, func(i *Incident) any { return types.Bool(i.Cause) }),
	},
	"goc.Freeze": {
		"id":     of(cel.StringType, func(f *Freeze) any { return types.String(f.ID) }),
		"name":   of(cel.StringType, func(f *Freeze) any { return types.String(f.Name) }),
		"exempt": of(cel.BoolType, func(f *Freeze) any { return types.Bool(f.Exempt) }),
	},
	"goc.Budget": {
		"known": of(cel.BoolType, func(b *Budget) any { return types.Bool(b.Known) }),
		"left":  of(cel.DoubleType, func(b *Budget) any { return types.Double(b.Left) }),
		"burn":  of(cel.DoubleType, func(b *Budget) any { return types.Double(b.Burn) }),
	},
}

func scopeFields() map[string]field {
	out := map[string]field{}
	for _, k := range ops.ScopeKeys {
		out[k] = of(texts, func(s *ops.Scope) any { return *s.Key(k) })
	}
	return out
}

// orEmpty makes of no map an empty one, which CEL can look into.
func orEmpty(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}

// values are a Facts' variables as CEL has them, in the order of variables.
type values [12]any

var _ values = [len(variables)]any{} // a variable that is added needs a place

// variable is a name that expressions may use.
type variable struct {
	name string
	typ  *cel.Type
	read func(f *Facts) any
}

var variables = [...]variable{
	{"change", cel.ObjectType("goc.Change"), func(f *Facts) any { return object{"goc.Change", f} }},
	{"stage", cel.IntType, func(f *Facts) any { return types.Int(f.Stage) }},
	{"scope", cel.ObjectType("goc.Scope"), func(f *Facts) any { return object{"goc.Scope", &f.Scope} }},
	{"stores", cel.IntType, func(f *Facts) any { return types.Int(f.Stores) }},
	{"share", cel.DoubleType, func(f *Facts) any { return types.Double(f.Share) }},
	{"actor", cel.ObjectType("goc.Actor"), func(f *Facts) any { return object{"goc.Actor", &f.Actor} }},
	{"approvers", texts, func(f *Facts) any { return types.NewStringList(types.DefaultTypeAdapter, f.Approvers) }},
	{"now", cel.TimestampType, func(f *Facts) any { return types.Timestamp{Time: f.Now} }},
	{"local", cel.ObjectType("goc.Local"), func(f *Facts) any { return object{"goc.Local", f} }},
	{"incidents", cel.ListType(cel.ObjectType("goc.Incident")), func(f *Facts) any { return list("goc.Incident", f.Incidents) }},
	{"freezes", cel.ListType(cel.ObjectType("goc.Freeze")), func(f *Facts) any { return list("goc.Freeze", f.Freezes) }},
	{"budget", cel.ObjectType("goc.Budget"), func(f *Facts) any { return object{"goc.Budget", &f.Budget} }},
}

// ResolveName implements CEL's activation. A variable is made once, when it is first looked at.
func (f *Facts) ResolveName(name string) (any, bool) {
	for i := range variables {
		if variables[i].name == name {
			if f.values[i] == nil {
				f.values[i] = variables[i].read(f)
			}
			return f.values[i], true
		}
	}
	return nil, false
}

// Parent implements CEL's activation.
func (*Facts) Parent() interpreter.Activation { return nil }

func list[T any](name string, items []T) ref.Val {
	vals := make([]ref.Val, len(items))
	for i := range items {
		vals[i] = object{name, &items[i]}
	}
	return types.NewRefValList(types.DefaultTypeAdapter, vals)
}

// object is a value with named fields.
type object struct {
	name string
	v    any
}

// ConvertToNative implements ref.Val: an object stays within CEL.
func (o object) ConvertToNative(reflect.Type) (any, error) {
	return nil, ops.Errorf(ops.Invalid, "%s has no native form", o.name)
}

// ConvertToType implements ref.Val.
func (o object) ConvertToType(t ref.Type) ref.Val {
	if t.TypeName() == o.name {
		return o
	}
	return types.NewErr("%s is not a %s", o.name, t.TypeName())
}

// Equal implements ref.Val: two objects are equal when they are the same.
func (o object) Equal(other ref.Val) ref.Val { return types.Bool(other.Value() == o.v) }

// Type implements ref.Val.
func (o object) Type() ref.Type { return cel.ObjectType(o.name) }

// Value implements ref.Val.
func (o object) Value() any { return o.v }

// provider tells CEL the fields of objects.
type provider struct{ *types.Registry }

// FindStructType implements types.Provider.
func (p provider) FindStructType(name string) (*types.Type, bool) {
	if _, ok := objects[name]; ok {
		return types.NewTypeTypeWithParam(cel.ObjectType(name)), true
	}
	return p.Registry.FindStructType(name)
}

// FindStructFieldNames implements types.Provider.
func (p provider) FindStructFieldNames(name string) ([]string, bool) {
	o, ok := objects[name]
	if !ok {
		return p.Registry.FindStructFieldNames(name)
	}
	var names []string
	for n := range o {
		names = append(names, n)
	}
	slices.Sort(names)
	return names, true
}

// FindStructFieldType implements types.Provider.
func (p provider) FindStructFieldType(name, fieldName string) (*types.FieldType, bool) {
	o, ok := objects[name]
	if !ok {
		return p.Registry.FindStructFieldType(name, fieldName)
	}
	f, ok := o[fieldName]
	if !ok {
		return nil, false
	}
	return &types.FieldType{
		Type:    f.typ,
		IsSet:   func(v any) bool { return !isZero(f.read(v)) },
		GetFrom: func(v any) (any, error) { return f.read(v), nil },
	}, true
}

func isZero(v any) bool {
	r := reflect.ValueOf(v)
	return r.IsZero() || ((r.Kind() == reflect.Slice || r.Kind() == reflect.Map) && r.Len() == 0)
}

// environment is made once: it is the same for every policy.
var environment = sync.OnceValues(func() (*cel.Env, error) {
	registry, err := types.NewRegistry()
	if err != nil {
		return nil, err
	}
	o := []cel.EnvOption{
		cel.CustomTypeProvider(provider{registry}), cel.CustomTypeAdapter(registry), cel.ParserExpressionSizeLimit(MaxExpr), cel.ParserRecursionLimit(32),
		cel.DefaultUTCTimeZone(true),
	}
	for _, v := range variables {
		o = append(o, cel.Variable(v.name, v.typ))
	}
	return cel.NewEnv(o...)
})

// expression compiles one, and refuses what does not read, does not come to true or false, or could cost too much.
func expression(text, at string) (cel.Program, *cel.Ast, error) {
	if len(text) > MaxExpr {
		return nil, nil, ops.Errorf(ops.Invalid, "an expression may have at most %d bytes", MaxExpr).At(at)
	}
	env, err := environment()
	if err != nil {
		return nil, nil, ops.Errorf(ops.Internal, "the environment of policies: %w", err)
	}
	tree, issues := env.Compile(text)
	if issues.Err() != nil {
		return nil, nil, unreadable(issues, at)
	}
	if tree.OutputType() != cel.BoolType {
		return nil, nil, ops.Errorf(ops.Invalid, "it comes to %s; it must come to true or false", tree.OutputType()).At(at)
	}
	worst, err := env.EstimateCost(tree, sizes{})
	if err != nil {
		return nil, nil, ops.Errorf(ops.Invalid, "its cost cannot be estimated: %w", err).At(at)
	}
	if worst.Max > MaxCost {
		return nil, nil, ops.Errorf(ops.Invalid, "it may cost up to %d, and %d is the most", worst.Max, MaxCost).At(at).
			WithHint("it goes over a list within a list: compare with in, or go over one list")
	}
	o := []cel.ProgramOption{cel.EvalOptions(cel.OptOptimize)}
	if worst.Max > MaxSpent { // counting what an evaluation costs costs as well, so only where it is needed
		o = append(o, cel.CostLimit(MaxSpent))
	}
	program, err := env.Program(tree, o...)
	if err != nil {
		return nil, nil, ops.Errorf(ops.Invalid, "it cannot be evaluated: %w", err).At(at)
	}
	return program, tree, nil
}

// unreadable is what CEL has to say of an expression, with the place within it.
func unreadable(issues *cel.Issues, at string) error {
	var lines []string
	for i, e := range issues.Errors() {
		if i == 3 {
			break
		}
		message, _, _ := strings.Cut(e.Message, "\n")
		lines = append(lines, message)
	}
	first := issues.Errors()[0].Location
	return ops.Errorf(ops.Invalid, "line %d, column %d: %s", first.Line(), first.Column()+1, strings.Join(lines, "; ")).At(at).
		WithHint("the variables are change, stage, scope, stores, share, actor, approvers, now, local, incidents, freezes and budget")
}

// sizes tells the estimate of costs how long texts and lists may get.
type sizes struct{}

// EstimateSize implements cost.Estimator.
func (sizes) EstimateSize(node cost.AstNode) *cost.SizeEstimate {
	path := node.Path()
	if len(path) == 0 {
		return nil
	}
	bound := uint64(ops.MaxNameLength)
	switch last := path[len(path)-1]; {
	case path[0] == "scope" && len(path) == 2:
		bound = ops.MaxScopeValues
	case last == "labels", last == "reviews":
		bound = ops.MaxLabels
	case last == "incidents", last == "freezes", last == "approvers":
		bound = MaxItems
	case last == "title", last == "rollback", last == "@values":
		bound = ops.MaxLabelValue
	}
	return &cost.SizeEstimate{Min: 0, Max: bound}
}

// MaxItems bounds the incidents, freezes and approvers among the facts.
const MaxItems = 50

// EstimateCallCost implements cost.Estimator: the costs are CEL's own.
func (sizes) EstimateCallCost(string, string, *cost.AstNode, []cost.AstNode) *cost.CallEstimate {
	return nil
}
