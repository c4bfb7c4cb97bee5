package storage_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"goc/ops"
	"goc/storage"
)

// journal is what the other rooms ask of storage (web/backends.go).
type journal interface {
	Append(m ops.Mutation) *ops.Receipt
	Load(ctx context.Context, kind string, each func(ops.Record) error) error
	Record(ctx context.Context, kind, id string) (ops.Record, error)
	Events(ctx context.Context, q ops.EventQuery) ([]ops.Event, error)
	LastSeq() int64
	Subscribe(fn func([]ops.Event)) (cancel func())
	Verify(ctx context.Context) (ops.ChainReport, error)
	Err() error
}

var _ journal = (*storage.Store)(nil)

var noon = ops.At(time.Date(2026, 11, 20, 12, 0, 0, 123e6, time.UTC))

func put(kind, id, body string) ops.Record {
	return ops.Record{Kind: kind, ID: id, Body: []byte(body)}
}

func event(topic, subject string) ops.Event {
	return ops.NewEvent(noon, topic+".changed", topic, subject, "wang", map[string]string{"text": "it changed"})
}

// checker is what *testing.T, *testing.B and *rapid.T have in common.
type checker interface {
	Helper()
	Fatal(...any)
	Errorf(string, ...any)
}

// must waits for a receipt that has to be good.
func must(tb checker, r *ops.Receipt) []ops.Event {
	tb.Helper()
	events, err := r.Wait(context.Background())
	if err != nil {
		tb.Fatal(err)
	}
	return events
}

func load(tb checker, r *storage.Reader, kind string) []ops.Record {
	tb.Helper()
	found := []ops.Record{}
	err := r.Load(context.Background(), kind, func(rec ops.Record) error { found = append(found, rec); return nil })
	if err != nil {
		tb.Fatal(err)
	}
	return found
}

func events(tb checker, r *storage.Reader, q ops.EventQuery) []ops.Event {
	tb.Helper()
	found, err := r.Events(context.Background(), q)
	if err != nil {
		tb.Fatal(err)
	}
	return found
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// behaviours are what every room may rely on, on both databases.
var behaviours = []struct {
	name string
	run  func(t *testing.T, s *storage.Store, o storage.Options)
}{
	{"what was acknowledged is there after a restart", survivesRestart},
	{"events of concurrent writers are numbered without gaps and chained", numbersWithoutGaps},
	{"the last write to a record within a batch wins", lastWriteWins},
	{"a record's number is that of the mutation's last event", recordSeq},
	{"records of one kind load in order of id", loadsInOrder},
	{"loading stops at the first error of the callback", loadStops},
	{"a record that is not there is not found", notFound},
	{"events narrow by since, topic, subject and limit", narrowsEvents},
	{"an oversized mutation is refused alone", refusesOversized},
	{"names that a database cannot hold are refused", refusesNames},
	{"bytes come back as they went in", keepsBytes},
	{"an event without a time gets the journal's", fillsTime},
	{"subscribers see every event in order and on disk", tellsSubscribers},
	{"a subscriber may append, and leave", subscriberAppends},
	{"waiting ends with its context, the mutation still becomes durable", waitEnds},
	{"a full queue holds writers back and then goes on", fullQueue},
	{"a closed journal refuses at once", closedRefuses},
}

func TestEveryJournalBehavesTheSame(t *testing.T) {
	for _, b := range behaviours {
		t.Run(b.name, func(t *testing.T) {
			onEach(t, func(t *testing.T, o storage.Options) { b.run(t, open(t, o), o) })
		})
	}
}

func survivesRestart(t *testing.T, s *storage.Store, o storage.Options) {
	got := must(t, s.Append(ops.Mutation{
		Put: []ops.Record{put("incident", "INC-1", `{"a":1}`)}, Events: []ops.Event{event("incidents", "INC-1")},
		Effects: []ops.Effect{{Kind: "slack", Key: "INC-1", Lane: "INC-1", Body: []byte(`{}`), Created: noon}},
	}))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, o)
	want := put("incident", "INC-1", `{"a":1}`)
	want.Seq = 1
	same(t, "records", load(t, s.Reader, "incident"), []ops.Record{want})
	same(t, "events", events(t, s.Reader, ops.EventQuery{}), got)
	heads, err := s.LaneHeads(t.Context(), 10)
	if err != nil || len(heads) != 1 || heads[0].Key != "INC-1" {
		t.Errorf("effects after restart: %v, %v", heads, err)
	}
	if next := must(t, s.Append(ops.Mutation{Events: []ops.Event{event("incidents", "INC-2")}})); next[0].Seq != 2 {
		t.Errorf("the first event after a restart has number %d", next[0].Seq)
	}
	intact(t, s.Reader, 2)
}

func intact(tb checker, r *storage.Reader, n int64) {
	tb.Helper()
	report, err := r.Verify(context.Background())
	if err != nil || !report.Intact || report.LastSeq != n || report.Events != n {
		tb.Errorf("the chain of %d events: %+v, %v", n, report, err)
	}
}

func numbersWithoutGaps(t *testing.T, s *storage.Store, _ storage.Options) {
	const writers, each = 40, 25
	var mu sync.Mutex
	seen := map[int64]string{}
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				m := ops.Mutation{Events: []ops.Event{event("changes", fmt.Sprint(w)), event("gate", fmt.Sprint(i))}}
				got, err := s.Append(m).Wait(t.Context())
				if err != nil || len(got) != 2 || got[1].Seq != got[0].Seq+1 {
					t.Errorf("writer %d: %v, %v", w, got, err)
					return
				}
				mu.Lock()
				seen[got[0].Seq], seen[got[1].Seq] = got[0].Hash, got[1].Hash
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	stored := events(t, s.Reader, ops.EventQuery{Limit: storage.MaxEvents})
	if len(seen) != writers*each*2 || len(stored) != len(seen) {
		t.Fatalf("%d numbers were given, %d are stored", len(seen), len(stored))
	}
	for i, e := range stored {
		if e.Seq != int64(i+1) || e.Hash != seen[e.Seq] {
			t.Fatalf("event %d at place %d has hash %s, its writer was told %s", e.Seq, i, e.Hash, seen[e.Seq])
		}
	}
	intact(t, s.Reader, int64(len(seen)))
	if s.LastSeq() != int64(len(seen)) {
		t.Errorf("LastSeq is %d", s.LastSeq())
	}
}

func lastWriteWins(t *testing.T, s *storage.Store, _ storage.Options) {
	must(t, s.Append(ops.Mutation{Put: []ops.Record{put("x", "was there", "old")}}))
	release := s.Hold()
	receipts := []*ops.Receipt{
		s.Append(ops.Mutation{Put: []ops.Record{put("x", "a", "1"), put("x", "b", "1"), put("x", "c", "1")}}),
		s.Append(ops.Mutation{Put: []ops.Record{put("x", "a", "2")}, Delete: []ops.Record{{Kind: "x", ID: "b"}, {Kind: "x", ID: "was there"}}}),
		s.Append(ops.Mutation{Put: []ops.Record{put("x", "b", "3")}, Delete: []ops.Record{{Kind: "x", ID: "c"}, {Kind: "x", ID: "b"}}}),
		s.Append(ops.Mutation{Delete: []ops.Record{{Kind: "x", ID: "never was"}}}),
	}
	release()
	for _, r := range receipts {
		must(t, r)
	}
	same(t, "records", load(t, s.Reader, "x"), []ops.Record{put("x", "a", "2"), put("x", "b", "3")})
}

func recordSeq(t *testing.T, s *storage.Store, _ storage.Options) {
	must(t, s.Append(ops.Mutation{Events: []ops.Event{event("a", "1")}}))
	release := s.Hold()
	first := s.Append(ops.Mutation{Put: []ops.Record{put("x", "1", "{}")}, Events: []ops.Event{event("a", "1"), event("a", "2")}})
	second := s.Append(ops.Mutation{Put: []ops.Record{put("x", "2", "{}")}, Events: []ops.Event{event("a", "1")}})
	third := s.Append(ops.Mutation{Put: []ops.Record{put("x", "3", "{}")}})
	release()
	must(t, first)
	must(t, second)
	must(t, third)
	for i, want := range []int64{3, 4, 4} {
		if rec, err := s.Record(t.Context(), "x", fmt.Sprint(i+1)); err != nil || rec.Seq != want {
			t.Errorf("record %d has number %d, want %d; %v", i+1, rec.Seq, want, err)
		}
	}
}

func loadsInOrder(t *testing.T, s *storage.Store, _ storage.Options) {
	must(t, s.Append(ops.Mutation{Put: []ops.Record{
		put("x", "b", ""), put("x", "B", ""), put("x", "世纪大道店", ""), put("x", "a-2", ""), put("x", "a-10", ""), put("y", "a", ""), put("x", "é", ""),
	}}))
	ids := []string{}
	for _, r := range load(t, s.Reader, "x") {
		ids = append(ids, r.ID)
	}
	same(t, "ids", ids, []string{"B", "a-10", "a-2", "b", "é", "世纪大道店"})
}

func loadStops(t *testing.T, s *storage.Store, _ storage.Options) {
	must(t, s.Append(ops.Mutation{Put: []ops.Record{put("x", "1", ""), put("x", "2", "")}}))
	stop, calls := errors.New("stop"), 0
	err := s.Load(t.Context(), "x", func(ops.Record) error { calls++; return stop })
	if !errors.Is(err, stop) || calls != 1 {
		t.Errorf("%d calls, %v", calls, err)
	}
}

func notFound(t *testing.T, s *storage.Store, _ storage.Options) {
	for _, id := range []string{"INC-1", "", "a\x00b", "\xff"} {
		if _, err := s.Record(t.Context(), "incident", id); ops.KindOf(err) != ops.NotFound {
			t.Errorf("%q: %v", id, err)
		}
	}
	if found := events(t, s.Reader, ops.EventQuery{Subject: "a\x00b"}); len(found) != 0 {
		t.Errorf("events of a subject with NUL: %v", found)
	}
}

func narrowsEvents(t *testing.T, s *storage.Store, _ storage.Options) {
	const n = 1200
	m := ops.Mutation{}
	for i := range n {
		m.Events = append(m.Events, event([]string{"incidents", "changes"}[i%2], fmt.Sprint("S-", i%3)))
	}
	all := must(t, s.Append(m))
	for name, c := range map[string]struct {
		q    ops.EventQuery
		want func(ops.Event) bool
		most int
	}{
		"nothing set is the first thousand":   {ops.EventQuery{}, func(ops.Event) bool { return true }, 1000},
		"a huge limit is cut to ten thousand": {ops.EventQuery{Limit: 1 << 40}, func(ops.Event) bool { return true }, 10_000},
		"since":                               {ops.EventQuery{Since: 1100, Limit: 50}, func(e ops.Event) bool { return e.Seq > 1100 }, 50},
		"topic":                               {ops.EventQuery{Topic: "changes"}, func(e ops.Event) bool { return e.Topic == "changes" }, 1000},
		"subject":                             {ops.EventQuery{Subject: "S-2"}, func(e ops.Event) bool { return e.Subject == "S-2" }, 1000},
		"topic and subject":                   {ops.EventQuery{Topic: "changes", Subject: "S-2", Since: 9}, func(e ops.Event) bool { return e.Topic == "changes" && e.Subject == "S-2" && e.Seq > 9 }, 1000},
		"behind the end":                      {ops.EventQuery{Since: n}, func(ops.Event) bool { return false }, 1000},
		"unknown topic":                       {ops.EventQuery{Topic: "nope"}, func(ops.Event) bool { return false }, 1000},
	} {
		want := slices.DeleteFunc(slices.Clone(all), func(e ops.Event) bool { return e.Seq <= c.q.Since || !c.want(e) })
		want = want[:min(len(want), c.most)]
		same(t, name, events(t, s.Reader, c.q), want)
	}
}

func refusesOversized(t *testing.T, s *storage.Store, _ storage.Options) {
	big := bytes.Repeat([]byte("x"), storage.MaxBody+1)
	largest := put("x", "largest", string(big[1:]))
	release := s.Hold()
	good := []*ops.Receipt{s.Append(ops.Mutation{Put: []ops.Record{put("x", "before", "")}, Events: []ops.Event{event("a", "1")}})}
	for what, m := range map[string]ops.Mutation{
		"body":   {Put: []ops.Record{{Kind: "x", ID: "big", Body: big}}, Events: []ops.Event{event("a", "big")}},
		"data":   {Events: []ops.Event{{Name: "n", Topic: "a", Data: big}}},
		"effect": {Effects: []ops.Effect{{Kind: "slack", Body: big}}},
		"items":  {Delete: make([]ops.Record, storage.MaxItems+1)},
		"bytes":  {Put: slices.Repeat([]ops.Record{largest}, storage.MaxBytes/storage.MaxBody)},
	} {
		if _, err := s.Append(m).Wait(t.Context()); ops.KindOf(err) != ops.TooLarge {
			t.Errorf("%s: %v", what, err)
		}
	}
	good = append(good, s.Append(ops.Mutation{Put: []ops.Record{largest}, Events: []ops.Event{event("a", "2")}}))
	release()
	for _, r := range good {
		must(t, r)
	}
	if got := load(t, s.Reader, "x"); len(got) != 2 || got[0].ID != "before" || len(got[1].Body) != storage.MaxBody {
		t.Errorf("%d records", len(got))
	}
	intact(t, s.Reader, 2)
}

func refusesNames(t *testing.T, s *storage.Store, _ storage.Options) {
	for what, c := range map[string]struct {
		m    ops.Mutation
		kind ops.Kind
	}{
		"NUL in an id":            {ops.Mutation{Put: []ops.Record{put("x", "a\x00", "")}}, ops.Invalid},
		"broken UTF-8 in subject": {ops.Mutation{Events: []ops.Event{event("a", "\xc3")}}, ops.Invalid},
		"long key":                {ops.Mutation{Effects: []ops.Effect{{Kind: "slack", Key: strings.Repeat("k", storage.MaxName+1)}}}, ops.TooLarge},
		"record without an id":    {ops.Mutation{Put: []ops.Record{put("x", "", "")}}, ops.Invalid},
		"effect without a kind":   {ops.Mutation{Effects: []ops.Effect{{Key: "k"}}}, ops.Invalid},
	} {
		if _, err := s.Append(c.m).Wait(t.Context()); ops.KindOf(err) != c.kind {
			t.Errorf("%s: %v", what, err)
		}
	}
	longest := strings.Repeat("界", storage.MaxName/3)
	must(t, s.Append(ops.Mutation{
		Put:     []ops.Record{put(longest, longest, "")},
		Events:  []ops.Event{{Name: longest, Topic: longest, Subject: longest, Actor: longest}},
		Effects: []ops.Effect{{Kind: longest, Key: longest, Lane: longest}},
	}))
	intact(t, s.Reader, 1)
}

func keepsBytes(t *testing.T, s *storage.Store, _ storage.Options) {
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	data := json.RawMessage("{ \"text\" :\t\"\\u4e16 世 <&>\",\n\"z\":1,\"a\":1.50 }")
	must(t, s.Append(ops.Mutation{
		Put:    []ops.Record{put("x", "every", string(every)), {Kind: "x", ID: "nil"}},
		Events: []ops.Event{{At: noon, Name: "n", Data: data}, {At: noon, Name: "without data"}},
	}))
	if rec, err := s.Record(t.Context(), "x", "every"); err != nil || !bytes.Equal(rec.Body, every) {
		t.Errorf("%v, %v", rec, err)
	}
	found := events(t, s.Reader, ops.EventQuery{})
	if string(found[0].Data) != string(data) || found[1].Data != nil {
		t.Errorf("data came back as %q and %q", found[0].Data, found[1].Data)
	}
	intact(t, s.Reader, 2)
}

func fillsTime(t *testing.T, s *storage.Store, _ storage.Options) {
	odd := ops.At(time.Date(2026, 11, 20, 20, 0, 0, 123456789, time.FixedZone("CST", 8*3600)))
	told := must(t, s.Append(ops.Mutation{Events: []ops.Event{{Name: "now"}, {Name: "odd", At: odd}}}))
	if age := time.Since(told[0].At.Time); age < 0 || age > time.Minute {
		t.Errorf("an event without a time got %s", told[0].At)
	}
	if !told[1].At.Equal(noon.Time) || told[1].At.Location() != time.UTC {
		t.Errorf("%s became %s", odd.Time, told[1].At.Time)
	}
	same(t, "events", events(t, s.Reader, ops.EventQuery{}), told)
}

func tellsSubscribers(t *testing.T, s *storage.Store, _ storage.Options) {
	const n = 300
	got := make(chan ops.Event, n)
	cancel := s.Subscribe(func(batch []ops.Event) {
		last := batch[len(batch)-1].Seq
		if s.LastSeq() < last || len(events(t, s.Reader, ops.EventQuery{Since: last - 1, Limit: 1})) != 1 {
			t.Errorf("event %d was told before it was on disk", last)
		}
		for _, e := range batch {
			got <- e
		}
	})
	defer cancel()
	var wg sync.WaitGroup
	for w := range 10 {
		wg.Go(func() {
			for range n / 10 {
				must(t, s.Append(ops.Mutation{Events: []ops.Event{event("a", fmt.Sprint(w))}}))
			}
		})
	}
	wg.Wait()
	for i := range int64(n) {
		if e := <-got; e.Seq != i+1 {
			t.Fatalf("event %d came at place %d", e.Seq, i+1)
		}
	}
}

func subscriberAppends(t *testing.T, s *storage.Store, _ storage.Options) {
	echoed := make(chan struct{})
	cancel := s.Subscribe(func(batch []ops.Event) {
		if batch[0].Topic == "echo" {
			close(echoed) // a second call would panic
			return
		}
		must(t, s.Append(ops.Mutation{Events: []ops.Event{event("echo", "1")}}))
	})
	must(t, s.Append(ops.Mutation{Events: []ops.Event{event("a", "1")}}))
	<-echoed
	cancel()
	must(t, s.Append(ops.Mutation{Events: []ops.Event{event("echo", "2")}}))
	if err := s.Close(); err != nil { // delivers what waits
		t.Error(err)
	}
}

func waitEnds(t *testing.T, s *storage.Store, _ storage.Options) {
	release := s.Hold()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := s.Append(ops.Mutation{Put: []ops.Record{put("x", "1", "")}})
	if _, err := r.Wait(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	release()
	must(t, r)
	if len(load(t, s.Reader, "x")) != 1 {
		t.Error("the mutation was lost")
	}
}

func fullQueue(t *testing.T, s *storage.Store, _ storage.Options) {
	release := s.Hold()
	for range storage.MaxQueued {
		s.Append(ops.Mutation{})
	}
	last := make(chan *ops.Receipt)
	go func() { last <- s.Append(ops.Mutation{Events: []ops.Event{event("a", "1")}}) }()
	select {
	case <-last:
		t.Error("the queue took more than its bound")
	case <-time.After(20 * time.Millisecond):
	}
	release()
	must(t, <-last)
}

func closedRefuses(t *testing.T, s *storage.Store, _ storage.Options) {
	queued := s.Append(ops.Mutation{Events: []ops.Event{event("a", "1")}})
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Fatal(err)
	}
	must(t, queued)
	if _, err := s.Append(ops.Mutation{}).Wait(t.Context()); ops.KindOf(err) != ops.Unavailable {
		t.Errorf("%v", err)
	}
	if s.Err() != nil {
		t.Errorf("closing is no failure: %v", s.Err())
	}
}
