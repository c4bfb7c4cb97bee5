package fleet

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"goc/ops"
)

func TestMetricsAreAggregatesAndKeepTheirZeros(t *testing.T) {
	f := newFixture(t, Config{})
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(collector{f.Service})
	f.beat(pos("SH-001", 1), pos("SH-001", 2), pos("SH-002", 1))
	f.Receive(t.Context(), ops.System, []ops.Heartbeat{{}})
	compare := func(want string) {
		t.Helper()
		if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "goc_fleet_devices", "goc_fleet_store_devices", "goc_fleet_kind_devices", "goc_fleet_stores", "goc_fleet_missing_devices", "goc_heartbeats_total"); err != nil {
			t.Error(err)
		}
	}
	head := func(name, help, kind string) string {
		return "# HELP " + name + " " + help + "\n# TYPE " + name + " " + kind + "\n"
	}
	devices := head("goc_fleet_store_devices", "Devices by store, kind and state: of every store of a small fleet, else of the stores in trouble.", "gauge")
	cities := head("goc_fleet_devices", "Devices by city, kind and state.", "gauge")
	makes := head("goc_fleet_kind_devices", "Devices by kind, model, firmware and state.", "gauge")
	stores := head("goc_fleet_stores", "Stores by city and state; dark: open, and every device that ever beat is offline.", "gauge")
	rest := head("goc_fleet_missing_devices", "Devices that the catalog expects in a store and that the fleet does not know.", "gauge") +
		"goc_fleet_missing_devices{city=\"Shanghai\",store=\"SH-002\"} 2\n" +
		head("goc_heartbeats_total", "Heartbeats taken.", "counter") + "goc_heartbeats_total 3\n"
	compare(cities + `goc_fleet_devices{city="Shanghai",kind="pos",state="online"} 3
` + devices + `goc_fleet_store_devices{city="Shanghai",kind="pos",state="online",store="SH-001"} 2
goc_fleet_store_devices{city="Shanghai",kind="pos",state="online",store="SH-002"} 1
` + makes + `goc_fleet_kind_devices{firmware="4.2.1",kind="pos",model="X1",state="online"} 3
` + stores + `goc_fleet_stores{city="Beijing",state="closed"} 0
goc_fleet_stores{city="Beijing",state="dark"} 0
goc_fleet_stores{city="Beijing",state="open"} 1
goc_fleet_stores{city="Shanghai",state="closed"} 0
goc_fleet_stores{city="Shanghai",state="dark"} 0
goc_fleet_stores{city="Shanghai",state="open"} 2
` + rest)
	f.pass(time.Minute)
	compare(cities + `goc_fleet_devices{city="Shanghai",kind="pos",state="offline"} 3
goc_fleet_devices{city="Shanghai",kind="pos",state="online"} 0
` + devices + `goc_fleet_store_devices{city="Shanghai",kind="pos",state="offline",store="SH-001"} 2
goc_fleet_store_devices{city="Shanghai",kind="pos",state="offline",store="SH-002"} 1
goc_fleet_store_devices{city="Shanghai",kind="pos",state="online",store="SH-001"} 0
goc_fleet_store_devices{city="Shanghai",kind="pos",state="online",store="SH-002"} 0
` + makes + `goc_fleet_kind_devices{firmware="4.2.1",kind="pos",model="X1",state="offline"} 3
goc_fleet_kind_devices{firmware="4.2.1",kind="pos",model="X1",state="online"} 0
` + stores + `goc_fleet_stores{city="Beijing",state="closed"} 0
goc_fleet_stores{city="Beijing",state="dark"} 0
goc_fleet_stores{city="Beijing",state="open"} 1
goc_fleet_stores{city="Shanghai",state="closed"} 0
goc_fleet_stores{city="Shanghai",state="dark"} 2
goc_fleet_stores{city="Shanghai",state="open"} 0
` + rest)
	if n := f.count.rejected["store"].Get(); n != 1 {
		t.Errorf("%d beats counted as refused for their store, want 1", n)
	}
}

func TestConfigNamesTheFieldThatIsWrong(t *testing.T) {
	for place, c := range map[string]Config{
		"heartbeats.enrol":            {Enrol: "maybe"},
		"heartbeats.default_interval": {DefaultInterval: ops.Duration(time.Millisecond)},
		"heartbeats.checkpoint":       {Checkpoint: ops.Duration(48 * time.Hour)},
		"heartbeats.max_skew":         {MaxSkew: ops.Duration(24 * time.Hour)},
		"heartbeats.flap.changes":     {Flap: FlapConfig{Changes: 2}},
		"heartbeats.flap.window":      {Flap: FlapConfig{Window: -1}},
		"heartbeats.flap.calm":        {Flap: FlapConfig{Calm: 1}},
		"heartbeats.max_devices":      {MaxDevices: -1},
		"heartbeats.max_stores":       {MaxStores: -1},
	} {
		if err := c.Validate(); err == nil || !strings.HasPrefix(err.Error(), place+":") {
			t.Errorf("%+v gave %v, want an error at %s", c, err, place)
		}
	}
	if err := (Config{}).Validate(); err != nil {
		t.Errorf("the zero configuration: %v", err)
	}
}

// A fleet too large for a series of each store shows those in trouble, and goes on until their alerts have seen it end.
func TestALargeFleetHasSeriesOfItsStoresInTrouble(t *testing.T) {
	f := newFixture(t, Config{})
	beat := func(but string) {
		var beats []ops.Heartbeat
		for st := range maxStoreKinds / 2 {
			for d, kind := range []string{"pos", "pos", "pos", "pos", "pos", "scanner", "scale", "scale"} {
				if h := (ops.Heartbeat{Store: fmt.Sprintf("ST-%04d", st), Device: fmt.Sprint(kind, d), Kind: kind}); h.Store != but || kind != "pos" || d > 2 {
					beats = append(beats, h)
				}
			}
		}
		for len(beats) > 0 {
			n := min(len(beats), MaxBatch)
			f.beat(beats[:n]...)
			beats = beats[n:]
		}
	}
	shows := func() (of map[string]int) {
		of = map[string]int{}
		for _, k := range f.aggregate().kinds {
			of[k.store]++
		}
		return of
	}
	beat("")
	if got := shows(); len(got) != 0 {
		t.Fatalf("%d stores are in trouble when all is well", len(got))
	}
	for range 6 {
		f.pass(9 * time.Second)
		beat("ST-0007") // three of its five POS are silent
	}
	if got := shows(); len(got) != 1 || got["ST-0007"] != 3 {
		t.Errorf("in trouble: %v", got)
	}
	beat("")
	if got := shows(); got["ST-0007"] != 3 {
		t.Error("a store's series ended with its trouble")
	}
	f.c.t = f.c.t.Add(troubleKept * time.Millisecond)
	if got := shows(); len(got) != 0 {
		t.Errorf("still shown: %v", got)
	}
}
