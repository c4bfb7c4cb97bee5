package incidents

import (
	"context"
	"math"
	"regexp"
	"strings"
	"time"

	"goc/ops"
)

// devicesUnwell is the indicator of an incident of devices: how many of those it names are offline or degraded.
const devicesUnwell = "devices_unwell"

// points is about how many points a line from the store of metrics has.
const points = 300

// deviceChart draws an incident that no service shows: the devices that it names which are not well, against those of
// the same kind in other stores. False when there is no store of metrics, or it knows no such devices.
func (s *Service) deviceChart(ctx context.Context, inc ops.Incident, from, to time.Time) (ops.Chart, bool) {
	if s.querier == nil || len(inc.Scope.Kind) == 0 && len(inc.Scope.Store) == 0 {
		return ops.Chart{}, false
	}
	c := ops.Chart{Title: strings.TrimSpace(devicesUnwell + " " + strings.Join(inc.Scope.Kind, " ")), Indicator: devicesUnwell, From: ops.At(from), To: ops.At(to)}
	kinds := matcher("kind", "=~", inc.Scope.Kind)
	unwell := `{state=~"offline|degraded"` + kinds
	parts := []struct{ name, expr string }{{"affected", `sum(goc_fleet_devices` + unwell + `})`}}
	if in := matcher("store", "=~", inc.Scope.Store); in != "" {
		affected := `sum(goc_fleet_store_devices` + unwell + in + `})`
		parts[0].expr = affected
		parts = append(parts, struct{ name, expr string }{"others", `sum(goc_fleet_devices` + unwell + `}) - (` + affected + ` or vector(0))`})
	}
	for _, part := range parts {
		curves, err := s.querier.QueryRange(ctx, part.expr, from, to, max(time.Second, to.Sub(from)/points))
		if err != nil || len(curves) != 1 {
			continue
		}
		c.Series = append(c.Series, seriesOf(part.name, curves[0]))
	}
	return c, len(c.Series) > 0
}

// matcher is a PromQL matcher of a label against exact values, "" for none.
func matcher(label, op string, values []string) string {
	if len(values) == 0 {
		return ""
	}
	quoted := make([]string, len(values))
	for i, v := range values {
		quoted[i] = regexp.QuoteMeta(v)
	}
	// A backslash within a PromQL string must itself be escaped; names hold no quotes or newlines worth keeping.
	text := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(strings.Join(quoted, "|"))
	return "," + label + op + `"` + text + `"`
}

// seriesOf is a curve as a chart has it; NaN is a gap.
func seriesOf(name string, c ops.Curve) ops.Series {
	out := ops.Series{Name: name, Times: make([]float64, len(c.Times)), Values: make([]*float64, len(c.Values))}
	for i, t := range c.Times {
		out.Times[i] = float64(t.UnixMilli()) / 1000
		if v := c.Values[i]; !math.IsNaN(v) && !math.IsInf(v, 0) {
			out.Values[i] = &v
		}
	}
	return out
}
