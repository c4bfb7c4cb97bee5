package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// aFault is a history in which cart fails in one store after its release: samples each 5 s for an hour, an alert of a rule
// as a recording has it, and its end.
func aFault(t *testing.T) string {
	t.Helper()
	var sb strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&sb, format+"\n", args...) }
	const onset = 1_763_600_000 + 1800
	step := 0
	for at := 1_763_600_000; at < 1_763_600_000+3600; at += 5 {
		for _, store := range []string{"S-1", "S-2"} {
			v := 0.99
			if store == "S-1" && at >= onset && at < onset+600 {
				v = 0.5
			}
			say(`{"at":%d,"kind":"indicator","indicator":"success_ratio","service":"cart","store":"%s","value":%g}`, at, store, v+float64(at%7)/1000)
		}
		switch at {
		case onset - 60:
			say(`{"at":%d,"kind":"change","change":{"id":"CHG-1","kind":"release","title":"cart 2","service":"cart","scope":{"store":["S-1"]}}}`, at)
		case onset + 60:
			step++
			say(`{"at":%d,"kind":"alert","step":%d,"status":"firing","source":"rules","ends_at":"2026-01-01T00:00:00Z","labels":{"alertname":"CartFails","service":"cart","store":"S-1"}}`, at, step)
		case onset + 700:
			step++
			say(`{"at":%d,"kind":"alert","step":%d,"status":"resolved","source":"rules","labels":{"alertname":"CartFails","service":"cart","store":"S-1"}}`, at, step)
		}
	}
	return writeTemp(t, "fault.jsonl", sb.String())
}

func writeTemp(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// backtest runs one and returns what came out differently, by what.
func backtest(t *testing.T, args ...string) (found map[string]difference, stderr string) {
	t.Helper()
	code, stdout, stderr := goc(t, append([]string{"replay", "--json", "--diff"}, args...)...)
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	found = map[string]difference{}
	for _, l := range strings.Split(strings.TrimSpace(stdout), "\n") {
		if l == "" {
			continue
		}
		var d difference
		if err := json.Unmarshal([]byte(l), &d); err != nil || d.Kind != "difference" || d.Text == "" {
			t.Fatalf("%s: %v", l, err)
		}
		found[d.About+" "+d.What] = d
	}
	return found, stderr
}

func TestABacktestSaysWhatWouldHaveComeOutDifferently(t *testing.T) {
	history := aFault(t)
	for name, c := range map[string]struct {
		config string
		want   string // what differs, and its text
		part   string
	}{
		"the severity by another table":           {"incidents: {severity: [{severity: P1, services: true}]}", "incident severity", "at worst P1 instead of P3"},
		"the first suspect by other weights":      {"incidents: {weights: {gap: 0, spatial: 0, at_service: -5}}", "suspects first", "no change"},
		"a leg of the clock by other targets":     {"incidents: {targets: {P3: {detect: 1s}}}", "incident detect", "of 1s"},
		"the severity by another catalog":         {"catalog: {services: [{name: cart, tier: T0, core: true}]}", "incident severity", "at worst P2 instead of P3"},
		"what is found twice the same is not new": {"incidents: {window: 5m}", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			found, _ := backtest(t, history, "--config", writeTemp(t, "new.yaml", c.config))
			if c.want == "" {
				if len(found) > 0 {
					t.Errorf("%v", found)
				}
				return
			}
			if d, ok := found[c.want]; !ok || !strings.Contains(d.Text, c.part) {
				t.Errorf("%q, want %q in it; all: %v", d.Text, c.part, found)
			}
		})
	}
	swapped, _ := backtest(t, history, "--against", writeTemp(t, "old.yaml", "incidents: {severity: [{severity: P1, services: true}]}"))
	if d := swapped["incident severity"]; d.Was != "P1" || d.Is != "P3" {
		t.Errorf("against a configuration that gave P1: %+v", d)
	}
}

func TestABacktestInWordsEndsWithASummary(t *testing.T) {
	code, stdout, stderr := goc(t, "replay", aFault(t), "--config", writeTemp(t, "new.yaml", "incidents: {severity: [{severity: P1, services: true}]}"))
	for _, part := range []string{"P1 open: ", "what would have come out differently:\n", "INC-1: at worst P1 instead of P3 (cart is failing)\n", "1 incident instead of 1"} {
		if !strings.Contains(stdout, part) {
			t.Errorf("exit code %d, it does not say %q:\n%s%s", code, part, stdout, stderr)
		}
	}
}

func TestABacktestEvaluatesOtherRulesOverTheRecordedIndicators(t *testing.T) {
	history := aFault(t)
	slower := `
groups:
  - name: g
    interval: 10s
    rules:
      - {record: "cart:fails", expr: 'goc_indicator{indicator="success_ratio", service="cart"} < 0.9'}
      - {alert: CartFails, expr: 'cart:fails', for: 4m, annotations: {summary: "{{ $labels.store }} fails"}}
      - {alert: StoreDark, expr: 'goc_fleet_devices > 0'}
      - {alert: Slow, expr: 'goc_indicator{indicator="latency_seconds"} > 1'}
`
	found, stderr := backtest(t, history, "--rules", writeTemp(t, "rules.yml", slower))
	if d := found["incident detect"]; !strings.Contains(d.Text, "detect: 4m") {
		t.Errorf("a rule that waits longer detects later: %+v; all %v", d, found)
	}
	for _, part := range []string{
		"NOT EVALUATED: rule (its recorded alerts stay) StoreDark: it asks for goc_fleet_devices",
		"NOT EVALUATED: rule Slow: it asks for the indicator latency_seconds", "2 recorded alerts of rules gave way",
	} {
		if !strings.Contains(stderr, part) {
			t.Errorf("it does not say %q:\n%s", part, stderr)
		}
	}
	deaf := `groups: [{name: g, rules: [{alert: CartFails, expr: 'goc_indicator{indicator="success_ratio"} < 0.1'}]}]`
	found, _ = backtest(t, history, "--rules", writeTemp(t, "rules.yml", deaf))
	if d := found["incident gone"]; !strings.Contains(d.Text, "INC-1") {
		t.Errorf("with a rule that never fires: %v", found)
	}
	code, _, stderr := goc(t, "replay", history, "--rules", writeTemp(t, "rules.yml", "groups: [{name: g, rules: [{alert: X, expr: 'sum('}]}]"))
	if code != 2 {
		t.Errorf("a rule file that is wrong: exit code %d, %s", code, stderr)
	}
}
