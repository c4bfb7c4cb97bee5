package main

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"goc/ops"
)

// difference is one thing that came out otherwise, as `goc replay --config --json` prints it.
type difference struct {
	Kind     string `json:"kind"`  // difference
	About    string `json:"about"` // incident, suspects, verdict, alert
	What     string `json:"what"`  // opened, gone, merged, severity, state, onset, detect, locate, recover, first, confirmed, no_change, verdict, firing
	Incident string `json:"incident,omitempty"`
	Was      any    `json:"was"` // against
	Is       any    `json:"is"`  // with the new configuration
	Text     string `json:"text"`
}

// differences compares two replays of one history, incident by incident.
func differences(was, is *course) []difference {
	var out []difference
	pairs, gone, opened := was.pair(is)
	for _, u := range gone {
		d := difference{About: "incident", What: "gone", Incident: u.ID, Was: u.Title, Text: fmt.Sprintf("%s %s (%s) does not open", u.worst, u.ID, u.Title)}
		if in := is.into(u); in != nil {
			d.What, d.Is = "merged", in.ID
			d.Text = fmt.Sprintf("%s (%s) is part of %s (%s)", u.ID, u.Title, in.ID, in.Title)
		}
		out = append(out, d)
	}
	for _, u := range opened {
		out = append(out, difference{About: "incident", What: "opened", Incident: u.ID, Is: u.Title, Text: fmt.Sprintf("%s %s (%s) opens as well", u.worst, u.ID, u.Title)})
	}
	for _, p := range pairs {
		out = append(out, p[0].against(p[1])...)
	}
	out = append(out, verdictDifferences(was, is)...)
	out = append(out, alertDifferences(was, is)...)
	for i := range out {
		out[i].Kind = "difference"
	}
	return out
}

// against is what differs between how one incident went and how it went otherwise.
func (u *unfolding) against(o *unfolding) []difference {
	name := u.ID
	if o.ID != u.ID {
		name = fmt.Sprintf("%s (now %s)", u.ID, o.ID)
	}
	var out []difference
	say := func(about, what string, was, is any, text string) {
		out = append(out, difference{About: about, What: what, Incident: u.ID, Was: was, Is: is, Text: name + ": " + text})
	}
	if u.worst != o.worst {
		say("incident", "severity", u.worst, o.worst, fmt.Sprintf("at worst %s instead of %s (%s)", o.worst, u.worst, cmp.Or(o.SeverityEvidence, "no evidence")))
	}
	if u.State != o.State {
		say("incident", "state", u.State, o.State, fmt.Sprintf("ends %s instead of %s", o.State, u.State))
	}
	if !u.OnsetAt.Equal(o.OnsetAt.Time) {
		say("incident", "onset", u.OnsetAt, o.OnsetAt, fmt.Sprintf("onset %s instead of %s", o.OnsetAt, u.OnsetAt))
	}
	if n, m := len(u.members), len(o.members); n != m {
		say("incident", "alerts", n, m, fmt.Sprintf("%d alerts instead of %d", m, n))
	}
	for _, l := range []struct {
		name    string
		was, is ops.Leg
	}{{"detect", u.Clock.Detect, o.Clock.Detect}, {"locate", u.Clock.Locate, o.Clock.Locate}, {"recover", u.Clock.Recover, o.Clock.Recover}} {
		if legDiffers(l.was, l.is) {
			say("incident", l.name, l.was, l.is, fmt.Sprintf("%s: %s; was %s", l.name, leg(l.is), leg(l.was)))
		}
	}
	u.suspectsAgainst(o, say)
	return out
}

// legDiffers says whether people would see a difference: another outcome, another target, or more than a second.
func legDiffers(a, b ops.Leg) bool {
	met := func(l ops.Leg) int {
		switch {
		case l.Met == nil:
			return 0
		case *l.Met:
			return 1
		}
		return 2
	}
	return met(a) != met(b) || a.Running != b.Running || a.TargetS != b.TargetS || !a.Running && math.Abs(a.ElapsedS-b.ElapsedS) > 1
}

// suspectsAgainst compares the first suspect at every look, and where the confirmed one stood.
func (u *unfolding) suspectsAgainst(o *unfolding, say func(about, what string, was, is any, text string)) {
	for _, d := range looks {
		was, is := u.firstAt(d), o.firstAt(d)
		when := map[bool]string{true: "at the end", false: fmt.Sprintf("%s after the first ranking", ops.Since(d))}[d == atTheEnd]
		if d == 0 {
			when = "at the first ranking"
		}
		if was.ChangeID != is.ChangeID || math.Abs(was.Probability-is.Probability) >= 0.02 {
			say("suspects", "first", was, is, fmt.Sprintf("first suspect %s: %s; was %s", when, is, was))
		}
	}
	for _, s := range u.Suspects {
		if s.Verdict != "confirmed" {
			continue
		}
		was, is := u.placeOf(s.ChangeID), o.placeOf(s.ChangeID)
		if was != is {
			say("suspects", "confirmed", was, is, fmt.Sprintf("%s, which people confirmed, %s; was %s", s.ChangeID, is, was))
		}
	}
}

// place is where a change stood in the ranking before people judged it: its rank, 0 when it was not listed.
type place struct {
	ChangeID    string  `json:"change_id"`
	Rank        int     `json:"rank"`
	Probability float64 `json:"probability"`
}

// String says it in words.
func (p place) String() string {
	switch {
	case p.ChangeID == "none":
		return fmt.Sprintf("no change (%.0f%%)", 100*p.Probability)
	case p.ChangeID == "":
		return "none"
	case p.Rank == 0:
		return "not listed"
	case p.Rank == 1:
		return fmt.Sprintf("%s (%.0f%%)", p.ChangeID, 100*p.Probability)
	}
	return fmt.Sprintf("number %d (%.0f%%)", p.Rank, 100*p.Probability)
}

// firstAt is the first place at a look: "no change" counts as one.
func (u *unfolding) firstAt(d time.Duration) place {
	r, ok := u.ranked[d]
	switch {
	case !ok:
		return place{}
	case len(r.Suspects) == 0 || r.NoChange > r.Suspects[0].Probability:
		return place{"none", 1, round2(r.NoChange)}
	}
	return place{r.Suspects[0].ChangeID, 1, round2(r.Suspects[0].Probability)}
}

// placeOf is where a change stood five minutes after the first ranking.
func (u *unfolding) placeOf(change string) place {
	for i, s := range u.ranked[looks[2]].Suspects {
		if s.ChangeID == change {
			return place{change, i + 1, round2(s.Probability)}
		}
	}
	return place{ChangeID: change}
}

func round2(v float64) float64 { return math.Round(100*v) / 100 }

func verdictDifferences(was, is *course) []difference {
	keys := maps.Clone(was.verdicts)
	maps.Copy(keys, is.verdicts)
	var out []difference
	for _, k := range slices.SortedFunc(maps.Keys(keys), func(a, b verdictKey) int { return cmp.Or(cmp.Compare(a.Change, b.Change), a.Stage-b.Stage) }) {
		a, b := was.verdicts[k].Verdict, is.verdicts[k].Verdict
		if a != b {
			out = append(out, difference{About: "verdict", What: "verdict", Was: a, Is: b, Text: fmt.Sprintf("%s, stage %d: %s instead of %s", k.Change, k.Stage, cmp.Or(b, "no verdict"), cmp.Or(a, "no verdict"))})
		}
	}
	return out
}

func alertDifferences(was, is *course) []difference {
	keys := maps.Clone(was.alerts)
	maps.Copy(keys, is.alerts)
	var out []difference
	for _, name := range slices.Sorted(maps.Keys(keys)) {
		if a, b := was.alerts[name], is.alerts[name]; a != b {
			out = append(out, difference{About: "alert", What: "firing", Was: a, Is: b, Text: fmt.Sprintf("%s fires %d times instead of %d", cmp.Or(name, "an alert without a name"), b, a)})
		}
	}
	return out
}
