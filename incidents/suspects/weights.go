package suspects

import (
	"time"

	"goc/ops"
)

// Weights are the sizes of the terms in log-odds (natural logarithm): 0.7 doubles the odds, 3 makes them twenty times
// as high. They are chosen by reason, not fitted: see the field comments. Zero switches a term off.
type Weights struct {
	Base          float64 // of any change against "no change": most changes break nothing
	RiskHigh      float64 // and its negative for low risk
	Override      float64 // went out although the gate said no, or by broken glass
	SkippedBake   float64 // a stage began before the bake of the one before was over
	Baked         float64 // per stage whose bake was healthy before the onset, at most two of them
	Undone        float64 // it had been rolled back before the onset
	Decay         float64 // times the logarithm of the time between the change and the onset, in eighths of the kind's usual time
	AtService     float64 // it changes a service that shows the symptom
	BelowService  float64 // it changes a service that the symptom's service calls; each further call costs PerCall
	PerCall       float64
	AboveService  float64 // it changes a caller of the symptom's service: rarely the cause
	Unrelated     float64 // no way in the call graph, no common place, no common kind of device
	SamePlace     float64 // it touches a place or a kind of device that the symptom names
	Fit           float64 // how well the kind of change fits the kind of symptom, times -1 to 1
	Spatial       float64 // bound of the log-odds ratio between exposed and unexposed stores
	Gap           float64 // treated units or stores are worse than untreated ones at the same time, in success
	GapLatency    float64 // the same in latency or an indicator of unknown direction, which vary more by themselves
	NoGap         float64 // treated ones were seen and are no worse
	Suffer        float64 // the untreated got worse as well
	Silence       float64 // a treated unit says nothing while its peers report
	Own           float64 // below the symptom: its service got worse itself
	OwnCalm       float64 // below the symptom: its service is as it was
	Partial       float64 // it reached all units of its service, and few of them got worse
	Deeper        float64 // a service that its own calls got worse as well
	ExplainedAway float64 // share of a caller's gap that a suspicious change below it explains
	Temper        float64 // scores are divided by it before they become probabilities: terms that share a cause are counted twice
	Unknown       float64 // share of all probability that stays with what is not on record, whatever speaks against a change
}

// DefaultWeights are the weights in use. A measured gap outweighs everything that is only circumstance; silence is
// weaker than a gap, because a unit may have no work; time and distance decide among what was not measured.
func DefaultWeights() Weights {
	return Weights{
		Base: -2, RiskHigh: 0.5, Override: 0.8, SkippedBake: 0.5, Baked: 1, Undone: 4, Decay: 1,
		AtService: 2, BelowService: 1.8, PerCall: 0.4, AboveService: -0.5, Unrelated: -3, SamePlace: 1.5, Fit: 1,
		Spatial: 3, Gap: 6, GapLatency: 2.5, NoGap: 2.5, Suffer: 1.5, Silence: 4, Own: 1, OwnCalm: 2.5, Partial: 1.5, Deeper: 1.5, ExplainedAway: 0.6, Temper: 1.25, Unknown: 0.04,
	}
}

// Skew is how far the clocks of those who record changes may be off from those who measure.
const Skew = time.Minute

// kindFacts is what is known of a kind of change before looking at one.
type kindFacts struct {
	tau                    time.Duration // its effect usually shows within this time
	lookback               time.Duration // it is not thought of after this time
	service, device, place float64       // fit with a symptom of a service, of devices, of a whole place
	prior                  float64       // against the average change, in log-odds
}

// fit is how well the kind goes with a class of symptom.
func (f kindFacts) fit(class int) float64 {
	switch class {
	case ofService:
		return f.service
	case ofDevices:
		return f.device
	}
	return f.place
}

// factsOf knows each kind. A flag acts at once; firmware may take a night to reach its devices and an hour to fail them.
func factsOf(k ops.ChangeKind) kindFacts {
	switch k {
	case ops.KindRelease:
		return kindFacts{10 * time.Minute, 6 * time.Hour, 0.3, -0.5, -2, 0.3}
	case ops.KindConfig:
		return kindFacts{10 * time.Minute, 6 * time.Hour, 0.3, 0, -0.5, 0.3}
	case ops.KindFlag:
		return kindFacts{5 * time.Minute, 3 * time.Hour, 0.3, -0.5, -2, 0.2}
	case ops.KindDatabase:
		return kindFacts{20 * time.Minute, 12 * time.Hour, 0.4, -1, -2, 0.3}
	case ops.KindFirmware:
		return kindFacts{30 * time.Minute, 24 * time.Hour, -0.7, 1, 0, 0.2}
	case ops.KindPrice, ops.KindPromotion:
		return kindFacts{20 * time.Minute, 12 * time.Hour, 0.2, -1.5, -2.5, 0}
	case ops.KindStoreOpening:
		return kindFacts{time.Hour, 24 * time.Hour, 0, 0.3, 0.3, -0.2}
	case ops.KindNetwork:
		return kindFacts{10 * time.Minute, 6 * time.Hour, 0, 0.4, 1, 0.2}
	case ops.KindDrill:
		return kindFacts{5 * time.Minute, time.Hour, 0.2, 0.2, 0.2, 1}
	}
	return kindFacts{15 * time.Minute, 6 * time.Hour, 0, 0, 0, -0.3}
}

// Lookback is how far back any kind of change is thought of.
const Lookback = 24 * time.Hour

// Count is what people judged of a kind of change.
type Count struct{ Confirmed, Rejected int }

// Priors is what people judged, by kind. A nil map has learned nothing.
type Priors map[ops.ChangeKind]Count
