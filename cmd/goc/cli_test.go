package main

import (
	"bytes"
	"encoding/json"
	"errors"
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

// runCLI runs a command in this process against a server that answers everything the same way.
func runCLI(t *testing.T, status int, answer string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		fmt.Fprint(w, answer)
	}))
	defer srv.Close()
	var out, errs bytes.Buffer
	code = run(t.Context(), append(args, "--server", srv.URL), &out, &errs)
	return code, out.String(), errs.String()
}

func TestTheExitCodeSaysWhatKindOfRefusalItWas(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	for _, c := range []struct {
		status int
		want   int
	}{
		{http.StatusBadRequest, exitUsage},
		{http.StatusNotFound, exitUsage},
		{http.StatusUnprocessableEntity, exitUsage},
		{http.StatusRequestEntityTooLarge, exitUsage},
		{http.StatusUnauthorized, exitFailed},
		{http.StatusForbidden, exitFailed},
		{http.StatusConflict, exitFailed},
		{http.StatusInternalServerError, exitFailed},
		{http.StatusTooManyRequests, exitUnavailable},
		{http.StatusBadGateway, exitUnavailable},
		{http.StatusServiceUnavailable, exitUnavailable},
		{http.StatusGatewayTimeout, exitUnavailable},
	} {
		for _, answer := range []string{`{"title":"t","detail":"the words of the server"}`, `<html>`, ``} {
			code, stdout, stderr := runCLI(t, c.status, answer, "incident", "list", "--json")
			if code != c.want {
				t.Errorf("%d %q: exit code %d, want %d", c.status, answer, code, c.want)
			}
			var doc problem
			if err := json.Unmarshal([]byte(stdout), &doc); err != nil || doc.ExitCode != c.want || doc.Status != c.status {
				t.Errorf("%d %q: stdout is not the one document that says so: %s", c.status, answer, stdout)
			}
			if strings.HasPrefix(answer, "{") != strings.Contains(stderr, "the words of the server") {
				t.Errorf("%d %q: says %s", c.status, answer, stderr)
			}
		}
	}
}

func TestAGateThatIsNotReadyIsNoDecision(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	for _, c := range []struct {
		name string
		args []string
		want int
		says string
	}{
		{"production denies", []string{"--service", "cart"}, exitUnavailable, `"decision":"deny"`},
		{"staging allows", []string{"--service", "cart", "--environment", "staging"}, exitOK, `"decision":"allow"`},
		{"a rollback goes, whatever was chosen", []string{"--change", "CHG-1", "--rollback", "--on-unavailable", "deny"}, exitOK, `"decision":"allow"`},
		{"there is no last-known", []string{"--service", "cart", "--on-unavailable", "last-known"}, exitUnavailable, `"decision":"deny"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			args := append([]string{"gate", "check", "--json", "--retry-for", "0s"}, c.args...)
			code, stdout, stderr := runCLI(t, http.StatusServiceUnavailable, `{"title":"not ready","detail":"the disk is full"}`, args...)
			if code != c.want || !strings.Contains(stdout, c.says) || strings.Count(stdout, "\n") != 1 {
				t.Errorf("exit code %d, want %d; stdout %s", code, c.want, stdout)
			}
			if !strings.Contains(stderr, "THE GATE DID NOT ANSWER: the disk is full") {
				t.Errorf("says %s", stderr)
			}
		})
	}
}

func TestEveryFlagReadsAnEnvironmentVariable(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	for name, value := range map[string]string{
		"GOC_SERVICE": "cart", "GOC_VERSION": "1.2", "GOC_KIND": "config", "GOC_ENVIRONMENT": "staging", "GOC_RISK": "low",
		"GOC_STORE": "SH-001,SH-002", "GOC_SCOPE": "kind=pos,scanner;region=east", "GOC_TOKEN": "goc_x", "GOC_JSON": "true",
	} {
		t.Setenv(name, value)
	}
	var body, token string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var b bytes.Buffer
		b.ReadFrom(r.Body)
		body, token = b.String(), r.Header.Get("Authorization")
		fmt.Fprint(w, `{"decision":"allow","decision_id":"DEC-1"}`)
	}))
	defer srv.Close()
	t.Setenv("GOC_SERVER", srv.URL)
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"gate", "check"}, &out, &errs); code != exitOK {
		t.Fatalf("exit code %d: %s", code, &errs)
	}
	want := `{"environment":"staging","kind":"config","risk":"low","scope":{"region":["east"],"store":["SH-001","SH-002"],"kind":["pos","scanner"]},"service":"cart","version":"1.2"}`
	if body != want || token != "Bearer goc_x" || !strings.HasPrefix(out.String(), "{") {
		t.Errorf("asked %s with %q and told %s", body, token, &out)
	}
}

func TestScopesAsPeopleTypeThem(t *testing.T) {
	for _, c := range []struct{ text, want, wrong string }{
		{"store=SH-001,city=上海", "city=上海 store=SH-001", ""},
		{"store=SH-001,SH-002,city=上海", "city=上海 store=SH-001,SH-002", ""},
		{"store=SH-001,store=SH-002", "store=SH-001,SH-002", ""},
		{"region=east;kind=pos,scanner", "region=east kind=pos,scanner", ""},
		{" store = SH-001 , ", "store=SH-001", ""},
		{"version=a=b", "", "no key"},
		{"firmware=4.2=rc1", "firmware=4.2=rc1", ""},
		{"", "everything", ""},
		{"SH-001", "", "should read key=value"},
		{"store=", "", "should read key=value"},
		{"shop=SH-001", "", `no key "shop"`},
	} {
		var s ops.Scope
		err := addScope(&s, c.text)
		switch {
		case c.wrong == "" && (err != nil || s.String() != c.want):
			t.Errorf("%q is %s (%v), want %s", c.text, s, err, c.want)
		case c.wrong != "" && (err == nil || !strings.Contains(err.Error(), c.wrong)):
			t.Errorf("%q: %v, want an error with %q", c.text, err, c.wrong)
		}
	}
}

func TestARefusalNamesTheFlagThatIsAtFault(t *testing.T) {
	c := client{flags: map[string]bool{"cron": true, "onset": true, "in-flight": true, "param": true, "scope": true, "store": true, "since": true}}
	for location, want := range map[string]string{
		"body.schedule.cron": "--cron", "body.onset_at": "--onset", "body.in_flight": "--in-flight", "query.since": "--since",
		"body.params.change": "--param change", "body.scope.store": "--store", "body.scope.region": "--scope",
		"body.stages[1].bake": "stages[1].bake", "path.id": "", "body": "body", "": "",
	} {
		if got := c.flagOf(location); got != want {
			t.Errorf("%s is %q, want %q", location, got, want)
		}
	}
}

func TestTimesAsPeopleTypeThem(t *testing.T) {
	now := time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)
	for text, want := range map[string]string{
		"now": "2026-11-20T08:00:00.000Z", "10m": "2026-11-20T07:50:00.000Z", "+2h": "2026-11-20T10:00:00.000Z", "1d": "2026-11-19T08:00:00.000Z",
		"2026-11-20T08:00:00Z": "2026-11-20T08:00:00Z", "1795161600": "1795161600", "yesterday": "yesterday", "": "",
	} {
		if got := when(text, now); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}

func TestTablesStandStraightWithChineseInThem(t *testing.T) {
	var b bytes.Buffer
	rows := []string{"上海\t1\tx", "Hangzhou\t22\tbad\x1b[31m\ntext"}
	table(&b, "CITY\tN\tNOTE", len(rows), func(i int) string { return rows[i] })
	want := "CITY      N   NOTE\n上海      1   x\nHangzhou  22  bad [31m text\n"
	if b.String() != want {
		t.Errorf("got\n%swant\n%s", &b, want)
	}
}

func FuzzMatcher(f *testing.F) {
	for _, s := range []string{"a=b", `a!="b"`, "a=~b.*", "a!~b", "=", "a!", "!=", "a=!"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		m, err := parseMatcher(s)
		if err != nil {
			return
		}
		if again, err := parseMatcher(m.String()); err != nil || again.Name != m.Name {
			// A value that begins with ~ cannot be told from an operator; all else reads back.
			if !strings.HasPrefix(m.Value, "~") && m.Value != "" {
				t.Errorf("%q became %q, which reads as %+v, %v", s, m, again, err)
			}
		}
	})
}

func FuzzScope(f *testing.F) {
	f.Add("store=SH-001,city=上海")
	f.Add("kind=pos,scanner;;=,")
	f.Fuzz(func(t *testing.T, text string) {
		var s ops.Scope
		if addScope(&s, text) != nil {
			return
		}
		for _, k := range ops.ScopeKeys {
			for _, v := range *s.Key(k) {
				if v == "" || strings.ContainsAny(v, ",;") {
					t.Errorf("%q gave %s the value %q", text, k, v)
				}
			}
		}
	})
}

func TestAChangeThatWasRecordedButNotStartedIsNamed(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/events") {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		fmt.Fprint(w, `{"id":"CHG-7","status":"planned"}`)
	}))
	defer srv.Close()
	var out, errs bytes.Buffer
	code := run(t.Context(), []string{"change", "start", "--service", "cart", "--json", "--server", srv.URL}, &out, &errs)
	if code != exitUnavailable || !strings.Contains(errs.String(), "goc change start --change CHG-7") || !strings.Contains(out.String(), "CHG-7") {
		t.Errorf("exit code %d: %s\n%s", code, &errs, &out)
	}
}

func TestWaitOutlivesARestartOfTheServer(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	asked := 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if asked++; asked == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		fmt.Fprint(w, `{"decision":"allow","decision_id":"DEC-1"}`)
	}))
	defer srv.Close()
	var out, errs bytes.Buffer
	code := run(t.Context(), []string{"gate", "wait", "--service", "cart", "--server", srv.URL}, &out, &errs)
	if code != exitOK || asked != 2 || !strings.Contains(errs.String(), "asked again for 30s") {
		t.Errorf("exit code %d after %d questions: %s", code, asked, &errs)
	}
}

func TestFlagsThatWouldDoNothingAreWrongUsage(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	staged := writeTemp(t, "change.json", `{"kind":"release","service":"cart","stages":[{"name":"one","scope":{"store":["SH-001"]},"bake":"5m"},{"name":"rest"}]}`)
	for _, c := range []struct {
		name string
		args []string
		says string
	}{
		{"rings of a change on record", []string{"change", "start", "--change", "CHG-7", "--rings", "10%,100%"}, "--plan, --rings and --bake are of a change that is to be recorded; CHG-7 is"},
		{"the bake of a change on record", []string{"change", "start", "--change", "CHG-7", "--bake", "5m"}, "CHG-7 is"},
		{"planning what is on record", []string{"change", "start", "--change", "CHG-7", "--plan"}, "CHG-7 is"},
		{"the bake of stages in a file", []string{"change", "start", "--file", staged, "--bake", "5m"}, "--bake: the file names the stages"},
		{"rings beside stages in a file", []string{"change", "start", "--file", staged, "--rings", "10%,100%"}, "--rings: the file names the stages already"},
		{"posting what is posted anyhow", []string{"incident", "update", "INC-1", "it goes on", "--post"}, "--post goes with --draft"},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, stdout, stderr := runCLI(t, http.StatusOK, `{"id":"CHG-7","status":"started"}`, c.args...)
			if code != exitUsage || stdout != "" || !strings.Contains(stderr, c.says) {
				t.Errorf("exit code %d, says %q and %q; want %d and %q", code, stdout, stderr, exitUsage, c.says)
			}
		})
	}
}

func TestWhatOthersWroteOfTheGateDoesNothingToTheTerminal(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	const evil = `evil\u001b[2J\nsecond line`
	t.Chdir(t.TempDir())
	if err := os.WriteFile("empty.ics", []byte("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nEND:VCALENDAR\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ answer, want string }{
		"gate hygiene": {
			`{"since":"2026-11-01T00:00:00Z","items":[{"kind":"change_left_open","subject":"` + evil + `","text":"` + evil + `","advice":"` + evil + `"}],"omitted":{"b":2,"a":1,"d":4,"c":3}}`,
			"and 1 more of a\nand 2 more of b\nand 3 more of c\nand 4 more of d\n",
		},
		"gate maintenance":                {`{"mode":"allow","until":"2026-11-21T00:00:00Z","reason":"` + evil + `","by":"` + evil + `"}`, "holds back only what nobody may override"},
		"gate policy dry-run --expr true": {`{"policy":"` + evil + `","text":"` + evil + `","stopped":0,"items":[]}`, "evil"},
		"gate review OVR-1 --note fine":   {`{"id":"OVR-1","change_id":"CHG-1","follow_up":{"closed_by":"` + evil + `"}}`, "OVR-1 of CHG-1 was looked at by evil"},
		"change show CHG-1":               {`{"id":"CHG-1","title":"` + evil + `","paused_for":"` + evil + `","scope":{"store":["` + evil + `"]},"reasons":[{"rule":"x","message":"` + evil + `"}],"stages":[{"name":"` + evil + `"}]}`, "paused: evil"},
		"freeze import empty.ics":         {`{"added":1,"freezes":[{"id":"FRZ-1","name":"` + evil + `"}],"rejected":[{"index":0,"reason":"` + evil + `"}]}`, "event 1 was not taken: evil"},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := runCLI(t, http.StatusOK, c.answer, strings.Fields(name)...)
			if code != exitOK || !strings.Contains(stdout, c.want) {
				t.Errorf("exit code %d, %q, %q; want %q", code, stdout, stderr, c.want)
			}
			if strings.ContainsRune(stdout, 0x1b) || strings.Contains(stdout, "\nsecond line") {
				t.Errorf("it tells %q as it came", stdout)
			}
		})
	}
}

// full is a disk on which nothing fits any more.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestADownloadThatDoesNotFitIsOurTroubleAndNotTheServers(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "a history") }))
	defer srv.Close()
	var errs bytes.Buffer
	if code := run(t.Context(), []string{"incident", "export", "INC-1", "-o", "-", "--server", srv.URL}, full{}, &errs); code != exitFailed || !strings.Contains(errs.String(), "no space left") {
		t.Errorf("to stdout: exit code %d, %s", code, &errs)
	}
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("there is no /dev/full")
	}
	file := filepath.Join(t.TempDir(), "x.gz")
	if err := os.Symlink("/dev/full", file+".part"); err != nil {
		t.Fatal(err)
	}
	code, _, stderr := runCLI(t, http.StatusOK, "a history", "incident", "export", "INC-1", "-o", file)
	if code != exitFailed || !strings.Contains(stderr, "x.gz.part: no space left") {
		t.Errorf("to a file: exit code %d, %s", code, stderr)
	}
	if left, err := filepath.Glob(filepath.Dir(file) + "/*"); err != nil || len(left) > 0 {
		t.Errorf("%q is left, %v", left, err)
	}
}
