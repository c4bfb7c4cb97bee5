package voice

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"goc/ops"
)

// memory is a journal that keeps what it is given.
type memory struct {
	rows   map[string]ops.Record
	events []ops.Event
	fail   error
}

func (m *memory) Append(mu ops.Mutation) *ops.Receipt {
	r := ops.NewReceipt()
	if m.fail == nil {
		for _, rec := range mu.Put {
			m.rows[rec.ID] = rec
		}
		for _, rec := range mu.Delete {
			delete(m.rows, rec.ID)
		}
		m.events = append(m.events, mu.Events...)
	}
	r.Settle(mu.Events, m.fail)
	return r
}

func (m *memory) Load(_ context.Context, kind string, each func(ops.Record) error) error {
	for _, rec := range maps.Clone(m.rows) {
		if rec.Kind == kind {
			if err := each(rec); err != nil {
				return err
			}
		}
	}
	return nil
}

var start = time.Date(2026, 11, 20, 2, 0, 0, 0, time.UTC)

type fixture struct {
	*Service
	t   *testing.T
	now time.Time
	j   *memory
}

func newFixture(t *testing.T, cfg Config) *fixture {
	f := &fixture{t: t, now: start, j: &memory{rows: map[string]ops.Record{}}}
	f.restart(cfg)
	return f
}

func (f *fixture) restart(cfg Config) {
	f.t.Helper()
	c := &ops.Catalog{Stores: []ops.Store{{ID: "SH-001", City: "Shanghai"}, {ID: "BJ-001", City: "Beijing"}}}
	if err := c.Index(); err != nil {
		f.t.Fatal(err)
	}
	s, err := New(f.t.Context(), Options{Config: cfg, Catalog: c, Journal: f.j, Now: func() time.Time { return f.now }})
	if err != nil {
		f.t.Fatal(err)
	}
	f.Service = s
}

func (f *fixture) say(store string, texts ...string) {
	f.t.Helper()
	var said []ops.Voice
	for _, text := range texts {
		said = append(said, ops.Voice{Store: store, Text: text})
	}
	if rejected, err := f.Say(f.t.Context(), ops.System, said); err != nil || rejected != nil {
		f.t.Fatal(rejected, err)
	}
}

func (f *fixture) topics() []ops.Topic {
	f.t.Helper()
	out, err := f.Topics(f.t.Context())
	if err != nil {
		f.t.Fatal(err)
	}
	return out
}

func TestATextIsSortedByItsWords(t *testing.T) {
	f := newFixture(t, Config{})
	for text, want := range map[string]string{
		"My PAYMENT FAILED twice":          "payment fails",
		"付款失败了，怎么办":                        "payment fails",
		"the price is wrong on the milk":   "price wrong",
		"标价和收银不一样":                         "price wrong",
		"I am still waiting for my dinner": "order late",
		"骑手一小时还没到":                         "order late",
		"long queue, one till open":        "checkout slow",
		"APP打不开":                           "app error",
		"eggs are sold out again":          "out of stock",
		"nice shop":                        "other",
	} {
		if got := f.topicOf(ops.Voice{Text: text}); got != want {
			t.Errorf("%q is of topic %q, want %q", text, got, want)
		}
	}
	if got := f.topicOf(ops.Voice{Text: "payment failed", Topic: "refund"}); got != "refund" {
		t.Errorf("a topic that the speaker names became %q", got)
	}
	if got := f.topicOf(ops.Voice{Text: "payment failed", Topic: "my own"}); got != "payment fails" {
		t.Errorf("a topic that does not exist became %q", got)
	}
}

func TestATopicShowsItsRateAgainstNormal(t *testing.T) {
	f := newFixture(t, Config{})
	for range 24 { // two an hour for a day
		f.say("SH-001", "payment failed", "cannot pay")
		f.now = f.now.Add(time.Hour)
	}
	f.say("SH-001", "payment failed 1", "payment failed 2")
	f.say("BJ-001", "payment failed 3", "payment failed 4")
	got := f.topics()[0]
	if got.Name != "payment fails" || got.Count != 4 || got.PerMin != 0.4 || got.NormalPerMin < 0.033 || got.NormalPerMin > 0.034 {
		t.Errorf("topic %+v", got)
	}
	if diff := cmp.Diff(map[string]int{"SH-001": 2, "BJ-001": 2}, got.Stores); diff != "" {
		t.Errorf("stores (-want +got):\n%s", diff)
	}
	if !slices.Equal(got.Samples, []string{"payment failed 2", "payment failed 3", "payment failed 4"}) {
		t.Errorf("samples %q", got.Samples)
	}
}

func TestAboveIsWhatTheScopeHasOverNormal(t *testing.T) {
	f := newFixture(t, Config{Topics: []Topic{{Name: "pay", Keywords: []string{"pay"}, Services: []string{"pay-gateway"}}}})
	f.say("SH-001", "pay", "pay", "pay", "pay", "pay", "pay")
	f.now = f.now.Add(time.Hour) // six an hour is one in ten minutes
	f.say("SH-001", "pay", "pay", "pay", "hello")
	f.say("BJ-001", "hello")
	for name, c := range map[string]struct {
		scope ops.Scope
		want  int
	}{
		"everything":                       {ops.Scope{}, 4},
		"a store":                          {ops.Scope{Store: []string{"BJ-001"}}, 1},
		"a city":                           {ops.Scope{City: []string{"Shanghai"}}, 3},
		"the service of the topic":         {ops.Scope{Service: []string{"pay-gateway"}, Store: []string{"SH-001"}}, 3},
		"another service: only the vague":  {ops.Scope{Service: []string{"cart"}}, 2},
		"a store where nobody says a word": {ops.Scope{Store: []string{"XX-1"}}, 0},
	} {
		if got := f.Above(c.scope); got != c.want {
			t.Errorf("%s: %d above normal, want %d", name, got, c.want)
		}
	}
}

func TestABadVoiceIsRefusedAlone(t *testing.T) {
	f := newFixture(t, Config{})
	rejected, err := f.Say(t.Context(), ops.System, []ops.Voice{
		{Text: "good"}, {Text: " "}, {Text: strings.Repeat("x", MaxText+1)}, {Text: "\xff"}, {Text: "x", Store: strings.Repeat("x", 200)}, {Text: "x", At: ops.At(start.Add(-25 * time.Hour))},
	})
	var at []int
	for _, r := range rejected {
		at = append(at, r.Index)
	}
	if err != nil || !slices.Equal(at, []int{1, 2, 3, 4, 5}) || f.topics()[0].Count != 1 {
		t.Errorf("refused %v, %v; kept %v", rejected, err, f.topics())
	}
	if _, err := f.Say(t.Context(), ops.System, make([]ops.Voice, MaxBatch+1)); ops.KindOf(err) != ops.TooLarge {
		t.Errorf("a batch over the bound gave %v", err)
	}
}

func TestVoicesSurviveARestartAndOldOnesGo(t *testing.T) {
	f := newFixture(t, Config{Max: 5})
	f.say("SH-001", "one", "two")
	f.say("SH-001", "three", "four")
	f.restart(Config{Max: 5})
	f.say("SH-001", "five", "six")
	if got := f.topics()[0]; got.Count != 4 || !slices.Equal(got.Samples, []string{"four", "five", "six"}) || len(f.j.rows) != 2 {
		t.Errorf("kept %+v in %d records", got, len(f.j.rows))
	}
	f.now = f.now.Add(keep + time.Minute)
	f.say("SH-001", "seven")
	if len(f.j.rows) != 1 || f.topics()[0].Count != 1 {
		t.Errorf("a day later %d records are kept", len(f.j.rows))
	}
}

func TestNobodyIsAnsweredBeforeTheirWordsAreOnDisk(t *testing.T) {
	f := newFixture(t, Config{})
	f.j.fail = ops.Errorf(ops.Unavailable, "disk full")
	if _, err := f.Say(t.Context(), ops.System, []ops.Voice{{Text: "x"}}); ops.KindOf(err) != ops.Unavailable {
		t.Errorf("a failed commit gave %v", err)
	}
}

func TestTheEventTellsCountsAndNoWords(t *testing.T) {
	f := newFixture(t, Config{})
	f.say("SH-001", "payment failed for Ms Li", "price is wrong", "cannot pay")
	want := `{"text":"3 people say: payment fails (2), price wrong (1)","count":3,"topics":{"payment fails":2,"price wrong":1},"stores":{"SH-001":3}}`
	if got := string(f.j.events[0].Data); got != want {
		t.Errorf("the event is\n%s, want\n%s", got, want)
	}
}

func TestVoicesAreCountedByTopic(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	c := &ops.Catalog{}
	s, err := New(t.Context(), Options{Catalog: c, Journal: &memory{rows: map[string]ops.Record{}}, Registerer: reg, Config: Config{Topics: []Topic{{Name: "pay", Keywords: []string{"pay"}}}}})
	if err != nil {
		t.Fatal(err)
	}
	s.Say(t.Context(), ops.System, []ops.Voice{{Text: "pay"}, {Text: "x"}})
	if err := testutil.GatherAndCompare(reg, strings.NewReader(`# HELP goc_voice_total What customers and store staff said, by topic.
# TYPE goc_voice_total counter
goc_voice_total{topic="other"} 1
goc_voice_total{topic="pay"} 1
`)); err != nil {
		t.Error(err)
	}
}

func TestConfigNamesTheFieldThatIsWrong(t *testing.T) {
	for place, c := range map[string]Config{
		"voice.max":                   {Max: -1},
		"voice.topics[1].name":        {Topics: []Topic{{Name: "a", Keywords: []string{"x"}}, {Name: "a", Keywords: []string{"x"}}}},
		"voice.topics[0].name":        {Topics: []Topic{{Name: "other", Keywords: []string{"x"}}}},
		"voice.topics[0].keywords":    {Topics: []Topic{{Name: "a"}}},
		"voice.topics[0].keywords[1]": {Topics: []Topic{{Name: "a", Keywords: []string{"x", " "}}}},
		"voice.topics":                {Topics: make([]Topic, MaxTopics+1)},
	} {
		if err := c.Validate(); err == nil || !strings.HasPrefix(err.Error(), place+":") {
			t.Errorf("%s: %v", place, err)
		}
	}
	if err := (Config{Topics: builtin()}).Validate(); err != nil {
		t.Errorf("the built-in topics: %v", err)
	}
}
