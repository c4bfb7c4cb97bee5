package fleet

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"goc/ops"
)

// Batches that speak of many stores at once, in any order, while the loop, roll-ups, the wall and a reload go on.
func TestBatchesOfManyStoresGetAlong(t *testing.T) {
	s, err := New(t.Context(), Options{Catalog: catalog(t), Journal: &memory{}})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(1, uint64(w)))
			for range 50 {
				var beats []ops.Heartbeat
				for range 40 {
					h := pos(fmt.Sprintf("ST-%02d", r.IntN(60)), r.IntN(10))
					h.Firmware = fmt.Sprint("4.", r.IntN(3))
					beats = append(beats, h)
				}
				if n, rejected, err := s.Receive(context.Background(), ops.System, beats); n != 40 || err != nil {
					t.Errorf("Receive = %d, %v, %v", n, rejected, err)
				}
			}
		})
	}
	wg.Go(func() {
		for i := range 50 {
			s.tick()
			s.flushWall()
			s.checkpoint()
			if i%10 == 0 {
				s.Reload(catalog(t))
			}
			s.Rollup(context.Background(), ops.FleetQuery{GroupBy: []string{"city", "firmware"}})
			s.Wall(context.Background())
		}
	})
	wg.Wait()
	total := 0
	for i := range s.shards {
		for id := range s.shards[i].rows.n {
			if s.shards[i].rows.at(id).flags&changing != 0 {
				t.Fatal("a device is left as if its batch were still being worked on")
			}
			total++
		}
	}
	if int64(total) != s.devices.Load() {
		t.Errorf("%d rows, counted %d", total, s.devices.Load())
	}
}

// A late device beats again before it would have been looked at: it must come up one interval later, not at the time
// that its lateness was to end, and finding that out must not cost a walk through all that are late with it.
func TestABeatNeverTakesARowFromItsSlot(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		f := newFixture(t, Config{})
		kinds := []string{"pos", "scale", "other"}
		for range rapid.IntRange(1, 60).Draw(rt, "steps") {
			d := rapid.IntRange(0, 5).Draw(rt, "device")
			h := ops.Heartbeat{Store: "SH-00" + fmt.Sprint(1+d%2), Device: fmt.Sprint("d", d), Kind: kinds[d%3]}
			before := int64(0)
			sh := &f.shards[shardOf(h.Store)]
			if site, ok := sh.index[h.Store]; ok {
				if id, ok := sh.find(&sh.sites[site], h.Device); ok && sh.rows.at(id).hung != 0 {
					before = int64(sh.rows.at(id).hung) + sh.firstTick
				}
			}
			interval := f.kindInfo(h.Kind).interval
			if latest := ceilTick(f.c.t.UnixMilli() + interval + 1); before > latest {
				rt.Fatalf("it hangs at tick %d, and a beat now needs it at %d", before, latest)
			}
			f.beat(h)
			f.pass(time.Duration(rapid.SampledFrom([]int{50, 3000, 9000, 12000, 29000, 61000}).Draw(rt, "ms")) * time.Millisecond)
		}
	})
}

// A store whose devices call themselves something else with every beat costs no more cells than it has devices.
func TestInventedFirmwareCostsNoMemory(t *testing.T) {
	f := newFixture(t, Config{})
	for i := range 500 {
		for d := range 3 {
			h := pos("SH-001", d)
			h.Firmware = fmt.Sprint("v", i, "-", d)
			f.beat(h)
		}
	}
	sh := &f.shards[shardOf("SH-001")]
	if n := len(sh.sites[sh.index["SH-001"]].cells); n > 4 {
		t.Errorf("three devices have %d cells", n)
	}
}

// Firmware that was invented and given up makes room for what is real.
func TestMakesThatNoDeviceHasAreForgotten(t *testing.T) {
	f := newFixture(t, Config{})
	h := pos("SH-001", 1)
	for i := 0; ; i++ {
		h.Firmware = fmt.Sprint("v", i)
		if n, _, _ := f.Receive(t.Context(), ops.System, []ops.Heartbeat{h}); n == 0 {
			if i < maxMakes {
				t.Fatalf("full after %d", i)
			}
			break
		}
	}
	f.sweep()
	f.beat(h, pos("BJ-001", 1))
	if d, _ := f.Device(t.Context(), "SH-001", "pos-01"); d.Firmware != h.Firmware || d.Kind != "pos" {
		t.Errorf("the device is %+v", d)
	}
	if d, _ := f.Device(t.Context(), "BJ-001", "pos-01"); d.Firmware != "4.2.1" || d.Model != "X1" {
		t.Errorf("the device is %+v", d)
	}
	if n := len(f.makes.list()); n != maxMakes+1 { // and the blank one
		t.Errorf("%d makes are kept", n)
	}
}

// A combination that comes back after it was forgotten has one id, whatever is swept after.
func TestAMakeThatComesBackHasOneId(t *testing.T) {
	m := newMakes(func(string) kindInfo { return kindInfo{} })
	for i := range 5 {
		m.of("pos", "X", fmt.Sprint(i))
	}
	m.sweep(func(uint32) bool { return false })
	a, _ := m.of("pos", "X", "0")
	m.sweep(func(id uint32) bool { return id == a })
	if b, _ := m.of("pos", "X", "0"); a != b || a == 0 {
		t.Errorf("its id is %d, and then %d", a, b)
	}
}

// weighing is a journal that knows its largest mutation.
type weighing struct {
	memory
	largest int
}

func (m *weighing) Append(mu ops.Mutation) *ops.Receipt {
	m.largest = max(m.largest, len(mu.Put)+len(mu.Delete))
	return m.memory.Append(mu)
}

// Many links become calm at once: it is told in pieces, none larger than what the journal takes.
func TestManyThatBecomeCalmAtOnceAreWrittenInPieces(t *testing.T) {
	c, j := &clock{start}, &weighing{}
	s, err := New(t.Context(), Options{Catalog: catalog(t), Journal: j, Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	for b := range 3 {
		beats := make([]ops.Heartbeat, MaxBatch)
		for i := range beats {
			beats[i] = ops.Heartbeat{Store: fmt.Sprintf("ST-%04d", i%500), Device: fmt.Sprint("d", b, i), Kind: "scale"}
		}
		if n, _, err := s.Receive(t.Context(), ops.System, beats); n != MaxBatch || err != nil {
			t.Fatal(n, err)
		}
	}
	flaps := 0
	for i := range s.shards {
		sh := &s.shards[i]
		for id := range sh.rows.n {
			sh.rows.at(id).flags |= flapping
			sh.flaps[id] = flap{since: start.UnixMilli(), last: start.UnixMilli()}
			flaps++
		}
	}
	j.largest = 0
	for range 3 { // they go late and offline meanwhile, which is a change of those that still flap
		c.t = c.t.Add(time.Duration(s.flap.calm) * time.Millisecond)
		for range 50 {
			c.t = c.t.Add(tick)
			s.ticked = c.t.UnixMilli()
			s.tick()
		}
	}
	left := 0
	for i := range s.shards {
		left += len(s.shards[i].flaps)
	}
	if flaps != 3*MaxBatch || left != 0 || j.largest > 20_000 {
		t.Errorf("of %d that flapped %d still do; the largest mutation has %d records", flaps, left, j.largest)
	}
}
