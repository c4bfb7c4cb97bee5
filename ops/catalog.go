package ops

import (
	"slices"
	"sort"
)

// Service is one service of the catalog.
type Service struct {
	Name       string      `json:"name" yaml:"name"`
	Tier       string      `json:"tier" yaml:"tier"` // T0 is the most important
	Core       bool        `json:"core" yaml:"core"`
	Business   string      `json:"business,omitempty" yaml:"business,omitempty"`
	Owner      string      `json:"owner,omitempty" yaml:"owner,omitempty"`
	Calls      []string    `json:"calls,omitempty" yaml:"calls,omitempty"`
	Indicators []Indicator `json:"indicators,omitempty" yaml:"indicators,omitempty"`
}

// Indicator is a PromQL expression that gives one value per unit or store (and caller).
type Indicator struct {
	Name string `json:"name" yaml:"name"` // success_ratio, latency_seconds, orders_per_min, …
	Expr string `json:"expr" yaml:"expr"` // its result's labels unit, store, caller and caller_unit are read; others are ignored
	Good string `json:"good,omitempty" yaml:"good,omitempty"`
}

// Directions in which an indicator is good.
const (
	GoodHigher = "higher"
	GoodLower  = "lower"
	GoodSteady = "steady" // any departure from its own rhythm is bad
	GoodNone   = "none"   // it only says how much there is, as traffic does: rules may use it, nothing is judged by it
)

// Direction says which way the indicator is good: what it states, else by its name: *_ratio higher, latency_* and
// error_* lower, anything else steady.
func (i Indicator) Direction() string {
	if i.Good != "" {
		return i.Good
	}
	return DirectionOf(i.Name)
}

// Judged says whether departures of an indicator of a service mean anything; one that the catalog does not know does.
func (c *Catalog) Judged(service, indicator string) bool {
	s, _ := c.Service(service)
	for _, i := range s.Indicators {
		if i.Name == indicator {
			return i.Good != GoodNone
		}
	}
	return true
}

// DirectionOf says by an indicator's name which way is good.
func DirectionOf(name string) string {
	switch {
	case len(name) > 6 && name[len(name)-6:] == "_ratio":
		return GoodHigher
	case len(name) > 8 && name[:8] == "latency_", len(name) > 6 && name[:6] == "error_":
		return GoodLower
	}
	return GoodSteady
}

// Store is one store of the catalog. Hours is as ParseHours reads it, such as "08:00-22:00"; empty is always open.
type Store struct {
	ID       string `json:"id" yaml:"id"`
	Name     string `json:"name,omitempty" yaml:"name,omitempty"`
	City     string `json:"city,omitempty" yaml:"city,omitempty"`
	Region   string `json:"region,omitempty" yaml:"region,omitempty"`
	Timezone string `json:"timezone,omitempty" yaml:"timezone,omitempty"`
	Hours    string `json:"hours,omitempty" yaml:"hours,omitempty"`
	Network  string `json:"network,omitempty" yaml:"network,omitempty"`
	Devices  int    `json:"devices,omitempty" yaml:"devices,omitempty"` // how many it should have, 0 when unknown
}

// DeviceKind says how often a kind of device beats and how long it may be late before it counts as offline.
type DeviceKind struct {
	Name     string   `json:"name" yaml:"name"`
	Interval Duration `json:"interval" yaml:"interval"`
	Grace    Duration `json:"grace" yaml:"grace"`
	Gateway  bool     `json:"gateway,omitempty" yaml:"gateway,omitempty"` // the other devices of a store reach us through it

	Telemetry *Telemetry `json:"telemetry,omitempty" yaml:"telemetry,omitempty"`
}

// Catalog is what the configuration says exists. It is immutable once indexed: a reload makes a new one.
type Catalog struct {
	Services    []Service    `json:"services" yaml:"services"`
	Stores      []Store      `json:"stores" yaml:"stores"`
	DeviceKinds []DeviceKind `json:"device_kinds" yaml:"device_kinds"`
	Holidays    []Holiday    `json:"holidays,omitempty" yaml:"holidays"`

	service map[string]int
	store   map[string]int
	callers map[string][]string
	hours   map[string]*Hours // of the stores that are not always open
}

// Index prepares c for look-ups and refuses doubles and calls to services that do not exist. Call it once.
func (c *Catalog) Index() error {
	c.service, c.store, c.callers = map[string]int{}, map[string]int{}, map[string][]string{}
	for i, s := range c.Services {
		if _, twice := c.service[s.Name]; twice || s.Name == "" {
			return Errorf(Invalid, "service %q stands twice or has no name", s.Name).At("catalog.services")
		}
		c.service[s.Name] = i
		for _, ind := range s.Indicators {
			if ind.Name == "" || ind.Expr == "" || !slices.Contains([]string{"", GoodHigher, GoodLower, GoodSteady, GoodNone}, ind.Good) {
				return Errorf(Invalid, "an indicator of service %q needs a name and an expr; good may be higher, lower, steady or none", s.Name).At("catalog.services")
			}
		}
	}
	for _, s := range c.Services {
		for _, callee := range s.Calls {
			if _, ok := c.service[callee]; !ok {
				return Errorf(Invalid, "service %q calls %q, which the catalog does not list", s.Name, callee).At("catalog.services")
			}
			c.callers[callee] = append(c.callers[callee], s.Name)
		}
	}
	for i, s := range c.Stores {
		if _, twice := c.store[s.ID]; twice || s.ID == "" {
			return Errorf(Invalid, "store %q stands twice or has no id", s.ID).At("catalog.stores")
		}
		c.store[s.ID] = i
	}
	for i := range c.DeviceKinds {
		if err := c.DeviceKinds[i].validate(); err != nil {
			return err
		}
	}
	return c.indexHours()
}

// Service finds a service by name.
func (c *Catalog) Service(name string) (Service, bool) {
	i, ok := c.service[name]
	if !ok {
		return Service{}, false
	}
	return c.Services[i], true
}

// Store finds a store by id.
func (c *Catalog) Store(id string) (Store, bool) {
	i, ok := c.store[id]
	if !ok {
		return Store{}, false
	}
	return c.Stores[i], true
}

// Kind finds a device kind by name; an unknown kind beats every 30 s with 30 s of grace.
func (c *Catalog) Kind(name string) DeviceKind {
	for _, k := range c.DeviceKinds {
		if k.Name == name {
			return k
		}
	}
	return DeviceKind{Name: name, Interval: Duration(30e9), Grace: Duration(30e9)}
}

// Callers lists the services that call the named one.
func (c *Catalog) Callers(name string) []string { return c.callers[name] }

// Calls lists the edges of the call graph, caller first.
func (c *Catalog) Calls() [][2]string {
	var out [][2]string
	for _, s := range c.Services {
		for _, callee := range s.Calls {
			out = append(out, [2]string{s.Name, callee})
		}
	}
	return out
}

// Expand fills in what the catalog knows: a store's city and region, a service's tier and business. A key that the
// scope already names is left as it is.
func (c *Catalog) Expand(s Scope) Scope {
	out := s
	fill := func(dst *[]string, named []string, of func(string) string) {
		if len(*dst) > 0 || len(named) == 0 {
			return
		}
		var vals []string
		for _, n := range named {
			if v := of(n); v != "" {
				vals = append(vals, v)
			}
		}
		sort.Strings(vals)
		*dst = slices.Compact(vals)
	}
	fill(&out.City, s.Store, func(id string) string { st, _ := c.Store(id); return st.City })
	fill(&out.Region, s.Store, func(id string) string { st, _ := c.Store(id); return st.Region })
	fill(&out.Tier, s.Service, func(n string) string { sv, _ := c.Service(n); return sv.Tier })
	fill(&out.Business, s.Service, func(n string) string { sv, _ := c.Service(n); return sv.Business })
	return out
}

// Overlap says whether two scopes overlap once the catalog has expanded both.
func (c *Catalog) Overlap(a, b Scope) bool { return c.Expand(a).Overlaps(c.Expand(b)) }

// StoresIn lists the ids of the stores that a scope covers, in catalog order; all of them when it names no place.
func (c *Catalog) StoresIn(s Scope) []string {
	place := Scope{Region: s.Region, City: s.City, Store: s.Store}
	var out []string
	for _, st := range c.Stores {
		if place.Overlaps(Scope{Region: []string{st.Region}, City: []string{st.City}, Store: []string{st.ID}}) {
			out = append(out, st.ID)
		}
	}
	return out
}
