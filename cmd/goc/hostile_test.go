package main

import (
	"bytes"
	"compress/gzip"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// bomb is a body of a few hundred kilobytes that unpacks to 256 MB.
func bomb(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := io.CopyN(z, spaces{}, 256<<20); err != nil {
		t.Fatal(err)
	}
	z.Close()
	return b.Bytes()
}

// resident is the server's memory in bytes, as it says itself.
func (p *process) resident() float64 {
	resp, err := http.Get(p.url + "/metrics")
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	for _, line := range strings.Split(string(text), "\n") {
		if v, ok := strings.CutPrefix(line, "process_resident_memory_bytes "); ok {
			n, _ := strconv.ParseFloat(v, 64)
			return n
		}
	}
	p.t.Fatal("/metrics does not say how much memory is used")
	return 0
}

func TestHostileInputIsRefusedInBoundedMemory(t *testing.T) {
	config, listen := serveYAML(t, quietYAML)
	p := serve(t, config, listen)
	zipped := bomb(t)
	for _, path := range []string{
		"/api/v1/heartbeats", "/api/v1/changes", "/api/v1/voice", "/api/v1/gate/check", "/api/v1/incidents",
		"/api/v2/alerts", "/api/v2/silences", "/hooks/cloudevents", "/hooks/alerts/grafana",
	} {
		for name, body := range map[string][]byte{
			"a gzip bomb": zipped, "deep objects": []byte(strings.Repeat(`{"scope":`, 100_000)), "deep arrays": []byte(strings.Repeat("[", 100_000)),
			"NaN": []byte(`[{"labels":NaN}]`), "a huge number": []byte(`[{"at":1e999}]`),
		} {
			req, _ := http.NewRequest("POST", p.url+path, bytes.NewReader(body))
			req.Header.Set("Content-Type", "application/json")
			if name == "a gzip bomb" {
				req.Header.Set("Content-Encoding", "gzip")
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Errorf("%s to %s: %v", name, path, err)
				continue
			}
			text, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			// A batch of which nothing was taken is 202 with the reasons, as of any batch.
			if none := strings.Contains(string(text), `"accepted":0`); resp.StatusCode < 400 && !none || resp.StatusCode >= 500 {
				t.Errorf("%s to %s: %d %.200s", name, path, resp.StatusCode, text)
			}
		}
	}
	for _, path := range []string{"/%2e%2e/%2e%2e/etc/passwd", "/assets/..%2f..%2f..%2f..%2fetc%2fpasswd", "/assets/%00", "/api/v1/incidents/..%2f..%2fetc%2fpasswd"} {
		resp, err := http.Get(p.url + path)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if strings.Contains(string(text), "root:") || resp.StatusCode >= 500 {
			t.Errorf("GET %s: %d %.100s", path, resp.StatusCode, text)
		}
	}
	for _, pattern := range []string{"((a{1000}){1000}){1000}", strings.Repeat("(", 5000), "["} {
		body := `{"matchers":[{"name":"a","value":` + strconv.Quote(pattern) + `,"isRegex":true}],"startsAt":"2026-01-01T00:00:00Z","endsAt":"2099-01-01T00:00:00Z","createdBy":"a","comment":"c"}`
		if code, text := p.post("/api/v2/silences", strings.NewReader(body)); code != 400 {
			t.Errorf("the pattern %.20s: %d %s", pattern, code, text)
		}
	}
	now := time.Now().Unix()
	for _, q := range []string{"step=0.0001", "step=-1", "step=0", "step=NaN"} {
		if code := p.call("GET", "/prometheus/api/v1/query_range?query=up&start="+strconv.FormatInt(now-3600, 10)+"&end="+strconv.FormatInt(now, 10)+"&"+q, nil, nil); code != 400 {
			t.Errorf("a range with %s: %d, want 400", q, code)
		}
	}
	if code := p.call("POST", "/api/v1/freezes", map[string]any{"name": "never", "schedule": map[string]any{"cron": "0 0 31 2 *", "duration": "1h", "timezone": "UTC"}}, nil); code != 422 {
		t.Errorf("a freeze that never comes: %d, want 422", code)
	}
	p.hostileSockets()
	if used := p.resident(); used > 600<<20 {
		t.Errorf("%.0f MB are in use afterwards", used/(1<<20))
	}
	if p.call("GET", "/readyz", nil, nil) != 200 {
		t.Errorf("not ready:\n%s", p.out)
	}
}

// hostileSockets sends what no client of the live feed sends, and holds connections that never finish their request.
func (p *process) hostileSockets() {
	u, _ := url.Parse(p.url)
	for range 20 {
		c, err := net.Dial("tcp", u.Host)
		if err != nil {
			p.t.Fatal(err)
		}
		defer c.Close()
		io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ")
	}
	for name, data := range map[string][]byte{
		"garbage": bytes.Repeat([]byte{0xff, 0}, 300), "an oversize frame": make([]byte, 1<<20), "too many topics": []byte(`{"subscribe":["` + strings.Repeat(`incident:INC-1","`, 90) + `x"]}`),
	} {
		ws, _, err := websocket.DefaultDialer.Dial("ws://"+u.Host+"/api/v1/live", nil)
		if err != nil {
			p.t.Fatalf("%s: %v", name, err)
		}
		ws.WriteMessage(websocket.BinaryMessage, data) // the server may hang up before all of it is written
		ws.SetReadDeadline(time.Now().Add(10 * time.Second))
		if _, answer, err := ws.ReadMessage(); err == nil && !strings.Contains(string(answer), `"error"`) {
			p.t.Errorf("%s was answered %.200s", name, answer)
		}
		ws.Close()
	}
}
