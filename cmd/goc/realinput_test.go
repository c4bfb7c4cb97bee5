package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"goc/ops"
)

// program finds one of Debian's programs; without it the test is skipped, but never in CI.
func program(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is not installed: .ci/run should have done that", name)
	}
	t.Skipf("%s is not installed (apt-get install %s)", name, name)
	return ""
}

// background starts a program that ends with the test, or when stop is called.
func background(t testing.TB, path string, args ...string) (stop func()) {
	t.Helper()
	cmd := exec.CommandContext(context.Background(), path, args...)
	out := &lockedBuffer{}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stopped := false
	stop = func() {
		if !stopped {
			stopped = true
			cmd.Process.Kill()
			cmd.Wait()
		}
	}
	t.Cleanup(func() {
		stop()
		if t.Failed() {
			t.Logf("%s said:\n%s", filepath.Base(path), out)
		}
	})
	return stop
}

// answersOn waits until an HTTP server answers there.
func answersOn(p *process, addr string) {
	p.t.Helper()
	p.until(20*time.Second, addr+" answering", func() bool {
		resp, err := http.Get("http://" + addr + "/metrics")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return true
	})
}

// value is the first value of a PromQL query, "" when there is none.
func (p *process) value(query string) string {
	var answer struct {
		Data struct {
			Result []struct {
				Value [2]any `json:"value"`
			} `json:"result"`
		} `json:"data"`
	}
	p.call("GET", "/prometheus/api/v1/query?query="+url.QueryEscape(query), nil, &answer)
	if len(answer.Data.Result) == 0 {
		return ""
	}
	return fmt.Sprint(answer.Data.Result[0].Value[1])
}

// firstIncident is the newest incident, zero when there is none.
func (p *process) firstIncident() ops.Incident {
	var l ops.List[ops.Incident]
	p.call("GET", "/api/v1/incidents", nil, &l)
	if len(l.Items) == 0 {
		return ops.Incident{}
	}
	return l.Items[0]
}

func TestAStoppedNodeExporterIsAnIncidentWhoseFirstSuspectIsItsChange(t *testing.T) {
	exporter := program(t, "prometheus-node-exporter")
	addr := freePort(t)
	config, listen := serveYAML(t, fmt.Sprintf(`
catalog:
  services: [{name: node, tier: T1, core: true}]
metrics:
  global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}
  sample_interval: 1s
  scrape_configs:
    - job_name: node
      static_configs: [{targets: ["%s"], labels: {service: node}}]
alertrules: {interval: 1s}
incidents: {hold: 2s}
`, addr))
	p := serve(t, config, listen)
	stop := background(t, exporter, "--web.listen-address="+addr)
	answersOn(p, addr)
	p.until(20*time.Second, "scraping the exporter", func() bool { return p.value(`up{job="node"}`) == "1" && p.value("node_load1") != "" })

	var change, other ops.Change
	p.call("POST", "/api/v1/changes", map[string]any{"kind": "config", "title": "node: exporter flags", "service": "node"}, &change)
	p.call("POST", "/api/v1/changes", map[string]any{"kind": "config", "title": "another service's flags", "service": "elsewhere"}, &other)
	minuteAgo := ops.At(time.Now().Add(-time.Minute)).String()
	for _, id := range []string{change.ID, other.ID} {
		if code := p.call("POST", "/api/v1/changes/"+id+"/events", map[string]any{"event": "start", "at": minuteAgo}, nil); code != 200 {
			t.Fatalf("starting %s answered %d", id, code)
		}
	}
	stop()
	p.until(30*time.Second, "an incident", func() bool { return p.firstIncident().ID != "" })
	p.until(15*time.Second, "a first suspect", func() bool {
		in := p.firstIncident()
		return len(in.Suspects) > 0 && in.Suspects[0].ChangeID == change.ID
	})
	in := p.firstIncident()
	if len(in.Suspects[0].Reasons) == 0 {
		t.Error("the first suspect has no reasons")
	}
	for _, s := range in.Suspects {
		if s.ChangeID == other.ID && s.Probability >= in.Suspects[0].Probability {
			t.Errorf("the change of another service is as suspect: %+v", s)
		}
	}
	background(t, exporter, "--web.listen-address="+addr)
	p.until(30*time.Second, "recovered", func() bool { return !p.firstIncident().RecoveredAt.IsZero() })
	if got := p.firstIncident(); got.ID != in.ID {
		t.Errorf("recovery is told of %s, the incident was %s", got.ID, in.ID)
	}
}

func TestARealPrometheusSendsItsAlertsAndAmtoolListsThem(t *testing.T) {
	prometheus, amtool := program(t, "prometheus"), program(t, "amtool")
	config, listen := serveYAML(t, "metrics: {sample_interval: 1h}\nalertrules: {builtin: false}\n")
	p := serve(t, config, listen)
	dir, addr := t.TempDir(), freePort(t)
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	rules := write("rules.yml", `
groups:
  - name: real
    interval: 1s
    rules:
      - alert: PaymentsFail
        expr: vector(1) > 0
        labels: {severity: critical, service: payment-gateway, store: SH-001}
        annotations: {summary: payments fail in SH-001}
`)
	file := write("prometheus.yml", fmt.Sprintf(`
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [%s]
alerting: {alertmanagers: [{static_configs: [{targets: ["%s"]}]}]}
`, rules, listen))
	background(t, prometheus, "--config.file="+file, "--storage.tsdb.path="+filepath.Join(dir, "tsdb"), "--web.listen-address="+addr,
		// A real Prometheus drops what it would send before it has found its Alertmanagers, and sends it again after this delay.
		"--rules.alert.resend-delay=1s")

	list := func(args ...string) string {
		out, err := exec.Command(amtool, append([]string{"--alertmanager.url=" + p.url}, args...)...).CombinedOutput()
		if err != nil {
			return "error: " + string(out)
		}
		return string(out)
	}
	p.until(40*time.Second, "the alert in amtool", func() bool { return strings.Contains(list("alert", "query"), "PaymentsFail") })
	if out := list("alert", "query", "store=SH-001"); !strings.Contains(out, "payments fail in SH-001") {
		t.Errorf("amtool alert query store=SH-001 says:\n%s", out)
	}
	if out := list("alert", "query", "store=SH-002"); strings.Contains(out, "PaymentsFail") {
		t.Errorf("amtool finds the alert in a store where it is not:\n%s", out)
	}
	in := p.firstIncident()
	if in.ID == "" || len(in.Alerts) != 1 || in.Alerts[0].Source == "" {
		t.Errorf("the alert opened no incident, or one with %d alerts", len(in.Alerts))
	}
}
