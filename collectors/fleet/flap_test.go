package fleet

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"goc/ops"
)

// named returns the events of a name.
func (m *memory) named(name string) (out []ops.Event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range m.events {
		if e.Name == name {
			out = append(out, e)
		}
	}
	return out
}

func read[T any](t *testing.T, e ops.Event) (v T) {
	t.Helper()
	if err := json.Unmarshal(e.Data, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// swing lets devices fall silent and come back, so often: two changes each time.
func (f *fixture) swing(times int, beats ...ops.Heartbeat) {
	for range times {
		f.pass(12 * time.Second)
		f.beat(beats...)
		f.pass(time.Second)
	}
}

func TestALinkThatFlapsIsOneFact(t *testing.T) {
	f := newFixture(t, Config{})
	f.beat(pos("SH-001", 1), pos("SH-001", 2), pos("SH-001", 3))
	steady := []ops.Heartbeat{pos("SH-001", 2), pos("SH-001", 3)}
	swing := func(times int) {
		for range times {
			for range 2 {
				f.pass(6 * time.Second)
				f.beat(steady...)
			}
			f.beat(pos("SH-001", 1))
		}
	}
	swing(2)
	if n := len(f.j.named("fleet.flapping")); n != 0 || f.j.count() != 5 {
		t.Fatalf("after four changes there are %d events, %d of flapping", f.j.count(), n)
	}
	swing(20)
	begun := f.j.named("fleet.flapping")
	if f.j.count() != 6 || len(begun) != 1 {
		t.Fatalf("after 44 changes there are %d events, %d of flapping", f.j.count(), len(begun))
	}
	e := begun[0]
	d := read[flaps](t, e)
	if e.Subject != "SH-001/pos-01" || d.Text != "the link of SH-001/pos-01 comes and goes" || len(d.Stores) != 0 || len(d.Devices) != 1 ||
		d.Devices[0].Changes != 5 || d.Devices[0].State != "late" || d.Devices[0].Since.IsZero() {
		t.Errorf("told as %s %s", e.Subject, e.Data)
	}
	if v, _ := f.Device(t.Context(), "SH-001", "pos-01"); !v.Flapping || v.State != ops.Online {
		t.Errorf("while it flaps it shows %+v", v)
	}
	if v, _ := f.Device(t.Context(), "SH-001", "pos-02"); v.Flapping {
		t.Error("another device flaps as well")
	}
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(collector{f.Service})
	compare := func(n int) {
		t.Helper()
		want := fmt.Sprintf("# HELP goc_fleet_flapping_devices Devices whose own link comes and goes, by city and kind.\n# TYPE goc_fleet_flapping_devices gauge\ngoc_fleet_flapping_devices{city=\"Shanghai\",kind=\"pos\"} %d\n", n)
		if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "goc_fleet_flapping_devices", "goc_fleet_flapping_stores", "goc_fleet_wrong_clocks"); err != nil {
			t.Error(err)
		}
	}
	compare(1)
	f.pass(10*time.Minute + 30*time.Second)
	compare(0)
	f.want("SH-001", "pos-01", ops.Offline)
	calm := f.j.named("fleet.calm")
	if len(calm) != 1 {
		t.Fatalf("%d events of calm", len(calm))
	}
	if d := read[flaps](t, calm[0]); d.Devices[0].ID != "SH-001/pos-01" || d.Devices[0].State != "offline" || d.Devices[0].Changes != 45 {
		t.Errorf("calm is told as %s", calm[0].Data)
	}
	if v, _ := f.Device(t.Context(), "SH-001", "pos-01"); v.Flapping || len(v.History) != 5 || v.History[0].From != ops.Online || v.History[0].To != ops.Offline {
		t.Errorf("when it is calm it shows %+v", v)
	}
	f.beat(pos("SH-001", 1))
	if d := f.j.last(t); d.Text != "1 device of SH-001 came online" {
		t.Errorf("the next change is told as %q", d.Text)
	}
}

func TestAStoreWhoseGatewayFlapsIsOneFact(t *testing.T) {
	f := newFixture(t, Config{})
	var all []ops.Heartbeat
	for i := range 12 {
		all = append(all, pos("SH-001", i))
	}
	f.beat(append(all, pos("BJ-001", 1))...)
	before := f.j.count()
	for range 10 {
		f.pass(12 * time.Second)
		f.beat(all[:5]...) // the gateway sends them in several batches
		f.pass(time.Second)
		f.beat(all[5:]...)
	}
	begun := f.j.named("fleet.flapping")
	if len(begun) != 1 || begun[0].Subject != "SH-001" {
		t.Fatalf("told as %+v", begun)
	}
	if d := read[flaps](t, begun[0]); len(d.Devices) != 0 || len(d.Stores) != 1 || d.Text != "the link of SH-001 comes and goes" {
		t.Errorf("told as %s", begun[0].Data)
	}
	if n := f.j.count() - before; n > 12 { // one device of BJ-001, and what came before it was known
		t.Errorf("%d events of 20 changes of 12 devices", n)
	}
	for i := range all {
		if d, _ := f.Device(t.Context(), "SH-001", all[i].Device); !d.Flapping {
			t.Errorf("%s does not flap with its store", d.ID)
		}
	}
	if v, _ := f.StoreView(t.Context(), "SH-001"); !v.Flaps {
		t.Error("the store does not show that it flaps")
	}
	for range 65 { // one device has died, the others are well again
		f.pass(10 * time.Second)
		f.beat(all[1:]...)
		f.checkpoint()
	}
	calm := f.j.named("fleet.calm")
	if len(calm) != 1 || calm[0].Subject != "SH-001" {
		t.Fatalf("calm is told as %+v", calm)
	}
	if d := read[flaps](t, calm[0]); !cmp.Equal(d.Stores[0].States, map[string]int{"online": 11, "offline": 1}) {
		t.Errorf("calm is told as %s", calm[0].Data)
	}
	f.restart(Config{})
	f.want("SH-001", "pos-00", ops.Offline)
	if d, _ := f.Device(t.Context(), "SH-001", "pos-00"); len(d.History) == 0 || d.History[0].To != ops.Offline {
		t.Errorf("what the device came to while its store flapped is not in its history: %+v", d.History)
	}
	if v, _ := f.StoreView(t.Context(), "SH-001"); v.Flaps {
		t.Error("after a restart the store flaps again")
	}
}

func TestARestartGoesOnWithWhatFlaps(t *testing.T) {
	f := newFixture(t, Config{})
	f.beat(pos("BJ-001", 1), pos("SH-001", 1), pos("SH-001", 2))
	f.swing(4, pos("BJ-001", 1), pos("SH-001", 1), pos("SH-001", 2))
	f.checkpoint()
	if n := len(f.j.named("fleet.flapping")); n != 2-1 { // both in one tick
		t.Fatalf("%d events of flapping", n)
	}
	f.restart(Config{})
	d, _ := f.Device(t.Context(), "BJ-001", "pos-01")
	v, _ := f.StoreView(t.Context(), "SH-001")
	if !d.Flapping || !v.Flaps || d.State != ops.Online || len(d.History) != 4 {
		t.Fatalf("after a restart: %+v, the store %v", d, v.Flaps)
	}
	before := f.j.count()
	f.swing(4, pos("BJ-001", 1), pos("SH-001", 1), pos("SH-001", 2))
	if n := f.j.count() - before; n != 0 {
		t.Errorf("%d events of what flaps", n)
	}
	for range 65 {
		f.pass(10 * time.Second)
		f.beat(pos("BJ-001", 1), pos("SH-001", 1), pos("SH-001", 2))
	}
	if calm := f.j.named("fleet.calm"); len(calm) != 1 || read[flaps](t, calm[0]).Total != 2 {
		t.Errorf("calm is told as %+v", calm)
	}
}

func TestARetiredDeviceFlapsNoMore(t *testing.T) {
	f := newFixture(t, Config{})
	f.beat(pos("BJ-001", 1))
	f.swing(4, pos("BJ-001", 1))
	if err := f.retire("BJ-001", "pos-01"); err != nil {
		t.Fatal(err)
	}
	if d := f.j.last(t); d.Counts["retired"] != 1 {
		t.Errorf("told as %+v", d)
	}
	f.pass(11 * time.Minute)
	if d, _ := f.Device(t.Context(), "BJ-001", "pos-01"); d.Flapping || d.State != ops.Retired || len(f.j.named("fleet.calm")) != 0 {
		t.Errorf("it is %+v", d)
	}
}

func TestWhatIsRememberedOfChangesIsBounded(t *testing.T) {
	var p past
	for i := range uint32(3 * maxPast) {
		p.add(i%maxPast/2, int64(i)+1, ops.Online, ops.Late)
	}
	if len(p.ring) != maxPast || len(p.head) != maxPast/2 {
		t.Fatalf("%d changes of %d devices are remembered", len(p.ring), len(p.head))
	}
	for _, id := range []uint32{0, 1, maxPast/2 - 1} {
		var at []int64
		p.each(id, func(ms int64, _, _ ops.DeviceState) bool { at = append(at, ms); return true })
		want := []int64{2*maxPast + 2*int64(id) + 2, 2*maxPast + 2*int64(id) + 1}
		if !cmp.Equal(at, want) {
			t.Errorf("row %d changed at %v, want %v", id, at, want)
		}
	}
	for i := range uint32(maxPast) { // one device alone takes all the room
		p.add(7, int64(i)+1, ops.Late, ops.Online)
	}
	n := 0
	p.each(7, func(int64, ops.DeviceState, ops.DeviceState) bool { n++; return true })
	if n != maxPast || len(p.head) != 1 {
		t.Errorf("%d changes, of %d devices", n, len(p.head))
	}
}

func TestTheHistoryIsWhatHappenedAndSurvivesARestart(t *testing.T) {
	f := newFixture(t, Config{Flap: FlapConfig{Changes: 16, Window: ops.Duration(time.Minute)}})
	f.beat(pos("SH-001", 1))
	if d, _ := f.Device(t.Context(), "SH-001", "pos-01"); len(d.History) != 0 {
		t.Errorf("a device that has never changed has the history %+v", d.History)
	}
	var want []string
	note := func(from, to ops.DeviceState) {
		want = append([]string{fmt.Sprint(f.c.t.Format("15:04:05.00"), " ", from, " ", to)}, want...)
	}
	for range 8 {
		f.pass(10*time.Second + tick)
		note(ops.Online, ops.Late)
		f.pass(20 * time.Second)
		note(ops.Late, ops.Offline)
		f.pass(time.Hour)
		f.beat(pos("SH-001", 1))
		note(ops.Offline, ops.Online)
	}
	for _, when := range []string{"before", "after"} {
		var got []string
		d, _ := f.Device(t.Context(), "SH-001", "pos-01")
		for _, h := range d.History {
			got = append(got, fmt.Sprint(h.At.Format("15:04:05.00"), " ", h.From, " ", h.To))
		}
		if diff := cmp.Diff(want[:maxTurns], got); diff != "" {
			t.Errorf("%s a restart (-want +got):\n%s", when, diff)
		}
		f.restart(Config{})
	}
}
