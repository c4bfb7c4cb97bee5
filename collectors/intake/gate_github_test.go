package intake

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"goc/ops"
)

// hub is a GitHub as its documents have it: an App's JWT of at most ten minutes buys a token of the installation, with
// which a run's callback takes an approval, a rejection, or one of ten status reports of at most 1024 characters.
type hub struct {
	t       *testing.T
	key     *rsa.PublicKey
	url     string
	answers []map[string]string // what was taken, in order
	reports int
	busy    int // answers of 503 before it works
	gone    bool
}

func newHub(t *testing.T, key *rsa.PublicKey) *hub {
	h := &hub{t: t, key: key}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /app/installations/{id}/access_tokens", h.token)
	mux.HandleFunc("POST /repos/chain/pay/actions/runs/{run}/deployment_protection_rule", h.callback)
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	h.url = srv.URL
	return h
}

func (h *hub) token(w http.ResponseWriter, r *http.Request) {
	var ask struct {
		IDs         []int             `json:"repository_ids"`
		Permissions map[string]string `json:"permissions"`
	}
	if err := h.jwt(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")); err != nil {
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprintf(w, `{"message":%q}`, err)
		return
	}
	if json.NewDecoder(r.Body).Decode(&ask) != nil || len(ask.IDs) != 1 || ask.IDs[0] != 77 || ask.Permissions["deployments"] != "write" || r.PathValue("id") != "42" {
		w.WriteHeader(http.StatusUnprocessableEntity)
		return
	}
	w.WriteHeader(http.StatusCreated)
	fmt.Fprint(w, `{"token":"ghs_x","expires_at":"2026-11-20T09:00:00Z"}`)
}

func (h *hub) jwt(token string) error {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return fmt.Errorf("A JSON web token could not be decoded")
	}
	signature, _ := base64.RawURLEncoding.DecodeString(parts[2])
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if err := rsa.VerifyPKCS1v15(h.key, crypto.SHA256, sum[:], signature); err != nil {
		return err
	}
	var c struct {
		Iat, Exp int64
		Iss      string
	}
	b, _ := base64.RawURLEncoding.DecodeString(parts[1])
	if err := json.Unmarshal(b, &c); err != nil {
		return err
	}
	now := start.Unix()
	if c.Iss != "1234" || c.Iat > now || c.Exp <= now || c.Exp-c.Iat > 600 {
		return fmt.Errorf("'Expiration time' claim ('exp') is too far in the future")
	}
	return nil
}

func (h *hub) callback(w http.ResponseWriter, r *http.Request) {
	var a map[string]string
	_ = json.NewDecoder(r.Body).Decode(&a)
	state, decides := a["state"]
	switch {
	case h.busy > 0:
		h.busy--
		w.WriteHeader(http.StatusServiceUnavailable)
	case r.Header.Get("Authorization") != "Bearer ghs_x":
		w.WriteHeader(http.StatusUnauthorized)
	case h.gone:
		w.WriteHeader(http.StatusNotFound)
	case a["environment_name"] != "production" || len([]rune(a["comment"])) > 1024 || decides && state != "approved" && state != "rejected" || !decides && h.reports == 10:
		w.WriteHeader(http.StatusUnprocessableEntity)
	default:
		if !decides {
			h.reports++
		}
		h.answers = append(h.answers, a)
		w.WriteHeader(http.StatusNoContent)
	}
}

// protected is a room whose deployments at a GitHub wait for the gate.
type protected struct {
	*gated
	hub *hub
}

func newProtected(t *testing.T) *protected {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "app.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}), 0o600); err != nil {
		t.Fatal(err)
	}
	h := newHub(t, &key.PublicKey)
	return &protected{newGated(t, Config{GitHub: Secret{Secret: "s"}, GitHubApp: GitHubApp{AppID: "1234", PrivateKeyFile: file, APIURL: h.url}}), h}
}

// requested is the webhook as GitHub sends it.
func (p *protected) requested() map[string]any {
	return map[string]any{
		"action": "requested", "environment": "production", "event": "push", "ref": "main", "sha": "95790bf8", "pull_requests": []any{},
		"deployment_callback_url": p.hub.url + "/repos/chain/pay/actions/runs/987/deployment_protection_rule",
		"deployment": map[string]any{
			"id": 1, "sha": "95790bf8", "ref": "v1.2.3", "task": "deploy", "payload": map[string]any{}, "environment": "production", "creator": map[string]any{"login": "wang"}, "created_at": "2026-11-20T07:59:00Z",
		},
		"repository": map[string]any{"id": 77, "name": "pay", "full_name": "chain/pay"}, "installation": map[string]any{"id": 42}, "sender": map[string]any{"login": "wang"},
	}
}

// deliver sends a webhook with its signature.
func (p *protected) deliver(payload map[string]any, id string) (int, string) {
	body, err := json.Marshal(payload)
	if err != nil {
		p.t.Fatal(err)
	}
	mac := hmac.New(sha256.New, []byte("s"))
	mac.Write(body)
	return p.send("POST", "/hooks/github", string(body), "X-GitHub-Event", "deployment_protection_rule", "X-GitHub-Delivery", id, "X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
}

// attempt does the next effect, as the outbox would.
func (g *gated) attempt() error {
	e := g.book.take(g.t)
	return g.s.Handlers()[e.Kind](g.t.Context(), e)
}

func TestADeploymentIsApprovedOrRejected(t *testing.T) {
	for decision, state := range map[string]string{ops.EffectAllow: "approved", ops.EffectDeny: "rejected"} {
		p := newProtected(t)
		p.gate.says(decision, ops.Reason{Rule: "freeze", Effect: decision, Message: strings.Repeat("上海", 2000)})
		if code, body := p.deliver(p.requested(), "d-1"); code != 200 {
			t.Fatalf("the webhook is answered %d %s", code, body)
		}
		if err := p.attempt(); err != nil || len(p.hub.answers) != 1 || p.hub.answers[0]["state"] != state || len(p.book.effects) != 0 {
			t.Errorf("%s: %v, %d answers, %d effects left", decision, err, len(p.hub.answers), len(p.book.effects))
		}
		if c := p.gate.last().Change; c.Service != "pay" || c.Version != "v1.2.3" || c.Environment != "production" || c.Author != "wang" || c.Source != "github" {
			t.Errorf("the question was %+v", c)
		}
	}
}

func TestADeploymentThatWaitsIsToldWhyAndAskedAgain(t *testing.T) {
	p := newProtected(t)
	p.deliver(p.requested(), "d-1")
	for i := range 25 {
		p.gate.says(ops.EffectWait, ops.Reason{Rule: "collision", Effect: ops.EffectWait, Message: fmt.Sprint("behind CHG-", i/2)})
		if err := p.attempt(); err != nil {
			t.Fatal(err)
		}
		if len(p.book.effects) != 1 || !p.book.effects[0].NotUntil.Equal(start.Add(90*time.Second)) {
			t.Fatalf("after attempt %d: %+v", i, p.book.effects)
		}
	}
	if p.hub.reports != 10 || p.hub.answers[1]["comment"] != "GOC: wait: collision: behind CHG-1" {
		t.Errorf("%d reports: %v", p.hub.reports, p.hub.answers)
	}
	p.gate.says(ops.EffectAllow)
	if err := p.attempt(); err != nil || p.hub.answers[10]["state"] != "approved" || len(p.book.effects) != 0 {
		t.Errorf("%v, %v", err, p.hub.answers)
	}
}

func TestACallbackIsTriedAgainUntilGitHubTakesIt(t *testing.T) {
	p := newProtected(t)
	p.hub.busy = 1
	p.deliver(p.requested(), "d-1")
	e := p.book.take(t)
	if err := p.s.callBack(t.Context(), e); err == nil || ops.IsPermanent(err) || len(p.hub.answers) != 0 {
		t.Errorf("of a GitHub that is busy: %v", err)
	}
	if err := p.s.callBack(t.Context(), e); err != nil || len(p.hub.answers) != 1 {
		t.Errorf("the second attempt: %v", err)
	}
	p.hub.gone = true
	if err := p.s.callBack(t.Context(), e); !ops.IsPermanent(err) {
		t.Errorf("a run that is over: %v", err)
	}
	p.gate.fail = ops.Errorf(ops.Unavailable, "stopped")
	if err := p.s.callBack(t.Context(), e); err == nil || ops.IsPermanent(err) {
		t.Errorf("a gate that cannot decide: %v", err)
	}
}

func TestForgedAndReplayedRulesAreRefused(t *testing.T) {
	p := newProtected(t)
	set := func(key string, v any) map[string]any { m := p.requested(); m[key] = v; return m }
	old := p.requested()
	old["deployment"].(map[string]any)["created_at"] = "2026-10-01T00:00:00Z"
	for name, c := range map[string]struct {
		payload map[string]any
		want    int
	}{
		"another host":                 {set("deployment_callback_url", "http://169.254.169.254/repos/chain/pay/actions/runs/1/deployment_protection_rule"), 403},
		"a host in the userinfo":       {set("deployment_callback_url", p.hub.url+"@evil.example/repos/chain/pay/actions/runs/1/deployment_protection_rule"), 403},
		"another repository":           {set("deployment_callback_url", p.hub.url+"/repos/chain/other/actions/runs/1/deployment_protection_rule"), 403},
		"a path that climbs":           {set("deployment_callback_url", p.hub.url+"/repos/chain/pay/actions/runs/1/../2/deployment_protection_rule"), 403},
		"a query":                      {set("deployment_callback_url", p.hub.url+"/repos/chain/pay/actions/runs/1/deployment_protection_rule?x"), 403},
		"a deployment older than 30 d": {old, 409},
		"no installation":              {set("installation", nil), 400},
		"an installation with a path":  {set("installation", map[string]any{"id": "1/../2"}), 400},
		"an environment without end":   {set("environment", strings.Repeat("x", 4096)), 400},
		"no environment":               {set("environment", ""), 400},
	} {
		if code, body := p.deliver(c.payload, name); code != c.want || len(p.book.effects) != 0 {
			t.Errorf("%s is answered %d %s with %d effects", name, code, body, len(p.book.effects))
		}
	}
	if code, _ := p.send("POST", "/hooks/github", `{}`, "X-GitHub-Event", "deployment_protection_rule", "X-Hub-Signature-256", "sha256=00"); code != 401 {
		t.Errorf("a wrong signature is answered %d", code)
	}
	if code, _ := p.deliver(p.requested(), "d-2"); code != 200 {
		t.Errorf("a good one is answered %d", code)
	}
	if code, body := p.deliver(p.requested(), "d-2"); code != 409 {
		t.Errorf("the same delivery again is answered %d %s", code, body)
	}
	if p.book.lines("hook.refused") != 1 || len(p.book.effects) != 1 {
		t.Errorf("%d audit lines, %d effects", p.book.lines("hook.refused"), len(p.book.effects))
	}
}

func TestADeploymentThatNobodyCanAnswerIsAConflict(t *testing.T) {
	p := newProtected(t)
	p.s.app = nil
	if code, body := p.deliver(p.requested(), "d-1"); code != 409 || !strings.Contains(body, "hooks.github_app") {
		t.Errorf("%d %s", code, body)
	}
}

func TestAnAppThatIsHalfConfiguredIsRefused(t *testing.T) {
	for place, g := range map[string]GitHubApp{
		"hooks.github_app.app_id": {PrivateKeyFile: "x"}, "hooks.github_app.private_key_file": {AppID: "1", PrivateKeyFile: "gate_github_test.go"}, "hooks.github_app.api_url": {AppID: "1", APIURL: "ftp://x"},
	} {
		if _, err := g.open(); err == nil || !strings.HasPrefix(err.Error(), place) {
			t.Errorf("%+v: %v, want one at %s", g, err, place)
		}
	}
}

func FuzzGitHubRule(f *testing.F) {
	const api = "https://api.github.com"
	f.Add([]byte(`{"action":"requested","environment":"production","deployment_callback_url":"https://api.github.com/repos/a/b/actions/runs/1/deployment_protection_rule","repository":{"name":"b","full_name":"a/b"},"installation":{"id":1}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		c, err := parseGitHubRule(body, api)
		if err != nil {
			return
		}
		req, err := http.NewRequest("POST", c.GitHub.URL, nil)
		if err != nil || req.URL.Host != "api.github.com" || req.URL.Scheme != "https" || req.URL.User != nil || req.URL.RawQuery != "" {
			t.Fatalf("%s was let through: %v", c.GitHub.URL, err)
		}
	})
}
