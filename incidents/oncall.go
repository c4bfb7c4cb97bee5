package incidents

import (
	"fmt"
	"slices"
	"time"

	"goc/ops"
)

// OnCallConfig is the section `oncall`: who is on call, in rotations.
type OnCallConfig struct {
	Schedules []ops.OnCallSchedule `yaml:"schedules"`
}

// Bounds of the rotations.
const (
	maxSchedules = 100
	maxPeople    = 200
)

// startLayout is how a rotation's start is written, in its own time zone.
const startLayout = "2006-01-02T15:04"

// rotation is a schedule ready for arithmetic.
type rotation struct {
	ops.OnCallSchedule
	start time.Time // in its own zone
	days  int       // whole days of a shift, when it is made of whole days; else 0
	shift time.Duration
}

// Validate says what is wrong, naming the schedule.
func (c OnCallConfig) Validate() error {
	_, err := c.compile()
	return err
}

func (c OnCallConfig) compile() ([]rotation, error) {
	if len(c.Schedules) > maxSchedules {
		return nil, ops.Errorf(ops.Invalid, "at most %d schedules", maxSchedules).At("oncall.schedules")
	}
	var out []rotation
	for i, s := range c.Schedules {
		r, err := compileRotation(s, fmt.Sprintf("oncall.schedules[%d]", i))
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(out, func(o rotation) bool { return o.Name == r.Name }) {
			return nil, ops.Errorf(ops.Invalid, "a schedule of this name stands twice").At(fmt.Sprintf("oncall.schedules[%d].name", i))
		}
		out = append(out, r)
	}
	return out, nil
}

func compileRotation(s ops.OnCallSchedule, at string) (rotation, error) {
	if s.Name == "" {
		return rotation{}, ops.Errorf(ops.Invalid, "a schedule needs a name").At(at + ".name")
	}
	if len(s.People) == 0 || len(s.People) > maxPeople {
		return rotation{}, ops.Errorf(ops.Invalid, "a schedule needs 1 to %d people", maxPeople).At(at + ".people")
	}
	zone, err := time.LoadLocation(s.Timezone)
	if err != nil {
		return rotation{}, ops.Errorf(ops.Invalid, "there is no such time zone").At(at + ".timezone").WithHint("an IANA name such as Asia/Shanghai")
	}
	start, err := time.ParseInLocation(startLayout, s.Start, zone)
	if err != nil {
		return rotation{}, ops.Errorf(ops.Invalid, "a start must read like 2026-01-05T09:00").At(at + ".start")
	}
	shift := time.Duration(s.Shift)
	if shift < time.Minute {
		return rotation{}, ops.Errorf(ops.Invalid, "a shift must be at least a minute").At(at + ".shift")
	}
	r := rotation{OnCallSchedule: s, start: start, shift: shift}
	if shift%(24*time.Hour) == 0 {
		r.days = int(shift / (24 * time.Hour))
	}
	return r, nil
}

// begin is when shift n begins. Shifts of whole days begin at the same hour of the clock on either side of a change to
// or from summer time; shorter ones have their length and drift.
func (r rotation) begin(n int) time.Time {
	if r.days > 0 {
		return r.start.AddDate(0, 0, n*r.days)
	}
	return r.start.Add(time.Duration(n) * r.shift)
}

// at says who is on call at now; before the start it is the first person, from the start on.
func (r rotation) at(now time.Time) ops.OnCall {
	n := int(now.Sub(r.start) / r.shift)
	for n > 0 && r.begin(n).After(now) {
		n--
	}
	for !r.begin(n + 1).After(now) {
		n++
	}
	n = max(n, 0)
	person := func(i int) string { return r.People[i%len(r.People)] }
	return ops.OnCall{Schedule: r.Name, Person: person(n), Until: ops.At(r.begin(n + 1).UTC()), Next: person(n + 1)}
}

// OnCall says for each schedule who is on call at now.
func (s *Service) OnCall(now time.Time) []ops.OnCall {
	out := make([]ops.OnCall, 0, len(s.oncall))
	for _, r := range s.oncall {
		out = append(out, r.at(now))
	}
	return out
}

// OnCallSchedules lists the rotations.
func (s *Service) OnCallSchedules() []ops.OnCallSchedule {
	out := make([]ops.OnCallSchedule, 0, len(s.oncall))
	for _, r := range s.oncall {
		out = append(out, r.OnCallSchedule)
	}
	return out
}
