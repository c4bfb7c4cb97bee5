package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestAMergeRequestIsAnsweredThoughGOCDiesInBetween tells the real program of a merge request while GitLab is busy, kills
// it, and starts it again: the answer that it owes is given.
func TestAMergeRequestIsAnsweredThoughGOCDiesInBetween(t *testing.T) {
	var busy atomic.Bool
	busy.Store(true)
	tried, answers := make(chan struct{}, 100), make(chan string, 100)
	lab := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if busy.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			tried <- struct{}{}
			return
		}
		w.WriteHeader(http.StatusCreated)
		answers <- r.URL.Path + " " + string(body)
	}))
	defer lab.Close()
	config, listen := serveYAML(t, quietYAML+"hooks: {gitlab: {secret: s}, gitlab_api: {url: "+lab.URL+", token: t}}\n")
	p := serve(t, config, listen)
	const hook = `{"object_kind":"merge_request","project":{"id":5,"name":"pay","path_with_namespace":"chain/pay"},"object_attributes":{"iid":9,"title":"x","last_commit":{"id":"3f1e0a7"}},"external_approval_rule":{"id":1}}`
	if code := signedHook(t, p.url, hook, "guess"); code != 401 {
		t.Errorf("a forged hook is answered %d", code)
	}
	if code := signedHook(t, p.url, hook, "s"); code != 200 {
		t.Fatalf("the hook is answered %d", code)
	}
	<-tried
	p.kill()
	busy.Store(false)
	p = serve(t, config, listen)
	select {
	case got := <-answers:
		if !strings.HasPrefix(got, "/api/v4/projects/5/merge_requests/9/status_check_responses") || !strings.Contains(got, `"status":"passed"`) {
			t.Errorf("the answer was %s", got)
		}
	case <-time.After(30 * time.Second):
		t.Fatalf("no answer came; goc said:\n%s", p.out)
	}
	if code, audit := p.read("/api/v1/events?since=0"); code != 200 || !strings.Contains(audit, `"hook.refused"`) || !strings.Contains(audit, `"gate.decided"`) {
		t.Errorf("%d: neither the forgery nor the decision is on record:\n%s", code, audit)
	}
	const review = `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"u-1","kind":{"kind":"Deployment"},"name":"pay","namespace":"shop","operation":"CREATE","object":{"metadata":{"name":"pay"},"spec":{"template":{}}}}}`
	if code, answer := p.post("/hooks/kubernetes/admission", strings.NewReader(review)); code != 200 || !strings.Contains(answer, `"uid":"u-1","allowed":true`) {
		t.Errorf("an AdmissionReview is answered %d %s", code, answer)
	}
	if code, text := p.read("/api/v1/freezes/configmap"); code != 200 || !strings.Contains(text, "kind: ConfigMap") {
		t.Errorf("the freezes are answered %d %s", code, text)
	}
}

// read gets a path.
func (p *process) read(path string) (int, string) {
	resp, err := http.Get(p.url + path)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b)
}

// signedHook posts a hook as GitLab does for a status check with a shared secret.
func signedHook(t *testing.T, url, body, secret string) int {
	t.Helper()
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	req, err := http.NewRequestWithContext(t.Context(), "POST", url+"/hooks/gitlab", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Gitlab-Signature", hex.EncodeToString(mac.Sum(nil)))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode
}
