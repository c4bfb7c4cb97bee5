package metrics_test

import (
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/api"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"go.yaml.in/yaml/v3"

	"goc/collectors/metrics"
	"goc/ops"
)

// at is the time of the last sample that filled writes.
var at = time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)

// filled is a service whose store has five minutes of goc_indicator and of up, a sample every 15 s.
func filled(t testing.TB, o metrics.Options) *metrics.Service {
	t.Helper()
	o.Now = func() time.Time { return at }
	s := open(t, o)
	app := s.Appender(t.Context())
	for i := range 21 {
		ms := at.Add(time.Duration(i-20) * 15 * time.Second).UnixMilli()
		for _, store := range []string{"SH-001", "SH-002"} {
			l := labels.FromStrings("__name__", "goc_indicator", "indicator", "success_ratio", "service", "pay", "store", store)
			if _, err := app.Append(0, l, ms, float64(i)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := app.Append(0, labels.FromStrings("__name__", "up", "job", "node"), ms, 1); err != nil {
			t.Fatal(err)
		}
	}
	if err := app.Commit(); err != nil {
		t.Fatal(err)
	}
	return s
}

// serve puts the read API where Prometheus has it, and wants the bearer token when there is one.
func serve(t testing.TB, s *metrics.Service, token string) *httptest.Server {
	h := s.Handler()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if token != "" && r.Header.Get("Authorization") != "Bearer "+token {
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		h.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	return srv
}

func client(t testing.TB, url string) v1.API {
	c, err := api.NewClient(api.Config{Address: url})
	if err != nil {
		t.Fatal(err)
	}
	return v1.NewAPI(c)
}

func TestPrometheusOwnClientReadsTheEmbeddedStore(t *testing.T) {
	reg := prometheus.NewRegistry()
	readsAsPrometheus(t, serve(t, filled(t, metrics.Options{Registerer: reg, Gatherer: reg}), "").URL)
}

func TestPrometheusOwnClientReadsARemoteStoreThroughUs(t *testing.T) {
	reg := prometheus.NewRegistry()
	behind := serve(t, filled(t, metrics.Options{Registerer: reg, Gatherer: reg}), "secret")
	front := open(t, metrics.Options{Config: metrics.Config{
		Remote: behind.URL, RemoteAuth: metrics.RemoteAuth{BearerToken: "secret"},
	}, Now: func() time.Time { return at }})
	// goc_indicator is asked of our own store, which has none here: only up is behind.
	points, err := front.Query(t.Context(), `up`, time.Time{})
	if err != nil || len(points) != 1 || points[0].Labels["job"] != "node" {
		t.Errorf("up is %v, %v", points, err)
	}
	curves, err := front.QueryRange(t.Context(), `up`, at.Add(-time.Minute), at, 15*time.Second)
	if err != nil || len(curves) != 1 || len(curves[0].Values) != 5 {
		t.Errorf("a minute of up is %v, %v", curves, err)
	}
	if points, err := front.Query(t.Context(), `goc_indicator`, time.Time{}); err != nil || len(points) != 0 {
		t.Errorf("goc_indicator is %v, %v", points, err)
	}
	values, _, _, err := client(t, serve(t, front, "").URL).LabelValues(t.Context(), "store", nil, time.Time{}, time.Time{})
	if err != nil || fmt.Sprint(values) != "[SH-001 SH-002]" {
		t.Errorf("stores behind us are %v, %+v", values, err)
	}
}

func readsAsPrometheus(t *testing.T, url string) {
	t.Helper()
	ctx, c := t.Context(), client(t, url)
	vector, _, _, err := c.Query(ctx, `goc_indicator{store="SH-001"} / 2`, at)
	if err != nil || vector.String() != `{indicator="success_ratio", service="pay", store="SH-001"} => 10 @[1795161600]` {
		t.Errorf("query: %v, %v", vector, err)
	}
	matrix, _, _, err := c.QueryRange(ctx, `sum(goc_indicator)`, v1.Range{Start: at.Add(-time.Minute), End: at, Step: 30 * time.Second})
	if err != nil || matrix.String() != "{} =>\n32 @[1795161540]\n36 @[1795161570]\n40 @[1795161600]" {
		t.Errorf("query_range: %v, %v", matrix, err)
	}
	if empty, _, _, err := c.Query(ctx, `nothing`, at); err != nil || empty.Type() != model.ValVector {
		t.Errorf("an empty answer: %v, %v", empty, err)
	}
	if scalar, _, _, err := c.Query(ctx, `1/0`, at); err != nil || scalar.String() != "scalar: +Inf @[1795161600]" {
		t.Errorf("a scalar: %v, %v", scalar, err)
	}
	series, _, _, err := c.Series(ctx, []string{`goc_indicator`, `{store="SH-001"}`}, at.Add(-time.Hour), at)
	if err != nil || len(series) != 2 {
		t.Errorf("series: %v, %v", series, err)
	}
	names, _, _, err := c.LabelNames(ctx, nil, at.Add(-time.Hour), at)
	if err != nil || joined(names) != "__name__, indicator, job, service, store" {
		t.Errorf("labels: %v, %v", names, err)
	}
	values, _, _, err := c.LabelValues(ctx, "store", []string{`goc_indicator{store!="SH-001"}`}, at.Add(-time.Hour), at)
	if err != nil || fmt.Sprint(values) != "[SH-002]" {
		t.Errorf("label values: %v, %v", values, err)
	}
	meta, err := c.Metadata(ctx, "goc_sampler_failures_total", "")
	if err != nil || len(meta) != 1 || meta["goc_sampler_failures_total"][0].Type != v1.MetricTypeCounter {
		t.Errorf("metadata: %v, %v", meta, err)
	}
}

func TestABadRequestIsAnsweredAsPrometheusDoes(t *testing.T) {
	url := serve(t, filled(t, metrics.Options{Config: metrics.Config{QueryMaxSamples: 10}}), "").URL + "/api/v1"
	for request, want := range map[string]string{
		"/query?query=up+%3D%3D":                                  `400 {"status":"error","errorType":"bad_data","error":"invalid parameter \"query\"`,
		"/query":                                                  "400",
		"/query?query=up&time=yesterday":                          `400 {"status":"error","errorType":"bad_data","error":"invalid parameter \"time\"`,
		"/query?query=" + strings.Repeat("a", 17<<10):             "400",
		"/query_range?query=up&start=0&end=1&step=0":              "400",
		"/query_range?query=up&start=2&end=1&step=1":              "400",
		"/query_range?query=up&start=0&end=99999999&step=1":       "400",
		"/query_range?query=up&end=1&step=1":                      "400",
		"/query?time=1795161600&query=sum(sum_over_time(up[5m]))": `422 {"status":"error","errorType":"execution"`,
		"/series":             "400",
		"/series?match[]={":   "400",
		"/labels?limit=x":     "400",
		"/labels?limit=1":     `200 {"status":"success","data":["__name__"]}`,
		"/label/a%FFb/values": "400",

		"/query?time=1795161600&query=vector(1)%20and%20nosuch": `200 {"status":"success","data":{"resultType":"vector","result":[]}}`,
		"/query?time=1795161600&query=%22text%22":               `200 {"status":"success","data":{"resultType":"string","result":[1795161600,"text"]}}`,

		"/status/buildinfo":         "200",
		"/admin/tsdb/delete_series": "404",
		"/metadata":                 `200 {"status":"success","data":{}}`,
		"/query?time=1795161600&query=count_over_time(up[1m])%20-1": `200`,
	} {
		resp, err := http.Get(url + request)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if got := fmt.Sprintf("%d %s", resp.StatusCode, body); !strings.HasPrefix(got, want) {
			t.Errorf("%.60s gives %s, want %s", request, got, want)
		}
	}
	resp, err := http.Post(url+"/query", "application/x-www-form-urlencoded", io.LimitReader(endless{}, 100<<20))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusBadRequest {
		t.Errorf("a body of 100 MB gives %d", resp.StatusCode)
	}
}

type endless struct{}

func (endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 'a'
	}
	return len(b), nil
}

func TestQueriesSayWhoseFaultAnErrorIs(t *testing.T) {
	s := filled(t, metrics.Options{})
	gone := open(t, metrics.Options{Config: metrics.Config{Remote: "http://127.0.0.1:1"}})
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		err  func() error
		want ops.Kind
	}{
		"does not parse":         {func() error { _, err := s.Query(t.Context(), "up ==", at); return err }, ops.Invalid},
		"gives no vector":        {func() error { _, err := s.Query(t.Context(), "up[1m]", at); return err }, ops.Invalid},
		"matches many to many":   {func() error { _, err := s.Query(t.Context(), "up * on (x) goc_indicator", at); return err }, ops.Invalid},
		"asked too late":         {func() error { _, err := s.Query(canceled, "up", at); return err }, ops.Unavailable},
		"remote is gone":         {func() error { _, err := gone.Query(t.Context(), "up", at); return err }, ops.Unavailable},
		"remote, does not parse": {func() error { _, err := gone.Query(t.Context(), "up ==", at); return err }, ops.Invalid},
	} {
		if err := c.err(); ops.KindOf(err) != c.want {
			t.Errorf("%s: %v (%s), want %s", name, err, ops.KindOf(err), c.want)
		}
	}
}

func TestBackfillGivesWhatTheSamplerSaw(t *testing.T) {
	s := filled(t, metrics.Options{})
	got, err := s.Backfill(t.Context(), at.Add(-time.Minute), at, 30*time.Second)
	if err != nil || len(got) != 6 {
		t.Fatalf("%v, %v", got, err)
	}
	want := ops.Sample{At: ops.At(at), Indicator: "success_ratio", Service: "pay", Store: got[5].Store, Value: 20}
	if got[5].At.UnixMilli() != want.At.UnixMilli() || got[5].Value != 20 || got[5].Service != "pay" || got[0].At.After(got[1].At.Time) {
		t.Errorf("%+v", got)
	}
}

// indicatorOf gives the embedded store's goc_indicator, by store.
func indicatorOf(t testing.TB, s *metrics.Service, at time.Time) map[string]float64 {
	points, err := s.Query(t.Context(), "goc_indicator", at)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for _, p := range points {
		out[p.Labels["store"]] = p.Value
	}
	return out
}

func TestASeriesThatIsGoneIsGoneAtTheNextTick(t *testing.T) {
	s := open(t, metrics.Options{
		Now:    func() time.Time { return at },
		Config: metrics.Config{IndicatorLimit: 2},
		Catalog: catalog(t, ops.Service{Name: "pay", Indicators: []ops.Indicator{{
			Name: "success_ratio",
			Expr: `label_replace(vector(time() % 60 < bool 30) > 0, "store", "SH-001", "", "") or label_replace(vector(2), "store", "SH-002", "", "") or label_replace(vector(3), "store", "SH-003", "", "") or label_replace(vector(1/0), "store", "SH-004", "", "")`,
		}}}),
	})
	s.SampleOnce(t.Context(), at)
	if got := indicatorOf(t, s, at); fmt.Sprint(got) != "map[SH-001:1 SH-002:2]" {
		t.Errorf("first tick: %v; two of three finite series are within the limit", got)
	}
	later := at.Add(30 * time.Second)
	s.SampleOnce(t.Context(), later)
	if got := indicatorOf(t, s, later); fmt.Sprint(got) != "map[SH-002:2 SH-003:3]" {
		t.Errorf("second tick: %v", got)
	}
}

func TestAConfigurationThatCannotWorkIsRefusedWithItsPlace(t *testing.T) {
	for text, want := range map[string]string{
		"sample_interval: 1ms":                                                   "metrics.sample_interval",
		"retention: 1m":                                                          "metrics.retention",
		"query_max_samples: -1":                                                  "metrics.query_max_samples",
		"remote: prometheus:9090":                                                "metrics.remote",
		"remote_auth: {bearer_token: x}":                                         "metrics.remote_auth",
		"remote: http://a\nscrape_configs: [{job_name: a}]":                      "metrics.remote",
		"remote: http://a\nremote_auth: {bearer_token: x, username: y}":          "metrics.remote_auth",
		"scrape_configs: {job_name: a}":                                          "metrics.scrape_configs",
		"# one\n# two\nscrape_configs:\n- job_name: a\n  scrape_intervall: 1s":   "line 5: field scrape_intervall not found",
		"scrape_configs:\n- job_name: a\n- job_name: a":                          "multiple scrape configs with job name",
		"scrape_configs:\n- static_configs: [{targets: ['a']}]":                  "job_name is empty",
		"scrape_configs:\n- job_name: a\n  kubernetes_sd_configs: [{role: pod}]": "kubernetes_sd_configs",
		"global: {sample_limit: -5}":                                             "metrics.global.sample_limit",
	} {
		var c metrics.Config
		if err := yaml.Unmarshal([]byte(text), &c); err != nil {
			t.Fatal(err)
		}
		if err := c.Validate(); ops.KindOf(err) != ops.Invalid || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	if err := (metrics.Config{}).Validate(); err != nil {
		t.Errorf("the empty configuration: %v", err)
	}
}

func TestASecondProcessOnTheSameFolderIsRefused(t *testing.T) {
	dir := t.TempDir()
	open(t, metrics.Options{Dir: dir})
	_, err := metrics.Open(t.Context(), metrics.Options{Dir: dir})
	if ops.KindOf(err) != ops.Unavailable || !strings.Contains(err.Error(), dir) {
		t.Errorf("%v", err)
	}
}

func TestWhatWasWrittenIsThereAfterARestart(t *testing.T) {
	dir := t.TempDir()
	s, err := metrics.Open(t.Context(), metrics.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	app := s.Appender(t.Context())
	if _, err := app.Append(0, labels.FromStrings("__name__", "x"), at.UnixMilli(), math.Pi); err != nil {
		t.Fatal(err)
	}
	if err := app.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	points, err := open(t, metrics.Options{Dir: dir}).Query(t.Context(), "x", at)
	if err != nil || len(points) != 1 || points[0].Value != math.Pi {
		t.Errorf("%v, %v", points, err)
	}
}

func joined[T ~string](names []T) string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = string(n)
	}
	return strings.Join(out, ", ")
}
