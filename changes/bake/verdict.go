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
			return finding{verdict: ops.NoData, text: c.tooFew(name)}
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
// that chance does not explain, or when some of them are so.
func (c contrast) finding(name, direction string, among int) finding {
	worse := math.Abs(c.size())
	effect := math.Abs(c.test.Effect)
	if s := sign(direction); s != 0 {
		worse, effect = s*c.size(), s*c.test.Effect
	}
	level := chance / float64(max(1, among))
	f := finding{verdict: ops.Healthy, score: math.Max(0, worse/c.usual), text: c.text(name)}
	switch {
	case c.test.P < level && effect >= largeEffect && f.score >= 1:
		f.verdict = ops.Unhealthy
		f.certain = f.score >= beyondDoubt && c.test.P*looks < level
		f.text += "; up to " + c.amount(c.usual) + " apart is usual"
	case c.some.worse(level):
		f.verdict, f.score = ops.Unhealthy, c.some.worst
		f.text += fmt.Sprintf("; %d of those where it went and %d elsewhere are worse than is usual, the worst %.1f times", c.some.treated, c.some.untreated, c.some.worst)
	default:
		f.score = math.Min(f.score, 1)
	}
	return f
}

// worse says whether the outliers speak against the change: more of them where it went than chance explains, or one that is
// far out when nothing elsewhere is, for to find the one store that it breaks is what a ring is for.
func (o outliers) worse(level float64) bool {
	return o.treated > 0 && (o.p < level || (o.worst >= beyondDoubt && o.untreated == 0))
}

// tooFew says why there is no comparison.
func (c contrast) tooFew(name string) string {
	return fmt.Sprintf("%s: fewer than %d samples with traffic where it went, or elsewhere (%d and %d)", name, minSamples, c.n, c.m)
}

func (c contrast) text(name string) string {
	what := "was"
	if c.own {
		what = "moved by"
	}
	t := fmt.Sprintf("%s %s %s where it went and %s elsewhere (%d against %d samples, p %.2g, effect %.2f)",
		name, what, c.amount(c.treated), c.amount(c.untreated), c.n, c.m, c.test.P, c.test.Effect)
	if c.drift != 0 {
		t += "; another " + c.amount(c.drift) + " was under way before"
	}
	return t
}

// amount is a difference as it is read.
func (c contrast) amount(v float64) string {
	if c.relative {
		return number(round(100*v)) + " %"
	}
	return number(v)
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
