package web_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"goc/ops"
)

var update = flag.Bool("update", false, "write the golden files anew")

type document struct {
	OpenAPI    string
	Info       struct{ Title, Version string }
	Paths      map[string]map[string]operation
	Components struct{ Schemas map[string]json.RawMessage }
}

type operation struct {
	OperationID string `json:"operationId"`
	Summary     string
	Parameters  []struct {
		Name, In string
		Required bool
	}
	Responses map[string]json.RawMessage
	Security  []map[string][]string
	Roles     []string `json:"x-roles"`
}

func readDocument(t *testing.T, w *world) (document, []byte) {
	t.Helper()
	a := w.must(200, w.do("", "GET", "/openapi.json", ""))
	var d document
	if err := json.Unmarshal(a.body, &d); err != nil {
		t.Fatal(err)
	}
	return d, a.body
}

func TestTheDocumentListsEveryOperationWithItsRoles(t *testing.T) {
	d, _ := readDocument(t, newWorld(t))
	var lines []string
	for path, ops := range d.Paths {
		for method, op := range ops {
			roles := strings.Join(op.Roles, " ")
			if op.Roles == nil {
				roles = "public"
			}
			lines = append(lines, fmt.Sprintf("%-7s %-55s %s", strings.ToUpper(method), path, roles))
		}
	}
	slices.SortFunc(lines, func(a, b string) int { return strings.Compare(a[8:]+a, b[8:]+b) })
	got := strings.Join(lines, "\n") + "\n"
	const golden = "testdata/operations.txt"
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("the operations differ from %s (-want +got); if that is meant: go test ./web -update\n%s", golden, diff)
	}
}

func TestTheDocumentIsWhole(t *testing.T) {
	d, raw := readDocument(t, newWorld(t))
	if d.OpenAPI != "3.1.0" || d.Info.Title == "" || d.Info.Version != "test" {
		t.Errorf("the head: %q %+v", d.OpenAPI, d.Info)
	}
	for _, ref := range regexp.MustCompile(`"\$ref":"([^"]*)"`).FindAllStringSubmatch(string(raw), -1) {
		name, ok := strings.CutPrefix(ref[1], "#/components/schemas/")
		if _, there := d.Components.Schemas[name]; !ok || !there {
			t.Errorf("%s leads nowhere", ref[1])
		}
	}
	for name := range d.Components.Schemas {
		if strings.HasPrefix(name, "Error") {
			t.Errorf("the schema %s is never sent", name)
		}
	}
	seen := map[string]string{}
	for path, ops := range d.Paths {
		for method, op := range ops {
			place := method + " " + path
			if seen[op.OperationID] != "" || op.OperationID == "" {
				t.Errorf("%s and %s have the operationId %q", place, seen[op.OperationID], op.OperationID)
			}
			seen[op.OperationID] = place
			if op.Summary == "" || len(op.Responses) == 0 || op.Security == nil {
				t.Errorf("%s lacks a summary, answer or who may", place)
			}
			checkPathParams(t, place, path, op)
		}
	}
	if strings.Contains(string(raw), "$schema") {
		t.Error("$schema stands in the document")
	}
}

func checkPathParams(t *testing.T, place, path string, op operation) {
	t.Helper()
	for _, m := range regexp.MustCompile(`\{([^}]*)\}`).FindAllStringSubmatch(path, -1) {
		declared := false
		for _, p := range op.Parameters {
			declared = declared || (p.Name == m[1] && p.In == "path" && p.Required)
		}
		if !declared {
			t.Errorf("%s does not declare its parameter %s", place, m[1])
		}
	}
}

// Every operation is asked by every role: it is refused with 403 exactly when the document does not name the role, and
// without a token with 401 exactly when it is not public.
func TestEveryRoleMayDoExactlyWhatTheDocumentSays(t *testing.T) {
	w := newWorld(t)
	w.put(ops.Incident{ID: "x"})
	d, _ := readDocument(t, w)
	for path, ops2 := range d.Paths {
		for method, op := range ops2 {
			url := regexp.MustCompile(`\{[^}]*\}`).ReplaceAllString(path, "x")
			body := ""
			if method == "post" {
				body = "{}"
			}
			anonymous := w.do("", strings.ToUpper(method), url, body)
			if public := op.Roles == nil; public == (anonymous.StatusCode == http.StatusUnauthorized) && path != "/api/v1/session" {
				t.Errorf("%s %s without a token: %d, public is %v", method, path, anonymous.StatusCode, public)
			}
			for _, role := range ops.Roles {
				if op.Roles == nil {
					continue
				}
				got := w.do(role, strings.ToUpper(method), url, body).StatusCode
				if may := slices.Contains(op.Roles, string(role)); may == (got == http.StatusForbidden) {
					t.Errorf("%s %s as %s: %d, may is %v", method, path, role, got, may)
				}
			}
		}
	}
}
