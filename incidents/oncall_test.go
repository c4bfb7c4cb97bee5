package incidents_test

import (
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"goc/incidents"
	"goc/ops"
)

func TestShiftsOfWholeDaysBeginAtTheSameHourAcrossSummerTime(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	r := newRoom(t)
	r.options.OnCall = incidents.OnCallConfig{Schedules: []ops.OnCallSchedule{
		{Name: "day", Timezone: "Europe/Berlin", Start: "2026-03-27T09:00", Shift: ops.Duration(24 * time.Hour), People: []string{"a", "b", "c"}},
		{Name: "half", Timezone: "Europe/Berlin", Start: "2026-03-27T09:00", Shift: ops.Duration(12 * time.Hour), People: []string{"x", "y"}},
	}}
	r.restart()
	for _, c := range []struct {
		at, day, until, half string
	}{
		{"2026-03-01T00:00", "a", "2026-03-28T09:00", "x"}, // before the start: the first
		{"2026-03-27T09:00", "a", "2026-03-28T09:00", "x"},
		{"2026-03-28T08:59", "a", "2026-03-28T09:00", "y"},
		{"2026-03-28T09:00", "b", "2026-03-29T09:00", "x"},
		{"2026-03-29T08:59", "b", "2026-03-29T09:00", "y"}, // the clocks went forward at 02:00: this shift had 23 hours
		{"2026-03-29T09:00", "c", "2026-03-30T09:00", "y"}, // twelve hours are twelve hours, so that the half shifts drift
		{"2026-03-29T10:00", "c", "2026-03-30T09:00", "x"},
		{"2026-10-25T08:59", "b", "2026-10-25T09:00", "y"}, // and back
		{"2026-10-25T09:00", "c", "2026-10-26T09:00", "x"},
	} {
		at, _ := time.ParseInLocation("2006-01-02T15:04", c.at, berlin)
		got := r.OnCall(at)
		if until := got[0].Until.In(berlin).Format("2006-01-02T15:04"); got[0].Person != c.day || until != c.until || got[1].Person != c.half {
			t.Errorf("%s: %s until %s and %s, want %s until %s and %s", c.at, got[0].Person, until, got[1].Person, c.day, c.until, c.half)
		}
	}
}

func TestABadScheduleIsRefusedByName(t *testing.T) {
	good := ops.OnCallSchedule{Name: "n", Start: "2026-01-05T09:00", Shift: ops.Duration(time.Hour), People: []string{"a"}}
	for want, spoil := range map[string]func(*ops.OnCallSchedule){
		"[0].name": func(s *ops.OnCallSchedule) { s.Name = "" }, "[0].timezone": func(s *ops.OnCallSchedule) { s.Timezone = "Mars/Base" },
		"[0].start": func(s *ops.OnCallSchedule) { s.Start = "9 am" }, "[0].shift": func(s *ops.OnCallSchedule) { s.Shift = 1 },
		"[0].people": func(s *ops.OnCallSchedule) { s.People = nil },
	} {
		s := good
		spoil(&s)
		if err := (incidents.OnCallConfig{Schedules: []ops.OnCallSchedule{s}}).Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not name %s", err, want)
		}
	}
	if err := (incidents.OnCallConfig{Schedules: []ops.OnCallSchedule{good, good}}).Validate(); err == nil {
		t.Error("two schedules of one name are taken")
	}
}
