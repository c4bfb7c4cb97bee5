package intake

import (
	"strings"
	"testing"
	"unicode/utf8"

	"goc/ops"
)

func TestAWindowWithALongNameIsKnownAgain(t *testing.T) {
	for name, id := range map[string]string{
		"the bound lies within a character": strings.Repeat("x", ops.MaxNameLength-1) + "双",
		"the bound lies behind a space":     strings.Repeat("x", ops.MaxNameLength-1) + " y",
		"a space in front":                  " 11.11",
	} {
		t.Run(name, func(t *testing.T) {
			var c cdEvent
			c.Subject.ID = text(id)
			if got := windowName(&c); !utf8.ValidString(got) || got != strings.TrimSpace(got) || len(got) > ops.MaxNameLength || got == "" {
				t.Errorf("named %q", got)
			}
		})
	}
}
