package intake

import (
	"net/http"
	"slices"
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

	After   text `json:"after"` // of a push
	Pusher  text `json:"user_username"`
	Commits []struct {
		Title     text `json:"title"`
		Timestamp text `json:"timestamp"`
	} `json:"commits"`

	Object glObject `json:"object_attributes"` // of a flag, a pipeline or a merge request
	Builds []struct {
		Environment struct {
			Name   text `json:"name"`
			Action text `json:"action"` // start, stop, prepare, verify, access
		} `json:"environment"`
	} `json:"builds"`
}

type glObject struct {
	ID       text `json:"id"`
	Name     text `json:"name"`
	Active   bool `json:"active"`
	Ref      text `json:"ref"`
	SHA      text `json:"sha"`
	Status   text `json:"status"`
	URL      text `json:"url"`
	Action   text `json:"action"`
	Created  text `json:"created_at"`
	Finished text `json:"finished_at"`
}

// glIgnored are the kinds that are no changes, and why.
var glIgnored = map[string]string{
	"tag_push": tagPushed,
	"build":    "a job puts nothing out; its deployment does",
}

// gitlabHook takes deployments, pipelines without deployments that release, releases, feature flags, and pushes to
// branches that are live.
func (s *Service) gitlabHook(r *http.Request, who ops.Principal, body []byte) (any, error) {
	if s.gate != nil && asksGitLab(body) {
		return s.gitlabCheck(r, body)
	}
	d, why, err := parseGitLab(body, s.cfg)
	if err != nil || why != "" {
		return ignored(why), err
	}
	if id := r.Header.Get("X-Gitlab-Event-UUID"); d.change.Kind == ops.KindFlag && id != "" && len(id) <= 128 {
		d.change.Labels["external_id"] = d.change.Labels["repository"] + " flag " + id // a turn has no id of its own
	}
	return s.perform(r.Context(), who, d)
}

// parseGitLab reads one webhook; why says why it is of no interest.
func parseGitLab(body []byte, cfg Config) (d deed, why string, err error) {
	var kind struct {
		Kind text `json:"object_kind"`
	}
	if err := decode(body, &kind); err != nil {
		return d, "", err
	}
	switch kind.Kind {
	case "deployment", "release", "feature_flag", "pipeline", "push", "merge_request":
	default:
		return d, first(text(glIgnored[string(kind.Kind)]), "events of this kind are not changes"), nil
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
	case "pipeline":
		return p.pipeline(cfg.Workflows)
	case "push":
		return p.push(cfg.Branches)
	case "merge_request":
		return p.merge()
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
	return deed{change: c, reach: glReach[string(p.Status)], at: glTime(p.ChangedAt), note: string(p.CommitTitle)}, "", nil
}

func (p *glPayload) release() (deed, string, error) {
	if p.Action != "create" {
		return deed{}, "the release is not new", nil
	}
	c := p.change("release", string(p.Tag)) // a project has one release of a tag; its list does not say the id
	c.Version, c.Environment = string(p.Tag), registry
	c.Title = "Release " + c.Service + " " + first(p.Name, p.Tag)
	if p.URL != "" {
		c.Links = []ops.Link{{Title: "release", URL: string(p.URL)}}
	}
	return deed{change: c, reach: ops.ChangeFinished, at: glTime(p.ReleasedAt)}, "", nil
}

// pipeline is a change when it is listed as one that releases and none of its jobs has an environment: where one has,
// GitLab tells of a deployment, which is the change.
func (p *glPayload) pipeline(listed []string) (deed, string, error) {
	o := &p.Object
	if o.ID == "" {
		return deed{}, "", ops.Errorf(ops.Invalid, "is missing").At("body.object_attributes.id")
	}
	for _, b := range p.Builds {
		if b.Environment.Name != "" {
			return deed{}, "a pipeline that deploys is told as its deployments", nil
		}
	}
	if !slices.Contains(listed, string(o.Name)) && !slices.Contains(listed, string(p.Project.Path)) {
		return deed{}, "the pipeline is no release: name it in hooks.workflows if it is", nil
	}
	c := p.change("pipeline", string(o.ID))
	c.Version, c.Labels["sha"] = first(o.Ref, o.SHA), string(o.SHA)
	c.Title = "Pipeline " + first(o.Name, o.ID) + " of " + c.Service + " " + c.Version
	if strings.HasPrefix(string(o.URL), "http") {
		c.Links = []ops.Link{{Title: "pipeline", URL: string(o.URL)}}
	}
	d := deed{change: c, reach: glReach[string(o.Status)], at: glTime(text(first(o.Finished, o.Created)))}
	return d, "", nil
}

// push is a change only where what is in the branch is what runs.
func (p *glPayload) push(branches []string) (deed, string, error) {
	if why := notLive(string(p.Ref), string(p.Project.Path), branches); why != "" {
		return deed{}, why, nil
	}
	if strings.Trim(string(p.After), "0") == "" {
		return deed{}, branchDeleted, nil
	}
	branch := strings.TrimPrefix(string(p.Ref), "refs/heads/")
	c := p.change("push", branch+" "+string(p.After))
	c.Kind, c.Version = ops.KindConfig, string(p.After)
	c.Author = first(p.Pusher, text(c.Author))
	d := deed{reach: ops.ChangeFinished}
	message := ""
	if n := len(p.Commits); n > 0 {
		message, d.at = string(p.Commits[n-1].Title), glTime(p.Commits[n-1].Timestamp)
	}
	c.Title = pushTitle(branch, c.Service, message)
	d.change = c
	return d, "", nil
}

// merge is never a change by itself: merging pushes to a branch, and what then runs is told as a push or a deployment.
func (p *glPayload) merge() (deed, string, error) {
	if p.Object.Action == "merge" {
		return deed{}, "a merge puts nothing out; the push to its branch or its deployment does", nil
	}
	return deed{}, "the merge request is not merged", nil
}

// glReach is how far a deployment or a pipeline has come by its status; created, pending, blocked and manual say nothing.
var glReach = map[string]ops.ChangeStatus{
	"running": ops.ChangeStarted, "success": ops.ChangeFinished, "failed": ops.ChangeAborted, "canceled": ops.ChangeAborted,
}

// flag is a feature flag that was turned; each turn is a change of its own.
func (p *glPayload) flag() deed {
	c := p.change("flag", "")
	to := "off"
	if p.Object.Active {
		to = "on"
	}
	c.Kind, c.Version = ops.KindFlag, to
	c.Title = "Flag " + string(p.Object.Name) + " turned " + to
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
