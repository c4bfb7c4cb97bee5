package web_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"goc/ops"
	"goc/web"
)

func catalog(t *testing.T) *ops.Catalog {
	t.Helper()
	c := &ops.Catalog{
		Services: []ops.Service{{Name: "label", Tier: "T2"}, {Name: "cart", Tier: "T0", Core: true}, {Name: "pay", Tier: "T0", Core: true}},
		Stores: []ops.Store{
			{ID: "BJ-001", City: "Beijing", Region: "north"},
			{ID: "SH-001", City: "Shanghai", Region: "east", Name: "Bund"},
			{ID: "SH-002", City: "Shanghai", Region: "east"},
			{ID: "SH-003", City: "Shanghai", Region: "east", Hours: "09:00-10:00", Timezone: "UTC"},
		},
	}
	if err := c.Index(); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestASituationHasTheWorstFirst(t *testing.T) {
	ago := func(d time.Duration) ops.Time { return ops.At(start.Add(-d)) }
	var alerts []ops.IncidentAlert
	for range 30 {
		alerts = append(alerts, ops.IncidentAlert{})
	}
	s := web.Assemble(web.FactsOf(start, catalog(t), []ops.Incident{
		{ID: "INC-1", Severity: ops.P3, State: ops.IncidentOpen, OnsetAt: ago(3 * time.Hour), Scope: ops.Scope{Service: []string{"label"}}},
		{ID: "INC-2", Severity: ops.P1, State: ops.IncidentMitigated, OnsetAt: ago(2 * time.Hour), RecoveredAt: ago(time.Hour), Scope: ops.Scope{Service: []string{"cart"}}},
		{ID: "INC-3", Severity: ops.P1, State: ops.IncidentOpen, OnsetAt: ago(time.Minute), Scope: ops.Scope{Service: []string{"pay"}, Store: []string{"SH-002"}}, Alerts: alerts},
		{ID: "INC-4", Severity: ops.P2, State: ops.IncidentResolved, OnsetAt: ago(time.Hour), ResolvedAt: ago(time.Minute)},
		{ID: "INC-5", Severity: ops.P2, State: ops.IncidentResolved, OnsetAt: ago(time.Hour), ResolvedAt: ago(11 * time.Minute)},
	}, []ops.FleetGroup{
		{Group: map[string]string{"store": "SH-001"}, Total: 50, States: map[string]int{"online": 50}},
		{Group: map[string]string{"store": "BJ-001"}, Total: 50, States: map[string]int{"online": 46, "offline": 4}},
		{Group: map[string]string{"store": "XX-999", "city": "Xian"}, Total: 2, States: map[string]int{"offline": 2}},
	}))
	var ids []string
	for _, i := range s.Incidents {
		ids = append(ids, i.ID)
	}
	if want := []string{"INC-3", "INC-1", "INC-2", "INC-4"}; !slices.Equal(ids, want) {
		t.Errorf("incidents %v, want %v", ids, want)
	}
	if len(s.Incidents[0].Alerts) != 20 {
		t.Errorf("%d alerts of one incident", len(s.Incidents[0].Alerts))
	}
	if want := (web.Counts{P1: 1, P3: 1, DevicesOffline: 6, DevicesTotal: 102}); s.Counts != want {
		t.Errorf("counts %+v, want %+v", s.Counts, want)
	}
	var services []string
	for _, v := range s.Services {
		services = append(services, fmt.Sprint(v.Tier, v.Name, v.State, v.Incidents))
	}
	if want := []string{"T0paycritical[INC-3]", "T0cartok[]", "T2labelwarning[INC-1]"}; !slices.Equal(services, want) {
		t.Errorf("services %v, want %v", services, want)
	}
	var places []string
	for _, c := range s.Cities {
		places = append(places, fmt.Sprint(c.City, c.Affected, "/", c.Total, " ", c.StoresAffected, "/", c.StoresTotal))
		for _, st := range c.Stores {
			places = append(places, st.ID+" "+st.State)
		}
	}
	want := []string{
		"Shanghai0/50 1/3", "SH-002 critical", "SH-003 closed", "SH-001 ok",
		"Xian2/2 1/1", "XX-999 offline", "Beijing4/50 1/1", "BJ-001 warning",
	}
	if !slices.Equal(places, want) {
		t.Errorf("places %q, want %q", places, want)
	}
}

func TestAnEmptySituationHasListsAndNotNulls(t *testing.T) {
	b, err := json.Marshal(web.Assemble(web.FactsOf(start, catalog(t), nil, nil)))
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]json.RawMessage
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	for _, k := range []string{"incidents", "oncall", "changes", "runs", "recent"} {
		if string(got[k]) != "[]" {
			t.Errorf("%s is %s", k, got[k])
		}
	}
	if string(got["freeze"]) != `{"active":[],"next":null}` || string(got["headline"]) != "null" {
		t.Errorf("freeze %s, headline %s", got["freeze"], got["headline"])
	}
}

func TestTheSituationIsServedFromOneBuild(t *testing.T) {
	clock := start
	w := newWorld(t, func(o *web.Options) { o.Now = func() time.Time { return clock } })
	w.incident("INC-1")
	first := w.must(200, w.do(ops.Viewer, "GET", "/api/v1/situation", ""))
	got := first.json(t)
	if got["version"] != "test" || got["headline"].(map[string]any)["title"] != "of INC-1" || len(got["oncall"].([]any)) != 1 {
		t.Errorf("%s", first.body)
	}
	for range 20 {
		w.do(ops.Viewer, "GET", "/api/v1/situation", "")
	}
	if w.lists != 2 {
		t.Errorf("21 requests made %d lists", w.lists)
	}
	w.must(304, w.do(ops.Viewer, "GET", "/api/v1/situation", "", "If-None-Match", first.Header.Get("ETag")))
	w.say("incident.opened", "incidents", "INC-1", map[string]any{"text": "it broke"})
	w.say("incident.alert_added", "incidents", "INC-1", map[string]any{"text": "noise"})
	clock = clock.Add(600 * time.Millisecond)
	recent := w.must(200, w.do(ops.Viewer, "GET", "/api/v1/situation", "")).json(t)["recent"].([]any)
	if len(recent) != 1 || recent[0].(map[string]any)["text"] != "it broke" {
		t.Errorf("recent: %v", recent)
	}
}
