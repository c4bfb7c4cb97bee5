package fleet

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

var (
	flappingDesc   = prometheus.NewDesc("goc_fleet_flapping_devices", "Devices whose own link comes and goes, by city and kind.", []string{"city", "kind"}, nil)
	flapStoresDesc = prometheus.NewDesc("goc_fleet_flapping_stores", "Stores whose link comes and goes, by city.", []string{"city"}, nil)
	clocksDesc     = prometheus.NewDesc("goc_fleet_wrong_clocks", "Devices whose clock is known to be wrong, by kind.", []string{"kind"}, nil)
)

// odd is what a scrape has shown of the few devices that are odd.
type odd struct {
	mu      sync.Mutex
	devices map[[2]string]int // by city and kind
	stores  map[string]int    // by city
	clocks  map[string]int    // by kind
}

// reset sets all counts to zero and keeps their keys, unless those are many more than a fleet has.
func (o *odd) reset() {
	if o.devices == nil || len(o.devices)+len(o.stores)+len(o.clocks) > maxKinds {
		o.devices, o.stores, o.clocks = map[[2]string]int{}, map[string]int{}, map[string]int{}
	}
	for k := range o.devices {
		o.devices[k] = 0
	}
	for k := range o.stores {
		o.stores[k] = 0
	}
	for k := range o.clocks {
		o.clocks[k] = 0
	}
}

// rare shows how many devices are odd. What has once been above zero is shown from then on.
func (s *Service) rare(gauge func(*prometheus.Desc, float64, ...string)) {
	s.odd.mu.Lock()
	defer s.odd.mu.Unlock()
	s.odd.count(s)
	for k, n := range s.odd.devices {
		gauge(flappingDesc, float64(n), k[0], k[1])
	}
	for city, n := range s.odd.stores {
		gauge(flapStoresDesc, float64(n), city)
	}
	for kind, n := range s.odd.clocks {
		gauge(clocksDesc, float64(n), kind)
	}
}

// count counts what flaps and the clocks that are wrong: by what the side tables hold, not by device.
func (o *odd) count(s *Service) {
	o.reset()
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.RLock()
		makes := s.makes.list()
		for id := range sh.flaps {
			o.devices[[2]string{sh.siteOf(id).City, makes[sh.cells.at(sh.rows.at(id).cell).mk].kind}]++
		}
		for site := range sh.gates {
			if sh.storeFlaps(site) {
				o.stores[sh.sites[site].City]++
			}
		}
		for id, c := range sh.clocks {
			if c.sure {
				o.clocks[makes[sh.cells.at(sh.rows.at(id).cell).mk].kind]++
			}
		}
		sh.mu.RUnlock()
	}
}
