package fleet

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"goc/ops"
)

// discard is a journal that forgets.
type discard struct{ memory }

func (d *discard) Append(m ops.Mutation) *ops.Receipt {
	r := ops.NewReceipt()
	r.Settle(m.Events, nil)
	return r
}

// BenchmarkAMillionDevices says what the full fleet costs: memory a device, one repeat, one tick, one roll-up.
func BenchmarkAMillionDevices(b *testing.B) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	c := &clock{start}
	s, err := New(b.Context(), Options{Catalog: catalog(b), Journal: &discard{}, Now: c.now})
	if err != nil {
		b.Fatal(err)
	}
	batches := make([][]ops.Heartbeat, 1000)
	for i := range batches {
		for d := range 1000 {
			batches[i] = append(batches[i], ops.Heartbeat{Store: fmt.Sprintf("ST-%05d", i*10+d/100), Device: fmt.Sprintf("dev-%02d", d%100), Kind: "scale", Model: "X", Firmware: fmt.Sprint("4.", d%5)})
		}
		if n, _, err := s.Receive(b.Context(), ops.System, batches[i]); n != 1000 || err != nil {
			b.Fatal(n, err)
		}
		batches[i] = batches[i][:20] // the rest would be counted as the fleet's
		batches[i] = append([]ops.Heartbeat(nil), batches[i]...)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	perDevice := float64(after.HeapAlloc-before.HeapAlloc) / 1e6
	b.Run("a repeat", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			s.Receive(b.Context(), ops.System, batches[i%1000])
		}
		b.ReportMetric(b.Elapsed().Seconds()*1e9/float64(b.N)/20, "ns/beat")
		b.ReportMetric(perDevice, "B/device")
	})
	b.Run("a tick", func(b *testing.B) {
		for b.Loop() {
			c.t = c.t.Add(tick)
			s.tick()
		}
	})
	c.t = c.t.Add(10 * time.Minute)
	b.Run("a tick when nobody beats", func(b *testing.B) {
		s.ticked = c.t.UnixMilli()
		s.tick()
		for b.Loop() {
			c.t = c.t.Add(tick)
			s.tick()
		}
	})
	b.Run("a roll-up by city and kind", func(b *testing.B) {
		for b.Loop() {
			s.Rollup(b.Context(), ops.FleetQuery{GroupBy: []string{"city", "kind"}})
		}
	})
	b.Run("a roll-up by city and firmware", func(b *testing.B) {
		for b.Loop() {
			s.Rollup(b.Context(), ops.FleetQuery{GroupBy: []string{"city", "firmware"}})
		}
	})
	b.Run("the wall", func(b *testing.B) {
		for b.Loop() {
			s.Wall(b.Context())
		}
	})
}
