package history

import (
	"time"

	"goc/incidents/engine"
	"goc/ops"
)

// answers are the other rooms of a replay: they answer what they answered when it was recorded.
type answers struct {
	known   map[question]engine.Answer
	unknown int // questions that nobody asked then, answered with nothing
	any     bool
}

func (a *answers) take(n engine.Answer) {
	if a.known == nil {
		a.known = map[question]engine.Answer{}
	}
	about := n.About
	if n.Ask != "plans" {
		about = n.Scope.String()
	}
	a.any = true
	a.known[question{n.Ask, about}] = n
}

func (a *answers) ask(ask, about string) engine.Answer {
	n, ok := a.known[question{ask, about}]
	if !ok && a.any {
		a.unknown++
	}
	return n
}

func (a *answers) hooks() engine.Hooks {
	return engine.Hooks{
		Affected: func(s ops.Scope) engine.Affected {
			n := a.ask("affected", s.String())
			return engine.Affected{Stores: n.Stores, Devices: n.Devices}
		},
		VoiceAbove:  func(s ops.Scope) int { return a.ask("voice", s.String()).Voice },
		ActiveDrill: func(s ops.Scope, _ time.Time) string { return a.ask("drill", s.String()).Drill },
		PlansFor:    func(inc ops.Incident) []string { return a.ask("plans", inc.ID).Plans },
	}
}
