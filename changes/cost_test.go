package changes_test

import (
	"context"
	"runtime"
	"testing"

	"goc/changes"
	"goc/ops"
)

// costs is a journal that counts what is written for decisions.
type costs struct {
	done                              *ops.Receipt
	mutations, events, records, bytes int
}

func (c *costs) Append(m ops.Mutation) *ops.Receipt {
	c.mutations++
	c.events += len(m.Events)
	c.records += len(m.Put) + len(m.Delete) + len(m.Effects)
	for _, e := range m.Events {
		c.bytes += len(e.Data)
	}
	for _, r := range m.Put {
		c.bytes += len(r.Body)
	}
	return c.done
}

func (*costs) Load(context.Context, string, func(ops.Record) error) error { return nil }

// TestWhatADecisionWrites: a check is one mutation, so that it waits for the disk once.
func TestWhatADecisionWrites(t *testing.T) {
	j := &costs{done: ops.NewReceipt()}
	j.done.Settle(nil, nil)
	s, err := changes.New(t.Context(), changes.Options{Catalog: catalog(t), Journal: j, Config: everyRule()})
	if err != nil {
		t.Fatal(err)
	}
	c := release("pay", "SH-1")
	*j = costs{done: j.done}
	const checks = 100
	for range checks {
		if _, err := s.Check(t.Context(), ci, ops.GateRequest{Change: &c}); err != nil {
			t.Fatal(err)
		}
	}
	if j.mutations != checks || j.events != checks || j.records != checks {
		t.Errorf("%d checks wrote %d mutations, %d events, %d records: one of each is enough", checks, j.mutations, j.events, j.records)
	}
	if each := j.bytes / checks; each > 1500 {
		t.Errorf("a check writes %d bytes", each)
	}
}

// TestWhatADecisionAllocates holds the decision, with every rule on, to the 2 KB of the issue.
func TestWhatADecisionAllocates(t *testing.T) {
	request, state := crowded(t)
	const runs = 2000
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range runs {
		if d := changes.Decide(request, state, monday); d.Decision != ops.EffectWait {
			t.Fatal(d)
		}
	}
	runtime.ReadMemStats(&after)
	if each := (after.TotalAlloc - before.TotalAlloc) / runs; each > 2048 {
		t.Errorf("a decision allocates %d bytes", each)
	}
	if each := (after.Mallocs - before.Mallocs) / runs; each > 60 {
		t.Errorf("a decision allocates %d pieces", each)
	}
}
