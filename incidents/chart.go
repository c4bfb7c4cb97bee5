package incidents

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"goc/incidents/series"
	"goc/incidents/suspects"
	"goc/ops"
)

// Spans of the charts.
const (
	chartBefore  = 15 * time.Minute // before the onset
	chartAfter   = 10 * time.Minute // after the recovery
	headlineSpan = 30 * time.Minute
	maxMarks     = 60
)

// Chart is the indicator that shows the incident best: what it affects against the rest, with marks for the onset, the
// suspects' moves and the runs of plans.
func (s *Service) Chart(ctx context.Context, id string) (ops.Chart, error) {
	inc, err := s.Get(ctx, id)
	if err != nil {
		return ops.Chart{}, err
	}
	from, to := inc.OnsetAt.Add(-chartBefore), s.now()
	if end := inc.RecoveredAt; !end.IsZero() && end.Add(chartAfter).Before(to) {
		to = end.Add(chartAfter)
	}
	service, indicator, hit := s.symptom(inc)
	if service == "" {
		if c, ok := s.deviceChart(ctx, inc, from, to); ok {
			c.Marks = s.marks(ctx, inc, from, to)
			return c, nil
		}
	}
	c := ops.Chart{Title: strings.TrimSpace(indicator + " " + service), Indicator: indicator, Service: service, Unit: unitOf(indicator), From: ops.At(from), To: ops.At(to)}
	services := []string{service}
	if service == "" {
		services = s.headlineServices()
		c.Title = indicator
	}
	lines := s.lines(ctx, indicator, services, from, to)
	from = firstSample(lines, from, to)
	c.From = ops.At(from)
	affected, others := part(lines, inc, hit)
	switch {
	case len(affected) > 0 && len(others) > 0:
		c.Series = []ops.Series{fold("affected", indicator, affected, from, to), fold("others", indicator, others, from, to)}
	default:
		c.Series = []ops.Series{fold("all", indicator, append(affected, others...), from, to)}
	}
	c.Marks = s.marks(ctx, inc, from, to)
	return c, nil
}

// symptom is the service and indicator that departed most when the incident began, and the store or unit where it did;
// what the configuration names as headline when no samples show it.
func (s *Service) symptom(inc ops.Incident) (service, indicator, where string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.engine
	until := inc.DetectedAt.Add(time.Minute)
	if now := s.now(); until.After(now) {
		until = now
	}
	// What the alerts speak of proves the incident. What departed most may be something else: calls that fail are quick.
	if told, unit := toldIndicator(inc); told != "" {
		for _, name := range e.SymptomServices(inc.ID) {
			if slices.ContainsFunc(e.Samples().OfService(name), hasIndicator(told)) {
				return name, told, unit
			}
		}
	}
	for _, name := range e.SymptomServices(inc.ID) {
		if d, ok := suspects.Onset(e.Samples(), []string{name}, inc.Scope.Store, until, e.Direction); ok {
			where = d.Key.Unit
			if d.Key.Store != "" {
				where = d.Key.Store
			}
			return name, d.Key.Indicator, where
		}
	}
	indicator = s.headlineIndicator()
	for _, name := range e.SymptomServices(inc.ID) {
		if slices.ContainsFunc(e.Samples().OfService(name), hasIndicator(indicator)) {
			return name, indicator, ""
		}
	}
	return "", indicator, ""
}

// toldIndicator is the indicator that most of the incident's alerts name in their label "indicator", as the shipped rules
// do, and the first unit that they name of it; "" when none does.
func toldIndicator(inc ops.Incident) (most, unit string) {
	counts, units := map[string]int{}, map[string]string{}
	for _, a := range inc.Alerts {
		name := a.Labels["indicator"]
		if name == "" {
			continue
		}
		if units[name] == "" {
			units[name] = a.Labels["unit"]
		}
		if counts[name]++; counts[name] > counts[most] || counts[name] == counts[most] && name < most {
			most = name
		}
	}
	return most, units[most]
}

// part divides the lines into what the incident affects and the rest: by the stores that it names, else by where the
// departure was found.
func part(lines []line, inc ops.Incident, where string) (affected, others []line) {
	for _, l := range lines {
		hit := where != "" && (l.unit == where || l.store == where)
		if len(inc.Scope.Store) > 0 {
			hit = slices.Contains(inc.Scope.Store, l.store)
		}
		if hit {
			affected = append(affected, l)
		} else {
			others = append(others, l)
		}
	}
	return affected, others
}

// marks are the onset, the moves of the suspects and the runs of plans.
func (s *Service) marks(ctx context.Context, inc ops.Incident, from, to time.Time) []ops.Mark {
	var changes []*ops.Change
	s.mu.Lock()
	for _, sus := range inc.Suspects {
		if c, ok := s.engine.Change(sus.ChangeID); ok {
			changes = append(changes, c)
		}
	}
	s.mu.Unlock()
	marks := append(marksOf(changes, from, to), ops.Mark{At: inc.OnsetAt, Kind: "onset", Label: "onset"}, ops.Mark{At: inc.DetectedAt, Kind: "alert", Label: inc.ID})
	marks = append(marks, s.runMarks(ctx, inc.ID)...)
	sortMarks(marks)
	return marks[:min(len(marks), maxMarks)]
}

// runMarks are the first words of each run of a plan in the incident's events.
func (s *Service) runMarks(ctx context.Context, id string) []ops.Mark {
	events, err := s.journal.Events(ctx, ops.EventQuery{Subject: id, Limit: timelinePage})
	if err != nil {
		return nil
	}
	var marks []ops.Mark
	seen := map[string]bool{}
	for _, ev := range events {
		var d struct{ Run, Plan string }
		if ev.Name != "incident.plan_progress" || json.Unmarshal(ev.Data, &d) != nil || seen[d.Run] {
			continue
		}
		seen[d.Run] = true
		marks = append(marks, ops.Mark{At: ev.At, Kind: "plan", Label: strings.TrimSpace(d.Run + " " + d.Plan)})
	}
	return marks
}

// Headline is the one curve that proves that the chain works, with the changes of the last half hour.
func (s *Service) Headline(ctx context.Context) (ops.Chart, error) {
	to := s.now()
	from := to.Add(-headlineSpan)
	indicator, services := s.headlineIndicator(), s.headlineServices()
	s.mu.Lock()
	changes := s.engine.ChangesSince(from, maxMarks)
	s.mu.Unlock()
	marks := marksOf(changes, from, to)
	return ops.Chart{
		Title: indicator, Indicator: indicator, Unit: unitOf(indicator), From: ops.At(from), To: ops.At(to),
		Series: []ops.Series{fold("all", indicator, s.lines(ctx, indicator, services, from, to), from, to)},
		Marks:  marks[max(0, len(marks)-maxMarks):],
	}, nil
}

func (s *Service) headlineIndicator() string {
	if s.cfg.Headline.Indicator != "" {
		return s.cfg.Headline.Indicator
	}
	return "success_ratio"
}

// headlineServices are those configured, else those of tier T0, else the core ones, else all.
func (s *Service) headlineServices() []string {
	if len(s.cfg.Headline.Services) > 0 {
		return s.cfg.Headline.Services
	}
	for _, pick := range []func(ops.Service) bool{
		func(sv ops.Service) bool { return sv.Tier == "T0" }, func(sv ops.Service) bool { return sv.Core }, func(ops.Service) bool { return true },
	} {
		var out []string
		for _, sv := range s.catalog.Load().Services {
			if pick(sv) {
				out = append(out, sv.Name)
			}
		}
		if len(out) > 0 {
			return out
		}
	}
	return nil
}

func hasIndicator(name string) func(*series.Series) bool {
	return func(s *series.Series) bool { return s.Indicator == name }
}
