package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"goc/ops"
)

// feed watches the live feed for the alerts that were sent, and takes the time until the incident that took each in says so.
type feed struct {
	mu      sync.Mutex
	sent    map[string]time.Time // by fingerprint: when it was due to be sent
	waiting []string             // told as firing; the event of their incident is yet to come
	took    []time.Duration
	changed int // events of incidents
}

// sending notes that an alert is due now.
func (f *feed) sending(labels map[string]string, due time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sent[ops.Fingerprint(labels)] = due
}

// heard takes one event in. A step's alerts stand before what they do to incidents, in one commit.
func (f *feed) heard(name, subject string) {
	now := time.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	switch name {
	case "alert.firing":
		f.waiting = append(f.waiting, subject)
	case "incident.opened", "incident.alert_added":
		f.changed++
		for _, fp := range f.waiting {
			f.took = append(f.took, now.Sub(f.sent[fp]))
		}
		f.waiting = f.waiting[:0]
	}
}

func (f *feed) listen(b *testing.B, url string) {
	ws, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(url, "http")+"/api/v1/live", nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { ws.Close() })
	if err := ws.WriteJSON(map[string]any{"subscribe": []string{"incidents", "alerts"}}); err != nil {
		b.Fatal(err)
	}
	go func() {
		for {
			var m struct{ Type, Name, Subject string }
			if err := ws.ReadJSON(&m); err != nil {
				return
			}
			if m.Type == "event" {
				f.heard(m.Name, m.Subject)
			}
		}
	}()
}

// BenchmarkAlertsToTheLiveFeed posts 1,000 alerts a second for 20 s as Prometheus does, half of them in batches of 50 and
// half alone, to the whole program on SQLite, and says how long each took from when it was due to be sent until the
// live feed told of the incident that took it in.
func BenchmarkAlertsToTheLiveFeed(b *testing.B) {
	const seconds, batch, senders = 20, 50, 256
	url, client := benchServer(b)
	f := &feed{sent: map[string]time.Time{}}
	f.listen(b, url)
	type post struct {
		due    time.Time
		alerts []map[string]string
	}
	posts := make(chan post, 100_000)
	var wg sync.WaitGroup
	client.Transport = &http.Transport{MaxIdleConnsPerHost: senders}
	for range senders {
		wg.Go(func() {
			for p := range posts {
				for _, l := range p.alerts {
					f.sending(l, p.due)
				}
				sendAlerts(b, client, url, p.alerts)
			}
		})
	}
	n := 0
	next := func() map[string]string {
		n++
		return map[string]string{"alertname": fmt.Sprint("Low", n%7), "service": fmt.Sprintf("svc-%d", n%40), "store": fmt.Sprintf("S-%03d", n/40%500), "severity": "warning"}
	}
	b.ResetTimer()
	begin, spent := time.Now(), cpuSeconds(b)
	for i := range seconds * 500 { // every 2 ms one alone, every 100 ms a batch
		due := begin.Add(time.Duration(i) * 2 * time.Millisecond)
		time.Sleep(time.Until(due))
		posts <- post{due, []map[string]string{next()}}
		if i%batch == 0 {
			p := post{due: due}
			for range batch {
				p.alerts = append(p.alerts, next())
			}
			posts <- p
		}
	}
	close(posts)
	wg.Wait()
	f.report(b, n)
	b.ReportMetric((cpuSeconds(b)-spent)*1e6/float64(n), "cpu-us/alert")
}

// report waits for the last events and prints the figures.
func (f *feed) report(b *testing.B, sent int) {
	for begin := time.Now(); time.Since(begin) < 30*time.Second; time.Sleep(10 * time.Millisecond) {
		f.mu.Lock()
		done := len(f.took) >= sent
		f.mu.Unlock()
		if done {
			break
		}
	}
	b.StopTimer()
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.took) < sent {
		b.Errorf("%d of %d alerts came to the live feed", len(f.took), sent)
		return
	}
	slices.Sort(f.took)
	for name, q := range map[string]float64{"p50-ms": 0.5, "p99-ms": 0.99, "max-ms": 1} {
		b.ReportMetric(float64(f.took[int(q*float64(len(f.took)-1))].Microseconds())/1000, name)
	}
	b.ReportMetric(float64(sent)/b.Elapsed().Seconds(), "alerts/s")
	b.ReportMetric(float64(f.changed), "incident-events")
}

func sendAlerts(b *testing.B, client *http.Client, url string, labels []map[string]string) {
	var body []map[string]any
	for _, l := range labels {
		body = append(body, map[string]any{"labels": l, "annotations": map[string]string{"summary": "it fails"}, "startsAt": time.Now(), "endsAt": time.Now().Add(time.Hour)})
	}
	j, err := json.Marshal(body)
	if err != nil {
		b.Error(err)
		return
	}
	resp, err := client.Post(url+"/api/v2/alerts", "application/json", strings.NewReader(string(j)))
	if err != nil {
		b.Error(err)
		return
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		b.Errorf("status %d", resp.StatusCode)
	}
}
