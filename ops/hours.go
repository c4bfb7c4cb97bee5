package ops

import (
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // stores have time zones on machines that have none
)

// Hours are when a store is open, on the clock of its own time zone. A nil *Hours is always open.
type Hours struct {
	zone *time.Location
	week [7][]span       // by time.Weekday, each in order
	days map[date][]span // holidays, which stand in place of the day of the week
}

// span is a time of opening, in minutes after midnight of the day that it begins on; to is beyond 24 h when the store
// closes after midnight.
type span struct{ from, to int }

type date struct {
	year  int
	month time.Month
	day   int
}

func dateOf(t time.Time) (d date) {
	d.year, d.month, d.day = t.Date()
	return d
}

// add returns the date n days later.
func (d date) add(n int) date {
	return dateOf(time.Date(d.year, d.month, d.day+n, 12, 0, 0, 0, time.UTC))
}

func (d date) weekday() time.Weekday {
	return time.Date(d.year, d.month, d.day, 12, 0, 0, 0, time.UTC).Weekday()
}

const maxHours = 512 // bytes of a store's opening hours

const (
	hoursText = "must be opening hours like 08:00-22:00 or Mon-Fri 08:00-22:00; Sat,Sun 09:00-12:00,14:00-20:00"
	hoursHint = "parts are divided by a semicolon; a later part stands in place of an earlier one on the days that it names; a day that no part names is closed"
)

// ParseHours reads opening hours in a time zone (IANA, empty is UTC). They are a subset of what OpenStreetMap writes:
// parts divided by semicolons, each of days (Mon-Fri, Sat,Sun; Mo and monday do as well; none is every day) and times
// (08:00-12:00,14:00-22:00), "closed" or "off". 18:00-02:00 ends on the next day. "" and 24/7 are always open: nil.
func ParseHours(text, zone string) (*Hours, error) {
	h, err := parseHours(text, zone)
	if err != nil || h.always() {
		return nil, err
	}
	return h, nil
}

func parseHours(text, zone string) (*Hours, error) {
	loc, err := time.LoadLocation(zone)
	if err != nil || zone == "Local" {
		return nil, Errorf(Invalid, "is no time zone that this machine knows").At("timezone").WithHint("write it like Asia/Shanghai")
	}
	h := &Hours{zone: loc}
	bad := Errorf(Invalid, "%s", hoursText).At("hours").WithHint(hoursHint)
	if len(text) > maxHours {
		return nil, bad
	}
	if strings.TrimSpace(text) == "" {
		text = "24/7"
	}
	for _, part := range strings.Split(text, ";") {
		days, spans, ok := parsePart(strings.TrimSpace(part))
		if !ok {
			return nil, bad
		}
		for d := range h.week {
			if days[d] {
				h.week[d] = spans
			}
		}
	}
	return h, nil
}

// always says whether the store never closes.
func (h *Hours) always() bool {
	for _, spans := range h.week {
		if len(spans) != 1 || spans[0] != (span{0, 24 * 60}) {
			return false
		}
	}
	return len(h.days) == 0
}

// parsePart reads "Mon-Fri 08:00-22:00".
func parsePart(s string) (days [7]bool, spans []span, ok bool) {
	when, times := s, ""
	if i := strings.IndexAny(s, "0123456789"); i >= 0 {
		when, times = s[:i], s[i:]
	} else if i := strings.LastIndexAny(s, " ,"); true {
		when, times = s[:i+1], s[i+1:]
	}
	if days, ok = parseWeekdays(strings.TrimSpace(when)); !ok {
		return days, nil, false
	}
	spans, ok = parseTimes(times)
	return days, spans, ok
}

// parseWeekdays reads "Mon-Fri,Sun"; nothing is every day.
func parseWeekdays(s string) (days [7]bool, ok bool) {
	if s == "" {
		return [7]bool{true, true, true, true, true, true, true}, true
	}
	for _, part := range strings.Split(s, ",") {
		a, b, isRange := strings.Cut(part, "-")
		from, ok1 := parseWeekday(a)
		to, ok2 := from, ok1
		if isRange {
			to, ok2 = parseWeekday(b)
		}
		if !ok1 || !ok2 {
			return days, false
		}
		for d := from; ; d = (d + 1) % 7 {
			days[d] = true
			if d == to {
				break
			}
		}
	}
	return days, true
}

func parseWeekday(s string) (int, bool) {
	s = strings.ToLower(strings.TrimSpace(s))
	for d := range 7 {
		if len(s) >= 2 && strings.HasPrefix(strings.ToLower(time.Weekday(d).String()), s) {
			return d, true
		}
	}
	return 0, false
}

// parseTimes reads "08:00-12:00,14:00-22:00", "24/7", "closed" or "off", in the order of the clock.
func parseTimes(s string) (spans []span, ok bool) {
	switch strings.ToLower(s) {
	case "closed", "off":
		return nil, true
	case "24/7":
		return []span{{0, 24 * 60}}, true
	}
	for _, part := range strings.Split(s, ",") {
		a, b, _ := strings.Cut(part, "-")
		from, ok1 := parseClock(a)
		to, ok2 := parseClock(b)
		if !ok1 || !ok2 || from == to || from == 24*60 {
			return nil, false
		}
		if to < from {
			to += 24 * 60
		}
		spans = append(spans, span{from, to})
	}
	slices.SortFunc(spans, func(a, b span) int { return a.from - b.from })
	return spans, true
}

// parseClock reads 00:00 to 24:00 as minutes.
func parseClock(s string) (int, bool) {
	h, m, ok := strings.Cut(strings.TrimSpace(s), ":")
	hh, err1 := strconv.ParseUint(h, 10, 8)
	mm, err2 := strconv.ParseUint(m, 10, 8)
	if !ok || err1 != nil || err2 != nil || len(m) != 2 || mm > 59 || hh*60+mm > 24*60 {
		return 0, false
	}
	return int(hh*60 + mm), true
}

// on are the times of opening that begin on a day.
func (h *Hours) on(d date) []span {
	if spans, ok := h.days[d]; ok {
		return spans
	}
	return h.week[d.weekday()]
}

// How far At looks: back for when a store opened that closes only for moments, and ahead for when it opens again.
const (
	hoursBack  = 2
	hoursAhead = 35
)

// At says whether the store is open at now, since when it is, and when that changes. since is zero while it is closed,
// and goes back two days at most. Both are zero for a store that never closes. until may be earlier than the change
// when that is more than a month ahead: ask again then.
func (h *Hours) At(now time.Time) (open bool, since, until time.Time) {
	if h == nil {
		return true, time.Time{}, time.Time{}
	}
	today := dateOf(now.In(h.zone))
	var from, to time.Time // the opening that is being put together
	for n := -hoursBack; n <= hoursAhead; n++ {
		d := today.add(n)
		for _, s := range h.on(d) {
			a, b := h.instant(d, s.from), h.instant(d, s.to)
			switch {
			case !b.After(a): // the whole of it lies in an hour that the clock leaves out
			case a.After(to):
				if to.After(now) {
					return !now.Before(from), notAfter(from, now), changes(from, to, now)
				}
				from, to = a, b
			case b.After(to):
				to = b
			}
		}
		if n > 7 && to.After(now) {
			break
		}
	}
	if to.After(now) {
		return !now.Before(from), notAfter(from, now), changes(from, to, now)
	}
	return false, time.Time{}, h.instant(today.add(hoursAhead), 0)
}

// notAfter is since of At.
func notAfter(from, now time.Time) time.Time {
	if now.Before(from) {
		return time.Time{}
	}
	return from
}

// changes is until of At.
func changes(from, to, now time.Time) time.Time {
	if now.Before(from) {
		return from
	}
	return to
}

// Open says whether the store is open at now.
func (h *Hours) Open(now time.Time) bool {
	open, _, _ := h.At(now)
	return open
}

// instant is the first moment at which the clock of the store's zone has come to a time of a day. Where the clock leaves
// that time out, it is the moment at which it leaps over it; where the clock shows it twice, the first.
func (h *Hours) instant(d date, minutes int) time.Time {
	t := time.Date(d.year, d.month, d.day, 0, minutes, 0, 0, h.zone)
	want := time.Date(d.year, d.month, d.day, 0, minutes, 0, 0, time.UTC).Unix()
	_, offset := t.Zone()
	start, end := t.ZoneBounds()
	switch shown := t.Unix() + int64(offset); {
	case shown > want:
		return start
	case shown < want:
		return end
	}
	if !start.IsZero() {
		_, before := start.Add(-time.Second).Zone()
		if back := time.Duration(before-offset) * time.Second; t.Sub(start) < back {
			return t.Add(-back)
		}
	}
	return t
}
