package changes

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"goc/ops"
)

// Bounds of overrides and approvals.
const (
	MaxOverride  = 60 * time.Minute
	maxApprovals = 20 // of one change
	maxOverrides = 50 // of one change
)

// Check answers whether a change, or a stage of it, may go out now. The answer is on disk when it returns.
func (s *Service) Check(ctx context.Context, who ops.Principal, r ops.GateRequest) (ops.Decision, error) {
	began := time.Now()
	incidents := s.incidents()
	s.mu.RLock()
	q, st, err := s.question(who, r)
	if err != nil {
		s.mu.RUnlock()
		return ops.Decision{}, err
	}
	st.Incidents = incidents
	now := s.now()
	s.known(&st, q.Change.Service, q.Change.Scope, now)
	w := working(q, st)
	defer w.done() // what is recorded of it was written down by then
	in := &w.in
	w.gather(now)
	d := judgeOf(in)
	d.DecisionID = decisionID(d.At.Time)
	receipt := s.journal.Append(s.audit(&w.request.Change, in, &d)) // under the lock: a freeze added after it is recorded after it
	s.mu.RUnlock()
	d.Token = sign(s.key, &w.request.Change, in, &d) // while the disk is at work
	if _, err := receipt.Wait(ctx); err != nil {
		return ops.Decision{}, err
	}
	s.hits.count(&d)
	s.figures.decisions.WithLabelValues(d.Decision).Inc()
	s.figures.seconds.Observe(time.Since(began).Seconds())
	return d, nil
}

// question reads a request and what is known of its change. The caller holds the lock.
func (s *Service) question(who ops.Principal, r ops.GateRequest) (Request, State, error) {
	q := Request{Stage: r.Stage, Rollback: r.Rollback, Who: who}
	st := State{Config: s.config, Catalog: s.catalog, Freezes: s.freezes}
	if r.Stage < 0 || r.Stage > MaxStages {
		return q, st, ops.Errorf(ops.Invalid, "a stage counts from 1 to %d", MaxStages).At(placeOfBody + ".stage")
	}
	change := r.ChangeID
	if change == "" && r.Change != nil && s.index.get(number("CHG", r.Change.ID)) != nil {
		change = r.Change.ID
	}
	if change == "" {
		if r.Change == nil {
			return q, st, ops.Errorf(ops.Invalid, "say which change: change_id, or the change itself").At(placeOfBody + ".change_id")
		}
		if err := validate(*r.Change, placeOfBody); err != nil {
			return q, st, err
		}
		// A change that is not on record says that it undoes another by its kind.
		q.Rollback = q.Rollback || r.Change.Kind == "rollback"
		q.Change = normalise(*r.Change)
		q.Change.Author = orDefault(q.Change.Author, who.Name)
		stages, err := rings(&q.Change, s.index.flight.places, placeOfBody)
		switch {
		case err == nil:
			q.Change.Stages = stages
		case q.Rollback: // what it goes back from need not be settled
			err = nil
		}
		return q, st, err
	}
	e, err := s.find(change)
	if err != nil {
		return q, st, err
	}
	// A rollback names the version that it goes back to, and is never held back.
	if err := sameChange(r.Change, &e.Change); err != nil && !q.Rollback {
		return q, st, err
	}
	q.Change, st.Starters, st.Approvals = e.Change, e.Starters, s.approvals[change]
	if o, ok := s.overrides[change]; ok {
		st.Override = &o
	}
	return q, st, nil
}

// known adds what the gate knows of the services of a change and of itself. The caller holds the lock.
func (s *Service) known(st *State, service string, scope ops.Scope, now time.Time) {
	st.Flight, st.Policies, st.Zone, st.Rehearsed = s.index.flight, s.policies, s.zone, s.rehearsed
	st.Maintenance, st.RedLines = s.maintained(now), s.redLines()
	for _, name := range append([]string{service}, scope.Service...) {
		service, known := s.catalog.Service(name)
		if b, ok := s.budgets.state(service, now); known && ok && !slices.ContainsFunc(st.Budgets, func(x BudgetState) bool { return x.Service == name }) {
			st.Budgets = append(st.Budgets, b)
		}
	}
}

// sameChange refuses a question about a change on record that says something else of it than the record does: leave for
// one version must not be taken for another's.
func sameChange(asked, c *ops.Change) error {
	if asked == nil {
		return nil
	}
	for _, f := range []struct{ name, asked, known string }{
		{"version", asked.Version, c.Version},
		{"service", asked.Service, c.Service},
		{"environment", orDefault(asked.Environment, c.Environment), c.Environment},
	} {
		if f.asked != "" && f.asked != f.known {
			return ops.Errorf(ops.Conflict, "%s is on record with another %s", c.ID, f.name).At(placeOfBody + "." + f.name).WithHint("record a new change for it")
		}
	}
	return nil
}

// audit is the mutation that records a decision with its inputs, so that it can be made again.
func (s *Service) audit(c *ops.Change, in *Inputs, d *ops.Decision) ops.Mutation {
	text := sentence(c, in, d)
	m := ops.Mutation{Events: []ops.Event{ops.NewEvent(d.At, "gate.decided", "gate", orDefault(d.ChangeID, d.DecisionID), in.Person, decided{
		Text: text, DecisionID: d.DecisionID, ChangeID: d.ChangeID, Stage: in.Stage, Decision: d.Decision, Reasons: d.Reasons, Inputs: in,
	})}}
	if !in.Rollback {
		if record, ok := s.remember(c, in.Stage, d, text); ok {
			m.Put = []ops.Record{record}
		}
	}
	return m
}

// decided is the data of the event gate.decided.
type decided struct {
	Text       string       `json:"text"`
	DecisionID string       `json:"decision_id"`
	ChangeID   string       `json:"change_id,omitempty"`
	Stage      int          `json:"stage,omitempty"`
	Decision   string       `json:"decision"`
	Reasons    []ops.Reason `json:"reasons"`
	Inputs     *Inputs      `json:"inputs"`
}

// sentence says a decision as people do.
func sentence(c *ops.Change, in *Inputs, d *ops.Decision) string {
	verb := map[string]string{ops.EffectAllow: "allowed", ops.EffectDeny: "denied", ops.EffectWait: "told to wait"}[d.Decision]
	subject := c.Title
	if c.ID != "" {
		subject = c.ID + " (" + c.Title + ")"
	}
	for _, r := range d.Reasons {
		if r.Effect == d.Decision {
			return subject + " " + verb + ": " + r.Message
		}
	}
	return subject + " " + verb
}

// decisionID makes an id that sorts by time and that nobody can guess.
func decisionID(at time.Time) string {
	var b [12]byte
	binary.BigEndian.PutUint64(b[:8], uint64(at.UnixMilli())<<16|uint64(rand.Uint32N(1<<16)))
	binary.BigEndian.PutUint32(b[8:], rand.Uint32())
	return "DEC-" + hex.EncodeToString(b[:])
}

// Override breaks the glass for a change that is on record and not over.
func (s *Service) Override(ctx context.Context, who ops.Principal, o ops.Override) (ops.Override, error) {
	if err := s.allowed(who, ops.Commander); err != nil {
		return ops.Override{}, err
	}
	o.Reason, o.Person, o.Role = strings.TrimSpace(o.Reason), orDefault(o.Person, who.Name), who.Role
	o.Duration = orDefault(o.Duration, ops.Duration(MaxOverride))
	switch {
	case len(o.Reason) < 3 || len(o.Reason) > MaxText:
		return ops.Override{}, ops.Errorf(ops.Invalid, "say why, in 3 to %d bytes", MaxText).At(placeOfBody + ".reason")
	case o.Duration < 0 || time.Duration(o.Duration) > MaxOverride:
		return ops.Override{}, ops.Errorf(ops.Invalid, "an override lasts at most %s", ops.Duration(MaxOverride)).At(placeOfBody + ".duration")
	case o.Person != who.Name && who.Role != ops.Admin:
		return ops.Override{}, ops.Errorf(ops.Denied, "nobody breaks the glass in another's name").At(placeOfBody + ".person")
	case len(o.Person) > ops.MaxNameLength:
		return ops.Override{}, ops.Errorf(ops.Invalid, "must have at most %d bytes", ops.MaxNameLength).At(placeOfBody + ".person")
	}
	incidents, now := s.incidents(), s.now()
	s.mu.Lock()
	e, err := s.openChange(o.ChangeID)
	if err != nil {
		s.mu.Unlock()
		return ops.Override{}, err
	}
	if len(e.Overrides) >= maxOverrides {
		s.mu.Unlock()
		return ops.Override{}, ops.Errorf(ops.Conflict, "the glass was broken %d times for %s, which is the most there may be", maxOverrides, e.ID).WithHint("record a new change")
	}
	s.lastOverride++
	o.FollowUp = s.config.Override.followUp(now)
	o.ID, o.CreatedAt, o.ExpiresAt = id("OVR", s.lastOverride), ops.At(now), ops.At(now.Add(time.Duration(o.Duration)))
	s.overrides[o.ChangeID], s.broken[o.ID] = o, o
	receipt := s.breakGlass(e, o, who, incidents)
	s.mu.Unlock()
	_, err = receipt.Wait(ctx)
	return o, err
}

// openChange finds a change that is not over. The caller holds the lock.
func (s *Service) openChange(change string) (*entry, error) {
	e, err := s.find(change)
	if err != nil {
		return nil, ops.Errorf(ops.NotFound, "no change of that id is on record").At(placeOfBody + ".change_id")
	}
	if !e.Status.Open() {
		return nil, ops.Errorf(ops.Conflict, "%s is %s", change, e.Status).WithHint("record a new change")
	}
	return e, nil
}
