package window_test

import (
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"goc/changes/window"
	"goc/ops"
)

func parse(t testing.TB, cron, duration, zone string) *window.Schedule {
	t.Helper()
	d, err := time.ParseDuration(duration)
	if err != nil {
		t.Fatal(err)
	}
	s, err := window.Parse(ops.FreezeSchedule{Cron: cron, Duration: ops.Duration(d), Timezone: zone}, "body.schedule")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestBadSchedulesAreRefusedWithTheirPlace(t *testing.T) {
	hour := ops.Duration(time.Hour)
	tests := []struct {
		name  string
		in    ops.FreezeSchedule
		place string
	}{
		{"no duration", ops.FreezeSchedule{Cron: "0 11 * * *"}, "s.duration"},
		{"a duration of two months", ops.FreezeSchedule{Cron: "0 11 * * *", Duration: ops.Duration(60 * 24 * time.Hour)}, "s.duration"},
		{"a zone that does not exist", ops.FreezeSchedule{Cron: "0 11 * * *", Duration: hour, Timezone: "Asia/Peking"}, "s.timezone"},
		{"a zone that climbs out of the database", ops.FreezeSchedule{Cron: "0 11 * * *", Duration: hour, Timezone: "../../etc/passwd"}, "s.timezone"},
		{"the machine's own zone", ops.FreezeSchedule{Cron: "0 11 * * *", Duration: hour, Timezone: "Local"}, "s.timezone"},
		{"no cron", ops.FreezeSchedule{Duration: hour}, "s.cron"},
		{"a prefix on which the library panics", ops.FreezeSchedule{Cron: "TZ=", Duration: hour}, "s.cron"},
		{"another such prefix", ops.FreezeSchedule{Cron: "TZ=0", Duration: hour}, "s.cron"},
		{"a zone in the expression", ops.FreezeSchedule{Cron: "CRON_TZ=UTC 0 11 * * *", Duration: hour}, "s.cron"},
		{"an interval without a clock", ops.FreezeSchedule{Cron: "@every 1h", Duration: hour}, "s.cron"},
		{"six fields", ops.FreezeSchedule{Cron: "0 0 11 * * *", Duration: hour}, "s.cron"},
		{"an hour that does not exist", ops.FreezeSchedule{Cron: "0 24 * * *", Duration: hour}, "s.cron"},
		{"31 February", ops.FreezeSchedule{Cron: "0 11 31 2 *", Duration: hour}, "s.cron"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := window.Parse(tt.in, "s")
			e, ok := err.(*ops.Error)
			if !ok || e.Kind != ops.Invalid || e.Location != tt.place {
				t.Errorf("got %v, want it refused at %s", err, tt.place)
			}
		})
	}
}

func TestWindowsFollowTheWallClock(t *testing.T) {
	tests := []struct {
		name, cron, duration, zone, ask, from, to string
	}{
		{"before it today", "0 11 * * *", "2h", "Asia/Shanghai", "2026-11-11T02:00:00Z", "2026-11-11T03:00:00Z", "2026-11-11T05:00:00Z"},
		{"inside it", "0 11 * * *", "2h", "Asia/Shanghai", "2026-11-11T04:00:00Z", "2026-11-11T03:00:00Z", "2026-11-11T05:00:00Z"},
		{"at its end it is over", "0 11 * * *", "2h", "Asia/Shanghai", "2026-11-11T05:00:00Z", "2026-11-12T03:00:00Z", "2026-11-12T05:00:00Z"},
		{
			"the night in which clocks go forward is an hour shorter", "0 22 * * *", "8h", "Europe/Berlin",
			"2026-03-28T22:00:00Z", "2026-03-28T21:00:00Z", "2026-03-29T04:00:00Z",
		},
		{
			"the night in which clocks go back is an hour longer", "0 22 * * *", "8h", "Europe/Berlin",
			"2026-10-24T22:00:00Z", "2026-10-24T20:00:00Z", "2026-10-25T05:00:00Z",
		},
		{
			"a beginning that the clock jumps over is the jump", "30 2 * * *", "1h", "Europe/Berlin",
			"2026-03-29T00:00:00Z", "2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z",
		},
		{
			"a beginning that comes twice counts the first time", "30 2 * * *", "1h", "Europe/Berlin",
			"2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z", "2026-10-25T02:30:00Z",
		},
		{
			"an end that comes twice counts the second time", "0 2 * * *", "30m", "Europe/Berlin",
			"2026-10-24T12:00:00Z", "2026-10-25T00:00:00Z", "2026-10-25T01:30:00Z",
		},
		{"windows that touch are one", "0 0,12 * * *", "12h", "UTC", "2026-01-01T06:00:00Z", "2026-01-01T00:00:00Z", "2026-01-09T12:00:00Z"},
		{"a leap day", "0 0 29 2 *", "24h", "UTC", "2026-01-01T00:00:00Z", "2028-02-29T00:00:00Z", "2028-03-01T00:00:00Z"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			at, _ := time.Parse(time.RFC3339, tt.ask)
			span, ok := parse(t, tt.cron, tt.duration, tt.zone).Next(at)
			from, to := span.From.UTC().Format(time.RFC3339), span.To.UTC().Format(time.RFC3339)
			if tt.name == "windows that touch are one" { // the beginning is that of the first window that is not over
				if !ok || !span.Contains(at) || span.To.Sub(at) < 7*24*time.Hour {
					t.Errorf("got %s to %s", from, to)
				}
				return
			}
			if !ok || from != tt.from || to != tt.to {
				t.Errorf("got %s to %s, want %s to %s", from, to, tt.from, tt.to)
			}
		})
	}
}

var zones = []string{"UTC", "Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/St_Johns", "Africa/Casablanca", "Pacific/Apia"}

// aSchedule draws a daily or weekly window with its wall clock beginning and length in minutes.
func aSchedule(t *rapid.T) (in ops.FreezeSchedule, hour, minute, length, weekday int) {
	hour, minute = rapid.IntRange(0, 23).Draw(t, "hour"), rapid.IntRange(0, 59).Draw(t, "minute")
	length, weekday = rapid.IntRange(1, 36*60).Draw(t, "length"), rapid.IntRange(-1, 6).Draw(t, "weekday")
	spec := strconv.Itoa(minute) + " " + strconv.Itoa(hour) + " * * *"
	if weekday >= 0 {
		spec = strconv.Itoa(minute) + " " + strconv.Itoa(hour) + " * * " + strconv.Itoa(weekday)
	}
	in = ops.FreezeSchedule{Cron: spec, Duration: ops.Duration(time.Duration(length) * time.Minute), Timezone: rapid.SampledFrom(zones).Draw(t, "zone")}
	return in, hour, minute, length, weekday
}

// aTime draws a time near a change of clocks as often as not.
func aTime(t *rapid.T) time.Time {
	near := []string{
		"2026-03-08T07:00:00Z", "2026-11-01T06:00:00Z", "2026-03-29T01:00:00Z", "2026-10-25T01:00:00Z", "2026-04-04T15:00:00Z",
		"2026-10-03T15:30:00Z", "2026-02-15T02:00:00Z", "2026-03-22T02:00:00Z", "2011-12-30T10:00:00Z", "2026-06-15T00:00:00Z",
	}
	base, _ := time.Parse(time.RFC3339, rapid.SampledFrom(near).Draw(t, "near"))
	return base.Add(time.Duration(rapid.IntRange(-3*24*60, 3*24*60).Draw(t, "minutes")) * time.Minute)
}

// reads says whether the wall clock at t reads a time inside a window, by arithmetic of its own.
func reads(t time.Time, zone *time.Location, hour, minute, length, weekday int) bool {
	l := t.In(zone)
	wall := time.Date(l.Year(), l.Month(), l.Day(), l.Hour(), l.Minute(), l.Second(), 0, time.UTC)
	for back := 0; back <= 2; back++ {
		d := wall.AddDate(0, 0, -back)
		begin := time.Date(d.Year(), d.Month(), d.Day(), hour, minute, 0, 0, time.UTC)
		if weekday >= 0 && int(begin.Weekday()) != weekday {
			continue
		}
		if !wall.Before(begin) && wall.Before(begin.Add(time.Duration(length)*time.Minute)) {
			return true
		}
	}
	return false
}

func TestAWindowIsClosedWheneverTheWallClockReadsATimeInIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in, hour, minute, length, weekday := aSchedule(t)
		s, err := window.Parse(in, "s")
		if err != nil {
			t.Fatal(err)
		}
		at := aTime(t)
		zone, _ := time.LoadLocation(in.Timezone)
		span, ok := s.Next(at)
		closed := ok && span.Contains(at)
		if reads(at, zone, hour, minute, length, weekday) && !closed {
			t.Fatalf("%+v is open at %s (%s), next %+v", in, at, at.In(zone), span)
		}
		_, before := at.Add(-26 * time.Hour).In(zone).Zone()
		_, after := at.Add(26 * time.Hour).In(zone).Zone()
		if before == after && closed && !reads(at, zone, hour, minute, length, weekday) {
			t.Fatalf("%+v is closed at %s (%s), though no clock changes: %+v", in, at, at.In(zone), span)
		}
	})
}

func TestTheCalendarAgreesWithTheNextSpan(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in, _, _, _, _ := aSchedule(t)
		s, err := window.Parse(in, "s")
		if err != nil {
			t.Fatal(err)
		}
		from := aTime(t)
		at := from.Add(time.Duration(rapid.IntRange(0, 6*24*60).Draw(t, "later")) * time.Minute)
		listed := false
		spans := s.Between(from, from.Add(7*24*time.Hour), 1000)
		for i, span := range spans {
			listed = listed || span.Contains(at)
			if !span.To.After(span.From) {
				t.Fatalf("span %+v is empty or runs backwards", span)
			}
			if i > 0 && !span.From.After(spans[i-1].To) {
				t.Fatalf("%+v touches %+v", span, spans[i-1])
			}
		}
		next, ok := s.Next(at)
		if closed := ok && next.Contains(at); closed != listed {
			t.Fatalf("%+v at %s: closed %v, in the calendar %v", in, at, closed, listed)
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, spec := range []string{"0 11 * * *", "TZ=", "TZ=0", "CRON_TZ=UTC * * * * *", "@daily", "@every 1s", "*/0 * * * *", "1-0 * * * *", "0 0 31 2 *", "* * * * *"} {
		f.Add(spec, "Asia/Shanghai", int64(time.Hour))
	}
	f.Fuzz(func(t *testing.T, cron, zone string, d int64) {
		s, err := window.Parse(ops.FreezeSchedule{Cron: cron, Duration: ops.Duration(d), Timezone: zone}, "s")
		if err != nil {
			return
		}
		at := time.Date(2026, 3, 29, 1, 0, 0, 0, time.UTC)
		if span, ok := s.Next(at); ok && !span.To.After(at) {
			t.Errorf("the next span %+v is over", span)
		}
	})
}
