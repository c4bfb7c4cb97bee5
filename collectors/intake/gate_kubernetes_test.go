package intake

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"cel.dev/cel-go/cel"
	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"goc/ops"
)

// deployment is an object as a cluster sends it.
func deployment(annotations map[string]any, image string, replicas int) map[string]any {
	return map[string]any{
		"apiVersion": "apps/v1", "kind": "Deployment",
		"metadata": map[string]any{"name": "pay-gateway", "namespace": "shop", "labels": map[string]any{"app": "pay"}, "annotations": annotations, "managedFields": []any{map[string]any{"manager": "kubectl"}}},
		"spec":     map[string]any{"replicas": replicas, "template": map[string]any{"spec": map[string]any{"containers": []any{map[string]any{"name": "app", "image": image}}}}},
	}
}

// review is an AdmissionReview as the API server of Kubernetes 1.34 sends it.
func review(change func(request map[string]any)) map[string]any {
	request := map[string]any{
		"uid":  "705ab4f5-6393-11e8-b7cc-42010a800002",
		"kind": map[string]any{"group": "apps", "version": "v1", "kind": "Deployment"}, "resource": map[string]any{"group": "apps", "version": "v1", "resource": "deployments"},
		"requestKind": map[string]any{"group": "apps", "version": "v1", "kind": "Deployment"}, "name": "pay-gateway", "namespace": "shop", "operation": "UPDATE",
		"userInfo": map[string]any{"username": "wang", "uid": "1", "groups": []any{"system:authenticated"}, "extra": map[string]any{"k": []any{"v"}}},
		"object":   deployment(nil, "registry:5000/pay:1.2.3", 2), "oldObject": deployment(nil, "registry:5000/pay:1.2.2", 2), "dryRun": false,
		"options": map[string]any{"kind": "UpdateOptions"},
	}
	change(request)
	return map[string]any{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}
}

// admit asks as an API server does: an answer that is not 200, not of the version that it sent or not of its uid is
// an error, and then failurePolicy decides.
func (g *gated) admit(path string, change func(map[string]any)) (admissionResponse, error) {
	g.t.Helper()
	r := review(change)
	body, err := json.Marshal(r)
	if err != nil {
		g.t.Fatal(err)
	}
	code, answer := g.send("POST", path, string(body))
	if code != 200 {
		return admissionResponse{}, errors.New(answer)
	}
	var a admissionAnswer
	if err := json.Unmarshal([]byte(answer), &a); err != nil {
		return admissionResponse{}, err
	}
	if a.APIVersion != r["apiVersion"] || a.Kind != "AdmissionReview" || a.Response.UID != r["request"].(map[string]any)["uid"] {
		return admissionResponse{}, errors.New("expected response.uid and the same version, received " + answer)
	}
	return a.Response, nil
}

func TestAClusterIsAllowedOrDeniedWithReasons(t *testing.T) {
	g := newGated(t, Config{})
	const path = "/hooks/kubernetes/admission"
	g.gate.says(ops.EffectAllow, ops.Reason{Rule: "catalog", Effect: ops.EffectAllow, Message: strings.Repeat("not listed ", 40)})
	a, err := g.admit(path, func(map[string]any) {})
	if err != nil || !a.Allowed || a.Status != nil || len(a.Warnings) != 1 || len(a.Warnings[0]) > 256 || a.Audit["decision_id"] != "DEC-1" {
		t.Errorf("an allow is answered %+v, %v", a, err)
	}
	for _, c := range []struct{ decision, message string }{
		{ops.EffectDeny, "goc: denied: freeze: the peak is closed until 14:00"},
		{ops.EffectWait, "goc: wait: freeze: the peak is closed until 14:00; ask again in 1m30s"},
	} {
		g.gate.says(c.decision, ops.Reason{Rule: "freeze", Effect: c.decision, Message: "the peak is closed until 14:00"})
		a, err := g.admit(path, func(map[string]any) {})
		if err != nil || a.Allowed || a.Status == nil || a.Status.Code != 403 || a.Status.Message != c.message {
			t.Errorf("%s is answered %+v %+v, %v", c.decision, a, a.Status, err)
		}
	}
	g.gate.fail = ops.Errorf(ops.Unavailable, "the disk is full")
	if a, err := g.admit(path, func(map[string]any) {}); err == nil {
		t.Errorf("a gate that cannot decide answers %+v: failurePolicy has no say", a)
	}
	g.gate.fail = ops.Errorf(ops.Conflict, "CHG-1 is on record with another version")
	if a, err := g.admit(path, func(map[string]any) {}); err != nil || a.Allowed {
		t.Errorf("an object that contradicts its change is answered %+v, %v", a, err)
	}
}

func TestWhatAnObjectSaysBecomesTheQuestion(t *testing.T) {
	g := newGated(t, Config{})
	if _, err := g.admit("/hooks/kubernetes/admission", func(map[string]any) {}); err != nil {
		t.Fatal(err)
	}
	want := ops.Change{Kind: "release", Source: "kubernetes", Author: "wang", Title: "Deployment shop/pay-gateway", Service: "pay", Version: "1.2.3", Environment: "production", Labels: map[string]string{"namespace": "shop"}}
	if diff := cmp.Diff(want, *g.gate.last().Change); diff != "" {
		t.Errorf("the question differs (-want +got):\n%s", diff)
	}
	said := map[string]any{"goc/service": "pay-core", "goc/version": "9", "goc/environment": "staging", "goc/risk": "high", "goc/store": "SH-1", "goc/change": "CHG-7", "goc/rollback": "9"}
	if _, err := g.admit("/hooks/kubernetes/admission", func(r map[string]any) { r["object"] = deployment(said, "pay@sha256:ab", 2) }); err != nil {
		t.Fatal(err)
	}
	q := g.gate.last()
	if c := q.Change; q.ChangeID != "CHG-7" || !q.Rollback || c.Service != "pay-core" || c.Version != "9" || c.Environment != "staging" || c.Risk != "high" || c.Scope.Store[0] != "SH-1" {
		t.Errorf("annotations became %+v %+v", q, q.Change)
	}
	said["goc/version"] = "10"
	if _, err := g.admit("/hooks/kubernetes/admission", func(r map[string]any) { r["object"] = deployment(said, "pay@sha256:cd", 2) }); err != nil || g.gate.last().Rollback {
		t.Errorf("a rollback's annotation that was left standing lets the next version through: %+v, %v", g.gate.last(), err)
	}
}

func TestTheConfiguredEnvironmentWinsOverWhatAnObjectSays(t *testing.T) {
	staging := map[string]any{"goc/environment": "staging"}
	for _, c := range []struct {
		configured string
		said       map[string]any
		want       string
	}{
		{"production", staging, "production"}, // or an annotation would be a way past the gate
		{"", staging, "staging"},
		{"", nil, "production"},
		{"test", nil, "test"},
	} {
		g := newGated(t, Config{Kubernetes: KubernetesConfig{Environment: c.configured}})
		_, err := g.admit("/hooks/kubernetes/admission", func(r map[string]any) { r["object"] = deployment(c.said, "pay:1", 2) })
		if got := g.gate.last().Change.Environment; err != nil || got != c.want {
			t.Errorf("configured %q, the object says %v: asked for %q, want %q; %v", c.configured, c.said, got, c.want, err)
		}
		g.flaggerCall("rollout", `"environment":"staging"`)
		if got := g.gate.last().Change.Environment; c.said != nil && got != c.want {
			t.Errorf("configured %q, the canary says staging: asked for %q, want %q", c.configured, got, c.want)
		}
	}
}

func TestWhatIsNoChangePassesUnasked(t *testing.T) {
	g := newGated(t, Config{Kubernetes: KubernetesConfig{Exempt: []string{"goc"}}})
	g.gate.says(ops.EffectDeny)
	for name, change := range map[string]func(map[string]any){
		"a namespace of Kubernetes' own":  func(r map[string]any) { r["namespace"] = "kube-system" },
		"a namespace that is exempt":      func(r map[string]any) { r["namespace"] = "goc" },
		"a deletion":                      func(r map[string]any) { r["operation"], r["object"] = "DELETE", nil },
		"scaling by the subresource":      func(r map[string]any) { r["subResource"] = "scale" },
		"scaling by the number in itself": func(r map[string]any) { r["oldObject"] = deployment(nil, "registry:5000/pay:1.2.3", 7) },
		"a label": func(r map[string]any) {
			r["oldObject"] = deployment(map[string]any{"x": "y"}, "registry:5000/pay:1.2.3", 2)
		},
	} {
		if a, err := g.admit("/hooks/kubernetes/admission", change); err != nil || !a.Allowed || len(g.gate.asked) > 0 {
			t.Errorf("%s: %+v, %v; the gate was asked %d times", name, a, err, len(g.gate.asked))
		}
	}
	if a, err := g.admit("/hooks/kubernetes/admission", func(r map[string]any) { r["operation"] = "CREATE"; delete(r, "oldObject") }); err != nil || a.Allowed {
		t.Errorf("a new object passes a gate that denies: %+v, %v", a, err)
	}
	for name, edit := range map[string]func(spec map[string]any){
		"a strategy":                 func(s map[string]any) { s["strategy"] = map[string]any{"type": "Recreate"} },
		"a selector beside template": func(s map[string]any) { s["selector"] = map[string]any{"app": "other"} },
		"a strategy while scaling":   func(s map[string]any) { s["replicas"], s["strategy"] = 9, map[string]any{"type": "Recreate"} },
	} {
		a, err := g.admit("/hooks/kubernetes/admission", func(r map[string]any) {
			object := deployment(nil, "registry:5000/pay:1.2.3", 2)
			edit(object["spec"].(map[string]any))
			r["object"], r["oldObject"] = object, deployment(nil, "registry:5000/pay:1.2.3", 2)
		})
		if err != nil || a.Allowed {
			t.Errorf("%s is changed past a gate that denies: %+v, %v", name, a, err)
		}
	}
	job := func(n int) map[string]any {
		return map[string]any{"metadata": map[string]any{"name": "j"}, "spec": map[string]any{"parallelism": n, "template": map[string]any{}}}
	}
	if a, err := g.admit("/hooks/kubernetes/admission", func(r map[string]any) { r["object"], r["oldObject"] = job(1), job(4) }); err != nil || !a.Allowed {
		t.Errorf("a job of more at once is no change: %+v, %v", a, err)
	}
	data := func(v string) map[string]any {
		return map[string]any{"metadata": map[string]any{"name": "c"}, "data": map[string]any{"k": v}}
	}
	if a, err := g.admit("/hooks/kubernetes/admission", func(r map[string]any) { r["object"], r["oldObject"] = data("a"), data("b") }); err != nil || a.Allowed {
		t.Errorf("new data passes a gate that denies: %+v, %v", a, err)
	}
}

func TestADryRunIsAnsweredAndNotRecorded(t *testing.T) {
	g := newGated(t, Config{})
	g.gate.says(ops.EffectDeny, ops.Reason{Rule: "freeze", Effect: ops.EffectDeny, Message: "closed"})
	a, err := g.admit("/hooks/kubernetes/admission", func(r map[string]any) { r["dryRun"] = true })
	if err != nil || a.Allowed || len(g.gate.asked) != 0 || g.gate.considered != 1 {
		t.Errorf("%+v, %v; recorded %d, considered %d", a, err, len(g.gate.asked), g.gate.considered)
	}
}

func TestABadReviewIsRefusedWithThePlace(t *testing.T) {
	g := newGated(t, Config{})
	for body, place := range map[string]string{
		`{`: "body", `[]`: "body", `{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1beta1"}`: "body.apiVersion", `{"kind":"Pod"}`: "body.kind",
		`{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{}}`:                         "body.request.uid",
		`{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"1","object":"pod"}}`: "body.request.object",
	} {
		code, answer := g.send("POST", "/hooks/kubernetes/admission", body)
		if code != 400 || !strings.Contains(answer, `"`+place+`"`) {
			t.Errorf("%s is answered %d %s", body, code, answer)
		}
	}
}

func TestTheKeyInThePathIsChecked(t *testing.T) {
	g := newGated(t, Config{Kubernetes: KubernetesConfig{Secret: Secret{Secret: "k3y"}}})
	if a, err := g.admit("/hooks/kubernetes/admission/k3y", func(map[string]any) {}); err != nil || !a.Allowed {
		t.Errorf("the right key is answered %+v, %v", a, err)
	}
	if code, _ := g.send("POST", "/hooks/kubernetes/admission/guess", "{}"); code != 401 || g.book.lines("hook.refused") != 1 {
		t.Errorf("a wrong key is answered %d with %d audit lines", code, g.book.lines("hook.refused"))
	}
}

// frozen fills a gate with a freeze of tier T0 now, one of all tomorrow, one elsewhere, and one that exempts releases.
func frozen(g *doorman) {
	at := func(h int) ops.Time { return ops.At(start.Add(time.Duration(h) * time.Hour)) }
	g.freezes = []ops.Freeze{
		{ID: "FRZ-1", Scope: ops.Scope{Tier: []string{"T0"}}},
		{ID: "FRZ-2"},
		{ID: "FRZ-3", Scope: ops.Scope{City: []string{"北京"}}},
		{ID: "FRZ-4", Exempt: ops.FreezeExempt{Kinds: []ops.ChangeKind{"release"}}},
	}
	g.spans = []ops.FreezeSpan{
		{FreezeID: "FRZ-1", Name: "evening \"peak\"\n", From: at(-1), To: at(1)},
		{FreezeID: "FRZ-3", Name: "Beijing", From: at(-1), To: at(1)},
		{FreezeID: "FRZ-4", Name: "prices", From: at(-1), To: at(1)},
		{FreezeID: "FRZ-2", Name: "double twelve", From: at(24), To: at(48)},
	}
}

func TestFreezesAreExportedAsAConfigMap(t *testing.T) {
	g := newGated(t, Config{})
	frozen(g.gate)
	code, text := g.send("GET", "/api/v1/freezes/configmap?city=上海&namespace=ops", "")
	var m kubeConfigMap
	if err := yaml.Unmarshal([]byte(text), &m); code != 200 || err != nil {
		t.Fatalf("%d %v %s", code, err, text)
	}
	want := kubeConfigMap{
		APIVersion: "v1", Kind: "ConfigMap", Metadata: kubeMetadata{Name: "goc-freezes", Namespace: "ops", Annotations: map[string]string{"goc/exported-at": "2026-11-20T08:00:00.000Z"}},
		Data: map[string]string{
			"calendar": calendarOf(), "closed": ",pay,", "names": "evening  peak  ; ", "until": number(start.AddDate(0, 0, 14)),
		},
	}
	if diff := cmp.Diff(want, m); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, asJSON := g.send("GET", "/api/v1/freezes/configmap?format=json&city=上海&namespace=ops", ""); json.Unmarshal([]byte(asJSON), &m) != nil || !cmp.Equal(want, m) {
		t.Errorf("as JSON: %s", asJSON)
	}
	for query, place := range map[string]string{"days=0": "query.days", "days=x": "query.days", "nam=x": "query.nam", "namespace=A": "query.namespace", "name=-": "query.name"} {
		if code, body := g.send("GET", "/api/v1/freezes/configmap?"+query, ""); code != 400 || !strings.Contains(body, place) {
			t.Errorf("%s is answered %d %s", query, code, body)
		}
	}
}

// number is a time as seconds of the epoch.
func number(at time.Time) string { return strconv.FormatInt(at.Unix(), 10) }

func calendarOf() string {
	h := func(n int) string { return number(start.Add(time.Duration(n) * time.Hour)) }
	return h(-1) + " " + h(1) + " pay evening  peak  \n" + h(24) + " " + h(48) + " * double twelve\n"
}

// manifests are the YAML documents of the page, by kind.
func manifests(t *testing.T) map[string]map[string]any {
	t.Helper()
	out := map[string]map[string]any{}
	for _, block := range strings.Split(string(read(t, "../../docs/integrations/kubernetes.md")), "```yaml\n")[1:] {
		text, _, _ := strings.Cut(block, "```")
		for _, doc := range strings.Split(text, "---\n") {
			var m map[string]any
			if err := yaml.Unmarshal([]byte(doc), &m); err != nil {
				t.Fatalf("%v in %s", err, doc)
			}
			out[m["kind"].(string)] = m
		}
	}
	return out
}

// judge evaluates the page's ValidatingAdmissionPolicy as Kubernetes does: the variables in order, then the validations.
func judge(t *testing.T, policy map[string]any, in map[string]any) (allowed bool, message string) {
	t.Helper()
	env, err := cel.NewEnv(cel.Variable("object", cel.DynType), cel.Variable("oldObject", cel.DynType), cel.Variable("request", cel.DynType), cel.Variable("params", cel.DynType), cel.Variable("variables", cel.DynType))
	if err != nil {
		t.Fatal(err)
	}
	eval := func(expr string) any {
		ast, issues := env.Compile(expr)
		if issues.Err() != nil {
			t.Fatalf("%s: %v", expr, issues.Err())
		}
		p, err := env.Program(ast)
		if err != nil {
			t.Fatal(err)
		}
		v, _, err := p.Eval(in)
		if err != nil {
			t.Fatalf("%s: %v", expr, err)
		}
		return v.Value()
	}
	spec := policy["spec"].(map[string]any)
	variables := map[string]any{}
	in["variables"] = variables
	for _, v := range spec["variables"].([]any) {
		v := v.(map[string]any)
		variables[v["name"].(string)] = eval(v["expression"].(string))
	}
	rule := spec["validations"].([]any)[0].(map[string]any)
	return eval(rule["expression"].(string)).(bool), eval(rule["messageExpression"].(string)).(string)
}

func TestTheDocumentedPolicyHoldsAClusterToTheFreezes(t *testing.T) {
	policy := manifests(t)["ValidatingAdmissionPolicy"]
	before, after := deployment(map[string]any{"a": "b"}, "pay:1", 2), deployment(map[string]any{"a": "b"}, "pay:2", 2)
	back := deployment(map[string]any{"goc/version": "1", "goc/rollback": "1"}, "pay:1", 2)
	for _, c := range []struct {
		name, closed string
		old, object  map[string]any
		want         bool
	}{
		{"open", ",", before, after, true},
		{"all is closed", ",*,", before, after, false},
		{"its service is closed", ",web,pay,", before, after, false},
		{"another service, whose name contains its name, is closed", ",prepay,", before, after, true},
		{"scaling while all is closed", ",*,", after, deployment(nil, "pay:2", 9), true},
		{"a rollback while all is closed", ",*,", after, back, true},
	} {
		allowed, message := judge(t, policy, map[string]any{
			"object": c.object, "oldObject": c.old, "request": map[string]any{"operation": "UPDATE"}, "params": map[string]any{"data": map[string]any{"closed": c.closed, "names": "peak; "}},
		})
		if allowed != c.want || message != "goc: frozen: peak; " {
			t.Errorf("%s: allowed %v, %q", c.name, allowed, message)
		}
	}
}

// TestTheDocumentedJobKeepsFreezesWithoutTheGate runs the page's script with a curl that finds no gate and a kubectl that
// holds the ConfigMap of yesterday.
func TestTheDocumentedJobKeepsFreezesWithoutTheGate(t *testing.T) {
	g := newGated(t, Config{})
	frozen(g.gate)
	_, text := g.send("GET", "/api/v1/freezes/configmap?format=json&city=上海", "")
	var m kubeConfigMap
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		t.Fatal(err)
	}
	job := manifests(t)["CronJob"]
	script := job["spec"].(map[string]any)["jobTemplate"].(map[string]any)["spec"].(map[string]any)["template"].(map[string]any)["spec"].(map[string]any)["containers"].([]any)[0].(map[string]any)["args"].([]any)[0].(string)
	dir := t.TempDir()
	for name, body := range map[string]string{
		"curl": "exit 7", "kubectl": `case "$*" in *jsonpath*) cat "$DIR/calendar";; *patch*) printf '%s' "$9" >"$DIR/patch"; [ $# = 9 ] || exit 3;; *) exit 4;; esac`, "date": `echo "$NOW"`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+body+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "calendar"), []byte(m.Data["calendar"]), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, closed, names string
		at                  time.Time
	}{
		{"now", ",pay,", "evening peak; ", start},
		{"between the freezes", ",", "", start.Add(2 * time.Hour)},
		{"a freeze that began while the gate was down", ",*,", "double twelve; ", start.Add(30 * time.Hour)},
	} {
		cmd := exec.CommandContext(t.Context(), "sh", "-c", script)
		cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "DIR="+dir, "GOC=http://gate", "TOKEN=t", "NOW="+number(c.at), "TMPDIR="+dir)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v %s", c.name, err, out)
		}
		var p struct{ Data map[string]string }
		if err := json.Unmarshal(read(t, filepath.Join(dir, "patch")), &p); err != nil || p.Data["closed"] != c.closed || p.Data["names"] != c.names {
			t.Errorf("%s: %v %q", c.name, err, p.Data)
		}
	}
}

func FuzzAdmission(f *testing.F) {
	body, _ := json.Marshal(review(func(map[string]any) {}))
	f.Add(body)
	f.Add([]byte(`{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"1","operation":"CREATE","object":{"spec":{"template":[1]},"metadata":{"labels":null}}}}`))
	s := &Service{}
	f.Fuzz(func(t *testing.T, body []byte) {
		q, err := parseAdmission(body)
		if err != nil {
			return
		}
		if q.UID == "" {
			t.Fatal("a review without a uid")
		}
		if s.uninteresting(q) == "" && q.question("production").Change.Kind == "" {
			t.Fatal("a change without a kind")
		}
	})
}
