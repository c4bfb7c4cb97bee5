// Package window knows when a repeated time window is closed, by the wall clock of its time zone.
//
// A window of a schedule runs from a time of the cron expression, as the wall clock of the zone shows it, for the
// duration on that same wall clock: "22:00 for 8h" ends at 06:00 also in the night in which the clocks change. A wall
// time that comes twice opens the window the first time and ends it the second; one that never comes counts as the
// moment at which the clock jumps over it.
package window

import (
	"strings"
	"time"
	_ "time/tzdata" // zones also on machines that have none

	"github.com/robfig/cron/v3"

	"goc/ops"
)

// Bounds of one schedule.
const (
	MaxCron     = 128                 // bytes of a cron expression
	MaxDuration = 31 * 24 * time.Hour // of one window; what is longer has a beginning and an end of its own
	horizon     = 8 * 24 * time.Hour  // how far windows that touch are joined when only the next one is asked for
	slack       = 26 * time.Hour      // more than any wall clock was ever set back or forth
)

// Span is one time for which a window is closed: From is in it, To is not.
type Span struct{ From, To time.Time }

// Contains says whether t is in the span.
func (s Span) Contains(t time.Time) bool { return !t.Before(s.From) && t.Before(s.To) }

// Schedule is a parsed ops.FreezeSchedule.
type Schedule struct {
	wall     cron.Schedule // over wall clock readings, written as if they were UTC
	duration time.Duration
	zone     *time.Location
}

// Parse reads a schedule and refuses one that never comes. location is its place in the input.
func Parse(in ops.FreezeSchedule, location string) (*Schedule, error) {
	d := time.Duration(in.Duration)
	if d <= 0 || d > MaxDuration {
		return nil, ops.Errorf(ops.Invalid, "the duration must be more than 0 and at most %s", ops.Duration(MaxDuration)).At(location + ".duration")
	}
	zone, err := parseZone(in.Timezone)
	if err != nil {
		return nil, ops.Errorf(ops.Invalid, "the time zone must be an IANA name").At(location + ".timezone").WithHint("for example Asia/Shanghai or UTC")
	}
	wall, err := parseCron(in.Cron)
	if err != nil {
		return nil, ops.Errorf(ops.Invalid, "the cron expression must have five fields: minute, hour, day of month, month, day of week: %w", err).
			At(location + ".cron").WithHint("for example 0 11 * * *; the time zone goes into its own field")
	}
	if wall.Next(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return nil, ops.Errorf(ops.Invalid, "the cron expression names a time that never comes").At(location + ".cron")
	}
	return &Schedule{wall: wall, duration: d, zone: zone}, nil
}

// parseZone reads an IANA name; "" is UTC. The machine's own zone is refused, because a window must not depend on it.
func parseZone(name string) (*time.Location, error) {
	if name == "" {
		return time.UTC, nil
	}
	if name == "Local" || len(name) > 64 {
		return nil, ops.Errorf(ops.Invalid, "no such zone")
	}
	return time.LoadLocation(name)
}

// parser reads five fields and names such as @daily.
var parser = cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor)

// parseCron reads an expression. The library panics on some prefixes ("TZ=", "TZ=0"), so they are refused, and anything
// else that makes it panic is an error.
func parseCron(spec string) (s cron.Schedule, err error) {
	defer func() {
		if recover() != nil {
			s, err = nil, ops.Errorf(ops.Invalid, "it cannot be read")
		}
	}()
	spec = strings.TrimSpace(spec)
	if spec == "" || len(spec) > MaxCron || strings.Contains(spec, "TZ=") || strings.HasPrefix(spec, "@every") {
		return nil, ops.Errorf(ops.Invalid, "it is empty, longer than %d bytes, names a zone or is @every", MaxCron)
	}
	if s, err = parser.Parse(spec); err != nil {
		return nil, ops.Errorf(ops.Invalid, "a field is out of its range or does not read as one")
	}
	return s, nil
}

// Next is the span that is closed at t, or the next one to come; false when none comes within five years. Windows that
// touch are one span, as far as eight days ahead.
func (s *Schedule) Next(t time.Time) (Span, bool) {
	w := s.reading(t).Add(-s.duration - slack)
	for {
		if w = s.wall.Next(w); w.IsZero() {
			return Span{}, false
		}
		if span := s.span(w); span.To.After(t) && span.To.After(span.From) {
			return s.join(span, w, maxTime(t, span.From).Add(horizon)), true
		}
	}
}

// join adds to span the windows after the one at the wall time w that touch it, until it reaches limit.
func (s *Schedule) join(span Span, w, limit time.Time) Span {
	for span.To.Before(limit) {
		if w = s.wall.Next(w); w.IsZero() {
			return span
		}
		next := s.span(w)
		if next.From.After(span.To) {
			return span
		}
		span.To = maxTime(span.To, next.To)
	}
	return span
}

// Between lists the spans that overlap [from, to), joined where they touch and not cut; at most limit+1 of them, so
// that the caller sees that there are more.
func (s *Schedule) Between(from, to time.Time, limit int) []Span {
	var out []Span
	w := s.reading(from).Add(-s.duration - slack)
	for len(out) <= limit {
		if w = s.wall.Next(w); w.IsZero() {
			break
		}
		span := s.span(w)
		if !span.From.Before(to) {
			break
		}
		if !span.To.After(from) || !span.To.After(span.From) {
			continue // over, or in an hour that the clock jumps over
		}
		if n := len(out); n > 0 && !span.From.After(out[n-1].To) {
			out[n-1].To = maxTime(out[n-1].To, span.To)
			continue
		}
		out = append(out, span)
	}
	return out
}

// span is the window that opens at the wall time w.
func (s *Schedule) span(w time.Time) Span {
	from, _ := s.instants(w)
	_, to := s.instants(w.Add(s.duration))
	return Span{From: from, To: to}
}

// reading is what the wall clock shows at t, written as if it were UTC.
func (s *Schedule) reading(t time.Time) time.Time {
	_, offset := t.In(s.zone).Zone()
	return t.UTC().Add(time.Duration(offset) * time.Second)
}

// instants are the first and the last moment at which the wall clock shows w. When it jumps over w, both are the moment
// of the jump.
func (s *Schedule) instants(w time.Time) (first, last time.Time) {
	t := time.Date(w.Year(), w.Month(), w.Day(), w.Hour(), w.Minute(), w.Second(), 0, s.zone)
	start, end := t.ZoneBounds()
	switch shown := s.reading(t); {
	case shown.After(w):
		return start, start
	case shown.Before(w):
		return end, end
	}
	first, last = t, t
	if !start.IsZero() {
		if u := w.Add(-offsetAt(start.Add(-1), s.zone)); u.Before(start) {
			first = u
		}
	}
	if !end.IsZero() {
		if u := w.Add(-offsetAt(end, s.zone)); !u.Before(end) {
			last = u
		}
	}
	return first.UTC(), last.UTC()
}

func offsetAt(t time.Time, zone *time.Location) time.Duration {
	_, offset := t.In(zone).Zone()
	return time.Duration(offset) * time.Second
}

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
