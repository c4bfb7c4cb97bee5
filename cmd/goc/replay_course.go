package main

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"goc/incidents/engine"
	"goc/ops"
)

// course is what came out of one replay, for comparing it with another.
type course struct {
	incidents map[string]*unfolding
	verdicts  map[verdictKey]verdictRow
	alerts    map[string]int // told as firing, by name
}

type verdictKey struct {
	Change string
	Stage  int
}

// unfolding is how one incident went.
type unfolding struct {
	ops.Incident                                 // as it was at the end
	opened       time.Time                       // zero when it was open before
	worst        ops.Severity                    // that it ever had
	members      map[string]bool                 // fingerprints of the alerts that it ever listed
	about        map[string]bool                 // their names with what they are about: another rule may give other labels
	ranked       map[time.Duration]engine.Ranked // the last ranking, by how long after the first
	firstRank    time.Time
}

// looks are when people look at the suspects: as the incident opens, after one and five minutes, at the end.
var looks = []time.Duration{0, time.Minute, 5 * time.Minute, atTheEnd}

const atTheEnd = time.Duration(1<<63 - 1)

func newCourse() *course {
	return &course{incidents: map[string]*unfolding{}, verdicts: map[verdictKey]verdictRow{}, alerts: map[string]int{}}
}

// take notes what one step brought about.
func (c *course) take(out engine.Outputs) {
	for _, inc := range out.Changed {
		c.incident(inc, out.At.Time)
	}
	for _, r := range out.Ranked {
		if u := c.incidents[r.Incident]; u != nil {
			u.rank(r)
		}
	}
	for _, ev := range out.Events {
		if ev.Name == "alert.firing" {
			c.alerts[alertName(ev)]++
		}
	}
}

func (c *course) incident(inc ops.Incident, at time.Time) {
	u := c.incidents[inc.ID]
	if u == nil {
		u = &unfolding{worst: inc.Severity, members: map[string]bool{}, about: map[string]bool{}, ranked: map[time.Duration]engine.Ranked{}}
		if !inc.DetectedAt.Before(at) {
			u.opened = at
		}
		c.incidents[inc.ID] = u
	}
	u.Incident, u.worst = inc, min(u.worst, inc.Severity) // P1 sorts before P2
	for _, a := range inc.Alerts {
		u.members[a.Fingerprint] = true
		u.about[a.Name()+" "+a.Scope().String()] = true
	}
}

// rank notes a ranking for every look that has not passed.
func (u *unfolding) rank(r engine.Ranked) {
	if u.firstRank.IsZero() {
		u.firstRank = r.At.Time
	}
	for _, d := range looks {
		if r.At.Sub(u.firstRank) <= d {
			u.ranked[d] = r
		}
	}
}

func alertName(ev ops.Event) string {
	var d struct{ Labels map[string]string }
	_ = json.Unmarshal(ev.Data, &d) // an event without labels counts under ""
	return d.Labels["alertname"]
}

// verdict notes one.
func (c *course) verdict(v verdictRow) { c.verdicts[verdictKey{v.ChangeID, v.Stage}] = v }

// sorted lists the incidents in the order of their numbers.
func (c *course) sorted() []*unfolding {
	var out []*unfolding
	for _, u := range c.incidents {
		out = append(out, u)
	}
	slices.SortFunc(out, func(a, b *unfolding) int {
		return cmp.Or(cmp.Compare(len(a.ID), len(b.ID)), strings.Compare(a.ID, b.ID))
	})
	return out
}

// pair finds for each incident of c the one of other that took in most of the same alerts at the same time; for one without
// alerts the one of its title. What finds none is alone.
func (c *course) pair(other *course) (pairs [][2]*unfolding, alone, extra []*unfolding) {
	taken := map[*unfolding]bool{}
	for _, a := range c.sorted() {
		var best *unfolding
		most := 0
		for _, b := range other.sorted() {
			if n := a.shares(b); !taken[b] && (n > most || n == most && n > 0 && b.ID == a.ID) {
				best, most = b, n
			}
		}
		if best == nil {
			alone = append(alone, a)
			continue
		}
		taken[best] = true
		pairs = append(pairs, [2]*unfolding{a, best})
	}
	for _, b := range other.sorted() {
		if !taken[b] {
			extra = append(extra, b)
		}
	}
	return pairs, alone, extra
}

// shares is how much two incidents have in common, 0 when they did not last at the same time.
func (u *unfolding) shares(o *unfolding) int {
	if u.ends().Before(o.OnsetAt.Time) || o.ends().Before(u.OnsetAt.Time) {
		return 0
	}
	n := 2 * both(u.members, o.members)
	if n == 0 {
		n = both(u.about, o.about)
	}
	if n == 0 && u.Title == o.Title && len(u.members)+len(o.members) == 0 {
		return 1
	}
	return n
}

// both is how many of a are in b.
func both(a, b map[string]bool) (n int) {
	for k := range a {
		if b[k] {
			n++
		}
	}
	return n
}

func (u *unfolding) ends() time.Time {
	if u.ResolvedAt.IsZero() {
		return time.Unix(1<<40, 0)
	}
	return u.ResolvedAt.Time
}

// into is the incident that took over the alerts of u, nil when none did.
func (c *course) into(u *unfolding) *unfolding {
	var best *unfolding
	most := 0
	for _, o := range c.sorted() {
		if n := u.shares(o); n > most {
			best, most = o, n
		}
	}
	return best
}
