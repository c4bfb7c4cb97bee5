package intake

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"goc/ops"
)

// Alerts is where alerts and silences live.
type Alerts interface {
	// ReceiveAlerts puts the good ones on disk and lists the others.
	ReceiveAlerts(ctx context.Context, source string, alerts []ops.Alert) ([]ops.Rejected, error)
	Alerts(ctx context.Context) ([]ops.IncidentAlert, error) // those firing now
	Silences(ctx context.Context) ([]ops.Silence, error)
	PutSilence(ctx context.Context, who ops.Principal, s ops.Silence) (ops.Silence, error) // without an id: a new one
	ExpireSilence(ctx context.Context, who ops.Principal, id string) error
}

// Changes is where changes live.
type Changes interface {
	List(ctx context.Context, q ops.ChangeQuery) (ops.List[ops.Change], error)
	// Record answers the change that it already knows, when there is one of the same Source and label external_id.
	Record(ctx context.Context, who ops.Principal, c ops.Change) (ops.Change, error)
	Event(ctx context.Context, who ops.Principal, id string, e ops.ChangeEvent) (ops.Change, error)
}

// Options is what the room needs. Alerts, Changes and Who are required; a nil Registerer registers nothing.
type Options struct {
	Config     Config
	Alerts     Alerts
	Changes    Changes
	Freezes    Freezes                           // takes change windows; nil: they are counted as not used
	Who        func(*http.Request) ops.Principal // who sends a request that came with a token
	Gate       Gate                              // nil: nothing that asks the gate is mounted; else Catalog and Journal are required
	Catalog    func() *ops.Catalog
	Journal    Journal
	Cursors    Cursors // where the back-fill keeps how far it came; required where Config.Backfill names a sender
	Registerer prometheus.Registerer
	Logger     *slog.Logger
	Now        func() time.Time                                        // nil: time.Now
	Problem    func(w http.ResponseWriter, r *http.Request, err error) // writes an error; nil: problem+json
}

// Mount is a handler with its pattern for http.ServeMux and who may use it.
type Mount struct {
	Pattern string
	Roles   []ops.Role
	Public  bool // the handler checks a signature itself
	Handler http.Handler
	Summary string
}

// Service answers the foreign formats.
type Service struct {
	cfg     Config
	alerts  Alerts
	changes Changes
	freezes Freezes
	who     func(*http.Request) ops.Principal
	log     *slog.Logger
	now     func() time.Time
	problem func(w http.ResponseWriter, r *http.Request, err error)
	started time.Time

	github, gitlab, pagerduty string // secrets, "" for none
	seen                      *recent
	client                    *http.Client // of the back-fill
	feeds                     []*feeder    // of the back-fill; Run alone touches them
	cursors                   Cursors
	staging                   sync.Mutex // held while a target becomes a stage, or a window a freeze

	gate       Gate
	catalog    func() *ops.Catalog
	journal    Journal
	kubernetes string // the key in the path, "" for none
	forgeries  forgeries
	asked      map[string]*questions // by product; only with a gate
	caller     *http.Client          // for callbacks
	app        *githubApp            // nil for none
	gitlabAPI  *glAPI                // nil for none

	taken, refused *prometheus.CounterVec // by format
	backfilled     *prometheus.CounterVec // by format and outcome
	unused         *prometheus.CounterVec // by format and reason
}

// New reads the secrets, and from the journal what was asked before, and registers the metrics.
func New(ctx context.Context, o Options) (*Service, error) {
	if err := o.Config.Validate(); err != nil {
		return nil, err
	}
	if o.Alerts == nil || o.Changes == nil || o.Who == nil {
		return nil, ops.Errorf(ops.Internal, "intake: Alerts, Changes and Who are required")
	}
	s := &Service{cfg: o.Config.filled(), alerts: o.Alerts, changes: o.Changes, freezes: o.Freezes, who: o.Who, log: o.Logger, now: o.Now, problem: o.Problem, seen: newRecent(maxDeliveries), gate: o.Gate, catalog: o.Catalog, journal: o.Journal, caller: newCaller()}
	if s.gate != nil && (s.catalog == nil || s.journal == nil) {
		return nil, ops.Errorf(ops.Internal, "intake: a Gate takes Catalog and Journal")
	}
	s.cursors = o.Cursors
	if s.cursors == nil && len(s.cfg.Backfill.GitHub)+len(s.cfg.Backfill.GitLab) > 0 {
		return nil, ops.Errorf(ops.Internal, "intake: a back-fill takes Cursors")
	}
	s.client = &http.Client{Transport: http.DefaultTransport.(*http.Transport).Clone(), CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse // the token is for the host that was configured
	}}
	if s.log == nil {
		s.log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.problem == nil {
		s.problem = writeProblem
	}
	s.started = s.now()
	if err := s.open(ctx); err != nil {
		return nil, err
	}
	return s, s.register(o.Registerer)
}

// open reads what is outside of the configuration: secrets, and what was asked before the start.
func (s *Service) open(ctx context.Context) (err error) {
	for place, secret := range map[string]struct {
		from Secret
		to   *string
	}{"hooks.github": {s.cfg.GitHub, &s.github}, "hooks.gitlab": {s.cfg.GitLab, &s.gitlab}, "hooks.pagerduty": {s.cfg.PagerDuty, &s.pagerduty}, "hooks.kubernetes": {s.cfg.Kubernetes.Secret, &s.kubernetes}} {
		if *secret.to, err = secret.from.read(place); err != nil {
			return err
		}
	}
	if s.app, err = s.cfg.GitHubApp.open(); err != nil {
		return err
	}
	if s.gitlabAPI, err = s.cfg.GitLabAPI.open(); err != nil {
		return err
	}
	if s.gate != nil {
		if err = s.recall(ctx); err != nil {
			return err
		}
	}
	return s.openBackfill()
}

func (s *Service) register(reg prometheus.Registerer) error {
	s.taken = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "goc_intake_total", Help: "Alerts and changes taken in foreign formats."}, []string{"format"})
	s.refused = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "goc_intake_rejected_total", Help: "Alerts, changes and whole requests refused in foreign formats."}, []string{"format"})
	s.unused = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "goc_intake_ignored_total", Help: "What was taken in foreign formats and came to nothing, and why."}, []string{"format", "reason"})
	s.backfilled = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "goc_intake_backfill_total", Help: "What the back-fill looked at, what it left out for good, and rounds in which something failed."}, []string{"format", "outcome"})
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "alertmanager_build_info", Help: "The Alertmanager whose API v2 this program speaks; karma reads it."}, []string{"version"})
	build.WithLabelValues(alertmanagerVersion).Set(1)
	if reg == nil {
		return nil
	}
	for _, c := range []prometheus.Collector{s.taken, s.refused, s.unused, s.backfilled, build} {
		if err := reg.Register(c); err != nil {
			return fmt.Errorf("registering the metrics of intake: %w", err)
		}
	}
	return nil
}

// Mounts lists the handlers.
func (s *Service) Mounts() []Mount {
	readers := []ops.Role{ops.Viewer, ops.Responder, ops.Commander, ops.Sender}
	people := []ops.Role{ops.Responder, ops.Commander}
	senders := []ops.Role{ops.Sender, ops.CI}
	am := func(pattern string, roles []ops.Role, h http.HandlerFunc, summary string) Mount {
		return Mount{Pattern: pattern, Roles: roles, Handler: h, Summary: "Alertmanager API v2: " + summary}
	}
	hook := func(path, secret string, fn func(*http.Request, ops.Principal, []byte) (any, error), summary string) Mount {
		format := path[1:]
		return Mount{Pattern: "POST " + path, Roles: senders, Public: secret != "", Handler: s.hook(format, secret != "", fn), Summary: summary}
	}
	mounts := []Mount{
		am("GET /api/v2/status", readers, s.amStatus, "status"),
		am("GET /api/v2/receivers", readers, s.amReceivers, "receivers"),
		am("GET /api/v2/alerts", readers, s.amAlerts, "alerts that fire"),
		am("POST /api/v2/alerts", senders, s.amPostAlerts, "take alerts"),
		am("GET /api/v2/alerts/groups", readers, s.amGroups, "alerts that fire, by name"),
		am("GET /api/v2/silences", readers, s.amSilences, "silences"),
		am("POST /api/v2/silences", people, s.amPostSilence, "set or change a silence"),
		am("GET /api/v2/silence/{id}", readers, s.amSilence, "one silence"),
		am("DELETE /api/v2/silence/{id}", people, s.amDeleteSilence, "expire a silence"),
		hook("/hooks/github", s.github, s.githubHook, "GitHub webhooks: deployments, releases, workflow runs, pushes"),
		hook("/hooks/gitlab", s.gitlab, s.gitlabHook, "GitLab webhooks: deployments, releases, feature flags, pipelines, pushes"),
		hook("/hooks/argocd", "", s.argoHook, "Argo CD notifications: syncs"),
		hook("/hooks/cloudevents", "", s.cloudEventsHook, "CloudEvents 1.0 (structured, binary, batch) with CDEvents"),
		{Pattern: "POST /v2/enqueue", Roles: senders, Public: s.pagerduty != "", Handler: http.HandlerFunc(s.pdEnqueue), Summary: "PagerDuty Events API v2: alerts"},
		{Pattern: "POST /v2/change/enqueue", Roles: senders, Public: s.pagerduty != "", Handler: http.HandlerFunc(s.pdChange), Summary: "PagerDuty Events API v2: changes"},
	}
	for _, f := range formats {
		mounts = append(mounts, hook("/hooks/alerts/"+f.name, "", s.alertHook(f), "Alerts as "+f.product+" sends them"))
	}
	return append(mounts, s.gateMounts()...)
}
