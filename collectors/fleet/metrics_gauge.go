package fleet

import (
	"math"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
)

var (
	readingDesc = prometheus.NewDesc("goc_fleet_telemetry", "What devices that are alive tell, by city, kind and reading: the least, the mean and the greatest.", []string{"city", "kind", "reading", "stat"}, nil)
	limitDesc   = prometheus.NewDesc("goc_fleet_telemetry_devices", "Devices that are alive and tell a reading, by city, kind and reading: those within its limit, or that have none, and those beyond.", []string{"city", "kind", "reading", "limit"}, nil)
)

// maxMeasured bounds the series of readings: five for each city, kind and reading. Those with the most beyond stay.
const maxMeasured = 2_000

// measured sums one reading of the devices of one kind in one city.
type measured struct {
	city, kind string
	reading    uint8
	n, beyond  int
	sum        int64
	min, max   int16
}

func (m *measured) add(t *track) {
	if m.n == 0 {
		m.min, m.max = math.MaxInt16, math.MinInt16
	}
	m.n, m.sum, m.min, m.max = m.n+1, m.sum+int64(t.value), min(m.min, t.value), max(m.max, t.value)
	if t.beyond() {
		m.beyond++
	}
}

func (m *measured) each(series func(*prometheus.Desc, float64, ...string)) {
	g := &gauges[m.reading]
	series(readingDesc, g.value(m.min), m.city, m.kind, g.name, "min")
	series(readingDesc, float64(m.sum)/float64(m.n)/g.steps, m.city, m.kind, g.name, "avg")
	series(readingDesc, g.value(m.max), m.city, m.kind, g.name, "max")
	series(limitDesc, float64(m.n-m.beyond), m.city, m.kind, g.name, "within")
	series(limitDesc, float64(m.beyond), m.city, m.kind, g.name, "beyond")
}

// measured goes through the readings, shard by shard. Texts are looked up once for each cell, not for each device.
func (s *Service) measured() []*measured {
	type key struct {
		city, kind string
		reading    uint8
	}
	all := map[key]*measured{}
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.RLock()
		makes, of := s.makes.list(), map[uint64]*measured{}
		sh.liveTracks(func(t *track, r *row) {
			at := uint64(r.cell)<<8 | uint64(t.which())
			m := of[at]
			if m == nil {
				c := sh.cells.at(r.cell)
				k := key{sh.sites[c.site].City, makes[c.mk].kind, t.which()}
				if m = all[k]; m == nil {
					m = &measured{city: k.city, kind: k.kind, reading: k.reading}
					all[k] = m
				}
				of[at] = m
			}
			m.add(t)
		})
		sh.mu.RUnlock()
	}
	out := make([]*measured, 0, len(all))
	for _, m := range all {
		out = append(out, m)
	}
	if len(out) > maxMeasured {
		slices.SortFunc(out, func(a, b *measured) int { return b.beyond - a.beyond })
		out = out[:maxMeasured]
	}
	return out
}
