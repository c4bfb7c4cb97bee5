package incidents_test

import (
	"testing"

	"goc/ops"
)

func TestAnAlertOfAServiceThatANewCatalogBringsJoinsItsCallers(t *testing.T) {
	r := newRoom(t)
	cat := &ops.Catalog{Services: []ops.Service{{Name: "shop", Tier: "T0", Core: true, Calls: []string{"stock"}}, {Name: "stock", Tier: "T1"}}}
	if err := cat.Index(); err != nil {
		t.Fatal(err)
	}
	r.Reload(cat)
	for _, service := range []string{"stock", "shop"} {
		r.receive(ops.Alert{Labels: map[string]string{"alertname": "Fails", "service": service}, StartsAt: ops.At(r.at)})
	}
	if l := r.Recent(); len(l) != 1 {
		t.Errorf("%d incidents of a service and its caller, want 1: the new catalog's calls are not known", len(l))
	}
}
