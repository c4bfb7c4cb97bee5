package web_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// eventName is how a literal that names an event reads.
var eventName = regexp.MustCompile(`^(alert|auth|change|drill|fleet|freeze|gate|hook|incident|run|silence|token|voice)\.[a-z_]+$`)

// noEvents are literals that read like an event's name and are places of the configuration or of a request.
var noEvents = []string{
	"auth.allowed_origins", "auth.anonymous", "auth.session_lifetime", "change.id", "gate.policies", "gate.signing_key", "incident.alert", "incident.alert_",
	"voice.max", "voice.topics",
}

// TestEveryEventHasItsSentenceInChinese holds what the program emits against the templates of the browser's Chinese.
func TestEveryEventHasItsSentenceInChinese(t *testing.T) {
	emitted := emittedEvents(t)
	if len(emitted) < 70 {
		t.Fatalf("only %d events were found in the sources", len(emitted))
	}
	text, err := os.ReadFile("ui/src/core/i18n/zh/events.ts")
	if err != nil {
		t.Fatal(err)
	}
	said := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^  '([a-z]+\.[a-z_]+)': `).FindAllStringSubmatch(string(text), -1) {
		said[m[1]] = true
	}
	for _, name := range slices.Sorted(maps.Keys(emitted)) {
		if !said[name] {
			t.Errorf("%s (%s) has no sentence in zh/events.ts", name, emitted[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(said)) {
		if emitted[name] == "" {
			t.Errorf("zh/events.ts has a sentence for %s, which nothing emits", name)
		}
	}
}

// emittedEvents reads the names of events from the program's sources, with a file that names each.
func emittedEvents(t *testing.T) map[string]string {
	out := map[string]string{}
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (slices.Contains([]string{"node_modules", "testdata", "world"}, d.Name()) || (len(d.Name()) > 2 && d.Name()[0] == '.')):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			for _, name := range namesIn(n) {
				if eventName.MatchString(name) && !slices.Contains(noEvents, name) {
					out[name] = path
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// namesIn are the literals of a node, and what the incident engine's method event makes of its own.
func namesIn(n ast.Node) []string {
	switch n := n.(type) {
	case *ast.BasicLit:
		return []string{literal(n)}
	case *ast.CallExpr:
		if f, ok := n.Fun.(*ast.SelectorExpr); ok && f.Sel.Name == "event" && len(n.Args) > 2 {
			return []string{"incident." + literal(n.Args[2])}
		}
	}
	return nil
}

// literal is the text of a string literal, "" when it is none.
func literal(e ast.Expr) string {
	l, ok := e.(*ast.BasicLit)
	if !ok || l.Kind != token.STRING {
		return ""
	}
	text, err := strconv.Unquote(l.Value)
	if err != nil {
		return ""
	}
	return text
}
