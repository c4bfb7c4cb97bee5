package intake

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"goc/ops"
)

// flaggerCall calls a hook as Flagger's CallWebhook does: POST, JSON, credentials of the URL, and an error unless the
// status is at most 202.
func (g *gated) flaggerCall(hook, metadata string) (passed bool, body string) {
	g.t.Helper()
	payload := `{"name":"pay","namespace":"shop","phase":"Progressing","checksum":"85d557f47b","metadata":{` + metadata + `}}`
	resp, err := http.Post(g.url+"/hooks/flagger/"+hook, "application/json", bytes.NewReader([]byte(payload)))
	if err != nil {
		g.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	return resp.StatusCode <= 202, string(b)
}

func TestACanaryGoesOnOnlyWhenTheGateAllows(t *testing.T) {
	g := newGated(t, Config{})
	closed := ops.Reason{Rule: "freeze", Effect: ops.EffectDeny, Message: "closed until 14:00"}
	burning := ops.Reason{Rule: "red_line", Effect: ops.EffectDeny, Message: "payments fail"}
	for _, c := range []struct {
		hook, decision string
		reason         ops.Reason
		passes         bool
	}{
		{"confirm-rollout", ops.EffectAllow, ops.Reason{}, true},
		{"confirm-rollout", ops.EffectDeny, closed, false},
		{"pre-rollout", ops.EffectDeny, closed, false},
		{"rollout", ops.EffectWait, closed, false},
		{"confirm-traffic-increase", ops.EffectAllow, ops.Reason{}, true},
		{"confirm-promotion", ops.EffectWait, closed, false},
		{"post-rollout", ops.EffectDeny, closed, true},
		{"event", ops.EffectDeny, closed, true},
		{"rollback", ops.EffectAllow, ops.Reason{}, false},
		{"rollback", ops.EffectDeny, closed, false},
		{"rollback", ops.EffectDeny, burning, true},
		{"rollback", ops.EffectAllow, burning, false}, // somebody broke the glass
	} {
		g.gate.says(c.decision, c.reason)
		if passed, body := g.flaggerCall(c.hook, ""); passed != c.passes {
			t.Errorf("%s with %s by %s: passed %v, %s", c.hook, c.decision, c.reason.Rule, passed, body)
		}
	}
}

func TestWhatACanarySaysBecomesTheQuestion(t *testing.T) {
	g := newGated(t, Config{})
	g.flaggerCall("rollout", "")
	if c := g.gate.last().Change; c.Service != "pay" || c.Version != "85d557f47b" || c.Environment != "production" || c.Kind != "release" || c.Title != "Canary shop/pay" {
		t.Errorf("without metadata: %+v", c)
	}
	g.flaggerCall("rollout", `"service":"pay-gateway","version":"1.2.3","environment":"staging","risk":"high","city":"上海","change":"CHG-9"`)
	if q := g.gate.last(); q.ChangeID != "CHG-9" || q.Change.Service != "pay-gateway" || q.Change.Version != "1.2.3" || q.Change.Environment != "staging" || q.Change.Risk != "high" || q.Change.Scope.City[0] != "上海" {
		t.Errorf("with metadata: %+v %+v", q, q.Change)
	}
}

func TestABadHookOfFlaggerHoldsTheCanary(t *testing.T) {
	g := newGated(t, Config{})
	for _, c := range []struct {
		path, body string
		want       int
	}{{"rollout", "{", 400}, {"rollout", "{}", 400}, {"roll-out", `{"name":"x"}`, 404}} {
		if code, body := g.send("POST", "/hooks/flagger/"+c.path, c.body); code != c.want {
			t.Errorf("%s %s is answered %d %s", c.path, c.body, code, body)
		}
	}
	g.gate.fail = ops.Errorf(ops.Unavailable, "stopped")
	if passed, body := g.flaggerCall("rollout", ""); passed {
		t.Errorf("a gate that cannot decide lets a canary through: %s", body)
	}
}

func TestTheDocumentedCanaryCallsHooksThatExist(t *testing.T) {
	_, block, _ := strings.Cut(string(read(t, "../../docs/integrations/flagger.md")), "```yaml\n")
	block, _, _ = strings.Cut(block, "```")
	var canary struct {
		Spec struct {
			Analysis struct {
				Webhooks []struct{ Type, URL string }
			}
		}
	}
	if err := yaml.Unmarshal([]byte(block), &canary); err != nil || len(canary.Spec.Analysis.Webhooks) != 4 {
		t.Fatalf("%v %+v", err, canary)
	}
	g := newGated(t, Config{})
	for _, h := range canary.Spec.Analysis.Webhooks {
		path := h.URL[strings.Index(h.URL, "/hooks/"):]
		if code, body := g.send("POST", path, `{"name":"x"}`); !strings.HasSuffix(path, "/"+h.Type) || code == 404 {
			t.Errorf("%s to %s: %d %s", h.Type, path, code, body)
		}
	}
}

func FuzzFlagger(f *testing.F) {
	f.Add([]byte(`{"name":"a","namespace":"b","phase":"Progressing","metadata":{"city":"x"}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		q, err := parseFlagger(body, "production")
		if err == nil && (q.Change.Service == "" || q.Change.Environment == "") {
			b, _ := json.Marshal(q.Change)
			t.Fatalf("%s was let through", b)
		}
	})
}
