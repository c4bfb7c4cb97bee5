package metrics

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/prometheus/client_golang/api"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	commoncfg "github.com/prometheus/common/config"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"

	"goc/ops"
)

// remote is a Prometheus-compatible query API: Prometheus, Thanos, Mimir, VictoriaMetrics.
type remote struct {
	base   *url.URL // of the API: …/api/v1
	api    v1.API
	client *http.Client
}

func newRemote(c Config) (*remote, error) {
	h := commoncfg.DefaultHTTPClientConfig
	if a := c.RemoteAuth; a.BearerToken != "" || a.BearerTokenFile != "" {
		h.Authorization = &commoncfg.Authorization{Type: "Bearer", Credentials: commoncfg.Secret(a.BearerToken), CredentialsFile: a.BearerTokenFile}
	} else if a.Username != "" {
		h.BasicAuth = &commoncfg.BasicAuth{Username: a.Username, Password: commoncfg.Secret(a.Password), PasswordFile: a.PasswordFile}
	}
	client, err := commoncfg.NewClientFromConfig(h, "metrics.remote")
	if err != nil {
		return nil, ops.Errorf(ops.Invalid, "%w", err).At("metrics.remote_auth")
	}
	a, err := api.NewClient(api.Config{Address: strings.TrimSuffix(c.Remote, "/"), Client: client})
	if err != nil {
		return nil, ops.Errorf(ops.Invalid, "%w", err).At("metrics.remote")
	}
	base, err := url.Parse(strings.TrimSuffix(c.Remote, "/") + "/api/v1")
	if err != nil {
		return nil, ops.Errorf(ops.Invalid, "%w", err).At("metrics.remote")
	}
	return &remote{base: base, api: v1.NewAPI(a), client: client}, nil
}

// run is Service.run on the remote store.
func (r *remote) run(ctx context.Context, expr string, from, to time.Time, step time.Duration) (parser.Value, error) {
	if _, err := exprParser.ParseExpr(expr); err != nil {
		return nil, err
	}
	var value model.Value
	var err error
	if step == 0 {
		value, _, _, err = r.api.Query(ctx, expr, from)
	} else {
		value, _, _, err = r.api.QueryRange(ctx, expr, v1.Range{Start: from, End: to, Step: step})
	}
	if err != nil {
		return nil, remoteError(err)
	}
	return fromModel(value)
}

func remoteError(err error) error {
	var e *v1.Error
	if errors.As(err, &e) && (e.Type == v1.ErrBadData || e.Type == v1.ErrExec) {
		return ops.Errorf(ops.Invalid, "the remote store refuses the expression: %s", e.Msg).At("query")
	}
	return ops.Errorf(ops.Unavailable, "the remote store does not answer: %w", err)
}

// fromModel turns what the API's client returns into the engine's types. Native histograms are left out.
func fromModel(value model.Value) (parser.Value, error) {
	switch v := value.(type) {
	case *model.Scalar:
		return promql.Scalar{T: int64(v.Timestamp), V: float64(v.Value)}, nil
	case *model.String:
		return promql.String{T: int64(v.Timestamp), V: v.Value}, nil
	case model.Vector:
		out := make(promql.Vector, 0, len(v))
		for _, s := range v {
			if s.Histogram == nil {
				out = append(out, promql.Sample{T: int64(s.Timestamp), F: float64(s.Value), Metric: fromMetric(s.Metric)})
			}
		}
		return out, nil
	case model.Matrix:
		out := make(promql.Matrix, len(v))
		for i, s := range v {
			out[i].Metric = fromMetric(s.Metric)
			for _, p := range s.Values {
				out[i].Floats = append(out[i].Floats, promql.FPoint{T: int64(p.Timestamp), F: float64(p.Value)})
			}
		}
		return out, nil
	}
	return nil, ops.Errorf(ops.Unavailable, "the remote store answers with a type that is not known")
}

func fromMetric(m model.Metric) labels.Labels {
	b := labels.NewScratchBuilder(len(m))
	for k, v := range m {
		b.Add(string(k), string(v))
	}
	b.Sort()
	return b.Labels()
}
