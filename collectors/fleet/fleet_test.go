package fleet

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	"goc/ops"
)

// memory is a journal that keeps what it is given.
type memory struct {
	mu     sync.Mutex
	rows   map[string]ops.Record
	events []ops.Event
	hold   bool // do not settle receipts
	held   []*ops.Receipt
	fail   error
}

func (m *memory) Append(mu ops.Mutation) *ops.Receipt {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := ops.NewReceipt()
	if m.hold {
		m.held = append(m.held, r)
		return r
	}
	if m.fail != nil {
		r.Settle(nil, m.fail)
		return r
	}
	if m.rows == nil {
		m.rows = map[string]ops.Record{}
	}
	for _, rec := range mu.Delete {
		delete(m.rows, rec.Kind+" "+rec.ID)
	}
	for _, rec := range mu.Put {
		m.rows[rec.Kind+" "+rec.ID] = rec
	}
	m.events = append(m.events, mu.Events...)
	r.Settle(mu.Events, nil)
	return r
}

// release settles the receipts that were held.
func (m *memory) release() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range m.held {
		r.Settle(nil, nil)
	}
	m.hold, m.held = false, nil
}

func (m *memory) Load(_ context.Context, kind string, each func(ops.Record) error) error {
	m.mu.Lock()
	rows := maps.Clone(m.rows)
	m.mu.Unlock()
	for _, rec := range rows {
		if rec.Kind == kind {
			if err := each(rec); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m *memory) last(t *testing.T) told {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.events) == 0 {
		t.Fatal("no event was written")
	}
	var d told
	if err := json.Unmarshal(m.events[len(m.events)-1].Data, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

func (m *memory) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.events)
}

// clock is a clock that only the test moves.
type clock struct{ t time.Time }

func (c *clock) now() time.Time { return c.t }

// start is 10:00 in Shanghai on a Friday.
var start = time.Date(2026, 11, 20, 2, 0, 0, 0, time.UTC)

func catalog(t testing.TB) *ops.Catalog {
	t.Helper()
	c := &ops.Catalog{
		Stores: []ops.Store{
			{ID: "SH-001", Name: "Jing'an", City: "Shanghai", Region: "East", Network: "isp-a"},
			{ID: "SH-002", City: "Shanghai", Region: "East", Network: "isp-b", Hours: "08:00-22:00", Timezone: "Asia/Shanghai", Devices: 3},
			{ID: "BJ-001", City: "Beijing", Region: "North", Network: "isp-a"},
		},
		DeviceKinds: []ops.DeviceKind{
			{Name: "pos", Interval: ops.Duration(10 * time.Second), Grace: ops.Duration(20 * time.Second)},
			{Name: "scale", Interval: ops.Duration(60 * time.Second)},
			{Name: "printer", Interval: ops.Duration(30 * time.Second), Telemetry: &ops.Telemetry{
				Paper: &ops.Limit{Low: of(0.05)}, Temperature: &ops.Limit{High: of(70.0)},
				Battery: &ops.Limit{Low: of(0.15), Clear: of(0.1)},
				Queue:   &ops.Limit{High: of(12.0), For: ops.Duration(5 * time.Minute)},
			}},
		},
	}
	if err := c.Index(); err != nil {
		t.Fatal(err)
	}
	return c
}

// fixture is a fleet on a clock of its own.
type fixture struct {
	*Service
	t *testing.T
	c *clock
	j *memory
}

func newFixture(t *testing.T, cfg Config) *fixture {
	t.Helper()
	f := &fixture{t: t, c: &clock{start}, j: &memory{}}
	f.restart(cfg)
	return f
}

func (f *fixture) restart(cfg Config) {
	f.t.Helper()
	s, err := New(f.t.Context(), Options{Config: cfg, Catalog: catalog(f.t), Journal: f.j, Now: f.c.now})
	if err != nil {
		f.t.Fatal(err)
	}
	f.Service = s
}

// pass lets time go by, ticking as the loop does.
func (f *fixture) pass(d time.Duration) {
	for end := f.c.t.Add(d); f.c.t.Before(end); {
		f.c.t = f.c.t.Add(tick)
		f.tick()
	}
}

func (f *fixture) beat(beats ...ops.Heartbeat) {
	f.t.Helper()
	n, rejected, err := f.Receive(f.t.Context(), ops.System, beats)
	if err != nil || n != len(beats) {
		f.t.Fatalf("Receive = %d, %v, %v", n, rejected, err)
	}
}

func (f *fixture) state(store, device string) ops.DeviceState {
	f.t.Helper()
	d, err := f.Device(f.t.Context(), store, device)
	if err != nil {
		f.t.Fatal(err)
	}
	return d.State
}

func (f *fixture) want(store, device string, want ops.DeviceState) {
	f.t.Helper()
	if got := f.state(store, device); got != want {
		f.t.Fatalf("%s/%s is %s at %s, want %s", store, device, got, f.c.t.Sub(start), want)
	}
}

func pos(store string, n int) ops.Heartbeat {
	return ops.Heartbeat{Store: store, Device: fmt.Sprintf("pos-%02d", n), Kind: "pos", Model: "X1", Firmware: "4.2.1"}
}

func TestAMissedBeatMakesADeviceLateAndThenOffline(t *testing.T) {
	f := newFixture(t, Config{})
	f.beat(pos("SH-001", 1))
	f.want("SH-001", "pos-01", ops.Online)
	f.pass(10 * time.Second)
	f.want("SH-001", "pos-01", ops.Online)
	f.pass(tick)
	f.want("SH-001", "pos-01", ops.Late)
	f.pass(20*time.Second - tick)
	f.want("SH-001", "pos-01", ops.Late)
	f.pass(tick)
	f.want("SH-001", "pos-01", ops.Offline)
	if got, want := f.j.last(t).Text, "1 device of SH-001 went offline"; got != want {
		t.Errorf("the event says %q, want %q", got, want)
	}
	f.pass(10 * time.Minute)
	f.want("SH-001", "pos-01", ops.Offline)
	f.beat(pos("SH-001", 1))
	f.want("SH-001", "pos-01", ops.Online)
}

func TestAllChangesOfATickAreOneEvent(t *testing.T) {
	f := newFixture(t, Config{})
	var beats []ops.Heartbeat
	for i := range 1500 {
		beats = append(beats, pos([]string{"SH-001", "BJ-001"}[i%2], i))
	}
	f.beat(beats...)
	f.pass(10*time.Second + tick)
	d := f.j.last(t)
	if f.j.count() != 2 || d.Total != 1500 || len(d.Changes) != maxListed || d.Text != "1500 devices in 2 stores are late" {
		t.Errorf("%d events, the last with %d of %d changes: %s", f.j.count(), len(d.Changes), d.Total, d.Text)
	}
}

func TestARepeatWritesNothing(t *testing.T) {
	f := newFixture(t, Config{})
	f.beat(pos("SH-001", 1))
	for range 20 {
		f.pass(5 * time.Second)
		f.beat(pos("SH-001", 1))
	}
	if f.j.count() != 1 {
		t.Errorf("%d events for a device that only repeats itself, want 1", f.j.count())
	}
	d, _ := f.Device(t.Context(), "SH-001", "pos-01")
	if !d.SeenAt.Equal(f.c.t) || !d.Deadline.Equal(f.c.t.Add(10*time.Second)) {
		t.Errorf("seen at %s with deadline %s, want %s and 10 s later", d.SeenAt, d.Deadline, f.c.t)
	}
}

func TestAStatusThatIsNotOkMakesADeviceDegraded(t *testing.T) {
	f := newFixture(t, Config{})
	h := pos("SH-001", 1)
	for _, c := range []struct {
		status string
		want   ops.DeviceState
	}{{"ok", ops.Online}, {"degraded", ops.Degraded}, {"fault", ops.Degraded}, {"", ops.Online}} {
		h.Status = c.status
		f.beat(h)
		f.want("SH-001", "pos-01", c.want)
	}
	if f.j.count() != 4 {
		t.Errorf("%d events, want one for each status", f.j.count())
	}
}

func TestBeatsOutOfOrderAreOrderedByTheirOwnTime(t *testing.T) {
	f := newFixture(t, Config{})
	h := pos("SH-001", 1)
	h.At, h.Status = ops.At(start), "fault"
	f.beat(h)
	older := pos("SH-001", 1)
	older.At, older.Firmware = ops.At(start.Add(-time.Second)), "4.2.0"
	f.beat(older)
	d, _ := f.Device(t.Context(), "SH-001", "pos-01")
	if d.State != ops.Degraded || d.Firmware != "4.2.1" {
		t.Errorf("an older beat turned the device into %s with firmware %s", d.State, d.Firmware)
	}
}

func TestAWrongClockDoesNotMakeADeviceDead(t *testing.T) {
	for name, off := range map[string]time.Duration{"8 hours slow": -8 * time.Hour, "8 hours fast": 8 * time.Hour, "a minute fast": time.Minute} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, Config{})
			h := pos("SH-001", 1)
			for i := range 10 {
				h.At, h.Firmware = ops.At(f.c.t.Add(off)), fmt.Sprint("v", i)
				f.beat(h)
				f.pass(9 * time.Second)
			}
			d, _ := f.Device(t.Context(), "SH-001", "pos-01")
			if d.State != ops.Online || d.Firmware != "v9" {
				t.Errorf("the device is %s with firmware %s, want online with v9", d.State, d.Firmware)
			}
		})
	}
}

func TestABadBeatIsRefusedAloneWithItsReason(t *testing.T) {
	f := newFixture(t, Config{MaxDevices: 3, MaxStores: 5})
	battery := 85.0
	beats := []ops.Heartbeat{
		pos("SH-001", 1),
		{Device: "x"},
		{Store: "SH-001"},
		{Store: "a/b", Device: "x"},
		{Store: "SH-001", Device: "x\n"},
		{Store: "SH-001", Device: "x", Status: "dead"},
		{Store: "SH-001", Device: "x", Battery: &battery},
		{Store: "SH-001", Device: "x", At: ops.At(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC))},
		{Store: "SH-001", Device: "x", Kind: string(make([]byte, 65))},
		{Store: "SH-001", Device: "x", Note: string(make([]byte, 257))},
		pos("SH-001", 2), pos("SH-001", 3), pos("SH-001", 4),
	}
	want := map[int]string{1: badStore, 2: badDevice, 3: badStore, 4: badDevice, 5: badStatus, 6: badBattery, 7: badAt, 8: badFact, 9: badNote, 12: fullDevices}
	n, rejected, err := f.Receive(t.Context(), ops.System, beats)
	if err != nil || n != 3 || len(rejected) != len(want) {
		t.Fatalf("Receive = %d, %v, %v", n, rejected, err)
	}
	for _, r := range rejected {
		if want[r.Index] != r.Reason {
			t.Errorf("beat %d refused with %q, want %q", r.Index, r.Reason, want[r.Index])
		}
	}
	if _, _, err := f.Receive(t.Context(), ops.System, make([]ops.Heartbeat, MaxBatch+1)); ops.KindOf(err) != ops.TooLarge {
		t.Errorf("a batch over the bound gave %v", err)
	}
}

func TestAStoresAgentSpeaksOnlyForItsStore(t *testing.T) {
	f := newFixture(t, Config{})
	n, rejected, err := f.Receive(t.Context(), ops.Principal{Name: "store:SH-001", Role: ops.Agent}, []ops.Heartbeat{pos("SH-001", 1), pos("BJ-001", 1)})
	if err != nil || n != 1 || len(rejected) != 1 || rejected[0] != (ops.Rejected{Index: 1, Reason: badSpeaker}) {
		t.Fatalf("Receive = %d, %v, %v", n, rejected, err)
	}
}

func TestClosedEnrolmentRefusesTheUnknown(t *testing.T) {
	f := newFixture(t, Config{Enrol: "closed"})
	if done, err := f.List(t.Context(), ops.System, []ops.Heartbeat{pos("SH-001", 1)}, false); err != nil || done.Rejected != nil || done.New != 1 {
		t.Fatal(done, err)
	}
	f.want("SH-001", "pos-01", ops.NeverSeen)
	n, rejected, _ := f.Receive(t.Context(), ops.System, []ops.Heartbeat{pos("SH-001", 1), pos("SH-001", 2)})
	if n != 1 || len(rejected) != 1 || rejected[0].Reason != notEnrolled {
		t.Fatalf("Receive = %d, %v", n, rejected)
	}
	f.want("SH-001", "pos-01", ops.Online)
}

func TestASilentDeviceOfAClosedStoreIsClosed(t *testing.T) {
	f := newFixture(t, Config{})
	f.c.t = time.Date(2026, 11, 20, 13, 59, 55, 0, time.UTC) // 21:59:55 in Shanghai; it closes at 22:00
	f.restart(Config{})
	f.beat(pos("SH-002", 1), pos("SH-002", 2))
	f.pass(10*time.Second + tick)
	f.want("SH-002", "pos-01", ops.Closed)
	f.beat(pos("SH-002", 2))
	f.want("SH-002", "pos-02", ops.Online) // it beats, so it is on
	v, _ := f.StoreView(t.Context(), "SH-002")
	if v.Open || v.States["closed"] != 1 || v.States["online"] != 1 {
		t.Errorf("the store shows open=%v %v", v.Open, v.States)
	}

	f.c.t = time.Date(2026, 11, 20, 23, 59, 59, 0, time.UTC) // one second before opening
	f.ticked = f.c.t.UnixMilli()
	f.pass(2 * time.Second)
	f.want("SH-002", "pos-01", ops.Closed)
	f.pass(5*time.Minute + 5*time.Second)
	f.want("SH-002", "pos-01", ops.Closed)
	f.pass(10 * time.Second)
	f.want("SH-002", "pos-01", ops.Late)
	f.pass(20 * time.Second)
	f.want("SH-002", "pos-01", ops.Offline)
	f.beat(pos("SH-002", 1))
	f.pass(10*time.Second + tick)
	f.want("SH-002", "pos-01", ops.Late) // once it has beaten since opening, there is no more grace of opening
}

func TestARestartKeepsStatesAndTurnsNobodyOffline(t *testing.T) {
	f := newFixture(t, Config{})
	f.beat(pos("SH-001", 1), pos("SH-001", 2), pos("SH-001", 3))
	f.pass(25 * time.Second)
	h := pos("SH-001", 2)
	h.Status, h.Note = "fault", "paper"
	f.beat(h)
	f.pass(6 * time.Second)
	f.beat(pos("SH-001", 3))
	f.want("SH-001", "pos-01", ops.Offline)
	before := map[string]ops.DeviceState{"pos-01": ops.Offline, "pos-02": ops.Degraded, "pos-03": ops.Online}

	f.c.t = f.c.t.Add(time.Hour)
	f.restart(Config{})
	for range 2 {
		f.pass(5 * time.Second)
		for device, want := range before {
			f.want("SH-001", device, want)
		}
	}
	if d, _ := f.Device(t.Context(), "SH-001", "pos-02"); d.Note != "paper" || d.Status != "fault" || d.Model != "X1" {
		t.Errorf("the restored device is %+v", d)
	}
	f.pass(tick)
	f.want("SH-001", "pos-01", ops.Offline)
	f.want("SH-001", "pos-03", ops.Late)
}

func TestAPauseOfOurOwnTurnsNobodyOffline(t *testing.T) {
	f := newFixture(t, Config{})
	f.beat(pos("SH-001", 1))
	f.c.t = f.c.t.Add(time.Minute)
	f.pass(9 * time.Second)
	f.want("SH-001", "pos-01", ops.Online)
	f.pass(2 * time.Second)
	f.want("SH-001", "pos-01", ops.Late)
}

func TestNobodyIsAnsweredBeforeTheChangeIsOnDisk(t *testing.T) {
	f := newFixture(t, Config{})
	f.j.hold = true
	for _, beats := range [][]ops.Heartbeat{{pos("SH-001", 1)}, {pos("SH-001", 1)}} { // the second repeats what is not yet on disk
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		_, _, err := f.Receive(ctx, ops.System, beats)
		cancel()
		if err == nil {
			t.Fatal("a beat was acknowledged before its change was on disk")
		}
	}
	f.j.hold, f.j.fail = false, ops.Errorf(ops.Unavailable, "disk full")
	if _, _, err := f.Receive(t.Context(), ops.System, []ops.Heartbeat{pos("SH-001", 2)}); ops.KindOf(err) != ops.Unavailable {
		t.Fatalf("a failed commit gave %v", err)
	}
}

func TestARetiredDeviceStaysRetiredUntilItIsListedAgain(t *testing.T) {
	f := newFixture(t, Config{})
	f.beat(pos("SH-001", 1))
	if rejected, err := f.Retire(t.Context(), ops.System, []ops.DeviceRef{{Store: "SH-001", Device: "pos-01"}}); err != nil || rejected != nil {
		t.Fatal(rejected, err)
	}
	f.beat(pos("SH-001", 1))
	f.pass(time.Minute)
	f.want("SH-001", "pos-01", ops.Retired)
	if _, err := f.List(t.Context(), ops.System, []ops.Heartbeat{pos("SH-001", 1)}, false); err != nil {
		t.Fatal(err)
	}
	f.want("SH-001", "pos-01", ops.NeverSeen)
	f.beat(pos("SH-001", 1))
	f.want("SH-001", "pos-01", ops.Online)
	if rejected, err := f.Retire(t.Context(), ops.System, []ops.DeviceRef{{Store: "SH-001", Device: "nope"}}); err != nil || len(rejected) != 1 {
		t.Errorf("retiring an unknown device gave %v, %v", rejected, err)
	}
}
