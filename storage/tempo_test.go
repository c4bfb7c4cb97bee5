package storage_test

import (
	"testing"
	"testing/synctest"
	"time"

	"goc/storage"
)

func TestForHowManyACommitWaits(t *testing.T) {
	for _, c := range []struct {
		name  string
		each  int           // mutations in a commit
		every time.Duration // between commits
		want  int
	}{
		{"a writer that is alone waits for nobody, however fast it is", 1, 200 * time.Microsecond, 1},
		{"two at once, 500 times a second, are few", 2, 2 * time.Millisecond, 1},
		{"two at once, 2,500 times a second, are five in a millisecond", 2, 400 * time.Microsecond, 5},
		{"what has been shared stays shared", 5, time.Millisecond, 5},
		{"a thousand writers need not wait for each other", 1000, 10 * time.Millisecond, 32},
	} {
		t.Run(c.name, func(t *testing.T) {
			var tempo storage.Tempo
			at := time.Unix(1_800_000_000, 0)
			for range 200 {
				at = at.Add(c.every)
				tempo.Took(c.each, at)
			}
			if got := tempo.Worth(); got != c.want {
				t.Errorf("%d, want %d", got, c.want)
			}
		})
	}
}

func TestACommitLetsOthersShareItForAMillisecond(t *testing.T) {
	for _, c := range []struct {
		name string
		more func(*storage.Waiting) // after the committer has begun to wait with two
		n    int
		took time.Duration
	}{
		{"as many as are worth a commit go at once", func(w *storage.Waiting) { w.Put(3) }, 5, 0},
		{"too few go after a millisecond", func(w *storage.Waiting) { w.Put(1) }, 3, time.Millisecond},
		{"nobody waits while the journal closes", func(w *storage.Waiting) { w.Close() }, 2, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, taken := storage.NewWaiting(), make(chan int)
				w.Put(2)
				began := time.Now()
				go func() { taken <- w.Take(5) }()
				synctest.Wait()
				c.more(w)
				if n := <-taken; n != c.n || time.Since(began) != c.took {
					t.Errorf("%d were committed together after %s, want %d after %s", n, time.Since(began), c.n, c.took)
				}
			})
		})
	}
}
