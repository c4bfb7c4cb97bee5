package alertrules_test

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"goc/alertrules"
)

func TestShippedRulesDoWhatTheirTestsSay(t *testing.T) {
	rules := alertrules.Shipped()
	if len(rules) == 0 {
		t.Fatal("no rules ship")
	}
	for _, name := range rules {
		file := filepath.Join("rules", strings.TrimSuffix(strings.TrimPrefix(name, "goc:"), ".yml")+"_test.yml")
		t.Run(filepath.Base(file), func(t *testing.T) {
			var out bytes.Buffer
			if err := alertrules.Test([]string{file}, &out); err != nil {
				t.Errorf("%v\n%s", err, out.String())
			}
		})
	}
}
