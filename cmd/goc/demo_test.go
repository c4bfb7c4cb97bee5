package main

import (
	"context"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"goc/ops"
)

func TestADemoThatIsStoppedDuringADrillTakesTheFaultAwayFirst(t *testing.T) {
	for name, s := range map[string]os.Signal{"by Ctrl-C": os.Interrupt, "as its terminal is closed": syscall.SIGHUP} {
		t.Run(name, func(t *testing.T) { stopDuringADrill(t, s) })
	}
}

func stopDuringADrill(t *testing.T, stop os.Signal) {
	listen := freePort(t)
	p := &process{t: t, url: "http://" + listen, out: &lockedBuffer{}, done: make(chan struct{})}
	p.cmd = gocCommand(context.Background(), "demo", "--listen", listen, "--data", t.TempDir(), "--speed", "10")
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.cmd.Wait(); close(p.done) }()
	t.Cleanup(p.kill)
	p.until(60*time.Second, "in a drill", func() bool {
		var l ops.List[ops.DrillRun]
		p.call("GET", "/api/v1/drills/runs", nil, &l)
		return len(l.Items) == 1 && l.Items[0].State == ops.DrillWatching
	})
	p.cmd.Process.Signal(stop)
	select {
	case <-p.done:
	case <-time.After(20 * time.Second):
		t.Fatalf("it did not end:\n%s", p.out)
	}
	if out := p.out.String(); p.cmd.ProcessState.ExitCode() != 0 || !strings.Contains(out, "the drill is over") || strings.Contains(out, "level=ERROR") {
		t.Errorf("exit code %d:\n%s", p.cmd.ProcessState.ExitCode(), out)
	}
}
