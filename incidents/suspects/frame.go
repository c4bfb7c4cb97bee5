package suspects

import (
	"math"
	"slices"
	"time"

	"goc/ops"
)

// maxKinds bounds the kinds of change that are told apart; those beyond it count as ops.KindOther.
const maxKinds = 64

// kinds numbers the kinds of change.
type kinds struct {
	names names
	facts []kindFacts
}

// kind is the number of a kind of change.
func (x *Index) kind(k ops.ChangeKind) uint8 {
	if _, known := x.kinds.names.find(string(k)); !known && len(x.kinds.facts) >= maxKinds {
		k = ops.KindOther
	}
	id := x.kinds.names.id(string(k))
	if int(id) == len(x.kinds.facts) {
		x.kinds.facts = append(x.kinds.facts, factsOf(k))
	}
	return uint8(id)
}

// frame is what the ranking of one or many cases shares as long as the services that show the symptom and the onset are
// the same: every number that no place has a say in, by kind and by service.
type frame struct {
	w          World
	services   []string
	onset      int64
	limit      int64 // the latest move that counts
	onsetBy    time.Duration
	below      map[string]step
	distance   []away // by number of a service
	kinds      []kindFrame
	sampled    []bool                          // by number of a service: there are samples of it
	stores     bool                            // there are samples of the symptom's services, which may be by store
	anySampled bool                            // there are samples at all
	moves      []*move                         // by number of a service, as they are asked for
	movesUntil int64                           // when what they go by ends
	shifts     map[string]shift                // the same, by name
	replaced   map[string]map[string]time.Time // units of services
}

// away is how far a service is from the symptom.
type away struct {
	weight float64
	calls  int32 // -1 when the symptom does not depend on it
}

// kindFrame is what a frame knows of one kind of change.
type kindFrame struct {
	prior [risks * conducts]float64 // prior and conduct
	fit   [classes]float64
	tau   float64
	since int64 // the earliest move that is thought of
}

// The classes of symptom.
const (
	ofService = iota
	ofDevices
	ofPlace
	classes
)

func classOf(k Case) int {
	switch {
	case len(k.Services) > 0:
		return ofService
	case len(k.Place.Kind)+len(k.Place.Device)+len(k.Place.Model)+len(k.Place.Firmware) > 0:
		return ofDevices
	}
	return ofPlace
}

func (x *Index) frame(k Case, w World) *frame {
	f := &frame{w: w, services: k.Services, onset: nanos(k.Onset), onsetBy: k.OnsetBy, limit: nanos(k.Onset.Add(Skew + k.OnsetBy)), below: belowAll(k.Services, w.Graph)}
	f.distance = make([]away, len(x.names[byService].list))
	for i := range f.distance {
		f.distance[i] = away{w.Weights.Unrelated, -1}
	}
	set := func(s step, r away) {
		if id, ok := x.names[byService].find(s.name); ok {
			f.distance[id] = r
		}
	}
	if w.Graph != nil {
		for _, s := range w.Graph.walk(w.Graph.callers, k.Services) {
			set(s, away{w.Weights.AboveService, -1})
		}
	}
	for _, s := range f.below {
		set(s, away{belowWeight(s.calls, w.Weights), int32(s.calls)})
	}
	f.lookAround(x)
	f.kinds = make([]kindFrame, len(x.kinds.facts))
	for i := range f.kinds {
		f.kinds[i] = f.kindFrame(ops.ChangeKind(x.kinds.names.list[i]), x.kinds.facts[i])
	}
	return f
}

// lookAround notes of which services there are samples.
func (f *frame) lookAround(x *Index) {
	f.sampled = make([]bool, len(f.distance))
	if f.w.Samples == nil || len(f.services) == 0 {
		return
	}
	f.anySampled = f.w.Samples.Len() > 0
	for i, name := range x.names[byService].list {
		f.sampled[i] = len(f.w.Samples.OfService(name))+len(f.w.Samples.OfCaller(name)) > 0
	}
	f.stores = slices.ContainsFunc(f.services, func(s string) bool { return len(f.w.Samples.OfService(s)) > 0 })
}

func (f *frame) kindFrame(kind ops.ChangeKind, facts kindFacts) kindFrame {
	out := kindFrame{tau: float64(facts.tau), since: f.onset - int64(facts.lookback)}
	for class := range classes {
		out.fit[class] = facts.fit(class) * f.w.Weights.Fit
	}
	for risk := range risks {
		for conduct := range conducts {
			out.prior[risk*conducts+conduct] = priorWeight(kind, risk, f.w) + conductWeight(conduct, f.w.Weights)
		}
	}
	return out
}

// belowAll walks the call graph down from the services once for all changes.
func belowAll(services []string, g *Graph) map[string]step {
	out := make(map[string]step, len(services))
	for _, name := range services {
		out[name] = step{name, 0, name}
	}
	if g != nil {
		for _, s := range g.walk(g.callees, services) {
			out[s.name] = s
		}
	}
	return out
}

// circumstance is the part of the score that depends on the change, the onset and the services alone: prior, conduct,
// bakes, undoing, time. Which services and kinds, at the next call.
func (f *frame) circumstance(x *Index, slot uint32, at int64) float64 {
	facts := x.facts[slot]
	score := f.kinds[facts.kind].prior[facts.conduct]
	if facts.flags&flagJudged != 0 {
		p := &x.slots[slot]
		score += bakedWeight(p.bakedBy(f.onset), f.w.Weights)
		if p.undone != 0 && p.undone <= f.onset-int64(f.onsetBy) {
			score -= f.w.Weights.Undone
		}
	}
	return score + timeWeight(float64(max(0, f.onset-at)), f.kinds[facts.kind].tau, f.w.Weights.Decay)
}

// timeWeight falls with the logarithm of the time between the change's last move and the onset: how long a change takes to
// do harm spreads over orders of magnitude, so that a minute against two says as much as an hour against two. What is
// within an eighth of the kind's usual time speaks for it, if only a little.
func timeWeight(before, tau, decay float64) float64 {
	return decay * (0.5 - min(4.5, math.Log1p(before/(tau/8))))
}

// priorWeight is how often a change of a kind and risk is to blame, before anything is looked at.
func priorWeight(kind ops.ChangeKind, risk int, w World) float64 {
	weight := w.Weights.Base + factsOf(kind).prior
	switch risk {
	case riskHigh:
		weight += w.Weights.RiskHigh
	case riskLow:
		weight -= w.Weights.RiskHigh
	}
	if n := w.Priors[kind]; n.Confirmed+n.Rejected > 0 {
		// a count of one each way stands for what is not known yet; no count outweighs what is measured
		learned := 0.5 * math.Log(float64(n.Confirmed+1)/float64(n.Rejected+1))
		weight += max(-maxLearned, min(maxLearned, learned))
	}
	return weight
}

// maxLearned bounds what people's judgements can add to a kind of change or take from it.
const maxLearned = 1.0

func conductWeight(conduct int, w Weights) float64 {
	switch conduct {
	case conductForced:
		return w.Override
	case conductHasty:
		return w.SkippedBake
	}
	return 0
}

func bakedWeight(stages int, w Weights) float64 { return -w.Baked * float64(min(stages, 2)) }

// belowWeight is the weight of a change to a service that lies some calls below the symptom.
func belowWeight(calls int, w Weights) float64 {
	if calls == 0 {
		return w.AtService
	}
	return max(0, w.BelowService-w.PerCall*float64(calls-1))
}

// bakedBy counts the stages that had baked well by a time.
func (p *profile) bakedBy(at int64) int {
	n := 0
	for _, over := range p.healthy {
		if over <= at {
			n++
		}
	}
	return n
}
