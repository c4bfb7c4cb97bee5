package intake

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"goc/ops"
)

// AzureConfig says which organizations of Azure DevOps may ask.
type AzureConfig struct {
	Organizations []string `yaml:"organizations"` // https://dev.azure.com/NAME, or a server's collection; no other is called back
}

// azureWaiting is how long the token of a job is good for.
const azureWaiting = 48 * time.Hour

// azureCall is which check of which job is completed. The token is the job's own and ends with it.
type azureCall struct {
	URL   string `json:"url"`
	Job   string `json:"job"`
	Task  string `json:"task"`
	Token string `json:"token"`
}

var (
	guid    = regexp.MustCompile(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)
	hubName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{0,63}$`)
)

// validate says which organization is none.
func (a AzureConfig) validate() error {
	for _, o := range a.Organizations {
		if !apiURL(o) {
			return ops.Errorf(ops.Invalid, "must be URLs such as https://dev.azure.com/NAME").At("hooks.azure.organizations")
		}
	}
	if len(a.Organizations) > 100 {
		return ops.Errorf(ops.Invalid, "may list at most 100").At("hooks.azure.organizations")
	}
	return nil
}

// azureBody is what the check is configured to send.
type azureBody struct {
	Kind        text `json:"kind"`
	Service     text `json:"service"`
	Version     text `json:"version"`
	Environment text `json:"environment"`
	Risk        text `json:"risk"`
	Author      text `json:"author"`
	Store       text `json:"store"`
	City        text `json:"city"`
	Region      text `json:"region"`
	Change      text `json:"change"`
}

// parseAzure reads the headers of an Invoke REST API check and its body, and builds the address of the callback from
// parts that were checked.
func parseAzure(h http.Header, body []byte, organizations []string) (callback, error) {
	for _, name := range []string{"ProjectId", "PlanId", "JobId", "TaskInstanceId"} {
		if !guid.MatchString(h.Get(name)) {
			return callback{}, ops.Errorf(ops.Invalid, "must be a GUID").At("header." + name).WithHint(`the check's headers must hold "` + name + `": "$(system.…)", see docs/integrations/azure-devops.md`)
		}
	}
	if !hubName.MatchString(h.Get("HubName")) {
		return callback{}, ops.Errorf(ops.Invalid, "must be a name such as checks").At("header.HubName")
	}
	token := h.Get("AuthToken")
	if token == "" || len(token) > 16<<10 {
		return callback{}, ops.Errorf(ops.Invalid, "is missing, or too long").At("header.AuthToken")
	}
	plan := strings.TrimSuffix(h.Get("PlanUrl"), "/")
	if !slices.ContainsFunc(organizations, func(o string) bool { return strings.EqualFold(strings.TrimSuffix(o, "/"), plan) }) {
		return callback{}, ops.Errorf(ops.Denied, "is not of an organization that is configured").At("header.PlanUrl").WithHint("list it under hooks.azure.organizations")
	}
	var p azureBody
	if err := decode(body, &p); err != nil {
		return callback{}, err
	}
	if p.Service == "" && p.Change == "" {
		return callback{}, ops.Errorf(ops.Invalid, "is missing").At("body.service")
	}
	to := plan + "/" + h.Get("ProjectId") + "/_apis/distributedtask/hubs/" + h.Get("HubName") + "/plans/" + h.Get("PlanId") + "/events?api-version=7.1"
	return callback{
		Product: "azure", Change: p.change(), ChangeID: string(p.Change),
		Azure: &azureCall{URL: to, Job: h.Get("JobId"), Task: h.Get("TaskInstanceId"), Token: token},
	}, nil
}

func (p *azureBody) change() *ops.Change {
	c := ops.Change{
		Kind: ops.ChangeKind(first(p.Kind, text(ops.KindRelease))), Source: "azure", Service: string(p.Service), Version: string(p.Version),
		Environment: string(p.Environment), Risk: string(p.Risk), Author: string(p.Author),
		Title: cut(strings.TrimSpace("Deploy "+string(p.Service)+" "+string(p.Version)), 200),
	}
	for key, v := range map[string]text{"store": p.Store, "city": p.City, "region": p.Region} {
		if v != "" {
			*c.Scope.Key(key) = []string{string(v)}
		}
	}
	return &c
}

// azure takes the question of a check and answers at once that it was taken; the decision goes to the callback.
func (s *Service) azure(r *http.Request, who ops.Principal, body []byte) (int, any, error) {
	c, err := parseAzure(r.Header, body, s.cfg.Azure.Organizations)
	if e, ok := err.(*ops.Error); ok && e.Kind == ops.Denied {
		return 0, nil, s.forged("azure", e)
	}
	if err != nil {
		return 0, nil, err
	}
	// Sent again as it was, it is one question. With other words under the same ids it is a replay. The ids are headers that
	// anybody with a token may send, so they count for their sender alone.
	c.Until = ops.At(s.now().Add(azureWaiting))
	hash := sha256.Sum256(bytes.TrimSpace(body))
	m, before := s.asked["azure"].take(asked{"azure", hex.EncodeToString(hash[:]), c.Until}, s.now(), askedID("azure", who.Name, c.Azure.Job, c.Azure.Task))
	if before == altered {
		return 0, nil, s.forged("azure", ops.Errorf(ops.Conflict, "this check was asked before with another body").At("header.TaskInstanceId"))
	}
	key := c.Azure.Job + " " + c.Azure.Task + " " + ops.Fingerprint(map[string]string{"sender": who.Name})
	if err := s.question(r.Context(), key, c, m); err != nil {
		return 0, nil, err
	}
	s.taken.WithLabelValues("azure").Inc()
	return http.StatusOK, done{Status: ops.ChangePlanned}, nil
}

// tellAzure completes the check. Nothing is said while the gate says wait: a check that was not completed waits.
func (s *Service) tellAzure(ctx context.Context, c *callback, d ops.Decision) error {
	organization := func(o string) bool {
		return c.Azure != nil && len(c.Azure.URL) > len(o) && strings.EqualFold(c.Azure.URL[:len(strings.TrimSuffix(o, "/"))+1], strings.TrimSuffix(o, "/")+"/")
	}
	if !slices.ContainsFunc(s.cfg.Azure.Organizations, organization) {
		return ops.Permanent(ops.Errorf(ops.Denied, "the callback is not of an organization that is configured"))
	}
	result := map[string]string{ops.EffectAllow: "succeeded", ops.EffectDeny: "failed"}[d.Decision]
	if result == "" {
		return nil
	}
	_, err := s.call(ctx, c.Azure.URL, map[string]string{"Authorization": "Bearer " + c.Azure.Token}, map[string]string{
		"name": "TaskCompleted", "taskId": c.Azure.Task, "jobId": c.Azure.Job, "result": result,
	})
	return err
}
