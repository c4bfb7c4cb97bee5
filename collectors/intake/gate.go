package intake

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"goc/ops"
)

// Gate is who decides whether a change may go out, for the products that ask in their own format.
type Gate interface {
	// Check decides; the decision is on disk when it returns.
	Check(ctx context.Context, who ops.Principal, r ops.GateRequest) (ops.Decision, error)
	// Consider decides likewise and records nothing.
	Consider(ctx context.Context, who ops.Principal, r ops.GateRequest) (ops.Decision, error)
	Freezes(ctx context.Context) ([]ops.Freeze, error)
	Calendar(ctx context.Context, from, to time.Time) ([]ops.FreezeSpan, error)
}

// gateFunc answers a product's question with a status and a body.
type gateFunc func(r *http.Request, who ops.Principal, body []byte) (code int, answer any, err error)

// gateHook reads the body and answers what fn answers, as JSON.
func (s *Service) gateHook(format string, fn gateFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := readBody(w, r, MaxHookBody)
		var code int
		var answer any
		if err == nil {
			code, answer, err = fn(r, s.who(r), body)
		}
		if err != nil {
			s.refused.WithLabelValues(format).Inc()
			s.problem(w, r, err)
			return
		}
		if d, ok := answer.(ops.Decision); ok && d.RetryAfterS > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(d.RetryAfterS))
		}
		writeJSON(w, code, answer)
	})
}

// explain says a decision in one line: the verdict, its reasons, and when to ask again.
func explain(d ops.Decision) string {
	var parts []string
	for _, r := range d.Reasons {
		if r.Effect == d.Decision || d.Decision == ops.EffectDeny && r.Effect == ops.EffectWait {
			parts = append(parts, r.Rule+": "+r.Message)
		}
	}
	text := map[string]string{ops.EffectAllow: "allowed", ops.EffectDeny: "denied", ops.EffectWait: "wait"}[d.Decision]
	if len(parts) > 0 {
		text += ": " + strings.Join(parts, "; ")
	}
	if d.RetryAfterS > 0 {
		text += "; ask again in " + (time.Duration(d.RetryAfterS) * time.Second).String()
	}
	return text
}

// cut shortens text to at most n bytes, at a whole character.
func cut(text string, n int) string {
	if len(text) <= n {
		return text
	}
	return strings.ToValidUTF8(text[:n-len("…")], "") + "…"
}

// gateMounts lists the handlers of those that ask the gate; none without one.
func (s *Service) gateMounts() []Mount {
	if s.gate == nil {
		return nil
	}
	senders := []ops.Role{ops.Sender, ops.CI}
	out := []Mount{
		{Pattern: "POST /hooks/kubernetes/admission", Roles: senders, Handler: s.gateHook("kubernetes", s.admission), Summary: "Kubernetes AdmissionReview v1: may this object change now"},
		{Pattern: "POST /hooks/azure", Roles: senders, Handler: s.gateHook("azure", s.azure), Summary: "Azure DevOps' Invoke REST API check: may this go out; the answer goes to its callback"},
		{Pattern: "POST /hooks/flagger/{hook}", Roles: senders, Handler: s.gateHook("flagger", s.flagger), Summary: "Flagger's webhooks: may the canary go on"},
		{
			Pattern: "GET /api/v1/freezes/configmap", Roles: []ops.Role{ops.Viewer, ops.Responder, ops.Commander, ops.CI}, Handler: http.HandlerFunc(s.configMap),
			Summary: "Freeze windows as a Kubernetes ConfigMap, for a cluster to hold to while this program is down",
		},
	}
	if s.kubernetes != "" {
		out = append(out, Mount{Pattern: "POST /hooks/kubernetes/admission/{key}", Public: true, Handler: s.gateHook("kubernetes", s.keyedAdmission), Summary: "The same, with the key of hooks.kubernetes in the path"})
	}
	return out
}
