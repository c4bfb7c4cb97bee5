package alertrules_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"goc/alertrules"
	"goc/ops"
)

func TestAnErrorInARuleFileIsSaidWithItsPlace(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"an expression with a typo": {
			"groups:\n- name: g\n  rules:\n  - alert: Down\n    expr: up = = 0\n",
			[]string{"rules.yml", "5:", `group "g"`, "rule 1", `"Down"`, "parse error"},
		},
		"a misspelt key": {
			"groups:\n- name: g\n  rules:\n  - alert: Down\n    expr: up == 0\n    fro: 5m\n",
			[]string{"rules.yml", "line 6", "fro"},
		},
		"a group twice": {
			"groups:\n- {name: g, rules: []}\n- {name: g, rules: []}\n",
			[]string{"rules.yml", "3:", "repeated"},
		},
		"a rule that is neither alert nor record": {
			"groups:\n- name: g\n  rules: [{expr: up}]\n",
			[]string{"rules.yml", `group "g"`, "record", "alert"},
		},
		"a template that does not end": {
			"groups:\n- name: g\n  rules: [{alert: A, expr: up, annotations: {summary: '{{ $labels.x '}}]\n",
			[]string{"rules.yml", "3:", `group "g"`, "rule 1", `"A"`, "summary"},
		},
		"a duration that is none": {
			"groups:\n- name: g\n  rules: [{alert: A, expr: up, for: soon}]\n",
			[]string{"rules.yml", "duration"},
		},
		"no YAML at all": {"groups: [", []string{"rules.yml", "line 1"}},
		"an expression beyond all bounds": {
			"groups:\n- name: g\n  rules: [{alert: A, expr: '" + strings.Repeat("up + ", 4000) + "up'}]\n",
			[]string{"rules.yml", `group "g"`, "rule 1", "16384 bytes"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			errs := alertrules.Check([]string{writeFile(t, c.text)})
			if len(errs) == 0 {
				t.Fatal("nothing is said")
			}
			text := errors.Join(errs...).Error()
			for _, want := range c.want {
				if !strings.Contains(text, want) {
					t.Errorf("%q is not in: %s", want, text)
				}
			}
		})
	}
}

func TestAllErrorsOfAllFilesAreSaid(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a.yml", "b.yml"} {
		text := "groups:\n- name: g\n  rules: [{alert: A, expr: 'up =='}, {alert: B, expr: 'rate(up)'}]\n"
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	errs := alertrules.Check([]string{filepath.Join(dir, "*.yml")})
	text := errors.Join(errs...).Error()
	if strings.Count(text, "a.yml") != 2 || strings.Count(text, "b.yml") != 2 {
		t.Errorf("two errors in each of two files, said are: %s", text)
	}
	if errs := alertrules.Check([]string{filepath.Join(dir, "none-*.yml")}); len(errs) != 1 {
		t.Errorf("a pattern that names no file gives %v", errs)
	}
}

func TestReloadingABadFileLeavesTheOldRules(t *testing.T) {
	dir := t.TempDir()
	good := writeFile(t, "groups:\n- name: g\n  rules: [{alert: A, expr: up}]\n")
	bad := writeFile(t, "groups:\n- name: g\n  rules: [{alert: B, expr: 'up =='}]\n")
	synctest.Test(t, func(t *testing.T) {
		s := running(t, dir, alertrules.Options{Files: []string{good}, Builtin: true})
		before := len(s.Rules())
		if err := s.Reload([]string{bad}, true, 0); ops.KindOf(err) != ops.Invalid {
			t.Errorf("the bad file gives %v", err)
		}
		if after := len(s.Rules()); after != before || before < 5 {
			t.Errorf("%d groups before, %d after", before, after)
		}
		if err := s.Reload([]string{good}, false, 0); err != nil || len(s.Rules()) != 1 {
			t.Errorf("without the shipped rules there are %d groups, %v", len(s.Rules()), err)
		}
	})
}

// running starts rules over a store in dir; both are stopped at the end of the test.
func running(t *testing.T, dir string, o alertrules.Options) *alertrules.Service {
	t.Helper()
	db := openStore(t, dir)
	o.Engine = db
	if o.Notify == nil {
		o.Notify = func(context.Context, []ops.Alert) {}
	}
	s, err := alertrules.New(t.Context(), o)
	if err != nil {
		db.Close()
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := errors.Join(<-done, db.Close()); err != nil {
			t.Error(err)
		}
	})
	synctest.Wait()
	return s
}

// root is the repository's root folder, where go.mod is.
func root(t testing.TB) string {
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no go.mod above the working directory")
		}
		dir = filepath.Dir(dir)
	}
}

func realRules(t testing.TB) []string {
	folder := os.Getenv("GOC_REALWORLD")
	if folder == "" {
		folder = filepath.Join(root(t), "..", "shared", "realworld")
	}
	var files []string
	err := filepath.WalkDir(filepath.Join(folder, "rules"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && filepath.Ext(path) == ".yml" {
			files = append(files, path)
		}
		return err
	})
	if err != nil || len(files) == 0 {
		t.Skipf("SKIPPED: no rule files in %s; set GOC_REALWORLD to the folder with real-world data", folder)
	}
	return files
}

func TestRealRuleFilesLoadAndEvaluate(t *testing.T) {
	files := realRules(t)
	if len(files) != 64 {
		t.Errorf("there are %d files, expected 64", len(files))
	}
	if errs := alertrules.Check(files); len(errs) > 0 {
		t.Fatal(errors.Join(errs...))
	}
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := running(t, dir, alertrules.Options{Files: files})
		time.Sleep(time.Minute)
		evaluated := 0
		for _, g := range s.Rules() {
			for _, r := range g.Rules {
				a, ok := r.(alertrules.AlertingRule)
				if ok && a.Health != "ok" {
					t.Errorf("%s: %s is %s: %s", g.File, a.Name, a.Health, a.LastError)
				}
				evaluated++
			}
		}
		if evaluated < 500 {
			t.Errorf("only %d rules were evaluated", evaluated)
		}
		t.Logf("%d files, %d rules", len(files), evaluated)
	})
}

// FuzzCheck holds that no rule file breaks the checker, and that what it finds wrong it places in the file.
func FuzzCheck(f *testing.F) {
	f.Add("groups:\n- name: g\n  rules: [{alert: A, expr: up == 0, for: 5m, labels: {a: b}, annotations: {s: '{{ $value }}'}}]\n")
	f.Add("groups: [{name: a, interval: 1s, limit: 3, rules: [{record: 'a:b', expr: 'sum(up)'}]}]")
	f.Add("groups:\n- &a {name: g, rules: []}\n- *a\n")
	name := filepath.Join(f.TempDir(), "rules.yml")
	f.Fuzz(func(t *testing.T, text string) {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		for _, err := range alertrules.Check([]string{name}) {
			if !strings.HasPrefix(err.Error(), name+": ") {
				t.Errorf("no file is named in %q", err)
			}
		}
	})
}
