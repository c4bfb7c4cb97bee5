package changes_test

import (
	"testing"

	"goc/changes"
	"goc/ops"
)

func TestToConsiderIsToDecideAndRecordNothing(t *testing.T) {
	r := open(t, changes.Config{})
	if _, err := r.AddFreeze(t.Context(), commander, ops.Freeze{Name: "peak", From: ops.At(monday), To: ops.At(monday.AddDate(0, 0, 1))}); err != nil {
		t.Fatal(err)
	}
	before := len(r.journal.events)
	d, err := r.Consider(t.Context(), ci, ops.GateRequest{Change: &ops.Change{Kind: "release", Service: "pay"}})
	if err != nil || d.Decision != ops.EffectDeny || d.DecisionID != "" || d.Token != "" {
		t.Errorf("%+v, %v", d, err)
	}
	if _, err := r.Consider(t.Context(), ci, ops.GateRequest{}); ops.KindOf(err) != ops.Invalid {
		t.Errorf("no change at all: %v", err)
	}
	if n := len(r.journal.events) - before; n != 0 {
		t.Errorf("%d events were recorded", n)
	}
}
