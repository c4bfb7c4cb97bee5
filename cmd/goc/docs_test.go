package main

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"goc/ops"
)

// sharedShapes are the types that stand in several places of the configuration; each has a heading of its own.
var sharedShapes = map[reflect.Type]string{
	reflect.TypeFor[ops.Scope](): "scope", reflect.TypeFor[ops.Step](): "step", reflect.TypeFor[ops.Check](): "check",
}

// configKeys lists every key of the configuration under the heading of its section, as paths below it.
func configKeys() map[string][]string {
	out := map[string][]string{}
	for f := range reflect.TypeFor[config]().Fields() {
		section, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if section == "" {
			continue
		}
		if elem(f.Type).Kind() != reflect.Struct {
			out["top"] = append(out["top"], section)
			continue
		}
		out[section] = keysBelow(f.Type, "")
	}
	for t, heading := range sharedShapes {
		out[heading] = keysBelow(t, "")
	}
	return out
}

func elem(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	return t
}

// keysBelow lists the leaves: services[].calls, environments.*.required.
func keysBelow(t reflect.Type, prefix string) (out []string) {
	for f := range elem(t).Fields() {
		name, opts, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if opts == "inline" {
			out = append(out, keysBelow(f.Type, prefix)...)
			continue
		}
		if name == "" || name == "-" || !f.IsExported() {
			continue
		}
		path := prefix + name
		kind := f.Type.Kind()
		if kind == reflect.Slice {
			path += "[]"
		} else if kind == reflect.Map && elem(f.Type).Kind() == reflect.Struct {
			path += ".*"
		}
		of := elem(f.Type)
		_, shared := sharedShapes[of]
		if of.Kind() != reflect.Struct || shared || len(keysBelow(of, "")) == 0 || of.PkgPath() == "go.yaml.in/yaml/v3" {
			out = append(out, strings.TrimSuffix(path, "[]"))
			continue
		}
		out = append(out, keysBelow(of, path+".")...)
	}
	return out
}

var (
	docHeading = regexp.MustCompile("^## `?([a-z_]+)`?")
	docRow     = regexp.MustCompile("^\\| (`[^|]+`) \\|")
	docKey     = regexp.MustCompile("`([^`]+)`")
)

func TestTheDocumentListsEveryKeyOfTheConfigurationAndNoOther(t *testing.T) {
	text, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	documented, section := map[string][]string{}, ""
	for line := range strings.Lines(string(text)) {
		if m := docHeading.FindStringSubmatch(line); m != nil {
			section = m[1]
		}
		if m := docRow.FindStringSubmatch(line); m != nil {
			for _, key := range docKey.FindAllStringSubmatch(m[1], -1) {
				documented[section] = append(documented[section], key[1])
			}
		}
	}
	keys := configKeys()
	for section, want := range keys {
		for _, key := range want {
			if !slices.Contains(documented[section], key) {
				t.Errorf("docs/configuration.md, section %s, has no row for `%s`", section, key)
			}
		}
		for _, key := range documented[section] {
			if !slices.Contains(want, key) {
				t.Errorf("docs/configuration.md, section %s, documents `%s`, which the configuration does not have", section, key)
			}
		}
	}
}

func TestTheExamplesLoad(t *testing.T) {
	for name, value := range map[string]string{"SLACK_TOKEN": "xoxb-example", "SLACK_SIGNING_SECRET": "example", "WEBHOOK_SECRET": "example"} {
		t.Setenv(name, value)
	}
	files, err := filepath.Glob("../../docs/examples/goc*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	for _, file := range files {
		var out, errs strings.Builder
		if code := run(t.Context(), []string{"config", "check", file}, &out, &errs); code != exitOK {
			t.Errorf("%s: exit code %d: %s", file, code, &errs)
		}
	}
}

func TestTheDocumentShowsEveryCommand(t *testing.T) {
	text, err := os.ReadFile("../../docs/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	parser, err := kong.New(&cli{}, kong.Name("goc"))
	if err != nil {
		t.Fatal(err)
	}
	leaves := parser.Model.Leaves(true)
	if len(leaves) < 40 {
		t.Errorf("only %d commands: is this all?", len(leaves))
	}
	for _, leaf := range leaves {
		command := "goc"
		for _, part := range strings.Fields(leaf.Path()) {
			if !strings.HasPrefix(part, "<") && part != "goc" {
				command += " " + part
			}
		}
		if !strings.Contains(string(text), command) {
			t.Errorf("docs/cli.md does not show `%s`", command)
		}
	}
}
