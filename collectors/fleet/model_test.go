package fleet

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"goc/ops"
)

// naive is what the table must come to, said without a table: the beats of each device, and when we last began.
type naive struct {
	seen  map[string]time.Time
	well  map[string]bool
	kind  map[string]string
	held  map[string]ops.DeviceState // the states when we last began
	ready time.Time
}

// state follows the rules of state.go from the outside: opening hours 08:00-22:00 in Shanghai for SH-002.
func (n *naive) state(store, id string, now time.Time) ops.DeviceState {
	seen, ok := n.seen[id]
	if !ok {
		return ops.NeverSeen
	}
	interval, grace := 10*time.Second, 20*time.Second
	if n.kind[id] == "scale" {
		interval, grace = 60*time.Second, 30*time.Second
	}
	if !now.After(seen.Add(interval)) {
		if n.well[id] {
			return ops.Online
		}
		return ops.Degraded
	}
	from := n.ready
	if store == "SH-002" {
		local := now.In(time.FixedZone("", 8*3600))
		midnight := time.Date(local.Year(), local.Month(), local.Day(), 0, 0, 0, 0, local.Location())
		opening, closing := midnight.Add(8*time.Hour), midnight.Add(22*time.Hour)
		if now.Before(opening) || !now.Before(closing) {
			return ops.Closed
		}
		if opening.After(seen) {
			if !now.After(opening.Add(5*time.Minute + interval)) {
				return ops.Closed
			}
			if opening.Add(5 * time.Minute).After(from) {
				from = opening.Add(5 * time.Minute)
			}
		}
	}
	if seen.After(from) {
		from = seen
	}
	held, beganAfter := n.held[id], n.ready.After(seen)
	if beganAfter && held == ops.Offline || beganAfter && !now.After(n.ready.Add(interval)) {
		return held
	}
	if !now.After(from.Add(interval + grace)) {
		if !now.After(from.Add(interval)) {
			return held
		}
		return ops.Late
	}
	return ops.Offline
}

func TestTheTableIsWhatANaiveModelComesTo(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		f := newFixture(t, Config{})
		f.c.t = time.Date(2026, 11, 20, 13, rapid.IntRange(50, 59).Draw(rt, "minute"), 0, 0, time.UTC)
		f.restart(Config{})
		n := &naive{seen: map[string]time.Time{}, well: map[string]bool{}, kind: map[string]string{}, held: map[string]ops.DeviceState{}, ready: f.c.t}
		stores := []string{"SH-001", "SH-002", "XX-900"}
		check := func() {
			for id := range n.seen {
				got := f.state(id[:6], id[7:])
				if want := n.state(id[:6], id, f.c.t); got != want {
					rt.Fatalf("%s is %s at %s, want %s (seen %s, began %s)", id, got, f.c.t, want, n.seen[id], n.ready)
				}
			}
		}
		for range rapid.IntRange(5, 30).Draw(rt, "steps") {
			switch rapid.IntRange(0, 9).Draw(rt, "what") {
			case 0: // a crash: last-seen is only what is on disk
				f.restart(Config{})
				for id := range n.seen {
					n.held[id] = f.state(id[:6], id[7:])
					if d, _ := f.Device(t.Context(), id[:6], id[7:]); !d.SeenAt.Equal(n.seen[id]) {
						n.seen[id] = d.SeenAt.Time
					}
				}
				n.ready = f.c.t
				f.pass(tick)
			case 1, 2, 3, 4: // beats
				var beats []ops.Heartbeat
				for range rapid.IntRange(1, 5).Draw(rt, "beats") {
					h := ops.Heartbeat{Store: rapid.SampledFrom(stores).Draw(rt, "store"), Device: fmt.Sprint("d", rapid.IntRange(0, 3).Draw(rt, "device"))}
					h.Kind = []string{"pos", "scale"}[int(h.Device[1]-'0')%2]
					h.Status = rapid.SampledFrom([]string{"ok", "fault"}).Draw(rt, "status")
					id := h.Store + "/" + h.Device
					n.seen[id], n.well[id], n.kind[id] = f.c.t, h.Status == "ok", h.Kind
					beats = append(beats, h)
				}
				f.beat(beats...)
			case 5: // a checkpoint
				f.checkpoint()
			default:
				f.pass(time.Duration(rapid.SampledFrom([]int{50, 1000, 9950, 10000, 10050, 20000, 45000, 90000}).Draw(rt, "ms")) * time.Millisecond)
			}
			check()
		}
		checkTallies(rt, f)
	})
}

// checkTallies compares every way of counting with a count by hand.
func checkTallies(rt *rapid.T, f *fixture) {
	for _, by := range [][]string{{}, {"store"}, {"kind"}, {"store", "kind"}, {"city", "firmware"}, {"state", "model"}, {"network", "region"}} {
		got, err := f.Rollup(f.t.Context(), ops.FleetQuery{GroupBy: by})
		if err != nil {
			rt.Fatal(err)
		}
		want := map[string]int{}
		for _, d := range f.every() {
			sh := &f.shards[shardOf(d.Store)]
			st := sh.sites[sh.index[d.Store]].Store
			key := ""
			for _, k := range by {
				key += "|" + map[string]string{"store": st.ID, "city": st.City, "region": st.Region, "network": st.Network, "kind": d.Kind, "model": d.Model, "firmware": d.Firmware, "state": d.State.String()}[k]
			}
			want[key]++
		}
		have := map[string]int{}
		for _, g := range got {
			key := ""
			for _, k := range by {
				key += "|" + g.Group[k]
			}
			have[key] = g.Total
		}
		if diff := cmp.Diff(want, have); diff != "" {
			rt.Fatalf("roll-up by %v (-want +got):\n%s", by, diff)
		}
	}
}

// every lists all devices, shard by shard and row by row.
func (f *fixture) every() (out []ops.Device) {
	for i := range f.shards {
		for id := range f.shards[i].rows.n {
			out = append(out, f.device(&f.shards[i], id))
		}
	}
	return out
}

func TestARollupCountsWhatItIsAskedFor(t *testing.T) {
	f := newFixture(t, Config{})
	scale := ops.Heartbeat{Store: "BJ-001", Device: "scale-1", Kind: "scale", Model: "S", Firmware: "1"}
	f.beat(pos("SH-001", 1), pos("SH-001", 2), pos("SH-002", 1), pos("BJ-001", 1), scale)
	f.pass(11 * time.Second)
	for name, c := range map[string]struct {
		q    ops.FleetQuery
		want []ops.FleetGroup
	}{
		"by city": {ops.FleetQuery{GroupBy: []string{"city"}}, []ops.FleetGroup{
			{Group: map[string]string{"city": "Beijing"}, Total: 2, States: map[string]int{"late": 1, "online": 1}},
			{Group: map[string]string{"city": "Shanghai"}, Total: 3, States: map[string]int{"late": 3}},
		}},
		"by kind, only the online": {ops.FleetQuery{GroupBy: []string{"kind"}, State: "online"}, []ops.FleetGroup{
			{Group: map[string]string{"kind": "scale"}, Total: 1, States: map[string]int{"online": 1}},
		}},
		"in a scope of region and firmware": {ops.FleetQuery{GroupBy: []string{"store"}, Scope: ops.Scope{Region: []string{"East"}, Firmware: []string{"4.2.1"}}}, []ops.FleetGroup{
			{Group: map[string]string{"store": "SH-001"}, Total: 2, States: map[string]int{"late": 2}},
			{Group: map[string]string{"store": "SH-002"}, Total: 1, States: map[string]int{"late": 1}},
		}},
		"of one device": {ops.FleetQuery{Scope: ops.Scope{Device: []string{"BJ-001/pos-01"}}}, []ops.FleetGroup{
			{Group: map[string]string{}, Total: 1, States: map[string]int{"late": 1}},
		}},
		"of a service, which is no device's": {ops.FleetQuery{Scope: ops.Scope{Service: []string{"cart"}}}, []ops.FleetGroup{
			{Group: map[string]string{}, Total: 5, States: map[string]int{"late": 4, "online": 1}},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := f.Rollup(t.Context(), c.q)
			if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
				t.Errorf("error %v (-want +got):\n%s", err, diff)
			}
		})
	}
	for _, q := range []ops.FleetQuery{{GroupBy: []string{"colour"}}, {State: "dead"}} {
		if _, err := f.Rollup(t.Context(), q); ops.KindOf(err) != ops.Invalid {
			t.Errorf("%+v gave %v", q, err)
		}
	}
}

func TestAffectedCountsStoresAndDevicesAndThoseNotWell(t *testing.T) {
	f := newFixture(t, Config{})
	f.beat(pos("SH-001", 1), pos("BJ-001", 1), ops.Heartbeat{Store: "BJ-001", Device: "s", Kind: "scale"})
	f.pass(11 * time.Second)
	for name, c := range map[string]struct {
		scope ops.Scope
		want  Reach
	}{
		"everything":    {ops.Scope{}, Reach{3, 3, 2, 2}},
		"a city":        {ops.Scope{City: []string{"Shanghai"}}, Reach{2, 1, 1, 1}},
		"a kind":        {ops.Scope{Kind: []string{"scale"}}, Reach{1, 1, 0, 0}},
		"a device":      {ops.Scope{Store: []string{"BJ-001"}, Device: []string{"pos-01"}}, Reach{1, 1, 1, 1}},
		"nothing there": {ops.Scope{City: []string{"Paris"}}, Reach{}},
	} {
		if got := f.Affected(c.scope); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

func TestTheWallTellsWhatChanged(t *testing.T) {
	f := newFixture(t, Config{})
	f.beat(pos("SH-001", 2), pos("SH-001", 1), pos("BJ-001", 1))
	w, _ := f.Wall(t.Context())
	if diff := cmp.Diff([]ops.WallStore{
		{ID: "SH-001", Name: "Jing'an", City: "Shanghai", Offset: 0, Devices: []string{"pos-01", "pos-02"}},
		{ID: "SH-002", City: "Shanghai", Offset: 2, Devices: []string{}},
		{ID: "BJ-001", City: "Beijing", Offset: 2, Devices: []string{"pos-01"}},
	}, w.Stores); diff != "" || !slices.Equal(w.Cells, []byte{1, 1, 1}) {
		t.Fatalf("cells %v (-want +got):\n%s", w.Cells, diff)
	}
	type call struct {
		Layout uint32
		Cells  []uint32
	}
	var calls []call
	cancel := f.WatchWall(func(layout uint32, cells []uint32) { calls = append(calls, call{layout, cells}) })
	f.flushWall() // the watcher's first: the layout as it is
	calls = nil
	h := pos("SH-001", 2)
	h.Status = "fault"
	f.beat(h)
	f.c.t = f.c.t.Add(wallPeriod)
	f.flushWall()
	f.flushWall()
	if want := []call{{w.Layout, []uint32{uint32(ops.Degraded)<<24 | 1}}}; !cmp.Equal(want, calls) {
		t.Fatalf("told %v, want %v", calls, want)
	}
	f.beat(pos("SH-002", 1))
	f.c.t = f.c.t.Add(2 * time.Second)
	f.flushWall()
	if len(calls) != 2 || calls[1].Layout == w.Layout {
		t.Fatalf("a new device was told as %v", calls[1:])
	}
	if again, _ := f.Wall(t.Context()); again.Layout != calls[1].Layout || len(again.Cells) != 4 {
		t.Errorf("layout %d with %d cells, told was %d", again.Layout, len(again.Cells), calls[1].Layout)
	}
	cancel()
	f.beat(pos("SH-002", 9))
	f.c.t = f.c.t.Add(2 * time.Second)
	f.flushWall()
	if len(calls) != 2 {
		t.Error("a watcher was called after it had ended its watch")
	}
}

// The wall tells nothing that a crash could take back.
func TestTheWallTellsAChangeOnceItIsOnDisk(t *testing.T) {
	f := newFixture(t, Config{})
	f.beat(pos("SH-001", 1))
	told := 0
	if _, err := f.Wall(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.WatchWall(func(_ uint32, cells []uint32) { told += len(cells) })
	f.flushWall()
	told = 0
	f.j.hold = true
	f.pass(11 * time.Second)
	f.want("SH-001", "pos-01", ops.Late)
	if f.flushWall(); told != 0 {
		t.Error("a change was told before it was on disk")
	}
	f.j.release()
	if f.flushWall(); told != 1 {
		t.Errorf("%d changes are told once one is on disk", told)
	}
}
