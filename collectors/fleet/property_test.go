package fleet

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"goc/ops"
)

var (
	propertyOps  = flag.Int("ops", 200_000, "operations of the property test, over all its seeds")
	propertySeed = flag.Uint64("seed", 0, "one seed of the property test; 0: the usual ones")
)

// walk is one random course of a fleet beside its model.
type walk struct {
	*fixture
	m        *model
	r        *rand.Rand
	seed     uint64
	done     int
	said     []string // the latest operations
	plain    bool     // nothing is taken to flap
	told     map[string]ops.DeviceState
	flapping map[string]bool // as the events tell it
	wall     []byte
	layout   uint32
}

// TestTheTableIsWhatItsRulesSay lets a fleet go through what may befall it: beats in order and out of it, by wrong clocks and
// in backlogs, imports, retirements, restarts, new catalogs, opening hours, holidays, our own pauses and flapping. After
// each operation it is what a naive model says. A failure names its seed: -seed N takes the same course again.
func TestTheTableIsWhatItsRulesSay(t *testing.T) {
	seeds := []uint64{1, 2, 3, 4, 5, 6}
	if *propertySeed != 0 {
		seeds = []uint64{*propertySeed}
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			w := newWalk(t, seed)
			for n := *propertyOps / len(seeds); w.done < n; w.done++ {
				w.step()
				if t.Failed() {
					t.Fatalf("after %d operations, the latest: %q", w.done, w.said)
				}
			}
			w.recount()
		})
	}
}

func newWalk(t *testing.T, seed uint64) *walk {
	w := &walk{r: rand.New(rand.NewPCG(seed, 7)), seed: seed, plain: seed%2 == 0, told: map[string]ops.DeviceState{}, flapping: map[string]bool{}}
	cfg := Config{Flap: FlapConfig{Window: ops.Duration(3 * time.Minute), Calm: ops.Duration(4 * time.Minute)}}
	if w.plain {
		cfg.Flap = FlapConfig{Changes: 16, Window: ops.Duration(time.Second)}
	}
	w.fixture = &fixture{t: t, c: &clock{start}, j: &memory{}}
	w.m = &model{cfg: cfg, catalog: w.someCatalog(), stores: map[string]*modelStore{}, devices: map[string]*modelDevice{}}
	w.begin()
	return w
}

// begin starts the service on what the journal holds.
func (w *walk) begin() {
	s, err := New(w.t.Context(), Options{Config: w.m.cfg, Catalog: w.m.catalog, Journal: w.j, Now: w.c.now})
	if err != nil {
		w.t.Fatal(err)
	}
	w.Service = s
	w.m.restart(w.c)
	w.layout = 0
	w.WatchWall(func(layout uint32, cells []uint32) {
		if layout != w.layout {
			w.layout = 0 // it must be fetched again
			return
		}
		for _, c := range cells {
			w.wall[c&(1<<24-1)] = byte(c >> 24)
		}
	})
}

// someCatalog is one of many that list the same stores.
func (w *walk) someCatalog() *ops.Catalog {
	pick := func(of ...string) string { return of[w.r.IntN(len(of))] }
	second := func(of ...int) ops.Duration { return ops.Duration(of[w.r.IntN(len(of))]) * ops.Duration(time.Second) }
	c := &ops.Catalog{
		Stores: []ops.Store{
			{ID: "AA-001", City: "Alpha", Hours: pick("", "00:00-24:00")},
			{ID: "BB-002", City: "Beta", Timezone: "Asia/Shanghai", Hours: pick("08:00-22:00", "09:00-10:10,10:20-21:00", "Mon-Fri 08:00-22:00; Sat,Sun 10:00-20:00")},
			{ID: "CC-003", City: "Alpha", Timezone: "Europe/Berlin", Hours: pick("18:00-04:00", "Mon-Sat 02:30-03:30", "closed")},
			{ID: "DD-004", City: "Beta", Timezone: "America/New_York", Hours: pick("20:00-22:00", "21:00-21:30", "")},
		},
		DeviceKinds: []ops.DeviceKind{
			{Name: "pos", Interval: second(5, 10), Grace: second(10, 20)},
			{Name: "scale", Interval: second(60), Grace: second(5, 30)},
		},
		Holidays: []ops.Holiday{{Date: start.AddDate(0, 0, w.r.IntN(3)).Format(time.DateOnly), Hours: pick("closed", "10:00-11:00"), City: []string{"Beta"}}},
	}
	if err := c.Index(); err != nil {
		w.t.Fatal(err)
	}
	return c
}

func (w *walk) say(format string, args ...any) {
	if w.said = append(w.said, fmt.Sprintf(format, args...)); len(w.said) > 12 {
		w.said = w.said[1:]
	}
}

// step does one operation and compares.
func (w *walk) step() {
	switch n := w.r.IntN(1000); {
	case n < 640:
		w.beats()
	case n < 960:
		w.passes(time.Duration(1+w.r.IntN([]int{2, 40, 99}[w.r.IntN(3)])) * tick)
	case n < 970:
		w.lists()
	case n < 974:
		w.retires()
	case n < 977:
		w.moves()
	case n < 982:
		w.say("reload")
		w.m.catalog = w.someCatalog()
		if err := w.Reload(w.m.catalog); err != nil {
			w.t.Error(err)
		}
		w.m.now = w.c.t.UnixMilli()
		w.m.look(w.c)
	case n < 986:
		w.restarts(w.r.IntN(2) == 0)
	case n < 990: // until just before a store opens or closes
		w.passes(w.untilHours() - time.Duration(w.r.IntN(400))*tick)
	case n < 996:
		w.checkpoint()
	default:
		w.recount()
	}
	if w.done%8 == 0 {
		w.compare()
	}
}

// passes lets time go by, and the loop look once: more than five seconds are a pause of our own.
func (w *walk) passes(d time.Duration) {
	if d = d.Truncate(tick); d <= 0 {
		return
	}
	w.c.t = w.c.t.Add(d)
	w.say("%s pass, it is %s", d, w.c.t)
	w.tick()
	w.m.tick(w.c)
	w.flushWall()
	w.compare()
}

func (w *walk) untilHours() time.Duration {
	next := w.c.t.Add(time.Hour)
	for _, st := range w.m.catalog.Stores {
		if _, _, until := w.m.catalog.Hours(st.ID).At(w.c.t); !until.IsZero() && until.Before(next) {
			next = until
		}
	}
	return next.Sub(w.c.t)
}

// someBeat is of one of few devices, a third of which have clocks of their own.
func (w *walk) someBeat() ops.Heartbeat {
	n := w.r.IntN(9)
	h := ops.Heartbeat{
		Store: []string{"AA-001", "BB-002", "CC-003", "DD-004", "XX-900"}[w.r.IntN(5)], Device: fmt.Sprint("d", n),
		Kind: []string{"pos", "pos", "scale", "other", ""}[n%5],
	}
	if w.r.IntN(3) == 0 {
		h.Firmware, h.Model = fmt.Sprint("4.", w.r.IntN(4)), fmt.Sprint("X", w.r.IntN(2))
	}
	if w.r.IntN(8) == 0 {
		h.Status = []string{"ok", "fault", "degraded"}[w.r.IntN(3)]
	}
	if n%3 == 0 { // its clock is wrong for some hundreds of operations, and then right again
		off := []time.Duration{0, -8 * time.Hour, 3 * time.Hour, 0, 100 * time.Second}[(w.done/700+n)%5]
		h.At = ops.At(w.c.t.Add(off - time.Duration(w.r.IntN(2000))*time.Millisecond))
	} else if w.r.IntN(4) == 0 {
		h.At = ops.At(w.c.t.Add(-time.Duration(w.r.IntN(3000)) * time.Millisecond))
	}
	return h
}

// beats sends one beat, a batch, a backlog of one device, or some that are refused.
func (w *walk) beats() {
	var good []ops.Heartbeat
	switch w.r.IntN(10) {
	case 0: // a gateway, with all of its devices
		first := w.someBeat()
		for range 9 {
			h := w.someBeat()
			h.Store = first.Store
			good = append(good, h)
		}
	case 1: // a backlog
		h := w.someBeat()
		at := h.At.Time
		if h.At.IsZero() {
			at = w.c.t
		}
		for i := range 1 + w.r.IntN(20) {
			h.At, h.Firmware = ops.At(at.Add(-time.Duration(i*w.r.IntN(900))*time.Second)), fmt.Sprint("4.", i%5)
			good = append(good, h)
		}
		w.r.Shuffle(len(good), func(i, j int) { good[i], good[j] = good[j], good[i] })
	default:
		for range 1 + w.r.IntN(3) {
			good = append(good, w.someBeat())
		}
	}
	in := good
	if w.r.IntN(20) == 0 {
		in = append([]ops.Heartbeat{{Store: "AA-001"}, {Store: "AA-001", Device: "d1", Status: "dead"}, {Store: "A/1", Device: "d1"}}, good...)
	}
	w.say("%d beats, the first %+v", len(in), in[len(in)-len(good)])
	n, rejected, err := w.Receive(w.t.Context(), ops.System, in)
	if n != len(good) || len(rejected) != len(in)-len(good) || err != nil {
		w.t.Errorf("Receive = %d, %v, %v", n, rejected, err)
	}
	w.m.now = w.c.t.UnixMilli()
	for _, h := range good {
		w.m.beat(h)
		d := w.m.devices[h.Store+"/"+h.Device]
		sh, _ := w.row(d)
		d.flapped = d.flapped || sh.flapping(w.id(d))
	}
}

func (w *walk) lists() {
	h := w.someBeat()
	h.At, h.Status = ops.Time{}, ""
	w.say("list %s/%s", h.Store, h.Device)
	if done, err := w.List(w.t.Context(), ops.System, []ops.Heartbeat{h}, false); err != nil || done.Rejected != nil {
		w.t.Error(done, err)
	}
	w.m.now = w.c.t.UnixMilli()
	w.m.list(h)
}

func (w *walk) retires() {
	h := w.someBeat()
	d := w.m.devices[h.Store+"/"+h.Device]
	if d == nil {
		return
	}
	w.say("retire %s", d.id)
	if err := w.retire(d.store, d.name); err != nil {
		w.t.Error(err)
	}
	w.m.now = w.c.t.UnixMilli()
	w.follow()
	delete(w.flapping, d.id) // it is never told to be calm
	w.m.retire(d)
}

// moves gives a device another store or another name.
func (w *walk) moves() {
	w.compare()
	ids := slices.Sorted(maps.Keys(w.m.devices))
	if len(ids) == 0 {
		return
	}
	d, to := w.m.devices[ids[w.r.IntN(len(ids))]], w.someBeat()
	if w.r.IntN(2) == 0 && len(ids) < 90 { // an id that is free; the old one may be taken by another device
		to.Device = fmt.Sprint("x", w.r.IntN(1000))
	}
	ref, err, id := ops.DeviceRef{Store: d.store, Device: d.name}, error(nil), to.Store+"/"+d.name
	if w.r.IntN(2) == 0 {
		_, err = w.Move(w.t.Context(), ops.System, ref, to.Store)
	} else {
		id = d.store + "/" + to.Device
		_, err = w.Rename(w.t.Context(), ops.System, ref, to.Device)
	}
	w.say("%s becomes %s: %v", d.id, id, err)
	if w.m.devices[id] != nil {
		if ops.KindOf(err) != ops.Conflict {
			w.t.Errorf("%s became %s, which there is: %v", d.id, id, err)
		}
		return
	}
	if err != nil {
		w.t.Error(err)
	}
	delete(w.m.devices, d.id)
	d.id, d.store, d.name, d.moved = id, id[:6], id[7:], w.c.t.UnixMilli()
	w.m.devices[id] = d
}

// restarts ends the service, in order or not, and begins a new one on what is on disk: all that was acknowledged or told
// must be there; last-seen is only where the end was in order.
func (w *walk) restarts(orderly bool) {
	w.say("restart, orderly=%v", orderly)
	w.compare()
	w.follow()
	if orderly {
		w.checkpoint()
	}
	w.c.t = w.c.t.Add(time.Duration(w.r.IntN(100)) * tick)
	w.begin()
	for _, d := range w.m.devices {
		sh, r := w.row(d)
		quiet := d.flapped && !orderly
		if !quiet && (r.state != d.state || r.since != d.since) || orderly && (r.seen != d.seen) {
			w.t.Errorf("after a restart (orderly=%v) %s is %s since %d seen %d, it was %s since %d seen %d", orderly, d.id, r.state, r.since, r.seen, d.state, d.since, d.seen)
		}
		if (d.clock != nil) != (sh.off(w.id(d)) != 0) {
			w.t.Errorf("after a restart the clock of %s is off by %d, it was %+v", d.id, sh.off(w.id(d)), d.clock)
		}
		d.seen, d.at, d.state, d.since = r.seen, r.at(), r.state, r.since
		if off := sh.off(w.id(d)); d.clock != nil {
			d.clock = &modelClock{samples: []int64{off, off, off}, offset: off, sure: true}
		}
	}
}

func (w *walk) id(d *modelDevice) uint32 {
	sh := &w.shards[shardOf(d.store)]
	id, ok := sh.find(&sh.sites[sh.index[d.store]], d.name)
	if !ok {
		w.t.Fatalf("%s is not found", d.id)
	}
	return id
}

func (w *walk) row(d *modelDevice) (*shard, *row) {
	sh := &w.shards[shardOf(d.store)]
	return sh, sh.rows.at(w.id(d))
}

// follow reads the events as a client does, and compares what it knows.
func (w *walk) follow() {
	w.j.mu.Lock()
	events := w.j.events
	w.j.events = nil
	w.j.mu.Unlock()
	for _, e := range events {
		switch e.Name {
		case "fleet.changed":
			var d told
			if err := json.Unmarshal(e.Data, &d); err != nil {
				w.t.Fatal(err)
			}
			for _, c := range d.Changes {
				if was, known := w.told[c.ID]; w.plain && known && was != c.From {
					w.t.Errorf("%s is told to have been %s, it was %s", c.ID, c.From, was)
				}
				w.told[c.ID] = c.To
			}
		case "fleet.moved", "fleet.renamed":
			var d struct{ From, To string }
			if err := json.Unmarshal(e.Data, &d); err != nil {
				w.t.Fatal(err)
			}
			if state, ok := w.told[d.From]; ok {
				w.told[d.To] = state
				delete(w.told, d.From)
			}
			if w.flapping[d.From] {
				w.flapping[d.To] = true
				delete(w.flapping, d.From)
			}
		case "fleet.flapping", "fleet.calm":
			var d flaps
			if err := json.Unmarshal(e.Data, &d); err != nil {
				w.t.Fatal(err)
			}
			for _, f := range slices.Concat(d.Stores, d.Devices) {
				if begins := e.Name == "fleet.flapping"; w.flapping[f.ID] == begins {
					w.t.Errorf("%s is told twice for %s", e.Name, f.ID)
				} else if begins {
					w.flapping[f.ID] = true
				} else {
					delete(w.flapping, f.ID)
				}
			}
		}
	}
}
