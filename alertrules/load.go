package alertrules

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"

	"goc/ops"
)

// shippedFiles are the rules that ship with the product, and their tests.
//
//go:embed rules/*.yml
var shippedFiles embed.FS

// shippedPrefix stands before the names of shipped files, so that they cannot be mistaken for a person's.
const shippedPrefix = "goc:"

// exprParser is Prometheus' PromQL without its experiments.
var exprParser = parser.NewParser(parser.Options{})

// Shipped lists the names of the rule files that ship with the product, as Check and the API show them.
func Shipped() []string {
	entries, err := fs.Glob(shippedFiles, "rules/*.yml")
	if err != nil {
		panic("alertrules: " + err.Error()) // the pattern is a constant
	}
	var out []string
	for _, e := range entries {
		if !strings.HasSuffix(e, "_test.yml") {
			out = append(out, shippedPrefix+path.Base(e))
		}
	}
	return out
}

// loader reads rule files for Prometheus' rules engine: a person's from the disk, the shipped ones from the program.
type loader struct{ log *slog.Logger }

// Load implements rules.GroupLoader.
func (l loader) Load(name string, ignoreUnknown bool, scheme model.ValidationScheme) (*rulefmt.RuleGroups, []error) {
	content, err := readRules(name)
	if err != nil {
		return nil, []error{err}
	}
	groups, errs := rulefmt.Parse(content, ignoreUnknown, scheme, exprParser, l.log)
	for i, e := range errs {
		errs[i] = fmt.Errorf("%s: %w", name, placed(content, e))
	}
	if len(errs) > 0 {
		return nil, errs
	}
	if err := withinBounds(name, groups); err != nil {
		return nil, []error{err}
	}
	return groups, nil
}

// Parse implements rules.GroupLoader.
func (loader) Parse(expr string) (parser.Expr, error) { return exprParser.ParseExpr(expr) }

func readRules(name string) ([]byte, error) {
	if shipped, ok := strings.CutPrefix(name, shippedPrefix); ok {
		return shippedFiles.ReadFile("rules/" + shipped)
	}
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if info.IsDir() || info.Size() > MaxFileSize {
		return nil, ops.Errorf(ops.Invalid, "%s: a rule file must be a file of at most %d MiB", name, MaxFileSize>>20)
	}
	return os.ReadFile(name)
}

func withinBounds(name string, groups *rulefmt.RuleGroups) error {
	if len(groups.Groups) > MaxGroups {
		return ops.Errorf(ops.Invalid, "%s: at most %d groups", name, MaxGroups)
	}
	for _, g := range groups.Groups {
		if len(g.Rules) > MaxRules {
			return ops.Errorf(ops.Invalid, "%s: group %q: at most %d rules", name, g.Name, MaxRules)
		}
		for i, r := range g.Rules {
			if len(r.Expr) > MaxExprLength {
				return ops.Errorf(ops.Invalid, "%s: group %q, rule %d: an expression may have at most %d bytes", name, g.Name, i+1, MaxExprLength)
			}
		}
	}
	return nil
}

// expand lists the files that the patterns name, each once, sorted. A pattern without any special sign must name a
// file that exists; one that names none otherwise is an error too, since it is most likely misspelt.
func expand(patterns []string) ([]string, error) {
	var out []string
	var errs []error
	for _, p := range patterns {
		files, err := filepath.Glob(p)
		if err == nil && len(files) == 0 {
			err = ops.Errorf(ops.NotFound, "no rule file matches %s", p).At("alertrules.files")
		}
		errs = append(errs, err)
		out = append(out, files...)
	}
	slices.Sort(out)
	out = slices.Compact(out)
	if len(out) > MaxFiles {
		errs = append(errs, ops.Errorf(ops.Invalid, "at most %d rule files", MaxFiles).At("alertrules.files"))
	}
	return out, errors.Join(errs...)
}
