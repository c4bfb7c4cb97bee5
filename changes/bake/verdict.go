package bake

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"goc/ops"
)

// Verdict says whether what went out is well, from what was seen of each indicator. An indicator that has treated and
// untreated units is judged by comparing them at the same time, another by its own rhythm. One unhealthy indicator
// makes the bake unhealthy; without it, one that is healthy makes it healthy; otherwise too little was seen. Reasons
// stand worst first.
func Verdict(k Bake, seen []Evidence, now time.Time) Outcome {
	out := Outcome{ChangeID: k.ChangeID, Stage: k.Stage, At: now, Verdict: ops.NoData}
	findings := make([]finding, len(seen))
	for i, e := range seen {
		findings[i] = judge(e, len(seen))
	}
	slices.SortStableFunc(findings, func(a, b finding) int {
		return cmp.Or(cmp.Compare(gravity[a.verdict], gravity[b.verdict]), cmp.Compare(b.score, a.score))
	})
	for _, f := range findings {
		out.Reasons = append(out.Reasons, ops.Reason{Rule: f.indicator, Effect: effects[f.verdict], Message: f.text})
	}
	if len(findings) == 0 {
		out.Reasons = []ops.Reason{{Rule: "no_data", Effect: ops.EffectWait, Message: "no indicator was seen where it went"}}
		return out
	}
	out.Verdict, out.Score = findings[0].verdict, round(findings[0].score)
	out.Certain = findings[0].certain
	return out
}

// gravity orders verdicts, the one that decides first.
var gravity = map[ops.Verdict]int{ops.Unhealthy: 0, ops.Healthy: 1, ops.NoData: 2}

var effects = map[ops.Verdict]string{ops.Unhealthy: ops.EffectDeny, ops.Healthy: ops.EffectAllow, ops.NoData: ops.EffectWait}

// finding is what one indicator says.
type finding struct {
	indicator string
	verdict   ops.Verdict
	score     float64
	text      string
	certain   bool // more samples cannot make it healthy again, or hardly
}

// judge says what one indicator of `among` shows.
func judge(e Evidence, among int) finding {
	f := weigh(e, among)
	f.indicator = e.Indicator
	return f
}

func weigh(e Evidence, among int) finding {
	name := e.Indicator
	if e.Service != "" {
		name += " of " + e.Service
	}
	if len(e.Treated) > 0 && len(e.Untreated) > 0 {
		c, ok := compare(e)
		if !ok {
			return finding{verdict: ops.NoData, text: fmt.Sprintf("%s: fewer than %d samples where it went, or elsewhere", name, minSamples)}
		}
		return c.finding(name, e.Direction, among)
	}
	d, ok := e.rhythm().scan(sign(e.Direction), among)
	if !ok {
		return finding{verdict: ops.NoData, text: name + ": no comparison, and too little from before to know its rhythm"}
	}
	return d.finding(name, e.Step)
}

// rhythm is the indicator as one series over time.
func (e Evidence) rhythm() rhythm {
	r := rhythm{values: e.Means, from: e.First, bake: e.Bake}
	if e.Step == time.Minute && e.First > minutes+mostLevel {
		r.day = minutes
	}
	return r
}

// sign is +1 when only more is bad, -1 when only less is, 0 when both are.
func sign(direction string) float64 {
	switch direction {
	case ops.GoodHigher:
		return -1
	case ops.GoodLower:
		return 1
	}
	return 0
}

// finding of a comparison: unhealthy when the treated are worse by more than is usual between units, with a large effect
// that chance does not explain.
func (c contrast) finding(name, direction string, among int) finding {
	worse := math.Abs(c.size())
	effect := math.Abs(c.test.Effect)
	if s := sign(direction); s != 0 {
		worse, effect = s*c.size(), s*c.test.Effect
	}
	f := finding{verdict: ops.Healthy, score: math.Max(0, worse/c.usual)}
	what := "was"
	if c.own {
		what = "moved by"
	}
	f.text = fmt.Sprintf("%s %s %s where it went and %s elsewhere (%d against %d samples, p %.2g, effect %.2f)",
		name, what, number(c.treated), number(c.untreated), c.n, c.m, c.test.P, c.test.Effect)
	if c.test.P < chance/float64(max(1, among)) && effect >= largeEffect && f.score >= 1 {
		f.verdict = ops.Unhealthy
		f.certain = f.score >= beyondDoubt && c.test.P*looks < chance/float64(max(1, among))
		f.text += "; up to " + number(c.usual) + " apart is usual"
		return f
	}
	f.score = math.Min(f.score, 1)
	return f
}

// finding of a scan: unhealthy when it went farther from its rhythm than 95 % of earlier times.
func (d departure) finding(name string, step time.Duration) finding {
	f := finding{verdict: ops.Healthy, score: d.score}
	f.text = fmt.Sprintf("%s was %s off its rhythm (%s expected) for %s, %.1f times what is usual (%d earlier times)",
		name, signed(d.size), number(d.level), ops.Duration(time.Duration(d.length)*step), d.score, d.scans)
	if d.score > 1 {
		f.verdict, f.certain = ops.Unhealthy, true
	}
	return f
}

func round(v float64) float64 { return math.Round(v*1000) / 1000 }

func number(v float64) string { return strconv.FormatFloat(v, 'g', 4, 64) }

func signed(v float64) string {
	if v >= 0 {
		return "+" + number(v)
	}
	return number(v)
}
