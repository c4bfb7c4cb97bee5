package web

import (
	"bufio"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/klauspost/compress/gzhttp"
	"github.com/prometheus/client_golang/prometheus"
)

// metrics is what the server measures of itself.
type metrics struct {
	requests    *prometheus.CounterVec
	seconds     *prometheus.HistogramVec
	refused     *prometheus.CounterVec
	panics      prometheus.Counter
	connections prometheus.Gauge
	dropped     prometheus.Counter
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "goc_http_requests_total", Help: "Requests answered."}, []string{"route", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "goc_http_request_seconds", Help: "Time to answer a request.",
			Buckets: []float64{0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10},
		}, []string{"route"}),
		refused:     prometheus.NewCounterVec(prometheus.CounterOpts{Name: "goc_http_refused_total", Help: "Requests refused for want of a token or role."}, []string{"reason"}),
		panics:      prometheus.NewCounter(prometheus.CounterOpts{Name: "goc_http_panics_total", Help: "Requests whose handler panicked."}),
		connections: prometheus.NewGauge(prometheus.GaugeOpts{Name: "goc_live_connections", Help: "Live connections open now."}),
		dropped:     prometheus.NewCounter(prometheus.CounterOpts{Name: "goc_live_dropped_total", Help: "Times a live connection was too slow and lost its backlog."}),
	}
	r.MustRegister(m.requests, m.seconds, m.refused, m.panics, m.connections, m.dropped)
	return m
}

// observe measures each request and turns a panic into a 500 with an id.
func (s *Server) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		sw := &statusWriter{ResponseWriter: w}
		defer func() {
			if v := recover(); v != nil {
				s.recovered(sw, r, v)
			}
			route := r.Pattern // the mux has set it; of an unknown path it is "/"
			if route == "" {
				route = "none"
			}
			s.metrics.requests.WithLabelValues(route, strconv.Itoa(sw.code())).Inc()
			if sw.status != http.StatusSwitchingProtocols {
				s.metrics.seconds.WithLabelValues(route).Observe(time.Since(began).Seconds())
			}
		}()
		next.ServeHTTP(sw, r)
	})
}

// recovered logs a panic and answers, when nothing was answered yet.
func (s *Server) recovered(w *statusWriter, r *http.Request, v any) {
	if v == http.ErrAbortHandler {
		panic(v)
	}
	s.metrics.panics.Inc()
	id, _ := newSecret()
	s.o.Logger.Error("request panicked", slog.String("instance", id), slog.String("route", r.Pattern), slog.Any("panic", v), slog.String("stack", string(debug.Stack())))
	if w.status != 0 {
		return
	}
	p := problemOf(fmt.Errorf("panic"))
	p.Instance = "urn:goc:error:" + id
	p.write(w)
}

// protect sets the headers that keep a browser from doing what no page of ours needs.
func (s *Server) protect(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		if strings.HasPrefix(r.URL.Path, "/api/") {
			h.Set("Cache-Control", "no-store")
		}
		next.ServeHTTP(w, r)
	})
}

// compress packs answers for clients that can unpack them. Upgrades and files, which bring their own, go through.
func compress(next http.Handler) http.Handler {
	wrap, err := gzhttp.NewWrapper(gzhttp.MinSize(1400), gzhttp.EnableZstd(false), gzhttp.ContentTypes([]string{
		"application/json", "application/problem+json", "application/openapi+json", "text/markdown",
	}))
	if err != nil {
		panic("web: the compression's options are wrong: " + err.Error())
	}
	packed := wrap(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/api/v1/") && r.Header.Get("Upgrade") == "" {
			packed.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// statusWriter notes the status that was sent.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// Hijack lets the live feed take the connection over.
func (w *statusWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	w.status = http.StatusSwitchingProtocols
	return http.NewResponseController(w.ResponseWriter).Hijack()
}

// Unwrap lets http.ResponseController find the connection.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *statusWriter) code() int {
	if w.status == 0 {
		return http.StatusOK
	}
	return w.status
}
