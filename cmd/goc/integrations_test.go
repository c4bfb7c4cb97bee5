package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const examples = "../../docs/examples/"

// gateYAML is a gate that denies frozen and makes slow wait.
const gateYAML = `
metrics: {sample_interval: 1h}
alertrules: {builtin: false}
gate:
  policies:
    - {name: frozen, expr: 'change.service == "frozen"', message: not now}
    - {name: slow, expr: 'change.service == "slow"', effect: wait, message: in a while}
`

// asked is what a job asks; the keys are flags without their dashes.
type asked map[string]string

// ran is what became of a job: its exit code, what it handed on, and what its log says.
type ran struct {
	code    int
	outputs map[string]string
	log     string
}

// ciRunner runs an integration as its CI would, in a workspace.
type ciRunner func(t *testing.T, workspace string, what asked) ran

// gocProgram is a file that is goc, as a runner would find it.
func gocProgram(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "goc")
	if err := os.WriteFile(path, []byte("#!/bin/sh\nGOC_TEST_AS_GOC=1 exec '"+self+"' \"$@\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// runScript runs a shell with nothing in its environment but what is given and what every machine has.
func runScript(t *testing.T, dir string, env map[string]string, name string, args ...string) (int, string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TZ=UTC", "GIT_CONFIG_NOSYSTEM=1"}
	for k, v := range env {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	err := cmd.Run()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		t.Fatalf("%s: %v", name, err)
	}
	return cmd.ProcessState.ExitCode(), log.String()
}

func readExample(t *testing.T, name string, into any) string {
	t.Helper()
	text, err := os.ReadFile(examples + name)
	if err == nil && into != nil {
		err = yaml.Unmarshal(text, into)
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// githubAction is as much of an action's file as a runner needs.
type githubAction struct {
	Inputs map[string]struct {
		Default  string
		Required bool
	}
	Outputs map[string]struct{ Value string }
	Runs    struct {
		Using string
		Steps []struct {
			ID, Shell, Run string
			Env            map[string]string
		}
	}
}

var expression = regexp.MustCompile(`\$\{\{ *([a-z0-9_.-]+) *\}\}`)

// expand replaces expressions as GitHub does; one that nothing is known of is a mistake here.
func expand(t *testing.T, text, prefix string, values map[string]string) string {
	return expression.ReplaceAllStringFunc(text, func(e string) string {
		name, ok := strings.CutPrefix(expression.FindStringSubmatch(e)[1], prefix)
		if v, known := values[name]; ok && known {
			return v
		}
		t.Errorf("%s is not known", e)
		return ""
	})
}

func onGitHub(t *testing.T, workspace string, what asked) ran {
	var action githubAction
	readExample(t, "github-action/action.yml", &action)
	inputs := map[string]string{}
	for name, in := range action.Inputs {
		inputs[name] = in.Default
		if _, given := what[name]; in.Required && !given {
			t.Fatalf("input %s is required", name)
		}
	}
	for name, v := range what {
		if _, known := inputs[name]; !known {
			t.Fatalf("there is no input %s", name)
		}
		inputs[name] = v
	}
	step := action.Runs.Steps[0]
	if action.Runs.Using != "composite" || len(action.Runs.Steps) != 1 || step.Shell != "bash" || strings.Contains(step.Run, "${{") {
		t.Fatalf("this is not the action that this test runs: %+v", action.Runs)
	}
	temp := t.TempDir()
	env := map[string]string{"GITHUB_ACTIONS": "true", "RUNNER_TEMP": temp, "GITHUB_OUTPUT": temp + "/output", "GITHUB_STEP_SUMMARY": temp + "/summary.md"}
	for name, v := range step.Env {
		env[name] = expand(t, v, "inputs.", inputs)
	}
	script := filepath.Join(temp, "step.sh")
	if err := os.WriteFile(script, []byte(step.Run), 0o644); err != nil {
		t.Fatal(err)
	}
	code, log := runScript(t, workspace, env, "bash", "--noprofile", "--norc", "-eo", "pipefail", script)
	set := githubOutputs(t, temp+"/output")
	outputs := map[string]string{}
	for name, o := range action.Outputs {
		if _, known := set[strings.TrimPrefix(expression.FindStringSubmatch(o.Value)[1], "steps.gate.outputs.")]; known {
			outputs[name] = expand(t, o.Value, "steps."+step.ID+".outputs.", set)
		}
	}
	if summary, _ := os.ReadFile(temp + "/summary.md"); outputs["decision"] != "" && !bytes.Contains(summary, []byte("### Change gate: ")) {
		t.Errorf("the step's summary is %s", summary)
	}
	return ran{code, outputs, log}
}

// githubOutputs reads $GITHUB_OUTPUT: name=value, and name<<word … word.
func githubOutputs(t *testing.T, path string) map[string]string {
	text, _ := os.ReadFile(path)
	out := map[string]string{}
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	for i := 0; i < len(lines) && lines[i] != ""; i++ {
		if name, word, ok := strings.Cut(lines[i], "<<"); ok && !strings.Contains(name, "=") {
			var value []string
			for i++; i < len(lines) && lines[i] != word; i++ {
				value = append(value, lines[i])
			}
			out[name] = strings.Join(value, "\n")
			continue
		}
		name, value, ok := strings.Cut(lines[i], "=")
		if !ok {
			t.Errorf("GitHub would refuse the output %q", lines[i])
		}
		out[name] = value
	}
	return out
}

// gitlabJob is as much of a job as a runner needs.
type gitlabJob struct {
	Variables map[string]string
	Script    []string
	Artifacts struct {
		When    string
		Reports struct{ Dotenv string }
	}
}

func onGitLab(t *testing.T, workspace string, what asked) ran {
	var file map[string]gitlabJob
	readExample(t, "gitlab/goc-gate.yml", &file)
	job := file[".goc-gate"]
	env := map[string]string{"CI_PROJECT_DIR": workspace, "CI_PROJECT_NAME": "cart", "CI_PROJECT_ID": "7", "CI_COMMIT_SHORT_SHA": "5d1e0f9b"}
	maps.Copy(env, job.Variables)
	for name, v := range what {
		key := strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
		if name == "command" || name == "goc" || name == "download" || name == "sha256" {
			key = "GATE_" + key
		} else {
			key = "GOC_" + key
		}
		env[key] = v
	}
	for name, v := range env {
		env[name] = os.Expand(v, func(n string) string { return env[n] })
	}
	code, log := runScript(t, workspace, env, "bash", "-c", "set -eo pipefail\n"+strings.Join(job.Script, "\n"))
	outputs := map[string]string{}
	text, _ := os.ReadFile(filepath.Join(workspace, job.Artifacts.Reports.Dotenv))
	for line := range strings.Lines(string(text)) {
		name, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		if !ok || !regexp.MustCompile(`^[A-Z_]+$`).MatchString(name) {
			t.Errorf("GitLab would refuse the line %q", line)
		}
		outputs[strings.ToLower(strings.TrimPrefix(name, "GOC_"))] = value
	}
	if job.Artifacts.When != "always" {
		t.Error("a denial would hand on nothing")
	}
	return ran{code, outputs, log}
}

var (
	groovyName   = regexp.MustCompile(`(\w+): '(G[A-Z]+_[A-Z_]+)'`)
	groovyScript = regexp.MustCompile(`(?s)script: '''(.*?)'''`)
)

// onJenkins runs the step's shell with the variables that its table of names gives. What is Groovy around it is not run.
func onJenkins(t *testing.T, workspace string, what asked) ran {
	text := readExample(t, "jenkins/vars/gocGate.groovy", nil)
	script := groovyScript.FindStringSubmatch(text)
	env := map[string]string{}
	for _, m := range groovyName.FindAllStringSubmatch(text, -1) {
		for name, v := range what {
			if words := strings.Split(name, "-"); camel(words) == m[1] {
				env[m[2]] = v
			}
		}
	}
	if script == nil || len(env) != len(what) {
		t.Fatalf("the step does not take all of %v, only %v", what, env)
	}
	path := filepath.Join(t.TempDir(), "script.sh")
	if err := os.WriteFile(path, []byte(script[1]), 0o644); err != nil {
		t.Fatal(err)
	}
	code, log := runScript(t, workspace, env, "sh", "-xe", path)
	return ran{code, nil, log}
}

func camel(words []string) string {
	for i := 1; i < len(words); i++ {
		words[i] = strings.ToUpper(words[i][:1]) + words[i][1:]
	}
	return strings.Join(words, "")
}

func TestEachIntegrationDoesWhatTheGateSays(t *testing.T) {
	t.Parallel()
	goc := gocProgram(t)
	for name, runner := range map[string]ciRunner{"GitHub": onGitHub, "GitLab": onGitLab, "Jenkins": onJenkins} {
		t.Run(name, func(t *testing.T) {
			config, listen := serveYAML(t, gateYAML)
			server := serve(t, config, listen)
			workspace := t.TempDir()
			cache := filepath.Join(workspace, "cache")
			say := func(what asked, code int, decision, log string) {
				t.Helper()
				q := asked{"server": server.url, "goc": goc, "retry-for": "0s", "cache-dir": cache, "command": "check"}
				maps.Copy(q, what)
				got := runner(t, workspace, q)
				if got.code != code || !strings.Contains(got.log, log) {
					t.Errorf("%v: exit code %d, want %d; the log says\n%s", what, got.code, code, got.log)
				}
				if got.outputs != nil && (got.outputs["decision"] != decision || got.outputs["unavailable"] != fmt.Sprint(strings.Contains(log, "DECISION"))) {
					t.Errorf("%v: outputs %v", what, got.outputs)
				}
			}
			say(asked{"service": "cart", "version": "1.2"}, exitOK, "allow", "allow  DEC-")
			say(asked{"service": "frozen", "version": "1.2"}, exitFailed, "deny", "not now")
			say(asked{"service": "slow", "version": "1.2"}, exitFailed, "wait", "in a while")
			say(asked{"service": "slow", "command": "wait", "timeout": "100ms"}, exitTimeout, "wait", "still told to wait after 100ms")
			say(asked{"service": `$(touch stolen)"; touch stolen; "`}, exitOK, "allow", "allow  DEC-")
			if _, err := os.Stat(filepath.Join(workspace, "stolen")); err == nil {
				t.Error("a service's name was run")
			}
			server.kill()
			say(asked{"service": "cart", "version": "1.2"}, exitUnavailable, "deny", "DENIED WITHOUT A DECISION: the default for production")
			say(asked{"service": "cart", "version": "1.2", "environment": "staging"}, exitOK, "allow", "ALLOWED WITHOUT A DECISION: the default outside")
			say(asked{"service": "cart", "version": "1.2", "on-unavailable": "last-known"}, exitOK, "allow", "USING THE LAST KNOWN DECISION")
			say(asked{"service": "frozen", "version": "1.2", "on-unavailable": "last-known"}, exitFailed, "deny", "USING THE LAST KNOWN DECISION")
			say(asked{"service": "frozen", "rollback": "true", "on-unavailable": "deny"}, exitOK, "allow", "ALLOWED WITHOUT A DECISION: a rollback")
		})
	}
}

func TestABinaryThatIsFetchedMustBeTheOneThatWasMeant(t *testing.T) {
	t.Parallel()
	program, err := os.ReadFile(gocProgram(t))
	if err != nil {
		t.Fatal(err)
	}
	files := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(program) }))
	defer files.Close()
	config, listen := serveYAML(t, gateYAML)
	server := serve(t, config, listen)
	for name, runner := range map[string]ciRunner{"GitHub": onGitHub, "GitLab": onGitLab} {
		q := asked{"server": server.url, "service": "cart", "download": files.URL + "/goc", "sha256": fmt.Sprintf("%x", sha256.Sum256(program))}
		if got := runner(t, t.TempDir(), q); got.code != exitOK || got.outputs["decision"] != "allow" {
			t.Errorf("%s: exit code %d, %v:\n%s", name, got.code, got.outputs, got.log)
		}
		q["sha256"] = strings.Repeat("0", 64)
		if got := runner(t, t.TempDir(), q); got.code != exitUsage || !strings.Contains(got.log, "the binary is not the one of") {
			t.Errorf("%s runs another binary: exit code %d:\n%s", name, got.code, got.log)
		}
		q["sha256"] = ""
		if got := runner(t, t.TempDir(), q); got.code == exitOK {
			t.Errorf("%s runs a binary without a checksum", name)
		}
	}
}

func TestTheActionFailsTheJobOnlyWhereItIsMeantTo(t *testing.T) {
	t.Parallel()
	config, listen := serveYAML(t, gateYAML)
	server := serve(t, config, listen)
	got := onGitHub(t, t.TempDir(), asked{"server": server.url, "goc": gocProgram(t), "service": "frozen", "fail": "false"})
	if got.code != 0 || got.outputs["decision"] != "deny" || got.outputs["exit_code"] != "1" || !strings.Contains(got.outputs["reasons"], "deny policy:frozen: not now") {
		t.Errorf("exit code %d, %v:\n%s", got.code, got.outputs, got.log)
	}
	if got := onGitHub(t, t.TempDir(), asked{"server": server.url, "goc": gocProgram(t), "command": "override"}); got.code != exitUsage {
		t.Errorf("any command is run: %d\n%s", got.code, got.log)
	}
}

func TestThePagesNameEveryInput(t *testing.T) {
	var action githubAction
	readExample(t, "github-action/action.yml", &action)
	want := map[string][]string{}
	for name := range action.Inputs {
		want["github-action.md"] = append(want["github-action.md"], name)
	}
	for name := range action.Outputs {
		want["github-action.md"] = append(want["github-action.md"], name)
	}
	for _, m := range groovyName.FindAllStringSubmatch(readExample(t, "jenkins/vars/gocGate.groovy", nil), -1) {
		if m[1] != "variable" { // of the credential
			want["jenkins.md"] = append(want["jenkins.md"], m[1])
		}
	}
	for _, m := range regexp.MustCompile(`setting (\w+)`).FindAllStringSubmatch(readExample(t, "git-hook/pre-receive", nil), -1) {
		want["git-hook.md"] = append(want["git-hook.md"], "goc."+m[1])
	}
	for page, names := range want {
		text, err := os.ReadFile("../../docs/integrations/" + page)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if !strings.Contains(string(text), "`"+name+"`") {
				t.Errorf("docs/integrations/%s does not name `%s`", page, name)
			}
		}
	}
}
