package storage_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"

	"goc/ops"
	"goc/storage"
)

// child is what the test binary does as a process of its own, with its place in the environment. It prints the id of
// each acknowledged mutation on a line, with "+" before it.
func child(job string) int {
	if job == "limited" {
		signal.Ignore(syscall.SIGXFSZ)
		limit := syscall.Rlimit{Cur: 2 << 20, Max: 2 << 20}
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
			fmt.Println("!", err)
			return 1
		}
	}
	s, err := storage.Open(context.Background(), storage.Options{
		URL: os.Getenv("GOC_STORAGE_URL"), Dir: os.Getenv("GOC_STORAGE_DIR"), UnsafeEarlyAck: job == "unsafe",
	})
	if err != nil {
		fmt.Println("!", err)
		return 1
	}
	size := 100
	if job == "full" || job == "limited" {
		size = 30_000
	}
	writeUntilItStops(s, os.Getenv("GOC_STORAGE_ROUND"), strings.Repeat("x", size))
	err = s.Err()
	fmt.Printf("! %v | %s | %v\n", err, ops.KindOf(err), s.Close())
	return 0
}

func writeUntilItStops(s *storage.Store, round, body string) {
	var wg sync.WaitGroup
	for w := range 20 {
		wg.Go(func() {
			for i := 0; ; i++ {
				id := fmt.Sprintf("%s-%d-%d", round, w, i)
				m := ops.Mutation{Put: []ops.Record{put("x", id, body)}, Events: []ops.Event{event("a", id)}}
				if _, err := s.Append(m).Wait(context.Background()); err != nil {
					return
				}
				os.Stdout.WriteString("+" + id + "\n") // one write: a line is whole or not there
			}
		})
	}
	wg.Wait()
}

// runChild starts the job, kills it when that many lines have come (0 for never), and returns what it acknowledged and
// its last words.
func runChild(tb testing.TB, job string, o storage.Options, round, killAfter int) (acked []string, last string) {
	tb.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "GOC_STORAGE_CHILD="+job, "GOC_STORAGE_URL="+o.URL, "GOC_STORAGE_DIR="+o.Dir, fmt.Sprint("GOC_STORAGE_ROUND=", round))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err = cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if id, ok := strings.CutPrefix(lines.Text(), "+"); ok {
			acked = append(acked, id)
		} else {
			last = lines.Text()
		}
		if len(acked) == killAfter {
			cmd.Process.Kill()
		}
	}
	cmd.Wait()
	return acked, last
}

// lost opens the place and returns which acknowledged ids are not there, after checking the chain.
func lost(tb testing.TB, o storage.Options, acked []string) (missing []string) {
	tb.Helper()
	s := open(tb, o)
	defer s.Close()
	there := map[string]bool{}
	for _, r := range load(tb, s.Reader, "x") {
		there[r.ID] = true
	}
	for _, id := range acked {
		if !there[id] {
			missing = append(missing, id)
		}
	}
	intact(tb, s.Reader, s.LastSeq())
	if s.LastSeq() != int64(len(there)) {
		tb.Errorf("%d records and %d events were written in pairs", len(there), s.LastSeq())
	}
	return missing
}

func TestKillNineLosesNothingThatWasAcknowledged(t *testing.T) {
	onEach(t, func(t *testing.T, o storage.Options) {
		var all []string
		for round := range 6 {
			acked, last := runChild(t, "safe", o, round, 1+rand.IntN(3000))
			if last != "" || len(acked) == 0 {
				t.Fatalf("the child acknowledged %d and said %q", len(acked), last)
			}
			all = append(all, acked...)
			if r := verify(t, o); !r.Intact || r.Events < int64(len(all)) { // as goc audit verify sees it before the restart
				t.Fatalf("round %d: %+v", round, r)
			}
			if missing := lost(t, o, all); len(missing) > 0 {
				t.Fatalf("round %d: %d of %d are lost, such as %s", round, len(missing), len(all), missing[0])
			}
		}
		t.Logf("%d mutations were acknowledged", len(all))
	})
}

// The same test must find what is lost when acknowledgements come before the commit; else it could not find anything.
func TestKillNineFindsWhatEarlyAcknowledgementLoses(t *testing.T) {
	onEach(t, func(t *testing.T, o storage.Options) {
		acked, last := runChild(t, "unsafe", o, 0, 10+rand.IntN(100))
		if last != "" || len(acked) == 0 {
			t.Fatalf("the child acknowledged %d and said %q", len(acked), last)
		}
		if missing := lost(t, o, acked); len(missing) == 0 {
			t.Error("nothing was lost although nothing was durable")
		}
	})
}

func TestFullDiskStopsTheJournalAndLosesNothing(t *testing.T) {
	for _, c := range []struct {
		name, job string
		small     func(t *testing.T, dir string) (enlarge func()) // makes dir a small disk
	}{
		{"a file that may not grow", "limited", func(*testing.T, string) func() { return func() {} }},
		{"a small disk", "full", mountSmall},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := storage.Options{Dir: t.TempDir()}
			enlarge := c.small(t, o.Dir)
			acked, last := runChild(t, c.job, o, 0, 0)
			if !strings.Contains(last, "the disk is full") || !strings.Contains(last, "| unavailable |") || len(acked) == 0 {
				t.Fatalf("after %d acknowledgements the child said %q", len(acked), last)
			}
			enlarge()
			if missing := lost(t, o, acked); len(missing) > 0 {
				t.Errorf("%d of %d are lost", len(missing), len(acked))
			}
		})
	}
}

func mountSmall(t *testing.T, dir string) (enlarge func()) {
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=3m"); err != nil {
		t.Skip("a small disk cannot be mounted: ", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	return func() {
		if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "size=64m"); err != nil {
			t.Fatal(err)
		}
	}
}
