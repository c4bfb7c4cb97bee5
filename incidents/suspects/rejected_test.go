package suspects_test

import (
	"math"
	"testing"
	"time"

	"goc/incidents/suspects"
	"goc/ops"
)

func TestWhatPeopleRejectedStaysListedAndTakesNoPart(t *testing.T) {
	own, far := started("own", ops.KindRelease, "pay", time.Minute), started("far", ops.KindRelease, "search", time.Hour)
	k := suspects.Case{Onset: onset, Services: []string{"pay"}}
	alone := suspects.Rank(k, []*ops.Change{&far}, world(), onset.Add(time.Minute))
	k.Rejected = map[string]bool{"own": true}
	r := suspects.Rank(k, []*ops.Change{&own, &far}, world(), onset.Add(time.Minute))
	if r.NoChange != alone.NoChange || r.Weighed != 1 {
		t.Errorf("no change has %v and %d were weighed, want %v and 1 as without it", r.NoChange, r.Weighed, alone.NoChange)
	}
	last := r.Suspects[len(r.Suspects)-1]
	if last.ChangeID != "own" || last.Verdict != "rejected" || last.Rank != 0 || last.Probability != 0 || len(last.Reasons) == 0 || math.IsNaN(last.Score) {
		t.Errorf("last stands %+v, want own as rejected, without a place, with its evidence", last)
	}
	k.Rejected["far"] = true
	if r = suspects.Rank(k, []*ops.Change{&own, &far}, world(), onset.Add(time.Minute)); r.NoChange != 1 || len(r.Suspects) != 2 {
		t.Errorf("with both rejected no change has %v and %d are listed, want 1 and 2", r.NoChange, len(r.Suspects))
	}
}
