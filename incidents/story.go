package incidents

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"time"

	"goc/ops"
)

// story is what is known of an incident for those who tell it: drafts, hand-overs, the report. Telling it is pure.
type story struct {
	inc     ops.Incident
	now     time.Time
	every   time.Duration // how often stakeholders are to be told; 0 is never
	entries []ops.Entry
	runs    []ops.ReportRun
	changes map[string]ops.Change // those of the suspects and of the cause, as far as they are on record
	cities  []string              // of the stores that are affected, in order
	helped  string                // what people wrote when they said that customers no longer suffer
	eased   ops.Time              // when they said so
	clock   clock                 // the zone that it is told in
	ended   string                // what people wrote when they resolved it
}

// storyOf gathers what is known of an incident.
func (s *Service) storyOf(ctx context.Context, id string) (story, error) {
	inc, err := s.Get(ctx, id)
	if err != nil {
		return story{}, err
	}
	st := story{inc: inc, now: s.now().UTC(), every: s.updates[inc.Severity], changes: s.changesOf(inc), cities: s.citiesOf(inc), clock: s.clockOf(inc.Scope.Store)}
	err = s.eachEvent(ctx, id, func(ev ops.Event) bool {
		st.hear(ev)
		return len(st.entries) < maxTimeline
	})
	return st, err
}

// changesOf are the changes that an incident names.
func (s *Service) changesOf(inc ops.Incident) map[string]ops.Change {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]ops.Change{}
	note := func(id string) {
		if c, ok := s.engine.Change(id); ok {
			out[id] = *c
		}
	}
	for _, sus := range inc.Suspects {
		note(sus.ChangeID)
	}
	if inc.Cause != nil {
		note(inc.Cause.ChangeID)
	}
	return out
}

// citiesOf are the cities that an incident touches, by what it says and by what the catalog knows of its stores.
func (s *Service) citiesOf(inc ops.Incident) []string {
	out := slices.Clone(inc.Scope.City)
	for _, id := range inc.Scope.Store {
		if st, ok := s.catalog.Load().Store(id); ok && st.City != "" {
			out = append(out, st.City)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// clockOf is the zone of stores where all have the same, of the whole chain where none are named; else UTC.
func (s *Service) clockOf(stores []string) clock {
	cat := s.catalog.Load()
	zones := map[string]bool{}
	for _, id := range stores {
		st, _ := cat.Store(id)
		zones[st.Timezone] = true
	}
	if len(stores) == 0 {
		for _, st := range cat.Stores {
			zones[st.Timezone] = true
		}
	}
	if len(zones) == 1 {
		for name := range zones {
			if loc, err := time.LoadLocation(name); err == nil {
				return clock{loc}
			}
		}
	}
	return clock{time.UTC}
}

// at is a time as the story tells it.
func (st story) at(t ops.Time) string { return st.clock.at(t, st.now) }

// hear takes one event of the incident in.
func (st *story) hear(ev ops.Event) {
	if e, ok := entry(ev); ok {
		st.entries = append(st.entries, e)
	}
	var d struct {
		Text, Note, Run, Plan string
		State                 string
		Step, Steps           int
	}
	if json.Unmarshal(ev.Data, &d) != nil {
		return
	}
	switch ev.Name {
	case "incident.mitigated":
		st.helped, st.eased = d.Note, ev.At
	case "incident.resolved":
		st.ended = d.Note
	case "incident.plan_progress":
		st.hearRun(ev, ops.ReportRun{ID: d.Run, Plan: d.Plan, State: ops.RunState(d.State), StartedAt: ev.At, LastAt: ev.At, By: ev.Actor, Text: d.Text, Step: d.Step, Steps: d.Steps})
	}
}

// hearRun takes in what was said of a run: the last word counts, the first who said something began it.
func (st *story) hearRun(ev ops.Event, r ops.ReportRun) {
	i := slices.IndexFunc(st.runs, func(o ops.ReportRun) bool { return o.ID == r.ID })
	if i < 0 {
		st.runs = append(st.runs, r)
		return
	}
	o := &st.runs[i]
	o.State, o.LastAt, o.Text = r.State, ev.At, r.Text
	if r.Step > 0 {
		o.Step, o.Steps = r.Step, r.Steps
	}
}

// first is the first suspect that people did not rule out, false when it is more likely that no change did it.
func (st story) first() (ops.Suspect, bool) {
	for _, s := range st.inc.Suspects {
		if s.Verdict != "rejected" {
			return s, s.Probability > st.inc.NoChange
		}
	}
	return ops.Suspect{}, false
}

// rolledBack lists the changes, among the suspects and the cause, that were rolled back while it lasted.
func (st story) rolledBack() []ops.Change {
	end := st.inc.RecoveredAt
	if end.IsZero() {
		end = st.inc.ResolvedAt
	}
	var out []ops.Change
	for _, c := range st.changes {
		at := c.FinishedAt
		if c.Status == ops.ChangeRolledBack && !at.Before(st.inc.OnsetAt.Time) && (end.IsZero() || !at.After(end.Time)) {
			out = append(out, c)
		}
	}
	slices.SortFunc(out, func(a, b ops.Change) int {
		return cmp.Or(a.FinishedAt.Compare(b.FinishedAt.Time), cmp.Compare(a.ID, b.ID))
	})
	return out
}
