package intake

import (
	"net/http"
	"slices"
	"strings"

	"goc/ops"
)

// ghPayload is what we read of GitHub's webhooks.
type ghPayload struct {
	Action     text `json:"action"`
	Repository struct {
		Name     text `json:"name"`
		FullName text `json:"full_name"`
		HTMLURL  text `json:"html_url"`
	} `json:"repository"`
	Sender     ghUser `json:"sender"`
	Deployment struct {
		ID          text    `json:"id"`
		Ref         text    `json:"ref"`
		SHA         text    `json:"sha"`
		Environment text    `json:"environment"`
		Description text    `json:"description"`
		Creator     ghUser  `json:"creator"`
		CreatedAt   text    `json:"created_at"`
		Payload     loosely `json:"payload"`
	} `json:"deployment"`
	Status struct {
		State       text `json:"state"`
		Description text `json:"description"`
		TargetURL   text `json:"target_url"`
		CreatedAt   text `json:"created_at"`
	} `json:"deployment_status"`
	Release struct {
		ID          text   `json:"id"`
		TagName     text   `json:"tag_name"`
		Name        text   `json:"name"`
		HTMLURL     text   `json:"html_url"`
		Author      ghUser `json:"author"`
		PublishedAt text   `json:"published_at"`
		Draft       bool   `json:"draft"`
	} `json:"release"`
	Run struct {
		ID         text   `json:"id"`
		Name       text   `json:"name"`
		Title      text   `json:"display_title"`
		Path       text   `json:"path"`
		Attempt    text   `json:"run_attempt"`
		Branch     text   `json:"head_branch"`
		SHA        text   `json:"head_sha"`
		Status     text   `json:"status"`
		Conclusion text   `json:"conclusion"`
		HTMLURL    text   `json:"html_url"`
		StartedAt  text   `json:"run_started_at"`
		UpdatedAt  text   `json:"updated_at"`
		Actor      ghUser `json:"actor"`
	} `json:"workflow_run"`
	Workflow struct {
		Name text `json:"name"`
	} `json:"workflow"`

	Ref     text `json:"ref"` // of a push, with the next four
	After   text `json:"after"`
	Deleted bool `json:"deleted"`
	Compare text `json:"compare"`
	Head    struct {
		Message   text `json:"message"`
		Timestamp text `json:"timestamp"`
	} `json:"head_commit"`
}

type ghUser struct {
	Login text `json:"login"`
}

// loosely is a loose map that may as well be text or null, which says nothing.
type loosely loose

func (l *loosely) UnmarshalJSON(b []byte) error {
	var m loose
	if m.UnmarshalJSON(b) == nil {
		*l = loosely(m)
	}
	return nil
}

// githubHook takes deployments and how they go, releases, the runs of workflows that release, and pushes to branches that are live.
func (s *Service) githubHook(r *http.Request, who ops.Principal, body []byte) (any, error) {
	if s.gate != nil && r.Header.Get("X-GitHub-Event") == protectionRule {
		return s.githubRule(r, who, body)
	}
	d, why, err := parseGitHub(r.Header.Get("X-GitHub-Event"), body, s.cfg)
	if err != nil || why != "" {
		return ignored(why), err
	}
	return s.perform(r.Context(), who, d)
}

// parseGitHub reads one webhook; why says why it is of no interest.
func parseGitHub(event string, body []byte, cfg Config) (d deed, why string, err error) {
	if event == "" {
		return d, "", ops.Errorf(ops.Invalid, "is missing").At("header.X-GitHub-Event")
	}
	var p ghPayload
	if err := decode(body, &p); err != nil {
		return d, "", err
	}
	switch event {
	case "ping":
		return d, "ping", nil
	case "deployment", "deployment_status":
		return p.deployment(event == "deployment_status")
	case "release":
		return p.release()
	case "workflow_run":
		return p.run(cfg.Workflows)
	case "push":
		return p.push(cfg.Branches)
	}
	return d, "events of this kind are not changes", nil
}

// change begins a change of the repository's service. What its payload names of our scope is taken over.
func (p *ghPayload) change(kind, id, version string) ops.Change {
	c := ops.Change{
		Kind: ops.KindRelease, Source: "github", Service: string(p.Repository.Name), Version: version, Author: string(p.Sender.Login),
		Labels: map[string]string{"external_id": string(p.Repository.FullName) + " " + kind + " " + id, "repository": string(p.Repository.FullName)},
	}
	return c
}

func (p *ghPayload) deployment(status bool) (deed, string, error) {
	dep := &p.Deployment
	if dep.ID == "" || p.Repository.Name == "" {
		return deed{}, "", ops.Errorf(ops.Invalid, "must hold a deployment with an id, and its repository").At("body.deployment")
	}
	c := p.change("deployment", string(dep.ID), first(text(dep.Payload["version"]), dep.Ref, dep.SHA))
	c.Environment = string(dep.Environment)
	c.Title = first(dep.Description, text("Deploy "+c.Service+" "+c.Version+" to "+c.Environment))
	c.Author = first(dep.Creator.Login, p.Sender.Login)
	c.Labels["sha"] = string(dep.SHA)
	if name := dep.Payload["service"]; name != "" {
		c.Service = name
	}
	for _, k := range []string{"store", "city", "region"} {
		if v := dep.Payload[k]; v != "" {
			*c.Scope.Key(k) = []string{v}
		}
	}
	if p.Repository.HTMLURL != "" {
		c.Links = []ops.Link{{Title: "repository", URL: string(p.Repository.HTMLURL)}}
	}
	d := deed{change: c, at: timeOf(dep.CreatedAt), began: timeOf(dep.CreatedAt)}
	if status {
		d.reach = ghReach[string(p.Status.State)]
		d.at, d.note = timeOf(p.Status.CreatedAt), string(p.Status.Description)
	}
	return d, "", nil
}

// ghReach is how far a deployment has come by its status; pending, queued, waiting and inactive say nothing.
var ghReach = map[string]ops.ChangeStatus{
	"in_progress": ops.ChangeStarted, "success": ops.ChangeFinished, "failure": ops.ChangeAborted, "error": ops.ChangeAborted,
}

func (p *ghPayload) release() (deed, string, error) {
	rel := &p.Release
	if rel.ID == "" || p.Repository.Name == "" {
		return deed{}, "", ops.Errorf(ops.Invalid, "must hold a release with an id, and its repository").At("body.release")
	}
	if a := p.Action; a != "published" && a != "released" && a != "prereleased" || rel.Draft {
		return deed{}, "the release is not published", nil
	}
	c := p.change("release", string(rel.ID), string(rel.TagName))
	c.Title, c.Environment = "Release "+c.Service+" "+first(rel.Name, rel.TagName), registry
	c.Author = first(rel.Author.Login, p.Sender.Login)
	if rel.HTMLURL != "" {
		c.Links = []ops.Link{{Title: "release", URL: string(rel.HTMLURL)}}
	}
	return deed{change: c, reach: ops.ChangeFinished, at: timeOf(rel.PublishedAt)}, "", nil
}

func (p *ghPayload) run(workflows []string) (deed, string, error) {
	run := &p.Run
	if run.ID == "" || p.Repository.Name == "" {
		return deed{}, "", ops.Errorf(ops.Invalid, "must hold a workflow_run with an id, and its repository").At("body.workflow_run")
	}
	name := first(p.Workflow.Name, run.Name)
	if !releases(name, string(run.Path), workflows) {
		return deed{}, "the workflow is no release: name it in hooks.workflows if it is", nil
	}
	c := p.change("run", string(run.ID+"/"+run.Attempt), string(run.SHA))
	c.Title = strings.TrimSpace(name + ": " + first(run.Title, run.Branch))
	c.Author = first(run.Actor.Login, p.Sender.Login)
	if run.HTMLURL != "" {
		c.Links = []ops.Link{{Title: "run", URL: string(run.HTMLURL)}}
	}
	d := deed{change: c, at: timeOf(run.StartedAt), began: timeOf(run.StartedAt)}
	switch {
	case run.Status == "completed" && run.Conclusion == "success":
		d.reach, d.at = ops.ChangeFinished, timeOf(run.UpdatedAt)
	case run.Conclusion == "action_required": // it waits for a person
	case run.Status == "completed":
		d.reach, d.at, d.note = ops.ChangeAborted, timeOf(run.UpdatedAt), string(run.Conclusion)
	case run.Status == "in_progress":
		d.reach = ops.ChangeStarted
	}
	return d, "", nil
}

// push is a change only where what is in the branch is what runs; each push is a change of its own.
func (p *ghPayload) push(branches []string) (deed, string, error) {
	if p.Repository.Name == "" || p.Ref == "" {
		return deed{}, "", ops.Errorf(ops.Invalid, "must hold a ref, and its repository").At("body.ref")
	}
	if why := notLive(string(p.Ref), string(p.Repository.FullName), branches); why != "" || p.Deleted {
		return deed{}, first(text(why), branchDeleted), nil
	}
	branch := strings.TrimPrefix(string(p.Ref), "refs/heads/")
	c := p.change("push", branch+" "+string(p.After), string(p.After))
	c.Kind, c.Title = ops.KindConfig, pushTitle(branch, c.Service, string(p.Head.Message))
	if strings.HasPrefix(string(p.Compare), "http") {
		c.Links = []ops.Link{{Title: "commits", URL: string(p.Compare)}}
	}
	return deed{change: c, reach: ops.ChangeFinished, at: timeOf(p.Head.Timestamp)}, "", nil
}

// Why a push is no change.
const (
	tagPushed     = "a tag puts nothing out; its release or deployment does"
	branchPushed  = "a push puts nothing out: list its branch in hooks.branches if it does"
	branchDeleted = "the branch was deleted"
)

// notLive says why a push to a ref is no change, "" when its branch is listed: as main, or as owner/repository@main.
func notLive(ref, repository string, branches []string) string {
	branch, ok := strings.CutPrefix(ref, "refs/heads/")
	switch {
	case !ok:
		return tagPushed
	case slices.Contains(branches, branch) || slices.Contains(branches, repository+"@"+branch):
		return ""
	}
	return branchPushed
}

// pushTitle is the first line of the last commit, and where it went.
func pushTitle(branch, service, message string) string {
	line, _, _ := strings.Cut(message, "\n")
	return strings.TrimSuffix("Push to "+branch+" of "+service+": "+line, ": ")
}

// releases says whether a workflow puts something out: one that is listed, or, without a list, one whose name says so.
func releases(name, path string, listed []string) bool {
	for _, l := range listed {
		if l == name || l == path {
			return true
		}
	}
	says := strings.ToLower(name + " " + path)
	return len(listed) == 0 && (strings.Contains(says, "deploy") || strings.Contains(says, "release"))
}

// timeOf reads a time of a sender, zero when there is none that can be read.
func timeOf(t text) ops.Time {
	at, err := ops.ParseTime(string(t))
	if err != nil {
		return ops.Time{}
	}
	return ops.At(at)
}
