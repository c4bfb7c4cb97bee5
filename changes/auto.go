package changes

import (
	"fmt"
	"slices"
	"time"

	"goc/ops"
)

// Auto is what the gate does by itself to a change that does harm.
type Auto struct {
	// Pause: what is going out is paused when a bake is unhealthy, or when an incident points to it. Absent: yes.
	Pause *bool `yaml:"pause"`
	// Rollback: the plan that its rollback names is run as well. Absent: no.
	Rollback bool `yaml:"rollback"`
	// Probability is how likely the first suspect of an incident must be. Absent: 0.8. One that people confirmed always counts.
	Probability float64 `yaml:"probability"`
}

func (a Auto) pause() bool          { return a.Pause == nil || *a.Pause }
func (a Auto) probability() float64 { return orDefault(a.Probability, 0.8) }

func (a Auto) validate() error {
	switch {
	case !(a.Probability >= 0 && a.Probability <= 1):
		return bad("auto.probability", "must be between 0 and 1")
	case a.Rollback && !a.pause():
		return bad("auto.rollback", "what is rolled back by itself is paused first: set pause as well")
	}
	return nil
}

// maxStoppedFor bounds the incidents that a change remembers to have been paused for; an older one may pause it again.
const maxStoppedFor = 50

// stopUnhealthy stops a change whose bake is unhealthy; one that is out already is only rolled back, where that is asked
// for. nil when nothing is done. The caller holds the lock.
func (s *Service) stopUnhealthy(e *entry, why string, now time.Time) *ops.Receipt {
	if !s.config.Auto.pause() || ofDrill(&e.Change) {
		return nil
	}
	if e.Status != ops.ChangeStarted && (!s.config.Auto.Rollback || e.Status != ops.ChangeFinished) {
		return nil
	}
	receipts := s.stop(e, why, s.config.Auto.Rollback, now)
	if len(receipts) == 0 {
		return nil
	}
	return receipts[len(receipts)-1]
}

// followSuspects stops each change under way to which an active incident points: once for each incident, so that somebody
// who knows better may resume it.
func (s *Service) followSuspects(incidents []ops.Incident, now time.Time) (receipts []*ops.Receipt) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.config.Auto.pause() {
		return nil
	}
	for i := range incidents {
		inc := &incidents[i]
		change, why := Blamed(inc, s.config.Auto.probability())
		e := s.index.get(number("CHG", change))
		if e == nil || e.Status != ops.ChangeStarted || ofDrill(&e.Change) || slices.Contains(e.Stopped, inc.ID) ||
			s.config.environment(e.Environment).Exempt || s.knowinglyOverridden(e.ID, inc, now) {
			continue
		}
		stopped := e.moved(e.Change)
		stopped.Stopped = append(slices.Clone(e.Stopped[max(0, len(e.Stopped)-maxStoppedFor+1):]), inc.ID)
		s.index.put(stopped) // on disk with the pause
		receipts = append(receipts, s.stop(stopped, why, s.config.Auto.Rollback, now)...)
	}
	return receipts
}

// Blamed is the change that an incident points to, and how: its confirmed suspect, or its first one when that is at least
// as likely as asked for. "" when there is none.
func Blamed(inc *ops.Incident, probability float64) (change, why string) {
	if !inc.State.Active() || inc.Merged != "" || inc.Drill != nil {
		return "", ""
	}
	for _, s := range inc.Suspects {
		switch {
		case s.Verdict == "confirmed":
			return s.ChangeID, fmt.Sprintf("%s (%s) was confirmed to come from it", inc.ID, inc.Title)
		case s.Rank == 1 && s.Verdict != "rejected" && s.Probability >= probability && change == "":
			change, why = s.ChangeID, fmt.Sprintf("it is the first suspect of %s (%s) with a probability of %.2f", inc.ID, inc.Title, s.Probability)
		}
	}
	return change, why
}

// knowinglyOverridden says whether somebody broke the glass for a change when the incident was known already. The caller
// holds the lock.
func (s *Service) knowinglyOverridden(change string, inc *ops.Incident, now time.Time) bool {
	return s.glassBroken(change, now) && s.overrides[change].CreatedAt.After(inc.DetectedAt.Time)
}

func ofDrill(c *ops.Change) bool { return c.Kind == ops.KindDrill || c.Drill != "" }
