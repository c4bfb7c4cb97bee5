package intake

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"goc/ops"
)

// lab is a GitLab as its documents have it: a response must be of the head of the source branch, and a check that is
// pending for more than two minutes fails.
type lab struct {
	url, head string
	now       time.Time
	status    string
	since     time.Time // of the last pending
}

func newLab(t *testing.T) *lab {
	l := &lab{head: "3f1e0a7", now: start}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/v4/projects/5/merge_requests/9/status_check_responses", func(w http.ResponseWriter, r *http.Request) {
		var a map[string]string
		_ = json.NewDecoder(r.Body).Decode(&a)
		switch {
		case r.Header.Get("PRIVATE-TOKEN") != "glpat":
			w.WriteHeader(http.StatusUnauthorized)
		case a["sha"] != l.head:
			w.WriteHeader(http.StatusConflict)
		case a["external_status_check_id"] != "1" || a["status"] != "pending" && a["status"] != "passed" && a["status"] != "failed":
			w.WriteHeader(http.StatusBadRequest)
		default:
			l.status, l.since = l.shown(), l.now
			if l.status != "timed out" {
				l.status = a["status"]
			}
			w.WriteHeader(http.StatusCreated)
		}
	})
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	l.url = srv.URL
	return l
}

// shown is the status as the merge request shows it.
func (l *lab) shown() string {
	if l.status == "pending" && l.now.Sub(l.since) > 2*time.Minute {
		return "timed out"
	}
	return l.status
}

// statusCheck is the hook as GitLab sends it.
func statusCheck(change func(map[string]any)) string {
	p := map[string]any{
		"object_kind": "merge_request", "event_type": "merge_request", "user": map[string]any{"id": 1, "username": "wang"},
		"project":                map[string]any{"id": 5, "name": "Pay", "path_with_namespace": "chain/pay", "web_url": "https://gitlab.example/chain/pay"},
		"object_attributes":      map[string]any{"id": 99, "iid": 9, "title": "Faster", "state": "opened", "source_branch": "faster", "target_branch": "main", "last_commit": map[string]any{"id": "3f1e0a7"}},
		"labels":                 []any{},
		"external_approval_rule": map[string]any{"id": 1, "name": "GOC", "external_url": "https://goc.example/hooks/gitlab"},
	}
	change(p)
	b, _ := json.Marshal(p)
	return string(b)
}

func (g *gated) signed(body, secret string) (int, string) {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	return g.send("POST", "/hooks/gitlab", body, "X-Gitlab-Signature", hex.EncodeToString(mac.Sum(nil)))
}

func TestAMergeRequestPassesOrFails(t *testing.T) {
	for decision, status := range map[string]string{ops.EffectAllow: "passed", ops.EffectDeny: "failed"} {
		l := newLab(t)
		g := newGated(t, Config{GitLab: Secret{Secret: "s"}, GitLabAPI: GitLabAPI{URL: l.url, Token: "glpat"}})
		g.gate.says(decision)
		if code, body := g.signed(statusCheck(func(map[string]any) {}), "s"); code != 200 {
			t.Fatalf("the hook is answered %d %s", code, body)
		}
		if err := g.attempt(); err != nil || l.shown() != status || len(g.book.effects) != 0 {
			t.Errorf("%s: %v, the check is %s", decision, err, l.shown())
		}
		if c := g.gate.last().Change; c.Service != "pay" || c.Version != "3f1e0a7" || c.Author != "wang" || c.Title != "Merge chain/pay!9 Faster" {
			t.Errorf("the question was %+v", c)
		}
	}
}

func TestAPendingCheckIsRenewedInsideTwoMinutes(t *testing.T) {
	l := newLab(t)
	g := newGated(t, Config{GitLab: Secret{Secret: "s"}, GitLabAPI: GitLabAPI{URL: l.url, Token: "glpat"}})
	g.s.now = func() time.Time { return l.now }
	g.gate.says(ops.EffectWait)
	g.gate.answer.RetryAfterS = 3600
	g.signed(statusCheck(func(map[string]any) {}), "s")
	for i := range 20 {
		if err := g.attempt(); err != nil || l.shown() != "pending" || len(g.book.effects) != 1 {
			t.Fatalf("attempt %d: %v, the check is %s", i, err, l.shown())
		}
		l.now = g.book.effects[0].NotUntil.Add(20 * time.Second) // the outbox is busy
	}
	g.gate.says(ops.EffectAllow)
	if err := g.attempt(); err != nil || l.shown() != "passed" {
		t.Errorf("%v, the check is %s", err, l.shown())
	}
}

func TestAPushEndsTheAnswersOfTheCommitBefore(t *testing.T) {
	l := newLab(t)
	g := newGated(t, Config{GitLab: Secret{Secret: "s"}, GitLabAPI: GitLabAPI{URL: l.url, Token: "glpat"}})
	g.signed(statusCheck(func(map[string]any) {}), "s")
	l.head = "aaaaaaa"
	if err := g.attempt(); !ops.IsPermanent(err) {
		t.Errorf("an answer for a commit that is no longer the head: %v", err)
	}
	push := func(p map[string]any) {
		p["object_attributes"].(map[string]any)["last_commit"] = map[string]any{"id": "aaaaaaa"}
	}
	g.signed(statusCheck(func(map[string]any) {}), "s")
	g.signed(statusCheck(push), "s")
	g.signed(statusCheck(func(map[string]any) {}), "s") // of the old commit, by a webhook that was late
	if n := len(g.book.effects); n != 2 {
		t.Errorf("%d answers wait, want one for each commit", n)
	}
	if err := g.attempt(); !ops.IsPermanent(err) || l.shown() == "passed" {
		t.Errorf("the old commit: %v, the check is %s", err, l.shown())
	}
	if err := g.attempt(); err != nil || l.shown() != "passed" {
		t.Errorf("the new commit: %v, the check is %s", err, l.shown())
	}
	g.signed(statusCheck(push), "s") // somebody retries the check: GitLab sends the same body
	if n := len(g.book.effects); n != 1 {
		t.Errorf("a check that is retried is asked %d times", n)
	}
}

func TestABadStatusCheckIsRefused(t *testing.T) {
	l := newLab(t)
	g := newGated(t, Config{GitLab: Secret{Secret: "s"}, GitLabAPI: GitLabAPI{URL: l.url, Token: "glpat"}})
	good := statusCheck(func(map[string]any) {})
	if code, _ := g.signed(good, "guess"); code != 401 || g.book.lines("hook.refused") != 1 {
		t.Errorf("a forged one is answered %d, %d audit lines", code, g.book.lines("hook.refused"))
	}
	if code, _ := g.send("POST", "/hooks/gitlab", good, "X-Gitlab-Token", "s", "X-Gitlab-Signature", "00"); code != 401 {
		t.Errorf("a wrong signature beside the right token is answered %d", code)
	}
	for place, change := range map[string]func(map[string]any){
		"body.project.id":                       func(p map[string]any) { p["project"].(map[string]any)["id"] = "5/../6" },
		"body.external_approval_rule.id":        func(p map[string]any) { p["external_approval_rule"] = map[string]any{} },
		"body.object_attributes.last_commit.id": func(p map[string]any) { p["object_attributes"].(map[string]any)["last_commit"] = nil },
	} {
		if code, body := g.signed(statusCheck(change), "s"); code != 400 || !strings.Contains(body, place) {
			t.Errorf("%s: %d %s", place, code, body)
		}
	}
	merged := func(p map[string]any) { p["object_attributes"].(map[string]any)["state"] = "merged" }
	if code, _ := g.signed(statusCheck(merged), "s"); code != 200 || len(g.book.effects) != 0 {
		t.Errorf("a merged one is answered %d and asked", code)
	}
	g.s.gitlabAPI = nil
	if code, body := g.signed(good, "s"); code != 409 || !strings.Contains(body, "hooks.gitlab_api") {
		t.Errorf("without an API: %d %s", code, body)
	}
}

func TestAnAPIThatIsHalfConfiguredIsRefused(t *testing.T) {
	for place, a := range map[string]GitLabAPI{"hooks.gitlab_api.url": {Token: "x"}, "hooks.gitlab_api.token": {URL: "https://x"}, "hooks.gitlab_api.token_file": {URL: "https://x", TokenFile: "missing"}} {
		if _, err := a.open(); err == nil || !strings.HasPrefix(err.Error(), place) {
			t.Errorf("%+v: %v, want one at %s", a, err, place)
		}
	}
}

func FuzzGitLabCheck(f *testing.F) {
	f.Add([]byte(statusCheck(func(map[string]any) {})))
	f.Fuzz(func(t *testing.T, body []byte) {
		asksGitLab(body)
		c, why, err := parseGitLabCheck(body)
		if err == nil && why == "" && strings.ContainsAny(c.GitLab.Project+c.GitLab.Request, "/.?#%") {
			t.Fatalf("%+v was let through", c.GitLab)
		}
	})
}
