package drills_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"goc/drills"
	"goc/ops"
)

func TestConfigErrorsNameTheirPlace(t *testing.T) {
	for name, c := range map[string]struct {
		edit func(*ops.Drill)
		want string
	}{
		"a good drill":                 {func(*ops.Drill) {}, ""},
		"no blast radius":              {func(d *ops.Drill) { d.Scope = ops.Scope{} }, "drills.drills[0].scope"},
		"no injection":                 {func(d *ops.Drill) { d.Inject = ops.Step{} }, "drills.drills[0].inject"},
		"no way back":                  {func(d *ops.Drill) { d.Revert = ops.Step{} }, "drills.drills[0].revert"},
		"a command not allowed":        {func(d *ops.Drill) { d.Inject = ops.Step{Command: &ops.CommandStep{Argv: []string{"rm"}}} }, "drills.allowed_commands"},
		"an unknown parameter":         {func(d *ops.Drill) { d.Inject.HTTP.Body = "${suspect}" }, "drills.drills[0].inject.http.body: ${suspect} is no parameter"},
		"too long":                     {func(d *ops.Drill) { d.MaxDuration = ops.Duration(3 * time.Hour) }, "drills.drills[0].max_duration"},
		"an abort check with no bound": {func(d *ops.Drill) { d.Abort = []ops.Check{{Name: "x", Query: "y"}} }, "drills.drills[0].abort[0]"},
		"a zone in the schedule":       {func(d *ops.Drill) { d.Schedule = "TZ=0 1 * * *" }, "drills.drills[0].schedule: must not hold a zone"},
		"a zone that is nowhere":       {func(d *ops.Drill) { d.Schedule, d.Timezone = "0 1 * * *", "Mars/Olympus" }, "drills.drills[0].timezone"},
		"the 31st of February":         {func(d *ops.Drill) { d.Schedule = "0 0 31 2 *" }, "drills.drills[0].schedule: names a time that never comes"},
		"six fields":                   {func(d *ops.Drill) { d.Schedule = "0 0 1 * * *" }, "drills.drills[0].schedule: must be a cron"},
		"a weekly drill in Shanghai":   {func(d *ops.Drill) { d.Schedule, d.Timezone = "0 10 * * 2", "Asia/Shanghai" }, ""},
		"an unknown severity":          {func(d *ops.Drill) { d.Expect.Severity = "P9" }, "drills.drills[0].expect.severity"},
	} {
		d := breakCart()
		c.edit(&d)
		err := drills.Config{Drills: []ops.Drill{d}}.Validate()
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if err := (drills.Config{Drills: []ops.Drill{breakCart(), breakCart()}}).Validate(); err == nil {
		t.Error("two drills of one name were taken")
	}
}

func FuzzSchedule(f *testing.F) {
	f.Add("0 10 * * 2", "Asia/Shanghai")
	f.Add("TZ=", "")
	f.Add("CRON_TZ= 1 * * * *", "")
	f.Fuzz(func(t *testing.T, spec, zone string) {
		d := breakCart()
		d.Schedule, d.Timezone = spec, zone
		_ = drills.Config{Drills: []ops.Drill{d}}.Validate() // must not panic
	})
}

// at puts virtual time on a day in a zone.
func at(t *testing.T, zone, when string) {
	t.Helper()
	loc, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	to, err := time.ParseInLocation("2006-01-02T15:04", when, loc)
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Until(to))
}

func TestAScheduledDrillStartsAtItsLocalTime(t *testing.T) {
	for name, c := range map[string]struct {
		spec, zone, from string
		stay             time.Duration
		want             []string // local times at which runs were made
	}{
		"weekly in Shanghai":                {"0 10 * * 2", "Asia/Shanghai", "2000-11-20T00:00", 14 * 24 * time.Hour, []string{"2000-11-21T10:00", "2000-11-28T10:00"}},
		"the hour that autumn repeats":      {"30 1 * * *", "America/New_York", "2000-10-28T12:00", 48 * time.Hour, []string{"2000-10-29T01:30", "2000-10-30T01:30"}},
		"the hour that spring leaves out":   {"30 2 * * *", "America/New_York", "2000-04-01T12:00", 48 * time.Hour, []string{"2000-04-03T02:30"}},
		"nothing without a schedule at all": {"", "", "2000-04-01T12:00", 48 * time.Hour, nil},
	} {
		t.Run(name, func(t *testing.T) {
			d := breakCart()
			d.Schedule, d.Timezone, d.MaxDuration = c.spec, c.zone, ops.Duration(time.Minute)
			synctest.Test(t, func(t *testing.T) {
				at(t, c.zone, c.from)
				s := open(t, &journal{}, &chain{}, d)
				got := scheduled(t, s, c.stay, c.zone)
				if !slices.Equal(got, c.want) {
					t.Errorf("runs at %q, want %q", got, c.want)
				}
			})
		})
	}
}

// scheduled drives s for a while and lists the local times of its runs, oldest first.
func scheduled(t *testing.T, s *drills.Service, stay time.Duration, zone string) (out []string) {
	t.Helper()
	loc, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(stay); time.Now().Before(end); time.Sleep(10 * time.Second) {
		if err := drills.Step(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	runs, _ := s.Runs(t.Context())
	for _, r := range slices.Backward(runs) {
		if r.StartedBy != "schedule" {
			t.Errorf("started by %q", r.StartedBy)
		}
		out = append(out, r.CreatedAt.In(loc).Format("2006-01-02T15:04"))
	}
	return out
}

func TestAScheduledDrillThatMayNotStartLeavesARunThatSaysSo(t *testing.T) {
	d := breakCart()
	d.Schedule = "0 10 * * *"
	synctest.Test(t, func(t *testing.T) {
		at(t, "UTC", "2000-11-20T09:59")
		c := &chain{incidents: []ops.Incident{incident(0)}}
		s := open(t, &journal{}, c, d)
		scheduled(t, s, 5*time.Minute, "UTC")
		r := state(t, s, "DRL-1", ops.DrillAborted)
		if r.Message != "not begun: P2 INC-1 is open: no drill while there is real trouble" || len(c.did()) != 0 || !r.InjectedAt.IsZero() {
			t.Errorf("%q, done %q", r.Message, c.did())
		}
		if got := s.ActiveDrill(ops.Scope{Service: []string{"cart"}}, time.Now()); got != "" {
			t.Errorf("it counts as active: %s", got)
		}
	})
}
