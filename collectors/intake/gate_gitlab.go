package intake

import (
	"context"
	"encoding/hex"
	"net/http"
	"regexp"
	"strings"
	"time"

	"goc/ops"
)

// GitLabAPI is where external status checks are answered, and with what.
type GitLabAPI struct {
	URL       string `yaml:"url"`   // https://gitlab.com, or your own
	Token     string `yaml:"token"` // of a project or group, role Developer, scope api
	TokenFile string `yaml:"token_file"`
}

const gitlabWaiting = 7 * 24 * time.Hour // a merge request that waits for longer is answered no more

// glAPI is an opened GitLabAPI.
type glAPI struct{ url, token string }

// open reads the token; nil when no API is configured.
func (g GitLabAPI) open() (*glAPI, error) {
	const place = "hooks.gitlab_api"
	if g == (GitLabAPI{}) {
		return nil, nil
	}
	if !apiURL(g.URL) {
		return nil, ops.Errorf(ops.Invalid, "must be a URL").At(place + ".url")
	}
	token, err := secretOf(g.Token, g.TokenFile, place+".token_file")
	if err != nil {
		return nil, err
	}
	if token == "" {
		return nil, ops.Errorf(ops.Invalid, "is missing").At(place + ".token")
	}
	return &glAPI{strings.TrimSuffix(g.URL, "/"), token}, nil
}

// gitlabCall is which status check of which merge request is answered.
type gitlabCall struct {
	Project string `json:"project"`
	Request string `json:"request"` // its iid
	Check   string `json:"check"`
	SHA     string `json:"sha"`
}

// glCheck is what we read of the hook of an external status check.
type glCheck struct {
	Project struct {
		ID   text `json:"id"`
		Name text `json:"name"`
		Path text `json:"path_with_namespace"`
	} `json:"project"`
	User struct {
		Username text `json:"username"`
	} `json:"user"`
	Object struct {
		IID    text `json:"iid"`
		Title  text `json:"title"`
		URL    text `json:"url"`
		State  text `json:"state"`
		Commit struct {
			ID text `json:"id"`
		} `json:"last_commit"`
	} `json:"object_attributes"`
	Rule struct {
		ID text `json:"id"`
	} `json:"external_approval_rule"`
}

// asksGitLab says whether a body is the question of an external status check.
func asksGitLab(body []byte) bool {
	var p struct {
		Kind text `json:"object_kind"`
		Rule *struct {
			ID text `json:"id"`
		} `json:"external_approval_rule"`
	}
	return decode(body, &p) == nil && p.Kind == "merge_request" && p.Rule != nil
}

var commitID = regexp.MustCompile(`^[0-9a-f]{7,64}$`)

// parseGitLabCheck reads the question; why says why none is asked.
func parseGitLabCheck(body []byte) (c callback, why string, err error) {
	var p glCheck
	if err := decode(body, &p); err != nil {
		return c, "", err
	}
	for place, v := range map[string]text{"project.id": p.Project.ID, "object_attributes.iid": p.Object.IID, "external_approval_rule.id": p.Rule.ID} {
		if !digits.MatchString(string(v)) {
			return c, "", ops.Errorf(ops.Invalid, "must be a number").At("body." + place)
		}
	}
	if !commitID.MatchString(string(p.Object.Commit.ID)) {
		return c, "", ops.Errorf(ops.Invalid, "must be a commit's id").At("body.object_attributes.last_commit.id")
	}
	if p.Project.Name == "" {
		return c, "", ops.Errorf(ops.Invalid, "must name the project").At("body.project.name")
	}
	if p.Object.State == "merged" || p.Object.State == "closed" {
		return c, "the merge request is over", nil
	}
	change := ops.Change{
		Kind: ops.KindRelease, Source: "gitlab", Service: slug(string(p.Project.Path), string(p.Project.Name)), Version: string(p.Object.Commit.ID),
		Title: cut("Merge "+string(p.Project.Path)+"!"+string(p.Object.IID)+" "+string(p.Object.Title), 200), Environment: "production", Author: string(p.User.Username),
		Labels: withoutEmpty(map[string]string{"repository": string(p.Project.Path)}),
	}
	return callback{
		Product: "gitlab", Change: &change,
		GitLab: &gitlabCall{string(p.Project.ID), string(p.Object.IID), string(p.Rule.ID), string(p.Object.Commit.ID)},
	}, "", nil
}

// gitlabCheck takes the question of an external status check; the answer goes to the API.
func (s *Service) gitlabCheck(r *http.Request, body []byte) (any, error) {
	if s.gitlabAPI == nil {
		return nil, ops.Errorf(ops.Conflict, "a merge request waits for the gate, and no API is configured to answer at").WithHint("set hooks.gitlab_api")
	}
	c, why, err := parseGitLabCheck(body)
	if err != nil || why != "" {
		return ignored(why), err
	}
	c.Until = ops.At(s.now().Add(gitlabWaiting))
	// Each commit has an answer of its own: that of one that came late must not take the place of the newest's.
	if err := s.await(r.Context(), c.GitLab.Project+"!"+c.GitLab.Request+" "+c.GitLab.Check+" "+c.GitLab.SHA, c, ops.Time{}, ops.Mutation{}); err != nil {
		return nil, err
	}
	s.taken.WithLabelValues("gitlab").Inc()
	return done{Status: ops.ChangePlanned}, nil
}

// tellGitLab sets the status of the check; one that is pending is said again each time, or GitLab fails it.
func (s *Service) tellGitLab(ctx context.Context, c *callback, d ops.Decision) error {
	if s.gitlabAPI == nil || c.GitLab == nil {
		return ops.Permanent(ops.Errorf(ops.Denied, "no API of GitLab is configured"))
	}
	status := map[string]string{ops.EffectAllow: "passed", ops.EffectDeny: "failed", ops.EffectWait: "pending"}[d.Decision]
	to := s.gitlabAPI.url + "/api/v4/projects/" + c.GitLab.Project + "/merge_requests/" + c.GitLab.Request + "/status_check_responses"
	_, err := s.call(ctx, to, map[string]string{"PRIVATE-TOKEN": s.gitlabAPI.token}, map[string]string{
		"sha": c.GitLab.SHA, "external_status_check_id": c.GitLab.Check, "status": status,
	})
	return err
}

// signedByGitLab checks X-Gitlab-Signature, the hex HMAC-SHA256 of the body.
func signedByGitLab(secret, signature string, body []byte) bool {
	if _, err := hex.DecodeString(signature); err != nil {
		return false
	}
	return signedBy(secret, "sha256="+signature, body)
}
