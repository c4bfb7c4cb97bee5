package intake

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"goc/ops"
)

func TestEveryRealAlertIsUnderstood(t *testing.T) {
	n := 0
	for _, product := range []string{"prometheus", "grafana", "cloudwatch", "datadog", "sentry"} {
		for name, payload := range examples(t, product) {
			n++
			f := newFixture(t, Config{}, nil)
			code, body := f.send("POST", "/hooks/alerts/"+product, string(payload))
			if code != 200 || body != `{"accepted":1,"rejected":[]}` {
				t.Errorf("%s %s is answered %d %s", product, name, code, body)
				continue
			}
			a := f.only()
			if a.Name() == "" || a.Summary() == "" || a.Source != product || !a.EndsAt.Equal(start.Add(24*time.Hour)) {
				t.Errorf("%s %s became %+v", product, name, a)
			}
		}
	}
	if n != 16 {
		t.Errorf("%d examples were read, want 16", n)
	}
}

func TestWhatARealAlertSaysOfItsScopeIsKept(t *testing.T) {
	for _, c := range []struct {
		product, example string
		labels           map[string]string
		summary          string
		starts           ops.Time
	}{
		{
			"sentry", "server_overload",
			map[string]string{"alertname": "Order submission failed", "service": "frontend-app", "severity": "error", "environment": "production", "sentry_issue": "4616132098"},
			"Order submission failed: Server responded with 503 Service Unavailable - System under heavy load", ops.At(time.UnixMilli(1709991385873)),
		},
		{"datadog", "low_disk_space", map[string]string{"alertname": "Low Disk Space", "environment": "production", "team": "database", "severity": "P4", "monitor_id": "1234567891"}, "Disk space is below 20% on {{host.name}}.", ops.At(start)},
		{"cloudwatch", "high_error_rate", map[string]string{"alertname": "APIErrorRate", "namespace": "AWS/ApiGateway", "metric": "5XXError", "severity": "P1"}, "API error rate exceeds 5% threshold", ops.At(start)},
		{"grafana", "HighMemoryConsumption", map[string]string{"alertname": "High Memory Usage", "severity": "warning", "monitor": "memory"}, "Memory Usage High on {{ host.name }}", ops.At(start)},
		{"prometheus", "HighCPUUsage", map[string]string{"alertname": "CPU usage is over 90%", "instance": "example1", "job": "example2", "workload": "somecoolworkload", "severity": "critical"}, "CPU usage is over 90%", ops.At(start)},
	} {
		f := newFixture(t, Config{}, nil)
		f.send("POST", "/hooks/alerts/"+c.product, string(examples(t, c.product)[c.example]))
		a := f.only()
		if diff := cmp.Diff(c.labels, a.Labels); diff != "" || a.Summary() != c.summary || !a.StartsAt.Equal(c.starts.Time) {
			t.Errorf("%s %s: summary %q since %s, labels (-want +got):\n%s", c.product, c.example, a.Summary(), a.StartsAt, diff)
		}
	}
}

func TestAnAlertIsResolvedAsItsProductSaysIt(t *testing.T) {
	sns := func(state string) string {
		m, _ := json.Marshal(`{"AlarmName":"CPU","AlarmDescription":"hot","AWSAccountId":"1","Region":"EU (Ireland)","NewStateValue":"` + state + `","NewStateReason":"r","StateChangeTime":"2026-11-20T07:30:00.000+0000","Trigger":{"MetricName":"CPUUtilization","Namespace":"AWS/EC2","Dimensions":[{"name":"InstanceId","value":"i-1"}]}}`)
		return `{"Type":"Notification","MessageId":"x","TopicArn":"arn","Message":` + string(m) + `,"Timestamp":"2026-11-20T07:30:01Z"}`
	}
	am := func(status, ends string) string {
		return `{"version":"4","groupKey":"{}","status":"` + status + `","receiver":"goc","alerts":[{"status":"` + status + `","labels":{"alertname":"X","store":"SH-001"},"annotations":{"summary":"s"},"startsAt":"2026-11-20T07:00:00Z","endsAt":"` + ends + `","generatorURL":"http://p","fingerprint":"00"}]}`
	}
	for name, c := range map[string]struct{ path, fires, ends string }{
		"alertmanager": {"/hooks/alerts/alertmanager", am("firing", "0001-01-01T00:00:00Z"), am("resolved", "2026-11-20T07:50:00Z")},
		"grafana":      {"/hooks/alerts/grafana", am("firing", "0001-01-01T00:00:00Z"), am("resolved", "2026-11-20T07:50:00Z")},
		"old grafana":  {"/hooks/alerts/grafana", `{"ruleName":"R","state":"alerting","message":"m","tags":{"store":"SH-001"}}`, `{"ruleName":"R","state":"ok","message":"m","tags":{"store":"SH-001"}}`},
		"prometheus":   {"/hooks/alerts/prometheus", `[{"labels":{"alertname":"X"},"endsAt":"2026-11-20T08:04:00Z"}]`, `[{"labels":{"alertname":"X"},"endsAt":"2026-11-20T07:59:00Z"}]`},
		"cloudwatch":   {"/hooks/alerts/cloudwatch", sns("ALARM"), sns("OK")},
		"datadog":      {"/hooks/alerts/datadog", `{"title":"[Triggered] Disk","alert_transition":"Triggered","tags":["store:SH-001"],"alert_id":7}`, `{"title":"[Recovered] Disk","alert_transition":"Recovered","tags":["store:SH-001"],"alert_id":7}`},
		"sentry":       {"/hooks/alerts/sentry", `{"action":"triggered","data":{"event":{"issue_id":"9","title":"T","level":"error","tags":[["store","SH-001"]]}}}`, `{"action":"resolved","data":{"issue":{"id":"9","title":"T","project":{"slug":"web"}}}}`},
		"pagerduty":    {"/v2/enqueue", `{"routing_key":"k","event_action":"trigger","dedup_key":"d","payload":{"summary":"S","source":"h","severity":"error"}}`, `{"routing_key":"k","event_action":"resolve","dedup_key":"d"}`},
		"cloudevents":  {"/hooks/cloudevents", `{"context":{"id":"1","source":"s","type":"dev.cdevents.incident.detected.0.3.0"},"subject":{"id":"I","content":{"description":"slow","service":{"id":"cart"}}}}`, `{"context":{"id":"2","source":"s","type":"dev.cdevents.incident.resolved.0.2.0"},"subject":{"id":"I","content":{"description":"fast again","service":{"id":"cart"}}}}`},
	} {
		f := newFixture(t, Config{}, nil)
		if code, body := f.send("POST", c.path, c.ends); code >= 300 { // an end that nobody waits for
			t.Errorf("%s: an end before any beginning is answered %d %s", name, code, body)
		}
		if code, body := f.send("POST", c.path, c.fires); code >= 300 {
			t.Errorf("%s fires: %d %s", name, code, body)
		}
		f.only()
		f.send("POST", c.path, c.fires)
		f.only()
		if code, body := f.send("POST", c.path, c.ends); code >= 300 {
			t.Errorf("%s ends: %d %s", name, code, body)
		}
		if all, _ := f.Alerts(t.Context()); len(all) != 0 {
			t.Errorf("%s still fires: %+v", name, all)
		}
	}
}

func TestAHookThatCannotBeReadNamesThePlace(t *testing.T) {
	f := newFixture(t, Config{}, nil)
	for _, c := range []struct {
		path, body, at string
		headers        []string
	}{
		{"/hooks/alerts/alertmanager", `{`, "body", nil},
		{"/hooks/alerts/alertmanager", `{"alerts":[]}`, "body.alerts", nil},
		{"/hooks/alerts/grafana", `{"labels":{}}`, "body", nil},
		{"/hooks/alerts/grafana", `{"title":["x"]}`, "body", nil},
		{"/hooks/alerts/cloudwatch", `{"Message":"{"}`, "body.Message", nil},
		{"/hooks/alerts/cloudwatch", `{}`, "body.Message", nil},
		{"/hooks/alerts/sentry", `[]`, "body", nil},
		{"/hooks/github", `{}`, "header.X-GitHub-Event", nil},
		{"/hooks/github", `{}`, "body.deployment", []string{"X-GitHub-Event", "deployment"}},
		{"/hooks/gitlab", `{"object_kind":"deployment"}`, "body.project.name", nil},
		{"/hooks/argocd", `{}`, "body.app", nil},
		{"/hooks/cloudevents", `{"specversion":"0.3","id":"1"}`, "body[0].specversion", []string{"Content-Type", "application/cloudevents+json"}},
		{"/hooks/cloudevents", `{}`, "body[0]", nil},
	} {
		code, body := f.send("POST", c.path, c.body, c.headers...)
		var p struct{ Errors []struct{ Location string } }
		if err := json.Unmarshal([]byte(body), &p); err != nil || code != 400 || len(p.Errors) != 1 || p.Errors[0].Location != c.at {
			t.Errorf("%s %s is answered %d %s, want 400 at %s", c.path, c.body, code, body, c.at)
		}
	}
	if code, _ := f.send("POST", "/hooks/alerts/sentry", strings.Repeat(" ", MaxHookBody+1)); code != 413 {
		t.Errorf("a body over the bound is answered %d", code)
	}
}

func TestPagerDutysClientsWorkUnchanged(t *testing.T) {
	f := newFixture(t, Config{PagerDuty: Secret{Secret: "R0"}}, nil)
	for _, m := range f.s.Mounts() {
		if strings.Contains(m.Pattern, "/v2/enqueue") && !m.Public {
			t.Error("with a routing key configured, /v2/enqueue must need no token: clients send none")
		}
	}
	event := func(action, dedup, payload string) string {
		return `{"routing_key":"R0","event_action":"` + action + `","dedup_key":"` + dedup + `"` + payload + `}`
	}
	payload := `,"payload":{"summary":"Pay is down","source":"pay-01","severity":"critical","timestamp":"2026-11-20T07:58:00Z","component":"pay","class":"PayDown","custom_details":{"service":"pay-gateway","store":"SH-001","error_rate":0.4}},"links":[]`
	code, body := f.send("POST", "/v2/enqueue", event("trigger", "", payload))
	var got pdAnswer
	if json.Unmarshal([]byte(body), &got); code != 202 || got.Status != "success" || got.DedupKey == "" {
		t.Fatalf("%d %s", code, body)
	}
	a := f.only()
	want := map[string]string{"alertname": "PayDown", "dedup_key": got.DedupKey, "source": "pay-01", "severity": "critical", "component": "pay", "service": "pay-gateway", "store": "SH-001"}
	if diff := cmp.Diff(want, a.Labels); diff != "" || !a.StartsAt.Equal(start.Add(-2*time.Minute)) {
		t.Errorf("since %s, labels (-want +got):\n%s", a.StartsAt, diff)
	}
	f.send("POST", "/v2/enqueue", event("trigger", got.DedupKey, `,"payload":{"summary":"Pay is still down","source":"pay-02","severity":"warning"}`))
	if again := f.only(); again.Fingerprint != a.Fingerprint || again.Summary() != "Pay is still down" {
		t.Errorf("the same key made another alert: %+v", again)
	}
	if code, _ := f.send("POST", "/v2/enqueue", event("acknowledge", got.DedupKey, "")); code != 202 {
		t.Errorf("an acknowledgement is answered %d", code)
	}
	f.only()
	if code, body := f.send("POST", "/v2/change/enqueue", `{"routing_key":"R0","payload":{"summary":"Cart 1.2.3","source":"cart","timestamp":"2026-11-20T07:00:00Z","custom_details":{"kind":"release","version":"1.2.3"}},"links":[{"href":"http://ci/1","text":"build"}]}`); code != 202 || !strings.Contains(body, `"status":"success"`) {
		t.Errorf("a change is answered %d %s", code, body)
	}
	if c := f.changes[0]; c.Service != "cart" || c.Version != "1.2.3" || c.Kind != ops.KindRelease || c.Status != ops.ChangeFinished || len(c.Links) != 1 {
		t.Errorf("the change is %+v", c)
	}
	for name, c := range map[string]struct {
		body string
		code int
	}{
		"no JSON":               {`{`, 400},
		"no action":             {`{"routing_key":"R0"}`, 400},
		"no payload":            {event("trigger", "", ""), 400},
		"a severity of its own": {event("trigger", "", `,"payload":{"summary":"s","source":"s","severity":"bad"}`), 400},
		"a resolve without key": {event("resolve", "", ""), 400},
		"an unknown key":        {strings.Replace(event("trigger", "x", payload), "R0", "R1", 1), 401},
		"over 512 KB":           {strings.Repeat(" ", maxPagerDuty+1), 413},
	} {
		code, body := f.send("POST", "/v2/enqueue", c.body)
		var got pdAnswer
		if json.Unmarshal([]byte(body), &got); code != c.code || got.Status != "invalid event" || len(got.Errors) == 0 {
			t.Errorf("%s is answered %d %s, want %d", name, code, body, c.code)
		}
	}
}

func sign(secret, body string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

func TestAWebhookMustBeSignedWithItsSecret(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("lab\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := newFixture(t, Config{GitHub: Secret{Secret: "hub"}, GitLab: Secret{SecretFile: file}}, nil)
	body := `{"action":"created","repository":{"name":"cart","full_name":"shop/cart"},"deployment":{"id":1,"ref":"v1","environment":"production"}}`
	gl := `{"object_kind":"deployment","deployment_id":1,"status":"running","project":{"name":"Cart","path_with_namespace":"shop/cart"}}`
	for _, c := range []struct {
		path, body, header, value string
		code                      int
	}{
		{"/hooks/github", body, "X-Hub-Signature-256", sign("hub", body), 200},
		{"/hooks/github", body, "X-Hub-Signature-256", sign("bad", body), 401},
		{"/hooks/github", body + " ", "X-Hub-Signature-256", sign("hub", body), 401},
		{"/hooks/github", body, "X-Hub-Signature", "sha1=00", 401},
		{"/hooks/gitlab", gl, "X-Gitlab-Token", "lab", 200},
		{"/hooks/gitlab", gl, "X-Gitlab-Token", "", 401},
	} {
		if code, answer := f.send("POST", c.path, c.body, c.header, c.value, "X-GitHub-Event", "deployment"); code != c.code {
			t.Errorf("%s with %s %q is answered %d %s, want %d", c.path, c.header, c.value, code, answer, c.code)
		}
	}
	if fmt.Sprint(f.by) != "[github gitlab]" {
		t.Errorf("recorded by %v", f.by)
	}
	if _, err := New(t.Context(), Options{Config: Config{GitHub: Secret{SecretFile: "/nowhere"}}, Alerts: f.room, Changes: f.room, Who: func(*http.Request) ops.Principal { return ops.System }}); err == nil || !strings.HasPrefix(err.Error(), "hooks.github.secret_file:") {
		t.Errorf("a secret that cannot be read gave %v", err)
	}
}

func TestADeploymentGoesItsWayWhateverTheOrder(t *testing.T) {
	dep := `"repository":{"name":"cart","full_name":"shop/cart"},"deployment":{"id":7,"ref":"v2","environment":"production","creator":{"login":"li"},"payload":{"store":"SH-001"}}`
	status := func(s string) string {
		return `{"action":"created",` + dep + `,"deployment_status":{"state":"` + s + `","created_at":"2026-11-20T07:59:00Z"}}`
	}
	for name, c := range map[string]struct {
		sent []string
		want ops.ChangeStatus
	}{
		"announced":                   {nil, ops.ChangePlanned},
		"in progress":                 {[]string{"queued", "in_progress"}, ops.ChangeStarted},
		"done":                        {[]string{"in_progress", "success", "inactive"}, ops.ChangeFinished},
		"done, and the start is late": {[]string{"success", "in_progress", "pending"}, ops.ChangeFinished},
		"done, and told twice":        {[]string{"success", "success"}, ops.ChangeFinished},
		"failed":                      {[]string{"in_progress", "failure"}, ops.ChangeAborted},
	} {
		f := newFixture(t, Config{}, nil)
		f.send("POST", "/hooks/github", `{"action":"created",`+dep+`}`, "X-GitHub-Event", "deployment", "X-GitHub-Delivery", "first")
		for _, s := range c.sent {
			if code, body := f.send("POST", "/hooks/github", status(s), "X-GitHub-Event", "deployment_status"); code != 200 {
				t.Errorf("%s: %s is answered %d %s", name, s, code, body)
			}
		}
		if len(f.changes) != 1 || f.changes[0].Status != c.want || f.changes[0].Author != "li" || f.changes[0].Scope.String() != "store=SH-001" {
			t.Errorf("%s: %+v", name, f.changes)
		}
		_, body := f.send("POST", "/hooks/github", `{"action":"created",`+dep+`}`, "X-GitHub-Event", "deployment", "X-GitHub-Delivery", "first")
		if !strings.Contains(body, "taken before") {
			t.Errorf("%s: a delivery that comes again is answered %s", name, body)
		}
	}
}

func TestARealDeploymentBecomesTheChangeThatItIs(t *testing.T) {
	f := newFixture(t, Config{}, nil)
	f.send("POST", "/hooks/gitlab", string(read(t, realworld(t, "webhooks", "gitlab", "deployment.json"))))
	f.send("POST", "/hooks/github", string(read(t, realworld(t, "webhooks", "github", "deployment", "payload.json"))), "X-GitHub-Event", "deployment")
	want := []ops.Change{
		{
			ID: "CHG-1", Kind: ops.KindRelease, Title: "Deploy test-deployment-webhooks 1.0.0 to staging", Status: ops.ChangeFinished, Service: "test-deployment-webhooks", Version: "1.0.0", Environment: "staging", Author: "user1", Source: "gitlab",
			Links:  []ops.Link{{Title: "job", URL: "http://10.126.0.2:3000/root/test-deployment-webhooks/-/jobs/796"}},
			Labels: map[string]string{"external_id": "root/test-deployment-webhooks deployment 15", "repository": "root/test-deployment-webhooks", "sha": "279484c0"},
		},
		{
			ID: "CHG-2", Kind: ops.KindRelease, Title: "Deploy Hello-World master to production", Status: ops.ChangePlanned, Service: "Hello-World", Version: "master", Environment: "production", Author: "Codertocat", Source: "github",
			Links:  []ops.Link{{Title: "repository", URL: "https://github.com/Codertocat/Hello-World"}},
			Labels: map[string]string{"external_id": "Codertocat/Hello-World deployment 145988746", "repository": "Codertocat/Hello-World", "sha": "f95f852bd8fca8fcc58a9a2d6c842781e32a215e"},
		},
	}
	if diff := cmp.Diff(want, f.changes); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if fmt.Sprint(f.events) != "[CHG-1 start 2021-04-28T19:50:00.000Z CHG-1 finish 2021-04-28T19:50:00.000Z]" {
		t.Errorf("events %v", f.events)
	}
}

func TestOnlyWorkflowsThatReleaseAreChanges(t *testing.T) {
	run := `{"action":"completed","repository":{"name":"cart","full_name":"shop/cart"},"workflow":{"name":"Deploy to stores"},"workflow_run":{"id":1,"run_attempt":1,"path":".github/workflows/d.yml","status":"completed","conclusion":"success","updated_at":"2026-11-20T07:59:00Z"}}`
	for _, c := range []struct {
		listed []string
		want   bool
	}{{nil, true}, {[]string{"Deploy to stores"}, true}, {[]string{".github/workflows/d.yml"}, true}, {[]string{"other"}, false}} {
		if _, why, err := parseGitHub("workflow_run", []byte(run), Config{Workflows: c.listed}); err != nil || (why == "") != c.want {
			t.Errorf("listed %v: %q, %v", c.listed, why, err)
		}
	}
}

func TestAnArgoSyncIsOneChange(t *testing.T) {
	f := newFixture(t, Config{}, nil)
	note := func(phase string) string {
		return `{"app":"cart","project":"shop","revision":"0123456789012345678901234567890123456789","phase":"` + phase + `","startedAt":"2026-11-20T07:55:00Z","finishedAt":"2026-11-20T07:56:00Z","syncUser":"li","namespace":"production"}`
	}
	for _, phase := range []string{"Running", "Succeeded", "Succeeded"} {
		if code, body := f.send("POST", "/hooks/argocd", note(phase)); code != 200 {
			t.Errorf("%s is answered %d %s", phase, code, body)
		}
	}
	if len(f.changes) != 1 || f.changes[0].Version != "012345678901" || fmt.Sprint(f.events) != "[CHG-1 start 2026-11-20T07:55:00.000Z CHG-1 finish 2026-11-20T07:56:00.000Z]" {
		t.Errorf("%+v %v", f.changes, f.events)
	}
}

func TestCloudEventsComeInThreeModes(t *testing.T) {
	data := `{"context":{"version":"0.4.1","id":"e1","source":"/ci","type":"dev.cdevents.service.deployed.0.2.0","timestamp":"2026-11-20T07:59:00Z"},"subject":{"id":"cart","type":"service","content":{"environment":{"id":"production"},"artifactId":"pkg:oci/shop/cart@1.2.3"}},"customData":{"store":"SH-001"}}`
	event := `{"specversion":"1.0","id":"e1","source":"/ci","type":"dev.cdevents.service.deployed.0.2.0","data":` + data + `}`
	for name, c := range map[string]struct {
		body    string
		headers []string
	}{
		"structured":     {event, []string{"Content-Type", "application/cloudevents+json; charset=utf-8"}},
		"batch":          {"[" + event + "," + event + "]", []string{"Content-Type", "application/cloudevents-batch+json"}},
		"binary":         {data, []string{"Content-Type", "application/cdevents+json", "ce-specversion", "1.0", "ce-id", "e1", "ce-source", "/ci", "ce-type", "dev.cdevents.service.deployed.0.2.0"}},
		"without any":    {data, []string{"Content-Type", "application/json"}},
		"binary as JSON": {data, []string{"Content-Type", "application/json", "ce-specversion", "1.0", "ce-id", "e1", "ce-source", "/ci", "ce-type", "dev.cdevents.service.deployed.0.2.0"}},
	} {
		f := newFixture(t, Config{}, nil)
		code, body := f.send("POST", "/hooks/cloudevents", c.body, c.headers...)
		if code != 200 || len(f.changes) != 1 {
			t.Errorf("%s is answered %d %s, %d changes", name, code, body, len(f.changes))
			continue
		}
		if ch := f.changes[0]; ch.Service != "cart" || ch.Version != "1.2.3" || ch.Environment != "production" || ch.Status != ops.ChangeFinished || ch.Scope.String() != "store=SH-001" {
			t.Errorf("%s: %+v", name, ch)
		}
	}
}

func TestARollbackEventRollsTheReleaseBack(t *testing.T) {
	f := newFixture(t, Config{}, nil)
	event := func(id, predicate string) string {
		return `{"context":{"id":"` + id + `","source":"/ci","type":"dev.cdevents.service.` + predicate + `.0.3.0"},"subject":{"id":"cart","content":{"environment":{"id":"production"}}}}`
	}
	f.send("POST", "/hooks/cloudevents", event("1", "rolledback"))
	if len(f.changes) != 1 || f.changes[0].Status != ops.ChangeFinished {
		t.Fatalf("a rollback of nothing that is known: %+v", f.changes)
	}
	f.send("POST", "/hooks/cloudevents", event("2", "deployed"))
	f.send("POST", "/hooks/cloudevents", event("3", "rolledback"))
	f.send("POST", "/hooks/cloudevents", event("3", "rolledback"))
	if len(f.changes) != 2 || f.changes[1].Status != ops.ChangeRolledBack {
		t.Errorf("%+v", f.changes)
	}
}

func TestDeliveriesAreForgottenInOrder(t *testing.T) {
	r := newRecent(2)
	for _, id := range []string{"a", "b", "b", "c", ""} {
		r.add(id, seen{})
	}
	knows := func(id string) bool { _, ok := r.has(id); return ok }
	if knows("a") || !knows("b") || !knows("c") || knows("") {
		t.Errorf("remembered %v", r.ids)
	}
}

func TestConfigNamesTheFieldThatIsWrong(t *testing.T) {
	for place, c := range map[string]Config{
		"hooks.resolve_timeout": {ResolveTimeout: ops.Duration(time.Millisecond)},
		"hooks.hook_hold":       {HookHold: ops.Duration(1000 * time.Hour)},
		"hooks.workflows":       {Workflows: make([]string, 101)},
	} {
		if err := c.Validate(); err == nil || !strings.HasPrefix(err.Error(), place+":") {
			t.Errorf("%s: %v", place, err)
		}
	}
}
