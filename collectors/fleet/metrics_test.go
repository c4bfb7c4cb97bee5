package fleet

import (
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
		if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "goc_fleet_devices", "goc_fleet_kind_devices", "goc_fleet_stores", "goc_fleet_missing_devices", "goc_heartbeats_total"); err != nil {
			t.Error(err)
		}
	}
	head := func(name, help, kind string) string {
		return "# HELP " + name + " " + help + "\n# TYPE " + name + " " + kind + "\n"
	}
	devices := head("goc_fleet_devices", "Devices by store, kind and state.", "gauge")
	makes := head("goc_fleet_kind_devices", "Devices by kind, model, firmware and state.", "gauge")
	stores := head("goc_fleet_stores", "Stores by city and state; dark: open, and every device that ever beat is offline.", "gauge")
	rest := head("goc_fleet_missing_devices", "Devices that the catalog expects in a store and that the fleet does not know.", "gauge") +
		"goc_fleet_missing_devices{city=\"Shanghai\",store=\"SH-002\"} 2\n" +
		head("goc_heartbeats_total", "Heartbeats taken.", "counter") + "goc_heartbeats_total 3\n"
	compare(devices + `goc_fleet_devices{city="Shanghai",kind="pos",state="online",store="SH-001"} 2
goc_fleet_devices{city="Shanghai",kind="pos",state="online",store="SH-002"} 1
` + makes + `goc_fleet_kind_devices{firmware="4.2.1",kind="pos",model="X1",state="online"} 3
` + stores + `goc_fleet_stores{city="Beijing",state="closed"} 0
goc_fleet_stores{city="Beijing",state="dark"} 0
goc_fleet_stores{city="Beijing",state="open"} 1
goc_fleet_stores{city="Shanghai",state="closed"} 0
goc_fleet_stores{city="Shanghai",state="dark"} 0
goc_fleet_stores{city="Shanghai",state="open"} 2
` + rest)
	f.pass(time.Minute)
	compare(devices + `goc_fleet_devices{city="Shanghai",kind="pos",state="offline",store="SH-001"} 2
goc_fleet_devices{city="Shanghai",kind="pos",state="offline",store="SH-002"} 1
goc_fleet_devices{city="Shanghai",kind="pos",state="online",store="SH-001"} 0
goc_fleet_devices{city="Shanghai",kind="pos",state="online",store="SH-002"} 0
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
