package intake

import (
	"context"
	"maps"
	"net/http"
	"strconv"
	"time"

	"goc/ops"
)

// format is one product's way to send alerts: a pure function from a body to what it says.
type format struct {
	name, product string
	parse         func(body []byte) ([]said, error)
}

// formats are the alert webhooks that are understood, each at /hooks/alerts/{name}.
var formats = [...]format{
	{"alertmanager", "Alertmanager", parseAlertmanager},
	{"prometheus", "Prometheus", parsePrometheus},
	{"grafana", "Grafana", parseGrafana},
	{"cloudwatch", "Amazon CloudWatch (through SNS)", parseCloudWatch},
	{"datadog", "Datadog", parseDatadog},
	{"sentry", "Sentry", parseSentry},
}

// said is what a webhook says of one alert.
type said struct {
	labels, annotations map[string]string
	starts, ends        ops.Time
	resolved            bool
	url                 string
	// key is the label by which the sender means the same alert again, whatever else it says of it; "" when its labels
	// are always the same.
	key string
}

// alert makes the alert of what was said. known is the firing alert that it continues, nil when there is none.
func (a said) alert(known *ops.IncidentAlert, source string, now time.Time, hold time.Duration) ops.Alert {
	out := ops.Alert{Labels: withoutEmpty(a.labels), Annotations: withoutEmpty(a.annotations), StartsAt: a.starts, EndsAt: a.ends, GeneratorURL: a.url, Source: source, UpdatedAt: ops.At(now)}
	if known != nil {
		out.Labels, out.StartsAt = maps.Clone(known.Labels), known.StartsAt
	}
	if out.StartsAt.IsZero() || out.StartsAt.After(now) {
		out.StartsAt = ops.At(now)
	}
	switch {
	case !a.resolved && a.ends.IsZero():
		out.EndsAt = ops.At(now.Add(hold))
	case !a.resolved: // it says itself when it counts as over
	case out.EndsAt.IsZero() || out.EndsAt.After(now):
		out.EndsAt = ops.At(now)
	}
	if out.EndsAt.Before(out.StartsAt.Time) {
		out.StartsAt = out.EndsAt
	}
	return withStatus(out, now)
}

// outcome is the answer to a hook that brings alerts.
type outcome struct {
	Accepted int            `json:"accepted"`
	Rejected []ops.Rejected `json:"rejected"`
	Ignored  int            `json:"ignored,omitempty"` // of those accepted, that came to nothing
}

// alertHook takes one format. The good alerts of a body count; a body without any that is good is an error.
func (s *Service) alertHook(f format) func(*http.Request, ops.Principal, []byte) (any, error) {
	return func(r *http.Request, _ ops.Principal, body []byte) (any, error) {
		list, err := f.parse(body)
		if err != nil {
			return nil, err
		}
		if len(list) > ops.MaxAlertsBatch {
			return nil, ops.Errorf(ops.TooLarge, "may hold at most %d alerts", ops.MaxAlertsBatch).At("body")
		}
		return s.hear(r.Context(), f.name, list)
	}
}

// hear hands on what a webhook said.
func (s *Service) hear(ctx context.Context, source string, list []said) (outcome, error) {
	out := outcome{Rejected: []ops.Rejected{}}
	firing, err := s.firing(ctx, list)
	if err != nil {
		return out, err
	}
	now := s.now()
	var alerts []ops.Alert
	var of []int
	dropped := 0
	for i, a := range list {
		var known *ops.IncidentAlert
		if a.key != "" {
			if known = firing[[2]string{a.key, a.labels[a.key]}]; known == nil && a.resolved {
				dropped++ // it ended, and nobody here knows that it had begun
				continue
			}
		}
		alert := a.alert(known, source, now, time.Duration(s.cfg.HookHold))
		if err := alert.Validate("body.alerts[" + strconv.Itoa(i) + "]"); err != nil {
			out.Rejected = append(out.Rejected, ops.Rejected{Index: i, Reason: err.Error()})
			continue
		}
		alerts, of = append(alerts, alert), append(of, i)
	}
	rejected, err := s.receive(ctx, source, alerts)
	if err != nil {
		return out, err
	}
	for _, rej := range rejected {
		out.Rejected = append(out.Rejected, ops.Rejected{Index: of[rej.Index], Reason: rej.Reason})
	}
	s.refused.WithLabelValues(source).Add(float64(len(out.Rejected)))
	if out.Accepted = len(alerts) - len(rejected) + dropped; out.Accepted == 0 && len(out.Rejected) > 0 {
		return out, ops.Errorf(ops.Invalid, "%s", joined(out.Rejected)).At("body")
	}
	return out, nil
}

// firing finds the alerts that are known by the keys of the list.
func (s *Service) firing(ctx context.Context, list []said) (map[[2]string]*ops.IncidentAlert, error) {
	names := map[string]bool{}
	for _, a := range list {
		if a.key != "" {
			names[a.key] = true
		}
	}
	if len(names) == 0 {
		return nil, nil
	}
	all, err := s.alerts.Alerts(ctx)
	if err != nil {
		return nil, err
	}
	out := map[[2]string]*ops.IncidentAlert{}
	for i := range all {
		for name := range names {
			if v := all[i].Labels[name]; v != "" {
				out[[2]string{name, v}] = &all[i]
			}
		}
	}
	return out, nil
}
