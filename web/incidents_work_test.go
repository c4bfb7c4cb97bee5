package web_test

import (
	"net/http"
	"strings"
	"testing"

	"goc/ops"
)

func TestPeoplesWorkReachesTheRoomAsItWasMeant(t *testing.T) {
	w := newWorld(t)
	w.put(ops.Incident{ID: "INC-1", State: ops.IncidentOpen})
	post := func(path, body string) map[string]any {
		t.Helper()
		return w.must(200, w.do(ops.Responder, "POST", "/api/v1/incidents/INC-1"+path, body)).json(t)
	}
	task := func(in map[string]any) map[string]any { return in["tasks"].([]any)[0].(map[string]any) }
	got := post("/tasks", `{"title":"dig","owner":"bob","due_at":"2026-11-21T08:00:00Z","kind":"action_item"}`)
	if it := task(got); it["title"] != "dig" || it["owner"] != "bob" || it["kind"] != "action_item" || it["due_at"] != "2026-11-21T08:00:00.000Z" {
		t.Errorf("the task is %v", it)
	}
	if it := task(post("/tasks/1", `{"owner":"ann"}`)); it["due_at"] == nil {
		t.Errorf("a due date that nobody spoke of is gone: %v", it)
	}
	if it := task(post("/tasks/1", `{"due_at":1795248000}`)); it["due_at"] != "2026-11-21T08:00:00.000Z" {
		t.Errorf("a due date in Unix seconds is %v", it["due_at"])
	}
	if it := task(post("/tasks/1", `{"due_at":null}`)); it["due_at"] != nil {
		t.Errorf("null left the due date %v", it["due_at"])
	}
	if c := post("/cause", `{"text":"rounding","change_id":"CHG-1"}`)["cause"].(map[string]any); c["text"] != "rounding" || c["change_id"] != "CHG-1" {
		t.Errorf("the cause is %v", c)
	}
	if u := post("/updates", `{"text":"it works"}`)["updates"].([]any); len(u) != 1 {
		t.Errorf("the updates are %v", u)
	}
	if l := post("/attachments", `{"url":"https://x.example.com"}`)["attachments"].([]any); len(l) != 1 {
		t.Errorf("the links are %v", l)
	}
	if in := w.must(200, w.do(ops.Responder, "DELETE", "/api/v1/incidents/INC-1/attachments/1", "")).json(t); in["id"] != "INC-1" || in["attachments"] != nil {
		t.Errorf("taking a link away answers %v", in)
	}
	if in := w.must(201, w.do(ops.Responder, "POST", "/api/v1/incidents/INC-1/split", `{"alerts":["5d1e0f9b7c2a4e68"],"title":"two"}`)).json(t); in["id"] != "INC-2" || in["title"] != "two with 1" {
		t.Errorf("splitting answers %v", in)
	}
}

func TestBadWorkIsRefusedWithItsPlace(t *testing.T) {
	w := newWorld(t)
	w.put(ops.Incident{ID: "INC-1"})
	long := strings.Repeat("x", 10_001)
	for _, c := range []struct{ path, body, place string }{
		{"/tasks", `{}`, "body"},
		{"/tasks", `{"title":"x","kind":"wish"}`, "body.kind"},
		{"/tasks", `{"title":"x","due_at":"tomorrow"}`, "body.due_at"},
		{"/tasks/1", `{"due_at":"tomorrow"}`, "body.due_at"},
		{"/tasks/x", `{}`, "path.task"},
		{"/updates", `{"text":""}`, "body.text"},
		{"/updates", `{"text":"` + long + `"}`, "body.text"},
		{"/cause", `{"change_id":"CHG-1"}`, "body"},
		{"/attachments", `{"title":"x"}`, "body"},
		{"/split", `{"alerts":[]}`, "body.alerts"},
		{"/unlink", `{"alert":["x"]}`, "body"},
	} {
		a := w.must(http.StatusUnprocessableEntity, w.do(ops.Responder, "POST", "/api/v1/incidents/INC-1"+c.path, c.body))
		if errs := a.json(t)["errors"].([]any); !strings.HasPrefix(errs[0].(map[string]any)["location"].(string), c.place) {
			t.Errorf("POST %s %.40s is refused at %v, want %s", c.path, c.body, errs, c.place)
		}
	}
}

func TestWhatIsWrittenForPeopleComesInTheLanguageAsked(t *testing.T) {
	w := newWorld(t)
	w.put(ops.Incident{ID: "INC-1"})
	for path, want := range map[string]string{
		"/incidents/INC-1/update-draft?lang=zh":  `{"text":"of INC-1 in zh","due_at":"2026-11-20T08:00:00.000Z"}`,
		"/incidents/INC-1/handover":              `{"markdown":"# INC-1 in \n"}`,
		"/handover?lang=en":                      `{"markdown":"# All in en\n"}`,
		"/incidents/INC-1/similar":               `{"items":[]}`,
		"/action-items?state=overdue&owner=bob":  `"incident_title":"overdue"`,
		"/review/clocks?by=team&from=1795161600": `"from":"2026-11-20T08:00:00.000Z","to":null,"by":"team"`,
	} {
		if got := string(w.must(200, w.do(ops.Viewer, "GET", "/api/v1"+path, "")).body); !strings.Contains(got, want) {
			t.Errorf("GET %s answers %s, want %s", path, got, want)
		}
	}
	for _, path := range []string{"/handover?lang=fr", "/action-items?state=lost", "/review/clocks?by=moon", "/review/clocks?from=soon"} {
		w.must(http.StatusUnprocessableEntity, w.do(ops.Viewer, "GET", "/api/v1"+path, ""))
	}
}

func TestTheReportComesInPartsToWhoAsksForJSON(t *testing.T) {
	w := newWorld(t)
	req, err := http.NewRequest("GET", w.http.URL+"/api/v1/incidents/INC-1/report", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+w.tokens[ops.Viewer])
	req.Header.Set("Accept", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if ct := resp.Header.Get("Content-Type"); resp.StatusCode != http.StatusOK || ct != "application/json" {
		t.Errorf("the report in parts: %d %s", resp.StatusCode, ct)
	}
}
