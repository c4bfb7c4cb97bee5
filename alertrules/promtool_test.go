package alertrules_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"goc/alertrules"
)

// promtool finds Debian's own promtool. Where it is missing, the test is skipped, except in CI, where it must be there.
func promtool(t *testing.T) string {
	t.Helper()
	name, err := exec.LookPath("promtool")
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatal("promtool is not installed; apt install prometheus")
	}
	if err != nil {
		t.Skip("promtool is not installed (apt install prometheus): equality with it is not tested")
	}
	return name
}

// verdict is what both tools must agree on: whether the file passes, and which expectations do not hold.
type verdict struct {
	passed bool
	failed []string
}

var failure = regexp.MustCompile(`alertname: (\S+), time: (\w+)|expr: (".*"), time: (\w+)`)

func read(output string, passed bool) verdict {
	v := verdict{passed: passed}
	for _, m := range failure.FindAllStringSubmatch(output, -1) {
		v.failed = append(v.failed, strings.Join(m[1:], " "))
	}
	slices.Sort(v.failed)
	return v
}

func TestRuleTestsSayWhatPromtoolSays(t *testing.T) {
	tool := promtool(t)
	files, err := filepath.Glob("testdata/promtool/*_test.yml")
	if err != nil || len(files) < 8 {
		t.Fatalf("testdata/promtool has %d tests, %v", len(files), err)
	}
	failing := 0
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			var theirs, ours bytes.Buffer
			cmd := exec.Command(tool, "test", "rules", file)
			cmd.Stdout, cmd.Stderr = &theirs, &theirs
			var exit *exec.ExitError
			err := cmd.Run()
			if err != nil && !errors.As(err, &exit) {
				t.Fatal(err)
			}
			want := read(theirs.String(), err == nil)
			err = alertrules.Test([]string{file}, &ours)
			got := read(ours.String(), err == nil)
			if got.passed != want.passed || !slices.Equal(got.failed, want.failed) {
				t.Errorf("ours:\n%s\npromtool's:\n%s", ours.String(), theirs.String())
			}
			if !want.passed {
				failing++
			}
		})
	}
	if failing == 0 || failing == len(files) {
		t.Errorf("%d of %d files fail; the comparison needs both kinds", failing, len(files))
	}
}
