package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain lets the test binary be goc itself: a test that needs a process of its own starts it with GOC_TEST_AS_GOC=1.
func TestMain(m *testing.M) {
	if os.Getenv("GOC_TEST_AS_GOC") == "1" {
		main()
		return
	}
	testscript.Main(m, map[string]func(){"goc": main}) // scripts find it on their PATH
}

// gocCommand is `goc args…` in a process of its own.
func gocCommand(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(os.Environ(), "GOC_TEST_AS_GOC=1")
	return cmd
}

// goc runs a command to its end and returns its exit code and what it wrote.
func goc(t testing.TB, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := gocCommand(t.Context(), args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if cmd.ProcessState == nil {
		t.Fatalf("goc %v: %v", args, err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// process is a server in a process of its own.
type process struct {
	t    testing.TB
	url  string
	cmd  *exec.Cmd
	out  *lockedBuffer
	done chan struct{}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}
func (l *lockedBuffer) String() string { l.mu.Lock(); defer l.mu.Unlock(); return l.b.String() }

// freePort finds a port that nobody uses now.
func freePort(t testing.TB) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// serveYAML writes a configuration into a fresh folder and returns its path. %LISTEN% stands for a free address.
func serveYAML(t testing.TB, text string) (path, listen string) {
	t.Helper()
	listen = freePort(t)
	path = filepath.Join(t.TempDir(), "goc.yaml")
	text = fmt.Sprintf("listen: %s\ndata: data\nauth: {anonymous: true}\n%s", listen, strings.ReplaceAll(text, "%LISTEN%", listen))
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path, listen
}

// serve starts `goc serve` and waits until it is ready.
func serve(t testing.TB, config, listen string, env ...string) *process {
	t.Helper()
	p := &process{t: t, url: "http://" + listen, out: &lockedBuffer{}, done: make(chan struct{})}
	p.cmd = gocCommand(context.Background(), "serve", "--config", config)
	p.cmd.Env = append(p.cmd.Env, env...)
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.cmd.Wait(); close(p.done) }()
	t.Cleanup(p.kill)
	p.until(30*time.Second, "ready", func() bool {
		resp, err := http.Get(p.url + "/readyz")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	return p
}

// kill is kill -9.
func (p *process) kill() {
	p.cmd.Process.Kill()
	<-p.done
}

// until asks every 50 ms until ok, and fails with what the process said when the time is over or it ended.
func (p *process) until(limit time.Duration, what string, ok func() bool) {
	p.t.Helper()
	deadline := time.After(limit)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-p.done:
			p.t.Fatalf("goc ended while waiting for %s:\n%s", what, p.out)
		case <-deadline:
			p.t.Fatalf("not %s within %s; goc said:\n%s", what, limit, p.out)
		case <-tick.C:
		}
	}
}

// call sends JSON and reads JSON; it returns the status, 0 when there was no answer.
func (p *process) call(method, path string, body, out any) int {
	var rd io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		rd = strings.NewReader(b)
	default:
		j, err := json.Marshal(b)
		if err != nil {
			p.t.Error(err)
		}
		rd = bytes.NewReader(j)
	}
	req, err := http.NewRequest(method, p.url+path, rd)
	if err != nil {
		p.t.Error(err)
		return 0
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0
	}
	if out != nil && json.Unmarshal(raw, out) != nil && resp.StatusCode < 300 {
		p.t.Errorf("%s %s answered no JSON: %.200s", method, path, raw)
	}
	return resp.StatusCode
}
