package simulate

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"goc/ops"
)

// Options say what to drive, at whom and for how long. Server is required; what is zero has its default.
type Options struct {
	Server *url.URL
	MQTT   *url.URL // where beats go in place of Server, each a message: mqtt://host:1883, or mqtts
	Token  string

	Devices   int           // 1,000
	PerStore  int           // devices of a store, 50
	Batch     int           // beats of a request, 20: a store's gateway; a batch that fits into a store never spans two
	Interval  time.Duration // from one beat of a device to the next, 30 s
	For       time.Duration // 5 m, at most 24 h
	Rate      int           // beats a second at most, 100,000
	Lines     int           // connections, 4
	Pipeline  int           // requests under way on a connection, 1
	NDJSON    bool          // in place of a JSON array
	Encoding  string        // gzip or zstd
	Scenarios []string      // steady
	Share     float64       // of the fleet that a scenario falls on, 0.1
	Seed      uint64

	Progress func(Progress) // called once a second; nil for none

	dial dialer // nil: the network
}

// Bounds of a run.
const (
	MaxFor   = 24 * time.Hour
	MaxRate  = 10_000_000
	maxLines = 10_000
	maxPipe  = 1_000
	maxBatch = 10_000
	maxUnder = 60_000 // MQTT messages under way: their ids have 16 bits
)

// fill puts defaults where nothing is said, and checks the rest.
func (o *Options) fill() error {
	def := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	def(&o.Devices, 1_000)
	def(&o.PerStore, 50)
	def(&o.Batch, 20)
	def(&o.Rate, 100_000)
	def(&o.Lines, 4)
	def(&o.Pipeline, 1)
	if o.Interval == 0 {
		o.Interval = 30 * time.Second
	}
	if o.For == 0 {
		o.For = 5 * time.Minute
	}
	if o.Share == 0 {
		o.Share = 0.1
	}
	if len(o.Scenarios) == 0 {
		o.Scenarios = []string{"steady"}
	}
	if o.dial == nil {
		o.dial = (&net.Dialer{}).DialContext
	}
	return o.validate()
}

func (o *Options) validate() error {
	for _, f := range []struct {
		name     string
		v        int
		min, max int
	}{
		{"devices", o.Devices, 1, MaxDevices},
		{"per-store", o.PerStore, 1, maxPerStore},
		{"batch", o.Batch, 1, maxBatch},
		{"rate", o.Rate, 1, MaxRate},
		{"connections", o.Lines, 1, maxLines},
		{"pipeline", o.Pipeline, 1, maxPipe},
	} {
		if f.v < f.min || f.v > f.max {
			return ops.Errorf(ops.Invalid, "must be between %d and %d", f.min, f.max).At(f.name)
		}
	}
	switch {
	case o.For < time.Second || o.For > MaxFor:
		return ops.Errorf(ops.Invalid, "must be between 1s and 24h").At("for")
	case o.Interval < time.Millisecond || o.Interval > MaxFor:
		return ops.Errorf(ops.Invalid, "must be between 1ms and 24h").At("interval")
	case !(o.Share > 0 && o.Share <= 1):
		return ops.Errorf(ops.Invalid, "must be above 0 and at most 1").At("share")
	case o.Encoding != "" && o.Encoding != "gzip" && o.Encoding != "zstd":
		return ops.Errorf(ops.Invalid, "must be gzip or zstd").At("encoding")
	case o.Server == nil || o.Server.Host == "" || o.Server.Scheme != "http" && o.Server.Scheme != "https":
		return ops.Errorf(ops.Invalid, "must be a URL like http://127.0.0.1:8420").At("server")
	case o.MQTT != nil && (o.MQTT.Host == "" || o.MQTT.Scheme != "mqtt" && o.MQTT.Scheme != "mqtts"):
		return ops.Errorf(ops.Invalid, "must be a URL like mqtt://127.0.0.1:1883").At("mqtt")
	case o.MQTT != nil && o.Batch*o.Pipeline > maxUnder:
		return ops.Errorf(ops.Invalid, "times batch must be at most %d with MQTT", maxUnder).At("pipeline")
	case o.MQTT != nil && (o.NDJSON || o.Encoding != ""):
		return ops.Errorf(ops.Invalid, "takes no encoding and no lines: each message is one beat").At("mqtt")
	}
	return nil
}

// Loopback says whether a server can only be this machine: an address that loops back, or localhost.
func Loopback(u *url.URL) bool {
	if u.Hostname() == "localhost" {
		return true
	}
	ip := net.ParseIP(u.Hostname())
	return ip != nil && ip.IsLoopback()
}

// Run drives the fleet until its time is over or ctx ends, and says how it went. An error means that the server could
// not be reached at all, or that it wants none of it: what was sent until then is in the summary.
func Run(ctx context.Context, o Options) (Summary, error) {
	if err := o.fill(); err != nil {
		return Summary{}, err
	}
	trouble, err := pick(o.Scenarios, o.Share)
	if err != nil {
		return Summary{}, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r := &run{
		o: o, fleet: newFleet(o.Devices, o.PerStore, o.Seed), trouble: trouble, start: time.Now(), stop: cancel,
		limit: rate.NewLimiter(rate.Limit(o.Rate), max(o.Rate/20, o.Batch)), form: form{kinds: chainKinds(), lines: o.NDJSON},
		reasons: map[string]int64{}, people: &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DialContext: o.dial}},
	}
	defer r.people.CloseIdleConnections()
	r.until = r.start.Add(o.For)
	if err := r.greet(ctx); err != nil {
		return Summary{}, err
	}
	var all sync.WaitGroup
	for n := range o.Lines {
		s := r.sender(n)
		all.Go(func() { s.work(ctx) })
	}
	told, done := make(chan struct{}), make(chan struct{})
	go func() { defer close(told); r.tell(ctx, done) }()
	all.Wait()
	close(done)
	<-told
	return r.summary(ctx), r.refusal()
}

// run is one run under way.
type run struct {
	o       Options
	fleet   *fleet
	form    form
	trouble []scenario
	start   time.Time
	until   time.Time
	limit   *rate.Limiter
	stop    context.CancelCauseFunc
	people  *http.Client // asks how the server sees it

	sent, accepted, rejected, requests, putOff, broken, behind atomic.Int64
	took                                                       Latency

	mu      sync.Mutex
	reasons map[string]int64
	refused error // what ended the run before its time
}

// greet opens one connection, so that a server that is not there is told at once.
func (r *run) greet(ctx context.Context) error {
	l, err := r.open(ctx)
	switch {
	case ops.KindOf(err) == ops.Denied:
		return err
	case err != nil:
		return ops.Errorf(ops.Unavailable, "%s cannot be reached: %v", r.target().Host, err)
	}
	return l.Close()
}

// open opens a connection for beats.
func (r *run) open(ctx context.Context) (wire, error) {
	if r.o.MQTT != nil {
		return dialMQTT(ctx, r.o.dial, r.o.MQTT, r.o.Token)
	}
	return dial(ctx, r.o.dial, r.target(), r.header())
}

// path is a URL of the server's API.
func (r *run) path(path string) *url.URL {
	u := *r.o.Server
	u.Path = strings.TrimRight(u.Path, "/") + "/api/v1/" + path
	return &u
}

func (r *run) target() *url.URL {
	if r.o.MQTT != nil {
		return r.o.MQTT
	}
	return r.path("heartbeats")
}

func (r *run) header() (lines []string) {
	lines = append(lines, "User-Agent: goc-fleet-simulate", "Content-Type: application/json")
	if r.o.Encoding != "" {
		lines = append(lines, "Content-Encoding: "+r.o.Encoding)
	}
	if r.o.Token != "" {
		lines = append(lines, "Authorization: Bearer "+r.o.Token)
	}
	return lines
}

// refuse ends the run: the server will take none of it, however often it is asked.
func (r *run) refuse(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refused == nil {
		r.refused = err
	}
	r.stop(err)
}

func (r *run) refusal() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.refused
}

// maxReasons bounds how many different reasons for a rejection are counted apart.
const maxReasons = 50

func (r *run) count(reason string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, known := r.reasons[reason]; !known && len(r.reasons) >= maxReasons {
		reason = "other"
	}
	r.reasons[reason]++
}

// moment is what the scenarios see at a time.
func (r *run) moment(at time.Time) moment {
	return moment{at: at.Sub(r.start), run: r.o.For, interval: r.o.Interval, unixMs: at.UnixMilli()}
}
