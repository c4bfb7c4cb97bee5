package web_test

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"goc/ops"
	"goc/web"
)

func TestTokensAreMadeListedAndRevoked(t *testing.T) {
	w := newWorld(t)
	made := w.must(201, w.do(ops.Admin, "POST", "/api/v1/tokens", `{"name":"ci of the shop","role":"ci","expires_in":"30d"}`)).json(t)
	secret, id := made["token"].(string), made["id"].(string)
	if !regexp.MustCompile(`^goc_[a-z2-7]{8}_[a-z2-7]{32}_[0-9a-f]{8}$`).MatchString(secret) || made["expires_at"] == nil {
		t.Errorf("made: %v", made)
	}
	w.tokens["new"] = secret
	if got := w.must(200, w.do("new", "GET", "/api/v1/whoami", "")).json(t); got["name"] != "ci of the shop" || got["role"] != "ci" {
		t.Errorf("whoami: %v", got)
	}
	list := w.must(200, w.do(ops.Admin, "GET", "/api/v1/tokens", ""))
	if strings.Contains(string(list.body), secret[14:46]) || strings.Contains(string(list.body), "hash") || !strings.Contains(string(list.body), id) {
		t.Errorf("listed: %s", list.body)
	}
	if r, err := w.j.Record(context.Background(), "token", id); err != nil || strings.Contains(string(r.Body), secret[14:46]) {
		t.Errorf("stored: %s %v", r.Body, err)
	}
	w.must(204, w.do(ops.Admin, "DELETE", "/api/v1/tokens/"+id, ""))
	w.problem(401, w.do("new", "GET", "/api/v1/whoami", ""))
	w.problem(404, w.do(ops.Admin, "DELETE", "/api/v1/tokens/"+id, ""))
	if got := w.named("token.created") + w.named("token.revoked"); got != len(ops.Roles)+2 {
		t.Errorf("%d events", got)
	}
}

// named counts the journal's events of a name.
func (w *world) named(name string) (n int) {
	events, _ := w.j.Events(context.Background(), ops.EventQuery{})
	for _, e := range events {
		if e.Name == name {
			n++
		}
	}
	return n
}

func TestARefusedTokenSaysWhyAndLeavesAnAuditLine(t *testing.T) {
	clock := start
	w := newWorld(t, func(o *web.Options) { o.Now = func() time.Time { return clock } })
	good := w.tokens[ops.Viewer]
	typo := "x"
	if good[20] == 'x' {
		typo = "y"
	}
	short := w.must(201, w.do(ops.Admin, "POST", "/api/v1/tokens", `{"name":"short","role":"viewer","expires_in":"1h"}`)).json(t)["token"].(string)
	clock = clock.Add(time.Hour)
	for _, c := range []struct{ name, header, says string }{
		{"a typing error is told from an unknown token", "Bearer " + good[:20] + typo + good[21:], "no token"},
		{"a part is missing", "Bearer " + good[:30], "no token"},
		{"well formed, but of nobody", "Bearer goc_aaaaaaaa_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa_bf99f482", "not known"},
		{"expired", "Bearer " + short, "expired"},
		{"another scheme", "Digest x", "no token"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := w.do("", "GET", "/api/v1/whoami", "", "Authorization", c.header)
			p := w.problem(401, a)
			if !strings.Contains(p["detail"].(string), c.says) || !strings.HasPrefix(a.Header.Get("WWW-Authenticate"), "Bearer") {
				t.Errorf("%v %v", p, a.Header)
			}
		})
	}
	if n := w.named("auth.refused"); n != 5 {
		t.Errorf("%d audit lines, want 5", n)
	}
	for range 50 {
		w.do("", "GET", "/api/v1/whoami", "")
	}
	if n := w.named("auth.refused"); n != 5 {
		t.Errorf("%d audit lines after a flood, want no more than the burst", n)
	}
	w.must(200, w.do("", "GET", "/api/v1/whoami", "", "Authorization", "Basic "+basic("prometheus", good)))
}

func basic(user, password string) string {
	r, _ := http.NewRequest("GET", "/", nil)
	r.SetBasicAuth(user, password)
	return strings.TrimPrefix(r.Header.Get("Authorization"), "Basic ")
}

func TestAnonymousIsForThisMachineAlone(t *testing.T) {
	_, err := web.New(options(t, func(o *web.Options) { o.Config.Anonymous = true; o.Listen = "0.0.0.0:8420" }))
	if err == nil || !strings.Contains(err.Error(), "auth.anonymous") {
		t.Errorf("listening to all: %v", err)
	}
	w := newWorld(t, func(o *web.Options) { o.Config.Anonymous = true; o.Listen = "127.0.0.1:8420" })
	if got := w.must(200, w.do("", "GET", "/api/v1/whoami", "")).json(t); got["role"] != "admin" || got["anonymous"] != true {
		t.Errorf("whoami: %v", got)
	}
	const declare = `{"title":"x"}`
	w.must(201, w.do("", "POST", "/api/v1/incidents", declare))
	w.must(201, w.do("", "POST", "/api/v1/incidents", declare, "Sec-Fetch-Site", "same-origin"))
	w.problem(403, w.do("", "POST", "/api/v1/incidents", declare, "Sec-Fetch-Site", "cross-site"))
	w.problem(403, w.do("", "POST", "/api/v1/incidents", declare, "Origin", "https://evil.example"))
	w.problem(401, w.do("", "GET", "/api/v1/whoami", "", "X-Forwarded-For", "203.0.113.9"))
	w.problem(401, w.do("", "GET", "/api/v1/whoami", "", "Authorization", "Bearer nonsense"))

	req, _ := http.NewRequest("GET", w.http.URL+"/api/v1/whoami", nil)
	req.Host = "evil.example:8420" // a name that was made to point to this machine
	res, err := w.http.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != 401 {
		t.Errorf("by another host name: %d", res.StatusCode)
	}
}

func TestABrowserSignsInAndOutWithACookie(t *testing.T) {
	w := newWorld(t)
	in := w.must(200, w.do("", "POST", "/api/v1/session", `{"token":"`+w.tokens[ops.Responder]+`"}`))
	c := in.Cookies()[0]
	if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || strings.Contains(c.Value, w.tokens[ops.Responder]) {
		t.Errorf("cookie: %+v", c)
	}
	cookie := []string{"Cookie", c.Name + "=" + c.Value}
	w.must(200, w.do("", "GET", "/api/v1/incidents", "", cookie...))
	w.must(201, w.do("", "POST", "/api/v1/incidents", `{"title":"x"}`, append(cookie, "Sec-Fetch-Site", "same-origin")...))
	w.problem(403, w.do("", "POST", "/api/v1/incidents", `{"title":"x"}`, append(cookie, "Sec-Fetch-Site", "cross-site")...))
	w.problem(403, w.do("", "GET", "/api/v1/tokens", "", cookie...))

	restarted, err := web.New(options(t, func(o *web.Options) { o.Journal = w.j }))
	if err != nil {
		t.Fatal(err)
	}
	w.http.Config.Handler = restarted.Handler()
	w.must(200, w.do("", "GET", "/api/v1/incidents", "", cookie...))

	w.must(204, w.do("", "DELETE", "/api/v1/session", "", cookie...))
	w.problem(401, w.do("", "GET", "/api/v1/incidents", "", cookie...))
	w.problem(401, w.do("", "POST", "/api/v1/session", `{"token":"goc_nonsense"}`))
}

func TestASessionEndsWithItsToken(t *testing.T) {
	w := newWorld(t)
	made := w.must(201, w.do(ops.Admin, "POST", "/api/v1/tokens", `{"name":"guest","role":"viewer"}`)).json(t)
	c := w.must(200, w.do("", "POST", "/api/v1/session", `{"token":"`+made["token"].(string)+`"}`)).Cookies()[0]
	cookie := []string{"Cookie", c.Name + "=" + c.Value}
	w.must(200, w.do("", "GET", "/api/v1/whoami", "", cookie...))
	w.must(204, w.do(ops.Admin, "DELETE", "/api/v1/tokens/"+made["id"].(string), ""))
	w.problem(401, w.do("", "GET", "/api/v1/whoami", "", cookie...))
}

func TestTheFirstAdminsTokenIsWrittenOnceAndWorks(t *testing.T) {
	dir := t.TempDir()
	o := options(t)
	s, err := web.New(o)
	if err != nil {
		t.Fatal(err)
	}
	path, created, err := s.EnsureAdminToken(context.Background(), dir)
	if err != nil || !created || path != filepath.Join(dir, "admin-token") {
		t.Fatalf("%q %v %v", path, created, err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	if _, created, err = s.EnsureAdminToken(context.Background(), dir); created || err != nil {
		t.Errorf("again: %v %v", created, err)
	}
	secret, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	w.http.Config.Handler = s.Handler()
	w.tokens["first"] = strings.TrimSpace(string(secret))
	w.must(200, w.do("first", "GET", "/api/v1/tokens", ""))

	list, err := web.Tokens(context.Background(), o.Journal)
	if err != nil || len(list) != 1 || list[0].Role != ops.Admin {
		t.Errorf("%v %v", list, err)
	}
	_, offline, err := web.CreateToken(context.Background(), o.Journal, ops.System, web.TokenSpec{Name: "later", Role: ops.CI}, start)
	if err != nil || !strings.HasPrefix(offline, "goc_") {
		t.Errorf("%q %v", offline, err)
	}
	if err := web.RevokeToken(context.Background(), o.Journal, ops.System, list[0].ID, start); err != nil {
		t.Error(err)
	}
}

func TestTheFileOfTokensIsReadAndReadAgain(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tokens")
	write := func(s string) {
		if err := os.WriteFile(file, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("# of the vault\nshop-ci ci a-secret-of-24-characters-or-more\n")
	w := newWorld(t, func(o *web.Options) { o.Config.TokensFile = file })
	w.tokens["file"] = "a-secret-of-24-characters-or-more"
	if got := w.must(200, w.do("file", "GET", "/api/v1/whoami", "")).json(t); got["name"] != "shop-ci" || got["role"] != "ci" {
		t.Errorf("%v", got)
	}
	c := w.must(200, w.do("", "POST", "/api/v1/session", `{"token":"a-secret-of-24-characters-or-more"}`)).Cookies()[0]
	cookie := []string{"Cookie", c.Name + "=" + c.Value}
	w.must(200, w.do("", "GET", "/api/v1/whoami", "", cookie...))
	write("shop-ci nobody a-secret-of-24-characters-or-more\n")
	if err := w.server.ReloadTokens(); err == nil || !strings.Contains(err.Error(), ":1:") {
		t.Errorf("a bad line: %v", err)
	}
	w.must(200, w.do("file", "GET", "/api/v1/whoami", ""))
	write("")
	if err := w.server.ReloadTokens(); err != nil {
		t.Fatal(err)
	}
	w.problem(401, w.do("file", "GET", "/api/v1/whoami", ""))
	w.problem(401, w.do("", "GET", "/api/v1/whoami", "", cookie...))
}

func TestMountedHandlersKnowWhoActs(t *testing.T) {
	w := newWorld(t)
	if got := w.must(200, w.do(ops.Sender, "POST", "/api/v2/alerts", "[]")); string(got.body) != "sender" {
		t.Errorf("%s", got.body)
	}
	if got := w.must(200, w.do("", "POST", "/hooks/github", "{}")); string(got.body) != "" {
		t.Errorf("a public hook knows %s", got.body)
	}
	w.problem(403, w.do(ops.Viewer, "POST", "/api/v2/alerts", "[]"))
	w.must(200, w.do(ops.Viewer, "GET", "/prometheus/api/v1/query?query=up", ""))
}

func TestANameThatTheJournalCouldNotKeepGetsNoToken(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{`a\u0000b`, `a\nb`, ` `, `\u202e`} {
		w.problem(422, w.do(ops.Admin, "POST", "/api/v1/tokens", `{"name":"`+name+`","role":"ci"}`))
	}
	w.must(201, w.do(ops.Admin, "POST", "/api/v1/tokens", `{"name":"值班 甲","role":"ci"}`))
}
