package engine

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"goc/ops"
)

// SeverityRule gives an incident a severity when every condition that it states holds. A condition that is zero is not stated.
type SeverityRule struct {
	Severity   ops.Severity `yaml:"severity"`
	Tiers      []string     `yaml:"tiers,omitempty"`        // a service of one of these tiers is failing
	Core       bool         `yaml:"core,omitempty"`         // a core service is failing
	Everywhere bool         `yaml:"everywhere,omitempty"`   // no alert says that only some stores are affected
	Services   bool         `yaml:"services,omitempty"`     // some service is failing
	Places     bool         `yaml:"places,omitempty"`       // whole stores, cities or networks are in trouble
	Stores     int          `yaml:"stores,omitempty"`       // at least so many stores are affected
	Share      float64      `yaml:"share,omitempty"`        // at least this share of all stores, 0 to 1
	Devices    int          `yaml:"devices,omitempty"`      // at least so many devices
	Voice      int          `yaml:"voice,omitempty"`        // at least so many complaints above normal
	Orders     float64      `yaml:"orders,omitempty"`       // at least so many orders a minute are missing
	Lost       float64      `yaml:"orders_share,omitempty"` // at least this share of all orders of the chain is missing, 0 to 1
	Labels     []string     `yaml:"labels,omitempty"`       // the worst label severity of its alerts is one of these
}

// DefaultSeverity is the table used when none is configured.
func DefaultSeverity() []SeverityRule {
	return []SeverityRule{
		{Severity: ops.P4, Labels: []string{"info", "none"}},
		{Severity: ops.P1, Lost: 0.2, Orders: 20},
		{Severity: ops.P1, Places: true, Stores: 20},
		{Severity: ops.P1, Places: true, Share: 0.3, Stores: 3},
		{Severity: ops.P1, Core: true, Stores: 20},
		{Severity: ops.P1, Core: true, Share: 0.3, Stores: 3},
		{Severity: ops.P1, Core: true, Tiers: []string{"T0"}, Everywhere: true, Labels: []string{"critical", "page"}},
		{Severity: ops.P2, Lost: 0.03, Orders: 5},
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
	missing         missing // orders
}

// labelOrder is how bad the usual values of the label severity are.
var labelOrder = []string{"none", "info", "warning", "error", "critical", "page"}

// factsOf measures the impact of inc.
func (e *Engine) factsOf(inc *incident, now time.Time) facts {
	f := facts{stores: inc.storesNow(), missing: e.ordersMissing(inc, now), chain: len(e.catalog.Stores), everywhere: len(inc.Scope.Store)+len(inc.Scope.City)+len(inc.Scope.Region) == 0}
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
		if inc.firing > 0 && a.Status != ops.Firing {
			continue // what is over no longer counts; when all is, the last says how bad it was
		}
		if l := a.Labels["severity"]; l != f.label && slices.Index(labelOrder, l) > slices.Index(labelOrder, f.label) {
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

// storesNow counts the stores in which an alert still fires; all that the incident names when none does, or when a person
// named them.
func (inc *incident) storesNow() int {
	if inc.firing == 0 || inc.Declared {
		return len(inc.Scope.Store)
	}
	seen, n := make([]bool, len(inc.Scope.Store)), 0
	for _, a := range inc.members {
		if a.Status != ops.Firing || a.sight.store == "" {
			continue
		}
		if i, ok := slices.BinarySearch(inc.Scope.Store, a.sight.store); ok && !seen[i] {
			seen[i] = true
			n++
		}
	}
	return n
}

// judgeEvery bounds how often time alone has the severity judged.
const judgeEvery = 5 * time.Second

// judgeSeverity measures the impact and moves the program's level by it: up at once, down only when a lower one has held
// for a while, longer each time that it had to be raised again. When all is quiet it stays: it says how bad it was. What
// a person set stands; then a change of the program's own level is only told.
func (e *Engine) judgeSeverity(inc *incident, now time.Time, first bool) {
	inc.judgedAt = now
	f := e.factsOf(inc, now)
	e.setImpact(inc, f)
	want, evidence := e.severityOf(f)
	if inc.Level == "" { // of a record that was written without it
		inc.Level = inc.Severity
	}
	if first {
		inc.Level = want
		if inc.SeverityBy == "" {
			inc.Severity, inc.SeverityEvidence = want, evidence
		}
	}
	if w := inc.Worst; w.Severity == "" || want < w.Severity || want == w.Severity && f.missing.Lost > w.Lost {
		inc.Worst = worst{want, evidence, ops.At(now), f.missing.Lost}
	}
	switch {
	case want == inc.Level:
		inc.LowerSince = ops.Time{}
		if inc.SeverityBy == "" {
			inc.SeverityEvidence = evidence
		}
	case want < inc.Level: // P1 sorts before P2
		if inc.Lowered {
			inc.Flaps++
		}
		e.setLevel(inc, want, evidence, "raised", now)
	case !inc.RecoveredAt.IsZero() || !inc.QuietSince.IsZero():
		inc.LowerSince = ops.Time{}
	case inc.LowerSince.IsZero():
		inc.LowerSince, inc.LowerTo, inc.LowerWhy = ops.At(now), want, evidence
	default:
		if want <= inc.LowerTo {
			inc.LowerTo, inc.LowerWhy = want, evidence
		}
		if now.Sub(inc.LowerSince.Time) >= e.cfg.LowerAfter*time.Duration(min(4, 1+inc.Flaps)) {
			inc.Lowered = true
			e.setLevel(inc, inc.LowerTo, inc.LowerWhy, "lowered", now)
		}
	}
}

// setLevel moves the program's level, which is the incident's severity unless a person set that.
func (e *Engine) setLevel(inc *incident, to ops.Severity, evidence, how string, now time.Time) {
	from := inc.Level
	inc.Level, inc.LowerSince = to, ops.Time{}
	if how == "lowered" && inc.Worst.Severity < to {
		evidence += fmt.Sprintf("; at its worst, %s: %s", clockText(inc.Worst.At), inc.Worst.Evidence)
	}
	data := map[string]any{"from": from, "to": to, "evidence": evidence, "how": how}
	if inc.SeverityBy == "" {
		inc.Severity, inc.SeverityEvidence = to, evidence
		e.event(inc, now, "severity_changed", "system", "", fmt.Sprintf("%s from %s to %s: %s", how, from, to, evidence), data)
		return
	}
	if to == inc.Severity {
		return
	}
	data["set"], data["by"] = inc.Severity, inc.SeverityBy
	e.event(inc, now, "severity_suggested", "system", "", fmt.Sprintf("%s set %s; by its impact it would now be %s: %s", inc.SeverityBy, inc.Severity, to, evidence), data)
}

// setImpact keeps the greatest numbers: an impact that shrinks is told by the recovery.
func (e *Engine) setImpact(inc *incident, f facts) {
	before := inc.Impact
	inc.Impact.Stores, inc.Impact.Devices = max(before.Stores, f.stores), max(before.Devices, f.devices)
	inc.Impact.Voice = max(before.Voice, f.voice)
	inc.Impact.Services = inc.Scope.Service
	inc.setOrders(f.missing)
	f.stores, f.devices, f.voice = inc.Impact.Stores, inc.Impact.Devices, inc.Impact.Voice
	inc.Impact.Evidence = f.sentence()
	if inc.OrdersText != "" {
		inc.Impact.Evidence += ", " + inc.OrdersText
	}
	if math.Abs(inc.Impact.OrdersPerMin-before.OrdersPerMin) > 1 || inc.Impact.Stores != before.Stores || inc.Impact.Devices != before.Devices || inc.Impact.Voice != before.Voice || len(inc.Impact.Services) != len(before.Services) {
		e.touch(inc)
	}
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
		check(r.Orders > 0 || r.Lost > 0, f.missing.Lost > 0 && f.missing.Lost >= r.Orders, f.missing.text()) &&
		check(r.Lost > 0, f.missing.Lost >= r.Lost*f.missing.Chain, fmt.Sprintf("that is %.0f %% of the chain's", 100*f.missing.Lost/max(1, f.missing.Chain))) &&
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
