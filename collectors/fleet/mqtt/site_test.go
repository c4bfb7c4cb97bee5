package mqtt_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"goc/collectors/fleet/mqtt"
	"goc/ops"
)

// table is a fleet that remembers what it was told.
type table struct {
	mu    sync.Mutex
	beats []ops.Heartbeat
	err   error         // what Receive answers
	hold  chan struct{} // where set, Receive waits for it to be closed
}

func (f *table) Receive(ctx context.Context, _ ops.Principal, beats []ops.Heartbeat) (int, []ops.Rejected, error) {
	f.mu.Lock()
	hold := f.hold
	f.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return 0, nil, ctx.Err()
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return 0, nil, f.err
	}
	f.beats = append(f.beats, beats...)
	return len(beats), nil, nil
}

func (f *table) has(store, device string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, b := range f.beats {
		if b.Store == store && b.Device == device {
			return true
		}
	}
	return false
}

// events is a journal that keeps events.
type events struct {
	mu   sync.Mutex
	seen []ops.Event
}

func (j *events) Append(m ops.Mutation) *ops.Receipt {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.seen = append(j.seen, m.Events...)
	r := ops.NewReceipt()
	r.Settle(m.Events, nil)
	return r
}

func (j *events) named(name string) (out []ops.Event) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, e := range j.seen {
		if e.Name == name {
			out = append(out, e)
		}
	}
	return out
}

// site is a service under test with what it speaks to.
type site struct {
	*mqtt.Service
	fleet   *table
	journal *events
	metrics *prometheus.Registry
	mu      sync.Mutex
	revoked map[string]bool // by secret
}

// secrets are the passwords of this test's fleet, and for whom they speak.
var secrets = map[string]ops.Principal{
	"s-pos":     {Name: "device:SH-001/pos-03", Role: ops.Agent},
	"s-dotted":  {Name: "device:SH.1/pos.a", Role: ops.Agent},
	"s-gateway": {Name: "store:SH-001", Role: ops.Agent},
	"s-chain":   {Name: "chain-gateway", Role: ops.Agent},
	"s-viewer":  {Name: "somebody", Role: ops.Viewer},
}

func open(t testing.TB, change func(*mqtt.Options)) *site {
	t.Helper()
	s := &site{fleet: &table{}, journal: &events{}, metrics: prometheus.NewRegistry(), revoked: map[string]bool{}}
	o := mqtt.Options{
		Config: mqtt.Config{Listen: "127.0.0.1:0"}, Dir: filepath.Join(t.TempDir(), "mqtt"), Fleet: s.fleet, Journal: s.journal,
		Registerer: s.metrics, Admit: s.admit, Still: s.still,
	}
	if testing.Verbose() {
		o.Logger = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelInfo}))
	}
	if change != nil {
		change(&o)
	}
	var err error
	if s.Service, err = mqtt.New(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-done, s.Close()); err != nil {
			t.Error(err)
		}
	})
	return s
}

func (s *site) admit(_ context.Context, user, password string) (mqtt.Pass, error) {
	p, ok := secrets[password]
	if !ok {
		return mqtt.Pass{}, ops.Errorf(ops.Unauthenticated, "not known")
	}
	return mqtt.Pass{Principal: p, Key: password}, nil
}

func (s *site) still(p mqtt.Pass) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.revoked[p.Key]
}

// counted is the value of a metric, with one label where one is given as name=value.
func (s *site) counted(t testing.TB, name, label string) float64 {
	t.Helper()
	all, err := s.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.Metric {
			if label == "" || hasLabel(m, label) {
				return m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	t.Fatalf("no metric %s %s", name, label)
	return 0
}

func hasLabel(m *dto.Metric, label string) bool {
	for _, l := range m.Label {
		if l.GetName()+"="+l.GetValue() == label {
			return true
		}
	}
	return false
}

// eventually waits until ok is true, and fails the test where that takes too long.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); {
		if time.Now().After(deadline) {
			t.Fatal("never: " + what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
