package main

import (
	"encoding/json"
	"strings"
	"testing"

	"goc/world/simulate"
)

// TestASimulatedFleetSpeaksMQTT drives the embedded MQTT server as a gateway of the whole chain, with an agent's token.
func TestASimulatedFleetSpeaksMQTT(t *testing.T) {
	mqtt := freePort(t)
	p := serveMQTT(t, t.TempDir(), freePort(t), mqtt)
	var made struct{ Token string }
	if err := json.Unmarshal([]byte(p.admin("token", "create", "chain", "--role", "agent")), &made); err != nil {
		t.Fatal(err)
	}
	run := func(token string) (int, string, string) {
		return goc(t, "fleet", "simulate", "--server", p.url, "--mqtt", "mqtt://"+mqtt, "--token", token, "--devices", "60", "--for", "2s", "--interval", "1s", "--json")
	}
	code, out, errs := run(made.Token)
	var sum simulate.Summary
	if err := json.Unmarshal([]byte(out), &sum); err != nil || code != 0 || sum.Accepted == 0 || sum.Accepted != sum.Sent {
		t.Fatalf("%d %s %s %v", code, out, errs, err)
	}
	if got := p.admin("fleet", "list", "--devices", "--store", "SIM-000002"); !strings.Contains(got, `"id":"SIM-000002/pos-01"`) {
		t.Errorf("the fleet has %s", got)
	}
	if code, _, errs := run("goc_wrong"); code != 1 || !strings.Contains(errs, "the login was refused") {
		t.Errorf("with a wrong token: %d %s", code, errs)
	}
}
