package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"goc/ops"
)

// repository is a bare repository with the hook, and a clone to push from.
type repository struct {
	t    *testing.T
	work string
}

func newRepository(t *testing.T, settings map[string]string) *repository {
	bare, work := filepath.Join(t.TempDir(), "cart.git"), t.TempDir()
	r := &repository{t, work}
	hook := readExample(t, "git-hook/pre-receive", nil)
	r.git("init", "--quiet", "--bare", bare)
	if err := os.WriteFile(filepath.Join(bare, "hooks", "pre-receive"), []byte(hook), 0o755); err != nil {
		t.Fatal(err)
	}
	settings["receive.advertisePushOptions"] = "true"
	for name, v := range settings {
		r.git("-C", bare, "config", name, v)
	}
	r.git("init", "--quiet", "--initial-branch=main", work)
	r.git("remote", "add", "origin", bare)
	r.git("commit", "--quiet", "--allow-empty", "-m", "first")
	return r
}

// git runs git in the clone; it must work.
func (r *repository) git(args ...string) {
	r.t.Helper()
	if code, log := r.try(args...); code != 0 {
		r.t.Fatalf("git %v: %s", args, log)
	}
}

func (r *repository) try(args ...string) (int, string) {
	r.t.Helper()
	who := map[string]string{"GIT_AUTHOR_NAME": "ann", "GIT_AUTHOR_EMAIL": "ann@example.com", "GIT_COMMITTER_NAME": "ann", "GIT_COMMITTER_EMAIL": "ann@example.com"}
	return runScript(r.t, r.work, who, "git", args...)
}

func TestAPushIsTakenWhenTheGateAllowsIt(t *testing.T) {
	t.Parallel()
	config, listen := serveYAML(t, gateYAML)
	server := serve(t, config, listen)
	r := newRepository(t, map[string]string{"goc.server": server.url, "goc.command": gocProgram(t)})
	push := func(taken bool, says string, args ...string) {
		t.Helper()
		code, log := r.try(append([]string{"push", "origin"}, args...)...)
		if taken != (code == 0) || !strings.Contains(log, says) {
			t.Errorf("push %v: exit code %d:\n%s", args, code, log)
		}
	}
	r.git("tag", "v1")
	r.git("tag", "v2")
	push(true, "", "main")
	push(true, "asking the change gate about cart v1", "v1")

	var freeze struct{ ID string }
	if code := server.call("POST", "/api/v1/freezes", ops.Freeze{
		Name: "lunch", Reason: "the lunch peak", Scope: ops.Scope{Service: []string{"cart"}}, From: ops.At(time.Now()), To: ops.At(time.Now().Add(time.Hour)),
	}, &freeze); code != http.StatusCreated {
		t.Fatalf("no freeze: %d", code)
	}
	push(false, "the lunch peak", "v2")
	push(false, "pre-receive hook declined", "v2", "main:other") // all or nothing
	push(true, "", "main:topic")                                 // not of goc.refs
	push(true, "", ":v1")                                        // nothing goes out
	push(true, "a rollback is never held back", "-o", "rollback", "main:refs/tags/v3")
	if code := server.call("DELETE", "/api/v1/freezes/"+freeze.ID, nil, nil); code/100 != 2 {
		t.Fatalf("the freeze is not lifted: %d", code)
	}
	push(true, "allow  DEC-", "v2")

	server.kill()
	r.git("tag", "v4")
	push(false, "DENIED WITHOUT A DECISION", "v4")
	push(true, "ALLOWED WITHOUT A DECISION", "-o", "rollback", "v4")
}
