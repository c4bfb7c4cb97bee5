package intake

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"goc/ops"
)

const (
	azProject = "11111111-1111-1111-1111-111111111111"
	azPlan    = "22222222-2222-2222-2222-222222222222"
	azJob     = "33333333-3333-3333-3333-333333333333"
	azTask    = "44444444-4444-4444-4444-444444444444"
)

// devops is an Azure DevOps as its documents have it: it takes one completion of a task with the token of its job.
type devops struct {
	url    string
	result string
	busy   int
}

func newDevOps(t *testing.T) *devops {
	d := &devops{}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /chain/"+azProject+"/_apis/distributedtask/hubs/checks/plans/"+azPlan+"/events", func(w http.ResponseWriter, r *http.Request) {
		var a map[string]string
		_ = json.NewDecoder(r.Body).Decode(&a)
		switch {
		case d.busy > 0:
			d.busy--
			w.Header().Set("Retry-After", "30")
			w.WriteHeader(http.StatusTooManyRequests)
		case r.URL.Query().Get("api-version") == "" || r.Header.Get("Authorization") != "Bearer job-token":
			w.WriteHeader(http.StatusUnauthorized)
		case a["name"] != "TaskCompleted" || a["jobId"] != azJob || a["taskId"] != azTask || a["result"] != "succeeded" && a["result"] != "failed":
			w.WriteHeader(http.StatusBadRequest)
		default:
			d.result = a["result"]
		}
	})
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	d.url = srv.URL + "/chain"
	return d
}

// check asks as an Invoke REST API check does, with headers changed by name, value, ….
func (g *gated) check(plan, body string, changed ...string) (int, string) {
	headers := append([]string{
		"PlanUrl", plan + "/", "ProjectId", azProject, "HubName", "checks", "PlanId", azPlan, "JobId", azJob, "TaskInstanceId", azTask, "AuthToken", "job-token", "Content-Type", "application/json",
	}, changed...)
	return g.send("POST", "/hooks/azure", body, headers...)
}

const azAsk = `{"service":"pay","version":"20261120.1","environment":"production","author":"wang"}`

func TestACheckOfAzureIsAnsweredAtOnceAndCompletedLater(t *testing.T) {
	for decision, result := range map[string]string{ops.EffectAllow: "succeeded", ops.EffectDeny: "failed"} {
		d := newDevOps(t)
		g := newGated(t, Config{Azure: AzureConfig{Organizations: []string{d.url}}})
		g.gate.says(ops.EffectWait)
		if code, body := g.check(d.url, azAsk); code != 200 || len(g.gate.asked) != 0 {
			t.Fatalf("the check is answered %d %s, after the gate was asked %d times", code, body, len(g.gate.asked))
		}
		if err := g.attempt(); err != nil || d.result != "" || !g.book.effects[0].NotUntil.Equal(start.Add(90*time.Second)) {
			t.Fatalf("while it waits: %v, %q, %+v", err, d.result, g.book.effects)
		}
		g.gate.says(decision)
		if err := g.attempt(); err != nil || d.result != result || len(g.book.effects) != 0 {
			t.Errorf("%s: %v, the check is %q", decision, err, d.result)
		}
		if c := g.gate.last().Change; c.Service != "pay" || c.Version != "20261120.1" || c.Environment != "production" || c.Author != "wang" || c.Source != "azure" {
			t.Errorf("the question was %+v", c)
		}
	}
}

func TestACompletionIsTriedAgainWhenAzureSays(t *testing.T) {
	d := newDevOps(t)
	d.busy = 1
	g := newGated(t, Config{Azure: AzureConfig{Organizations: []string{d.url}}})
	g.check(d.url, azAsk)
	e := g.book.take(t)
	if after, ok := ops.RetryDelay(g.s.callBack(t.Context(), e)); !ok || after != 30*time.Second {
		t.Errorf("tried again after %s, %v", after, ok)
	}
	if err := g.s.callBack(t.Context(), e); err != nil || d.result != "succeeded" {
		t.Errorf("%v, %q", err, d.result)
	}
	g.s.cfg.Azure.Organizations = []string{"https://dev.azure.com/chain"}
	if err := g.s.callBack(t.Context(), e); !ops.IsPermanent(err) {
		t.Errorf("an organization that was taken out of the configuration is told: %v", err)
	}
	g.s.now = func() time.Time { return start.Add(49 * time.Hour) }
	if err := g.s.callBack(t.Context(), e); !ops.IsPermanent(err) {
		t.Errorf("after the token ended: %v", err)
	}
}

func TestACheckThatLiesIsRefused(t *testing.T) {
	d := newDevOps(t)
	g := newGated(t, Config{Azure: AzureConfig{Organizations: []string{d.url + "/"}}})
	for name, c := range map[string]struct {
		plan, body string
		headers    []string
		code       int
		place      string
	}{
		"another host":               {"http://169.254.169.254/chain", azAsk, nil, 403, "header.PlanUrl"},
		"a path below it":            {d.url + "/x", azAsk, nil, 403, "header.PlanUrl"},
		"a host that begins like it": {d.url + ".evil.example", azAsk, nil, 403, "header.PlanUrl"},
		"a path for a project":       {d.url, azAsk, []string{"ProjectId", "../x"}, 400, "header.ProjectId"},
		"a path for a hub":           {d.url, azAsk, []string{"HubName", "a/b"}, 400, "header.HubName"},
		"no token":                   {d.url, azAsk, []string{"AuthToken", ""}, 400, "header.AuthToken"},
		"a variable left as it was":  {d.url, azAsk, []string{"JobId", "$(system.JobId)"}, 400, "header.JobId"},
		"no service":                 {d.url, `{}`, nil, 400, "body.service"},
		"no JSON":                    {d.url, `service`, nil, 400, "body"},
	} {
		if code, body := g.check(c.plan, c.body, c.headers...); code != c.code || !strings.Contains(body, c.place) || len(g.book.effects) != 0 {
			t.Errorf("%s is answered %d %s with %d effects", name, code, body, len(g.book.effects))
		}
	}
	for range 2 {
		if code, body := g.check(d.url, azAsk); code != 200 || len(g.book.effects) != 1 {
			t.Errorf("asked again in the same words: %d %s, %d effects", code, body, len(g.book.effects))
		}
	}
	if code, _ := g.check(d.url, `{"service":"other"}`); code != 409 || len(g.book.effects) != 1 {
		t.Errorf("replayed with other words: %d", code)
	}
	if g.book.lines("hook.refused") != 1 {
		t.Errorf("%d audit lines", g.book.lines("hook.refused"))
	}
}

func TestAJournalThatIsFullTakesNoCheck(t *testing.T) {
	g := newGated(t, Config{Azure: AzureConfig{Organizations: []string{"https://dev.azure.com/chain"}}})
	g.book.fail = ops.Errorf(ops.Unavailable, "the disk is full")
	if code, body := g.check("https://dev.azure.com/chain", azAsk); code != 503 {
		t.Errorf("%d %s", code, body)
	}
	if err := (AzureConfig{Organizations: []string{"dev.azure.com/chain"}}).validate(); err == nil {
		t.Error("an organization that is no URL was taken")
	}
}

func FuzzAzure(f *testing.F) {
	f.Add("https://dev.azure.com/chain/", "checks", azTask, []byte(azAsk))
	f.Fuzz(func(t *testing.T, plan, hub, task string, body []byte) {
		h := http.Header{}
		for name, v := range map[string]string{"PlanUrl": plan, "ProjectId": azProject, "HubName": hub, "PlanId": azPlan, "JobId": azJob, "TaskInstanceId": task, "AuthToken": "t"} {
			h.Set(name, v)
		}
		c, err := parseAzure(h, body, []string{"https://dev.azure.com/chain"})
		var e *ops.Error
		if err != nil && !errors.As(err, &e) {
			t.Fatalf("%v has no kind", err)
		}
		if err != nil {
			return
		}
		req, err := http.NewRequest("POST", c.Azure.URL, nil)
		if err != nil || !strings.EqualFold(req.URL.Host, "dev.azure.com") || !strings.HasPrefix(strings.ToLower(req.URL.Path), "/chain/"+azProject) || strings.Contains(req.URL.Path, "..") {
			t.Fatalf("%s was let through: %v", c.Azure.URL, err)
		}
	})
}
