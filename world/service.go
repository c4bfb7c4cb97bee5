package world

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// instance is one running service of the world: a real HTTP server with its own /metrics on a port of its own.
type instance struct {
	service
	addr     string
	shop     *shop
	requests *prometheus.CounterVec
	errors   *prometheus.CounterVec
	seconds  *prometheus.SummaryVec
	orders   *prometheus.CounterVec
}

// shop is all services together, with the effects of the faults that hold.
type shop struct {
	instances map[string]*instance
	client    *http.Client
	effects   *effects
}

// newShop starts every service on a loopback port. They stop when ctx ends.
func newShop(ctx context.Context, e *effects) (*shop, error) {
	s := &shop{instances: map[string]*instance{}, effects: e, client: &http.Client{
		Timeout:   10 * time.Second,
		Transport: &http.Transport{MaxIdleConnsPerHost: 64, MaxIdleConns: 2048, IdleConnTimeout: time.Minute},
	}}
	for _, sv := range services {
		in, err := s.start(ctx, sv)
		if err != nil {
			return nil, fmt.Errorf("start the world's service %s: %w", sv.name, err)
		}
		s.instances[sv.name] = in
	}
	return s, nil
}

func (s *shop) start(ctx context.Context, sv service) (*instance, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	in := &instance{service: sv, addr: ln.Addr().String(), shop: s}
	constant := prometheus.Labels{"service": sv.name}
	in.requests = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "shop_requests_total", Help: "Calls taken.", ConstLabels: constant}, []string{"store", "caller"})
	in.errors = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "shop_errors_total", Help: "Calls that failed.", ConstLabels: constant}, []string{"store", "caller"})
	in.seconds = prometheus.NewSummaryVec(prometheus.SummaryOpts{Name: "shop_request_seconds", Help: "How long calls took.", ConstLabels: constant}, []string{"store", "caller"})
	reg := prometheus.NewRegistry()
	reg.MustRegister(in.requests, in.errors, in.seconds)
	if sv.name == "shop-gateway" {
		in.orders = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "shop_orders_total", Help: "Orders by result."}, []string{"store", "result"})
		reg.MustRegister(in.orders)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{DisableCompression: true}))
	mux.HandleFunc("POST /call", in.serve)
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go srv.Serve(ln) // returns when closed below
	context.AfterFunc(ctx, func() { srv.Close() })
	return in, nil
}

// serve does the service's own work for one store, calls those that it depends on, and counts what came of it.
func (in *instance) serve(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	store, caller := q.Get("store"), q.Get("caller")
	begin := time.Now()
	err := in.work(r.Context(), store)
	in.requests.WithLabelValues(store, caller).Inc()
	in.seconds.WithLabelValues(store, caller).Observe(time.Since(begin).Seconds())
	failed := in.errors.WithLabelValues(store, caller) // made even when nothing failed, so that its rate is known from the start
	if err != nil {
		failed.Inc()
		http.Error(w, err.Error(), http.StatusBadGateway)
	}
}

func (in *instance) work(ctx context.Context, store string) error {
	eff := in.shop.effects.on(in.name, store)
	// Its own work varies by half either way; a slow database adds its delay.
	d := time.Duration(float64(in.service.work)*(0.5+rand.Float64())) + eff.delay
	select {
	case <-time.After(d):
	case <-ctx.Done():
		return ctx.Err()
	}
	if rand.Float64() < eff.failing {
		return fmt.Errorf("%s failed", in.name)
	}
	for _, callee := range in.calls {
		if err := in.shop.call(ctx, in.name, callee, store); err != nil && !soft[callee] {
			return err
		}
	}
	return nil
}

// call is one request from a service (or "customer", "till") to another, over a socket.
func (s *shop) call(ctx context.Context, caller, callee, store string) error {
	u := "http://" + s.instances[callee].addr + "/call?" + url.Values{"store": {store}, "caller": {caller}}.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u, nil)
	if err != nil {
		return err
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return fmt.Errorf("%s could not reach %s: %w", caller, callee, err)
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, io.LimitReader(resp.Body, 4096)) // so that the connection can be used again
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %s", callee, strconv.Itoa(resp.StatusCode))
	}
	return nil
}

// customers order online and pay at tills in one store, at random times, until ctx ends.
func (s *shop) customers(ctx context.Context, store string, perSecond float64, rng *rand.Rand) {
	gate := s.instances["shop-gateway"]
	for {
		wait := time.Duration(rng.ExpFloat64() / perSecond * float64(time.Second))
		select {
		case <-ctx.Done():
			return
		case <-time.After(min(wait, 5*time.Second)):
		}
		if s.effects.dark(store) {
			continue // its line is down: nobody gets through
		}
		online := rng.Float64() < 0.75
		go func() {
			if !online {
				s.call(ctx, "till", "pos-gateway", store)
				return
			}
			result := "ok"
			if s.call(ctx, "customer", "shop-gateway", store) != nil {
				result = "failed"
			}
			if ctx.Err() == nil {
				gate.orders.WithLabelValues(store, result).Inc()
			}
		}()
	}
}
