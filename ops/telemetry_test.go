package ops_test

import (
	"strings"
	"testing"
	"time"

	"goc/ops"
)

func TestALimitThatCannotBeKeptIsNamed(t *testing.T) {
	of := func(v float64) *float64 { return &v }
	for name, c := range map[string]struct {
		telemetry ops.Telemetry
		want      string
	}{
		"a good one":                  {ops.Telemetry{Temperature: &ops.Limit{Low: of(2), High: of(8), For: ops.Duration(time.Hour)}}, ""},
		"one without bounds":          {ops.Telemetry{Battery: &ops.Limit{}}, ""},
		"battery in percent":          {ops.Telemetry{Battery: &ops.Limit{Low: of(15)}}, "telemetry.battery: low and high must be between 0 and 1"},
		"a queue below nothing":       {ops.Telemetry{Queue: &ops.Limit{High: of(-1)}}, "telemetry.queue: low and high must be between 0 and 10000"},
		"no room between both":        {ops.Telemetry{Temperature: &ops.Limit{Low: of(2), High: of(5)}}, "telemetry.temperature: nothing lies inside"},
		"room when clear is less":     {ops.Telemetry{Temperature: &ops.Limit{Low: of(2), High: of(5), Clear: of(0.5)}}, ""},
		"clear that is negative":      {ops.Telemetry{Paper: &ops.Limit{Low: of(0.1), Clear: of(-0.1)}}, "telemetry.paper: clear must be"},
		"a wait of more than a day":   {ops.Telemetry{Paper: &ops.Limit{Low: of(0.1), For: ops.Duration(25 * time.Hour)}}, "telemetry.paper: for must be"},
		"a limit that is all of it":   {ops.Telemetry{Paper: &ops.Limit{Low: of(0.98)}}, ""},
		"a queue that may not be one": {ops.Telemetry{Queue: &ops.Limit{High: of(0)}}, ""},
	} {
		cat := ops.Catalog{DeviceKinds: []ops.DeviceKind{{Name: "printer", Telemetry: &c.telemetry}}}
		err := cat.Index()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), "catalog.device_kinds.printer."+c.want)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
