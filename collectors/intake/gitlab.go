package intake

import (
	"net/http"
	"strings"
	"time"

	"goc/ops"
)

// glPayload is what we read of GitLab's webhooks.
type glPayload struct {
	Kind    text `json:"object_kind"`
	Project struct {
		Name   text `json:"name"`
		Path   text `json:"path_with_namespace"`
		WebURL text `json:"web_url"`
	} `json:"project"`
	User struct {
		Username text `json:"username"`
	} `json:"user"`

	Status       text `json:"status"` // of a deployment
	ChangedAt    text `json:"status_changed_at"`
	DeploymentID text `json:"deployment_id"`
	JobURL       text `json:"deployable_url"`
	Environment  text `json:"environment"`
	SHA          text `json:"short_sha"`
	CommitTitle  text `json:"commit_title"`
	Ref          text `json:"ref"`

	ID         text `json:"id"` // of a release
	Action     text `json:"action"`
	Tag        text `json:"tag"`
	Name       text `json:"name"`
	URL        text `json:"url"`
	ReleasedAt text `json:"released_at"`

	Flag struct {
		ID     text `json:"id"`
		Name   text `json:"name"`
		Active bool `json:"active"`
	} `json:"object_attributes"`
}

// gitlabHook takes deployments, releases and feature flags.
func (s *Service) gitlabHook(r *http.Request, who ops.Principal, body []byte) (any, error) {
	d, why, err := parseGitLab(body)
	if err != nil || why != "" {
		return ignored(why), err
	}
	return s.perform(r.Context(), who, d)
}

// parseGitLab reads one webhook; why says why it is of no interest.
func parseGitLab(body []byte) (d deed, why string, err error) {
	var kind struct {
		Kind text `json:"object_kind"`
	}
	if err := decode(body, &kind); err != nil {
		return d, "", err
	}
	if k := kind.Kind; k != "deployment" && k != "release" && k != "feature_flag" {
		return d, "events of this kind are not changes", nil
	}
	var p glPayload
	if err := decode(body, &p); err != nil {
		return d, "", err
	}
	if p.Project.Name == "" {
		return d, "", ops.Errorf(ops.Invalid, "must name the project").At("body.project.name")
	}
	switch kind.Kind {
	case "deployment":
		return p.deployment()
	case "release":
		return p.release()
	}
	return p.flag(), "", nil
}

func (p *glPayload) change(kind, id string) ops.Change {
	c := ops.Change{
		Kind: ops.KindRelease, Source: "gitlab", Service: slug(string(p.Project.Path), string(p.Project.Name)), Author: string(p.User.Username),
		Labels: map[string]string{"repository": string(p.Project.Path)},
	}
	if id != "" {
		c.Labels["external_id"] = string(p.Project.Path) + " " + kind + " " + id
	}
	return c
}

// slug is the last part of a project's path, which is what its service is most often called.
func slug(path, name string) string {
	if i := strings.LastIndexByte(path, '/'); i >= 0 && i+1 < len(path) {
		return path[i+1:]
	}
	return name
}

func (p *glPayload) deployment() (deed, string, error) {
	if p.DeploymentID == "" {
		return deed{}, "", ops.Errorf(ops.Invalid, "is missing").At("body.deployment_id")
	}
	c := p.change("deployment", string(p.DeploymentID))
	c.Version, c.Environment = first(p.Ref, p.SHA), string(p.Environment)
	c.Title = "Deploy " + c.Service + " " + c.Version + " to " + c.Environment
	if p.JobURL != "" {
		c.Links = []ops.Link{{Title: "job", URL: string(p.JobURL)}}
	}
	c.Labels["sha"] = string(p.SHA)
	reach := map[string]ops.ChangeStatus{"running": ops.ChangeStarted, "success": ops.ChangeFinished, "failed": ops.ChangeAborted, "canceled": ops.ChangeAborted}
	return deed{change: c, reach: reach[string(p.Status)], at: glTime(p.ChangedAt), note: string(p.CommitTitle)}, "", nil
}

func (p *glPayload) release() (deed, string, error) {
	if p.Action != "create" {
		return deed{}, "the release is not new", nil
	}
	c := p.change("release", string(p.ID))
	c.Version = string(p.Tag)
	c.Title = "Release " + c.Service + " " + first(p.Name, p.Tag)
	if p.URL != "" {
		c.Links = []ops.Link{{Title: "release", URL: string(p.URL)}}
	}
	return deed{change: c, reach: ops.ChangeFinished, at: glTime(p.ReleasedAt)}, "", nil
}

// flag is a feature flag that was turned; each turn is a change of its own.
func (p *glPayload) flag() deed {
	c := p.change("flag", "")
	to := "off"
	if p.Flag.Active {
		to = "on"
	}
	c.Kind, c.Version = ops.KindFlag, to
	c.Title = "Flag " + string(p.Flag.Name) + " turned " + to
	return deed{change: c, reach: ops.ChangeFinished}
}

// glTime reads GitLab's times: 2021-04-28 21:50:00 +0200, 2021-02-25 21:23:34 UTC, or RFC 3339.
func glTime(t text) ops.Time {
	for _, layout := range []string{"2006-01-02 15:04:05 -0700", "2006-01-02 15:04:05 UTC"} {
		if at, err := time.Parse(layout, string(t)); err == nil {
			return ops.At(at.UTC())
		}
	}
	return timeOf(t)
}
