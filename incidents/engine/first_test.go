package engine

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"goc/ops"
)

// TestTheFirstAlertsAreThoseThatSortingAllWouldPutFirst compares the selection with sorting, for few and many alerts.
func TestTheFirstAlertsAreThoseThatSortingAllWouldPutFirst(t *testing.T) {
	for _, n := range []int{1, 7, 40} {
		for _, members := range []int{0, 1, 39, 80, 81, 1_000} {
			inc := &incident{members: map[string]*alert{}}
			for i := range members {
				a := &alert{}
				a.Fingerprint, a.Status = fmt.Sprint(i), ops.Firing
				a.StartsAt = ops.At(time.Unix(int64(i*7919%97), 0))
				if i%3 == 0 {
					a.Status = ops.Resolved
				}
				inc.members[a.Fingerprint] = a
			}
			all := inc.sorted()
			if got, want := inc.first(n), all[:min(n, members)]; !slices.Equal(got, want) {
				t.Errorf("of %d members the first %d are not those of all that are sorted", members, n)
			}
		}
	}
}
