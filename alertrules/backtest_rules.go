package alertrules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/rules"
)

// indicatorMetric is the one metric of a recording, under its live name.
const indicatorMetric = "goc_indicator"

// choose says which rules can be evaluated: those that ask for nothing but indicators, and for what such rules record.
// The others are listed as skipped.
func (b *Backtest) choose(groups map[string]*rules.Group) map[rules.Rule]bool {
	var all []rules.Rule
	for _, key := range sortedGroups(groups) {
		all = append(all, groups[key].Rules()...)
	}
	known := map[rules.Rule]bool{}
	names := map[string]bool{indicatorMetric: true}
	for more := true; more; { // until no further rule can be evaluated
		more = false
		for _, r := range all {
			if known[r] || missing(r, names) != "" {
				continue
			}
			known[r], more = true, true
			switch r := r.(type) {
			case *rules.RecordingRule:
				names[r.Name()] = true
			case *rules.AlertingRule:
				names["ALERTS"], names["ALERTS_FOR_STATE"] = true, true
				r.SetRestored(true) // or the first evaluations would write no ALERTS
				for _, i := range indicatorsOf(r) {
					b.asks[i] = append(b.asks[i], r.Name())
				}
			}
		}
	}
	for _, r := range all {
		if known[r] {
			continue
		}
		_, alert := r.(*rules.AlertingRule)
		b.skipped = append(b.skipped, SkippedRule{Rule: r.Name(), Alert: alert, Why: "it asks for " + missing(r, names) + ", which a recording does not have"})
	}
	return known
}

// missing is the first metric that a rule asks for and that is not there, "" when all are.
func missing(r rules.Rule, names map[string]bool) (what string) {
	parser.Inspect(r.Query(), func(n parser.Node, _ []parser.Node) error {
		v, ok := n.(*parser.VectorSelector)
		if !ok || what != "" {
			return nil
		}
		name := nameOf(v)
		switch {
		case name == "":
			what = "metrics without naming one"
		case !names[name]:
			what = name
		}
		return nil
	})
	return what
}

// nameOf is the metric that a selector names exactly, "" when it does not.
func nameOf(v *parser.VectorSelector) string {
	for _, m := range v.LabelMatchers {
		if m.Name == "__name__" && m.Type == labels.MatchEqual {
			return m.Value
		}
	}
	return v.Name
}

// indicatorsOf lists the indicators that a rule asks for by name.
func indicatorsOf(r rules.Rule) (out []string) {
	parser.Inspect(r.Query(), func(n parser.Node, _ []parser.Node) error {
		v, ok := n.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		for _, m := range v.LabelMatchers {
			if m.Name == "indicator" && m.Type == labels.MatchEqual && !slices.Contains(out, m.Value) {
				out = append(out, m.Value)
			}
		}
		return nil
	})
	return out
}

// Skipped lists the rules that were left out, and those that asked for an indicator of which the history has nothing.
// It is complete after the last Append.
func (b *Backtest) Skipped() []SkippedRule {
	out := slices.Clone(b.skipped)
	var indicators []string
	for i := range b.asks {
		if !b.seen[i] {
			indicators = append(indicators, i)
		}
	}
	slices.Sort(indicators)
	for _, i := range indicators {
		names := slices.Compact(slices.Sorted(slices.Values(b.asks[i])))
		out = append(out, SkippedRule{Rule: strings.Join(names, ", "), Why: fmt.Sprintf("it asks for the indicator %s, of which the history has no sample", i)})
	}
	return out
}

// Evaluates says whether alerts of that name are made here.
func (b *Backtest) Evaluates(alertname string) bool {
	for _, s := range b.skipped {
		if s.Alert && s.Rule == alertname {
			return false
		}
	}
	return true
}
