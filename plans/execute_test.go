package plans_test

import (
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"goc/ops"
	"goc/plans"
)

func TestParametersAreEscapedWhereTheyStand(t *testing.T) {
	nasty := `a/b?c="d"&e=f%2F` + "é"
	var path, query, body, header string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b := make([]byte, 1000)
		n, _ := r.Body.Read(b)
		path, query, body, header = r.URL.EscapedPath(), r.URL.Query().Get("q"), string(b[:n]), r.Header.Get("X-Note")
	}))
	defer srv.Close()
	step := ops.Step{Name: "s", HTTP: &ops.HTTPStep{URL: srv.URL + "/x/${p}/y?q=${p}", Body: `{"p":"${p}","n":${n}}`, Headers: map[string]string{"X-Note": "${n}"}}}
	if _, err := plans.NewExecutor(nil).Do(t.Context(), "k", step, map[string]string{"p": nasty, "n": "12"}); err != nil {
		t.Fatal(err)
	}
	var got struct {
		P string
		N int
	}
	if err := json.Unmarshal([]byte(body), &got); err != nil || got.P != nasty || got.N != 12 {
		t.Errorf("body %q: %v", body, err)
	}
	if query != nasty || strings.Count(path, "/") != 3 || header != "12" {
		t.Errorf("path %q query %q header %q", path, query, header)
	}
}

func TestAParameterCannotBreakOut(t *testing.T) {
	for name, c := range map[string]struct {
		step  ops.Step
		value string
	}{
		"of a JSON number":     {ops.Step{HTTP: &ops.HTTPStep{URL: "http://h/", Body: `{"n":${p}}`}}, `1,"admin":true`},
		"of a path by dots":    {ops.Step{HTTP: &ops.HTTPStep{URL: "http://h/${p}/x"}}, ".."},
		"of a path by nothing": {ops.Step{HTTP: &ops.HTTPStep{URL: "http://h/${p}/x"}}, ""},
		"into another header":  {ops.Step{HTTP: &ops.HTTPStep{URL: "http://h/", Headers: map[string]string{"X": "${p}"}}}, "a\r\nX-Role: admin"},
		"into an option":       {ops.Step{Command: &ops.CommandStep{Argv: []string{"/bin/rm", "${p}"}}}, "-rf"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := plans.NewExecutor(nil).Do(t.Context(), "k", c.step, map[string]string{"p": c.value})
			var how *plans.StepError
			if !errors.As(err, &how) || how.Unknown || how.Retry != 0 || !strings.Contains(err.Error(), "parameter p") {
				t.Errorf("got %v, want a refusal that names the parameter", err)
			}
		})
	}
}

func TestACommandIsRunWithoutAShell(t *testing.T) {
	x := plans.NewExecutor(nil)
	t.Setenv("GOC_SLACK_TOKEN", "s3cret")
	out, err := x.Do(t.Context(), "k1", ops.Step{Command: &ops.CommandStep{Argv: []string{"/bin/echo", "a ${p}"}}}, map[string]string{"p": "$(id); `id` *"})
	if err != nil || out != "a $(id); `id` *\n" {
		t.Errorf("got %q %v", out, err)
	}
	out, err = x.Do(t.Context(), "k1", ops.Step{Command: &ops.CommandStep{Argv: []string{"/usr/bin/env"}}}, nil)
	if err != nil || strings.Contains(out, "s3cret") || !strings.Contains(out, "GOC_IDEMPOTENCY_KEY=k1") {
		t.Errorf("environment %q %v", out, err)
	}
}

func TestHowACommandEnds(t *testing.T) {
	sh := func(script string) ops.Step {
		return ops.Step{Command: &ops.CommandStep{Argv: []string{"/bin/sh", "-c", script}}, Timeout: ops.Duration(300 * time.Millisecond)}
	}
	for name, c := range map[string]struct {
		step    ops.Step
		unknown bool
		part    string // of the error, "" for success
	}{
		"an exit code is a failure":              {sh("echo why >&2; exit 3"), false, "exit status 3: why"},
		"no such program is a failure":           {ops.Step{Command: &ops.CommandStep{Argv: []string{"/nope"}}}, false, "cannot be started"},
		"a time-out kills the whole group":       {sh("sleep 100 & sleep 100"), true, "killed"},
		"children that are left hold up nothing": {sh("sleep 100 & exit 0"), false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			begin := time.Now()
			_, err := plans.NewExecutor(nil).Do(t.Context(), "k", c.step, nil)
			var how *plans.StepError
			errors.As(err, &how)
			if (err == nil) != (c.part == "") || err != nil && (!strings.Contains(err.Error(), c.part) || how.Unknown != c.unknown) {
				t.Errorf("got %v (unknown %v), want %q", err, how != nil && how.Unknown, c.part)
			}
			if d := time.Since(begin); d > 10*time.Second {
				t.Errorf("it took %s", d)
			}
		})
	}
}

func TestOutputIsBounded(t *testing.T) {
	out, err := plans.NewExecutor(nil).Do(t.Context(), "k", ops.Step{Command: &ops.CommandStep{Argv: []string{"/bin/sh", "-c", "yes | head -c 1000000"}}}, nil)
	if err != nil || len(out) > 8<<10 {
		t.Errorf("%d bytes, %v", len(out), err)
	}
}

func TestWhatIsKnownWhenNoAnswerCame(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			b := make([]byte, 100)
			c.Read(b)
			c.Close() // it was heard, and never answered
		}
	}()
	post := ops.Step{HTTP: &ops.HTTPStep{URL: "http://" + l.Addr().String()}}
	_, err = plans.NewExecutor(nil).Do(t.Context(), "k", post, nil)
	var how *plans.StepError
	if !errors.As(err, &how) || !how.Unknown || how.Retry != 0 {
		t.Errorf("a connection that broke: %+v, want unknown", err)
	}
	l.Close()
	if _, err = plans.NewExecutor(nil).Do(t.Context(), "k", post, nil); !errors.As(err, &how) || how.Unknown || how.Retry == 0 {
		t.Errorf("a refused connection: %+v, want to be tried again", err)
	}
}

// TestABrokenConnectionIsNotUsedTwice has a server that hears a second request on a connection and closes it unanswered:
// net/http sends such a request again by itself when it bears an Idempotency-Key and the connection was used before.
func TestABrokenConnectionIsNotUsedTwice(t *testing.T) {
	var heard atomic.Int32
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if heard.Add(1) < 2 {
			return
		}
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		conn.Close()
	}))
	defer srv.Close()
	x := plans.NewExecutor(nil)
	post := ops.Step{HTTP: &ops.HTTPStep{URL: srv.URL, Body: "{}"}}
	if _, err := x.Do(t.Context(), "k1", post, nil); err != nil {
		t.Fatal(err)
	}
	_, err := x.Do(t.Context(), "k2", post, nil)
	var how *plans.StepError
	if !errors.As(err, &how) || !how.Unknown || heard.Load() != 2 {
		t.Errorf("got %v after %d requests, want unknown after 2", err, heard.Load())
	}
}

func FuzzParametersStayInTheirPlace(f *testing.F) {
	f.Add("CHG-1")
	f.Add(`","admin":true,"x":"`)
	f.Add("../../..?x#y")
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body map[string]string
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil || len(body) != 1 || strings.Count(r.URL.EscapedPath(), "/") != 3 || len(r.URL.Query()) > 1 {
			w.WriteHeader(http.StatusTeapot)
		}
	}))
	f.Cleanup(srv.Close)
	x := plans.NewExecutor(srv.Client())
	step := ops.Step{HTTP: &ops.HTTPStep{URL: srv.URL + "/a/${p}/b?q=${p}", Body: `{"p":"${p}"}`}}
	f.Fuzz(func(t *testing.T, value string) {
		if _, err := x.Do(t.Context(), "k", step, map[string]string{"p": value}); err != nil && strings.Contains(err.Error(), "418") {
			t.Errorf("%q broke out: %v", value, err)
		}
	})
}
