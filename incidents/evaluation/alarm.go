package evaluation

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"goc/ops"
)

// alarms are the chain's alert rules: a value against its own normal, held for a time, told with a delay.
type alarms struct {
	dice
	chain   *chain
	trouble *trouble
	watched map[thing]*watch
	out     []told
}

// told is an alert that arrives.
type told struct {
	at     time.Time
	status ops.AlertStatus
	labels map[string]string
	ours   bool // the trouble made it
}

// watch is one rule on one thing: what is normal is learned while nothing is off.
type watch struct {
	labels  map[string]string
	n       float64
	mean    float64
	m2      float64
	off, ok time.Time // since when
	firing  bool
}

func newAlarms(seed uint64, c *chain, t *trouble) *alarms {
	return &alarms{dice: newDice(seed, ofAlerts), chain: c, trouble: t, watched: map[thing]*watch{}}
}

// thing is what a rule looks at: an indicator of a service, of one of its units, or in a store.
type thing struct{ service, store, unit, indicator string }

func (t thing) compare(o thing) int {
	return cmp.Or(cmp.Compare(t.service, o.service), cmp.Compare(t.store, o.store), cmp.Compare(t.unit, o.unit), cmp.Compare(t.indicator, o.indicator))
}

// see takes the samples of one time.
func (a *alarms) see(at time.Time, samples []ops.Sample) {
	type mean struct{ n, sum float64 }
	sums := map[thing]mean{}
	add := func(t thing, v float64) {
		m := sums[t]
		sums[t] = mean{m.n + 1, m.sum + v}
	}
	for _, s := range samples {
		switch {
		case s.Store != "" && s.Indicator == "latency_seconds":
		case s.Store != "":
			add(thing{s.Service, s.Store, "", s.Indicator}, s.Value)
		default:
			add(thing{s.Service, "", "", s.Indicator}, s.Value)
			if a.chain.rules.units && s.Unit != "" && s.Indicator == "success_ratio" {
				add(thing{s.Service, "", s.Unit, s.Indicator}, s.Value)
			}
		}
	}
	for _, t := range slices.SortedFunc(maps.Keys(sums), thing.compare) {
		a.judge(t, at, sums[t].sum/sums[t].n)
	}
}

// judge compares a value with what is normal for it, and tells when it has been off for long enough.
func (a *alarms) judge(t thing, at time.Time, v float64) {
	w, r := a.watched[t], a.chain.rules
	if w == nil {
		w = &watch{labels: t.labels()}
		a.watched[t] = w
	}
	sd := math.Sqrt(w.m2 / max(1, w.n-1))
	drop := r.drop
	if t.store != "" || t.unit != "" { // few calls: rules that people keep are wider here
		drop *= 2
	}
	bad := v < w.mean-max(drop, 8*sd)
	switch t.indicator {
	case "latency_seconds":
		bad = v > w.mean*r.slow+6*sd
	case "orders_per_min":
		bad = v < 0.4*w.mean-4*sd
	}
	hold := max(r.hold, a.chain.interval*3/2) // one odd sample alone wakes nobody
	if t.store != "" {
		hold = max(hold, 2*a.chain.interval)
	}
	if w.n < 12 {
		bad = false
	}
	if !bad {
		if d := v - w.mean; !w.firing {
			w.n++
			w.mean += d / w.n
			w.m2 += d * (v - w.mean)
		}
		if w.ok.IsZero() {
			w.ok = at
		}
		w.off = time.Time{}
		if w.firing && at.Sub(w.ok) >= hold {
			w.firing = false
			a.tell(at, ops.Resolved, w.labels, false)
		}
		return
	}
	if w.ok = (time.Time{}); w.off.IsZero() {
		w.off = at
	}
	if !w.firing && at.Sub(w.off) >= hold {
		w.firing = true
		a.tell(at, ops.Firing, w.labels, a.ours(w.labels, at))
	}
}

// labels are those that the shipped rules give.
func (t thing) labels() map[string]string {
	l := map[string]string{"service": t.service, "severity": "critical", "alertname": "ServiceSuccessLow"}
	if t.store != "" {
		l["store"], l["alertname"] = t.store, "StoreSuccessLow"
	}
	if t.unit != "" {
		l["unit"], l["alertname"] = t.unit, "UnitSuccessLow"
	}
	switch t.indicator {
	case "orders_per_min":
		l["alertname"] = "OrdersCollapsed"
	case "latency_seconds":
		l["alertname"] = "ServiceSlow"
	}
	return l
}

// ours says whether the trouble can have made an alert.
func (a *alarms) ours(labels map[string]string, at time.Time) bool {
	t := a.trouble
	if at.Before(t.begins) {
		return false
	}
	for i := range a.chain.services {
		if a.chain.services[i].name != labels["service"] {
			continue
		}
		if t.reach[i] > 0.02 || i == t.client {
			return labels["store"] == "" || len(t.stores) == 0 || a.hit(labels["store"])
		}
	}
	return t.dark && a.hit(labels["store"])
}

func (a *alarms) hit(store string) bool {
	for i := range a.trouble.stores {
		if a.chain.stores[i].ID == store {
			return true
		}
	}
	return false
}

func (a *alarms) tell(at time.Time, status ops.AlertStatus, labels map[string]string, ours bool) {
	at = at.Add(a.span(50*time.Millisecond, a.chain.rules.delay)).Round(time.Millisecond)
	a.out = append(a.out, told{at, status, labels, ours})
}

// things tells what heartbeats would: stores that went dark, and devices that fail.
func (a *alarms) things(until time.Time) {
	t := a.trouble
	if !t.dark && t.device == "" {
		return
	}
	order := make([]int, 0, len(t.stores))
	for s := range t.stores {
		order = append(order, s)
	}
	slices.SortFunc(order, func(x, y int) int { return cmp.Or(t.stores[x].Compare(t.stores[y]), cmp.Compare(x, y)) })
	for n, s := range order {
		at, store := t.stores[s].Add(a.chain.rules.deviceHold), a.chain.stores[s].ID
		if at.After(until) {
			break
		}
		if t.dark {
			a.tell(at, ops.Firing, map[string]string{"alertname": "StoreDark", "store": store, "city": a.chain.stores[s].City, "severity": "critical"}, true)
			continue
		}
		name := pick(a.dice, []weighted[string]{{"DevicesOffline", 2}, {"DevicesDegraded", 1}})
		a.tell(at, ops.Firing, map[string]string{"alertname": name, "store": store, "kind": t.device, "severity": "warning"}, true)
		if n == min(2, len(order)-1) && t.version != "" && a.chain.rules.firmware {
			a.tell(at.Add(a.span(time.Second, time.Minute)), ops.Firing, map[string]string{"alertname": "FirmwareOffline", "kind": t.device, "firmware": t.version, "severity": "critical"}, true)
		}
	}
}

// chatter tells alerts that mean nothing and end by themselves.
func (a *alarms) chatter(from, until time.Time) {
	for range a.poisson(0.7) {
		at := from.Add(time.Duration(a.Float64() * float64(until.Sub(from))))
		labels := map[string]string{"alertname": "ServiceSuccessLow", "service": a.chain.services[a.IntN(len(a.chain.services))].name, "severity": "warning", "rule": "old"}
		if a.chance(0.4) {
			labels = map[string]string{"alertname": "DevicesOffline", "store": a.chain.stores[a.IntN(len(a.chain.stores))].ID, "kind": a.chain.kinds[a.IntN(len(a.chain.kinds))].name, "severity": "warning", "rule": "old"}
		}
		a.tell(at, ops.Firing, labels, false)
		a.tell(at.Add(a.span(30*time.Second, 5*time.Minute)).Add(a.chain.rules.delay), ops.Resolved, labels, false)
	}
}

func summary(l map[string]string) string {
	out := l["alertname"]
	for _, k := range []string{"service", "unit", "store", "kind", "firmware"} {
		if l[k] != "" {
			out += fmt.Sprintf(" %s %s", k, l[k])
		}
	}
	return out
}
