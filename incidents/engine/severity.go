package engine

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"goc/incidents/series"
	"goc/ops"
)

// SeverityRule gives an incident a severity when every condition that it states holds. A condition that is zero is not stated.
type SeverityRule struct {
	Severity   ops.Severity `yaml:"severity"`
	Tiers      []string     `yaml:"tiers,omitempty"`      // a service of one of these tiers is failing
	Core       bool         `yaml:"core,omitempty"`       // a core service is failing
	Everywhere bool         `yaml:"everywhere,omitempty"` // no alert says that only some stores are affected
	Services   bool         `yaml:"services,omitempty"`   // some service is failing
	Places     bool         `yaml:"places,omitempty"`     // whole stores, cities or networks are in trouble
	Stores     int          `yaml:"stores,omitempty"`     // at least so many stores are affected
	Share      float64      `yaml:"share,omitempty"`      // at least this share of all stores, 0 to 1
	Devices    int          `yaml:"devices,omitempty"`    // at least so many devices
	Voice      int          `yaml:"voice,omitempty"`      // at least so many complaints above normal
	Labels     []string     `yaml:"labels,omitempty"`     // the worst label severity of its alerts is one of these
}

// DefaultSeverity is the table used when none is configured.
func DefaultSeverity() []SeverityRule {
	return []SeverityRule{
		{Severity: ops.P4, Labels: []string{"info", "none"}},
		{Severity: ops.P1, Places: true, Stores: 20},
		{Severity: ops.P1, Places: true, Share: 0.3, Stores: 3},
		{Severity: ops.P1, Core: true, Stores: 20},
		{Severity: ops.P1, Core: true, Share: 0.3, Stores: 3},
		{Severity: ops.P1, Core: true, Tiers: []string{"T0"}, Everywhere: true, Labels: []string{"critical", "page"}},
		{Severity: ops.P2, Core: true},
		{Severity: ops.P2, Tiers: []string{"T0", "T1"}},
		{Severity: ops.P2, Stores: 2},
		{Severity: ops.P2, Devices: 100},
		{Severity: ops.P2, Voice: 20},
		{Severity: ops.P3, Stores: 1},
		{Severity: ops.P3, Services: true},
		{Severity: ops.P3, Labels: []string{"critical", "page"}},
	}
}

// facts is what the severity goes by.
type facts struct {
	services        []ops.Service
	stores, devices int
	chain           int // stores of the whole chain
	voice           int
	label           string
	everywhere      bool
	places          bool
}

// labelOrder is how bad the usual values of the label severity are.
var labelOrder = []string{"none", "info", "warning", "error", "critical", "page"}

// factsOf measures the impact of inc.
func (e *Engine) factsOf(inc *incident) facts {
	f := facts{stores: len(inc.Scope.Store), chain: len(e.catalog.Stores), everywhere: len(inc.Scope.Store)+len(inc.Scope.City)+len(inc.Scope.Region) == 0}
	if inc.rootSight.class() == aboutPlace && inc.rootSight.store == "" && len(e.catalog.Stores) > 0 {
		f.stores = max(f.stores, e.storesUnder(inc.rootSight))
	}
	f.places = inc.rootSight.class() == aboutPlace
	for _, name := range inc.services() {
		if inc.rootSight.class() != aboutService {
			break // what fails in a dark store says nothing of the service
		}
		s, known := e.catalog.Service(name)
		if !known {
			s = ops.Service{Name: name}
		}
		f.services = append(f.services, s)
	}
	for _, a := range inc.members {
		if l := a.Labels["severity"]; slices.Index(labelOrder, l) > slices.Index(labelOrder, f.label) {
			f.label = l
		}
		if a.Labels["device"] != "" {
			f.devices++
		}
	}
	if c := inc.rootSight.class(); e.hooks.Affected != nil && (c == aboutPlace || c == aboutDevices) { // devices say nothing of a failing service
		a := e.hooks.Affected(inc.Scope)
		f.stores, f.devices = max(f.stores, a.Stores), max(f.devices, a.Devices)
	}
	if e.hooks.VoiceAbove != nil {
		f.voice = e.hooks.VoiceAbove(inc.Scope)
	}
	return f
}

// storesUnder counts the stores of a city, region or network.
func (e *Engine) storesUnder(s sight) int {
	n := 0
	for _, st := range e.catalog.Stores {
		if _, ok := e.covers(s, sight{store: st.ID}); ok {
			n++
		}
	}
	return n
}

// judgeSeverity measures the impact and sets the severity by it: raised at once, lowered only when a lower one has held
// for a while. What a person set stays.
func (e *Engine) judgeSeverity(inc *incident, now time.Time, first bool) {
	f := e.factsOf(inc)
	e.setImpact(inc, f, now)
	want, evidence := e.severityOf(f)
	switch {
	case inc.SeverityBy != "":
	case first:
		inc.Severity, inc.SeverityEvidence = want, evidence
	case want == inc.Severity:
		inc.SeverityEvidence, inc.LowerSince = evidence, ops.Time{}
	case want < inc.Severity: // P1 sorts before P2
		e.changeSeverity(inc, want, evidence, "raised", now)
	case inc.LowerSince.IsZero():
		inc.LowerSince = ops.At(now)
	case now.Sub(inc.LowerSince.Time) >= e.cfg.LowerAfter:
		e.changeSeverity(inc, want, evidence, "lowered", now)
	}
}

// setImpact keeps the greatest numbers: an impact that shrinks is told by the recovery.
func (e *Engine) setImpact(inc *incident, f facts, now time.Time) {
	before := inc.Impact
	inc.Impact.Stores, inc.Impact.Devices = max(before.Stores, f.stores), max(before.Devices, f.devices)
	inc.Impact.Voice = max(before.Voice, f.voice)
	inc.Impact.Services = inc.Scope.Service
	if lost := e.ordersLost(inc, now); lost < before.OrdersPerMin {
		inc.Impact.OrdersPerMin = lost
	}
	inc.Impact.Evidence = f.sentence()
	if inc.Impact.Evidence != before.Evidence || math.Abs(inc.Impact.OrdersPerMin-before.OrdersPerMin) > 1 {
		e.touch(inc)
	}
}

// ordersIndicator is the indicator that says how many orders come in.
const ordersIndicator = "orders_per_min"

// ordersLost is how many orders a minute come in now against before the onset, in the incident's stores where it names
// some; 0 when nothing measures it or none are lost.
func (e *Engine) ordersLost(inc *incident, now time.Time) float64 {
	if c := inc.rootSight.class(); !inc.RecoveredAt.IsZero() || c == aboutOther || c == aboutDevices && len(inc.Scope.Store) == 0 {
		return 0
	}
	sum := 0.0
	for _, name := range e.ordering {
		for _, s := range e.samples.OfService(name) {
			if s.Indicator != ordersIndicator || len(inc.Scope.Store) > 0 && !slices.Contains(inc.Scope.Store, s.Store) {
				continue
			}
			before, okBefore := mean(s.Between(inc.OnsetAt.Add(-10*time.Minute), inc.OnsetAt.Add(-10*time.Second)))
			after, okAfter := mean(s.Between(now.Add(-20*time.Second), now.Add(time.Second)))
			if okBefore && okAfter {
				sum += after - before
			}
		}
	}
	return min(0, math.Round(sum*10)/10)
}

func mean(points []series.Point) (float64, bool) {
	sum := 0.0
	for _, p := range points {
		sum += p.Value
	}
	return sum / float64(max(1, len(points))), len(points) > 0
}

func (e *Engine) changeSeverity(inc *incident, want ops.Severity, evidence, how string, now time.Time) {
	from := inc.Severity
	inc.Severity, inc.SeverityEvidence, inc.LowerSince = want, evidence, ops.Time{}
	e.event(inc, now, "severity_changed", "system", "", fmt.Sprintf("%s from %s to %s: %s", how, from, want, evidence), map[string]any{"from": from, "to": want, "evidence": evidence})
}

// severityOf is the severity of the first rule that holds, P4 when none does, with the evidence.
func (e *Engine) severityOf(f facts) (ops.Severity, string) {
	for _, r := range e.cfg.Severity {
		if why, ok := r.holds(f); ok {
			return r.Severity, why
		}
	}
	return ops.P4, "no rule gives more: " + f.sentence()
}

// holds says whether every stated condition holds, and the sentence that says so.
func (r SeverityRule) holds(f facts) (string, bool) {
	var why []string
	check := func(stated, ok bool, sentence string) bool {
		if stated && ok {
			why = append(why, sentence)
		}
		return !stated || ok
	}
	core := slices.IndexFunc(f.services, func(s ops.Service) bool { return s.Core })
	tier := slices.IndexFunc(f.services, func(s ops.Service) bool { return slices.Contains(r.Tiers, s.Tier) })
	share := float64(f.stores) / float64(max(1, f.chain))
	ok := check(r.Core, core >= 0, f.name(core)+" is a core service") &&
		check(len(r.Tiers) > 0, tier >= 0, f.name(tier)+" is of tier "+f.tier(tier)) &&
		check(r.Everywhere, f.everywhere, "no store is spared") &&
		check(r.Places, f.places, "whole stores are in trouble") &&
		check(r.Services, len(f.services) > 0, f.name(0)+" is failing") &&
		check(r.Stores > 0, f.stores >= r.Stores, count(f.stores, "store is affected", "stores are affected")) &&
		check(r.Share > 0, share >= r.Share, fmt.Sprintf("that is %.0f %% of the chain", 100*share)) &&
		check(r.Devices > 0, f.devices >= r.Devices, count(f.devices, "device is affected", "devices are affected")) &&
		check(r.Voice > 0, f.voice >= r.Voice, fmt.Sprintf("%d complaints above normal", f.voice)) &&
		check(len(r.Labels) > 0, slices.Contains(r.Labels, f.label), "its alerts say "+f.label)
	return strings.Join(why, ", "), ok
}

func (f facts) name(i int) string {
	if i < 0 || i >= len(f.services) {
		return ""
	}
	return f.services[i].Name
}

func (f facts) tier(i int) string {
	if i < 0 {
		return ""
	}
	return f.services[i].Tier
}

// sentence is the impact in words.
func (f facts) sentence() string {
	var parts []string
	if n := len(f.services); n > 0 {
		parts = append(parts, count(n, "service", "services"))
	}
	if f.stores > 0 {
		parts = append(parts, count(f.stores, "store", "stores"))
	}
	if f.devices > 0 {
		parts = append(parts, count(f.devices, "device", "devices"))
	}
	if f.voice > 0 {
		parts = append(parts, fmt.Sprintf("%d complaints above normal", f.voice))
	}
	return cmp.Or(strings.Join(parts, ", "), "nothing that the catalog knows")
}
