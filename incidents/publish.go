package incidents

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"goc/incidents/engine"
	"goc/ops"
)

// publish shows what a step changed. The engine's mutex is held, so that publications come in the order of the steps.
func (s *Service) publish(out engine.Outputs) {
	s.pub.Lock()
	defer s.pub.Unlock()
	for _, inc := range out.Changed {
		s.shown[inc.ID], s.symptoms[inc.ID] = inc, s.engine.Symptom(inc.ID)
		s.remember.note(inc)
		if inc.State.Active() {
			s.open[inc.ID] = true
		} else {
			delete(s.open, inc.ID)
		}
	}
	for _, id := range out.Forgotten {
		if at := s.shown[id].DetectedAt.Time; at.After(s.cut) {
			s.cut = at
		}
		delete(s.shown, id)
		delete(s.symptoms, id)
		s.remember.forget(id)
	}
	for _, a := range out.Alerts {
		if a.Status == ops.Firing {
			s.alerts[a.Fingerprint] = a
		} else {
			delete(s.alerts, a.Fingerprint)
		}
	}
	if out.SilencesChanged {
		s.silences = s.engine.Silences()
	}
	if len(out.Changed) > 0 || s.active.Load() == nil {
		s.publishActive()
	}
}

func (s *Service) publishActive() {
	active := make([]ops.Incident, 0, len(s.open))
	for id := range s.open {
		active = append(active, s.shown[id])
	}
	slices.SortFunc(active, func(a, b ops.Incident) int { return cmp.Compare(number(b.ID), number(a.ID)) })
	s.active.Store(&active)
}

// Active lists the incidents that still need people, newest first. It is cheap and never waits; nobody may change what it returns.
func (s *Service) Active() []ops.Incident { return *s.active.Load() }

// number is the n of INC-n, 0 when it is none.
func number(id string) int {
	n, err := strconv.Atoi(strings.TrimPrefix(id, "INC-"))
	if err != nil {
		return 0
	}
	return n
}
