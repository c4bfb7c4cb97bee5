package fleet

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"goc/collectors/fleet/explain"
	"goc/ops"
)

// chain is a fleet of 40 stores in two cities on two networks, and what was told of it.
type chain struct {
	*fixture
	told []ops.Alert
}

func newChain(t *testing.T) *chain {
	f := &chain{fixture: &fixture{t: t, c: &clock{start}, j: &memory{}}}
	f.start()
	return f
}

func (f *chain) start() {
	f.t.Helper()
	c := &ops.Catalog{DeviceKinds: []ops.DeviceKind{
		{Name: "pos", Interval: ops.Duration(10 * time.Second), Grace: ops.Duration(20 * time.Second)},
		{Name: "scanner", Interval: ops.Duration(10 * time.Second), Grace: ops.Duration(20 * time.Second)},
		{Name: "gateway", Interval: ops.Duration(10 * time.Second), Grace: ops.Duration(20 * time.Second), Gateway: true},
	}}
	for i := range 40 {
		c.Stores = append(c.Stores, ops.Store{ID: fmt.Sprintf("ST-%02d", i), City: []string{"Chengdu", "Wuhan"}[i%2], Region: "West", Network: []string{"isp-a", "isp-b"}[i/20]})
	}
	if err := c.Index(); err != nil {
		f.t.Fatal(err)
	}
	s, err := New(f.t.Context(), Options{Catalog: c, Journal: f.j, Now: f.c.now, Notify: func(_ context.Context, a []ops.Alert) { f.told = append(f.told, a...) }})
	if err != nil {
		f.t.Fatal(err)
	}
	f.Service = s
}

// run lets time go by; all devices beat but those that are silent.
func (f *chain) run(d time.Duration, silent func(h *ops.Heartbeat) bool) {
	f.t.Helper()
	for end := f.c.t.Add(d); f.c.t.Before(end); {
		var beats []ops.Heartbeat
		for st := range 40 {
			for n, kind := range []string{"gateway", "pos", "pos", "pos", "pos", "scanner", "scanner", "scanner"} {
				h := ops.Heartbeat{Store: fmt.Sprintf("ST-%02d", st), Device: fmt.Sprint(kind, n), Kind: kind, Model: "X1", Firmware: []string{"4.2.0", "4.2.1"}[(st+n)%2]}
				if silent == nil || !silent(&h) {
					beats = append(beats, h)
				}
			}
		}
		f.beat(beats...)
		for range 5 {
			f.pass(time.Second)
			f.explain(f.t.Context())
		}
	}
}

// firing is the alerts that are told and not over.
func (f *chain) firing() (out []string) {
	last := map[string]ops.Alert{}
	for _, a := range f.told {
		last[a.Fingerprint] = a
	}
	for _, a := range last {
		if a.Status != ops.Firing {
			continue
		}
		var of []string
		for k, v := range a.Labels {
			if k != "alertname" && k != "severity" {
				of = append(of, k+"="+v)
			}
		}
		slices.Sort(of)
		out = append(out, a.Name()+" "+strings.Join(of, " "))
	}
	slices.Sort(out)
	return out
}

func (f *chain) wantFiring(want ...string) {
	f.t.Helper()
	if got := f.firing(); !slices.Equal(got, want) {
		f.t.Fatalf("firing at %s: %q, want %q", f.c.t.Sub(start), got, want)
	}
}

func TestWhatTheSilentShareIsOneAlert(t *testing.T) {
	for name, c := range map[string]struct {
		silent func(h *ops.Heartbeat) bool
		want   []string
	}{
		"a firmware of a kind":   {func(h *ops.Heartbeat) bool { return h.Kind == "scanner" && h.Firmware == "4.2.1" }, []string{"FirmwareOffline firmware=4.2.1 kind=scanner"}},
		"a store":                {func(h *ops.Heartbeat) bool { return h.Store == "ST-07" }, []string{"StoreDark store=ST-07"}},
		"a kind in a store":      {func(h *ops.Heartbeat) bool { return h.Store == "ST-07" && h.Kind == "pos" }, []string{"DevicesOffline kind=pos store=ST-07"}},
		"a network":              {func(h *ops.Heartbeat) bool { return h.Store >= "ST-20" }, []string{"NetworkDark network=isp-b"}},
		"a city":                 {func(h *ops.Heartbeat) bool { return (h.Store[4]-'0')%2 == 1 }, []string{"CityDark city=Wuhan"}},
		"two stores of one city": {func(h *ops.Heartbeat) bool { return h.Store == "ST-07" || h.Store == "ST-09" }, []string{"StoreDark store=ST-07", "StoreDark store=ST-09"}},
		"a store and a firmware": {
			func(h *ops.Heartbeat) bool { return h.Store == "ST-08" || h.Kind == "scanner" && h.Firmware == "4.2.0" },
			[]string{"FirmwareOffline firmware=4.2.0 kind=scanner", "StoreDark store=ST-08"},
		},
		"everything":      {func(*ops.Heartbeat) bool { return true }, []string{"FleetDark "}},
		"two single ones": {func(h *ops.Heartbeat) bool { return h.Device == "pos1" && (h.Store == "ST-01" || h.Store == "ST-30") }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			f := newChain(t)
			f.run(20*time.Second, nil)
			f.run(50*time.Second, c.silent)
			f.wantFiring(c.want...)
			f.run(40*time.Second, nil)
			f.wantFiring()
			if causes, _ := f.Causes(t.Context()); len(causes.Causes) != 0 {
				t.Errorf("still shown: %+v", causes)
			}
		})
	}
}

func TestASilentGatewayExplainsItsStore(t *testing.T) {
	f := newChain(t)
	f.run(20*time.Second, nil)
	f.run(50*time.Second, func(h *ops.Heartbeat) bool { return h.Store == "ST-07" })
	f.wantFiring("StoreDark store=ST-07")
	if got, want := f.told[0].Summary(), "ST-07 went dark: 8 of 8 devices are offline, 0 of 312 others"; got != want {
		t.Errorf("it says %q, want %q", got, want)
	}
	if d := f.told[0].Annotations["description"]; !strings.Contains(d, "ST-07/gateway0") {
		t.Errorf("it says %q", d)
	}
}

// Two stores, and then all of their network: the network's alert takes the place of theirs.
func TestACauseThatGrowsTakesThePlaceOfWhatItExplains(t *testing.T) {
	f := newChain(t)
	f.run(20*time.Second, nil)
	f.run(60*time.Second, func(h *ops.Heartbeat) bool { return h.Store == "ST-21" || h.Store == "ST-22" })
	f.wantFiring("StoreDark store=ST-21", "StoreDark store=ST-22")
	f.run(80*time.Second, func(h *ops.Heartbeat) bool { return h.Store >= "ST-20" })
	f.wantFiring("NetworkDark network=isp-b")
	causes, _ := f.Causes(t.Context())
	if len(causes.Causes) != 1 || causes.Causes[0].Stores != 20 || len(causes.Causes[0].Worst) != 20 || causes.Causes[0].Affected != 160 {
		t.Errorf("shown: %+v", causes)
	}
	f.run(80*time.Second, func(h *ops.Heartbeat) bool { return h.Store >= "ST-20" && h.Store < "ST-33" })
	f.wantFiring("NetworkDark network=isp-b") // it shrinks, and is the same
}

func TestARestartGoesOnWithTheCausesThatWereTold(t *testing.T) {
	f := newChain(t)
	dark := func(h *ops.Heartbeat) bool { return h.Store == "ST-07" }
	f.run(20*time.Second, nil)
	f.run(50*time.Second, dark)
	first := f.told[0]
	f.c.t = f.c.t.Add(time.Minute)
	f.start()
	f.told = nil
	f.run(90*time.Second, dark)
	f.wantFiring("StoreDark store=ST-07")
	for _, a := range f.told {
		if a.Status != ops.Firing || a.Fingerprint != first.Fingerprint || !a.StartsAt.Equal(first.StartsAt.Time) {
			t.Errorf("after the restart %+v was told, before %+v", a, first)
		}
	}
	f.run(40*time.Second, nil)
	f.wantFiring()
	f.start()
	f.told = nil
	f.run(40*time.Second, nil)
	if len(f.told) != 0 {
		t.Errorf("a cause that was over was told again: %+v", f.told)
	}
}

// What has been silent for long is nothing new, unless it was told and still lasts.
func TestTheLongSilentAreNothingNew(t *testing.T) {
	f := newChain(t)
	f.run(20*time.Second, nil)
	dead := func(h *ops.Heartbeat) bool { return h.Device == "pos1" }
	f.shared.causes = nil
	f.run(50*time.Second, func(h *ops.Heartbeat) bool { return dead(h) && h.Store < "ST-04" })
	told := f.firing()
	f.c.t = f.c.t.Add(3 * time.Hour)
	f.ticked = f.c.t.UnixMilli()
	dark := func(h *ops.Heartbeat) bool { return dead(h) && h.Store < "ST-04" || h.Store == "ST-10" }
	f.run(3*time.Minute, dark)
	if got := f.firing(); !slices.Contains(got, "StoreDark store=ST-10") || len(got) > len(told)+1 {
		t.Errorf("firing %q, before %q", got, told)
	}
	for range 90 {
		f.c.t = f.c.t.Add(time.Minute)
		f.ticked = f.c.t.UnixMilli()
		f.run(5*time.Second, dark)
	}
	if got := f.firing(); !slices.Contains(got, "StoreDark store=ST-10") {
		t.Errorf("a store that is still dark is no longer told: %q", got)
	}
}

func TestARecentChangeIsSomethingDevicesShare(t *testing.T) {
	f := newChain(t)
	f.run(20*time.Second, nil)
	f.ObserveChange(ops.Change{ID: "CHG-7", Kind: "config", StartedAt: ops.At(f.c.t), Scope: ops.Scope{Store: []string{"ST-03", "ST-11", "ST-24", "ST-37"}, Kind: []string{"pos"}}})
	f.run(60*time.Second, func(h *ops.Heartbeat) bool {
		return h.Kind == "pos" && slices.Contains([]string{"ST-03", "ST-11", "ST-24", "ST-37"}, h.Store)
	})
	f.wantFiring("DevicesAfterChange change=CHG-7")
	if got, want := f.told[0].Summary(), "16 of 16 devices that CHG-7 went to are offline, 0 of 304 others"; got != want {
		t.Errorf("it says %q, want %q", got, want)
	}
}

func TestALookTellsWhatLastsAndEndsWhatIsGone(t *testing.T) {
	store := map[string][]string{"store": {"S"}}
	bad, good := counted{affected: 8, total: 8}, counted{affected: 0, total: 8}
	var causes []*cause
	step := func(found bool, m counted, now int64) (n news) {
		var f []explain.Cause
		if found {
			f = []explain.Cause{{Scope: store, Lift: 9}}
		}
		causes, n = look(causes, f, func(map[string][]string) counted { return m }, now)
		for _, c := range n.fire {
			c.sent = now
		}
		return n
	}
	if n := step(true, bad, 1000); len(n.fire) != 0 {
		t.Error("it was told in the first look")
	}
	if n := step(false, good, 2000); len(n.fire)+len(n.over) != 0 || len(causes) != 0 {
		t.Error("a moment's cause was kept")
	}
	step(true, bad, 3000)
	if n := step(true, bad, 4000); len(n.fire) != 1 {
		t.Error("it was not told in the second look")
	}
	if n := step(false, bad, 5000); len(n.fire)+len(n.over) != 0 || len(causes) != 1 {
		t.Error("not being found ended it, though its devices are as they were")
	}
	if n := step(true, bad, 4000+resend.Milliseconds()); len(n.fire) != 1 {
		t.Error("it was not told again")
	}
	for i := range int64(looksDown) {
		n := step(false, good, 40_000+i)
		if over := i == looksDown-1; len(n.over) == 1 != over {
			t.Fatalf("after %d good looks: %d over", i+1, len(n.over))
		}
	}
	if len(causes) != 0 {
		t.Error("what is over is kept")
	}
}

func TestAStoreWhoseDevicesSayThatTheyAreNotWellIsNotDark(t *testing.T) {
	c := cause{Scope: map[string][]string{"store": {"S"}}, Affected: 8, Total: 9, degraded: 7, rest: share{1, 300}}
	if got, want := c.name()+": "+c.text(), "DevicesDegraded: 8 of 9 devices in S are offline or not well, 1 of 300 others"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	c.degraded = 0
	if got, want := c.name()+": "+c.text(), "StoreDark: S went dark: 8 of 9 devices are offline, 1 of 300 others"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// A change of long ago is nothing that devices share, unless a cause that is told names it and still lasts, also over a
// restart.
func TestAChangeIsRecentForTwoHoursOrWhileItsCauseLasts(t *testing.T) {
	f := newChain(t)
	f.run(20*time.Second, nil)
	stores := []string{"ST-03", "ST-11", "ST-24", "ST-37"}
	change := ops.Change{ID: "CHG-7", Kind: "config", StartedAt: ops.At(f.c.t), Scope: ops.Scope{Store: stores, Kind: []string{"pos"}}}
	dark := func(h *ops.Heartbeat) bool { return h.Kind == "pos" && slices.Contains(stores, h.Store) }
	f.ObserveChange(change)
	f.run(60*time.Second, dark)
	f.wantFiring("DevicesAfterChange change=CHG-7")
	f.c.t = f.c.t.Add(3 * time.Hour)
	f.ticked = f.c.t.UnixMilli()
	f.run(60*time.Second, dark)
	f.wantFiring("DevicesAfterChange change=CHG-7")
	f.start()
	f.ObserveChange(change)
	f.run(60*time.Second, dark)
	f.wantFiring("DevicesAfterChange change=CHG-7")
	f.run(60*time.Second, nil)
	f.wantFiring()
	if kept := f.shared.recent(f.c.t); len(kept) != 0 {
		t.Errorf("%d changes of long ago are kept", len(kept))
	}
}

func TestTheNewestChangesAreKeptBesideThoseThatACauseNames(t *testing.T) {
	f := newChain(t)
	f.shared.named = map[string]bool{"CHG-0": true}
	for i := range 100 {
		f.ObserveChange(ops.Change{ID: fmt.Sprint("CHG-", i), StartedAt: ops.At(start), Scope: ops.Scope{Store: []string{"ST-01", "ST-02"}}})
	}
	kept := f.shared.recent(start)
	if len(kept) != maxChanges || kept[0].ID != "CHG-0" || kept[maxChanges-1].ID != "CHG-99" {
		t.Errorf("%d changes are kept, want %d with the first and the last", len(kept), maxChanges)
	}
}
