package metrics

import (
	"strings"
	"sync"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
)

// maxKnown is how many expressions are remembered. Rules ask the same few hundred every second.
const maxKnown = 5_000

// ours remembers of expressions whether every series that they name is one that this process makes and keeps itself.
type ours struct {
	mu    sync.Mutex
	known map[string]bool
}

// only says whether expr names series of ours and no others. Two things follow: the shipped rules and charts work over
// a remote store that does not scrape us, and looking back for the last sample can be short.
func (o *ours) only(expr string) bool {
	o.mu.Lock()
	answer, known := o.known[expr]
	o.mu.Unlock()
	if known {
		return answer
	}
	answer = namesOnlyOurs(expr)
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.known) >= maxKnown || o.known == nil {
		o.known = map[string]bool{}
	}
	o.known[expr] = answer
	return answer
}

func namesOnlyOurs(expr string) bool {
	parsed, err := exprParser.ParseExpr(expr)
	if err != nil {
		return false
	}
	selectors, only := 0, true
	parser.Inspect(parsed, func(n parser.Node, _ []parser.Node) error {
		if v, ok := n.(*parser.VectorSelector); ok {
			selectors++
			only = only && ourName(v)
		}
		return nil
	})
	return only && selectors > 0
}

func ourName(v *parser.VectorSelector) bool {
	for _, m := range v.LabelMatchers {
		if m.Name == model.MetricNameLabel && m.Type == labels.MatchEqual {
			return strings.HasPrefix(m.Value, "goc_") || strings.HasPrefix(m.Value, "goc:") ||
				m.Value == "ALERTS" || m.Value == "ALERTS_FOR_STATE"
		}
	}
	return false
}

// lookback is how far back the last sample of a series may be. Prometheus' five minutes are for targets that are
// scraped seldom; our own series have a sample at every tick, and are marked when they end. Four ticks, and at least a
// minute, spare the engine from going through hundreds of samples of each series to find the last. ALERTS has a sample
// as often as its rule is evaluated, which a person may have made seldom.
func lookback(expr string, sampleInterval time.Duration) promql.QueryOpts {
	if strings.Contains(expr, "ALERTS") {
		return nil
	}
	return promql.NewPrometheusQueryOpts(false, min(max(time.Minute, 4*sampleInterval), 5*time.Minute))
}
