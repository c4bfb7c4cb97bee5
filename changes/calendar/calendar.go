// Package calendar reads calendars (iCalendar, RFC 5545) as the spans of time that their events cover.
package calendar

import (
	"fmt"
	"slices"
	"strings"
	"time"

	ics "github.com/arran4/golang-ical"
	"github.com/teambition/rrule-go"

	"goc/ops"
)

// Bounds of one calendar.
const (
	MaxBytes       = 1 << 20
	MaxEvents      = 1000
	MaxRecurring   = 100 // events that recur
	MaxOccurrences = 200 // of one event
	Horizon        = 366 * 24 * time.Hour
	maxText        = 256
)

// Span is one time that an event covers. Event is its UID; Key is that, with the occurrence where the event recurs.
type Span struct {
	Event, Key string
	Name, Text string
	From, To   time.Time
}

// Calendar is what was read of one.
type Calendar struct {
	Spans     []Span   // that have not ended by now and begin within the horizon, by event in the calendar's order
	Cancelled []string // UIDs
	Recurring []string // UIDs
	Over      int      // events and occurrences that lie in the past
	Rejected  []ops.Rejected
}

// Read reads a calendar at now. zone is that of days and times without one of their own. It refuses what is no calendar;
// events that cannot be understood are listed and the others taken.
func Read(text string, zone *time.Location, now time.Time) (c Calendar, err error) {
	if len(text) > MaxBytes {
		return c, ops.Errorf(ops.TooLarge, "a calendar may have at most %d bytes", MaxBytes)
	}
	cal, err := parse(text)
	if err != nil || len(cal.Components) == 0 {
		return c, ops.Errorf(ops.Invalid, "it cannot be read as a calendar (RFC 5545)").WithHint("it begins with BEGIN:VCALENDAR and holds VEVENTs")
	}
	events := cal.Events()
	if len(events) > MaxEvents {
		return c, ops.Errorf(ops.TooLarge, "a calendar may have at most %d events", MaxEvents)
	}
	r := reader{Calendar: &c, zone: zone, now: now, moved: map[string]bool{}}
	for _, e := range events {
		if id := text1(e, ics.ComponentPropertyRecurrenceId); id != "" {
			if at, err := r.moment(e, ics.ComponentPropertyRecurrenceId); err == nil {
				r.moved[key(text1(e, ics.ComponentPropertyUniqueId), at)] = true
			}
		}
	}
	for i, e := range events {
		if err := r.event(e); err != nil {
			c.Rejected = append(c.Rejected, ops.Rejected{Index: i, Reason: err.Error()})
		}
	}
	return c, nil
}

// parse calls the library; anything that makes it panic is an error.
func parse(text string) (c *ics.Calendar, err error) {
	defer func() {
		if recover() != nil {
			c, err = nil, ops.Errorf(ops.Invalid, "it cannot be read")
		}
	}()
	return ics.ParseCalendar(strings.NewReader(text))
}

// reader reads the events of one calendar.
type reader struct {
	*Calendar
	zone  *time.Location
	now   time.Time
	moved map[string]bool // occurrences that have an event of their own
	asked int             // events that recur, refused ones included
}

func text1(e *ics.VEvent, p ics.ComponentProperty) string {
	if v := e.GetProperty(p); v != nil {
		return strings.TrimSpace(v.Value)
	}
	return ""
}

func key(uid string, at time.Time) string { return uid + "/" + at.UTC().Format("20060102T150405Z") }

func (r *reader) event(e *ics.VEvent) error {
	uid := text1(e, ics.ComponentPropertyUniqueId)
	if uid == "" || len(uid) > maxText {
		return fmt.Errorf("an event must have a UID of 1 to %d bytes", maxText)
	}
	own := text1(e, ics.ComponentPropertyRecurrenceId) != ""
	if text1(e, ics.ComponentPropertyStatus) == "CANCELLED" {
		if !own {
			r.Cancelled = append(r.Cancelled, uid)
		}
		return nil
	}
	from, err := r.moment(e, ics.ComponentPropertyDtStart)
	if err != nil {
		return err
	}
	length, err := r.length(e, from)
	if err != nil {
		return err
	}
	s := Span{Event: uid, Key: uid, Name: short(ics.FromText(text1(e, ics.ComponentPropertySummary))), Text: short(ics.FromText(text1(e, ics.ComponentPropertyDescription)))}
	if own {
		at, err := r.moment(e, ics.ComponentPropertyRecurrenceId)
		if err != nil {
			return err
		}
		s.Key = key(uid, at)
	} else if rule := text1(e, ics.ComponentPropertyRrule); rule != "" {
		return r.recur(e, s, rule, from, length)
	}
	r.take(s, from, length)
	return nil
}

// take adds a span unless it is over.
func (r *reader) take(s Span, from time.Time, length span) {
	s.From, s.To = from.UTC(), length.after(from).UTC()
	if !s.To.After(r.now) {
		r.Over++
		return
	}
	r.Spans = append(r.Spans, s)
}

// recur adds the occurrences of an event that lie within the horizon.
func (r *reader) recur(e *ics.VEvent, s Span, rule string, from time.Time, length span) error {
	if r.asked++; r.asked > MaxRecurring { // those that are refused cost as much
		return fmt.Errorf("at most %d events may recur", MaxRecurring)
	}
	o, err := rrule.StrToROptionInLocation(rule, from.Location())
	if err != nil {
		return fmt.Errorf("its recurrence cannot be read")
	}
	if o.Freq > rrule.DAILY || len(o.Byhour) > 1 || len(o.Byminute) > 1 || len(o.Bysecond) > 1 || (o.Freq >= rrule.WEEKLY && len(o.Bymonthday)+len(o.Byyearday) > 0) {
		return fmt.Errorf("it recurs too often, or in a way that is not understood")
	}
	o.Dtstart = from
	every, err := rrule.NewRRule(*o)
	if err != nil {
		return fmt.Errorf("its recurrence cannot be read")
	}
	except := r.exceptions(e)
	before, over := len(r.Spans), r.Over
	next, n := every.Iterator(), 0
	for {
		at, ok := next()
		if !ok || at.After(r.now.Add(Horizon)) {
			break
		}
		if except[at.Unix()] || r.moved[key(s.Event, at)] {
			continue
		}
		if length.after(at).After(r.now) {
			if n++; n > MaxOccurrences {
				r.Spans, r.Over = r.Spans[:before], over // all of it or nothing
				return fmt.Errorf("it has more than %d occurrences within a year; add it as a freeze with a cron expression", MaxOccurrences)
			}
		}
		one := s
		one.Key = key(s.Event, at)
		r.take(one, at, length)
	}
	r.Recurring = append(r.Recurring, s.Event)
	return nil
}

// exceptions are the occurrences that are left out.
func (r *reader) exceptions(e *ics.VEvent) map[int64]bool {
	out := map[int64]bool{}
	for _, p := range e.GetProperties(ics.ComponentPropertyExdate) {
		for _, v := range strings.Split(p.Value, ",") {
			if at, err := r.read(v, p.ICalParameters); err == nil {
				out[at.Unix()] = true
			}
		}
	}
	return out
}

// moment reads a time of an event.
func (r *reader) moment(e *ics.VEvent, p ics.ComponentProperty) (time.Time, error) {
	v := e.GetProperty(p)
	if v == nil {
		return time.Time{}, fmt.Errorf("it has no %s", p)
	}
	return r.read(v.Value, v.ICalParameters)
}

// windowsZones are names that Outlook writes for the zones of the places where chains are.
var windowsZones = map[string]string{"China Standard Time": "Asia/Shanghai", "Taipei Standard Time": "Asia/Taipei", "Singapore Standard Time": "Asia/Singapore", "Tokyo Standard Time": "Asia/Tokyo"}

func (r *reader) read(value string, parameters map[string][]string) (time.Time, error) {
	zone := r.zone
	if id := parameters["TZID"]; len(id) > 0 {
		name := strings.Trim(id[0], `"`)
		if known := windowsZones[name]; known != "" {
			name = known
		}
		var err error
		if zone, err = time.LoadLocation(name); err != nil || name == "Local" || name == "" {
			return time.Time{}, fmt.Errorf("its time zone is none of the IANA names")
		}
	}
	value = strings.TrimSpace(value)
	for _, layout := range []string{"20060102T150405Z", "20060102T150405", "20060102"} {
		if len(value) != len(layout) {
			continue
		}
		if strings.HasSuffix(layout, "Z") {
			zone = time.UTC
		}
		t, err := time.ParseInLocation(layout, value, zone)
		if err == nil && t.Year() >= 1970 && t.Year() < 9999 {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("its time cannot be read")
}

// span is a length of time: days on the wall clock, and time beside them.
type span struct {
	days int
	time time.Duration
}

func (s span) after(t time.Time) time.Time { return t.AddDate(0, 0, s.days).Add(s.time) }

// length is how long an event lasts: to DTEND, for DURATION, or the whole day when it has only a date.
func (r *reader) length(e *ics.VEvent, from time.Time) (span, error) {
	var s span
	switch {
	case e.GetProperty(ics.ComponentPropertyDtEnd) != nil:
		to, err := r.moment(e, ics.ComponentPropertyDtEnd)
		if err != nil {
			return s, err
		}
		if s.time = to.Sub(from); wholeDay(e) { // the wall clock's days, which are not always 24 hours
			s = span{days: int((s.time + 12*time.Hour) / (24 * time.Hour))}
		}
	case text1(e, ics.ComponentPropertyDuration) != "":
		var ok bool
		if s, ok = parseDuration(text1(e, ics.ComponentPropertyDuration)); !ok {
			return s, fmt.Errorf("its duration cannot be read")
		}
	case wholeDay(e):
		s.days = 1
	}
	if !s.after(from).After(from) || s.after(from).Sub(from) > Horizon {
		return s, fmt.Errorf("it must end after it begins, and last a year at most")
	}
	return s, nil
}

func wholeDay(e *ics.VEvent) bool {
	return len(text1(e, ics.ComponentPropertyDtStart)) == len("20060102")
}

// parseDuration reads P1W, P2D, PT90M, P1DT2H30M.
func parseDuration(text string) (s span, ok bool) {
	rest, ok := strings.CutPrefix(strings.TrimPrefix(text, "+"), "P")
	if !ok || rest == "" || len(rest) > 20 {
		return s, false
	}
	n, inTime := -1, false
	for _, c := range rest {
		switch {
		case c >= '0' && c <= '9':
			n = max(n, 0)*10 + int(c-'0')
			if n > 100_000 {
				return s, false
			}
			continue
		case c == 'T' && !inTime && n < 0:
			inTime = true
			continue
		case n < 0:
			return s, false
		case c == 'W' && !inTime:
			s.days += 7 * n
		case c == 'D' && !inTime:
			s.days += n
		case inTime && strings.ContainsRune("HMS", c):
			s.time += time.Duration(n) * map[rune]time.Duration{'H': time.Hour, 'M': time.Minute, 'S': time.Second}[c]
		default:
			return s, false
		}
		n = -1
	}
	return s, n < 0
}

// short is a text in one bounded line.
func short(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > maxText-4 {
		s = strings.ToValidUTF8(s[:maxText-4], "") + "…"
	}
	return s
}

// Belongs says whether a key is of an event, or of an occurrence of it.
func Belongs(k string, events []string) bool {
	return slices.ContainsFunc(events, func(uid string) bool { return k == uid || strings.HasPrefix(k, uid+"/") })
}
