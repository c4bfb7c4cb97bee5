package alertrules

import (
	"errors"
	"fmt"
	"strings"

	"github.com/prometheus/prometheus/model/rulefmt"
	"go.yaml.in/yaml/v3"
)

// outline is where groups and rules stand in a rule file.
type outline struct {
	Groups []struct {
		Name  yaml.Node   `yaml:"name"`
		Rules []yaml.Node `yaml:"rules"`
	} `yaml:"groups"`
}

// placed adds the line to an error of Prometheus' that has none: of a label or annotation, and of a group whose name is
// taken.
func placed(content []byte, err error) error {
	text := err.Error()
	unplaced := strings.HasPrefix(text, "0:0: ") || strings.HasPrefix(text, "group ")
	var o outline
	if !unplaced || yaml.Unmarshal(content, &o) != nil {
		return err
	}
	line := 0
	var rule *rulefmt.Error
	if errors.As(err, &rule) {
		line = o.rule(rule.Group, rule.Rule)
	} else {
		line = o.repeated()
	}
	if line == 0 {
		return err
	}
	return fmt.Errorf("%d: %s", line, strings.TrimPrefix(text, "0:0: "))
}

// rule is the line of a group's nth rule, counted from 1.
func (o outline) rule(group string, n int) int {
	for _, g := range o.Groups {
		if g.Name.Value == group && n >= 1 && n <= len(g.Rules) {
			return g.Rules[n-1].Line
		}
	}
	return 0
}

// repeated is the line of the first group that has no name, or that of another before it.
func (o outline) repeated() int {
	seen := map[string]bool{}
	for _, g := range o.Groups {
		if g.Name.Value == "" || seen[g.Name.Value] {
			return g.Name.Line
		}
		seen[g.Name.Value] = true
	}
	return 0
}
