package main

import (
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	_ "github.com/mattn/go-sqlite3"
	"github.com/rogpeppe/go-internal/testscript"
)

// TestScripts tells stories of the command line against a server of each story's own: testdata/script/*.txtar. In every
// file of a story %LISTEN% is the server's address and %OUTSIDE% the URL of a program that plans may talk to.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", RequireExplicitExec: true, RequireUniqueNames: true, Setup: setUpScript,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"serve": scriptServe, "halt": scriptHalt, "code": scriptCode, "keep": scriptKeep, "flip": scriptFlip,
			"received": scriptReceived, "post": scriptPost,
		},
	})
}

type scriptKey struct{}

// story is what a script has besides its folder.
type story struct {
	mu     sync.Mutex
	got    []string // paths that were posted to the outside program
	server *exec.Cmd
	done   chan struct{}
}

func setUpScript(env *testscript.Env) error {
	st := &story{}
	env.Values[scriptKey{}] = st
	outside := httptest.NewServer(st)
	env.Defer(outside.Close)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	listen := ln.Addr().String()
	if err := ln.Close(); err != nil {
		return err
	}
	env.Setenv("GOC_SERVER", "http://"+listen)
	env.Setenv("XDG_CACHE_HOME", filepath.Join(env.WorkDir, ".cache"))
	env.Setenv("HOME", env.WorkDir)
	env.Setenv("TZ", "UTC")
	env.Setenv("OUTSIDE", outside.URL)
	fill := strings.NewReplacer("%LISTEN%", listen, "%OUTSIDE%", outside.URL)
	return filepath.WalkDir(env.WorkDir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(path, []byte(fill.Replace(string(text))), 0o644)
	})
}

// ServeHTTP is the outside program: /fail fails, /slow takes two seconds, anything else works.
func (st *story) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	st.mu.Lock()
	st.got = append(st.got, r.URL.Path)
	st.mu.Unlock()
	switch r.URL.Path {
	case "/fail":
		http.Error(w, "the switch is stuck", http.StatusConflict)
	case "/slow":
		<-time.After(2 * time.Second)
	}
}

func storyOf(ts *testscript.TestScript) *story { return ts.Value(scriptKey{}).(*story) }

// serve [file] starts `goc serve` with goc.yaml, or the file, and waits until it is ready.
func scriptServe(ts *testscript.TestScript, _ bool, args []string) {
	config := "goc.yaml"
	if len(args) > 0 {
		config = args[0]
	}
	st := storyOf(ts)
	log, err := os.Create(ts.MkAbs("serve.log"))
	ts.Check(err)
	defer log.Close()
	cmd, done := exec.Command(os.Args[0], "serve", "--config", ts.MkAbs(config)), make(chan struct{})
	cmd.Env = append(os.Environ(), "GOC_TEST_AS_GOC=1")
	cmd.Stdout, cmd.Stderr = log, log
	ts.Check(cmd.Start())
	go func() { cmd.Wait(); close(done) }()
	ts.Defer(func() { cmd.Process.Kill(); <-done })
	st.server, st.done = cmd, done
	for deadline := time.Now().Add(30 * time.Second); ; {
		resp, err := http.Get(ts.Getenv("GOC_SERVER") + "/readyz")
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case <-done:
			ts.Fatalf("goc serve ended:\n%s", ts.ReadFile("serve.log"))
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			ts.Fatalf("goc serve is not ready:\n%s", ts.ReadFile("serve.log"))
		}
	}
}

// halt ends the server as a service manager does.
func scriptHalt(ts *testscript.TestScript, _ bool, _ []string) {
	st := storyOf(ts)
	ts.Check(st.server.Process.Signal(syscall.SIGTERM))
	select {
	case <-st.done:
	case <-time.After(20 * time.Second):
		ts.Fatalf("goc serve does not stop")
	}
}

// code N command… runs a command that must end with this exit code.
func scriptCode(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	var failed *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &failed) {
		got = failed.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("%s ended with exit code %d, want %d", strings.Join(args[1:], " "), got, want)
	}
}

// keep NAME regexp puts what the last stdout matches, or its first group, into an environment variable.
func scriptKeep(ts *testscript.TestScript, _ bool, args []string) {
	out := ts.ReadFile("stdout")
	m := regexp.MustCompile(`(?m)` + args[1]).FindStringSubmatch(out)
	if m == nil {
		ts.Fatalf("stdout does not match %s:\n%s", args[1], out)
	}
	ts.Setenv(args[0], m[len(m)-1])
}

// flip DIR changes one byte in the data of one event, as somebody with access to the file might.
func scriptFlip(ts *testscript.TestScript, _ bool, args []string) {
	db, err := sql.Open("sqlite3", filepath.Join(ts.MkAbs(args[0]), "goc.db"))
	ts.Check(err)
	defer db.Close()
	r, err := db.Exec(`UPDATE event SET data = CAST(replace(CAST(data AS TEXT), 'phones', 'phoneS') AS BLOB) WHERE seq = (SELECT min(seq) FROM event WHERE CAST(data AS TEXT) LIKE '%phones%')`)
	ts.Check(err)
	if n, err := r.RowsAffected(); err != nil || n != 1 {
		ts.Fatalf("%d events changed, %v", n, err)
	}
}

// received PATH N says that the outside program was asked exactly so often.
func scriptReceived(ts *testscript.TestScript, _ bool, args []string) {
	st := storyOf(ts)
	st.mu.Lock()
	defer st.mu.Unlock()
	n := 0
	for _, path := range st.got {
		if path == args[0] {
			n++
		}
	}
	if fmt.Sprint(n) != args[1] {
		ts.Fatalf("%s was asked %d times, want %s", args[0], n, args[1])
	}
}

// post PATH FILE sends a JSON file to the server; it must answer 2xx.
func scriptPost(ts *testscript.TestScript, _ bool, args []string) {
	resp, err := http.Post(ts.Getenv("GOC_SERVER")+args[0], "application/json", strings.NewReader(ts.ReadFile(args[1])))
	ts.Check(err)
	defer resp.Body.Close()
	if answer, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode/100 != 2 {
		ts.Fatalf("%s answered %s: %s %v", args[0], resp.Status, answer, err)
	}
}
