package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"goc/ops"
	"goc/world/simulate"
)

// BenchmarkMillion takes one `goc serve` through the life of a full fleet and prints what an operator would ask: what it
// costs to enrol, what a minute of beats every 30 s costs, how much memory a device takes, how late "offline" comes, how
// 100,000 devices come back at once while the rest goes on, and how long a restart takes. FLEET_DEVICES and
// FLEET_MINUTES make it smaller or longer.
func BenchmarkMillion(b *testing.B) {
	for range b.N {
		m := newMillion(b)
		m.enrol()
		m.beat()
		m.cut()
		m.restart()
		b.ReportMetric(load(b), "load")
		m.p.stop()
	}
}

type million struct {
	b               *testing.B
	p               *measured
	config, listen  string
	devices, stores int
	minutes         time.Duration
	fleet           *simulate.Fleet
}

const perStore = 50

func newMillion(b *testing.B) *million {
	m := &million{b: b, devices: fromEnv(b, "FLEET_DEVICES", 1_000_000), minutes: time.Duration(fromEnv(b, "FLEET_MINUTES", 3)) * time.Minute}
	m.stores = m.devices / perStore
	m.fleet = simulate.NewFleet(m.devices, perStore, 1)
	m.serve("heartbeats: {default_interval: 35s, default_grace: 30s}\n")
	m.say(m.p.resident(b)/1e6, "empty-rss-MB")
	m.say(m.p.anonymous(b)/1e6, "empty-anonymous-MB")
	return m
}

// serve starts the server. Its devices may be five seconds late without being so: this machine is not theirs alone.
func (m *million) serve(heartbeats string) {
	m.config, m.listen = serveYAML(m.b, "metrics: {sample_interval: 1h}\n"+heartbeats)
	m.p = startGoc(m.b, m.config, m.listen)
}

// BenchmarkAnHourOfBeats sends as many beats as a million devices send in an hour, 120 of each, in a tenth of the time:
// every 3 s for six minutes, with a power cut, a bad firmware, flapping links and wrong clocks meanwhile. It prints the
// memory at each minute, which must not go up.
func BenchmarkAnHourOfBeats(b *testing.B) {
	for range b.N {
		m := &million{b: b, devices: fromEnv(b, "FLEET_DEVICES", 1_000_000)}
		m.fleet = simulate.NewFleet(m.devices, perStore, 1)
		m.serve("heartbeats: {default_interval: 10s, default_grace: 10s}\n")
		m.enrol()
		used, told := m.p.cpu(b), 0
		sum, err := simulate.Run(b.Context(), simulate.Options{
			Server: m.url(""), Devices: m.devices, PerStore: perStore, Batch: 500, Interval: 3 * time.Second, For: 6 * time.Minute, Rate: 2_000_000, Lines: 8, Share: 0.02, Seed: 1,
			Scenarios: []string{"power-cut", "firmware", "flapping", "clock-skew"},
			Progress: func(p simulate.Progress) {
				if minute := int(p.Seconds) / 60; minute > told {
					told = minute
					m.say(m.p.resident(b)/1e6, fmt.Sprintf("rss-MB-minute-%d", minute))
				}
			},
		})
		if err != nil {
			b.Fatal(err)
		}
		m.say(m.p.resident(b)/1e6, "rss-MB-at-the-end")
		m.say(float64(sum.Accepted)/1e6, "million-beats")
		m.say(float64((m.p.cpu(b)-used).Microseconds())/float64(sum.Accepted), "cpu-µs/beat")
		fmt.Fprintf(os.Stderr, "%+v\n", sum.Progress)
		m.p.stop()
	}
}

func fromEnv(b *testing.B, name string, otherwise int) int {
	v := os.Getenv(name)
	if v == "" {
		return otherwise
	}
	n, err := strconv.Atoi(v)
	if err != nil {
		b.Fatal(name, err)
	}
	return n
}

// say prints a figure as soon as it is known: the whole takes minutes.
func (m *million) say(v float64, unit string) {
	m.b.ReportMetric(v, unit)
	fmt.Fprintf(os.Stderr, "%s  %s %.4g (load %.1f)\n", time.Now().Format("15:04:05"), unit, v, load(m.b))
}

// url is a path of the server.
func (m *million) url(path string) *url.URL {
	u, err := url.Parse(m.p.url + path)
	if err != nil {
		m.b.Fatal(err)
	}
	return u
}

// enrol lets every device speak for the first time.
func (m *million) enrol() {
	began, used := time.Now(), m.p.cpu(m.b)
	m.post(0, m.devices, 1000, 4, nil)
	m.say(time.Since(began).Seconds(), "enrol-s")
	m.say(float64((m.p.cpu(m.b)-used).Microseconds())/float64(m.devices), "enrol-cpu-µs/device")
	m.say(m.p.resident(m.b)/float64(m.devices), "enrolled-rss-B/device")
}

// post sends the beats of devices from to to once, as fast as they are taken, over connections of their own.
func (m *million) post(from, to, batch, lines int, took *simulate.Latency) {
	var all sync.WaitGroup
	for n := range lines {
		all.Go(func() {
			line, err := simulate.Dial(m.b.Context(), m.url("/api/v1/heartbeats"))
			if err != nil {
				m.b.Error(err)
				return
			}
			defer line.Close()
			var body []byte
			for i := from + n*batch; i < to; i += batch * lines {
				began := time.Now()
				body = m.fleet.AppendBeats(body[:0], i, min(i+batch, to), began)
				line.Post(body)
				if a, err := line.Answer(); err != nil || a.Status != http.StatusAccepted {
					m.b.Error(a.Status, string(a.Body), err)
					return
				}
				if took != nil {
					took.Add(time.Since(began))
				}
			}
		})
	}
	all.Wait()
}

// drive lets a part of the fleet beat every 30 s, from its stores' gateways, until the time is over.
func (m *million) drive(devices int, span time.Duration, progress func(simulate.Progress)) {
	_, err := simulate.Run(m.b.Context(), simulate.Options{
		Server: m.url(""), Devices: devices, PerStore: perStore, Batch: perStore, For: span, Seed: 1, Lines: 8, Progress: progress,
	})
	if err != nil {
		m.b.Error(err)
	}
}

// beat is the fleet on an ordinary day.
func (m *million) beat() {
	used, spent := m.p.cpu(m.b), m.spent()
	m.drive(m.devices, m.minutes, func(p simulate.Progress) {
		if n := int(p.Seconds); n%30 == 0 {
			fmt.Fprintf(os.Stderr, "  %3.0f s  accepted %d  behind %d  p50 %.1f ms  p99 %.1f ms  %v  rss %.0f MB\n", p.Seconds, p.Accepted, p.Behind, p.P50, p.P99, p.States, m.p.resident(m.b)/1e6)
		}
	})
	beats := float64(m.devices) * m.minutes.Seconds() / 30
	m.say(float64((m.p.cpu(m.b)-used).Microseconds())/beats, "steady-cpu-µs/beat")
	m.say((m.p.cpu(m.b)-used).Seconds()/m.minutes.Seconds()*100, "steady-%-of-a-core")
	m.say((m.spent()-spent)/m.minutes.Seconds()*100, "deadlines-%-of-a-core")
	m.say(m.p.resident(m.b)/float64(m.devices), "rss-B/device")
	m.say(m.p.anonymous(m.b)/float64(m.devices), "anonymous-B/device")
}

// spent is how many seconds the fleet's loop worked on deadlines, as /metrics has it.
func (m *million) spent() float64 {
	return m.metric("goc_fleet_deadlines_seconds_total")
}

// cut lets the last tenth of the fleet go dark, takes how late "offline" came, and then lets it come back at once while
// the rest beats on and people ask.
func (m *million) cut() {
	dark := m.devices - m.devices/10
	done, asked := make(chan struct{}), &simulate.Latency{}
	var all sync.WaitGroup
	all.Go(func() { m.drive(dark, 130*time.Second, nil) })
	all.Go(func() { m.ask(asked, done) })
	time.Sleep(100 * time.Second) // 35 s and 30 s of grace after the last beat of each, and up to 30 s more
	m.lateness(dark)
	before := asked.Counts()
	began, took := time.Now(), &simulate.Latency{}
	m.post(dark, m.devices, 20, 200, took)
	m.say(time.Since(began).Seconds(), "back-in-s")
	m.say(float64(took.Counts().At(0.99).Milliseconds()), "back-p99-ms")
	m.say(float64(asked.Counts().Since(before).At(0.99).Milliseconds()), "others-p99-ms")
	close(done)
	all.Wait()
	m.say(m.p.resident(m.b)/float64(m.devices), "rss-after-the-cut-B/device")
}

// ask is the other traffic: a question that is audited, a roll-up, one device and one store's beats, over and over.
func (m *million) ask(took *simulate.Latency, done <-chan struct{}) {
	check, err := simulate.Dial(m.b.Context(), m.url("/api/v1/gate/check"), "Content-Type: application/json")
	if err != nil {
		m.b.Error(err)
		return
	}
	defer check.Close()
	for i := 0; ; i++ {
		select {
		case <-done:
			return
		case <-time.After(10 * time.Millisecond):
		}
		began := time.Now()
		switch i % 4 {
		case 0:
			check.Post([]byte(`{"kind":"config","title":"asked meanwhile"}`))
			if a, err := check.Answer(); err != nil || a.Status != http.StatusOK {
				m.b.Error(a.Status, string(a.Body), err)
				return
			}
		case 1:
			m.get("/api/v1/fleet?group_by=kind,state", nil)
		case 2:
			m.get("/api/v1/devices/"+simulate.StoreID(0)+"/pos-01", nil)
		case 3:
			m.post(0, perStore, perStore, 1, nil)
		}
		took.Add(time.Since(began))
	}
}

// lateness reads when each device that is dark came to be offline, and when it was due.
func (m *million) lateness(dark int) {
	var late []time.Duration
	for store := dark / perStore; store < m.stores; store++ {
		var v ops.StoreView
		m.get("/api/v1/stores/"+simulate.StoreID(store), &v)
		for _, d := range v.Devices {
			if d.State == ops.Offline {
				late = append(late, d.Since.Sub(d.Deadline.Time)-30*time.Second)
			}
		}
	}
	if len(late) < (m.devices-dark)*9/10 {
		m.b.Errorf("%d of %d devices are offline", len(late), m.devices-dark)
		return
	}
	slices.Sort(late)
	m.say(float64(late[len(late)/2].Milliseconds()), "offline-late-p50-ms")
	m.say(float64(late[len(late)*99/100].Milliseconds()), "offline-late-p99-ms")
	m.say(float64(late[len(late)-1].Milliseconds()), "offline-late-worst-ms")
}

func (m *million) get(path string, out any) {
	resp, err := http.Get(m.p.url + path)
	if err != nil {
		m.b.Error(err)
		return
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		m.b.Error(path, resp.Status)
		return
	}
	if out == nil {
		out = new(json.RawMessage)
	}
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		m.b.Error(err)
	}
}

// restart ends the server and starts it again, until it is ready; once as an operator would, once by kill -9.
func (m *million) restart() {
	m.p.stop()
	began := time.Now()
	m.p = startGoc(m.b, m.config, m.listen)
	m.say(time.Since(began).Seconds(), "restart-s")
	m.say(m.p.cpu(m.b).Seconds(), "restart-cpu-s")
	m.say(m.p.resident(m.b)/float64(m.devices), "restarted-rss-B/device")
	m.p.cmd.Process.Kill()
	m.p.cmd.Wait()
	began = time.Now()
	m.p = startGoc(m.b, m.config, m.listen)
	m.say(time.Since(began).Seconds(), "restart-after-kill-s")
}

// metric is the value of a metric without labels, as the server tells it.
func (m *million) metric(name string) float64 {
	resp, err := http.Get(m.p.url + "/metrics")
	if err != nil {
		m.b.Fatal(err)
	}
	defer resp.Body.Close()
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		if v, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
			n, _ := strconv.ParseFloat(v, 64)
			return n
		}
	}
	m.b.Fatal("there is no metric ", name)
	return 0
}
