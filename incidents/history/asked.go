package history

import (
	"reflect"
	"time"

	"goc/incidents/engine"
	"goc/ops"
)

// maxAnswers bounds the answers that are remembered; beyond it they are written again.
const maxAnswers = 10_000

// question is what an answer is to.
type question struct{ ask, about string }

// Asked stands between an engine and the other rooms and notes what they answer. Within one step the same question has
// one answer. It is used under the mutex of its engine.
type Asked struct {
	rooms engine.Hooks
	step  map[question]engine.Answer // of the step under way
	known map[question]engine.Answer // as last written
	fresh []engine.Answer            // of the step under way, that differ from those known
}

// Ask makes an Asked of the rooms' answers.
func Ask(rooms engine.Hooks) *Asked {
	return &Asked{rooms: rooms, step: map[question]engine.Answer{}, known: map[question]engine.Answer{}}
}

// Hooks are the same rooms, noted. One that is nil stays nil.
func (a *Asked) Hooks() engine.Hooks {
	var h engine.Hooks
	if f := a.rooms.Affected; f != nil {
		h.Affected = func(s ops.Scope) engine.Affected {
			n := a.ask(question{"affected", s.String()}, func() engine.Answer {
				r := f(s)
				return engine.Answer{Scope: s, Stores: r.Stores, Devices: r.Devices}
			})
			return engine.Affected{Stores: n.Stores, Devices: n.Devices}
		}
	}
	if f := a.rooms.VoiceAbove; f != nil {
		h.VoiceAbove = func(s ops.Scope) int {
			return a.ask(question{"voice", s.String()}, func() engine.Answer { return engine.Answer{Scope: s, Voice: f(s)} }).Voice
		}
	}
	if f := a.rooms.ActiveDrill; f != nil {
		h.ActiveDrill = func(s ops.Scope, now time.Time) string {
			return a.ask(question{"drill", s.String()}, func() engine.Answer { return engine.Answer{Scope: s, Drill: f(s, now)} }).Drill
		}
	}
	if f := a.rooms.PlansFor; f != nil {
		h.PlansFor = func(inc ops.Incident) []string {
			return a.ask(question{"plans", inc.ID}, func() engine.Answer { return engine.Answer{About: inc.ID, Plans: f(inc)} }).Plans
		}
	}
	return h
}

func (a *Asked) ask(q question, answer func() engine.Answer) engine.Answer {
	if n, ok := a.step[q]; ok {
		return n
	}
	n := answer()
	n.Ask = q.ask
	a.step[q] = n
	if old, ok := a.known[q]; !ok || !reflect.DeepEqual(old, n) {
		if len(a.known) >= maxAnswers {
			clear(a.known)
		}
		a.known[q] = n
		a.fresh = append(a.fresh, n)
	}
	return n
}

// Fresh ends a step and returns the answers in it that nobody has written yet.
func (a *Asked) Fresh() []engine.Answer {
	out := a.fresh
	a.fresh = nil
	clear(a.step)
	return out
}

// Forget makes every answer fresh again: what was written of them is not where the recording goes on.
func (a *Asked) Forget() { clear(a.known) }
