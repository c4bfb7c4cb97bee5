package ops_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"goc/ops"
)

func TestOpeningHours(t *testing.T) {
	at := func(s string) time.Time {
		v, err := time.Parse("2006-01-02 15:04", s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	const week = "Mon-Fri 08:00-22:00; Sat,Sun 09:00-12:00,14:00-20:00; Sun closed"
	for name, c := range map[string]struct { // 2026-11-20 is a Friday
		hours, zone, now string
		open             bool
		until            string
	}{
		"in the day":                            {"08:00-22:00", "UTC", "2026-11-20 12:00", true, "2026-11-20 22:00"},
		"before opening":                        {"08:00-22:00", "UTC", "2026-11-20 07:59", false, "2026-11-20 08:00"},
		"at closing":                            {"08:00-22:00", "UTC", "2026-11-20 22:00", false, "2026-11-21 08:00"},
		"in another zone":                       {"08:00-22:00", "Asia/Shanghai", "2026-11-20 00:00", true, "2026-11-20 14:00"},
		"over midnight, before":                 {"18:00-02:00", "UTC", "2026-11-20 23:00", true, "2026-11-21 02:00"},
		"over midnight, after":                  {"18:00-02:00", "UTC", "2026-11-20 01:00", true, "2026-11-20 02:00"},
		"over midnight, closed":                 {"18:00-02:00", "UTC", "2026-11-20 02:00", false, "2026-11-20 18:00"},
		"the day that is an hour longer":        {"08:00-22:00", "Europe/Berlin", "2026-10-24 21:00", false, "2026-10-25 07:00"},
		"a weekday":                             {week, "UTC", "2026-11-20 21:00", true, "2026-11-20 22:00"},
		"before a Saturday":                     {week, "UTC", "2026-11-20 22:30", false, "2026-11-21 09:00"},
		"a Saturday's noon":                     {week, "UTC", "2026-11-21 13:00", false, "2026-11-21 14:00"},
		"a Sunday is skipped":                   {week, "UTC", "2026-11-21 20:00", false, "2026-11-23 08:00"},
		"a day that no part names":              {"Mo-Sa 08:00-22:00", "UTC", "2026-11-22 12:00", false, "2026-11-23 08:00"},
		"days around the week's end":            {"sat-monday 10:00-11:00", "UTC", "2026-11-20 12:00", false, "2026-11-21 10:00"},
		"a part for every day first":            {"09:00-18:00; Fri off", "UTC", "2026-11-20 12:00", false, "2026-11-21 09:00"},
		"days and nights from Friday on":        {"Fri 08:00-24:00; Sat,Sun 24/7", "UTC", "2026-11-21 12:00", true, "2026-11-23 00:00"},
		"opening at the leap of the clock":      {"02:30-04:00", "Europe/Berlin", "2026-03-29 00:00", false, "2026-03-29 01:00"},
		"closing when the clock is shown twice": {"00:30-02:30", "Europe/Berlin", "2026-10-24 23:00", true, "2026-10-25 00:30"},
		"never open":                            {"closed", "UTC", "2026-11-20 12:00", false, "2026-12-25 00:00"},
	} {
		h, err := ops.ParseHours(c.hours, c.zone)
		if err != nil {
			t.Fatal(err)
		}
		open, since, until := h.At(at(c.now))
		if open != c.open || !until.Equal(at(c.until)) || since.After(at(c.now)) || open == since.IsZero() {
			t.Errorf("%s: open=%v since %s until %s, want %v until %s", name, open, since, until, c.open, c.until)
		}
	}
	for _, always := range []string{"", "00:00-24:00", "24/7", "Mon-Sun 24/7", "Mon-Fri 00:00-24:00; Sat,Sun 24/7"} {
		if h, err := ops.ParseHours(always, "Asia/Shanghai"); h != nil || err != nil {
			t.Errorf("%q: %v, %v", always, h, err)
		}
	}
}

func TestWhatIsNoOpeningHoursIsRefused(t *testing.T) {
	for _, bad := range []string{
		"8-22", "08:00", "25:00-26:00", "08:00-08:00", "08:60-09:00", "24:00-02:00", "x", ";", "Mon", "Mon-", "Funday 08:00-09:00",
		"08:00-09:00 Mon", "Mon 08:00-09:00,", "M 08:00-09:00", "Mon-Fri-Sun 08:00-09:00", "closed closed", "Mon;08:00-09:00", strings.Repeat("closed;", 100) + "closed",
	} {
		if h, err := ops.ParseHours(bad, ""); err == nil {
			t.Errorf("%q was taken for %+v", bad, h)
		}
	}
	for _, zone := range []string{"Mars/Olympus", "Local", "../etc/passwd"} {
		if _, err := ops.ParseHours("08:00-22:00", zone); err == nil {
			t.Errorf("the time zone %q was taken", zone)
		}
	}
}

func FuzzHours(f *testing.F) {
	f.Add("Mon-Fri 08:00-22:00; Sat,Sun 09:00-20:00; PH off", "Europe/Berlin", int64(1_700_000_000))
	f.Fuzz(func(t *testing.T, text, zone string, at int64) {
		h, err := ops.ParseHours(text, zone)
		if err != nil || h == nil {
			return
		}
		now := time.Unix(at%(1<<33), 0)
		open, since, until := h.At(now)
		if !until.After(now) || since.After(now) || open == since.IsZero() {
			t.Errorf("%q in %q at %s: open=%v since %s until %s", text, zone, now, open, since, until)
		}
	})
}

func TestHolidaysStandInPlaceOfTheDay(t *testing.T) {
	c := &ops.Catalog{
		Stores: []ops.Store{
			{ID: "SH-1", City: "Shanghai", Hours: "08:00-22:00", Timezone: "Asia/Shanghai"},
			{ID: "SH-2", City: "Shanghai"},
			{ID: "BJ-1", City: "Beijing"},
		},
		Holidays: []ops.Holiday{
			{Date: "2026-10-01", To: "2026-10-07", Name: "国庆节", Hours: "closed", City: []string{"Shanghai"}},
			{Date: "2026-10-03", Hours: "10:00-16:00", Store: []string{"SH-1", "BJ-9"}},
		},
	}
	if err := c.Index(); err != nil {
		t.Fatal(err)
	}
	zone, _ := time.LoadLocation("Asia/Shanghai")
	for _, step := range []struct {
		store, now string // in Shanghai
		open       bool
	}{
		{"SH-1", "2026-09-30 21:59", true},
		{"SH-1", "2026-10-01 12:00", false},
		{"SH-1", "2026-10-03 09:00", false},
		{"SH-1", "2026-10-03 10:00", true},
		{"SH-1", "2026-10-03 16:00", false},
		{"SH-1", "2026-10-08 08:00", true},
		{"SH-2", "2026-10-01 07:59", true},
		{"SH-2", "2026-10-01 08:00", false},
		{"SH-2", "2026-10-08 08:01", true}, // its days are UTC's
		{"BJ-1", "2026-10-03 12:00", true},
		{"nowhere", "2026-10-01 12:00", true},
	} {
		now, _ := time.ParseInLocation("2006-01-02 15:04", step.now, zone)
		if got := c.Hours(step.store).Open(now); got != step.open {
			t.Errorf("%s at %s: open=%v", step.store, step.now, got)
		}
	}
	if c.Hours("BJ-1") != nil {
		t.Error("a store without hours and holidays is not simply always open")
	}
	_, _, until := c.Hours("SH-2").At(time.Date(2026, 9, 30, 12, 0, 0, 0, time.UTC))
	if want := time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC); !until.Equal(want) {
		t.Errorf("it closes at %s, want %s", until, want)
	}
}

func TestAHolidayThatCannotBeReadIsNamed(t *testing.T) {
	many := make([]ops.Holiday, ops.MaxHolidays+1)
	for place, h := range map[string][]ops.Holiday{
		"catalog.holidays[0].date":  {{Date: "1.10.2026", Hours: "closed"}},
		"catalog.holidays[1].hours": {{Date: "2026-10-01", Hours: "closed"}, {Date: "2026-10-01", Hours: "Mon 08:00-09:00"}},
		"catalog.holidays[0].hours": {{Date: "2026-10-01"}},
		"catalog.holidays[0].to":    {{Date: "2026-10-01", To: "2026-09-01", Hours: "closed"}},
		"catalog.holidays":          many,
	} {
		c := &ops.Catalog{Holidays: h}
		if err := c.Index(); err == nil || !strings.HasPrefix(err.Error(), place+":") {
			t.Errorf("%s: %v", place, err)
		}
	}
	c := &ops.Catalog{Stores: []ops.Store{{ID: "a"}, {ID: "b", Hours: "8-22"}}}
	if err := c.Index(); err == nil || !strings.HasPrefix(err.Error(), "catalog.stores[1].hours:") {
		t.Errorf("bad hours gave %v", err)
	}
}

// walls is what the clock of a zone shows, minute by minute: the naive way to say when a store is open.
type walls struct {
	from  time.Time
	shown []int64 // Unix seconds of the same wall clock in UTC
}

func wallsOf(zone *time.Location, from time.Time, days int) *walls {
	w := &walls{from: from}
	for m := range days * 24 * 60 {
		t := from.Add(time.Duration(m) * time.Minute).In(zone)
		_, offset := t.Zone()
		w.shown = append(w.shown, t.Unix()+int64(offset))
	}
	return w
}

// first is the first minute at which the clock has come to a wall time.
func (w *walls) first(wall time.Time) int {
	for m, shown := range w.shown {
		if shown >= wall.Unix() {
			return m
		}
	}
	return len(w.shown)
}

// open marks the minutes at which a store is open, by the times of each day of the week and of holidays.
func (w *walls) open(days [7][][2]int, holidays map[string][][2]int) []bool {
	out := make([]bool, len(w.shown))
	day := time.Unix(w.shown[0], 0).UTC().Truncate(24 * time.Hour)
	for ; day.Unix() < w.shown[len(w.shown)-1]; day = day.Add(24 * time.Hour) {
		spans, ok := holidays[day.Format(time.DateOnly)]
		if !ok {
			spans = days[day.Weekday()]
		}
		for _, s := range spans {
			from, to := w.first(day.Add(time.Duration(s[0])*time.Minute)), w.first(day.Add(time.Duration(s[1])*time.Minute))
			for m := from; m < to; m++ {
				out[m] = true
			}
		}
	}
	return out
}

func TestHoursAreWhatTheClockOnTheWallSays(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		zone, err := time.LoadLocation(rapid.SampledFrom([]string{
			"Europe/Berlin", "America/New_York", "Asia/Shanghai", "Australia/Lord_Howe", "America/Santiago", "Asia/Kathmandu", "Pacific/Apia", "Africa/Casablanca",
		}).Draw(rt, "zone"))
		if err != nil {
			rt.Fatal(err)
		}
		// Half of the cases lie around a change of the clock, if the zone has one.
		from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(rapid.IntRange(0, 365*24).Draw(rt, "hour")) * time.Hour)
		if _, next := from.In(zone).ZoneBounds(); rapid.Bool().Draw(rt, "change") && !next.IsZero() {
			from = next.UTC().Truncate(time.Hour).Add(-4 * 24 * time.Hour)
		}
		if zone.String() == "Pacific/Apia" {
			from = time.Date(2011, 12, 26, 0, 0, 0, 0, time.UTC) // it had no 30 December
		}
		var parts []string
		var days [7][][2]int
		draw := func() (text string, spans [][2]int) {
			n := rapid.IntRange(0, 2).Draw(rt, "spans")
			for range n {
				a := rapid.IntRange(0, 95).Draw(rt, "from") * 15
				b := rapid.IntRange(0, 96).Draw(rt, "to") * 15
				if a == b {
					b = (b + 60) % (24 * 60)
				}
				text += fmt.Sprintf(",%02d:%02d-%02d:%02d", a/60, a%60, b/60, b%60)
				if b < a {
					b += 24 * 60
				}
				spans = append(spans, [2]int{a, b})
			}
			if n == 0 {
				return "closed", nil
			}
			return text[1:], spans
		}
		for range rapid.IntRange(1, 3).Draw(rt, "parts") {
			first, last := rapid.IntRange(0, 6).Draw(rt, "first"), rapid.IntRange(0, 6).Draw(rt, "last")
			text, spans := draw()
			parts = append(parts, fmt.Sprintf("%.3s-%.2s %s", time.Weekday(first), time.Weekday(last), text))
			for d := first; ; d = (d + 1) % 7 {
				if days[d] = spans; d == last {
					break
				}
			}
		}
		text, spans := draw()
		holiday := from.Add(4 * 24 * time.Hour).Format(time.DateOnly)
		c := &ops.Catalog{
			Stores:   []ops.Store{{ID: "s", Hours: strings.Join(parts, "; "), Timezone: zone.String()}},
			Holidays: []ops.Holiday{{Date: holiday, Hours: text}},
		}
		if err := c.Index(); err != nil {
			rt.Fatal(err, parts)
		}
		w := wallsOf(zone, from, 9)
		want := w.open(days, map[string][][2]int{holiday: spans})
		const day = 24 * 60
		for m := 3 * day; m < 6*day; m += rapid.IntRange(1, 200).Draw(rt, "step") {
			now := from.Add(time.Duration(m) * time.Minute)
			open, since, until := c.Hours("s").At(now)
			if open != want[m] {
				rt.Fatalf("%q in %s with %s %q at %s (%s): open=%v", c.Stores[0].Hours, zone, holiday, text, now, now.In(zone), open)
			}
			for k := m; k < 8*day; k++ { // the change is where the minutes change
				if at := from.Add(time.Duration(k) * time.Minute); want[k] != open && !until.Equal(at) || want[k] == open && until.Equal(at) {
					rt.Fatalf("%q in %s with %s %q at %s: until %s, want %s", c.Stores[0].Hours, zone, holiday, text, now, until, at)
				}
				if want[k] != open {
					break
				}
			}
			if k := m; open {
				for ; k > m-day && want[k-1]; k-- {
				}
				if at := from.Add(time.Duration(k) * time.Minute); k > m-day && !since.Equal(at) {
					rt.Fatalf("%q in %s at %s: since %s, want %s", c.Stores[0].Hours, zone, now, since, at)
				}
			}
		}
	})
}
