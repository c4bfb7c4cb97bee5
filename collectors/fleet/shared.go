package fleet

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"goc/collectors/fleet/explain"
	"goc/ops"
)

// What the unwell have in common is looked for once a second, and told as one alert for each cause.
const (
	lookPeriod = time.Second
	// oldAfter is how long a device is not well before that is nothing new. Such devices are a cell's normal share.
	oldAfter = time.Hour
	// resend is how often an alert that fires is told again, and goodFor how long one lasts that is not.
	resend, goodFor = 20 * time.Second, 90 * time.Second
	// looks is in how many looks on end a cause must be found before it is told, or be gone before it is over.
	looksUp, looksDown = 2, 10
	maxCauses          = 32 // told at a time
	maxChildren        = 20 // stores that an alert names
)

// Bounds below which something shared is not worth an alert.
const (
	fewestDevices = 5   // of a set that spans stores
	fewestInStore = 3   // of a set within one store
	smallestShare = 0.2 // affected beyond the normal, of the set
	smallestLift  = 3
	keptShare     = 0.1 // below which a cause that was told is over
)

// cause is something shared that is told, or about to be.
type cause struct {
	Scope map[string][]string `json:"scope"`
	Since int64               `json:"since"` // Unix ms, when it was first found
	Name  string              `json:"name"`  // of its alert, from when it is told
	Told  bool                `json:"told"`

	Affected uint64  `json:"affected"`
	Total    uint64  `json:"total"`
	Lift     float64 `json:"lift"`

	seen, gone int   // looks on end
	sent       int64 // when it was last told
	children   children
	cells      []uint32 // of the ledger, ascending
	degraded   uint64
	rest       share // outside of all causes that are told
}

// share is how many of how many.
type share struct{ affected, total uint64 }

// children are the stores in which a cause's devices are.
type children struct {
	stores int
	names  []string // the worst, at most maxChildren
	silent []string // gateways among the affected: what hangs on them is explained by them
}

// key is a scope as text, the same for the same scope.
func key(scope map[string][]string) string {
	if len(scope) == 0 {
		return "all"
	}
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(scope)) {
		fmt.Fprintf(&b, "%s=%s;", k, strings.Join(scope[k], ","))
	}
	return b.String()
}

// counted is how a set of devices is: affected, of them normally so, and all.
type counted struct {
	affected, total uint64
	degraded        uint64 // of the affected
	normal          float64
	children        children
	cells           []uint32 // ascending
}

func (c counted) share() float64 {
	if c.total == 0 {
		return 0
	}
	return (float64(c.affected) - c.normal) / float64(c.total)
}

// news is what a look comes to: what is to be told anew, and what is over.
type news struct {
	fire, over []*cause
}

// look moves the causes on: from those before, what was found now and how each set is, to those after. It is the one
// function that makes an alert of what devices share, or ends it.
//
//   - What is found in two looks on end and is worth it is told, unless it lies within a cause that is told already.
//   - A cause that is told stays for as long as a tenth of its set is not well beyond the normal, found or not: a cause that
//     shrinks is still the same. Ten looks below that, and it is over.
//   - One that comes to lie within a wider cause is over: the wider one explains it.
func look(before []*cause, found []explain.Cause, measure func(scope map[string][]string) counted, now int64) (after []*cause, n news) {
	after = merge(before, found, now)
	for _, c := range after {
		m := measure(c.Scope)
		c.Affected, c.Total, c.degraded, c.children, c.cells = m.affected, m.total, m.degraded, m.children, m.cells
		if c.Told && m.share() < keptShare || !c.Told && !worth(c.Scope, m, c.Lift) {
			c.gone++
		} else {
			c.gone = 0
		}
	}
	for _, c := range after {
		if !c.Told && c.seen >= looksUp && c.gone == 0 && !explained(c, after) && countTold(after) < maxCauses {
			c.Told, c.Name = true, c.name()
			n.fire = append(n.fire, c)
		}
	}
	after = slices.DeleteFunc(after, func(c *cause) bool {
		over := c.gone >= looksDown || !c.Told && c.seen == 0 || c.Told && explained(c, after)
		if over && c.Told {
			n.over = append(n.over, c)
		}
		return over
	})
	for _, c := range after {
		if c.Told && now-c.sent >= resend.Milliseconds() && !slices.Contains(n.fire, c) {
			n.fire = append(n.fire, c)
		}
	}
	return after, n
}

// merge adds what is found to what is known, and counts in how many looks on end each was found.
func merge(before []*cause, found []explain.Cause, now int64) []*cause {
	after := slices.Clone(before)
	for _, c := range after {
		if !slices.ContainsFunc(found, func(f explain.Cause) bool { return !f.Alternative && key(f.Scope) == key(c.Scope) }) {
			c.seen = 0
		}
	}
	for _, f := range found {
		if f.Alternative {
			continue
		}
		i := slices.IndexFunc(after, func(c *cause) bool { return key(c.Scope) == key(f.Scope) })
		if i < 0 {
			i = len(after)
			after = append(after, &cause{Scope: f.Scope, Since: now})
		}
		c := after[i]
		c.Lift = f.Lift
		c.seen++
	}
	return after
}

// explained says whether a wider cause is told.
func explained(c *cause, all []*cause) bool {
	return slices.ContainsFunc(all, func(o *cause) bool {
		return o != c && o.Told && o.gone == 0 && len(o.cells) > len(c.cells) && within(c.cells, o.cells)
	})
}

// within says whether all of narrow is in wide; both ascend.
func within(narrow, wide []uint32) bool {
	for _, i := range narrow {
		at, ok := slices.BinarySearch(wide, i)
		if !ok {
			return false
		}
		wide = wide[at+1:]
	}
	return true
}

func countTold(all []*cause) (n int) {
	for _, c := range all {
		if c.Told {
			n++
		}
	}
	return n
}

// worth says whether a set is worth an alert.
func worth(scope map[string][]string, m counted, lift float64) bool {
	fewest := fewestDevices
	if scope["store"] != nil {
		fewest = fewestInStore
	}
	more := lift >= smallestLift || len(scope) == 0 // what hits everything has no rest to be compared with
	return float64(m.affected)-m.normal >= float64(fewest) && m.share() >= smallestShare && more
}

// alertOf is a cause as an alert. Its labels are its scope, so the same cause is the same alert for as long as it lasts.
func alertOf(c *cause, rest uint64, now time.Time, over bool) ops.Alert {
	labels := map[string]string{"alertname": c.Name, "severity": c.severity()}
	for k, v := range c.Scope {
		labels[k] = strings.Join(v, ",")
	}
	a := ops.Alert{
		Status: ops.Firing, Labels: labels, Source: "fleet", Fingerprint: ops.Fingerprint(labels),
		StartsAt: ops.At(time.UnixMilli(c.Since).UTC()), EndsAt: ops.At(now.Add(goodFor)), UpdatedAt: ops.At(now),
		Annotations: map[string]string{
			"summary": c.text(), "affected": fmt.Sprint(c.Affected), "total": fmt.Sprint(c.Total), "lift": fmt.Sprintf("%.1f", c.Lift),
			"description": c.describe(rest),
		},
	}
	if over {
		a.Status, a.EndsAt = ops.Resolved, ops.At(now)
	}
	return a
}

// name is the alert's: the most telling of what its devices share.
func (c *cause) name() string {
	has := func(k string) bool { return c.Scope[k] != nil }
	switch {
	case len(c.Scope) == 0:
		return "FleetDark"
	case has("change"):
		return "DevicesAfterChange"
	case has("firmware"):
		return "FirmwareOffline"
	case has("store") && c.degraded*2 > c.Affected:
		return "DevicesDegraded"
	case has("store") && len(c.Scope) == 1:
		return "StoreDark"
	case has("store"):
		return "DevicesOffline"
	case has("network"):
		return "NetworkDark"
	case has("city"):
		return "CityDark"
	case has("region"):
		return "RegionDark"
	case has("model"):
		return "ModelOffline"
	}
	return "KindOffline"
}

// severity is critical where more than one kind in one store is in trouble.
func (c *cause) severity() string {
	if len(c.Scope["store"]) > 0 && len(c.Scope) > 1 {
		return "warning"
	}
	return "critical"
}

// text says a cause in one sentence.
func (c *cause) text() string {
	is := "are offline or not well"
	switch c.degraded {
	case 0:
		is = "are offline"
	case c.Affected:
		is = "are not well"
	}
	things, where := "devices", ""
	if k := c.Scope["kind"]; k != nil {
		things = strings.Join(k, ", ") + " devices"
	}
	for _, k := range [...]string{"model", "firmware", "network", "region", "city", "store"} {
		if v := c.Scope[k]; v != nil {
			where += map[string]string{"model": " of model ", "firmware": " with firmware ", "network": " on network ", "region": " in ", "city": " in ", "store": " in "}[k] + strings.Join(v, ", ")
		}
	}
	if v := c.Scope["change"]; v != nil {
		where += " that " + strings.Join(v, ", ") + " went to"
	}
	text := fmt.Sprintf("%d of %d %s%s %s", c.Affected, c.Total, things, where, is)
	if c.name() == "StoreDark" {
		text = fmt.Sprintf("%s went dark: %d of %d devices %s", c.Scope["store"][0], c.Affected, c.Total, is)
	}
	if c.rest.total > 0 {
		text += fmt.Sprintf(", %d of %d others", c.rest.affected, c.rest.total)
	}
	return text
}

// describe says what hangs on a cause.
func (c *cause) describe(rest uint64) string {
	var b strings.Builder
	if len(c.children.silent) > 0 {
		fmt.Fprintf(&b, "Silent gateways: %s; what hangs on them is explained by them. ", strings.Join(c.children.silent, ", "))
	}
	if c.Scope["store"] == nil && c.children.stores > 0 {
		fmt.Fprintf(&b, "In %d stores: %s", c.children.stores, strings.Join(c.children.names, ", "))
		if more := c.children.stores - len(c.children.names); more > 0 {
			fmt.Fprintf(&b, " and %d more", more)
		}
		b.WriteString(". ")
	}
	fmt.Fprintf(&b, "%d devices that are not well share none of what is told.", rest)
	return b.String()
}

// byAge sorts causes for people: the oldest first.
func byAge(a, b *cause) int {
	return cmp.Or(cmp.Compare(a.Since, b.Since), cmp.Compare(key(a.Scope), key(b.Scope)))
}
