package intake

import (
	"net/http"
	"slices"

	"goc/ops"
)

// flaggerPayload is what Flagger sends with each of its hooks.
type flaggerPayload struct {
	Name      text  `json:"name"`
	Namespace text  `json:"namespace"`
	Phase     text  `json:"phase"`
	Checksum  text  `json:"checksum"`
	Metadata  loose `json:"metadata"`
}

// Flagger's hooks: those that hold a canary back until they are answered 2xx, and those that only tell.
var (
	flaggerGates = []string{"confirm-rollout", "pre-rollout", "rollout", "confirm-traffic-increase", "confirm-promotion"}
	flaggerTells = []string{"post-rollout", "event"}
)

// undoing are the rules for which a canary under way is rolled back: the harm is being done now.
var undoing = []string{"red_line", "error_budget"}

// parseFlagger reads a hook's payload as the question to the gate.
func parseFlagger(body []byte, environment string) (ops.GateRequest, error) {
	var p flaggerPayload
	if err := decode(body, &p); err != nil {
		return ops.GateRequest{}, err
	}
	if p.Name == "" {
		return ops.GateRequest{}, ops.Errorf(ops.Invalid, "must name the canary").At("body.name")
	}
	m := func(key string) text { return text(p.Metadata[key]) }
	c := ops.Change{
		Kind: ops.ChangeKind(first(m("kind"), text(ops.KindRelease))), Source: "flagger", Title: cut("Canary "+string(p.Namespace)+"/"+string(p.Name), 200),
		Service: first(m("service"), p.Name), Version: first(m("version"), p.Checksum), Environment: first(text(environment), m("environment"), "production"),
		Risk: string(m("risk")), Labels: withoutEmpty(map[string]string{"namespace": string(p.Namespace)}),
	}
	for _, key := range []string{"store", "city", "region"} {
		if v := m(key); v != "" {
			*c.Scope.Key(key) = []string{string(v)}
		}
	}
	return ops.GateRequest{ChangeID: string(m("change")), Change: &c}, nil
}

// flagger answers one of Flagger's hooks, by its name in the path. Flagger reads the status and nothing else, and logs
// the body: 2xx goes on, anything else holds; for the hook rollback it is the other way round.
func (s *Service) flagger(r *http.Request, who ops.Principal, body []byte) (int, any, error) {
	hook := r.PathValue("hook")
	if slices.Contains(flaggerTells, hook) {
		return http.StatusOK, ignored("nothing is asked"), nil
	}
	if hook != "rollback" && !slices.Contains(flaggerGates, hook) {
		return 0, nil, ops.Errorf(ops.NotFound, "Flagger has no hook of that name").WithHint("the last part of the path is the hook's type, such as confirm-rollout")
	}
	q, err := parseFlagger(body, s.cfg.Kubernetes.Environment)
	if err != nil {
		return 0, nil, err
	}
	d, err := s.gate.Check(r.Context(), who, q)
	if err != nil {
		return 0, nil, err
	}
	s.taken.WithLabelValues("flagger").Inc()
	if hook == "rollback" {
		return rollbackStatus(d), d, nil
	}
	return strictStatus(d), d, nil
}

// strictStatus is the status of a decision for products that read nothing else.
func strictStatus(d ops.Decision) int {
	switch d.Decision {
	case ops.EffectAllow:
		return http.StatusOK
	case ops.EffectWait:
		return http.StatusTooEarly
	}
	return http.StatusForbidden
}

// rollbackStatus is 200, which rolls back, only while a rule denies that says that harm is being done.
func rollbackStatus(d ops.Decision) int {
	harm := func(r ops.Reason) bool { return r.Effect == ops.EffectDeny && slices.Contains(undoing, r.Rule) }
	if d.Decision == ops.EffectDeny && slices.ContainsFunc(d.Reasons, harm) {
		return http.StatusOK
	}
	return http.StatusForbidden
}
