package changes

import (
	"context"
	"maps"
	"strings"
	"sync"
	"time"

	"goc/ops"
)

// MaxMaintenance is for how long the gate may be put under maintenance at once.
const MaxMaintenance = 24 * time.Hour

// Maintenance is the gate's own as it stands; Mode is "" when there is none.
func (s *Service) Maintenance(context.Context) (ops.GateMaintenance, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.maintained(s.now()), nil
}

// maintained is the maintenance at now: what a person set, else what the configuration says.
func (s *Service) maintained(now time.Time) ops.GateMaintenance {
	if s.maintenance.Mode != "" && now.Before(s.maintenance.Until.Time) {
		return s.maintenance
	}
	if m := s.config.Maintenance; m.Mode != "" && now.Before(m.Until.Time) {
		return ops.GateMaintenance{Mode: m.Mode, Until: m.Until, Reason: m.Reason, By: "the configuration"}
	}
	return ops.GateMaintenance{}
}

// Maintain puts the gate under maintenance, or with an empty mode ends one that a person set. It takes an admin.
func (s *Service) Maintain(ctx context.Context, who ops.Principal, m ops.GateMaintenance) (ops.GateMaintenance, error) {
	if err := s.allowed(who, ops.Admin); err != nil {
		return ops.GateMaintenance{}, err
	}
	now := s.now()
	m.Reason, m.By = strings.TrimSpace(m.Reason), who.Name
	switch {
	case m.Mode == "":
		m = ops.GateMaintenance{By: who.Name}
	case m.Mode != ops.EffectAllow && m.Mode != ops.EffectDeny:
		return ops.GateMaintenance{}, ops.Errorf(ops.Invalid, "must be allow or deny, or empty to end it").At(placeOfBody + ".mode")
	case !m.Until.After(now) || m.Until.Sub(now) > MaxMaintenance:
		return ops.GateMaintenance{}, ops.Errorf(ops.Invalid, "must lie in the future, by at most %s", ops.Duration(MaxMaintenance)).At(placeOfBody + ".until")
	case len(m.Reason) < 3 || len(m.Reason) > MaxText:
		return ops.GateMaintenance{}, ops.Errorf(ops.Invalid, "say why, in 3 to %d bytes", MaxText).At(placeOfBody + ".reason")
	}
	text := who.Name + " ended the gate's maintenance"
	if m.Mode != "" {
		text = who.Name + " put the gate under maintenance until " + m.Until.String() + " (it " + underMaintenance(m.Mode) + "): " + m.Reason
	}
	s.mu.Lock()
	s.maintenance = m
	receipt := s.journal.Append(ops.Mutation{
		Put:    []ops.Record{ops.Encode(kindMaintenance, "gate", m)},
		Events: []ops.Event{ops.NewEvent(ops.At(now), "gate.maintenance", "gate", "gate", who.Name, map[string]any{"text": text, "maintenance": m})},
	})
	s.mu.Unlock()
	_, err := receipt.Wait(ctx)
	return m, err
}

// underMaintenance says what the gate does meanwhile.
func underMaintenance(mode string) string {
	if mode == ops.EffectDeny {
		return "lets nothing out"
	}
	return "holds back only what nobody may override"
}

// rehearsals is when each plan was last run, or tried dry, with success.
type rehearsals struct {
	mu   sync.Mutex
	own  map[string]time.Time // tried dry, as this room was told
	all  map[string]time.Time // of every plan, own included
	read time.Time
}

// readEvery is how often the plans are asked for.
const readEvery = 10 * time.Second

// rehearsed is when a plan was last rehearsed.
func (s *Service) rehearsed(plan string) Rehearsal {
	r := &s.rehearsals
	r.mu.Lock()
	defer r.mu.Unlock()
	if now := s.now(); s.plans != nil && (r.all == nil || now.Sub(r.read) > readEvery || now.Before(r.read)) {
		r.all, r.read = maps.Clone(s.plans()), now
		for name, at := range r.own {
			if last, known := r.all[name]; known && at.After(last) {
				r.all[name] = at
			}
		}
	}
	at, known := r.all[plan]
	return Rehearsal{Known: known, At: at}
}

// ObserveRehearsal takes in that a plan was tried dry and nothing stood in its way.
func (s *Service) ObserveRehearsal(ctx context.Context, plan string) error {
	at := s.now()
	s.rehearsals.mu.Lock()
	s.rehearsals.own[plan], s.rehearsals.all = at, nil
	s.rehearsals.mu.Unlock()
	_, err := s.journal.Append(ops.Mutation{Put: []ops.Record{ops.Encode(kindRehearsal, plan, ops.At(at))}}).Wait(ctx)
	return err
}

// Evidence adds links to reviews to a change that is not over.
func (s *Service) Evidence(ctx context.Context, who ops.Principal, change string, reviews map[string]string) (ops.Change, error) {
	if len(reviews) == 0 {
		return ops.Change{}, ops.Errorf(ops.Invalid, "must name at least one review").At(placeOfBody + ".reviews").WithHint("one of " + strings.Join(Reviews[:], ", "))
	}
	now := ops.At(s.now())
	s.mu.Lock()
	old, err := s.find(change)
	if err == nil && !old.Status.Open() {
		err = ops.Errorf(ops.Conflict, "%s is %s", change, old.Status).WithHint("evidence is asked for before it goes out")
	}
	if err != nil {
		s.mu.Unlock()
		return ops.Change{}, err
	}
	e := old.moved(old.Change)
	e.Reviews = clone(old.Reviews)
	if e.Reviews == nil {
		e.Reviews = map[string]string{}
	}
	maps.Copy(e.Reviews, reviews)
	if err := validateMaps(e.Change, placeOfBody); err != nil {
		s.mu.Unlock()
		return ops.Change{}, err
	}
	e.UpdatedAt = now
	receipt := s.commit(e, event(e, now, "change.reviewed", who.Name, who.Name+" gave evidence of reviews of "+describe(&e.Change), map[string]any{"reviews": reviews}))
	s.mu.Unlock()
	_, err = receipt.Wait(ctx)
	return e.Change, err
}
