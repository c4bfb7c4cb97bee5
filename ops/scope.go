package ops

import (
	"slices"
	"sort"
	"strings"
)

// Scope says what an alert, change, freeze, incident, silence, plan or drill touches. An absent key means any value;
// the empty scope is everything. Values are exact names, matched case-sensitively.
type Scope struct {
	Service  []string `json:"service,omitempty" yaml:"service,omitempty"`
	Tier     []string `json:"tier,omitempty" yaml:"tier,omitempty"`
	Business []string `json:"business,omitempty" yaml:"business,omitempty"`
	Region   []string `json:"region,omitempty" yaml:"region,omitempty"`
	City     []string `json:"city,omitempty" yaml:"city,omitempty"`
	Store    []string `json:"store,omitempty" yaml:"store,omitempty"`
	Kind     []string `json:"kind,omitempty" yaml:"kind,omitempty"`
	Model    []string `json:"model,omitempty" yaml:"model,omitempty"`
	Firmware []string `json:"firmware,omitempty" yaml:"firmware,omitempty"`
	Device   []string `json:"device,omitempty" yaml:"device,omitempty"`
	Unit     []string `json:"unit,omitempty" yaml:"unit,omitempty"`
}

// Bounds of one scope: documented, so that nobody's input can make matching expensive.
const (
	MaxScopeValues = 10_000 // values over all keys
	MaxNameLength  = 256    // bytes of one value
)

// ScopeKeys are the keys of a Scope in the order in which people read them.
var ScopeKeys = [...]string{"service", "tier", "business", "region", "city", "store", "kind", "model", "firmware", "device", "unit"}

// Key returns a pointer to the values of one key, nil when there is no such key.
func (s *Scope) Key(key string) *[]string {
	switch key {
	case "service":
		return &s.Service
	case "tier":
		return &s.Tier
	case "business":
		return &s.Business
	case "region":
		return &s.Region
	case "city":
		return &s.City
	case "store":
		return &s.Store
	case "kind":
		return &s.Kind
	case "model":
		return &s.Model
	case "firmware":
		return &s.Firmware
	case "device":
		return &s.Device
	case "unit":
		return &s.Unit
	}
	return nil
}

// Empty says whether s names nothing, that is, everything.
func (s Scope) Empty() bool {
	for _, k := range ScopeKeys {
		if len(*s.Key(k)) > 0 {
			return false
		}
	}
	return true
}

// Validate refuses a scope with empty or overlong names or more values than MaxScopeValues. location is the place of
// the scope in the input.
func (s Scope) Validate(location string) error {
	n := 0
	for _, k := range ScopeKeys {
		for _, v := range *s.Key(k) {
			n++
			if v == "" || len(v) > MaxNameLength {
				return Errorf(Invalid, "each value must have 1 to %d bytes", MaxNameLength).At(location + "." + k)
			}
		}
	}
	if n > MaxScopeValues {
		return Errorf(Invalid, "a scope may name at most %d values", MaxScopeValues).At(location).
			WithHint("name a city, region or kind instead of each store or device")
	}
	return nil
}

// Overlaps says whether s and o overlap on every key that both name. It knows nothing of the catalog: expand first.
func (s Scope) Overlaps(o Scope) bool {
	for _, k := range ScopeKeys {
		a, b := *s.Key(k), *o.Key(k)
		if len(a) > 0 && len(b) > 0 && !intersects(a, b) {
			return false
		}
	}
	return true
}

// intersects says whether two lists share a value; short lists are compared as they are, longer ones by a set.
func intersects(a, b []string) bool {
	if len(a)*len(b) <= 64 {
		for _, x := range a {
			if slices.Contains(b, x) {
				return true
			}
		}
		return false
	}
	set := make(map[string]struct{}, len(a))
	for _, x := range a {
		set[x] = struct{}{}
	}
	for _, y := range b {
		if _, ok := set[y]; ok {
			return true
		}
	}
	return false
}

// Union returns the scope that names what s and o name: a key that one of them leaves open stays as the other names it.
func (s Scope) Union(o Scope) Scope {
	var out Scope
	for _, k := range ScopeKeys {
		merged := append(slices.Clone(*s.Key(k)), *o.Key(k)...)
		sort.Strings(merged)
		*out.Key(k) = slices.Compact(merged)
	}
	return out
}

// String writes the scope as people type it: service=cart store=SH-001,SH-002.
func (s Scope) String() string {
	var parts []string
	for _, k := range ScopeKeys {
		if v := *s.Key(k); len(v) > 0 {
			parts = append(parts, k+"="+strings.Join(v, ","))
		}
	}
	if len(parts) == 0 {
		return "everything"
	}
	return strings.Join(parts, " ")
}

// ScopeFromLabels reads the scope that an alert's labels name; a label that is no scope key says nothing.
func ScopeFromLabels(labels map[string]string) Scope {
	var s Scope
	for _, k := range ScopeKeys {
		if v := labels[k]; v != "" && len(v) <= MaxNameLength {
			*s.Key(k) = []string{v}
		}
	}
	return s
}
