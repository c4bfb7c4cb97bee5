package changes_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"goc/changes"
	"goc/ops"
)

func TestAStoreThatANewCatalogPutsIntoACityIsUnderThatCitysFreeze(t *testing.T) {
	r := open(t, changes.Config{})
	ctx, in := context.Background(), r.at
	boss := ops.Principal{Name: "boss", Role: ops.Commander}
	if _, err := r.AddFreeze(ctx, boss, ops.Freeze{Name: "fair", Scope: ops.Scope{City: []string{"Shanghai"}}, From: ops.At(in.Add(-time.Hour)), To: ops.At(in.Add(time.Hour))}); err != nil {
		t.Fatal(err)
	}
	held := func() bool {
		d := r.check(ci, ops.GateRequest{Change: &ops.Change{Kind: ops.KindRelease, Title: "x", Service: "cart", Scope: ops.Scope{Store: []string{"BJ-1"}}}})
		return slices.ContainsFunc(d.Reasons, func(x ops.Reason) bool { return x.Rule == "freeze" })
	}
	if held() {
		t.Fatal("held in another city")
	}
	old := r.record(ci, ops.Change{Kind: ops.KindConfig, Title: "all of Shanghai", Scope: ops.Scope{City: []string{"Shanghai"}}})
	c := catalog(t)
	more := &ops.Catalog{Services: c.Services, Stores: slices.Clone(c.Stores)}
	i := slices.IndexFunc(more.Stores, func(s ops.Store) bool { return s.ID == "BJ-1" })
	more.Stores[i].City, more.Stores[i].Region = "Shanghai", "east"
	if err := more.Index(); err != nil {
		t.Fatal(err)
	}
	if err := r.Reload(more); err != nil {
		t.Fatal(err)
	}
	if !held() {
		t.Error("the freeze of the city does not hold the moved store's change")
	}
	l, err := r.List(ctx, ops.ChangeQuery{Store: "BJ-1"})
	if err != nil || len(l.Items) != 1 || l.Items[0].ID != old.ID {
		t.Errorf("the changes of the moved store: %+v %v, want %s", l.Items, err, old.ID)
	}
}

func TestAChangeThatTheJournalRefusesKeepsNoneAfterItFromThoseWhoWatch(t *testing.T) {
	r := open(t, changes.Config{})
	told := make(chan string, 8)
	defer r.Watch(func(c ops.Change) { told <- c.Title })()
	r.journal.mu.Lock()
	r.journal.refuse = true
	r.journal.mu.Unlock()
	if _, err := r.Record(context.Background(), ci, ops.Change{Kind: ops.KindConfig, Title: "refused"}); err == nil {
		t.Fatal("the journal refused it, the room did not")
	}
	r.record(ci, ops.Change{Kind: ops.KindConfig, Title: "good"})
	select {
	case title := <-told:
		if title != "good" {
			t.Errorf("told of %q", title)
		}
	case <-time.After(5 * time.Second):
		t.Error("the change after the refused one was told to nobody")
	}
}
