package web

import (
	"cmp"
	"slices"
	"time"

	"goc/ops"
)

// facts are what the rooms said, from which a situation is assembled.
type facts struct {
	now       time.Time
	seq       int64
	version   string
	catalog   *ops.Catalog
	incidents []ops.Incident // active, and lately over
	spans     []ops.FreezeSpan
	fleet     []ops.FleetGroup // by region, city and store
	oncall    []ops.OnCall
	changes   []ops.Change
	runs      []ops.Run
	recent    []RecentEvent
	headline  *ops.Chart
	missing   []MissingSource
}

// Bounds of a situation.
const (
	maxIncidents   = 20
	maxAlertsShown = 20
	maxChanges     = 20
	maxRuns        = 5
	maxRecent      = 20
	lately         = 10 * time.Minute // for how long what is over stays on the wall
	changesFor     = time.Hour
)

// assemble makes the situation of the facts.
func assemble(f facts) Situation {
	s := Situation{
		At: ops.At(f.now), Seq: f.seq, Version: f.version,
		Freeze: freezeState(f.spans, f.now), OnCall: listed(f.oncall), Recent: listed(f.recent), Headline: f.headline, Missing: f.missing,
	}
	trouble := newTrouble(f.incidents)
	s.Counts = countsOf(f)
	s.Incidents = worstIncidents(f.incidents, f.now)
	s.Services = serviceStates(f.catalog, trouble)
	s.Cities = cityStates(f, trouble)
	s.Changes = shownChanges(f.changes, f.now)
	s.Runs = shownRuns(f.runs, f.now)
	return s
}

// listed makes an empty list [] and not null.
func listed[T any](l []T) []T {
	if l == nil {
		return []T{}
	}
	return l
}

// ails says whether an incident is still hurting: active, and not recovered.
func ails(i ops.Incident) bool { return i.State.Active() && i.RecoveredAt.IsZero() }

func countsOf(f facts) (c Counts) {
	for _, i := range f.incidents {
		if !ails(i) {
			continue
		}
		switch i.Severity {
		case ops.P1:
			c.P1++
		case ops.P2:
			c.P2++
		case ops.P3:
			c.P3++
		default:
			c.P4++
		}
	}
	for _, g := range f.fleet {
		c.DevicesTotal += g.Total
		c.DevicesOffline += g.States[ops.Offline.String()]
	}
	return c
}

// worstIncidents are those to show: hurting before recovered, then by severity, then the longest first.
func worstIncidents(all []ops.Incident, now time.Time) []ops.Incident {
	out := []ops.Incident{}
	for _, i := range all {
		over := cmp.Or(i.ResolvedAt.Time, i.RecoveredAt.Time)
		if i.State.Active() || now.Sub(over) < lately {
			out = append(out, i)
		}
	}
	slices.SortStableFunc(out, func(a, b ops.Incident) int {
		if ails(a) != ails(b) {
			if ails(a) {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(a.Severity, b.Severity), a.OnsetAt.Compare(b.OnsetAt.Time), cmp.Compare(a.ID, b.ID))
	})
	out = out[:min(len(out), maxIncidents)]
	for i := range out {
		out[i].Alerts = listed(out[i].Alerts[:min(len(out[i].Alerts), maxAlertsShown)])
		out[i].Suspects = listed(out[i].Suspects)
	}
	return out
}

func freezeState(spans []ops.FreezeSpan, now time.Time) FreezeState {
	s := FreezeState{Active: []ops.FreezeSpan{}}
	for i, span := range spans {
		switch {
		case !now.Before(span.From.Time) && now.Before(span.To.Time):
			s.Active = append(s.Active, span)
		case span.From.After(now) && (s.Next == nil || span.From.Before(s.Next.From.Time)):
			s.Next = &spans[i]
		}
	}
	return s
}

func shownChanges(all []ops.Change, now time.Time) []ops.Change {
	out := []ops.Change{}
	for _, c := range all {
		if len(out) < maxChanges && (c.Status.Open() || now.Sub(c.FinishedAt.Time) < changesFor) {
			out = append(out, c)
		}
	}
	return out
}

func shownRuns(all []ops.Run, now time.Time) []ops.Run {
	out := []ops.Run{}
	for _, r := range all {
		if len(out) < maxRuns && (!r.State.Done() || now.Sub(r.FinishedAt.Time) < lately) {
			out = append(out, r)
		}
	}
	return out
}

// trouble is how bad it is by what is named in the incidents that still hurt.
type trouble struct {
	service   map[string]int // rank of the worst
	incidents map[string][]string
	store     map[string]int
}

// Ranks of a state, worst last.
const (
	rankOK = iota
	rankClosed
	rankWarning
	rankOffline
	rankCritical
)

var rankNames = [...]string{"ok", "closed", "warning", "offline", "critical"}

func newTrouble(all []ops.Incident) trouble {
	t := trouble{map[string]int{}, map[string][]string{}, map[string]int{}}
	for _, i := range all {
		if !ails(i) {
			continue
		}
		rank := rankWarning
		if i.Severity == ops.P1 || i.Severity == ops.P2 {
			rank = rankCritical
		}
		names := append(slices.Clone(i.Scope.Service), i.Impact.Services...)
		slices.Sort(names)
		for _, name := range slices.Compact(names) {
			t.service[name] = max(t.service[name], rank)
			t.incidents[name] = append(t.incidents[name], i.ID)
		}
		for _, id := range i.Scope.Store {
			t.store[id] = max(t.store[id], rank)
		}
	}
	return t
}

func serviceStates(c *ops.Catalog, t trouble) []ServiceState {
	out := make([]ServiceState, 0, len(c.Services))
	for _, s := range c.Services {
		out = append(out, ServiceState{
			Name: s.Name, Tier: s.Tier, Core: s.Core, Business: s.Business, Owner: s.Owner,
			State: rankNames[t.service[s.Name]], Incidents: listed(t.incidents[s.Name]),
		})
	}
	slices.SortStableFunc(out, func(a, b ServiceState) int {
		return cmp.Or(cmp.Compare(a.Tier, b.Tier), cmp.Compare(t.service[b.Name], t.service[a.Name]), cmp.Compare(a.Name, b.Name))
	})
	return out
}
