package intake

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"goc/ops"
)

// GitHub's limits of a custom deployment protection rule.
const (
	maxReports = 10   // status reports of one deployment
	maxComment = 1024 // characters
	maxNames   = 512  // bytes of a repository's or an environment's name
	maxWaiting = 30 * 24 * time.Hour
)

const protectionRule = "deployment_protection_rule"

// githubCall is whom to tell at GitHub.
type githubCall struct {
	URL          string `json:"url"`
	Environment  string `json:"environment"`
	Installation string `json:"installation"`
	Repository   string `json:"repository"` // its id
}

// ghRule is what we read of the webhook deployment_protection_rule.
type ghRule struct {
	Action      text `json:"action"`
	Environment text `json:"environment"`
	Ref         text `json:"ref"`
	SHA         text `json:"sha"`
	Callback    text `json:"deployment_callback_url"`
	Deployment  struct {
		ID        text    `json:"id"`
		SHA       text    `json:"sha"`
		Ref       text    `json:"ref"`
		Creator   ghUser  `json:"creator"`
		CreatedAt text    `json:"created_at"`
		Payload   loosely `json:"payload"`
	} `json:"deployment"`
	Repository struct {
		ID       text `json:"id"`
		Name     text `json:"name"`
		FullName text `json:"full_name"`
	} `json:"repository"`
	Installation struct {
		ID text `json:"id"`
	} `json:"installation"`
	Sender ghUser `json:"sender"`
}

// parseGitHubRule reads the webhook and checks its callback against the API that is configured.
func parseGitHubRule(body []byte, api string) (callback, error) {
	var p ghRule
	if err := decode(body, &p); err != nil {
		return callback{}, err
	}
	switch {
	case p.Repository.FullName == "" || p.Repository.Name == "":
		return callback{}, ops.Errorf(ops.Invalid, "must name the repository").At("body.repository")
	case p.Action != "requested":
		return callback{}, ops.Errorf(ops.Invalid, "must be requested").At("body.action")
	case len(p.Repository.FullName) > maxNames || len(p.Environment) > maxNames || len(p.Callback) > 4*maxNames:
		return callback{}, ops.Errorf(ops.Invalid, "holds a name that is longer than GitHub's are").At("body")
	case p.Environment == "":
		return callback{}, ops.Errorf(ops.Invalid, "is missing").At("body.environment")
	case !digits.MatchString(string(p.Installation.ID)):
		return callback{}, ops.Errorf(ops.Invalid, "must be a number: the rule must be a GitHub App's").At("body.installation.id")
	case !callbackOf(string(p.Callback), api, string(p.Repository.FullName)):
		return callback{}, ops.Errorf(ops.Denied, "is not this repository's at the GitHub that is configured").At("body.deployment_callback_url").WithHint("a GitHub of your own is named by hooks.github_app.api_url")
	}
	service := first(text(p.Deployment.Payload["service"]), p.Repository.Name)
	c := ops.Change{
		Kind: ops.KindRelease, Source: "github", Service: service, Environment: string(p.Environment),
		Version: first(text(p.Deployment.Payload["version"]), p.Deployment.Ref, p.Ref, p.Deployment.SHA, p.SHA), Author: first(p.Deployment.Creator.Login, p.Sender.Login),
		Labels: withoutEmpty(map[string]string{"repository": string(p.Repository.FullName), "sha": first(p.Deployment.SHA, p.SHA), "deployment": string(p.Deployment.ID)}),
	}
	c.Title = cut("Deploy "+c.Service+" "+c.Version+" to "+c.Environment, 200)
	var until ops.Time
	if asked := timeOf(p.Deployment.CreatedAt); !asked.IsZero() {
		until = ops.At(asked.Add(maxWaiting))
	}
	return callback{
		Product: "github", Until: until, Change: &c, ChangeID: p.Deployment.Payload["change"],
		GitHub: &githubCall{URL: string(p.Callback), Environment: string(p.Environment), Installation: string(p.Installation.ID), Repository: string(p.Repository.ID)},
	}, nil
}

var digits = regexp.MustCompile(`^[0-9]{1,20}$`)

// callbackOf says whether a URL is the callback of a run of the repository at the API. It is compared as it will be sent:
// a host in the userinfo, a dot in the path or a query make another address.
func callbackOf(callback, api, repository string) bool {
	u, err := url.Parse(callback)
	if err != nil || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Opaque != "" || strings.ContainsAny(repository, "?#%") || strings.Contains(repository, "..") {
		return false
	}
	rest, ok := strings.CutPrefix(callback, strings.TrimSuffix(api, "/")+"/repos/"+repository+"/actions/runs/")
	run, ok2 := strings.CutSuffix(rest, "/"+protectionRule)
	return ok && ok2 && digits.MatchString(run)
}

// githubRule takes the question of a protection rule; the answer goes to its callback.
func (s *Service) githubRule(r *http.Request, who ops.Principal, body []byte) (any, error) {
	if s.app == nil {
		return nil, ops.Errorf(ops.Conflict, "a deployment waits for the gate, and no GitHub App is configured to answer with").WithHint("set hooks.github_app")
	}
	c, err := parseGitHubRule(body, s.app.api)
	var e *ops.Error
	if errors.As(err, &e) && e.Kind == ops.Denied {
		return nil, s.forged("github", e)
	}
	if err != nil {
		return nil, err
	}
	if c.Until.IsZero() {
		c.Until = ops.At(s.now().Add(maxWaiting))
	}
	if s.now().After(c.Until.Time) {
		return nil, s.forged("github", ops.Errorf(ops.Conflict, "the deployment is older than GitHub lets one wait"))
	}
	hash := sha256.Sum256(body)
	m, before := s.asked["github"].take(asked{"github", hex.EncodeToString(hash[:]), c.Until}, s.now(), ruleIDs(who, r.Header, hash)...)
	if before != unheard { // a question that was answered is not asked again for anyone
		return nil, s.forged("github", ops.Errorf(ops.Conflict, "this delivery was taken before").At("header.X-GitHub-Delivery").WithHint("a replay, or a redelivery of what is on disk already"))
	}
	if err := s.question(r.Context(), c.GitHub.URL+" "+c.GitHub.Environment, c, m); err != nil {
		return nil, err
	}
	s.taken.WithLabelValues("github").Inc()
	return done{Status: ops.ChangePlanned}, nil
}

// ruleIDs are what the question of a protection rule is known by: its body, and its delivery. The signature says nothing of
// the headers, so who kept a body may send it as any delivery.
func ruleIDs(who ops.Principal, h http.Header, body seen) []string {
	ids := []string{askedID("github", "body", string(body[:]))}
	if id := delivery("github", who, h, body); id != "" {
		ids = append(ids, askedID("github", "delivery", id))
	}
	return ids
}

// tellGitHub approves or rejects a deployment, or reports why it waits, when that is new and a report is left.
func (s *Service) tellGitHub(ctx context.Context, c *callback, d ops.Decision) error {
	if s.app == nil || c.GitHub == nil || !strings.HasPrefix(c.GitHub.URL, s.app.api+"/repos/") {
		return ops.Permanent(ops.Errorf(ops.Denied, "the callback is not of the GitHub that is configured"))
	}
	d.RetryAfterS = 0 // a countdown is no news
	said := explain(d)
	answer := map[string]string{"environment_name": c.GitHub.Environment, "comment": comment(said)}
	switch d.Decision {
	case ops.EffectAllow:
		answer["state"] = "approved"
	case ops.EffectDeny:
		answer["state"] = "rejected"
	default:
		if said == c.Said || c.Reports >= maxReports {
			return nil
		}
		c.Said, c.Reports = said, c.Reports+1
	}
	token, err := s.app.token(ctx, s, c.GitHub)
	if err != nil {
		return err
	}
	_, err = s.call(ctx, c.GitHub.URL, githubHeaders(token), answer)
	return err
}

func githubHeaders(token string) map[string]string {
	return map[string]string{"Authorization": "Bearer " + token, "Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
}

// comment is text within GitHub's limit, which counts characters.
func comment(text string) string {
	r := []rune("GOC: " + text)
	if len(r) > maxComment {
		r = append(r[:maxComment-1], '…')
	}
	return string(r)
}
