package intake

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"goc/ops"
)

func TestPostedAlertsGetTheirMissingTimes(t *testing.T) {
	at := func(d time.Duration) ops.Time { return ops.At(start.Add(d)) }
	for name, c := range map[string]struct {
		times        string
		starts, ends ops.Time
		status       ops.AlertStatus
	}{
		"none":                 {``, at(0), at(5 * time.Minute), ops.Firing},
		"a start":              {`,"startsAt":"2026-11-20T07:00:00Z"`, at(-time.Hour), at(5 * time.Minute), ops.Firing},
		"an end ahead":         {`,"endsAt":"2026-11-20T09:00:00Z"`, at(0), at(time.Hour), ops.Firing},
		"an end in the past":   {`,"endsAt":"2026-11-20T07:00:00Z"`, at(-time.Hour), at(-time.Hour), ops.Resolved},
		"Go's zero for an end": {`,"startsAt":"0001-01-01T00:00:00.000Z","endsAt":"0001-01-01T00:00:00.000Z"`, at(0), at(5 * time.Minute), ops.Firing},
	} {
		alerts, _, rejected, err := parseAlerts([]byte(`[{"labels":{"alertname":"x","empty":""}`+c.times+`}]`), start, 5*time.Minute)
		if err != nil || rejected != nil || len(alerts) != 1 {
			t.Fatal(name, rejected, err)
		}
		a := alerts[0]
		if !a.StartsAt.Equal(c.starts.Time) || !a.EndsAt.Equal(c.ends.Time) || a.Status != c.status || len(a.Labels) != 1 {
			t.Errorf("%s: %+v", name, a)
		}
	}
}

func TestGoodAlertsAreStoredEvenWhenOthersFail(t *testing.T) {
	f := newFixture(t, Config{}, nil)
	f.refuse = "refused"
	var many []string
	for i := range 10_000 {
		many = append(many, fmt.Sprintf(`"l%d":"v"`, i))
	}
	body := `[{"labels":{"alertname":"good"}},{"labels":{}},{"labels":{"alertname":"refused"}},{"labels":{"alertname":5}},{"labels":{` + strings.Join(many, ",") + `}},{"labels":{"alertname":"too"}}]`
	code, answer := f.send("POST", "/api/v2/alerts", body)
	var text string
	if err := json.Unmarshal([]byte(answer), &text); err != nil || code != 400 {
		t.Fatalf("%d %s", code, answer)
	}
	for _, place := range []string{"body[1].labels: ", "body[2]: refused by the room", "body[3].labels", "body[4].labels: "} {
		if !strings.Contains(text, place) {
			t.Errorf("the answer does not speak of %s: %s", place, text)
		}
	}
	if all, _ := f.Alerts(t.Context()); len(all) != 2 {
		t.Errorf("%d alerts were stored, want the 2 good ones", len(all))
	}
	if code, answer := f.send("POST", "/api/v2/alerts", `[{"labels":{"alertname":"good"}}]`); code != 200 || answer != "" {
		t.Errorf("a good batch is answered %d %q, want 200 and nothing", code, answer)
	}
}

func TestABodyThatIsNoAlertsIsAnsweredWithItsPlace(t *testing.T) {
	f := newFixture(t, Config{}, nil)
	for body, want := range map[string]string{
		`{`:                               "body: ",
		`{}`:                              "body: must be a JSON array of alerts",
		`[{"labels":{"a":"b"}},{"labels"`: "body[1]: ",
		``:                                "body: ",
	} {
		if code, answer := f.send("POST", "/api/v2/alerts", body); code != 400 || !strings.HasPrefix(answer, `"`+want) {
			t.Errorf("%q is answered %d %s", body, code, answer)
		}
	}
	if code, answer := f.send("POST", "/api/v2/alerts", "["+strings.Repeat(" ", MaxAlertsBody)); code != 413 {
		t.Errorf("a body over the bound is answered %d %s", code, answer)
	}
	if code, _ := f.send("POST", "/api/v2/alerts", "["+strings.Repeat(`{"labels":{"a":"b"}},`, ops.MaxAlertsBatch)+`{"labels":{"a":"b"}}]`); code != 413 {
		t.Errorf("10,001 alerts are answered %d", code)
	}
	f.fail = ops.Errorf(ops.Unavailable, "the journal has stopped")
	if code, _ := f.send("POST", "/api/v2/alerts", `[{"labels":{"a":"b"}}]`); code != 503 {
		t.Errorf("a room that cannot store is answered %d, want 503", code)
	}
}

func TestAlertsAreSelectedAsAlertmanagerDoes(t *testing.T) {
	f := newFixture(t, Config{}, nil)
	f.send("POST", "/api/v2/alerts", `[{"labels":{"alertname":"A","store":"SH-001"}},{"labels":{"alertname":"A","store":"SH-002"}},{"labels":{"alertname":"B"}}]`)
	f.send("POST", "/api/v2/silences", `{"matchers":[{"name":"store","value":"SH-002","isRegex":false}],"startsAt":"2026-11-20T08:00:00Z","endsAt":"2026-11-20T09:00:00Z","createdBy":"me","comment":"x"}`)
	for query, want := range map[string]int{
		"":                            3,
		"?filter=alertname%3D%22A%22": 2,
		"?filter=alertname=A&filter=store=SH-001":      1,
		"?filter=store%21%3D%22SH-001%22":              2,
		"?filter=store%3D~%22SH-.%2B%22":               2,
		"?filter=%7Balertname%3D%22A%22,store=~.*1%7D": 1,
		"?filter=store%3D%22%22":                       1,
		"?silenced=false":                              2,
		"?active=false":                                1,
		"?active=false&silenced=false":                 0,
		"?inhibited=false&unprocessed=false":           3,
		"?receiver=goc":                                3,
		"?receiver=go":                                 0,
		"?receiver=g.c":                                3,
	} {
		code, body := f.send("GET", "/api/v2/alerts"+query, "")
		var list []json.RawMessage
		if err := json.Unmarshal([]byte(body), &list); err != nil || code != 200 || len(list) != want {
			t.Errorf("%q selects %d alerts (%d %v), want %d", query, len(list), code, err, want)
		}
	}
	for _, query := range []string{"?filter=%7B", "?filter=a=~%22(%22", "?active=perhaps", "?receiver=("} {
		if code, body := f.send("GET", "/api/v2/alerts"+query, ""); code != 400 || body[0] != '"' {
			t.Errorf("%q is answered %d %s, want 400 and a JSON string", query, code, body)
		}
	}
}

func TestASilenceThatMayNotBeChangedIsReplaced(t *testing.T) {
	now := start
	f := newFixture(t, Config{}, func() time.Time { return now })
	post := func(body string) (int, string) {
		code, answer := f.send("POST", "/api/v2/silences", body)
		var got struct{ SilenceID string }
		json.Unmarshal([]byte(answer), &got)
		return code, got.SilenceID
	}
	silence := func(id, value, ends string) string {
		return `{"id":"` + id + `","matchers":[{"name":"a","value":"` + value + `","isRegex":false}],"startsAt":"2026-11-20T08:00:00Z","endsAt":"` + ends + `","createdBy":"me","comment":"x"}`
	}
	_, first := post(silence("", "b", "2026-11-20T09:00:00Z"))
	now = now.Add(time.Minute)
	if _, id := post(silence(first, "b", "2026-11-20T10:00:00Z")); id != first {
		t.Errorf("a longer end made a new silence %s", id)
	}
	_, second := post(silence(first, "c", "2026-11-20T10:00:00Z"))
	if second == first || stateOf(f.silences[first], now) != "expired" || stateOf(f.silences[second], now) != "active" {
		t.Errorf("other matchers: %s is %s, %s is %s", first, stateOf(f.silences[first], now), second, stateOf(f.silences[second], now))
	}
	if code, _ := post(silence("00000000-0000-4000-8000-000000000999", "b", "2026-11-20T10:00:00Z")); code != 404 {
		t.Errorf("an unknown id is answered %d", code)
	}
	for name, body := range map[string]string{
		"matches everything": `{"matchers":[{"name":"a","value":".*","isRegex":true}],"endsAt":"2026-11-20T10:00:00Z"}`,
		"ends in the past":   `{"matchers":[{"name":"a","value":"b","isRegex":false}],"startsAt":"2026-11-20T06:00:00Z","endsAt":"2026-11-20T07:00:00Z"}`,
		"no matchers":        `{"matchers":[],"endsAt":"2026-11-20T10:00:00Z"}`,
		"no expression":      `{"matchers":[{"name":"a","value":"(","isRegex":true}],"endsAt":"2026-11-20T10:00:00Z"}`,
		"no JSON":            `{`,
	} {
		if code, _ := post(body); code != 400 {
			t.Errorf("a silence that %s is answered %d", name, code)
		}
	}
	for path, want := range map[string]int{"/api/v2/silence/" + second: 200, "/api/v2/silence/nope": 404} {
		if code, _ := f.send("GET", path, ""); code != want {
			t.Errorf("GET %s is answered %d", path, code)
		}
		for range 2 { // twice: what is over is over
			if code, _ := f.send("DELETE", path, ""); code != want {
				t.Errorf("DELETE %s is answered %d", path, code)
			}
		}
	}
	for query, want := range map[string]int{"": 2, "?active=false": 2, "?expired=false": 0, "?filter=a=b": 1, "?filter=a%21=b": 1} {
		_, body := f.send("GET", "/api/v2/silences"+query, "")
		var list []json.RawMessage
		if json.Unmarshal([]byte(body), &list); len(list) != want {
			t.Errorf("%q selects %d silences, want %d", query, len(list), want)
		}
	}
}

// schemas are the definitions of Alertmanager's own OpenAPI document.
type schemas struct{ definitions map[string]any }

func (s schemas) check(t *testing.T, place string, schema map[string]any, v any) {
	t.Helper()
	if ref, ok := schema["$ref"].(string); ok {
		schema = s.definitions[ref[strings.LastIndexByte(ref, '/')+1:]].(map[string]any)
	}
	for _, part := range list(schema["allOf"]) {
		s.check(t, place, part.(map[string]any), v)
	}
	if enum := list(schema["enum"]); enum != nil && !slices.Contains(enum, v) {
		t.Errorf("%s is %v, want one of %v", place, v, enum)
	}
	switch schema["type"] {
	case "object":
		o, ok := v.(map[string]any)
		if !ok {
			t.Errorf("%s is %T, want an object", place, v)
			return
		}
		for _, name := range list(schema["required"]) {
			if _, ok := o[name.(string)]; !ok {
				t.Errorf("%s lacks %s", place, name)
			}
		}
		props, _ := schema["properties"].(map[string]any)
		for name, value := range o {
			if p, ok := props[name].(map[string]any); ok {
				s.check(t, place+"."+name, p, value)
			} else if any, ok := schema["additionalProperties"].(map[string]any); ok {
				s.check(t, place+"."+name, any, value)
			}
		}
	case "array":
		items, ok := v.([]any)
		if !ok {
			t.Errorf("%s is %T, want an array", place, v)
		}
		for i, item := range items {
			s.check(t, fmt.Sprintf("%s[%d]", place, i), schema["items"].(map[string]any), item)
		}
	case "string":
		text, ok := v.(string)
		if _, err := time.Parse(time.RFC3339, text); !ok || schema["format"] == "date-time" && err != nil {
			t.Errorf("%s is %v, want a string %v", place, v, schema["format"])
		}
	case "boolean":
		if _, ok := v.(bool); !ok {
			t.Errorf("%s is %T, want a boolean", place, v)
		}
	}
}

func list(v any) []any { l, _ := v.([]any); return l }

func TestEveryAnswerIsWhatAlertmanagersDocumentSays(t *testing.T) {
	f := newFixture(t, Config{}, nil)
	f.send("POST", "/api/v2/alerts", `[{"labels":{"alertname":"A","store":"SH-001"},"generatorURL":"http://p/graph"},{"labels":{"alertname":"B"},"annotations":{"summary":"s"}}]`)
	_, answer := f.send("POST", "/api/v2/silences", `{"matchers":[{"name":"store","value":"SH-.*","isRegex":true}],"startsAt":"2026-11-20T08:00:00Z","endsAt":"2026-11-20T09:00:00Z","createdBy":"me","comment":"x"}`)
	var posted struct{ SilenceID string }
	json.Unmarshal([]byte(answer), &posted)
	var doc struct {
		Paths       map[string]map[string]any
		Definitions map[string]any
	}
	if err := yaml.Unmarshal(read(t, realworld(t, "alertmanager", "openapi.yaml")), &doc); err != nil {
		t.Fatal(err)
	}
	n := 0
	for path, ops := range doc.Paths {
		get, ok := ops["get"].(map[string]any)
		if !ok {
			continue
		}
		n++
		code, body := f.send("GET", "/api/v2"+strings.Replace(path, "{silenceID}", posted.SilenceID, 1), "")
		var v any
		if err := json.Unmarshal([]byte(body), &v); err != nil || code != 200 {
			t.Errorf("GET %s is answered %d %s", path, code, body)
			continue
		}
		if l, ok := v.([]any); ok && len(l) == 0 {
			t.Errorf("GET %s answers nothing to check", path)
		}
		schemas{doc.Definitions}.check(t, path, get["responses"].(map[string]any)["200"].(map[string]any)["schema"].(map[string]any), v)
	}
	if n != 6 {
		t.Errorf("%d paths were read, want 6", n)
	}
}

// amtool runs Alertmanager's own client.
func (f *fixture) amtool(args ...string) string {
	f.t.Helper()
	cmd := exec.Command("amtool", append(args, "--alertmanager.url="+f.url)...)
	cmd.Env = append(os.Environ(), "HOME="+f.t.TempDir())
	out, err := cmd.CombinedOutput()
	if err != nil {
		f.t.Fatalf("amtool %v: %v\n%s", args, err, out)
	}
	return string(out)
}

func TestAmtoolWorksUnchanged(t *testing.T) {
	if _, err := exec.LookPath("amtool"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("amtool must be installed in CI: package prometheus-alertmanager")
		}
		t.Skip("SKIPPED: amtool is not installed")
	}
	f := newFixture(t, Config{}, time.Now)
	f.amtool("alert", "add", "alertname=StoreDark", "store=SH-001", "severity=critical", "--annotation=summary=dark")
	f.amtool("alert", "add", "alertname=PayDown", "service=pay-gateway")
	if out := f.amtool("alert", "query"); !strings.Contains(out, "StoreDark") || !strings.Contains(out, "PayDown") {
		t.Errorf("alert query:\n%s", out)
	}
	if out := f.amtool("alert", "query", `store=~"SH-.*"`); !strings.Contains(out, "StoreDark") || strings.Contains(out, "PayDown") {
		t.Errorf("alert query with a matcher:\n%s", out)
	}
	id := strings.TrimSpace(f.amtool("silence", "add", "store=SH-001", "--comment=works on the link", "--duration=2h", "--author=li"))
	if !regexp.MustCompile(`^[0-9a-f-]{36}$`).MatchString(lastLine(id)) {
		t.Fatalf("silence add answered %q", id)
	}
	id = lastLine(id)
	if out := f.amtool("silence", "query"); !strings.Contains(out, id) || !strings.Contains(out, "works on the link") {
		t.Errorf("silence query:\n%s", out)
	}
	if out := f.amtool("alert", "query"); strings.Contains(out, "StoreDark") {
		t.Errorf("a silenced alert is shown:\n%s", out)
	}
	if out := f.amtool("alert", "query", "--silenced"); !strings.Contains(out, "StoreDark") {
		t.Errorf("alert query --silenced:\n%s", out)
	}
	f.amtool("silence", "update", "--duration=3h", "--comment=takes longer", id)
	if out := f.amtool("silence", "query", "-o", "extended"); !strings.Contains(out, "takes longer") {
		t.Errorf("silence query after update:\n%s", out)
	}
	f.amtool("silence", "expire", id)
	if out := f.amtool("silence", "query"); strings.Contains(out, id) {
		t.Errorf("an expired silence is shown:\n%s", out)
	}
	if out := f.amtool("alert", "query"); !strings.Contains(out, "StoreDark") {
		t.Errorf("after the silence expired:\n%s", out)
	}
	if out := f.amtool("config", "show"); !strings.Contains(out, "receiver: goc") {
		t.Errorf("config show:\n%s", out)
	}
	if out := f.amtool("config", "routes"); !strings.Contains(out, "goc") {
		t.Errorf("config routes:\n%s", out)
	}
	f.amtool("cluster", "show")
}

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return lines[len(lines)-1]
}
