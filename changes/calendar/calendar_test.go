package calendar_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"goc/changes/calendar"
	"goc/ops"
)

var now = time.Date(2026, 11, 16, 8, 0, 0, 0, time.UTC)

// file is a calendar of events, each of lines joined by |.
func file(events ...string) string {
	var b strings.Builder
	b.WriteString("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\n")
	for i, e := range events {
		if !strings.Contains(e, "UID:") {
			e = fmt.Sprintf("UID:event-%d|%s", i, e)
		}
		b.WriteString("BEGIN:VEVENT\r\n" + strings.ReplaceAll(e, "|", "\r\n") + "\r\nEND:VEVENT\r\n")
	}
	return b.String() + "END:VCALENDAR\r\n"
}

func TestTheSpansOfEvents(t *testing.T) {
	tests := []struct {
		name, event string
		want        []string // from/to, each to the minute
	}{
		{"in UTC", "DTSTART:20261201T100000Z|DTEND:20261201T120000Z", []string{"12-01 10:00 to 12-01 12:00"}},
		{"in a zone", "DTSTART;TZID=Europe/Berlin:20261201T100000|DTEND;TZID=Europe/Berlin:20261201T120000", []string{"12-01 09:00 to 12-01 11:00"}},
		{"in a zone as Outlook names it", `DTSTART;TZID="China Standard Time":20261201T100000|DURATION:PT2H`, []string{"12-01 02:00 to 12-01 04:00"}},
		{"without a zone", "DTSTART:20261201T100000|DURATION:P1DT2H30M", []string{"12-01 02:00 to 12-02 04:30"}},
		{"a day", "DTSTART;VALUE=DATE:20261225", []string{"12-24 16:00 to 12-25 16:00"}},
		{"three days", "DTSTART;VALUE=DATE:20261225|DTEND;VALUE=DATE:20261228", []string{"12-24 16:00 to 12-27 16:00"}},
		{"over", "DTSTART:20251201T100000Z|DTEND:20251201T120000Z", nil},
		{"under way", "DTSTART:20261116T070000Z|DTEND:20261116T090000Z", []string{"11-16 07:00 to 11-16 09:00"}},
		{"each week, three times", "DTSTART:20261201T100000Z|DURATION:PT1H|RRULE:FREQ=WEEKLY;COUNT=3", []string{"12-01 10:00 to 12-01 11:00", "12-08 10:00 to 12-08 11:00", "12-15 10:00 to 12-15 11:00"}},
		{"each week but one", "DTSTART:20261201T100000Z|DURATION:PT1H|RRULE:FREQ=WEEKLY;COUNT=3|EXDATE:20261208T100000Z", []string{"12-01 10:00 to 12-01 11:00", "12-15 10:00 to 12-15 11:00"}},
		{"each year since long", "DTSTART;VALUE=DATE:20101225|RRULE:FREQ=YEARLY", []string{"12-24 16:00 to 12-25 16:00"}},
	}
	shanghai, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := calendar.Read(file(tt.event+"|SUMMARY:Sale\\, big"), shanghai, now)
			if err != nil || len(c.Rejected) > 0 {
				t.Fatal(c.Rejected, err)
			}
			var got []string
			for _, s := range c.Spans {
				got = append(got, s.From.Format("01-02 15:04")+" to "+s.To.Format("01-02 15:04"))
				if s.Name != "Sale, big" {
					t.Errorf("its name is %q", s.Name)
				}
			}
			if fmt.Sprint(got) != fmt.Sprint(tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestAnOccurrenceThatMovedStandsInPlaceOfItself(t *testing.T) {
	c, err := calendar.Read(file(
		"UID:a|DTSTART:20261201T100000Z|DURATION:PT1H|RRULE:FREQ=WEEKLY;COUNT=2",
		"UID:a|RECURRENCE-ID:20261208T100000Z|DTSTART:20261209T100000Z|DURATION:PT1H",
		"UID:b|STATUS:CANCELLED|DTSTART:20261201T100000Z|DURATION:PT1H",
	), time.UTC, now)
	if err != nil || len(c.Spans) != 2 || c.Spans[1].From.Day() != 9 || c.Spans[1].Key != "a/20261208T100000Z" || fmt.Sprint(c.Cancelled) != "[b]" {
		t.Errorf("%+v %v", c, err)
	}
}

func TestWhatCannotBeUnderstoodIsListedAndTheRestTaken(t *testing.T) {
	bad := map[string]string{
		"no start":                   "DTEND:20261201T120000Z",
		"no end":                     "DTSTART:20261201T100000Z",
		"the end first":              "DTSTART:20261201T100000Z|DTEND:20261130T100000Z",
		"a zone of nowhere":          "DTSTART;TZID=Mars/Olympus:20261201T100000|DURATION:PT1H",
		"a time of nowhere":          "DTSTART:20261301T990000Z|DURATION:PT1H",
		"a duration of nothing":      "DTSTART:20261201T100000Z|DURATION:P",
		"a recurrence of no kind":    "DTSTART:20261201T100000Z|DURATION:PT1H|RRULE:FREQ=SOMETIMES",
		"each second":                "DTSTART:20261201T100000Z|DURATION:PT1H|RRULE:FREQ=SECONDLY",
		"two seconds of a minute":    "DTSTART:20261201T100000Z|DURATION:PT1H|RRULE:FREQ=WEEKLY;BYSECOND=0,30",
		"two minutes of an hour":     "DTSTART:20261201T100000Z|DURATION:PT1M|RRULE:FREQ=WEEKLY;BYMINUTE=0,30",
		"two hours of a day":         "DTSTART:20261201T100000Z|DURATION:PT1H|RRULE:FREQ=WEEKLY;BYHOUR=8,20",
		"each day":                   "DTSTART:20261201T100000Z|DURATION:PT1H|RRULE:FREQ=DAILY",
		"a day that never comes":     "DTSTART:20261201T100000Z|DURATION:PT1H|RRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
		"a UID as long as a message": "UID:" + strings.Repeat("x", 300) + "|DTSTART:20261201T100000Z|DURATION:PT1H",
	}
	for name, event := range bad {
		t.Run(name, func(t *testing.T) {
			c, err := calendar.Read(file(event, "UID:good|DTSTART:20261201T100000Z|DURATION:PT1H"), time.UTC, now)
			if err != nil || len(c.Rejected) != 1 || c.Rejected[0].Index != 0 || c.Rejected[0].Reason == "" {
				t.Errorf("%+v %v", c.Rejected, err)
			}
			if len(c.Spans) != 1 || c.Spans[0].Event != "good" {
				t.Errorf("the good one is lost, or the bad one half taken: %+v", c.Spans)
			}
		})
	}
	for _, text := range []string{"", "hello", "BEGIN:VCALENDAR", strings.Repeat("x", calendar.MaxBytes+1)} {
		_, err := calendar.Read(text, time.UTC, now)
		var e *ops.Error
		if !errors.As(err, &e) {
			t.Errorf("%.20q was taken: %v", text, err)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(file("DTSTART:20261201T100000Z|DURATION:PT1H|RRULE:FREQ=WEEKLY;COUNT=3"))
	f.Add(file("DTSTART;VALUE=DATE:20261225|RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"))
	f.Fuzz(func(t *testing.T, text string) {
		c, err := calendar.Read(text, time.UTC, now)
		if err != nil {
			return
		}
		for _, s := range c.Spans {
			if !s.To.After(s.From) || !s.To.After(now) || s.Event == "" {
				t.Errorf("%+v", s)
			}
		}
	})
}
