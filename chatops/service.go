package chatops

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/slack-go/slack"
	"golang.org/x/time/rate"

	"goc/ops"
)

// Incidents is the incident engine as chat needs it.
type Incidents interface {
	Get(ctx context.Context, id string) (ops.Incident, error)
	List(ctx context.Context, q ops.IncidentQuery) (ops.List[ops.Incident], error)
	Acknowledge(ctx context.Context, who ops.Principal, id, note string) (ops.Incident, error)
	Resolve(ctx context.Context, who ops.Principal, id, note string) (ops.Incident, error)
	Note(ctx context.Context, who ops.Principal, id, text string) (ops.Incident, error)
}

// Journal is the durable state as chat needs it.
type Journal interface {
	Append(m ops.Mutation) *ops.Receipt
	Load(ctx context.Context, kind string, each func(ops.Record) error) error
	Events(ctx context.Context, q ops.EventQuery) ([]ops.Event, error)
	LastSeq() int64
	Subscribe(fn func([]ops.Event)) (cancel func())
}

// Options are what New needs. Journal and Incidents are required.
type Options struct {
	Config     Config
	Journal    Journal
	Incidents  Incidents
	HTTPClient *http.Client          // nil: one with a time limit of 10 s
	Registerer prometheus.Registerer // nil: metrics are counted and not shown
	Logger     *slog.Logger          // nil: silent
	Now        func() time.Time      // nil: time.Now
	Pace       time.Duration         // between two messages to Slack's channel; 0: a second, as Slack asks; < 0: none
	Patience   time.Duration         // how long an inbound request may wait for its work; 0: 2.5 s, under Slack's 3 s
}

// Service tells and listens. All its methods may be called at once.
type Service struct {
	o      Options
	config Config // with the secrets read
	slack  *slack.Client
	http   *http.Client
	pace   *rate.Limiter
	seen   *seen
	audits *rate.Limiter
	busy   chan struct{} // one token for each inbound request at work
	cursor atomic.Int64

	mu       sync.Mutex
	messages map[string]message // by incident

	refused, told *prometheus.CounterVec
}

// message is where an incident's card stands, recorded as chat_message.
type message struct {
	Channel string `json:"channel"`
	TS      string `json:"ts"`
	Suspect string `json:"suspect,omitempty"` // the first suspect that the thread was told of
}

// The kinds of the effects that this room handles.
const (
	effectSlack    = "slack"
	effectWebhook  = "webhook"
	effectDingTalk = "dingtalk"
	effectFeishu   = "feishu"
)

// New reads the secrets, the cursor and the messages that stand in chat.
func New(ctx context.Context, o Options) (*Service, error) {
	if o.Journal == nil || o.Incidents == nil {
		return nil, errors.New("chatops: Journal and Incidents are required")
	}
	if err := o.Config.Validate(); err != nil {
		return nil, err
	}
	o.defaults()
	config, err := o.Config.resolve()
	if err != nil {
		return nil, err
	}
	s := &Service{o: o, config: config, seen: newSeen(10*time.Minute, 10_000), busy: make(chan struct{}, 32), messages: map[string]message{}}
	s.pace = rate.NewLimiter(rate.Every(o.Pace), 5)
	if o.Pace < 0 {
		s.pace = rate.NewLimiter(rate.Inf, 1)
	}
	s.audits = rate.NewLimiter(1, 10)
	client := *o.HTTPClient
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	s.http = &client
	api := config.Slack.APIURL
	if api == "" {
		api = slack.APIURL
	}
	s.slack = slack.New(config.Slack.Token, slack.OptionAPIURL(strings.TrimSuffix(api, "/")+"/"), slack.OptionHTTPClient(s.http))
	s.metrics()
	return s, s.load(ctx)
}

func (o *Options) defaults() {
	if o.HTTPClient == nil {
		o.HTTPClient = &http.Client{Timeout: 10 * time.Second}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Pace == 0 {
		o.Pace = time.Second
	}
	if o.Patience == 0 {
		o.Patience = 2500 * time.Millisecond
	}
}

func (s *Service) metrics() {
	s.refused = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "goc_chat_refused_total", Help: "Inbound chat requests that were refused, by reason."}, []string{"reason"})
	s.told = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "goc_chat_sent_total", Help: "Messages sent to chat and webhooks, by kind and outcome."}, []string{"kind", "outcome"})
	if s.o.Registerer != nil {
		s.o.Registerer.MustRegister(s.refused, s.told)
	}
}

// load reads the cursor and the messages. A first start begins at now: history is not told. That is written down, for else
// a start after a crash would begin at its own now and leave out what came between.
func (s *Service) load(ctx context.Context) error {
	first := true
	s.cursor.Store(s.o.Journal.LastSeq())
	err := s.o.Journal.Load(ctx, "cursor", func(r ops.Record) error {
		var c cursor
		if r.ID != cursorID {
			return nil
		}
		if err := json.Unmarshal(r.Body, &c); err != nil {
			return ops.Errorf(ops.Internal, "the cursor of chatops cannot be read: %w", err)
		}
		s.cursor.Store(c.Seq)
		first = false
		return nil
	})
	if err == nil && first && s.tells() {
		_, err = s.o.Journal.Append(ops.Mutation{Put: []ops.Record{ops.Encode("cursor", cursorID, cursor{Seq: s.cursor.Load()})}}).Wait(ctx)
	}
	if err != nil {
		return err
	}
	return s.o.Journal.Load(ctx, "chat_message", func(r ops.Record) error {
		var m message
		if err := json.Unmarshal(r.Body, &m); err != nil {
			return ops.Errorf(ops.Internal, "the chat message of %s cannot be read: %w", r.ID, err)
		}
		s.messages[r.ID] = m
		return nil
	})
}

// Handlers are the outbox's handlers by the kind of effect.
func (s *Service) Handlers() map[string]func(context.Context, ops.Effect) error {
	counted := func(kind string, h func(context.Context, ops.Effect) error) func(context.Context, ops.Effect) error {
		return func(ctx context.Context, e ops.Effect) error {
			err := h(ctx, e)
			outcome := "sent"
			if err != nil {
				outcome = "failed"
			}
			s.told.WithLabelValues(kind, outcome).Inc()
			return err
		}
	}
	return map[string]func(context.Context, ops.Effect) error{
		effectSlack:    counted(effectSlack, s.HandleSlack),
		effectWebhook:  counted(effectWebhook, s.HandleWebhook),
		effectDingTalk: counted(effectDingTalk, s.HandleDingTalk),
		effectFeishu:   counted(effectFeishu, s.HandleFeishu),
	}
}

// link is the war room of an incident, "" when base_url is not set.
func (s *Service) link(base, incident string) string {
	if base == "" {
		return ""
	}
	return strings.TrimSuffix(base, "/") + "/i/" + incident
}
