package web_test

import (
	"net/http"
	"strings"
	"testing"

	"goc/ops"
	"goc/web"
)

func TestPagesAreServedWithAStrictPolicy(t *testing.T) {
	w := newWorld(t)
	const html = "text/html,application/xhtml+xml,*/*;q=0.8"
	for _, path := range []string{"/", "/i/INC-42", "/fleet/Shanghai/SH-001/pos-1.2", "/changes"} {
		a := w.must(200, w.do("", "GET", path, "", "Accept", html))
		policy := a.Header.Get("Content-Security-Policy")
		if !strings.Contains(string(a.body), "<title>GOC") || !strings.Contains(policy, "frame-ancestors 'none'") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: %s %q", path, a.body, policy)
		}
		if a.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: no nosniff", path)
		}
	}
	w.problem(404, w.do("", "GET", "/assets/none.js", "", "Accept", "*/*"))
	w.problem(404, w.do("", "GET", "/api/none", "", "Accept", html))
	w.problem(405, w.do("", "POST", "/i/INC-42", "{}"))

	script := w.must(200, w.do("", "GET", "/assets/app.js", "", "Accept-Encoding", "gzip"))
	if script.Header.Get("Content-Encoding") != "gzip" || len(script.body) > 400 || !strings.HasPrefix(script.Header.Get("Content-Type"), "text/javascript") {
		t.Errorf("script: %v, %d bytes", script.Header, len(script.body))
	}
	w.must(http.StatusNotModified, w.do("", "GET", "/assets/app.js", "", "If-None-Match", script.Header.Get("ETag")))
	plain := w.must(200, w.do("", "GET", "/assets/app.js", "", "Accept-Encoding", "gzip;q=0"))
	if plain.Header.Get("Content-Encoding") != "" || len(plain.body) != 4000 {
		t.Errorf("plain: %v, %d bytes", plain.Header, len(plain.body))
	}
}

func TestTheBuiltBundleHasAnIndex(t *testing.T) {
	w := newWorld(t, func(o *web.Options) { o.UI = web.UI() })
	a := w.must(200, w.do("", "GET", "/", "", "Accept", "text/html"))
	if !strings.Contains(strings.ToLower(string(a.body)), "<!doctype html>") {
		t.Errorf("%s", a.body)
	}
}

func TestLongAnswersArePackedForThoseWhoCanUnpack(t *testing.T) {
	w := newWorld(t)
	for range 100 {
		w.incident("INC-" + strings.Repeat("1", 1+len(w.incidents)%18))
	}
	a := w.must(200, w.do(ops.Viewer, "GET", "/api/v1/incidents", "", "Accept-Encoding", "gzip"))
	if a.Header.Get("Content-Encoding") != "gzip" {
		t.Errorf("%v", a.Header)
	}
}
