package fleet

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"goc/ops"
)

// beatAt sends a beat of SH-001/pos-01 with a firmware and a time.
func (f *fixture) beatAt(firmware string, at time.Time) {
	f.t.Helper()
	h := pos("SH-001", 1)
	h.Firmware, h.At = firmware, ops.At(at)
	f.beat(h)
}

func (f *fixture) firmware(want string) {
	f.t.Helper()
	if d, _ := f.Device(f.t.Context(), "SH-001", "pos-01"); d.Firmware != want {
		f.t.Fatalf("its firmware is %s, want %s", d.Firmware, want)
	}
}

func TestAClockThatRunsWrongIsNoticedAndCorrectedFor(t *testing.T) {
	for name, off := range map[string]time.Duration{"8 hours behind": -8 * time.Hour, "8 hours ahead": 8 * time.Hour, "90 seconds behind": -90 * time.Second} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, Config{})
			regular := func(n int, off time.Duration) {
				for i := range n {
					f.beatAt(fmt.Sprint("v", i), f.c.t.Add(off).Add(-time.Duration(i%3)*time.Second)) // some take longer
					f.pass(9 * time.Second)
				}
			}
			regular(5, 0)
			if d, _ := f.Device(t.Context(), "SH-001", "pos-01"); d.ClockOffS != 0 {
				t.Fatalf("a clock that is right is off by %v", d.ClockOffS)
			}
			regular(8, off)
			f.firmware("v7")
			wrong := f.j.named("fleet.clock_wrong")
			if len(wrong) != 1 || wrong[0].Subject != "SH-001/pos-01" {
				t.Fatalf("noticed as %+v", wrong)
			}
			if d, _ := f.Device(t.Context(), "SH-001", "pos-01"); d.ClockOffS != off.Seconds() {
				t.Errorf("its clock is off by %v, want %v", d.ClockOffS, off.Seconds())
			}
			f.restart(Config{})
			if d, _ := f.Device(t.Context(), "SH-001", "pos-01"); d.ClockOffS != off.Seconds() {
				t.Errorf("after a restart its clock is off by %v, want %v", d.ClockOffS, off.Seconds())
			}

			// The order within a backlog is that of its own time, whatever the order in which it comes.
			f.beatAt("new", f.c.t.Add(off))
			f.beatAt("old", f.c.t.Add(off-time.Hour))
			f.beatAt("older", f.c.t.Add(off-2*time.Hour))
			f.firmware("new")

			f.pass(9 * time.Second)
			regular(8, 0)
			f.firmware("v7")
			if d, _ := f.Device(t.Context(), "SH-001", "pos-01"); d.ClockOffS != 0 {
				t.Errorf("once it is right it is off by %v", d.ClockOffS)
			}
			if right := f.j.named("fleet.clock_right"); len(right) != 1 || len(f.j.named("fleet.clock_wrong")) != 1 {
				t.Errorf("told as right %d times", len(right))
			}
			for i := range f.shards {
				if n := len(f.shards[i].clocks); n != 0 {
					t.Errorf("%d clocks are still looked at", n)
				}
			}
		})
	}
}

func TestABacklogIsNoWrongClock(t *testing.T) {
	for seed := range uint64(20) {
		f := newFixture(t, Config{})
		r := rand.New(rand.NewPCG(1, seed))
		f.beatAt("v0", f.c.t)
		gone := f.c.t
		f.pass(2 * time.Hour)
		var beats []ops.Heartbeat
		for at := gone.Add(9 * time.Second); at.Before(f.c.t); at = at.Add(9 * time.Second) {
			h := pos("SH-001", 1)
			h.Firmware, h.At = fmt.Sprint("v", len(beats)+1), ops.At(at)
			beats = append(beats, h)
		}
		newest := beats[len(beats)-1].Firmware
		if seed > 0 {
			r.Shuffle(len(beats), func(i, j int) { beats[i], beats[j] = beats[j], beats[i] })
		}
		for len(beats) > 0 { // it drains in pieces, slower and slower
			n := min(len(beats), 1+r.IntN(200))
			f.beat(beats[:n]...)
			beats = beats[n:]
			f.pass(time.Duration(r.IntN(4000)) * time.Millisecond)
		}
		f.firmware(newest)
		for i := range 5 {
			f.pass(9 * time.Second)
			f.beatAt(fmt.Sprint("w", i), f.c.t)
		}
		f.firmware("w4")
		if n := len(f.j.named("fleet.clock_wrong")); n != 0 {
			t.Fatalf("seed %d: a backlog was taken for a wrong clock", seed)
		}
		if d, _ := f.Device(t.Context(), "SH-001", "pos-01"); d.State != ops.Online || d.ClockOffS != 0 {
			t.Fatalf("seed %d: %+v", seed, d)
		}
	}
}

// However many devices have wrong clocks, what is kept of them is bounded, and the others still come through.
func TestClocksAreBounded(t *testing.T) {
	f := newFixture(t, Config{})
	var beats []ops.Heartbeat
	for i := range maxClocks + 100 {
		beats = append(beats, pos("SH-001", i))
	}
	for i := range 6 {
		for k := range beats {
			beats[k].At, beats[k].Firmware = ops.At(f.c.t.Add(-5*time.Hour)), fmt.Sprint("v", i)
		}
		f.beat(beats...)
		f.pass(9 * time.Second)
	}
	sh := &f.shards[shardOf("SH-001")]
	if n := len(sh.clocks); n != maxClocks {
		t.Errorf("%d clocks are kept", n)
	}
	if d, _ := f.Device(t.Context(), "SH-001", beats[len(beats)-1].Device); d.Firmware != "v5" || d.State != ops.Online {
		t.Errorf("one beyond the bound is %+v", d)
	}
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(collector{f.Service})
	want := fmt.Sprintf("# HELP goc_fleet_wrong_clocks Devices whose clock is known to be wrong, by kind.\n# TYPE goc_fleet_wrong_clocks gauge\ngoc_fleet_wrong_clocks{kind=\"pos\"} %d\n", maxClocks)
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "goc_fleet_wrong_clocks"); err != nil {
		t.Error(err)
	}
	if wrong := f.j.named("fleet.clock_wrong"); len(wrong) != 1 || read[clocks](t, wrong[0]).Total != maxClocks {
		t.Errorf("told in %d events", len(wrong))
	}
}
