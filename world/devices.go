package world

import (
	"context"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

// beat is a heartbeat as a device sends it.
type beat struct {
	Store    string  `json:"store"`
	Device   string  `json:"device"`
	Kind     string  `json:"kind"`
	Model    string  `json:"model"`
	Firmware string  `json:"firmware"`
	At       string  `json:"at"`
	Status   string  `json:"status"`
	Battery  float64 `json:"battery,omitempty"`
}

// devices are the 50 devices of each store, speaking through their store's gateway: one batch a second.
type devices struct {
	client  *gocClient
	effects *effects

	mu       sync.Mutex
	firmware map[[2]string]string // store and kind → what is installed
	told     map[string]string    // device → the firmware that it last reported
}

func newDevices(c *gocClient, e *effects) *devices {
	return &devices{client: c, effects: e, firmware: map[[2]string]string{}, told: map[string]string{}}
}

// install puts a firmware on all devices of a kind in a store; "" puts the old one back.
func (d *devices) install(store, kind, firmware string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if firmware == "" {
		delete(d.firmware, [2]string{store, kind})
		return
	}
	d.firmware[[2]string{store, kind}] = firmware
}

// run sends one store's heartbeats until ctx ends. A batch that does not get through is not sent again: the next one is
// a second away, which is what a heartbeat is.
func (d *devices) run(ctx context.Context, store string, rng *rand.Rand) {
	offset := time.Duration(rng.Int64N(int64(time.Second)))
	select {
	case <-ctx.Done():
		return
	case <-time.After(offset):
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		if !d.effects.dark(store) {
			if batch := d.batch(store); len(batch) > 0 {
				d.client.do(ctx, http.MethodPost, "/api/v1/heartbeats", batch, nil)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// batch is what a store's devices say now. A device with a fresh firmware says so once, even if it then falls silent.
func (d *devices) batch(store string) []beat {
	d.mu.Lock()
	defer d.mu.Unlock()
	at := time.Now().UTC()
	now := at.Format("2006-01-02T15:04:05.000Z")
	var out []beat
	for _, k := range deviceKinds {
		fw := k.firmware
		if f := d.firmware[[2]string{store, k.name}]; f != "" {
			fw = f
		}
		silent := d.effects.silenced(store, k.name)
		for i := range k.n {
			name := fmt.Sprintf("%s-%02d", k.name, i+1)
			id := store + "/" + name
			if share(id) < silent && d.told[id] == fw {
				continue
			}
			d.told[id] = fw
			b := beat{Store: store, Device: name, Kind: k.name, Model: k.model, Firmware: fw, At: now, Status: "ok"}
			if k.handheld() {
				b.Battery = charge(id, at)
			}
			out = append(out, b)
		}
	}
	return out
}

// charge is how full a handheld's battery is: it lasts ten hours down to .3, and is then changed for a full one.
func charge(id string, at time.Time) float64 {
	const life = 10 * time.Hour
	_, used := math.Modf(share(id) + float64(at.UnixMilli()%(24*life.Milliseconds()))/float64(life.Milliseconds()))
	return math.Round((1-0.7*used)*1000) / 1000
}

// share maps a name to [0, 1), always the same.
func share(name string) float64 {
	h := fnv.New32a()
	h.Write([]byte(name))
	x := h.Sum32() * 2654435761
	return float64(x%10_000) / 10_000
}
