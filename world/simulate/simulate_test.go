package simulate

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/klauspost/compress/zstd"

	"goc/ops"
)

// heard is one beat as the server had it.
type heard struct {
	ops.Heartbeat
	at   time.Duration // since the run began
	conn string
}

// server is what a run is aimed at, over pipes, so that hours pass in no time.
type server struct {
	t     *testing.T
	start time.Time
	mu    sync.Mutex
	beats []heard
	posts int
	say   func(w http.ResponseWriter, posts int) (answered bool)
	queue chan net.Conn
	conns int
}

func (s *server) Accept() (net.Conn, error) {
	c, ok := <-s.queue
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}
func (s *server) Close() error   { close(s.queue); return nil }
func (s *server) Addr() net.Addr { return &net.TCPAddr{} }

func (s *server) dial(context.Context, string, string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	s.mu.Lock()
	s.conns++
	n := s.conns
	s.mu.Unlock()
	s.queue <- named{theirs, fmt.Sprint(n)}
	return ours, nil
}

// named is a connection that the server can tell from others.
type named struct {
	net.Conn
	name string
}

func (n named) RemoteAddr() net.Addr { return address(n.name) }

type address string

func (a address) Network() string { return "pipe" }
func (a address) String() string  { return string(a) }

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		fmt.Fprint(w, `{"items":[{"group":{"state":"online"},"total":7}]}`)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	body := io.Reader(r.Body)
	switch r.Header.Get("Content-Encoding") {
	case "gzip":
		body, _ = gzip.NewReader(r.Body)
	case "zstd":
		body, _ = zstd.NewReader(r.Body)
	}
	text, err := io.ReadAll(body)
	if err != nil {
		s.t.Error(err)
	}
	if s.posts++; s.say != nil && s.say(w, s.posts) {
		return
	}
	n := 0
	for dec := json.NewDecoder(strings.NewReader(beatsIn(string(text)))); dec.More(); n++ {
		var h ops.Heartbeat
		if err := dec.Decode(&h); err != nil {
			s.t.Errorf("%v in %s", err, text)
			break
		}
		s.beats = append(s.beats, heard{h, time.Since(s.start), r.RemoteAddr})
	}
	w.WriteHeader(http.StatusAccepted)
	fmt.Fprintf(w, `{"accepted":%d,"rejected":[]}`, n)
}

// beatsIn takes the brackets of an array away, so that arrays and lines read alike.
func beatsIn(text string) string {
	return strings.ReplaceAll(strings.Trim(text, "[]"), "},{", "}{")
}

// drive runs a simulation against a server on virtual time.
func drive(t *testing.T, o Options, say func(http.ResponseWriter, int) bool) (*server, Summary, error) {
	t.Helper()
	s := &server{t: t, say: say, queue: make(chan net.Conn)}
	var sum Summary
	var err error
	synctest.Test(t, func(t *testing.T) {
		s.start = time.Now()
		s.queue = make(chan net.Conn)
		srv := &http.Server{Handler: s}
		go srv.Serve(s)
		o.Server, _ = url.Parse("http://goc.example")
		o.dial = s.dial
		sum, err = Run(t.Context(), o)
		srv.Close()
	})
	return s, sum, err
}

func (s *server) of(store int) (out []heard) {
	for _, h := range s.beats {
		if h.Store == StoreID(store) {
			out = append(out, h)
		}
	}
	return out
}

func TestEveryDeviceBeatsOnItsSchedule(t *testing.T) {
	for name, o := range map[string]Options{
		"arrays of a gateway":          {},
		"lines":                        {NDJSON: true},
		"one by one":                   {Batch: 1},
		"large batches over stores":    {Batch: 400},
		"gzip":                         {Encoding: "gzip"},
		"zstd":                         {Encoding: "zstd"},
		"several under way on one":     {Lines: 1, Pipeline: 8, Batch: 10},
		"more connections than stores": {Lines: 40},
	} {
		t.Run(name, func(t *testing.T) {
			o.Devices, o.PerStore, o.For, o.Seed = 515, 50, 5*time.Minute, 3
			s, sum, err := drive(t, o, nil)
			if err != nil || sum.Accepted != 5150 || sum.Rejected != 0 || sum.Broken != 0 || sum.Behind != 0 {
				t.Fatalf("%+v %v", sum, err)
			}
			last, times := map[string]time.Duration{}, map[string]int{}
			for _, h := range s.beats {
				id := h.Store + "/" + h.Device
				if was, ok := last[id]; ok && h.at-was != 30*time.Second {
					t.Fatalf("%s beat %s after the beat before", id, h.at-was)
				}
				if off := h.At.Sub(s.start.Add(h.at)); off < -time.Millisecond || off > 0 {
					t.Fatalf("%s sends a time that is %s off", id, off)
				}
				last[id] = h.at
				times[id]++
			}
			if len(times) != 515 {
				t.Errorf("%d devices beat", len(times))
			}
		})
	}
}

func TestTheSameSeedDoesTheSame(t *testing.T) {
	o := Options{Devices: 700, For: 10 * time.Minute, Scenarios: []string{"power-cut", "firmware", "flapping", "clock-skew"}, Seed: 9, Lines: 1}
	count := func(o Options) map[string]int {
		s, _, err := drive(t, o, nil)
		if err != nil {
			t.Fatal(err)
		}
		n := map[string]int{}
		for _, h := range s.beats {
			n[fmt.Sprint(h.Store, h.Device, h.Firmware, h.at, h.At.Sub(s.start))]++
		}
		return n
	}
	one, two := count(o), count(o)
	if len(one) == 0 || !sameCounts(one, two) {
		t.Error("two runs of one seed differ")
	}
	if o.Seed++; sameCounts(one, count(o)) {
		t.Error("another seed does the same")
	}
}

func sameCounts(a, b map[string]int) bool {
	if len(a) != len(b) {
		return false
	}
	for k, n := range a {
		if b[k] != n {
			return false
		}
	}
	return true
}

func TestItWaitsWhenTheServerSaysLater(t *testing.T) {
	s, sum, err := drive(t, Options{Devices: 20, For: 2 * time.Minute, Lines: 1}, func(w http.ResponseWriter, posts int) bool {
		switch posts {
		case 1:
			w.Header().Set("Retry-After", "20")
			http.Error(w, "later", http.StatusServiceUnavailable)
		case 2, 3:
			http.Error(w, "slower", http.StatusTooManyRequests)
		default:
			return false
		}
		return true
	})
	if err != nil || sum.PutOff != 3 || sum.Accepted < 80 || sum.Sent != sum.Accepted+60 {
		t.Fatalf("%+v %v", sum, err)
	}
	if at := s.beats[0].at; at < 20*time.Second {
		t.Errorf("the first beat came through at %s, though the server asked for 20 s", at)
	}
}

func TestItGoesOnWhenTheConnectionBreaks(t *testing.T) {
	_, sum, err := drive(t, Options{Devices: 20, For: 2 * time.Minute, Lines: 1}, func(w http.ResponseWriter, posts int) bool {
		if posts == 2 {
			c, _, _ := http.NewResponseController(w).Hijack()
			c.Close()
		}
		return posts == 2
	})
	if err != nil || sum.Broken != 1 || sum.Accepted != 60 || sum.Sent != 80 {
		t.Fatalf("%+v %v", sum, err)
	}
}

func TestItStopsWhenTheServerWantsNoneOfIt(t *testing.T) {
	_, sum, err := drive(t, Options{Devices: 1000, For: time.Hour}, func(w http.ResponseWriter, _ int) bool {
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `{"detail":"a viewer may not","hint":"take an agent's token"}`)
		return true
	})
	if ops.KindOf(err) != ops.Denied || !strings.Contains(err.Error(), "a viewer may not") || sum.Seconds > 60 {
		t.Errorf("%v after %.0f s", err, sum.Seconds)
	}
}

func TestRejectedBeatsAreCountedByTheirReason(t *testing.T) {
	_, sum, err := drive(t, Options{Devices: 20, For: time.Minute, Lines: 1}, func(w http.ResponseWriter, _ int) bool {
		w.WriteHeader(http.StatusAccepted)
		fmt.Fprint(w, `{"accepted":18,"rejected":[{"index":1,"reason":"no"},{"index":2,"reason":"no"}]}`)
		return true
	})
	if err != nil || sum.Accepted != 36 || sum.Rejected != 4 || sum.Reasons["no"] != 4 {
		t.Errorf("%+v %v", sum, err)
	}
}

func TestProgressComesEachSecondWithWhatTheServerSees(t *testing.T) {
	var all []Progress
	_, sum, err := drive(t, Options{Devices: 100, For: 10 * time.Second, Interval: time.Second, Progress: func(p Progress) { all = append(all, p) }}, nil)
	if err != nil || len(all) < 9 || all[0].States["online"] != 7 || all[8].Sent <= all[0].Sent {
		t.Errorf("%d, %v", len(all), err)
	}
	if sum.States["online"] != 7 || sum.Scenarios["steady"] == "" {
		t.Errorf("%+v", sum)
	}
}

func TestTheRateIsABound(t *testing.T) {
	s, sum, err := drive(t, Options{Devices: 10_000, For: time.Minute, Interval: time.Second, Rate: 1000, Batch: 100}, nil)
	if err != nil || sum.Behind == 0 {
		t.Fatalf("%+v %v", sum, err)
	}
	perSecond := map[int]int{}
	for _, h := range s.beats {
		perSecond[int(h.at.Seconds())]++
	}
	for second, n := range perSecond {
		if n > 1200 {
			t.Errorf("%d beats in second %d", n, second)
		}
	}
}

func TestWrongOptionsAreNamed(t *testing.T) {
	good, _ := url.Parse("http://127.0.0.1:1")
	for at, o := range map[string]Options{
		"devices":     {Devices: MaxDevices + 1},
		"per-store":   {PerStore: -1},
		"batch":       {Batch: 10_001},
		"rate":        {Rate: -1},
		"connections": {Lines: 1_000_000},
		"pipeline":    {Pipeline: 10_000},
		"for":         {For: 25 * time.Hour},
		"interval":    {Interval: time.Microsecond},
		"share":       {Share: 2},
		"encoding":    {Encoding: "br"},
		"scenario":    {Scenarios: []string{"earthquake"}},
	} {
		o.Server = good
		_, err := Run(t.Context(), o)
		var e *ops.Error
		if ops.KindOf(err) != ops.Invalid || !asError(err, &e) || e.Location != at {
			t.Errorf("%s: %v", at, err)
		}
	}
	if _, err := Run(t.Context(), Options{Server: &url.URL{Scheme: "ftp", Host: "x"}}); ops.KindOf(err) != ops.Invalid {
		t.Error(err)
	}
}

func asError(err error, e **ops.Error) (ok bool) {
	*e, ok = err.(*ops.Error)
	return ok
}

func TestOnlyWhatLoopsBackIsThisMachine(t *testing.T) {
	for text, want := range map[string]bool{
		"http://127.0.0.1:8420": true, "http://127.9.9.9": true, "http://[::1]:8420": true, "https://localhost": true,
		"http://10.0.0.1": false, "http://goc.example": false, "http://0.0.0.0:8420": false, "http://127.0.0.1.example": false,
	} {
		u, err := url.Parse(text)
		if err != nil || Loopback(u) != want {
			t.Errorf("%s: %v, %v", text, !want, err)
		}
	}
}
