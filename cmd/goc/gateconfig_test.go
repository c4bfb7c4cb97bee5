package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var yamlBlock = regexp.MustCompile("(?s)```yaml\n(.*?)```")

// checkGate checks a configuration of the gate as the command line does, and returns what it says.
func checkGate(t *testing.T, gate string) (code int, said string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "goc.yaml")
	text := "catalog:\n  services: [{name: pay-gateway, tier: T0}]\n  stores: [{id: SH-1, city: 上海, region: east}]\n" + gate
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errs strings.Builder
	code = run(t.Context(), []string{"config", "check", file}, &out, &errs)
	return code, errs.String()
}

func TestTheGatesDocumentShowsOnlyWhatLoads(t *testing.T) {
	text, err := os.ReadFile("../../docs/gate.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := yamlBlock.FindAllStringSubmatch(string(text), -1)
	if len(blocks) < 5 {
		t.Fatalf("only %d examples", len(blocks))
	}
	for _, b := range blocks {
		if code, said := checkGate(t, b[1]); code != exitOK {
			t.Errorf("%s\n%s", b[1], said)
		}
	}
}

func TestABadRuleOfTheGateIsNamedWithItsPlace(t *testing.T) {
	for gate, says := range map[string]string{
		`policies: [{name: p, expr: "change.kid == 1"}]`:                                "gate.policies[0].expr: line 1, column 7: undefined field 'kid'",
		`approvals: {high: {need: 2, form: [Li]}}`:                                      "form",
		`approvals: {high: two}`:                                                        "line",
		`max_share: {town: 1}`:                                                          "town",
		`max_share: 20`:                                                                 "gate.max_share",
		`maintenance: {mode: deny, until: tomorrow, reason: why}`:                       "time",
		`red_lines: [{name: x, dark: 0.5, indicator: i}]`:                               "gate.red_lines[0].indicator",
		`error_budget: {windows: [{short: 5m, long: 1h, burn: 2}]}`:                     "gate.error_budget.windows[0].effect",
		`collision: {effect: wait, dept: 1}`:                                            `did you mean "depth"?`,
		`reviews: [{need: [design, tests]}]`:                                            "gate.reviews[0].need",
		`policies: [{name: p, expr: "scope.store.all(a, scope.store.all(b, a != b))"}]`: "it may cost up to",
	} {
		if code, said := checkGate(t, "gate:\n  "+gate+"\n"); code != exitUsage || !strings.Contains(said, says) {
			t.Errorf("%s\nexit code %d, said %q, want %q", gate, code, said, says)
		}
	}
}

func TestShortAndLongFormsOfTheGatesRulesLoad(t *testing.T) {
	for _, gate := range []string{
		`approvals: {high: 2, low: {need: 1, from: [admin]}}`,
		`max_share: 0.2`,
		`max_share: {city: 0.2}`,
		`maintenance: {mode: deny, until: 2026-11-20T08:00:00Z, reason: the database moves}`,
		`maintenance: {mode: allow, until: "2026-11-20T08:00:00.000Z", reason: the gate is wrong}`,
		`collision: {effect: deny, depth: 0, stale: 2d}`,
		`error_budget: {objective: 0.99, period: 7d, windows: [{short: 5m, long: 1h, burn: 14.4, effect: deny}]}`,
		`red_lines: [{name: slow, service: pay-gateway, indicator: latency_seconds, above: 2, override: nobody}]`,
	} {
		if code, said := checkGate(t, "gate:\n  "+gate+"\n"); code != exitOK {
			t.Errorf("%s\n%s", gate, said)
		}
	}
}
