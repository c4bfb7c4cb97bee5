package changes_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"goc/changes"
	"goc/ops"
)

func TestTheCountsOfAFreezeGoWithIt(t *testing.T) {
	r := open(t, changes.Config{})
	counts := func() string {
		var of []string
		if err := r.journal.Load(t.Context(), "gate_hits", func(rec ops.Record) error { of = append(of, rec.ID); return nil }); err != nil {
			t.Fatal(err)
		}
		slices.Sort(of)
		return strings.Join(of, " ")
	}
	keep := func() {
		r.at = r.at.Add(2 * time.Minute)
		r.tick()
	}
	for range 2 {
		if _, err := r.AddFreeze(t.Context(), commander, ops.Freeze{Name: "sale", From: ops.At(monday), To: ops.At(monday.Add(time.Hour))}); err != nil {
			t.Fatal(err)
		}
	}
	held := release("pay")
	r.check(ci, ops.GateRequest{Change: &held})
	keep()
	if got := counts(); got != "FRZ-1 FRZ-2" {
		t.Fatalf("counts of %q", got)
	}
	if err := r.LiftFreeze(t.Context(), commander, "FRZ-1"); err != nil {
		t.Fatal(err)
	}
	keep()
	if got := counts(); got != "FRZ-2" {
		t.Errorf("after FRZ-1 was lifted there are counts of %q", got)
	}
	if err := r.LiftFreeze(t.Context(), commander, "FRZ-2"); err != nil {
		t.Fatal(err)
	}
	r.reopen() // before the next minute
	keep()
	if got := counts(); got != "" {
		t.Errorf("after a restart there are counts of %q", got)
	}
}
