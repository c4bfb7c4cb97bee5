package intake

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"goc/ops"
)

// became says what a request came to: the changes and alerts, or why it came to nothing.
func (f *fixture) became(code int, body string) string {
	var parts []string
	for _, c := range f.changes {
		parts = append(parts, strings.TrimSpace(fmt.Sprintf("%s %s of %s %s in %s", c.Status, c.Kind, c.Service, c.Version, c.Environment)))
	}
	all, _ := f.Alerts(f.t.Context())
	for _, a := range all {
		parts = append(parts, "alert of "+a.Labels["service"]+" in "+a.Labels["environment"])
	}
	var answer struct {
		Ignored json.RawMessage `json:"ignored"`
	}
	if json.Unmarshal([]byte(body), &answer) != nil || code != 200 {
		return fmt.Sprint(code, " ", body)
	}
	if len(parts) == 0 && answer.Ignored != nil {
		parts = append(parts, strings.Trim(string(answer.Ignored), `"`))
	}
	return strings.Join(parts, ", ")
}

func TestWhatEachRealWebhookOfGitHubBecomes(t *testing.T) {
	sha := "3484a3fb816e0859fd6e1cea078d76385ff50625"
	want := map[string]string{
		"deployment/gh-pages.payload.json":                       "planned release of Hello-World gh-pages in github-pages",
		"deployment/payload.json":                                "planned release of Hello-World master in production",
		"deployment/with-installation.payload.json":              "planned release of Hello-World master in production",
		"deployment_status/gh-pages.payload.json":                "started release of Hello-World master in github-pages",
		"deployment_status/payload.json":                         "finished release of Hello-World master in production",
		"deployment_status/with-installation.payload.json":       "finished release of Hello-World master in production",
		"ping/payload.json":                                      "ping",
		"ping/with-app_id.payload.json":                          "ping",
		"ping/with-organization.payload.json":                    "ping",
		"push/1.payload.json":                                    tagPushed,
		"push/payload.json":                                      tagPushed,
		"push/with-installation.payload.json":                    tagPushed,
		"push/with-new-branch.payload.json":                      "finished config of Hello-World 6113728f27ae82c7b1a177c8d03f9e96e0adf246 in",
		"push/with-no-username-committer.payload.json":           "finished config of Hello-World 6113728f27ae82c7b1a177c8d03f9e96e0adf246 in",
		"push/with-organization.payload.json":                    tagPushed,
		"release/created.payload.json":                           "the release is not published",
		"release/created.with-discussion-url.payload.json":       "the release is not published",
		"release/created.with-installation.payload.json":         "the release is not published",
		"release/deleted.payload.json":                           "the release is not published",
		"release/deleted.with-reactions.payload.json":            "the release is not published",
		"release/edited.payload.json":                            "the release is not published",
		"release/edited.with-reactions.payload.json":             "the release is not published",
		"release/prereleased.payload.json":                       "finished release of Hello-World 0.0.1 in registry",
		"release/prereleased.with-discussion-url.payload.json":   "finished release of Hello-World 0.0.1 in registry",
		"release/published.payload.json":                         "finished release of Hello-World 0.0.1 in registry",
		"release/published.with-discussion-url.payload.json":     "finished release of Hello-World 0.0.1 in registry",
		"release/released.json":                                  "finished release of Hello-World 0.0.1 in registry",
		"workflow_run/completed.payload.json":                    "finished release of octo-repo " + sha + " in",
		"workflow_run/completed.with-pull-requests.payload.json": "finished release of octo-repo " + sha + " in",
		"workflow_run/requested.payload.json":                    "planned release of octo-repo " + sha + " in",
		"workflow_run/requested.with-conclusion.payload.json":    "planned release of octo-repo " + sha + " in",
	}
	got := map[string]string{}
	for _, path := range files(t, "webhooks", "github") {
		event := filepath.Base(filepath.Dir(path))
		f := newFixture(t, Config{Branches: []string{"Codertocat/Hello-World@master"}, Workflows: []string{".github/workflows/test.yml"}}, nil)
		got[event+"/"+filepath.Base(path)] = f.became(f.send("POST", "/hooks/github", string(read(t, path)), "X-GitHub-Event", event))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWhatEachRealWebhookOfGitLabBecomes(t *testing.T) {
	want := map[string]string{
		"deployment.json":            "finished release of test-deployment-webhooks 1.0.0 in staging",
		"feature_flag.json":          "finished flag of gitlab-test on in",
		"release.json":               "finished release of example-project 1.0.0 in registry",
		"push.json":                  "finished config of diaspora da1560886d4f094c3e6c9ef40349f7d38b5d27d7 in",
		"tag_push.json":              tagPushed,
		"pipeline.json":              "a pipeline that deploys is told as its deployments",
		"build.json":                 glIgnored["build"],
		"job.json":                   glIgnored["build"],
		"merge_request.json":         "the merge request is not merged",
		"service_merge_request.json": "the merge request is not merged",
		"group_merge_request.json":   "a merge puts nothing out; the push to its branch or its deployment does",
	}
	got := map[string]string{}
	list := files(t, "webhooks", "gitlab")
	for _, path := range list {
		f := newFixture(t, Config{Branches: []string{"master"}}, nil)
		name := filepath.Base(path)
		got[name] = f.became(f.send("POST", "/hooks/gitlab", string(read(t, path))))
		if _, named := want[name]; !named {
			want[name] = "events of this kind are not changes"
		}
		if n := testutil.CollectAndCount(f.s.unused); (n == 1) != (len(f.changes) == 0) {
			t.Errorf("%s: counted as ignored under %d reasons", name, n)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" || len(list) != 32 {
		t.Errorf("%d payloads (-want +got):\n%s", len(list), diff)
	}
}

// TestWhatEachConformanceEventOfCDEventsBecomes sends each event in all three modes and in both spellings of the version.
func TestWhatEachConformanceEventOfCDEventsBecomes(t *testing.T) {
	digest := "sha256:0b31b1c02ff458ad9b7b81cbdf8f028bd54699fa151f221d1e8de6817db93427"
	want := map[string]string{
		"service_deployed":     "finished release of mySubject123 " + digest + " in test123",
		"service_upgraded":     "finished release of mySubject123 " + digest + " in test123",
		"service_rolledback":   "finished rollback of mySubject123 " + digest + " in test123",
		"service_removed":      "finished release of mySubject123  in test123",
		"service_published":    "finished release of mySubject123  in test123",
		"environment_created":  "finished config of   in testEnv",
		"environment_modified": "finished config of   in testEnv",
		"environment_deleted":  "finished config of   in testEnv",
		"incident_detected":    "alert of myApp in prod1",
		"incident_reported":    "alert of myApp in prod1",
		"incident_resolved":    "", // of an alert that nobody here knows: there is nothing to end
	}
	n := 0
	for _, path := range files(t, "cdevents", "conformance") {
		if strings.Contains(path, "/formats/") {
			continue
		}
		n++
		name, data := strings.TrimSuffix(filepath.Base(path), ".json"), string(read(t, path))
		if _, named := want[name]; !named {
			want[name] = "1" // event, counted as not used
		}
		for mode, send := range modes(t, data) {
			f := newFixture(t, Config{}, nil)
			if got := f.became(send(f)); got != want[name] {
				t.Errorf("%s, %s: became %q, want %q", name, mode, got, want[name])
			}
			counted := testutil.CollectAndCount(f.s.unused)
			if (counted == 1) != (want[name] == "1") {
				t.Errorf("%s, %s: counted as ignored under %d reasons", name, mode, counted)
			}
		}
	}
	if n != 48 && n != 49 {
		t.Errorf("%d events were read", n)
	}
}

// modes are the ways in which a CDEvent may come.
func modes(t *testing.T, data string) map[string]func(*fixture) (int, string) {
	var e cdEvent
	if err := json.Unmarshal([]byte(data), &e); err != nil || e.Context.SpecVersion == "" {
		t.Fatalf("%v in %s", err, data)
	}
	attributes := fmt.Sprintf(`"specversion":"1.0","id":%q,"source":%q,"type":%q`, e.Context.ID, e.Context.Source, e.Context.Type)
	as := func(kind, body string, more ...string) func(*fixture) (int, string) {
		return func(f *fixture) (int, string) {
			return f.send("POST", "/hooks/cloudevents", body, append([]string{"Content-Type", kind}, more...)...)
		}
	}
	event := `{` + attributes + `,"data":` + data + `}`
	binary := []string{"ce-specversion", "1.0", "ce-id", string(e.Context.ID), "ce-source", string(e.Context.Source), "ce-type", string(e.Context.Type)}
	return map[string]func(*fixture) (int, string){
		"bare":       as("application/json", data),
		"structured": as("application/cloudevents+json", event),
		"batch":      as("application/cloudevents-batch+json", "["+event+"]"),
		"binary":     as("application/cdevents+json", data, binary...),
		"0.4":        as("application/cdevents+json", strings.Replace(data, `"specversion"`, `"version"`, 1), binary...),
		"1.9":        as("application/json", strings.Replace(data, string(e.Context.Type), string(e.Context.Type)+"-draft.9", 1)),
	}
}

func cdevent(kind, id, subject, content string) string {
	return `{"context":{"specversion":"0.6.0-draft","id":"` + id + `","source":"/ci","type":"dev.cdevents.` + kind + `.0.1.0-draft","timestamp":"2026-11-20T07:59:00Z"},"subject":{"id":"` + subject + `","content":` + content + `}}`
}

// TestDomainIDsAreReadAsTheirVectorsSay reads the vectors of CDEvents' own conformance tests.
func TestDomainIDsAreReadAsTheirVectorsSay(t *testing.T) {
	var vectors struct {
		Valid []struct {
			Segments struct{ Type, ResourceID string }
			Expected string
		}
		Invalid []struct{ Input string }
	}
	if err := json.Unmarshal(read(t, realworld(t, "cdevents", "conformance", "formats", "domainid.json")), &vectors); err != nil || len(vectors.Valid) == 0 || len(vectors.Invalid) == 0 {
		t.Fatalf("%d and %d vectors, %v", len(vectors.Valid), len(vectors.Invalid), err)
	}
	for _, v := range vectors.Valid {
		var got target
		plain, err := url.PathUnescape(v.Segments.ResourceID)
		if err != nil || json.Unmarshal([]byte(strconv.Quote(v.Expected)), &got) != nil || got.kind != v.Segments.Type || lastPart(got.id) != plain {
			t.Errorf("%s is a %s called %s; %v", v.Expected, got.kind, lastPart(got.id), err)
		}
	}
	for _, v := range vectors.Invalid {
		if _, _, ok := domainID(v.Input); ok {
			t.Errorf("%q was taken for a domain id", v.Input)
		}
	}
}

// TestDraftsMeanTheSameInBothSpellingsOfTheVersion sends the events that CDEvents has not released yet, whose drafts are not
// among the conformance events.
func TestDraftsMeanTheSameInBothSpellingsOfTheVersion(t *testing.T) {
	dep := `{"environment":{"id":"production"},"artifactId":"pkg:oci/shop/cart@1.2.3","outcome":"failure"}`
	to := `{"target":{"id":"SH-001","type":"store"},"environment":{"id":"production"},"artifactId":"pkg:oci/shop/cart@1.2.3","deploymentId":{"id":"d1"},"outcome":"success"}`
	window := `{"target":"cdevents:v0:argo::shop::service:cart","windowType":"restrictive","notBefore":"2026-11-10T16:00:00Z","notAfter":"2026-11-11T16:00:00Z","change":{"id":"c7"}}`
	planned, started, frozen := "planned release of cart 1.2.3 in production", "started release of cart 1.2.3 in production", "freeze of service=cart"
	for _, c := range []struct{ kind, content, want string }{
		{"deployment.queued", dep, planned},
		{"deployment.started", dep, started},
		{"deployment.finished", dep, "aborted release of cart 1.2.3 in production"},
		{"targetrollout.queued", to, planned},
		{"targetrollout.started", to, started},
		{"targetrollout.finished", to, started},
		{"changewindow.created", window, frozen},
		{"changewindow.modified", window, frozen},
		{"changewindow.opened", window, frozen},
		{"changewindow.closed", window, "1"}, // counted as not used: no window is known
		{"changewindow.revoked", window, "1"},
		{"changewindow.breached", window, "alert of cart in"},
	} {
		released := cdevent(c.kind, "e1", "d1", c.content)
		for spelling, body := range map[string]string{
			"specversion": released,
			"version":     strings.Replace(released, `"specversion":"0.6.0-draft"`, `"version":"0.4.1"`, 1),
			"no draft":    strings.ReplaceAll(released, "-draft", ""),
		} {
			f := newFixture(t, Config{}, nil)
			got := f.became(f.send("POST", "/hooks/cloudevents", body))
			for _, z := range f.freezes {
				got = "freeze of " + z.Scope.String()
			}
			if strings.TrimSpace(got) != c.want {
				t.Errorf("%s with %s became %q, want %q", c.kind, spelling, got, c.want)
			}
		}
	}
}

func TestADeploymentAndItsTargetsAreOneChangeWithAStagePerStore(t *testing.T) {
	f := newFixture(t, Config{}, nil)
	to := func(store string) string {
		return `{"name":"r","target":"cdevents:v0:argo::shop:store:` + store + `","environment":{"id":"production"},"artifactId":"pkg:oci/shop/cart@1.2.3","deploymentId":"d1"}`
	}
	dep := `{"environment":{"id":"production"},"artifactId":"pkg:oci/shop/cart@sha256%3Aab?tag=1.2.3","outcome":"success"}`
	for i, e := range [][3]string{
		{"targetrollout.queued", "t1", to("SH-001")},
		{"deployment.started", "d1", dep},
		{"targetrollout.started", "t1", to("SH-001")},
		{"targetrollout.started", "t2", to("SH-002")},
		{"targetrollout.finished", "t2", to("SH-002")},
		{"targetrollout.started", "t2", to("SH-002")},
		{"targetrollout.finished", "t1", to("SH-001")},
		{"targetrollout.finished", "t1", to("SH-001")},
		{"deployment.finished", "d1", dep},
	} {
		if code, body := f.send("POST", "/hooks/cloudevents", cdevent(e[0], fmt.Sprint("e", i), e[1], e[2])); code != 200 {
			t.Fatalf("%s is answered %d %s", e[0], code, body)
		}
	}
	at := " 2026-11-20T07:59:00.000Z"
	want := []string{
		"CHG-1 start" + at, "CHG-1 stage_started 1 [SH-001]" + at, "CHG-1 stage_started 2 [SH-002]" + at,
		"CHG-1 stage_finished 2 [SH-002]" + at, "CHG-1 stage_finished 1 [SH-001]" + at, "CHG-1 finish" + at,
	}
	if diff := cmp.Diff(want, f.events); diff != "" || len(f.changes) != 1 {
		t.Errorf("%d changes (-want +got):\n%s", len(f.changes), diff)
	}
	if c := f.changes[0]; c.Service != "cart" || c.Version != "1.2.3" || c.Environment != "production" || c.Status != ops.ChangeFinished {
		t.Errorf("%+v", c)
	}
	if code, _ := f.send("POST", "/hooks/cloudevents", cdevent("targetrollout.started", "x", "", `{}`)); code != 400 {
		t.Errorf("a target rollout without a target is answered %d", code)
	}
}

func TestAChangeWindowIsAFreezeOfItsSender(t *testing.T) {
	f := newFixture(t, Config{}, nil)
	window := func(kind, target, until string) string {
		return cdevent("changewindow."+kind, "e", "11.11", `{"target":`+target+`,"windowType":"restrictive","notBefore":"2026-11-10T16:00:00Z","notAfter":"`+until+`"}`)
	}
	cart := `{"id":"service/cart","type":"service"}`
	send := func(body string) string {
		_, answer := f.send("POST", "/hooks/cloudevents", body)
		var list []string
		for _, z := range f.freezes {
			list = append(list, z.ID+" "+z.Name+" "+z.Scope.String()+" until "+z.To.Format("02 15:04"))
		}
		if len(list) == 0 {
			return strings.Trim(answer, "{}")
		}
		return strings.Join(list, ", ")
	}
	for _, c := range [][2]string{
		{window("created", cart, "2026-11-11T16:00:00Z"), "FRZ-1 11.11 of /ci service=cart until 11 16:00"},
		{window("opened", cart, "2026-11-11T16:00:00Z"), "FRZ-1 11.11 of /ci service=cart until 11 16:00"},
		{window("modified", cart, "2026-11-12T16:00:00Z"), "FRZ-2 11.11 of /ci service=cart until 12 16:00"},
		{window("closed", cart, ""), `"accepted":1,"rejected":[]`},
		{window("revoked", cart, ""), `"accepted":1,"rejected":[],"ignored":1`},
		{window("created", `{"id":"staging","type":"environment"}`, "2026-11-11T16:00:00Z"), `"accepted":1,"rejected":[],"ignored":1`},
		{strings.Replace(window("created", cart, "2026-11-11T16:00:00Z"), "restrictive", "permissive", 1), `"accepted":1,"rejected":[],"ignored":1`},
	} {
		if got := send(c[0]); got != c[1] {
			t.Errorf("got %s, want %s after %s", got, c[1], c[0])
		}
	}
	f.freezes = []ops.Freeze{{ID: "FRZ-9", Name: "11.11 of /ci", CreatedBy: "Li"}}
	if send(window("revoked", cart, "")); len(f.freezes) != 1 {
		t.Error("another's freeze was lifted")
	}
	f.send("POST", "/hooks/cloudevents", cdevent("changewindow.breached", "b", "11.11", `{"target":`+cart+`,"change":{"id":"c7"},"reason":"burning"}`))
	if a := f.only(); a.Name() != "ChangeWindowBreached" || a.Labels["service"] != "cart" || a.Summary() != "change window 11.11 was breached by c7" {
		t.Errorf("a breach became %+v", a)
	}
}

func TestNobodyMakesTheDeliveryOfAnotherLookReplayed(t *testing.T) {
	f := newFixture(t, Config{}, nil)
	who := "mallory"
	f.s.who = func(*http.Request) ops.Principal { return ops.Principal{Name: who, Role: ops.Sender} }
	hook := func(id string) (int, string) {
		body := `{"action":"created","repository":{"name":"cart","full_name":"shop/cart"},"deployment":{"id":` + id + `,"ref":"v1","environment":"production"}}`
		return f.send("POST", "/hooks/github", body, "X-GitHub-Event", "deployment", "X-GitHub-Delivery", "guid-1")
	}
	if code, body := hook("1"); code != 200 {
		t.Fatal(code, body)
	}
	who = "github"
	if code, body := hook("2"); code != 200 || len(f.changes) != 2 {
		t.Errorf("the first delivery of this sender is answered %d %s; %d changes", code, body, len(f.changes))
	}
	if code, _ := hook("3"); code != 409 {
		t.Errorf("its own, altered, is answered %d", code)
	}
}

func TestAnAlteredReplayIsRefused(t *testing.T) {
	f := newFixture(t, Config{GitHub: Secret{Secret: "hub"}}, nil)
	hook := func(id, version, delivery string) int {
		body := `{"action":"created","repository":{"name":"cart","full_name":"shop/cart"},"deployment":{"id":` + id + `,"ref":"` + version + `","environment":"production"}}`
		code, _ := f.send("POST", "/hooks/github", body, "X-GitHub-Event", "deployment", "X-GitHub-Delivery", delivery, "X-Hub-Signature-256", sign("hub", body))
		return code
	}
	for i, c := range []struct {
		id, version, delivery string
		want                  int
	}{
		{"1", "v1", "a", 200},
		{"1", "v1", "a", 200}, // redelivered
		{"2", "v1", "a", 409}, // the same delivery with another body
		{"1", "v1", "b", 200}, // replayed under another id: the same change
		{"1", "v2", "c", 409}, // the same deployment, of another version
	} {
		if got := hook(c.id, c.version, c.delivery); got != c.want {
			t.Errorf("hook %d is answered %d, want %d", i, got, c.want)
		}
	}
	if len(f.changes) != 1 {
		t.Errorf("%d changes", len(f.changes))
	}
}
