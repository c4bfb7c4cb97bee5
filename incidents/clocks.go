package incidents

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"goc/ops"
)

// reviewSpan is how far back the review of the clocks looks unless it is told.
const reviewSpan = 12 * 7 * 24 * time.Hour

// Clocks says how the 1-5-10 clock went for the incidents that were detected from one time to another, by week, team,
// kind of fault or severity, drills apart. Incidents that were merged into others are not counted. Zero times are the
// last twelve weeks; by "" is by week.
func (s *Service) Clocks(_ context.Context, from, to time.Time, by string) (ops.ClockReport, error) {
	by = cmp.Or(by, "week")
	key := map[string]func(ops.Incident) string{
		"week":     func(i ops.Incident) string { return week(i.DetectedAt) },
		"team":     func(i ops.Incident) string { return i.Team },
		"fault":    func(i ops.Incident) string { return i.Fault },
		"severity": func(i ops.Incident) string { return string(i.Severity) },
	}[by]
	if key == nil {
		return ops.ClockReport{}, ops.Errorf(ops.Invalid, "by must be one of week, team, fault, severity").At("query.by")
	}
	if to.IsZero() {
		to = s.now()
	}
	if from.IsZero() {
		from = to.Add(-reviewSpan)
	}
	if !from.Before(to) {
		return ops.ClockReport{}, ops.Errorf(ops.Invalid, "the span must end after it begins").At("query.to")
	}
	found, cut := s.detected(from, to)
	return clocks(found, key, ops.ClockReport{From: ops.At(from), To: ops.At(to), By: by, CompleteFrom: cut}), nil
}

// week is the ISO week of a time: 2026-W47.
func week(t ops.Time) string {
	y, w := t.UTC().ISOWeek()
	return fmt.Sprintf("%d-W%02d", y, w)
}

// detected lists the incidents in memory of a span, in the order of their numbers, and since when they are complete.
func (s *Service) detected(from, to time.Time) (found []ops.Incident, cut ops.Time) {
	s.pub.RLock()
	defer s.pub.RUnlock()
	for _, inc := range s.shown {
		if at := inc.DetectedAt; inc.Merged == "" && !at.Before(from) && at.Before(to) {
			found = append(found, inc)
		}
	}
	if !s.cut.Before(from) {
		cut = ops.At(s.cut)
	}
	slices.SortFunc(found, func(a, b ops.Incident) int { return cmp.Compare(number(a.ID), number(b.ID)) })
	return found, cut
}

// clocks counts; it is pure. Groups without a name, such as incidents whose team nobody knows, come as "".
func clocks(found []ops.Incident, key func(ops.Incident) string, r ops.ClockReport) ops.ClockReport {
	var all, drills []ops.Incident
	groups := map[string][]ops.Incident{}
	for _, inc := range found {
		if inc.Drill != nil {
			drills = append(drills, inc)
			continue
		}
		all = append(all, inc)
		groups[key(inc)] = append(groups[key(inc)], inc)
	}
	r.Total, r.Drills, r.Groups = groupOf("", all), groupOf("", drills), []ops.ClockGroup{}
	for k, incs := range groups {
		r.Groups = append(r.Groups, groupOf(k, incs))
	}
	slices.SortFunc(r.Groups, func(a, b ops.ClockGroup) int {
		if r.By == "week" || r.By == "severity" {
			return cmp.Compare(a.Key, b.Key)
		}
		return cmp.Or(cmp.Compare(b.Incidents, a.Incidents), cmp.Compare(a.Key, b.Key))
	})
	return r
}

func groupOf(key string, incs []ops.Incident) ops.ClockGroup {
	g := ops.ClockGroup{Key: key, Incidents: len(incs)}
	var detect, locate, restore []float64
	for _, inc := range incs {
		detect = count(&g.Detect, detect, inc.Clock.Detect, inc.DetectedAt)
		locate = count(&g.Locate, locate, inc.Clock.Locate, inc.LocatedAt)
		restore = count(&g.Recover, restore, inc.Clock.Recover, inc.RecoveredAt)
		if inc.Cause != nil {
			g.Judged++
			if inc.Cause.First {
				g.FirstHit++
			}
		}
	}
	summarize(&g.Detect, detect)
	summarize(&g.Locate, locate)
	summarize(&g.Recover, restore)
	return g
}

// count takes one incident's leg into the statistics, and its length into the list when it was stopped.
func count(s *ops.LegStats, lengths []float64, l ops.Leg, stopped ops.Time) []float64 {
	if stopped.IsZero() {
		if !l.Running {
			s.Never++
		}
		return lengths
	}
	s.Measured++
	if l.Met != nil && *l.Met {
		s.Met++
	}
	return append(lengths, l.ElapsedS)
}

// summarize sets the median, the ninetieth percentile and the worst, by nearest rank: each is the length of a real leg.
func summarize(s *ops.LegStats, lengths []float64) {
	if len(lengths) == 0 {
		return
	}
	slices.Sort(lengths)
	rank := func(p float64) float64 { return lengths[max(0, int(math.Ceil(p*float64(len(lengths))))-1)] }
	s.MedianS, s.P90S, s.WorstS = rank(0.5), rank(0.9), rank(1)
}
