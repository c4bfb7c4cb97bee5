package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"

	"cel.dev/cel-go/cel"
	"go.yaml.in/yaml/v3"
	"k8s.io/client-go/util/jsonpath"
)

// webMetric is the provider and the conditions of the documented AnalysisTemplate.
type webMetric struct {
	SuccessCondition string `yaml:"successCondition"`
	FailureCondition string `yaml:"failureCondition"`
	Provider         struct {
		Web struct {
			Method, URL string
			JSONBody    map[string]any `yaml:"jsonBody"`
			JSONPath    string         `yaml:"jsonPath"`
		}
	}
}

// measure does what the controller of Argo Rollouts does: asks, takes the value by Kubernetes' JSONPath, and judges it.
func (m webMetric) measure(t *testing.T, url string) string {
	t.Helper()
	body, err := json.Marshal(m.Provider.Web.JSONBody)
	if err != nil {
		t.Fatal(err)
	}
	body = bytes.ReplaceAll(bytes.ReplaceAll(body, []byte("{{args.service}}"), []byte("pay-gateway")), []byte("{{args.version}}"), []byte("1.2.3"))
	_, path, _ := strings.Cut(strings.TrimPrefix(m.Provider.Web.URL, "https://"), "/")
	req, _ := http.NewRequestWithContext(t.Context(), m.Provider.Web.Method, url+"/"+path, bytes.NewReader(body))
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		return "Error"
	}
	var answer any
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	j := jsonpath.New("metrics")
	if err := j.Parse(m.Provider.Web.JSONPath); err != nil {
		t.Fatal(err)
	}
	found, err := j.FindResults(answer)
	if err != nil || len(found) != 1 || len(found[0]) != 1 {
		t.Fatalf("%s found %v, %v in %v", m.Provider.Web.JSONPath, found, err, answer)
	}
	return m.phase(t, found[0][0].Interface())
}

func (m webMetric) phase(t *testing.T, result any) string {
	holds := func(condition string) bool {
		env, err := cel.NewEnv(cel.Variable("result", cel.DynType))
		if err != nil {
			t.Fatal(err)
		}
		ast, issues := env.Compile(condition)
		if issues.Err() != nil {
			t.Fatal(issues.Err())
		}
		p, err := env.Program(ast)
		if err != nil {
			t.Fatal(err)
		}
		v, _, err := p.Eval(map[string]any{"result": result})
		return err == nil && v.Value() == true
	}
	switch {
	case holds(m.FailureCondition):
		return "Failed"
	case holds(m.SuccessCondition):
		return "Successful"
	}
	return "Inconclusive"
}

func TestTheDocumentedAnalysisTemplateUnderstandsEachDecision(t *testing.T) {
	text, err := os.ReadFile("../../docs/integrations/argo-rollouts.md")
	if err != nil {
		t.Fatal(err)
	}
	_, block, _ := strings.Cut(string(text), "```yaml\n")
	block, _, _ = strings.Cut(block, "```")
	var template struct{ Spec struct{ Metrics []webMetric } }
	if err := yaml.Unmarshal([]byte(block), &template); err != nil || len(template.Spec.Metrics) != 1 {
		t.Fatalf("%v %+v", err, template)
	}
	config, listen := serveYAML(t, quietYAML+`gate:
  policies:
    - {name: shut, kinds: [release], environments: [production], expr: 'change.version == "1.2.3" && change.risk == "high"'}
    - {name: later, kinds: [release], expr: 'change.risk == "low"', effect: wait}
`)
	p := serve(t, config, listen)
	for risk, want := range map[string]string{"medium": "Successful", "high": "Failed", "low": "Inconclusive"} {
		m := template.Spec.Metrics[0]
		m.Provider.Web.JSONBody["risk"] = risk
		if got := m.measure(t, p.url); got != want {
			t.Errorf("risk %s: the measurement is %s, want %s", risk, got, want)
		}
	}
}
