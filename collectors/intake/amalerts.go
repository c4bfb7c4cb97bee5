package intake

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sort"
	"strconv"
	"strings"
	"time"

	"goc/ops"
)

// postable is an alert as Alertmanager's clients send it.
type postable struct {
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
	StartsAt     ops.Time          `json:"startsAt"`
	EndsAt       ops.Time          `json:"endsAt"`
	GeneratorURL string            `json:"generatorURL"`
}

// alert gives a postable alert its missing times, as Alertmanager does: it starts now, or when it ended; it ends after
// the timeout, unless it is sent again.
func (p postable) alert(now time.Time, timeout time.Duration, source string) ops.Alert {
	a := ops.Alert{Labels: withoutEmpty(p.Labels), Annotations: withoutEmpty(p.Annotations), StartsAt: p.StartsAt, EndsAt: p.EndsAt, GeneratorURL: p.GeneratorURL, Source: source, UpdatedAt: ops.At(now)}
	if a.StartsAt.IsZero() {
		a.StartsAt = ops.At(now)
		if !a.EndsAt.IsZero() && a.EndsAt.Before(now) {
			a.StartsAt = a.EndsAt
		}
	}
	if a.EndsAt.IsZero() {
		a.EndsAt = ops.At(now.Add(timeout))
	}
	return withStatus(a, now)
}

// withStatus sets what follows from an alert's labels and times.
func withStatus(a ops.Alert, now time.Time) ops.Alert {
	a.Fingerprint, a.Status = ops.Fingerprint(a.Labels), ops.Firing
	if !a.EndsAt.After(now) {
		a.Status = ops.Resolved
	}
	return a
}

// withoutEmpty drops labels without a value: they are the same as absent ones.
func withoutEmpty(labels map[string]string) map[string]string {
	for k, v := range labels {
		if v == "" {
			delete(labels, k)
		}
	}
	return labels
}

// parseAlerts reads the body of POST /api/v2/alerts. An alert that cannot be read is refused alone; of[i] is the index
// in the body of alerts[i].
func parseAlerts(body []byte, now time.Time, timeout time.Duration) (alerts []ops.Alert, of []int, rejected []ops.Rejected, err error) {
	dec := json.NewDecoder(bytes.NewReader(body))
	if open, err := dec.Token(); err != nil {
		return nil, nil, nil, badJSON(err, "body")
	} else if open != json.Delim('[') {
		return nil, nil, nil, ops.Errorf(ops.Invalid, "must be a JSON array of alerts").At("body")
	}
	for i := 0; dec.More(); i++ {
		place := "body[" + strconv.Itoa(i) + "]"
		if i == ops.MaxAlertsBatch {
			return nil, nil, nil, ops.Errorf(ops.TooLarge, "may hold at most %d alerts", ops.MaxAlertsBatch).At("body")
		}
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return nil, nil, nil, badJSON(err, place)
		}
		var p postable
		err := json.Unmarshal(raw, &p)
		if err != nil {
			rejected = append(rejected, ops.Rejected{Index: i, Reason: badJSON(err, place).Error()})
			continue
		}
		a := p.alert(now, timeout, "alertmanager")
		if err := a.Validate(place); err != nil {
			rejected = append(rejected, ops.Rejected{Index: i, Reason: err.Error()})
			continue
		}
		alerts, of = append(alerts, a), append(of, i)
	}
	if _, err := dec.Token(); err != nil {
		return nil, nil, nil, badJSON(err, "body")
	}
	return alerts, of, rejected, nil
}

// amPostAlerts answers 200 without a body when all are taken, and 400 with the reasons when some are not: those that
// are good are stored all the same.
func (s *Service) amPostAlerts(w http.ResponseWriter, r *http.Request) {
	body, err := readBody(w, r, MaxAlertsBody)
	if err != nil {
		s.amError(w, err)
		return
	}
	alerts, of, rejected, err := parseAlerts(body, s.now(), time.Duration(s.cfg.ResolveTimeout))
	if err != nil {
		s.amError(w, err)
		return
	}
	more, err := s.receive(r.Context(), "alertmanager", alerts)
	if err != nil {
		s.amError(w, err)
		return
	}
	for _, rej := range more {
		rejected = append(rejected, ops.Rejected{Index: of[rej.Index], Reason: fmt.Sprintf("body[%d]: %s", of[rej.Index], rej.Reason)})
	}
	if len(rejected) > 0 {
		s.refused.WithLabelValues("alertmanager").Add(float64(len(rejected)))
		writeJSON(w, http.StatusBadRequest, joined(rejected))
		return
	}
	w.WriteHeader(http.StatusOK)
}

// joined says why alerts were refused, the first ones one by one.
func joined(rejected []ops.Rejected) string {
	sort.Slice(rejected, func(i, j int) bool { return rejected[i].Index < rejected[j].Index })
	var parts []string
	for i, rej := range rejected {
		if i == maxReported {
			parts = append(parts, fmt.Sprintf("and %d more", len(rejected)-i))
			break
		}
		parts = append(parts, rej.Reason)
	}
	return strings.Join(parts, "; ")
}

// receive hands alerts on and counts them.
func (s *Service) receive(ctx context.Context, source string, alerts []ops.Alert) ([]ops.Rejected, error) {
	if len(alerts) == 0 {
		return nil, nil
	}
	rejected, err := s.alerts.ReceiveAlerts(ctx, source, alerts)
	if err == nil {
		s.taken.WithLabelValues(source).Add(float64(len(alerts) - len(rejected)))
	}
	return rejected, err
}

// amError writes an error as Alertmanager does: a JSON string.
func (s *Service) amError(w http.ResponseWriter, err error) {
	s.refused.WithLabelValues("alertmanager").Inc()
	writeJSON(w, codeOf(err), err.Error())
}

// gettable is an alert as Alertmanager's clients expect it.
type gettable struct {
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
	Receivers    []receiver        `json:"receivers"`
	Fingerprint  string            `json:"fingerprint"`
	StartsAt     ops.Time          `json:"startsAt"`
	UpdatedAt    ops.Time          `json:"updatedAt"`
	EndsAt       ops.Time          `json:"endsAt"`
	Status       gettableStatus    `json:"status"`
	GeneratorURL string            `json:"generatorURL,omitempty"`
}

type gettableStatus struct {
	State       string   `json:"state"` // active, suppressed
	SilencedBy  []string `json:"silencedBy"`
	InhibitedBy []string `json:"inhibitedBy"`
	MutedBy     []string `json:"mutedBy"`
}

type receiver struct {
	Name string `json:"name"`
}

// us is the one receiver that there is.
var us = receiver{Name: "goc"}

func (s *Service) gettable(a ops.IncidentAlert) gettable {
	g := gettable{
		Labels: a.Labels, Annotations: a.Annotations, Receivers: []receiver{us}, Fingerprint: a.Fingerprint, GeneratorURL: a.GeneratorURL,
		StartsAt: a.StartsAt, UpdatedAt: a.UpdatedAt, EndsAt: a.EndsAt,
		Status: gettableStatus{State: "active", SilencedBy: []string{}, InhibitedBy: []string{}, MutedBy: []string{}},
	}
	if g.Annotations == nil {
		g.Annotations = map[string]string{}
	}
	if g.Fingerprint == "" {
		g.Fingerprint = ops.Fingerprint(a.Labels)
	}
	if g.UpdatedAt.IsZero() {
		g.UpdatedAt = g.StartsAt
	}
	if g.EndsAt.IsZero() {
		g.EndsAt = ops.At(s.now().Add(time.Duration(s.cfg.ResolveTimeout)))
	}
	if a.Silenced != "" {
		g.Status.State, g.Status.SilencedBy = "suppressed", []string{a.Silenced}
	}
	return g
}

// selected answers the alerts that a request's parameters select, in the order of their fingerprints.
func (s *Service) selected(r *http.Request) ([]gettable, error) {
	q := r.URL.Query()
	tests, err := parseFilters(q["filter"])
	if err != nil {
		return nil, err
	}
	want := map[string]bool{}
	for _, name := range []string{"active", "silenced", "inhibited", "unprocessed", "muted"} {
		if want[name], err = flag(q.Get(name), name); err != nil {
			return nil, err
		}
	}
	out := []gettable{}
	if ours, err := receives(q.Get("receiver")); err != nil || !ours {
		return out, err
	}
	all, err := s.alerts.Alerts(r.Context())
	if err != nil {
		return nil, err
	}
	for _, a := range all {
		hidden := a.Silenced != ""
		if hidden && !want["silenced"] || !hidden && !want["active"] || hidden && !want["muted"] || !allHold(tests, a.Labels) {
			continue
		}
		out = append(out, s.gettable(a))
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Fingerprint < out[j].Fingerprint })
	return out, nil
}

// flag reads a boolean parameter; absent is true, as in Alertmanager.
func flag(value, name string) (bool, error) {
	if value == "" {
		return true, nil
	}
	b, err := strconv.ParseBool(value)
	if err != nil {
		return false, ops.Errorf(ops.Invalid, "must be true or false").At("query." + name)
	}
	return b, nil
}

// receives says whether the receiver parameter, a regular expression, means us.
func receives(pattern string) (bool, error) {
	if pattern == "" {
		return true, nil
	}
	t, err := compile(ops.Matcher{Name: "receiver", Value: pattern, IsRegex: true, IsEqual: true})
	if err != nil {
		return false, ops.Errorf(ops.Invalid, "is no regular expression (RE2)").At("query.receiver")
	}
	return t.holds(us.Name), nil
}

func (s *Service) amAlerts(w http.ResponseWriter, r *http.Request) {
	out, err := s.selected(r)
	if err != nil {
		s.amError(w, err)
		return
	}
	writeJSON(w, http.StatusOK, out)
}

// alertGroup is alerts of one name.
type alertGroup struct {
	Labels      map[string]string `json:"labels"`
	RouteLabels map[string]string `json:"routeLabels"`
	Receiver    receiver          `json:"receiver"`
	Alerts      []gettable        `json:"alerts"`
}

func (s *Service) amGroups(w http.ResponseWriter, r *http.Request) {
	alerts, err := s.selected(r)
	if err != nil {
		s.amError(w, err)
		return
	}
	by := map[string]*alertGroup{}
	groups := []*alertGroup{}
	for _, a := range alerts {
		name := a.Labels["alertname"]
		g := by[name]
		if g == nil {
			g = &alertGroup{Labels: map[string]string{"alertname": name}, RouteLabels: map[string]string{}, Receiver: us}
			by[name], groups = g, append(groups, g)
		}
		g.Alerts = append(g.Alerts, a)
	}
	sort.Slice(groups, func(i, j int) bool { return groups[i].Labels["alertname"] < groups[j].Labels["alertname"] })
	writeJSON(w, http.StatusOK, groups)
}
