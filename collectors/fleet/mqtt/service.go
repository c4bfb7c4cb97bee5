package mqtt

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"goc/ops"
)

// Fleet takes heartbeats; collectors/fleet.Service is one. When it returns without an error, what the beats changed is
// on disk.
type Fleet interface {
	Receive(ctx context.Context, who ops.Principal, beats []ops.Heartbeat) (accepted int, rejected []ops.Rejected, err error)
}

// Pass says for whom a login may speak: an agent named device:STORE/DEVICE for that device, one named store:STORE for
// that store's, one of any other name for all.
type Pass struct {
	Principal ops.Principal
	Key       string    // what Still knows the credential by
	Expires   time.Time // zero: never
}

// Options is what this way in needs. Fleet, Journal, Admit and Still are required; a nil Registerer registers nothing.
type Options struct {
	Config  Config
	Dir     string // of the embedded server, unless Config.StoreDir names one
	Fleet   Fleet
	Journal interface {
		Append(ops.Mutation) *ops.Receipt
	}
	Admit      func(ctx context.Context, user, password string) (Pass, error) // the error of a login that is refused
	Still      func(Pass) bool                                                // whether a login would be admitted now
	Bound      bool                                                           // admits only credentials that are bound to a store or device
	Anonymous  bool                                                           // lets anyone in who comes from loopback without a user
	Registerer prometheus.Registerer
	Logger     *slog.Logger
	Now        func() time.Time // nil: time.Now
}

// Service is the embedded server and the connections to brokers.
type Service struct {
	o       Options
	count   *counters
	own     *gatherer       // of what comes to the embedded server
	foreign *gatherer       // of what comes from brokers
	server  *embeddedServer // nil where Config.Listen is empty
	brokers []*broker
}

// New starts the embedded server. Run must be running for messages to be taken; Close ends what New began.
func New(_ context.Context, o Options) (*Service, error) {
	if err := o.Config.Validate(); err != nil {
		return nil, err
	}
	if o.Fleet == nil || o.Journal == nil || o.Admit == nil || o.Still == nil {
		return nil, ops.Errorf(ops.Internal, "mqtt: Fleet, Journal, Admit and Still are required")
	}
	o.Config = o.Config.filled()
	if o.Config.StoreDir == "" {
		o.Config.StoreDir = o.Dir
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Service{o: o, count: newCounters()}
	s.own, s.foreign = newGatherer(o, s.count, ours), newGatherer(o, s.count, theirs)
	for _, b := range o.Config.Brokers {
		one, err := newBroker(b, s)
		if err != nil {
			return nil, err
		}
		s.brokers = append(s.brokers, one)
	}
	if o.Registerer != nil && o.Config.On() {
		if err := o.Registerer.Register(s); err != nil {
			return nil, err
		}
	}
	if o.Config.Listen == "" {
		return s, nil
	}
	var err error
	s.server, err = startServer(s)
	return s, err
}

// Run takes messages until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	if !s.o.Config.On() {
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var loops sync.WaitGroup
	defer loops.Wait()
	loops.Go(func() { s.own.run(ctx) })
	loops.Go(func() { s.foreign.run(ctx) })
	for _, b := range s.brokers {
		loops.Go(func() { b.run(ctx) })
	}
	if s.server == nil {
		<-ctx.Done()
		return nil
	}
	err := s.server.run(ctx)
	cancel()
	return err
}

// Addr is where the embedded server listens, "" where there is none.
func (s *Service) Addr() string {
	if s.server == nil {
		return ""
	}
	return s.server.addr
}

// Missing says what is not up, for /readyz; nothing when all is.
func (s *Service) Missing() (out []string) {
	if s.server != nil && !s.server.up() {
		out = append(out, "the embedded MQTT server is not up")
	}
	for _, b := range s.brokers {
		if b.gauge() == 0 {
			out = append(out, "the MQTT broker "+b.name+" is not connected")
		}
	}
	return out
}

// Close ends the embedded server.
func (s *Service) Close() error {
	if s.server != nil {
		s.server.close()
	}
	return nil
}

// take hands one message to a gatherer. It is false when nobody takes messages any more.
func (s *Service) take(g *gatherer, store, device string, payload []byte, m mark) bool {
	h, reason := beat(store, device, payload)
	if reason != "" {
		s.refuse(reason, m)
		return true
	}
	return g.put(h, m)
}

// refuse counts a message that is wrong and acknowledges it: it would be as wrong the next time.
func (s *Service) refuse(reason string, m mark) {
	s.count.refused[reason].Inc()
	if m.from != nil {
		m.from.settle([]mark{m})
	}
}

var errNotUp = errors.New("the embedded MQTT server did not come up")
