package main

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"goc/ops"
)

// postgresURL is the database of a private server, which ends with the test.
func postgresURL(t *testing.T) string {
	t.Helper()
	bins, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	if len(bins) == 0 {
		const missing = "PostgreSQL is not installed (apt-get install postgresql): goc on PostgreSQL is NOT TESTED"
		if os.Getenv("CI") == "true" {
			t.Fatal(missing)
		}
		t.Skip(missing)
	}
	dir, err := os.MkdirTemp("", "goc-pg-") // short: a Unix socket's path has 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	attr := &syscall.SysProcAttr{Pdeathsig: syscall.SIGINT}
	if os.Geteuid() == 0 { // whom the server refuses
		attr.Credential = asPostgres(t, dir)
	}
	bin, data := bins[len(bins)-1], filepath.Join(dir, "data")
	initdb := exec.Command(bin+"/initdb", "-D", data, "-U", "goc", "-A", "trust", "-E", "UTF8", "--no-sync")
	initdb.Dir, initdb.SysProcAttr = dir, &syscall.SysProcAttr{Credential: attr.Credential}
	if out, err := initdb.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v: %s", err, out)
	}
	server := exec.Command(bin+"/postgres", "-D", data, "-k", dir, "-c", "listen_addresses=", "-c", "fsync=off")
	server.Dir, server.SysProcAttr = dir, attr
	started, ended := make(chan error), make(chan struct{})
	go func() {
		runtime.LockOSThread() // the death signal is tied to the thread that started the child
		started <- server.Start()
		server.Wait()
		close(ended)
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		server.Process.Signal(syscall.SIGINT)
		<-ended
	})
	for deadline := time.Now().Add(20 * time.Second); exec.Command(bin+"/pg_isready", "-q", "-h", dir).Run() != nil; {
		if time.Now().After(deadline) {
			t.Fatal("the private PostgreSQL does not get ready")
		}
	}
	return "postgres://goc@/postgres?host=" + dir
}

// asPostgres gives dir to the user postgres.
func asPostgres(t *testing.T, dir string) *syscall.Credential {
	t.Helper()
	u, err := user.Lookup("postgres")
	if err != nil {
		t.Fatal(err)
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	if err := os.Chown(dir, uid, gid); err != nil {
		t.Fatal(err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

func TestTheWholeStoryOnPostgreSQL(t *testing.T) {
	config, listen := serveYAML(t, quietYAML+"catalog: {services: [{name: cart, tier: T1}]}\n"+fmt.Sprintf("storage: %q\n", postgresURL(t)))
	p := serve(t, config, listen)
	var change ops.Change
	if code := p.call("POST", "/api/v1/changes", map[string]any{"kind": "release", "title": "cart 2", "service": "cart", "version": "2"}, &change); code != 201 {
		t.Fatalf("a change got %d", code)
	}
	var d ops.Decision
	p.call("POST", "/api/v1/gate/check", map[string]any{"change_id": change.ID}, &d)
	if d.Decision != "allow" {
		t.Errorf("the gate says %+v", d)
	}
	p.call("POST", "/api/v1/changes/"+change.ID+"/events", map[string]any{"event": "start"}, nil)
	if code, text := p.post("/api/v2/alerts", strings.NewReader(`[{"labels":{"alertname":"CartFails","service":"cart"}}]`)); code != 200 {
		t.Fatalf("an alert got %d %s", code, text)
	}
	var inc ops.Incident
	p.until(10*time.Second, "an incident with its suspect", func() bool {
		inc = p.firstIncident()
		return len(inc.Suspects) > 0 && inc.Suspects[0].ChangeID == change.ID
	})
	p.call("POST", "/api/v1/gate/check", map[string]any{"kind": "config", "title": "more", "service": "cart"}, &d)
	if d.Decision == "allow" {
		t.Errorf("the gate lets a change through beside an open incident: %+v", d)
	}
	if code := p.call("POST", "/api/v1/incidents/"+inc.ID+"/acknowledge", "{}", &inc); code != 200 || inc.State != ops.IncidentAcknowledged {
		t.Errorf("acknowledging got %d, %s", code, inc.State)
	}
	p.kill()

	p = serve(t, config, listen)
	if after := p.firstIncident(); after.ID != inc.ID || after.State != inc.State || !after.OnsetAt.Equal(inc.OnsetAt.Time) || len(after.Suspects) == 0 {
		t.Errorf("after kill -9: %+v\nbefore: %+v", after, inc)
	}
	if code := p.call("POST", "/api/v1/incidents/"+inc.ID+"/resolve", "{}", &inc); code != 200 || inc.State != ops.IncidentResolved {
		t.Errorf("resolving got %d, %s", code, inc.State)
	}
	second := filepath.Join(filepath.Dir(config), "second.yaml")
	text, _ := os.ReadFile(config)
	other := strings.NewReplacer(listen, freePort(t), "data: data", "data: other").Replace(string(text))
	if err := os.WriteFile(second, []byte(other), 0o644); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := goc(t, "serve", "--config", second); code == 0 || !strings.Contains(errs, "goc") {
		t.Errorf("a second server on the same database: exit code %d, %s", code, errs)
	} else {
		t.Logf("a second server is told: %s", errs)
	}
	p.cmd.Process.Signal(syscall.SIGTERM)
	<-p.done
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("SIGTERM ended it with %d:\n%s", code, p.out)
	}
	if code, out, errs := goc(t, "audit", "verify", "--config", config); code != 0 || !strings.HasPrefix(out, "intact") {
		t.Errorf("the audit: %d %s %s", code, out, errs)
	}
}
