package history

import (
	"fmt"
	"time"

	"goc/incidents/engine"
	"goc/ops"
)

// How time goes on in a history that nobody recorded step by step.
const (
	tickEvery = 30 * time.Second
	maxTicks  = 10_000 // between two lines, so that a jump of years ends
)

// PlayerOptions say how to play. Everything may be left out.
type PlayerOptions struct {
	Settings *engine.Config // in place of those that a recording began with, or the defaults
	Catalog  *ops.Catalog   // indexed; in place of the recorded one
	Drop     func(ops.Alert) bool

	Began func(*ops.Catalog, []ops.Change)                    // a recording begins with this catalog, and these changes on record
	Moved func(now time.Time) error                           // time has moved on to now; the step of now is yet to come
	Input func(now time.Time, in engine.Input, recorded bool) // before its step
	Out   func(engine.Outputs) error                          // after each step
}

// Played is what a Player met.
type Played struct {
	Lines    int      `json:"lines"`
	Steps    int      `json:"steps"`
	Refused  int      `json:"refused"`  // inputs that the engine refused; the live one refused most of them too
	Unasked  int      `json:"unasked"`  // questions to other rooms that nobody asked when it was recorded, answered with nothing
	Restarts int      `json:"restarts"` // of the program that recorded
	Gaps     []string `json:"gaps"`     // what is missing, in sentences
}

// maxGaps bounds the sentences of Played.
const maxGaps = 20

// Player runs the lines of a replay file through an engine on virtual time. The first line decides: a recording is
// played step by step as it was; any other history gets ticks where it says nothing for a while.
type Player struct {
	o        PlayerOptions
	engine   *engine.Engine
	answers  answers
	played   Played
	now      time.Time
	recorded bool // in the middle of a recording
	torn     bool // a gap: what comes next begins anew

	kind    string // of pending
	step    uint64 // of pending
	samples []ops.Sample
	alerts  engine.Alerts

	begins  *beginning   // under way
	catalog *ops.Catalog // parts of a new one
}

// NewPlayer makes a player.
func NewPlayer(o PlayerOptions) *Player { return &Player{o: o} }

// Engine is the engine that plays, nil before the first step.
func (p *Player) Engine() *engine.Engine { return p.engine }

// Now is virtual time.
func (p *Player) Now() time.Time { return p.now }

// Played is what was met so far.
func (p *Player) Played() Played {
	out := p.played
	out.Unasked = p.answers.unknown
	return out
}

// Line takes the next line.
func (p *Player) Line(l engine.Line) error {
	p.played.Lines++
	if p.joins(l) {
		p.add(l)
		return nil
	}
	if p.step > 0 || l.Step > 0 || !l.At.Equal(p.now) { // samples that nobody counted wait for all of their time
		if err := p.Flush(); err != nil {
			return err
		}
	}
	if done, err := p.recording(l); done || err != nil {
		return err
	}
	if err := p.advance(l); err != nil {
		return err
	}
	p.recorded = p.recorded || l.Step > 0
	return p.take(l)
}

// joins says whether l is of the step that is pending: that of its number or, where nobody counted, samples of one time.
func (p *Player) joins(l engine.Line) bool {
	return l.Kind == p.kind && l.Step == p.step && l.At.Equal(p.now) && (l.Kind == "indicator" || l.Kind == "alert" && l.Step > 0)
}

func (p *Player) add(l engine.Line) {
	switch in := l.Input().(type) {
	case engine.Samples:
		p.samples = append(p.samples, in.Samples...)
	case engine.Alerts:
		for _, a := range in.Alerts {
			if p.o.Drop == nil || !p.o.Drop(a) {
				p.alerts.Source, p.alerts.Alerts = in.Source, append(p.alerts.Alerts, a)
			}
		}
	}
}

// advance moves time on to l, with ticks where a history that was not recorded says nothing for a while.
func (p *Player) advance(l engine.Line) error {
	at := l.At.Time
	if at.Before(p.now) {
		return fmt.Errorf("at %s is before the line above; a replay file is in time order", l.At)
	}
	if !p.recorded && !p.now.IsZero() {
		for n := 0; at.Sub(p.now) > tickEvery && n < maxTicks; n++ {
			p.now = p.now.Add(tickEvery)
			if err := p.do(engine.Tick{}, false); err != nil {
				return err
			}
		}
	}
	if at.Equal(p.now) {
		return nil
	}
	p.now = at
	if p.o.Moved != nil {
		return p.o.Moved(at)
	}
	return nil
}

// take hands one line to the engine, or keeps it for those of the same step.
func (p *Player) take(l engine.Line) error {
	switch l.Kind {
	case "indicator":
		if l.Value == nil && l.Step == 0 { // a gap is no sample
			return nil
		}
		p.kind, p.step = l.Kind, l.Step
		p.add(l)
		return nil
	case "alert":
		if l.Step > 0 {
			p.kind, p.step = l.Kind, l.Step
			p.add(l)
			return nil
		}
	case "change":
		if l.Step == 0 && l.Change.Status == "" && l.Change.StartedAt.IsZero() { // a history tells of changes when they begin
			l.Change.StartedAt, l.Change.Status = l.At, ops.ChangeStarted
		}
	case "stage":
		if l.Stage < 1 || l.Stage > 10_000 {
			return fmt.Errorf("a stage counts from 1 to 10000")
		}
	case "topology", "tick", "declare", "action", "silence", "expire", "run":
	case "heartbeat", "voice": // the fleet and the voices do not decide on suspects or verdicts yet
	default:
		return fmt.Errorf("unknown kind; there are topology, change, stage, indicator, alert, heartbeat, voice and tick, and those of a recording")
	}
	return p.do(l.Input(), l.Step > 0)
}

// Flush runs the step that is pending. It must be called after the last line.
func (p *Player) Flush() error {
	kind, counted := p.kind, p.step > 0
	samples, alerts := p.samples, p.alerts
	p.kind, p.step, p.samples, p.alerts = "", 0, nil, engine.Alerts{}
	switch {
	case kind == "indicator":
		return p.do(engine.Samples{Samples: samples}, counted)
	case kind == "alert":
		return p.do(alerts, counted)
	}
	return nil
}

// Inject runs an input that no line tells of, now.
func (p *Player) Inject(in engine.Input) error { return p.do(in, true) }

// do runs one step. What the engine refuses ends the replay of a history that people wrote; in a recording it was refused
// then as well, and is counted.
func (p *Player) do(in engine.Input, recorded bool) error {
	if p.engine == nil {
		p.engine = engine.New(p.settings(nil), p.o.Catalog, p.answers.hooks())
	}
	if p.o.Input != nil {
		p.o.Input(p.now, in, recorded)
	}
	p.played.Steps++
	out := p.engine.Step(in, p.now)
	if out.Err != nil || len(out.Rejected) > 0 {
		if !recorded {
			return refusal(out)
		}
		p.played.Refused++
	}
	if p.o.Out != nil {
		return p.o.Out(out)
	}
	return nil
}

func refusal(out engine.Outputs) error {
	if out.Err != nil {
		return out.Err
	}
	return fmt.Errorf("the alert was refused: %s", out.Rejected[0].Reason)
}

// settings are those asked for, else those recorded, else the defaults.
func (p *Player) settings(recorded *engine.Config) engine.Config {
	switch {
	case p.o.Settings != nil:
		return *p.o.Settings
	case recorded != nil:
		return *recorded
	}
	return engine.Config{}
}
