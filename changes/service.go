package changes

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"goc/changes/bake"
	"goc/changes/policy"
	"goc/changes/rollup"
	"goc/ops"
)

// Record kinds of this room.
const (
	kindChange   = "change"
	kindFreeze   = "freeze"
	kindOverride = "override"
	kindApproval = "approval"
	kindDecision = "decision" // the last allow per change and stage, until it is over
	kindFrozen   = "frozen"   // until when a freeze is closed that was announced as such
	kindKey      = "gate_key"

	kindRedLine     = "red_line"    // those that are crossed, since when
	kindMaintenance = "maintenance" // the gate's own
	kindHits        = "gate_hits"   // how often a freeze or a policy held
	kindRehearsal   = "rehearsal"   // when a plan was last tried dry
	kindHour        = "budget_hour" // what indicators came to in one hour
)

// Journal is where state becomes durable.
type Journal interface {
	Append(m ops.Mutation) *ops.Receipt
	Load(ctx context.Context, kind string, each func(ops.Record) error) error
}

// Options are what a Service needs. Catalog and Journal are required.
type Options struct {
	Config     Config
	Catalog    *ops.Catalog
	Journal    Journal
	Incidents  func() []ops.Incident // the active ones; nil when there is no incident engine
	Registerer prometheus.Registerer // nil: figures are kept, but not shown
	Logger     *slog.Logger
	Now        func() time.Time
	// Past are the incidents of the last weeks, the resolved ones included, for dry runs of policies; nil: none are known.
	Past func() []ops.Incident
	// Querier reads the course of indicators before the start; nil: burns are known from the start on only.
	Querier ops.Querier
	// Plans are the response plans by name, and when each last ran with success, zero when never; nil: there are none.
	Plans func() map[string]time.Time
	// Dark counts the dark stores of a scope, and its stores; nil: nobody knows.
	Dark func(ops.Scope) (dark, stores int)
	// Notify takes the alerts of red lines; nil: nobody is paged.
	Notify     func(context.Context, []ops.Alert)
	SigningKey []byte // 32 bytes, the seed of the Ed25519 key that signs decisions; nil: one is made and kept in the journal
}

// Service is the record of changes and the gate. Values that it returns share memory with it: callers must not write to
// their slices and maps.
type Service struct {
	config    Config
	catalog   *ops.Catalog
	journal   Journal
	incidents func() []ops.Incident
	log       *slog.Logger
	now       func() time.Time
	key       ed25519.PrivateKey
	figures   figures
	bakes     *bake.Bakes
	feed      *feed

	mu           sync.RWMutex
	index        index
	freezes      *Freezes // in force; replaced, never written to
	approvals    map[string][]ops.Approval
	overrides    map[string]ops.Override // the last one per change
	broken       map[string]ops.Override // every one, by id
	lastFreeze   int
	lastOverride int
	frozen       map[string]time.Time // per freeze that was announced as closed, until when
	maintenance  ops.GateMaintenance
	crossed      map[string]*crossing // red lines by name; replaced, never written to
	retired      []retired            // crossed when they went out of force; told on the next look

	past     func() []ops.Incident
	querier  ops.Querier
	plans    func() map[string]time.Time
	dark     func(ops.Scope) (dark, stores int)
	notify   func(context.Context, []ops.Alert)
	policies *policy.Set
	zone     *time.Location
	course   *rollup.Rollup // of the indicators that budgets and red lines are judged by
	budgets  *budgets

	rehearsals rehearsals
	lookedAt   time.Time // when red lines were last looked at; of the loop alone
	droppedAt  time.Time // when what nobody moved was last dropped from the flight
	keptAt     time.Time // when the course was last put on disk; of the loop alone
	hoursOver  []string  // hours of the course on disk that nothing looks back to; of the loop alone

	hits    *hits // of freezes and policies
	allowMu sync.Mutex
	allows  allowances
}

// New loads the record from the journal and returns the room, ready to answer. What it starts ends with ctx.
func New(ctx context.Context, o Options) (*Service, error) {
	if o.Catalog == nil || o.Journal == nil {
		return nil, errors.New("changes: Options.Catalog and Options.Journal are required")
	}
	if err := o.Config.Validate(); err != nil {
		return nil, err
	}
	s := &Service{
		config: o.Config, catalog: o.Catalog, journal: o.Journal, incidents: o.Incidents, log: o.Logger,
		figures: newFigures(o.Registerer), bakes: bake.New(o.Catalog), feed: newFeed(), index: newIndex(o.Catalog),
		approvals: map[string][]ops.Approval{}, overrides: map[string]ops.Override{}, broken: map[string]ops.Override{}, hits: newHits(), frozen: map[string]time.Time{}, allows: allowances{},
		past: o.Past, querier: o.Querier, plans: o.Plans, dark: o.Dark, notify: o.Notify, rehearsals: rehearsals{own: map[string]time.Time{}},
	}
	if err := s.prepareRules(); err != nil {
		return nil, err
	}
	clock := o.Now
	if clock == nil {
		clock = time.Now
	}
	s.now = func() time.Time { return clock().UTC().Truncate(time.Millisecond) } // what is on record is what was decided on
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.incidents == nil {
		s.incidents = func() []ops.Incident { return nil }
	}
	var err error
	if s.key, err = loadKey(ctx, s.journal, o.SigningKey); err != nil {
		return nil, err
	}
	if err := s.load(ctx); err != nil {
		return nil, err
	}
	go s.feed.run(ctx)
	return s, nil
}

// id writes the n-th id of a noun: CHG-17.
func id(noun string, n int) string { return noun + "-" + strconv.Itoa(n) }

// number reads an id of a noun, 0 when it is none.
func number(noun, id string) int {
	digits, ok := strings.CutPrefix(id, noun+"-")
	n, err := strconv.Atoi(digits)
	if !ok || err != nil || n < 0 || strconv.Itoa(n) != digits {
		return 0
	}
	return n
}

// allowed refuses who has none of the roles.
func (s *Service) allowed(who ops.Principal, roles ...ops.Role) error {
	if who.May(roles...) {
		return nil
	}
	return ops.Errorf(ops.Denied, "this takes the role %s", roles[0]).WithHint("ask someone who has it")
}

// find returns the change with an id. The caller holds the lock.
func (s *Service) find(change string) (*entry, error) {
	if e := s.index.get(number("CHG", change)); e != nil {
		return e, nil
	}
	return nil, ops.Errorf(ops.NotFound, "no change of that id is on record")
}

// Get returns one change.
func (s *Service) Get(_ context.Context, change string) (ops.Change, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	e, err := s.find(change)
	if err != nil {
		return ops.Change{}, err
	}
	return e.Change, nil
}

// List returns one page of changes, newest first.
func (s *Service) List(_ context.Context, q ops.ChangeQuery) (ops.List[ops.Change], error) {
	before := 0
	if q.Cursor != "" {
		if before = number("CHG", q.Cursor); before == 0 {
			return ops.List[ops.Change]{}, ops.Errorf(ops.Invalid, "this is not a cursor of this list").At("query.cursor")
		}
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := ops.List[ops.Change]{Items: []ops.Change{}}
	for e := range s.index.newestFirst(q, before) {
		if len(out.Items) == q.Size() {
			out.Next = out.Items[len(out.Items)-1].ID
			break
		}
		out.Items = append(out.Items, e.Change)
	}
	return out, nil
}

// Watch calls fn with every change on record that is open or ended in the last 48 hours, then with each as it moves, in
// order, once that is on disk. It returns after the first part; fn is called by one goroutine at a time, must not block
// and must not call Watch. The returned function ends the watch.
func (s *Service) Watch(fn func(ops.Change)) (cancel func()) {
	since := s.now().Add(-48 * time.Hour)
	s.mu.RLock()
	done, cancel := s.feed.watch(fn, s.index.recent(since))
	s.mu.RUnlock()
	<-done
	return cancel
}

// commit appends what moved a change and tells those who watch. The caller holds the lock and waits for the receipt
// after it let go.
func (s *Service) commit(e *entry, ev ops.Event, more ...ops.Record) *ops.Receipt {
	old := s.index.put(e)
	if old == nil || old.Status != e.Status {
		s.figures.changes.WithLabelValues(string(e.Kind), string(e.Status)).Inc()
	}
	if e.Unapproved && (old == nil || !old.Unapproved) {
		s.figures.unapproved.Inc()
	}
	receipt := s.journal.Append(ops.Mutation{Put: append([]ops.Record{ops.Encode(kindChange, e.ID, e)}, more...), Events: []ops.Event{ev}})
	s.feed.push(receipt, e.Change)
	return receipt
}

// event makes the event of a change that moved.
func event(e *entry, at ops.Time, name, actor, text string, more map[string]any) ops.Event {
	data := map[string]any{
		"text": text, "change_id": e.ID, "title": e.Title, "kind": e.Kind, "service": e.Service, "version": e.Version,
		"status": e.Status, "by": actor,
	}
	if e.Unapproved {
		data["unapproved"], data["unapproved_because"] = true, e.UnapprovedBecause
	}
	if e.Overridden {
		data["overridden"] = true
	}
	if e.Drill != "" {
		data["drill"] = e.Drill
	}
	for k, v := range more {
		data[k] = v
	}
	return ops.NewEvent(at, name, "changes", e.ID, actor, data)
}

// describe names a change as people do: CHG-7 (release of pay-gateway 1.2.3).
func describe(c *ops.Change) string { return fmt.Sprintf("%s (%s)", c.ID, c.Title) }
