package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// quietYAML is a server that does nothing by itself.
const quietYAML = "metrics: {sample_interval: 1h}\nalertrules: {builtin: false}\n"

// post sends a raw body and returns the status and the answer.
func (p *process) post(path string, body io.Reader) (int, string) {
	resp, err := http.Post(p.url+path, "application/json", body)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b)
}

// spaces is an endless body that is valid JSON so far.
type spaces struct{}

func (spaces) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

func TestBadBodiesGetAClearAnswerAndTheProcessLives(t *testing.T) {
	config, listen := serveYAML(t, quietYAML)
	p := serve(t, config, listen)
	labels := make([]string, 10_000)
	for i := range labels {
		labels[i] = fmt.Sprintf(`"l%d":"v"`, i)
	}
	manyLabels := `[{"labels":{"alertname":"Good","store":"SH-001"}},{"labels":{"alertname":"Many",` + strings.Join(labels, ",") + `}}]`
	hundredMB := func() io.Reader { return io.LimitReader(spaces{}, 100<<20) }
	for _, c := range []struct {
		name, path string
		body       io.Reader
		want       []int
		says       string
	}{
		{"malformed JSON to a native path", "/api/v1/changes", strings.NewReader(`{"kind": release}`), []int{400, 422}, ""},
		{"malformed JSON to the alerts", "/api/v2/alerts", strings.NewReader(`[{"labels":`), []int{400}, ""},
		{"malformed JSON to the heartbeats", "/api/v1/heartbeats", strings.NewReader(`[{"store":`), []int{400, 422, 202}, ""},
		{"an unknown field", "/api/v1/changes", strings.NewReader(`{"kind":"release","service":"cart","servcie":"x"}`), []int{422}, "servcie"},
		{"100 MB to a native path", "/api/v1/changes", hundredMB(), []int{413}, ""},
		{"100 MB of alerts", "/api/v2/alerts", hundredMB(), []int{413}, ""},
		{"100 MB of heartbeats", "/api/v1/heartbeats", hundredMB(), []int{413}, ""},
		{"an alert with 10,000 labels beside a good one", "/api/v2/alerts", strings.NewReader(manyLabels), []int{400}, "labels"},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, answer := p.post(c.path, c.body)
			ok := false
			for _, w := range c.want {
				ok = ok || code == w
			}
			// A server may also hang up on a body that it will not read; then there is no status, but never success.
			if !ok && !(code == 0 && strings.HasPrefix(c.name, "100 MB")) {
				t.Errorf("got %d, want one of %v: %.300s", code, c.want, answer)
			}
			if !strings.Contains(answer, c.says) {
				t.Errorf("the answer does not say %q: %.300s", c.says, answer)
			}
			if p.call("GET", "/healthz", nil, nil) != 200 {
				t.Fatalf("not alive afterwards:\n%s", p.out)
			}
		})
	}
	var alerts []struct{ Labels map[string]string }
	p.call("GET", "/api/v2/alerts", nil, &alerts)
	if len(alerts) != 1 || alerts[0].Labels["alertname"] != "Good" {
		t.Errorf("the good alert beside the bad one is not there: %v", alerts)
	}
}

func TestAMisspeltKeyNamesTheFileTheLineAndTheNearestKey(t *testing.T) {
	path, _ := serveYAML(t, "metrics:\n  sample_intervall: 5s\n")
	code, _, errs := goc(t, "config", "check", path)
	if code != exitUsage {
		t.Errorf("exit code %d, want %d", code, exitUsage)
	}
	for _, want := range []string{path, "line 5", `"sample_intervall"`, `"sample_interval"`} {
		if !strings.Contains(errs, want) {
			t.Errorf("the message lacks %s:\n%s", want, errs)
		}
	}
}

func TestARuleFileWithATypoIsRefusedWithItsPlace(t *testing.T) {
	path, _ := serveYAML(t, "alertrules: {files: [typo.yml]}\n")
	typo := filepath.Join(filepath.Dir(path), "typo.yml")
	text := "groups:\n  - name: g\n    rules:\n      - alert: A\n        expr: sum(rate(x[5m])\n"
	if err := os.WriteFile(typo, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"rules", "check", typo}, {"serve", "--config", path}} {
		code, _, errs := goc(t, args...)
		if code == 0 || !strings.Contains(errs, "typo.yml") || !strings.Contains(errs, "A") {
			t.Errorf("goc %v: exit code %d, says:\n%s", args, code, errs)
		}
	}
}

func TestASecondServerOnTheSameDataRefusesToStart(t *testing.T) {
	config, listen := serveYAML(t, quietYAML)
	p := serve(t, config, listen)
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	second := filepath.Join(filepath.Dir(config), "second.yaml")
	other := strings.Replace(string(text), listen, freePort(t), 1)
	if err := os.WriteFile(second, []byte(other), 0o644); err != nil {
		t.Fatal(err)
	}
	code, _, errs := goc(t, "serve", "--config", second)
	if code == 0 || !strings.Contains(errs, fmt.Sprint(p.cmd.Process.Pid)) {
		t.Errorf("exit code %d; the message should name the process that holds the folder:\n%s", code, errs)
	}
	if p.call("GET", "/healthz", nil, nil) != 200 {
		t.Error("the first server does not live any more")
	}
}

func TestAFullDiskAcknowledgesNothingMoreAndLosesNothing(t *testing.T) {
	if os.Geteuid() != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("needs root for a small disk of its own")
		}
		t.Skip("needs root for a small disk of its own")
	}
	disk := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=96m", "tmpfs", disk).CombinedOutput(); err != nil {
		t.Fatalf("mount: %v %s", err, out)
	}
	t.Cleanup(func() { exec.Command("umount", "-l", disk).Run() })
	// With messages to deliver, so that also what goes out meets a journal that has stopped.
	config, listen := serveYAML(t, quietYAML+`chatops: {slack: {api_url: "http://127.0.0.1:1/", token: xoxb-1, channel: C1}}`+"\n")
	text, _ := os.ReadFile(config)
	os.WriteFile(config, []byte(strings.Replace(string(text), "data: data", "data: "+filepath.Join(disk, "data"), 1)), 0o644)
	p := serve(t, config, listen)
	ballast := filepath.Join(disk, "ballast")
	fillDisk(t, ballast)

	acked := 0
	note := strings.Repeat("x", 4000)
	p.until(60*time.Second, "refusing", func() bool {
		for range 20 {
			body := fmt.Sprintf(`[{"labels":{"alertname":"Full","case":"%d"},"annotations":{"summary":%q}}]`, acked, note)
			if code, _ := p.post("/api/v2/alerts", strings.NewReader(body)); code != 200 {
				return true
			}
			acked++
		}
		return false
	})
	code, answer := p.post("/api/v1/changes", strings.NewReader(`{"kind":"config","title":"on a full disk"}`))
	if code != 503 {
		t.Errorf("after the disk was full a write got %d %s, want 503", code, answer)
	}
	var ready map[string]any
	if code := p.call("GET", "/readyz", nil, &ready); code != 503 || !strings.Contains(fmt.Sprint(ready), "full") {
		t.Errorf("/readyz says %d %v, want 503 and that the disk is full", code, ready)
	}
	p.until(20*time.Second, "done with delivering", func() bool { return strings.Contains(p.out.String(), "loop=outbox") })
	if p.call("GET", "/healthz", nil, nil) != 200 {
		t.Errorf("not alive:\n%s", p.out)
	}
	p.kill()
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	p = serve(t, config, listen)
	var alerts []any
	p.call("GET", "/api/v2/alerts", nil, &alerts)
	if len(alerts) < acked {
		t.Errorf("%d alerts were acknowledged, %d are there", acked, len(alerts))
	}
}

// fillDisk writes until nothing fits any more, and then makes one megabyte of room.
func fillDisk(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	size, chunk := int64(0), make([]byte, 64<<10)
	for {
		n, err := f.Write(chunk)
		size += int64(n)
		if err != nil {
			break
		}
	}
	if err := f.Truncate(size - 1<<20); err != nil {
		t.Fatal(err)
	}
}
