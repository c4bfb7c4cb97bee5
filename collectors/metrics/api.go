package metrics

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httputil"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"goc/ops"
)

// maxForm is the size of a request's body: long expressions come by POST.
const maxForm = 1 << 20

// Handler serves Prometheus' read API: /query, /query_range, /series, /labels, /label/{name}/values, /metadata and
// /status/buildinfo, with or without /api/v1 before them; the caller has taken off what stands before that. (Prometheus' own package
// for it, web/api/v1, brings an OpenAPI generator and 143 packages more, and is not in go.sum; the answers here have
// its JSON, made by the engine's own types.) With a remote store, what is not ours is passed on to it.
func (s *Service) Handler() http.Handler {
	mux := http.NewServeMux()
	for path, h := range map[string]func(*http.Request) (any, error){
		"/query":               s.serveQuery,
		"/query_range":         s.serveRange,
		"/series":              s.serveSeries,
		"/labels":              s.serveLabels,
		"/label/{name}/values": s.serveValues,
		"/metadata":            s.serveMetadata,
		"/status/buildinfo":    serveBuildInfo,
	} {
		mux.Handle("GET "+path, s.answering(h))
		if path != "/metadata" && path != "/status/buildinfo" {
			mux.Handle("POST "+path, s.answering(h))
		}
	}
	var h http.Handler = mux
	if s.remote != nil {
		h = s.passing(mux)
	}
	bare := http.StripPrefix("/api/v1", h)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/api/v1/") {
			bare.ServeHTTP(w, r)
		} else {
			h.ServeHTTP(w, r)
		}
	})
}

// envelope is what every answer of Prometheus' API is wrapped in.
type envelope struct {
	Status    string `json:"status"`
	Data      any    `json:"data,omitempty"`
	ErrorType string `json:"errorType,omitempty"`
	Error     string `json:"error,omitempty"`
}

func (s *Service) answering(h func(*http.Request) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		data, err := any(nil), r.ParseForm()
		if err == nil {
			data, err = h(r)
		} else {
			err = ops.Errorf(ops.Invalid, "%w", err)
		}
		status, body := http.StatusOK, envelope{Status: "success", Data: data}
		if err != nil {
			status, body = failure(err)
		}
		encoded, err := json.Marshal(body)
		if err != nil {
			status, encoded = http.StatusInternalServerError, []byte(`{"status":"error","errorType":"internal","error":"the answer cannot be written as JSON"}`)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = w.Write(encoded) // fails only when the client has gone
	})
}

// failure is Prometheus' status and body for an error.
func failure(err error) (int, envelope) {
	status, kind := http.StatusInternalServerError, "internal"
	var e *ops.Error
	switch errors.As(err, &e); ops.KindOf(err) {
	case ops.Invalid:
		status, kind = http.StatusBadRequest, "bad_data"
	case ops.TooLarge:
		status, kind = http.StatusUnprocessableEntity, "execution"
	case ops.Unavailable:
		status, kind = http.StatusServiceUnavailable, "timeout"
	}
	text := err.Error()
	if e != nil && e.Location != "" {
		text = fmt.Sprintf("invalid parameter %q: %s", e.Location, e.Message)
	}
	return status, envelope{Status: "error", ErrorType: kind, Error: text}
}

type queryData struct {
	ResultType parser.ValueType `json:"resultType"`
	Result     parser.Value     `json:"result"`
}

func (s *Service) serveQuery(r *http.Request) (any, error) {
	at, err := timeParam(r, "time", s.now())
	if err != nil {
		return nil, err
	}
	value, err := s.instant(r.Context(), r.FormValue("query"), at)
	if err != nil {
		return nil, err
	}
	return queryData{value.Type(), value}, nil
}

func (s *Service) serveRange(r *http.Request) (any, error) {
	from, err := timeParam(r, "start", time.Time{})
	if err != nil {
		return nil, err
	}
	to, err := timeParam(r, "end", time.Time{})
	if err != nil {
		return nil, err
	}
	step, err := durationParam(r.FormValue("step"))
	if err != nil {
		return nil, err
	}
	value, err := s.overRange(r.Context(), r.FormValue("query"), from, to, step)
	if err != nil {
		return nil, err
	}
	return queryData{value.Type(), value}, nil
}

func serveBuildInfo(*http.Request) (any, error) {
	// Grafana asks which flavour answers, to know what it may use.
	return map[string]string{"version": "3.15.0", "revision": "", "branch": "", "buildUser": "", "buildDate": "", "goVersion": ""}, nil
}

// timeParam reads a time as Prometheus' clients send it; zero as the default means that it is required.
func timeParam(r *http.Request, name string, without time.Time) (time.Time, error) {
	text := r.FormValue(name)
	if text == "" && !without.IsZero() {
		return without, nil
	}
	if f, err := strconv.ParseFloat(text, 64); err == nil && f >= -1e11 && f <= 1e11 {
		return time.UnixMilli(int64(f * 1000)).UTC(), nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}, ops.Errorf(ops.Invalid, "a time must be RFC 3339 or Unix seconds").At(name)
	}
	return t, nil
}

func durationParam(text string) (time.Duration, error) {
	if f, err := strconv.ParseFloat(text, 64); err == nil && f > 0 && f < 1e9 {
		return time.Duration(f * float64(time.Second)), nil
	}
	d, err := model.ParseDuration(text)
	if err != nil || d <= 0 {
		return 0, ops.Errorf(ops.Invalid, "a step must be seconds or like 15s, and longer than zero").At("step")
	}
	return time.Duration(d), nil
}

func limitParam(r *http.Request, most int) (int, error) {
	text := r.FormValue("limit")
	if text == "" {
		return most, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, ops.Errorf(ops.Invalid, "a limit must be a whole number of at least 0").At("limit")
	}
	if n == 0 {
		n = most
	}
	return min(n, most), nil
}

// matchersParam reads match[]; each is a set of matchers, and a series that fits any set is meant.
func matchersParam(r *http.Request) ([][]*labels.Matcher, error) {
	var sets [][]*labels.Matcher
	if len(r.Form["match[]"]) > 100 {
		return nil, ops.Errorf(ops.Invalid, "at most 100 selectors").At("match[]")
	}
	for _, text := range r.Form["match[]"] {
		matchers, err := exprParser.ParseMetricSelector(text)
		if err != nil {
			return nil, ops.Errorf(ops.Invalid, "%w", err).At("match[]")
		}
		sets = append(sets, matchers)
	}
	return sets, nil
}

// passing sends to the remote store what is not about our own series.
func (s *Service) passing(local http.Handler) http.Handler {
	proxy := &httputil.ReverseProxy{
		Transport: s.remote.client.Transport,
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(s.remote.base)
			for name := range p.Out.Header {
				if name != "Accept" && name != "Content-Type" {
					p.Out.Header.Del(name) // our own callers' tokens and cookies are not the remote store's business
				}
			}
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			status, body := failure(ops.Errorf(ops.Unavailable, "the remote store does not answer: %w", err))
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_ = json.NewEncoder(w).Encode(body)
		},
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		isQuery := strings.HasPrefix(r.URL.Path, "/query")
		switch {
		case isQuery || r.URL.Path == "/status/buildinfo":
			local.ServeHTTP(w, r) // run decides by the expression
		case !readOnly(r.URL.Path):
			http.NotFound(w, r)
		default:
			r.Body = http.MaxBytesReader(w, r.Body, maxForm)
			proxy.ServeHTTP(w, r)
		}
	})
}

func readOnly(path string) bool {
	return path == "/series" || path == "/labels" || path == "/metadata" ||
		strings.HasPrefix(path, "/label/") && strings.HasSuffix(path, "/values") && !strings.Contains(path, "..")
}
