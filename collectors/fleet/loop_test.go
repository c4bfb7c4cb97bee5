package fleet

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"goc/ops"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestTheLoopIsPromptAndEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &memory{}
		s, err := New(t.Context(), Options{Catalog: catalog(t), Journal: j})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		time.Sleep(3 * time.Millisecond) // off the ticks
		began := time.Now()
		if _, _, err := s.Receive(ctx, ops.System, []ops.Heartbeat{pos("SH-001", 1)}); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			due  time.Duration
			want ops.DeviceState
		}{{10 * time.Second, ops.Late}, {30 * time.Second, ops.Offline}} {
			time.Sleep(c.due - time.Since(began))
			synctest.Wait()
			if d, _ := s.Device(ctx, "SH-001", "pos-01"); d.State == c.want {
				t.Errorf("it is %s before its time", d.State)
			}
			time.Sleep(250 * time.Millisecond)
			synctest.Wait()
			if d, _ := s.Device(ctx, "SH-001", "pos-01"); d.State != c.want {
				t.Errorf("it is %s 250 ms after it was due to be %s", d.State, c.want)
			}
		}
		s.Receive(ctx, ops.System, []ops.Heartbeat{pos("SH-001", 1)})
		time.Sleep(5 * time.Second)
		s.Receive(ctx, ops.System, []ops.Heartbeat{pos("SH-001", 1)}) // a repeat: only in memory
		seen := time.Now()
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		again, err := New(t.Context(), Options{Catalog: catalog(t), Journal: j})
		if err != nil {
			t.Fatal(err)
		}
		if d, _ := again.Device(t.Context(), "SH-001", "pos-01"); !d.SeenAt.Equal(seen.Truncate(time.Millisecond)) {
			t.Errorf("after an orderly end it was last seen at %s, want %s", d.SeenAt, seen)
		}
	})
}
