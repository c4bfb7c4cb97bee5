package ops_test

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
)

// floors says on which floor each room stands. A room may import rooms below it and its own subfolders, never a sibling.
var floors = map[string]int{
	"ops":                1,
	"collectors/metrics": 2, "collectors/fleet": 2, "collectors/intake": 2, "collectors/voice": 2,
	"alertrules": 2, "incidents": 2, "changes": 2, "plans": 2, "drills": 2, "chatops": 2, "web": 2, "storage": 2, "world": 2,
	"cmd/goc": 3,
}

// prometheus are the rooms that may import Prometheus' own packages.
var prometheus = map[string]bool{"collectors/metrics": true, "alertrules": true}

type listed struct {
	ImportPath                         string
	Imports, TestImports, XTestImports []string
}

// room is the room that a package belongs to: itself, or the longest room that its path lies under.
func room(path string) string {
	best := ""
	for r := range floors {
		if (path == r || strings.HasPrefix(path, r+"/")) && len(r) > len(best) {
			best = r
		}
	}
	return best
}

func TestRoomsImportOnlyWhatStandsBelowThem(t *testing.T) {
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports,TestImports,XTestImports", "goc/...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	seen := 0
	for dec := json.NewDecoder(strings.NewReader(string(out))); dec.More(); {
		var p listed
		if err := dec.Decode(&p); err != nil {
			t.Fatal(err)
		}
		seen++
		from := room(strings.TrimPrefix(p.ImportPath, "goc/"))
		if from == "" {
			t.Errorf("%s belongs to no room: put it into one, or draw the new room into ARCHITECTURE.md and this test", p.ImportPath)
			continue
		}
		for _, imp := range append(append(p.Imports, p.TestImports...), p.XTestImports...) {
			checkArrow(t, p.ImportPath, from, imp)
		}
	}
	if seen < len(floors) {
		t.Errorf("saw %d packages, fewer than there are rooms (%d)", seen, len(floors))
	}
}

func checkArrow(t *testing.T, pkg, from, imp string) {
	t.Helper()
	if strings.HasPrefix(imp, "github.com/prometheus/prometheus/") && !prometheus[from] {
		t.Errorf("%s imports %s: only collectors/metrics and alertrules may", pkg, imp)
	}
	if !strings.HasPrefix(imp, "goc/") {
		return
	}
	to := room(strings.TrimPrefix(imp, "goc/"))
	if to != from && floors[to] >= floors[from] {
		t.Errorf("%s imports %s: floor %d may not look at floor %d", pkg, imp, floors[from], floors[to])
	}
}
