package metrics

import (
	"time"

	"github.com/prometheus/prometheus/promql/parser"

	"goc/ops"
)

// MaxSubquerySteps bounds how many times an expression's subqueries, one within another, are evaluated for each series of
// a whole query. Prometheus' engine looks at its time limit once a series only, so that one series must not take long.
const MaxSubquerySteps = 1_000_000

// checkSubqueries refuses an expression whose subqueries would be evaluated too often over so many steps. byDefault is the
// step of a subquery that names none. An expression that does not parse is the engine's to refuse.
func checkSubqueries(expr string, steps int64, byDefault time.Duration) error {
	parsed, err := exprParser.ParseExpr(expr)
	if err != nil {
		return nil
	}
	var refused error
	parser.Inspect(parsed, func(node parser.Node, path []parser.Node) error {
		if _, is := node.(*parser.SubqueryExpr); !is {
			return nil
		}
		total := max(1, steps)
		for _, n := range append(path[:len(path):len(path)], node) {
			sub, is := n.(*parser.SubqueryExpr)
			if !is {
				continue
			}
			step := sub.Step
			if step <= 0 {
				step = max(byDefault, time.Millisecond)
			}
			if total *= max(1, int64(sub.Range/step)); total > MaxSubquerySteps {
				refused = ops.Errorf(ops.Invalid, "its subqueries would be evaluated more than %d times for each series", MaxSubquerySteps).At("query").
					WithHint("use a longer step or a shorter range in […:…]")
				return refused
			}
		}
		return nil
	})
	return refused
}
