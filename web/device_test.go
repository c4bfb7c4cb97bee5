package web_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"goc/ops"
	"goc/web"
)

// enrolment makes an enrolment token for SH-001 and keeps it under a name for do.
func (w *world) enrolment(uses int) {
	made := w.must(201, w.do(ops.Admin, "POST", "/api/v1/tokens", fmt.Sprintf(`{"name":"enrol:SH-001","role":"agent","expires_in":"1h","uses":%d}`, uses))).json(w.t)
	w.tokens["enrol"] = made["token"].(string)
}

func TestADeviceIsEnrolledOnceAndSpeaksForItself(t *testing.T) {
	var seen ops.Principal
	w := newWorld(t, func(o *web.Options) { o.Heartbeats = principalOf(&seen) })
	w.enrolment(2)
	login := w.must(201, w.do("enrol", "POST", "/api/v1/devices/enrol", `{"device":"pos-03"}`)).json(t)
	secret := login["password"].(string)
	if login["username"] != "SH-001/pos-03" || !strings.HasPrefix(secret, "gocd_") {
		t.Errorf("enrolled: %v", login)
	}
	w.tokens["device"] = secret
	w.must(202, w.do("device", "POST", "/api/v1/heartbeats", `[]`))
	if seen != (ops.Principal{Name: "device:SH-001/pos-03", Role: ops.Agent}) {
		t.Errorf("a beat with the secret comes from %v", seen)
	}
	if r, err := w.j.Record(t.Context(), "device_login", "SH-001/pos-03"); err != nil || strings.Contains(string(r.Body), secret) {
		t.Errorf("stored: %s %v", r.Body, err)
	}
	w.problem(409, w.do("enrol", "POST", "/api/v1/devices/enrol", `{"device":"pos-03"}`))
	w.problem(403, w.do("enrol", "POST", "/api/v1/devices/enrol", `{"device":"pos-04","store":"SH-002"}`))
	w.problem(422, w.do("enrol", "POST", "/api/v1/devices/enrol", `{"device":"pos 04"}`))
	w.problem(422, w.do("enrol", "POST", "/api/v1/devices/enrol", `{"device":"a/b"}`))
	w.problem(403, w.do(ops.Agent, "POST", "/api/v1/devices/enrol", `{"device":"pos-04"}`))
	w.problem(403, w.do("device", "POST", "/api/v1/devices/enrol", `{"device":"pos-04"}`))
	w.must(201, w.do("enrol", "POST", "/api/v1/devices/enrol", `{"device":"pos-04"}`))
	w.problem(403, w.do("enrol", "POST", "/api/v1/devices/enrol", `{"device":"pos-05"}`)) // used up
	if got := w.named("fleet.login_issued"); got != 2 {
		t.Errorf("%d events", got)
	}
}

func TestAnEnrolmentTokenDoesNothingElse(t *testing.T) {
	w := newWorld(t)
	w.enrolment(1)
	w.problem(403, w.do("enrol", "POST", "/api/v1/heartbeats", `[]`))
	w.problem(403, w.do("enrol", "GET", "/api/v1/whoami", ""))
	if _, _, _, err := w.server.Login(w.tokens["enrol"]); ops.KindOf(err) != ops.Denied {
		t.Errorf("as a login: %v", err)
	}
	for name, body := range map[string]string{
		"for ever":          `{"name":"enrol:SH-001","role":"agent","uses":5}`,
		"for two months":    `{"name":"enrol:SH-001","role":"agent","uses":5,"expires_in":"60d"}`,
		"without a number":  `{"name":"enrol:SH-001","role":"agent","expires_in":"1h"}`,
		"for too many":      `{"name":"enrol:SH-001","role":"agent","expires_in":"1h","uses":100001}`,
		"as admin":          `{"name":"enrol:SH-001","role":"admin","expires_in":"1h","uses":5}`,
		"of no store":       `{"name":"enrol:","role":"agent","expires_in":"1h","uses":5}`,
		"of a store / more": `{"name":"enrol:a/b","role":"agent","expires_in":"1h","uses":5}`,
		"that enrols not":   `{"name":"store:SH-001","role":"agent","expires_in":"1h","uses":5}`,
	} {
		if res := w.do(ops.Admin, "POST", "/api/v1/tokens", body); res.StatusCode < 400 {
			t.Errorf("an enrolment token %s was made", name)
		}
	}
}

func TestUsesAreCountedWhenManyComeAtOnce(t *testing.T) {
	w := newWorld(t)
	w.enrolment(10)
	var mu sync.Mutex
	codes := map[int]int{}
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			code := w.do("enrol", "POST", "/api/v1/devices/enrol", fmt.Sprintf(`{"device":"pos-%d"}`, i/2)).StatusCode
			mu.Lock()
			codes[code]++
			mu.Unlock()
		})
	}
	wg.Wait()
	if codes[201] != 10 || codes[201]+codes[403]+codes[409] != 40 {
		t.Errorf("answers by code: %v", codes)
	}
}

func TestADevicesSecretIsReplacedAndRevoked(t *testing.T) {
	w := newWorld(t)
	issue := func() string {
		return w.must(201, w.do(ops.Admin, "POST", "/api/v1/devices/SH-001/pos-03/login", "")).json(t)["password"].(string)
	}
	old := issue()
	_, oldKey, _, err := w.server.Login(old)
	if err != nil || !w.server.StillIn(oldKey) {
		t.Fatalf("the first secret: %v", err)
	}
	young := issue()
	p, key, _, err := w.server.Login(young)
	if err != nil || p.Name != "device:SH-001/pos-03" || !w.server.StillIn(key) || w.server.StillIn(oldKey) {
		t.Errorf("the second secret: %v %v", p, err)
	}
	if _, _, _, err := w.server.Login(old); err == nil {
		t.Error("the first secret is good besides the second")
	}
	w.must(204, w.do(ops.Admin, "DELETE", "/api/v1/devices/SH-001/pos-03/login", ""))
	if _, _, _, err := w.server.Login(young); err == nil || w.server.StillIn(key) {
		t.Error("a revoked secret is good")
	}
	w.problem(404, w.do(ops.Admin, "DELETE", "/api/v1/devices/SH-001/pos-03/login", ""))
	w.problem(403, w.do(ops.Commander, "POST", "/api/v1/devices/SH-001/pos-03/login", ""))
	for _, s := range []string{"gocd_", "gocd_x_y_z", young[:len(young)-1], strings.Replace(young, "gocd_", "gocd_a", 1)} {
		if _, _, _, err := w.server.Login(s); err == nil {
			t.Errorf("%q is a secret", s)
		}
	}
}

// principalOf is a handler that remembers who asked.
func principalOf(seen *ops.Principal) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*seen, _ = ops.PrincipalFrom(r.Context())
		w.WriteHeader(http.StatusAccepted)
	})
}
