package world

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"time"

	"goc/ops"
)

// FaultKinds are the ways in which the world breaks.
var FaultKinds = [...]string{"bad_release", "bad_price_list", "link_down", "bad_firmware", "slow_database"}

// slowness is what a slow database adds to each call: enough to stand out on a busy laptop.
const slowness = 1500 * time.Millisecond

// Fault is one line of faults.jsonl: what was broken, for checking only. GOC never reads it.
type Fault struct {
	At           ops.Time  `json:"at"`
	Kind         string    `json:"fault"`
	Scope        ops.Scope `json:"scope"`
	GuiltyChange *string   `json:"guilty_change"`
	EndedAt      ops.Time  `json:"ended_at"`
	Drill        string    `json:"drill,omitempty"`
}

// faults breaks the world and mends it again.
type faults struct {
	file    string
	effects *effects
	ci      *ci
	devices *devices
	say     func(who, format string, args ...any)

	mu   sync.Mutex
	rng  *rand.Rand
	n    int
	open map[string]*Fault // by key: the guilty change's id, or F-n
}

func newFaults(dir string, e *effects, c *ci, d *devices, rng *rand.Rand, say func(string, string, ...any)) *faults {
	return &faults{file: filepath.Join(dir, "faults.jsonl"), effects: e, ci: c, devices: d, rng: rng, say: say, open: map[string]*Fault{}}
}

// start breaks the world in one way and returns the fault's key and the guilty change, "" when no change did it.
func (f *faults) start(ctx context.Context, kind, drill string) (key, change string, err error) {
	switch kind {
	case "bad_release":
		change, err = f.badRelease(ctx, drill)
	case "bad_price_list":
		change, err = f.badPrices(ctx, drill)
	case "bad_firmware":
		change, err = f.badFirmware(ctx, drill)
	case "slow_database":
		if f.draw(2) == 0 {
			change, err = f.slowDatabase(ctx, drill)
		} else {
			return f.tiredDatabase(drill), "", nil
		}
	case "link_down":
		return f.linkDown(drill), "", nil
	default:
		return "", "", ops.Errorf(ops.Invalid, "unknown fault").WithHint(fmt.Sprint("one of ", FaultKinds))
	}
	return change, change, err
}

func (f *faults) draw(n int) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.rng.IntN(n)
}

// rings splits the stores by the faults' own draws, so that what else the CI does changes nothing of what breaks.
func (f *faults) rings() [][]string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return rings(f.rng)
}

// began notes a fault from the moment at which it does harm.
func (f *faults) began(key, kind, drill, change string, scope ops.Scope) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.open[key] != nil {
		return
	}
	fault := &Fault{At: ops.At(time.Now()), Kind: kind, Scope: scope, Drill: drill}
	if change != "" {
		fault.GuiltyChange = &change
	}
	f.open[key] = fault
}

// ended mends what a key broke and writes the line. Calling it again does nothing.
func (f *faults) ended(key string) {
	f.effects.clear(key)
	f.mu.Lock()
	fault := f.open[key]
	delete(f.open, key)
	f.mu.Unlock()
	if fault == nil {
		return
	}
	fault.EndedAt = ops.At(time.Now())
	f.write(fault)
}

func (f *faults) write(fault *Fault) {
	line, err := json.Marshal(fault)
	if err != nil {
		return
	}
	out, err := os.OpenFile(f.file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		f.say("world", "cannot write %s: %v", f.file, err)
		return
	}
	defer out.Close()
	out.Write(append(line, '\n'))
}

// close writes the faults that still hold when the world ends.
func (f *faults) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, fault := range f.open {
		f.write(fault)
	}
}

// any says whether something is broken now.
func (f *faults) any() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.open) > 0
}

// byDrill finds the keys that a drill broke; "" finds all.
func (f *faults) byDrill(drill string) (keys []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for k, fault := range f.open {
		if drill == "" || fault.Drill == drill {
			keys = append(keys, k)
		}
	}
	return keys
}

// harmful is a release whose every ring breaks something.
func (f *faults) harmful(r release, kind string, b broken) release {
	r.apply = func(id string, stores []string) {
		f.effects.set(id, b.in(stores))
		f.began(id, kind, r.drill, id, ops.Scope{Service: oneOf(r.service), Store: stores, Kind: oneOf(b.kind)})
	}
	r.undo = func(id string, _ []string) { f.ended(id) }
	r.firstOnly = true
	return r
}

// in is b in these stores.
func (b broken) in(stores []string) broken {
	b.stores = map[string]bool{}
	for _, s := range stores {
		b.stores[s] = true
	}
	return b
}

func oneOf(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

func (f *faults) badRelease(ctx context.Context, drill string) (string, error) {
	names := []string{"pricing", "cart", "checkout", "payment-gateway", "order-core", "inventory"}
	svc := names[f.draw(len(names))]
	v, p := f.ci.next(svc)
	r := release{kind: ops.KindRelease, service: svc, version: v, previous: p, title: svc + " " + v, risk: "medium", rings: f.rings(), drill: drill, reviews: reviewed(svc, v)}
	return f.ci.launch(ctx, f.harmful(r, "bad_release", broken{service: svc, effect: effect{failing: 0.7}}))
}

func (f *faults) badPrices(ctx context.Context, drill string) (string, error) {
	rings := f.rings()
	r := release{kind: ops.KindPrice, service: "pricing", title: "price list: autumn week 47", risk: "medium", rings: [][]string{rings[1]}, drill: drill, reviews: reviewed("pricing", "autumn-47")}
	return f.ci.launch(ctx, f.harmful(r, "bad_price_list", broken{service: "pricing", effect: effect{failing: 0.55}}))
}

func (f *faults) badFirmware(ctx context.Context, drill string) (string, error) {
	rings := f.rings()
	version := fmt.Sprintf("2.8.%d", f.draw(90))
	r := release{
		kind: ops.KindFirmware, title: "scanner firmware " + version, version: version, previous: "2.7.3", risk: "medium",
		scope: ops.Scope{Kind: []string{"scanner"}}, rings: [][]string{rings[1]}, drill: drill,
	}
	r = f.harmful(r, "bad_firmware", broken{kind: "scanner", silent: 0.85})
	apply, undo := r.apply, r.undo
	r.apply = func(id string, stores []string) {
		for _, s := range stores {
			f.devices.install(s, "scanner", version)
		}
		apply(id, stores)
	}
	r.undo = func(id string, stores []string) {
		for _, s := range stores {
			f.devices.install(s, "scanner", "")
		}
		undo(id, stores)
	}
	return f.ci.launch(ctx, r)
}

func (f *faults) slowDatabase(ctx context.Context, drill string) (string, error) {
	db := []string{"order-db", "inventory-db"}[f.draw(2)]
	r := release{kind: ops.KindDatabase, service: db, title: db + ": rebuild index on line_items", risk: "high", rings: [][]string{storeIDs()}, drill: drill, reviews: reviewed(db, "index")}
	return f.ci.launch(ctx, f.harmful(r, "slow_database", broken{service: db, effect: effect{delay: slowness}}))
}

// tiredDatabase is slow for no reason that anyone recorded.
func (f *faults) tiredDatabase(drill string) string {
	db := []string{"order-db", "inventory-db"}[f.draw(2)]
	key := f.key()
	f.effects.set(key, broken{service: db, effect: effect{delay: slowness}})
	f.began(key, "slow_database", drill, "", ops.Scope{Service: []string{db}})
	return key
}

func (f *faults) linkDown(drill string) string {
	ids := storeIDs()
	store := ids[f.draw(len(ids))]
	key := f.key()
	f.effects.set(key, broken{stores: map[string]bool{store: true}, dark: true})
	f.began(key, "link_down", drill, "", ops.Scope{Store: []string{store}})
	return key
}

func (f *faults) key() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.n++
	return fmt.Sprintf("F-%d", f.n)
}

// mend ends a fault whichever way it came about.
func (f *faults) mend(ctx context.Context, key, note string) error {
	f.mu.Lock()
	fault := f.open[key]
	f.mu.Unlock()
	if fault != nil && fault.GuiltyChange != nil {
		return f.ci.rollback(ctx, key, note)
	}
	f.ended(key)
	return nil
}

// seeded is a source of draws that is the same for the same seed.
func seeded(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 2)) }
