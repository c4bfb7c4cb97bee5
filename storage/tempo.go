package storage

import "time"

// A commit costs more than 100 µs of processor however little it writes, so writers that come close together share one
// each commitEvery.
const (
	commitEvery  = time.Millisecond
	worthACommit = 32                    // mutations: so many are committed at once
	together     = 1.2                   // mutations in a commit on average, from which on writers are not alone
	tempoOver    = 10 * time.Millisecond // how far back the rate looks
)

// tempo is how fast mutations come.
type tempo struct {
	crowd float64 // mutations in a commit, on average over the last ones
	rate  float64 // mutations in commitEvery
	last  time.Time
}

// took notes that n mutations were taken.
func (t *tempo) took(n int, now time.Time) {
	since := max(now.Sub(t.last), time.Microsecond)
	t.last = now
	t.crowd += (float64(n) - t.crowd) / 8
	rate := float64(n) * float64(commitEvery) / float64(since)
	t.rate += (rate - t.rate) * min(1, float64(since)/float64(tempoOver))
}

// worth is how many mutations the next commit waits for, commitEvery at the most. A writer that is alone waits for nobody,
// and nobody waits where few come.
func (t *tempo) worth() int {
	if t.crowd < together {
		return 1
	}
	return max(1, min(int(t.rate+0.5), worthACommit))
}
