package voice

import (
	"context"
	"encoding/json"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"

	"goc/ops"
)

// How long the rates look back.
const (
	window  = 10 * time.Minute
	history = 24 * time.Hour
	learned = time.Hour // what a rate of normal is taken over at least, so that the first voices of all are not normal
	keep    = window + history
)

// Journal is where what was said is kept.
type Journal interface {
	Append(m ops.Mutation) *ops.Receipt
	Load(ctx context.Context, kind string, each func(ops.Record) error) error
}

// Options is what the room needs. Catalog and Journal are required; a nil Registerer registers nothing.
type Options struct {
	Config     Config
	Catalog    *ops.Catalog
	Journal    Journal
	Registerer prometheus.Registerer
	Now        func() time.Time // nil: time.Now
}

// Service keeps the voices of the last 24 hours, at most Config.Max. All methods may be called from any goroutine.
type Service struct {
	topics  []Topic // keywords in lower case
	max     int
	journal Journal
	now     func() time.Time
	total   *prometheus.CounterVec

	mu      sync.RWMutex
	catalog *ops.Catalog
	batches []batch // as they came in
	kept    int     // voices in batches
	bytes   int     // of their texts
	next    int64   // number of the next batch
}

// batch is what one call said: one record of kind "voice".
type batch struct {
	id   string
	said []ops.Voice
}

// newest is the time of a batch's latest voice.
func (b *batch) newest() (t time.Time) {
	for i := range b.said {
		if b.said[i].At.After(t) {
			t = b.said[i].At.Time
		}
	}
	return t
}

// bytes is the length of a batch's texts.
func (b *batch) bytes() (n int) {
	for i := range b.said {
		n += len(b.said[i].Text)
	}
	return n
}

// New loads what was said from the journal.
func New(ctx context.Context, o Options) (*Service, error) {
	if err := o.Config.Validate(); err != nil {
		return nil, err
	}
	if o.Catalog == nil || o.Journal == nil {
		return nil, ops.Errorf(ops.Internal, "voice: Catalog and Journal are required")
	}
	s := &Service{topics: o.Config.Topics, max: o.Config.Max, catalog: o.Catalog, journal: o.Journal, now: o.Now, next: 1}
	if len(s.topics) == 0 {
		s.topics = builtin()
	}
	if s.max == 0 {
		s.max = 100_000
	}
	if s.now == nil {
		s.now = time.Now
	}
	s.topics = lowered(s.topics)
	s.total = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "goc_voice_total", Help: "What customers and store staff said, by topic."}, []string{"topic"})
	for _, t := range s.topics {
		s.total.WithLabelValues(t.Name)
	}
	if o.Registerer != nil {
		if err := o.Registerer.Register(s.total); err != nil {
			return nil, fmt.Errorf("registering the metrics of voice: %w", err)
		}
	}
	if err := s.restore(ctx); err != nil {
		return nil, fmt.Errorf("loading voice: %w", err)
	}
	return s, nil
}

func lowered(topics []Topic) []Topic {
	out := make([]Topic, len(topics))
	for i, t := range topics {
		out[i] = Topic{Name: t.Name, Services: t.Services}
		for _, k := range t.Keywords {
			out[i].Keywords = append(out[i].Keywords, strings.ToLower(k))
		}
	}
	return out
}

// restore loads the batches in the order in which they came in.
func (s *Service) restore(ctx context.Context) error {
	err := s.journal.Load(ctx, "voice", func(rec ops.Record) error {
		b := batch{id: rec.ID}
		if err := json.Unmarshal(rec.Body, &b.said); err != nil {
			return fmt.Errorf("voice %s: %w", rec.ID, err)
		}
		s.batches = append(s.batches, b)
		s.kept, s.bytes = s.kept+len(b.said), s.bytes+b.bytes()
		return nil
	})
	sort.Slice(s.batches, func(i, j int) bool { return s.batches[i].id < s.batches[j].id })
	if n := len(s.batches); n > 0 {
		last, err := strconv.ParseInt(s.batches[n-1].id, 10, 64)
		if err != nil {
			return fmt.Errorf("voice %s: its id is no number", s.batches[n-1].id)
		}
		s.next = last + 1
	}
	return err
}

// Reload takes a new catalog.
func (s *Service) Reload(c *ops.Catalog) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.catalog = c
}

// Say takes what was said. Those that are good are on disk when it returns, the others are listed with their index.
func (s *Service) Say(ctx context.Context, who ops.Principal, said []ops.Voice) ([]ops.Rejected, error) {
	if len(said) > MaxBatch {
		return nil, ops.Errorf(ops.TooLarge, "may hold at most %d voices", MaxBatch).At("body").WithHint("send them in several batches")
	}
	now := s.now()
	var rejected []ops.Rejected
	good := make([]ops.Voice, 0, len(said))
	for i, v := range said {
		if reason := check(&v, now); reason != "" {
			rejected = append(rejected, ops.Rejected{Index: i, Reason: reason})
			continue
		}
		v.Topic = s.topicOf(v)
		good = append(good, v)
	}
	if len(good) == 0 {
		return rejected, nil
	}
	_, err := s.keep(good, now, who.Name).Wait(ctx)
	if err != nil {
		return nil, err
	}
	for _, v := range good {
		s.total.WithLabelValues(v.Topic).Inc()
	}
	return rejected, nil
}

// check says what is wrong with a voice, and sets its time when it has none or one that is not yet.
func check(v *ops.Voice, now time.Time) string {
	for _, name := range []string{v.Store, v.Service, v.Channel, v.Topic} {
		if len(name) > MaxName || !utf8.ValidString(name) {
			return "store, service, channel and topic may each have at most 128 bytes of text"
		}
	}
	if text := strings.TrimSpace(v.Text); text == "" || len(v.Text) > MaxText || !utf8.ValidString(v.Text) {
		return "text must have 1 to 2000 bytes"
	}
	if v.At.IsZero() || v.At.After(now) {
		v.At = ops.At(now)
	}
	if now.Sub(v.At.Time) > history {
		return "at is more than 24 hours ago"
	}
	return ""
}

// topicOf is the topic that the speaker names, if there is one of that name, else the first with a keyword in the text.
func (s *Service) topicOf(v ops.Voice) string {
	text := strings.ToLower(v.Text)
	found := ""
	for _, t := range s.topics {
		if t.Name == v.Topic {
			return t.Name
		}
		for _, k := range t.Keywords {
			if found == "" && strings.Contains(text, k) {
				found = t.Name
			}
		}
	}
	if found == "" {
		return other
	}
	return found
}

// keep puts a batch in memory and into the journal, and lets go of what is old or too much.
func (s *Service) keep(said []ops.Voice, now time.Time, actor string) *ops.Receipt {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := batch{id: fmt.Sprintf("%012d", s.next), said: said}
	s.next++
	s.batches, s.kept, s.bytes = append(s.batches, b), s.kept+len(said), s.bytes+b.bytes()
	m := ops.Mutation{Put: []ops.Record{ops.Encode("voice", b.id, said)}}
	drop := 0
	for ; drop < len(s.batches)-1; drop++ {
		old := &s.batches[drop]
		if s.kept <= s.max && s.bytes <= maxBytes && now.Sub(old.newest()) <= keep {
			break
		}
		s.kept, s.bytes = s.kept-len(old.said), s.bytes-old.bytes()
		m.Delete = append(m.Delete, ops.Record{Kind: "voice", ID: old.id})
	}
	clear(s.batches[:drop]) // let go of the texts
	s.batches = s.batches[drop:]
	m.Events = []ops.Event{event(said, now, actor)}
	return s.journal.Append(m)
}

// event tells a batch without repeating anyone's words: those may be personal, and events are kept for good.
func event(said []ops.Voice, now time.Time, actor string) ops.Event {
	topics, stores := map[string]int{}, map[string]int{}
	for _, v := range said {
		topics[v.Topic]++
		if v.Store != "" {
			stores[v.Store]++
		}
	}
	var parts []string
	for _, name := range byCount(topics) {
		parts = append(parts, fmt.Sprintf("%s (%d)", name, topics[name]))
	}
	noun := "people say"
	if len(said) == 1 {
		noun = "person says"
	}
	data := struct {
		Text   string         `json:"text"`
		Count  int            `json:"count"`
		Topics map[string]int `json:"topics"`
		Stores map[string]int `json:"stores,omitempty"`
	}{fmt.Sprintf("%d %s: %s", len(said), noun, strings.Join(parts, ", ")), len(said), topics, stores}
	return ops.NewEvent(ops.At(now), "voice.said", "voice", "voice", actor, data)
}

// byCount lists the keys of counts, the highest first.
func byCount(counts map[string]int) []string {
	names := make([]string, 0, len(counts))
	for name := range counts {
		names = append(names, name)
	}
	sort.Slice(names, func(i, j int) bool {
		if a, b := counts[names[i]], counts[names[j]]; a != b {
			return a > b
		}
		return names[i] < names[j]
	})
	return names
}
