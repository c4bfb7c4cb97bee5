package main

import (
	"net/http"
	"strings"
	"testing"
)

// TestAReplayIsRefusedAfterACrash asks as an Azure DevOps that does not listen, kills the program without warning, and asks
// again in other words.
func TestAReplayIsRefusedAfterACrash(t *testing.T) {
	config, listen := serveYAML(t, quietYAML+"hooks: {azure: {organizations: [\"http://127.0.0.1:1/chain\"]}}\n")
	p := serve(t, config, listen)
	ask := func(body string) int {
		t.Helper()
		req, err := http.NewRequest("POST", p.url+"/hooks/azure", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		id := func(digit string) string {
			return strings.Repeat(digit, 8) + strings.Repeat("-"+strings.Repeat(digit, 4), 3) + "-" + strings.Repeat(digit, 12)
		}
		for name, value := range map[string]string{
			"PlanUrl": "http://127.0.0.1:1/chain/", "ProjectId": id("1"), "HubName": "checks", "PlanId": id("2"), "JobId": id("3"), "TaskInstanceId": id("4"), "AuthToken": "t",
		} {
			req.Header.Set(name, value)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	if code := ask(`{"service":"pay"}`); code != 200 {
		t.Fatalf("the check is answered %d\n%s", code, p.out)
	}
	p.kill()
	p = serve(t, config, listen)
	if code := ask(`{"service":"other"}`); code != 409 {
		t.Errorf("in other words after a crash it is answered %d", code)
	}
	if code := ask(`{"service":"pay"}`); code != 200 {
		t.Errorf("in the same words after a crash it is answered %d", code)
	}
}
