package evaluation

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
)

// Figures is what many outcomes come to at one moment.
type Figures struct {
	Guilty    int     // cases with a guilty change on record
	Innocent  int     // cases without
	First     float64 // share of the guilty that rank first, ties shared
	Three     float64 // share among the first three
	MeanRank  float64
	Accused   float64 // share of the cases without a guilty change whose first suspect is shown above 50 %
	Above     float64 // and above "no change"
	Missed    float64 // share of the cases with a guilty change in which "no change" stands above the first suspect
	Brier     float64 // mean squared error of the probability shown for the first suspect
	ECE       float64 // mean distance between that probability and how often it was right, over ten buckets
	BrierNone float64 // the same for "no change"
	ECENone   float64
}

// Measure counts outcomes at a moment.
func Measure(all []Outcome, m int) Figures {
	var f Figures
	var first, none []claim
	for _, o := range all {
		s := o.Seen[m]
		if s.First != "" {
			first = append(first, claim{s.P, o.right(m)})
		}
		none = append(none, claim{s.NoChange, o.Truth.Guilty == ""})
		if o.Truth.Guilty == "" {
			f.Innocent++
			f.Accused += is(s.P > 0.5)
			f.Above += is(s.P > s.NoChange)
			continue
		}
		f.Guilty++
		f.First += max(0, min(1, 2-s.Rank))
		f.Three += is(s.Rank <= 3)
		f.MeanRank += s.Rank
		f.Missed += is(s.P <= s.NoChange)
	}
	g, i := float64(max(1, f.Guilty)), float64(max(1, f.Innocent))
	f.First, f.Three, f.MeanRank, f.Missed = f.First/g, f.Three/g, f.MeanRank/g, f.Missed/g
	f.Accused, f.Above = f.Accused/i, f.Above/i
	f.Brier, f.ECE = reliability(first)
	f.BrierNone, f.ECENone = reliability(none)
	return f
}

func is(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// claim is a probability that was shown, and whether it was so.
type claim struct {
	p  float64
	so bool
}

// Bucket is the claims whose probabilities lie in one tenth.
type Bucket struct {
	From, To float64
	N        int
	Shown    float64 // mean
	Right    float64 // share
}

func buckets(claims []claim) []Bucket {
	out := make([]Bucket, 10)
	for i := range out {
		out[i].From, out[i].To = float64(i)/10, float64(i+1)/10
	}
	for _, c := range claims {
		b := &out[min(9, int(c.p*10))]
		b.N++
		b.Shown += c.p
		b.Right += is(c.so)
	}
	for i := range out {
		n := float64(max(1, out[i].N))
		out[i].Shown, out[i].Right = out[i].Shown/n, out[i].Right/n
	}
	return out
}

// reliability is the Brier score and the expected calibration error of claims.
func reliability(claims []claim) (brier, ece float64) {
	n := float64(max(1, len(claims)))
	for _, c := range claims {
		brier += (c.p - is(c.so)) * (c.p - is(c.so)) / n
	}
	for _, b := range buckets(claims) {
		ece += float64(b.N) / n * math.Abs(b.Shown-b.Right)
	}
	return brier, ece
}

// Reliability lists how often the first suspect was right, by the probability shown, over all moments; and the same of "no change".
func Reliability(all []Outcome) (first, none []Bucket) {
	var a, b []claim
	for _, o := range all {
		for m, s := range o.Seen {
			if s.First != "" {
				a = append(a, claim{s.P, o.right(m)})
			}
			b = append(b, claim{s.NoChange, o.Truth.Guilty == ""})
		}
	}
	return buckets(a), buckets(b)
}

// WriteTables prints the figures as Markdown.
func WriteTables(w io.Writer, all []Outcome) {
	fmt.Fprint(w, "| when | first | in three | mean rank | accused above 50 % | accused above \"no change\" | guilty below \"no change\" | Brier | ECE | Brier, no change | ECE, no change |\n|---|---|---|---|---|---|---|---|---|---|---|\n")
	for m, name := range Moments {
		f := Measure(all, m)
		fmt.Fprintf(w, "| %s | %.3f | %.3f | %.2f | %.3f | %.3f | %.3f | %.3f | %.3f | %.3f | %.3f |\n", name, f.First, f.Three, f.MeanRank, f.Accused, f.Above, f.Missed, f.Brier, f.ECE, f.BrierNone, f.ECENone)
	}
	fmt.Fprint(w, "\n| what did it | cases | right, at the alert | +300 s | at the end | first suspect above 50 %, and wrong, at the end |\n|---|---|---|---|---|---|\n")
	WriteKinds(w, all)
	first, none := Reliability(all)
	fmt.Fprint(w, "\n| shown | first suspect: times | mean shown | right | no change: times | mean shown | right |\n|---|---|---|---|---|---|---|\n")
	for i, b := range first {
		n := none[i]
		fmt.Fprintf(w, "| %.0f to %.0f %% | %d | %.2f | %.2f | %d | %.2f | %.2f |\n", 100*b.From, 100*b.To, b.N, b.Shown, b.Right, n.N, n.Shown, n.Right)
	}
}

// WriteKinds prints, for each kind of trouble, how often the ranking was right: the guilty change first, or nothing
// above "no change" where none on record did it.
func WriteKinds(w io.Writer, all []Outcome) {
	kinds := map[string][]Outcome{}
	for _, o := range all {
		name := o.Truth.Kind
		switch {
		case o.Truth.Hidden:
			name = "a change that nobody recorded"
		case o.Truth.Guilty == "":
			name = "no change: " + name
		}
		kinds[name] = append(kinds[name], o)
	}
	names := slices.SortedFunc(maps.Keys(kinds), func(a, b string) int { return cmp.Or(cmp.Compare(len(kinds[b]), len(kinds[a])), cmp.Compare(a, b)) })
	last := len(moments) - 1
	for _, name := range names {
		list := kinds[name]
		right := func(m int) float64 {
			n := 0.0
			for _, o := range list {
				if o.Truth.Guilty != "" {
					n += max(0, min(1, 2-o.Seen[m].Rank))
				} else {
					n += is(o.Seen[m].P <= o.Seen[m].NoChange)
				}
			}
			return n / float64(len(list))
		}
		wrong := 0.0
		for _, o := range list {
			wrong += is(o.Seen[last].P > 0.5 && !o.right(last)) / float64(len(list))
		}
		fmt.Fprintf(w, "| %s | %d | %.2f | %.2f | %.2f | %.2f |\n", name, len(list), right(0), right(2), right(last), wrong)
	}
}
