// Package web is the HTTP API with its OpenAPI document, the live feed and the browser's pages. It holds no state of the
// chain: the rooms behind it do, and it says what they answer. Its own are tokens, sessions and Idempotency-Keys.
package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/prometheus/client_golang/prometheus"

	"goc/ops"
)

// Options are what the server needs. Incidents, Changes, Fleet, Voice, Plans, Drills, Journal and Catalog are required.
type Options struct {
	Incidents Incidents
	Changes   Changes
	Fleet     Fleet
	Voice     Voice
	Plans     Plans
	Drills    Drills
	Journal   Journal
	Catalog   func() *ops.Catalog

	Config     Config
	Listen     string       // the address that will be listened on; auth.anonymous is refused unless it is loopback
	Mounts     []Mount      // what other rooms bring
	Heartbeats http.Handler // POST /api/v1/heartbeats: decodes a batch and hands it to the fleet
	Metrics    http.Handler // GET /metrics

	Ready   func() []string             // what is missing before traffic may come; nil is nothing
	Reload  func(context.Context) error // reads the configuration again; nil where that cannot be
	UI      fs.FS                       // the browser's bundle; nil serves the API alone
	Version string

	Registerer prometheus.Registerer // nil measures nothing
	Logger     *slog.Logger          // nil logs nothing
	Now        func() time.Time      // nil is time.Now
}

// validate names what is missing, and fills in what may be.
func (o *Options) validate() error {
	for name, missing := range map[string]bool{
		"Incidents": o.Incidents == nil, "Changes": o.Changes == nil, "Fleet": o.Fleet == nil, "Voice": o.Voice == nil,
		"Plans": o.Plans == nil, "Drills": o.Drills == nil, "Journal": o.Journal == nil, "Catalog": o.Catalog == nil,
	} {
		if missing {
			return fmt.Errorf("web: Options.%s is required", name)
		}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Registerer == nil {
		o.Registerer = prometheus.NewRegistry()
	}
	if o.Config.Anonymous && !loopback(o.Listen) {
		return ops.Errorf(ops.Invalid, "anybody would be admin from anywhere").At("auth.anonymous").
			WithHint("listen on 127.0.0.1, or set auth.anonymous to false and make tokens")
	}
	return o.Config.Validate()
}

// Server answers HTTP.
type Server struct {
	o         Options
	mux       *http.ServeMux
	api       huma.API
	handler   http.Handler
	auth      *auth
	once      *once
	metrics   *metrics
	situation *situation
	hub       *hub
	document  []byte // the OpenAPI document
	started   time.Time
}

// New restores tokens, sessions and keys from the journal and lays out the routes.
func New(o Options) (*Server, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	ctx := context.Background()
	s := &Server{o: o, mux: http.NewServeMux(), metrics: newMetrics(o.Registerer), started: o.Now()}
	var err error
	if s.auth, err = newAuth(ctx, o); err != nil {
		return nil, err
	}
	if s.once, err = newOnce(ctx, o.Journal, o.Now); err != nil {
		return nil, err
	}
	if s.situation, err = newSituation(ctx, o); err != nil {
		return nil, err
	}
	s.hub = newHub(s)
	s.api = newAPI(s)
	s.routes()
	s.mount()
	if err := s.outside(); err != nil {
		return nil, err
	}
	if s.document, err = json.Marshal(s.api.OpenAPI()); err != nil {
		return nil, fmt.Errorf("the OpenAPI document: %w", err)
	}
	s.handler = s.observe(s.protect(compress(s.mux)))
	return s, nil
}

// Handler answers every request, the live feed's included.
func (s *Server) Handler() http.Handler { return s.handler }

// ReloadTokens reads the file of tokens again; an error leaves the tokens as they were.
func (s *Server) ReloadTokens() error { return s.auth.readFile() }

// Run keeps the live feed going and forgets old keys, until ctx ends. When it returns every live connection is closed.
func (s *Server) Run(ctx context.Context) error {
	sweep := time.NewTicker(10 * time.Minute)
	defer sweep.Stop()
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.hub.run(ctx)
	}()
	for {
		select {
		case <-ctx.Done():
			<-done
			return nil
		case <-sweep.C:
			s.once.sweep()
		}
	}
}

// Serve answers on ln until ctx ends, and then gives requests under way ten seconds.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	srv := &http.Server{
		Handler:           s.handler,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       60 * time.Second,
		WriteTimeout:      90 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(s.o.Logger.Handler(), slog.LevelDebug),
	}
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(ln) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	err := srv.Shutdown(grace)
	if errors.Is(err, context.DeadlineExceeded) {
		err = srv.Close()
	}
	<-failed
	return err
}
