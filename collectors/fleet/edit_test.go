package fleet

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"goc/ops"
)

func ref(id string) ops.DeviceRef {
	store, device, _ := strings.Cut(id, "/")
	return ops.DeviceRef{Store: store, Device: device}
}

func TestAMovedDeviceKeepsWhatIsKnownOfIt(t *testing.T) {
	for name, restart := range map[string]bool{"at once": false, "and after a restart": true} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, Config{})
			b := pos("SH-001", 1)
			half := 0.5
			b.Status, b.Battery, b.Note, b.Firmware = "degraded", &half, "paper low", "4.2.1"
			paper := 0.4
			b.Paper = &paper
			f.beat(b)
			f.pass(time.Minute) // it has a past
			f.beat(b)
			was, err := f.Device(t.Context(), "SH-001", "pos-01")
			if err != nil {
				t.Fatal(err)
			}
			f.c.t = f.c.t.Add(3 * time.Second)
			events := f.j.count()
			now, err := f.Move(t.Context(), ops.Principal{Name: "Li"}, ref("SH-001/pos-01"), "BJ-001")
			if err != nil {
				t.Fatal(err)
			}
			if e := f.j.events[events:]; len(e) != 1 || e[0].Name != "fleet.moved" || e[0].Subject != "BJ-001/pos-01" || e[0].Actor != "Li" || !strings.Contains(string(e[0].Data), `"from":"SH-001/pos-01"`) {
				t.Errorf("%d events: %+v", len(e), e)
			}
			if restart {
				f.restart(Config{})
				if now, err = f.Device(t.Context(), "BJ-001", "pos-01"); err != nil {
					t.Fatal(err)
				}
				was.Readings, now.Readings = nil, nil // their points begin anew with a start
			}
			was.ID, was.Store, was.Deadline, now.Deadline = "BJ-001/pos-01", "BJ-001", ops.Time{}, ops.Time{}
			if *now.Battery != *was.Battery || now.Since != was.Since || now.SeenAt != was.SeenAt {
				t.Errorf("it was %+v, is %+v", was, now)
			}
			if now.Battery, was.Battery = nil, nil; !reflect.DeepEqual(now, was) {
				t.Errorf("it was %+v, is %+v", was, now)
			}
			if _, err := f.Device(t.Context(), "SH-001", "pos-01"); ops.KindOf(err) != ops.NotFound {
				t.Errorf("it is still at its old place: %v", err)
			}
			f.pass(time.Minute) // its deadline came along
			f.want("BJ-001", "pos-01", ops.Offline)
			b.Store = "BJ-001"
			f.beat(b)
			f.want("BJ-001", "pos-01", ops.Degraded)
			f.beat(pos("SH-001", 1)) // another device, in its old place
			f.want("SH-001", "pos-01", ops.Online)
		})
	}
}

func TestARenamedDeviceIsTheSame(t *testing.T) {
	f := newFixture(t, Config{})
	f.beat(pos("SH-001", 1), pos("SH-001", 2))
	if _, err := f.Rename(t.Context(), ops.System, ref("SH-001/pos-01"), "till-1"); err != nil {
		t.Fatal(err)
	}
	f.want("SH-001", "till-1", ops.Online)
	v, err := f.StoreView(t.Context(), "SH-001")
	if err != nil || len(v.Devices) != 2 || v.Devices[0].Device != "pos-02" || v.States["online"] != 2 {
		t.Errorf("%+v %v", v, err)
	}
	w, err := f.Wall(t.Context())
	if err != nil || len(w.Cells) != 2 {
		t.Errorf("%+v %v", w, err)
	}
}

func TestWhatCannotBeMovedIsSaid(t *testing.T) {
	f := newFixture(t, Config{MaxDevices: 2})
	f.beat(pos("SH-001", 1), pos("SH-001", 2))
	for name, c := range map[string]struct {
		do   func() (ops.Device, error)
		kind ops.Kind
	}{
		"a device that is not there": {func() (ops.Device, error) { return f.Move(t.Context(), ops.System, ref("SH-001/x"), "BJ-001") }, ops.NotFound},
		"to where it is":             {func() (ops.Device, error) { return f.Move(t.Context(), ops.System, ref("SH-001/pos-01"), "SH-001") }, ops.Conflict},
		"onto another":               {func() (ops.Device, error) { return f.Rename(t.Context(), ops.System, ref("SH-001/pos-01"), "pos-02") }, ops.Conflict},
		"to no name":                 {func() (ops.Device, error) { return f.Rename(t.Context(), ops.System, ref("SH-001/pos-01"), "a/b") }, ops.Invalid},
		"to no store":                {func() (ops.Device, error) { return f.Move(t.Context(), ops.System, ref("SH-001/pos-01"), "a\x00") }, ops.Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			events := f.j.count()
			if _, err := c.do(); ops.KindOf(err) != c.kind {
				t.Errorf("%v", err)
			}
			if f.j.count() != events {
				t.Error("it wrote an event")
			}
			f.want("SH-001", "pos-01", ops.Online)
		})
	}
	if _, err := f.Move(t.Context(), ops.System, ref("SH-001/pos-01"), "BJ-001"); err != nil {
		t.Errorf("a full fleet cannot move its own: %v", err)
	}
}

// TestMovesKeepTheTableWhole moves, renames and beats at random, and holds the table against a map.
func TestMovesKeepTheTableWhole(t *testing.T) {
	for seed := range uint64(4) {
		rng := rand.New(rand.NewPCG(seed, 7))
		f := newFixture(t, Config{})
		want := map[string]string{} // id → firmware, which nobody else has
		pick := func() string {
			ids := slices.Sorted(maps.Keys(want))
			return ids[rng.IntN(len(ids))]
		}
		for i := range 3000 {
			switch op := rng.IntN(4); {
			case op == 0 && len(want) < 200 || len(want) == 0:
				b := ops.Heartbeat{Store: fmt.Sprint("S-", rng.IntN(5)), Device: fmt.Sprint("d-", rng.IntN(80)), Kind: "pos", Firmware: fmt.Sprint(i)}
				f.beat(b)
				want[b.Store+"/"+b.Device] = b.Firmware
			case op == 1:
				id := pick()
				b := ops.Heartbeat{Store: ref(id).Store, Device: ref(id).Device}
				f.beat(b)
			default:
				from, to := pick(), fmt.Sprintf("S-%d/d-%d", rng.IntN(5), rng.IntN(80))
				_, err := f.relabel(t.Context(), ops.System, ref(from), ref(to), "fleet.moved")
				if _, taken := want[to]; taken != (ops.KindOf(err) == ops.Conflict) || !taken && err != nil {
					t.Fatalf("%s to %s: %v", from, to, err)
				} else if !taken {
					want[to] = want[from]
					delete(want, from)
				}
			}
			if i%500 == 499 {
				f.restart(Config{})
			}
			if i%50 == 0 || i%500 == 499 {
				f.holds(want)
			}
		}
	}
}

// holds compares the table with what it should hold, by every way that leads to a device.
func (f *fixture) holds(want map[string]string) {
	f.t.Helper()
	got := map[string]string{}
	for cursor, page := "", []ops.Device(nil); ; {
		var err error
		page, cursor, err = f.Devices(f.t.Context(), ops.DeviceQuery{Page: ops.Page{Limit: 7, Cursor: cursor}})
		if err != nil {
			f.t.Fatal(err)
		}
		for _, d := range page {
			got[d.ID] = d.Firmware
			if one, err := f.Device(f.t.Context(), d.Store, d.Device); err != nil || one.Firmware != d.Firmware || d.State != ops.Online {
				f.t.Fatalf("%s: %+v %v", d.ID, one, err)
			}
		}
		if cursor == "" {
			break
		}
	}
	if !maps.Equal(got, want) {
		f.t.Fatalf("the table has %d devices, expected %d", len(got), len(want))
	}
	all, err := f.Rollup(f.t.Context(), ops.FleetQuery{})
	if err != nil || len(want) > 0 && all[0].Total != len(want) || f.devices.Load() != int64(len(want)) {
		f.t.Fatalf("%+v, %d; expected %d", all, f.devices.Load(), len(want))
	}
	if w, err := f.Wall(f.t.Context()); err != nil || len(w.Cells) != len(want) {
		f.t.Fatalf("the wall has %d cells of %d: %v", len(w.Cells), len(want), err)
	}
}

func TestDevicesAreListedByWhatTheyAre(t *testing.T) {
	f := newFixture(t, Config{})
	f.beat(pos("SH-001", 1), pos("SH-001", 2), pos("BJ-001", 1), ops.Heartbeat{Store: "SH-002", Device: "scale-01", Kind: "scale"})
	if _, err := f.Retire(t.Context(), ops.System, []ops.DeviceRef{ref("SH-001/pos-02")}); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		q    ops.DeviceQuery
		want string
	}{
		"all":          {ops.DeviceQuery{}, "BJ-001/pos-01 SH-001/pos-01 SH-001/pos-02 SH-002/scale-01"},
		"of a city":    {ops.DeviceQuery{Scope: ops.Scope{City: []string{"Shanghai"}}}, "SH-001/pos-01 SH-001/pos-02 SH-002/scale-01"},
		"of a kind":    {ops.DeviceQuery{Scope: ops.Scope{Kind: []string{"scale"}}}, "SH-002/scale-01"},
		"in a state":   {ops.DeviceQuery{State: "retired"}, "SH-001/pos-02"},
		"by name":      {ops.DeviceQuery{Scope: ops.Scope{Device: []string{"BJ-001/pos-01", "scale-01"}}}, "BJ-001/pos-01 SH-002/scale-01"},
		"from one on":  {ops.DeviceQuery{Page: ops.Page{Cursor: "SH-001/pos-01"}}, "SH-001/pos-02 SH-002/scale-01"},
		"one by one":   {ops.DeviceQuery{Page: ops.Page{Limit: 1}}, "BJ-001/pos-01"},
		"none of them": {ops.DeviceQuery{State: "late"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			page, next, err := f.Devices(t.Context(), c.q)
			var ids []string
			for _, d := range page {
				ids = append(ids, d.ID)
			}
			if got := strings.Join(ids, " "); err != nil || got != c.want || (next != "") != (c.q.Page.Limit == 1) {
				t.Errorf("%s; then %q, %v", got, next, err)
			}
		})
	}
	for at, q := range map[string]ops.DeviceQuery{"query.state": {State: "asleep"}, "query.cursor": {Page: ops.Page{Cursor: "x"}}} {
		if _, _, err := f.Devices(t.Context(), q); ops.KindOf(err) != ops.Invalid || !strings.Contains(err.Error(), at) {
			t.Errorf("%s: %v", at, err)
		}
	}
}

func TestAnImportSaysWhatItDidAndADryOneDoesNothing(t *testing.T) {
	f := newFixture(t, Config{})
	f.beat(pos("SH-001", 1), pos("SH-001", 2), pos("SH-001", 3))
	if _, err := f.Retire(t.Context(), ops.System, []ops.DeviceRef{ref("SH-001/pos-03")}); err != nil {
		t.Fatal(err)
	}
	updated := pos("SH-001", 2)
	updated.Firmware = "5.0"
	rows := []ops.Heartbeat{
		pos("SH-001", 1), updated, pos("SH-001", 3), pos("SH-001", 4), pos("NEW-1", 1),
		{Store: "SH-001", Device: "a/b"},
		{Store: "SH-001", Device: "x", Kind: strings.Repeat("k", 65)},
		{Device: "x"},
	}
	want := ops.Imported{New: 2, Updated: 1, Revived: 1, Unchanged: 1, Rejected: []ops.Rejected{{Index: 5, Reason: badDevice}, {Index: 6, Reason: badFact}, {Index: 7, Reason: badStore}}}
	events := f.j.count()
	for _, dry := range []bool{true, false} {
		got, err := f.List(t.Context(), ops.System, rows, dry)
		if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("dry %v: %+v %v", dry, got, err)
		}
		if dry && f.j.count() != events {
			t.Error("a dry import wrote an event")
		}
	}
	if f.j.count() != events+1 {
		t.Errorf("%d events", f.j.count()-events)
	}
	again, err := f.List(t.Context(), ops.System, rows[:5], false)
	if err != nil || again.Unchanged != 5 || f.j.count() != events+1 {
		t.Errorf("the same once more: %+v %v", again, err)
	}
	if _, err := f.List(t.Context(), ops.System, make([]ops.Heartbeat, MaxBatch+1), false); ops.KindOf(err) != ops.TooLarge {
		t.Error(err)
	}
}

// retire takes one device out of service.
func (f *fixture) retire(store, device string) error {
	rejected, err := f.Retire(f.t.Context(), ops.System, []ops.DeviceRef{{Store: store, Device: device}})
	if len(rejected) > 0 {
		return ops.Errorf(ops.NotFound, "%s", rejected[0].Reason)
	}
	return err
}
