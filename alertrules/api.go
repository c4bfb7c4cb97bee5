package alertrules

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/rules"
)

// The JSON of Prometheus' /api/v1/rules and /api/v1/alerts (web/api/v1), which Grafana and promtool read.
type (
	// RuleGroup is one group of rules with the state of each.
	RuleGroup struct {
		Name           string    `json:"name"`
		File           string    `json:"file"`
		Rules          []any     `json:"rules"` // AlertingRule or RecordingRule, in order
		Interval       float64   `json:"interval"`
		Limit          int       `json:"limit"`
		EvaluationTime float64   `json:"evaluationTime"`
		LastEvaluation time.Time `json:"lastEvaluation"`
	}

	// AlertingRule is a rule that gives alerts; State is that of its worst.
	AlertingRule struct {
		State          string           `json:"state"`
		Name           string           `json:"name"`
		Query          string           `json:"query"`
		Duration       float64          `json:"duration"`
		KeepFiringFor  float64          `json:"keepFiringFor"`
		Labels         labels.Labels    `json:"labels"`
		Annotations    labels.Labels    `json:"annotations"`
		Alerts         []ActiveAlert    `json:"alerts"`
		Health         rules.RuleHealth `json:"health"`
		LastError      string           `json:"lastError,omitempty"`
		EvaluationTime float64          `json:"evaluationTime"`
		LastEvaluation time.Time        `json:"lastEvaluation"`
		Type           string           `json:"type"` // alerting
	}

	// RecordingRule is a rule that gives a series.
	RecordingRule struct {
		Name           string           `json:"name"`
		Query          string           `json:"query"`
		Labels         labels.Labels    `json:"labels"`
		Health         rules.RuleHealth `json:"health"`
		LastError      string           `json:"lastError,omitempty"`
		EvaluationTime float64          `json:"evaluationTime"`
		LastEvaluation time.Time        `json:"lastEvaluation"`
		Type           string           `json:"type"` // recording
	}

	// ActiveAlert is an alert that is pending or firing.
	ActiveAlert struct {
		Labels          labels.Labels `json:"labels"`
		Annotations     labels.Labels `json:"annotations"`
		State           string        `json:"state"`
		ActiveAt        *time.Time    `json:"activeAt,omitempty"`
		KeepFiringSince *time.Time    `json:"keepFiringSince,omitempty"`
		Value           string        `json:"value"`
	}
)

// Rules lists all groups with the state of their rules, by file and name. There are none before Run.
func (s *Service) Rules() []RuleGroup { return s.list(filter{alerting: true, recording: true}) }

// Alerts lists what is pending or firing.
func (s *Service) Alerts() []ActiveAlert {
	out := []ActiveAlert{}
	for _, g := range s.manager.RuleGroups() {
		for _, r := range g.AlertingRules() {
			out = append(out, activeAlerts(r)...)
		}
	}
	return out
}

// filter is what a client wants of the list.
type filter struct {
	alerting, recording  bool
	groups, files, names []string // any of; empty means all
}

func (s *Service) list(f filter) []RuleGroup {
	out := []RuleGroup{}
	for _, g := range s.manager.RuleGroups() {
		if !wanted(f.groups, g.Name()) || !wanted(f.files, g.File()) {
			continue
		}
		group := RuleGroup{
			Name: g.Name(), File: g.File(), Interval: g.Interval().Seconds(), Limit: g.Limit(),
			EvaluationTime: g.GetEvaluationTime().Seconds(), LastEvaluation: g.GetLastEvaluation(),
		}
		for _, r := range g.Rules() {
			if !wanted(f.names, r.Name()) {
				continue
			}
			if shown := f.show(r); shown != nil {
				group.Rules = append(group.Rules, shown)
			}
		}
		if len(group.Rules) > 0 {
			out = append(out, group)
		}
	}
	return out
}

func wanted(list []string, v string) bool { return len(list) == 0 || slices.Contains(list, v) }

func (f filter) show(rule rules.Rule) any {
	lastError := ""
	if err := rule.LastError(); err != nil {
		lastError = err.Error()
	}
	switch r := rule.(type) {
	case *rules.AlertingRule:
		if !f.alerting {
			return nil
		}
		return AlertingRule{
			State: r.State().String(), Name: r.Name(), Query: r.Query().String(),
			Duration: r.HoldDuration().Seconds(), KeepFiringFor: r.KeepFiringFor().Seconds(),
			Labels: r.Labels(), Annotations: r.Annotations(), Alerts: activeAlerts(r),
			Health: r.Health(), LastError: lastError, Type: "alerting",
			EvaluationTime: r.GetEvaluationDuration().Seconds(), LastEvaluation: r.GetEvaluationTimestamp(),
		}
	case *rules.RecordingRule:
		if !f.recording {
			return nil
		}
		return RecordingRule{
			Name: r.Name(), Query: r.Query().String(), Labels: r.Labels(), Health: r.Health(), LastError: lastError, Type: "recording",
			EvaluationTime: r.GetEvaluationDuration().Seconds(), LastEvaluation: r.GetEvaluationTimestamp(),
		}
	}
	return nil
}

func activeAlerts(r *rules.AlertingRule) []ActiveAlert {
	out := []ActiveAlert{}
	for _, a := range r.ActiveAlerts() {
		active := ActiveAlert{
			Labels: a.Labels, Annotations: a.Annotations, State: a.State.String(),
			ActiveAt: &a.ActiveAt, Value: strconv.FormatFloat(a.Value, 'e', -1, 64),
		}
		if !a.KeepFiringSince.IsZero() {
			active.KeepFiringSince = &a.KeepFiringSince
		}
		out = append(out, active)
	}
	return out
}

// RulesHandler serves /prometheus/api/v1/rules.
func (s *Service) RulesHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		kind := strings.ToLower(q.Get("type"))
		if kind != "" && kind != "alert" && kind != "record" {
			answer(w, http.StatusBadRequest, map[string]any{"status": "error", "errorType": "bad_data", "error": `invalid parameter "type": must be alert or record`})
			return
		}
		groups := s.list(filter{
			alerting: kind != "record", recording: kind != "alert",
			groups: q["rule_group[]"], files: q["file[]"], names: q["rule_name[]"],
		})
		answer(w, http.StatusOK, map[string]any{"status": "success", "data": map[string]any{"groups": groups}})
	})
}

// AlertsHandler serves /prometheus/api/v1/alerts.
func (s *Service) AlertsHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer(w, http.StatusOK, map[string]any{"status": "success", "data": map[string]any{"alerts": s.Alerts()}})
	})
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // fails only when the client has gone
}
