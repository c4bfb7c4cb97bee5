package simulate

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"
)

// Bounds of a simulated fleet.
const (
	MaxDevices  = 10_000_000
	maxPerStore = 10_000
	cityCount   = 20
	cityRegions = 4 // a region has five cities
)

// Fleet is a simulated fleet without its troubles, for whoever sends its beats by other ways.
type Fleet struct {
	fleet
	form form
}

// NewFleet makes the fleet that Run would drive.
func NewFleet(devices, perStore int, seed uint64) *Fleet {
	return &Fleet{*newFleet(devices, perStore, seed), form{kinds: chainKinds()}}
}

// AppendBeats renders the beats of devices from to to, as a JSON array.
func (f *Fleet) AppendBeats(b []byte, from, to int, at time.Time) []byte {
	b, _ = f.appendBeats(b, &f.form, from, to, moment{unixMs: at.UnixMilli()}, nil, 0)
	return b
}

// Labels are what a device is called and is, in the words of a heartbeat.
func (f *Fleet) Labels(device int) (store, name, kind, model, firmware string) {
	d := device % f.perStore
	k := &f.form.kinds[f.kinds[d]]
	m := &k.makes[f.makes[device]]
	return StoreID(device / f.perStore), fmt.Sprintf("%s-%02d", k.name, d+1), k.name, m.model, m.firmware
}

// fleet is who there is: stores one after another, each with the same set of devices, in cities of as many stores each.
type fleet struct {
	devices, perStore, stores int

	makes []uint8  // of each device: into kinds[k].makes
	names [][]byte // of each device of a store, from its name to its model: `pos-03","kind":"pos","model":"`
	kinds []uint8  // of each device of a store
	rng   uint64   // mixes into every choice that falls on a store or device
}

// kind is a kind of device as the simulated chain has it: how many of ten devices are one, and what runs on them.
type kind struct {
	name  string
	tenth int
	makes []make_
}

// make_ is a model with its firmware, as a body holds them.
type make_ struct {
	model, firmware string
	usual, fresh    []byte // from the model to the time: `X1","firmware":"4.2.1","at":`, with the old and the new firmware
}

// freshFirmware is what the scenario firmware rolls out.
const freshFirmware = "9.0.0"

// chainKinds are the kinds of the simulated chain, the same as in the demo.
func chainKinds() []kind {
	of := func(name string, tenth int, models, firmwares []string) kind {
		k := kind{name: name, tenth: tenth}
		for _, m := range models {
			for _, f := range firmwares {
				piece := func(v string) []byte { return []byte(m + `","firmware":"` + v + `","at":`) }
				k.makes = append(k.makes, make_{m, f, piece(f), piece(freshFirmware)})
			}
		}
		return k
	}
	return []kind{
		of("pos", 2, []string{"X1", "X2"}, []string{"4.2.0", "4.2.1"}),
		of("scanner", 3, []string{"S5", "S7"}, []string{"1.8.2", "1.9.0"}),
		of("scale", 2, []string{"W3"}, []string{"2.0.4", "2.0.5"}),
		of("rider_terminal", 2, []string{"R2", "R3"}, []string{"7.1.0", "7.1.3"}),
		of("label_gateway", 1, []string{"L1"}, []string{"3.3.3"}),
	}
}

func newFleet(devices, perStore int, seed uint64) *fleet {
	f := &fleet{devices: devices, perStore: perStore, stores: (devices + perStore - 1) / perStore, rng: seed}
	kinds := chainKinds()
	for d := range perStore {
		k := 0
		for tenth := d % 10; tenth >= kinds[k].tenth; k++ {
			tenth -= kinds[k].tenth
		}
		f.kinds = append(f.kinds, uint8(k))
		f.names = append(f.names, fmt.Appendf(nil, `%s-%02d","kind":"%s","model":"`, kinds[k].name, d+1, kinds[k].name))
	}
	f.makes = make([]uint8, devices)
	rng := rand.New(rand.NewPCG(seed, 1))
	for i := range f.makes {
		f.makes[i] = uint8(rng.IntN(len(kinds[f.kinds[i%perStore]].makes)))
	}
	return f
}

// StoreID is the id of the nth simulated store, from 0.
func StoreID(n int) string { return fmt.Sprintf("SIM-%06d", n+1) }

// city is which city a store is in, from 0.
func (f *fleet) city(store int) int { return store * cityCount / f.stores }

// CityName is the name of a simulated city, RegionName that of the region that it lies in.
func CityName(city int) string { return fmt.Sprintf("sim-city-%02d", city+1) }

func RegionName(city int) string { return fmt.Sprintf("sim-region-%d", city*cityRegions/cityCount+1) }

// chance is a number in [0, 1) that is always the same for one seed, purpose and thing.
func (f *fleet) chance(purpose, thing uint64) float64 {
	x := f.rng ^ purpose<<56 ^ (thing+1)*0x9e3779b97f4a7c15 // splitmix64
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return float64((x^x>>31)>>11) / (1 << 53)
}

// form is how a body is written.
type form struct {
	kinds []kind
	lines bool // NDJSON; else a JSON array
}

// appendBeats renders the beats of devices from to to at a moment, as the scenarios have it. It returns how many speak.
func (f *fleet) appendBeats(b []byte, how *form, from, to int, m moment, trouble []scenario, ago int64) (_ []byte, n int) {
	store, prefix, digits := -1, [64]byte{}, [20]byte{}
	lead, now := prefix[:0], strconv.AppendInt(digits[:0], m.unixMs-ago, 10)
	between, array := byte(','), !how.lines && to-from > 1
	if how.lines {
		between = '\n'
	}
	for i := from; i < to; i++ {
		if s := i / f.perStore; s != store {
			store = s
			lead = append(append(append(prefix[:0], `{"store":"`...), StoreID(s)...), `","device":"`...)
		}
		e := f.befalls(&m, trouble, store, i)
		if e.silent {
			continue
		}
		if n > 0 {
			b = append(b, between)
		} else if array {
			b = append(b, '[')
		}
		n++
		b = append(append(b, lead...), f.names[i%f.perStore]...)
		b = f.appendRest(b, how, i, &e, now, m.unixMs-ago)
	}
	if n > 0 && array {
		b = append(b, ']')
	}
	return b, n
}

// befalls is what the scenarios make of a device at a moment.
func (f *fleet) befalls(m *moment, trouble []scenario, store, device int) (e effect) {
	for t := range trouble {
		trouble[t].of(f, m, store, device, &e)
	}
	return e
}

// appendRest writes a beat from its model on; now is its time as text.
func (f *fleet) appendRest(b []byte, how *form, i int, e *effect, now []byte, unixMs int64) []byte {
	mk := &how.kinds[f.kinds[i%f.perStore]].makes[f.makes[i]]
	if e.fresh {
		b = append(b, mk.fresh...)
	} else {
		b = append(b, mk.usual...)
	}
	if e.skewMs == 0 {
		b = append(b, now...)
	} else {
		b = strconv.AppendInt(b, unixMs+e.skewMs, 10)
	}
	return append(b, `,"status":"ok"}`...)
}
