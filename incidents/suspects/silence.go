package suspects

import (
	"fmt"
	"math"
	"slices"
	"time"

	"goc/incidents/series"
	"goc/ops"
)

// silence is a treated unit that says nothing.
type silence struct {
	weight           float64
	unit             string
	since, end       time.Time
	peers, reporting int
}

// silences speak against a change whose units say nothing although they are ready and their peers report: a unit that
// crashes at start makes no bad samples, it makes none.
func (m *measured) silences(k Case, service string, replaced map[string]time.Time, w World, now time.Time) {
	last, interval := lastSeen(service, w.Samples, now)
	for unit, at := range replaced {
		if _, mine := m.exposure.replaced[unit]; !mine && !at.After(now) {
			delete(last, unit) // another change took its place
		}
	}
	peers, reporting, until := peersOf(m.exposure, last, interval, now)
	end := now
	if until.Before(now.Add(-2 * interval)) {
		end = until // nobody can be compared with any more
	}
	missed, who, ready := missedReports(m.exposure, replaced, last, interval, k.Onset.Add(-max(5*time.Minute, k.OnsetBy)-3*interval), end)
	if missed <= 0 || reporting == 0 {
		return
	}
	share := float64(reporting) / float64(peers)
	m.silence = silence{w.Weights.Silence * share * missed / (missed + 1), who, ready, end, peers, reporting}
	m.local = max(m.local, 0.8*m.silence.weight/max(w.Weights.Silence, 1e-9))
}

func (s silence) term() ops.Evidence {
	if s.unit == "" {
		return ops.Evidence{}
	}
	return ops.Evidence{
		Term: "silence", Weight: s.weight,
		Text: fmt.Sprintf("%s, which it treated, has said nothing for %s while %d of %d peers report", s.unit, ops.Since(s.end.Sub(s.since)), s.reporting, s.peers),
		Args: map[string]any{"unit": s.unit, "silent_s": math.Round(s.end.Sub(s.since).Seconds()), "reporting": s.reporting, "peers": s.peers},
	}
}

// peersOf counts the untreated units, and those of them that report or reported until they were replaced; until is when
// one of them was last seen.
func peersOf(x exposure, last map[string]time.Time, interval time.Duration, now time.Time) (peers, reporting int, until time.Time) {
	for u, at := range last {
		if _, treated := x.units[u]; treated || at.Before(x.first.Add(-15*time.Minute)) {
			continue
		}
		gone := x.replaced[u]
		lived := now.Sub(at) < 2*interval+10*time.Second || (!gone.IsZero() && at.After(gone.Add(-2*interval)))
		if !gone.IsZero() && !at.After(x.first) {
			continue // it went before there was anything to compare
		}
		peers++
		if lived {
			reporting++
			until = maxTime(until, at)
		}
	}
	return peers, reporting, until
}

// missedReports is how many reports the treated units have missed, on average over those that are ready, and the one
// that has been silent for longest, since when.
func missedReports(x exposure, replaced, last map[string]time.Time, interval time.Duration, earliest, now time.Time) (missed float64, who string, since time.Time) {
	ready := 0
	names := make([]string, 0, len(x.units))
	for u := range x.units {
		names = append(names, u)
	}
	slices.Sort(names)
	for _, u := range names {
		from := x.units[u]
		if _, gone := replaced[u]; gone || from.IsZero() || maxTime(from, last[u]).Before(earliest) {
			continue // another change took its place, it is not ready yet, or it went long before anything was wrong
		}
		ready++
		due := 0.25 // a unit that never reported has missed a report sooner than one that did
		if at := last[u]; at.After(from) {
			from, due = at, 1
		}
		m := float64(now.Sub(from))/float64(interval) - due
		if m <= 0 {
			continue
		}
		missed += m
		if who == "" || from.Before(since) {
			who, since = u, from
		}
	}
	if ready == 0 {
		return 0, "", since
	}
	return missed / float64(ready), who, since
}

// lastSeen is when each unit of a service was last seen, as callee or as caller, and how often its units report.
func lastSeen(service string, b *series.Buffer, now time.Time) (map[string]time.Time, time.Duration) {
	last := map[string]time.Time{}
	var intervals []time.Duration
	see := func(unit string, s *series.Series) {
		points := s.Between(now.Add(-30*time.Minute), now.Add(time.Millisecond))
		if unit == "" || len(points) == 0 {
			return
		}
		end := points[len(points)-1].At
		if at := time.UnixMilli(end); at.After(last[unit]) {
			last[unit] = at
		}
		if n := len(points); n > 2 {
			intervals = append(intervals, time.Duration(end-points[0].At)*time.Millisecond/time.Duration(n-1))
		}
	}
	for _, s := range b.OfService(service) {
		see(s.Unit, s)
	}
	for _, s := range b.OfCaller(service) {
		see(s.CallerUnit, s)
	}
	if len(intervals) == 0 {
		return last, time.Minute
	}
	slices.Sort(intervals)
	return last, max(time.Second, intervals[len(intervals)/2])
}

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
