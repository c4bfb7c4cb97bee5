package policy

import (
	"time"

	"cel.dev/cel-go/common/types"

	"goc/ops"
)

// Facts are what policies look at. They are the variables of CEL: see variables for their names and fields. They must not
// be changed, nor used by two at once, after they were first evaluated.
type Facts struct {
	Change      *ops.Change
	Service     ops.Service // of the change, as the catalog knows it
	Environment string      // never empty
	Risk        string      // never empty
	Stage       int         // asked for; 0 is the change as a whole
	Scope       ops.Scope   // what would be touched, expanded by the catalog
	Stores      int         // how many stores that names, 0 when it names no place
	Share       float64     // of the stores of the fullest city, region or chain that would be under change, 0 to 1
	Actor       ops.Principal
	Approvers   []string
	Now         time.Time
	Zone        *time.Location // of the variable local; nil is UTC
	Incidents   []Incident
	Freezes     []Freeze
	Budget      Budget

	values values
	texts  [len(guarded)]any // fields that many policies compare, as CEL has them
	wall   time.Time         // now on the wall clock of the zone, zero until it is looked at
}

// Incident is an open incident in scope.
type Incident struct {
	ID, Title, Severity string
	Cause               bool // this change is its first suspect
}

// Freeze is a freeze in scope that is closed now.
type Freeze struct {
	ID, Name string
	Exempt   bool // it does not hold this change
}

// Budget is the error budget of the change's service. Nothing of it means anything unless it is known.
type Budget struct {
	Known bool
	Left  float64 // share of the period's budget, negative when overspent
	Burn  float64 // how many times too fast, over the shortest window
}

// text is a field of the change that guards may look at.
func (f *Facts) text(field string) string {
	switch field {
	case "kind":
		return string(f.Change.Kind)
	case "service":
		return f.Change.Service
	case "environment":
		return f.Environment
	case "risk":
		return f.Risk
	case "tier":
		return f.Service.Tier
	case "source":
		return f.Change.Source
	}
	return ""
}

// guarded are the fields that text knows.
var guarded = [...]string{"kind", "service", "environment", "risk", "tier", "source"}

// boxed is the i-th of the guarded fields as CEL has it, made once.
func (f *Facts) boxed(i int) any {
	if f.texts[i] == nil {
		f.texts[i] = types.String(f.text(guarded[i]))
	}
	return f.texts[i]
}

// local is now on the wall clock of the zone.
func (f *Facts) local() time.Time {
	if f.wall.IsZero() {
		f.wall = f.Now.UTC()
		if f.Zone != nil {
			f.wall = f.Now.In(f.Zone)
		}
	}
	return f.wall
}
