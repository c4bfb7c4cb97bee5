package intake

import (
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"goc/ops"
)

// ghDelivery is one delivery in GitHub's list; the request that was made stands in the delivery itself.
type ghDelivery struct {
	ID          int64    `json:"id"`
	GUID        text     `json:"guid"`
	DeliveredAt ops.Time `json:"delivered_at"`
	Event       text     `json:"event"`
	StatusCode  int      `json:"status_code"`
	Request     struct {
		Payload json.RawMessage `json:"payload"`
	} `json:"request"`
}

func (d *ghDelivery) delivered() bool { return d.StatusCode >= 200 && d.StatusCode < 300 }

// ghEvents are the events that may be changes.
var ghEvents = []string{"deployment", "deployment_status", "release", "workflow_run", "push"}

// lookAtGitHub lists the deliveries since then that were not answered with success, oldest first, and up to when it saw all.
func (s *Service) lookAtGitHub(ctx context.Context, f *feeder, since time.Time) ([]missed, ops.Time, error) {
	hook := "/repos/" + f.about.Repository
	if f.about.Organization != "" {
		hook = "/orgs/" + url.PathEscape(f.about.Organization)
	}
	hook += "/hooks/" + strconv.FormatInt(f.about.Hook, 10) + "/deliveries"
	seen, err := s.deliveries(ctx, f, hook, since)
	if err != nil || len(seen) == 0 {
		return nil, ops.Time{}, err
	}
	came := map[text]bool{} // also by a second try
	for _, d := range seen {
		came[d.GUID] = came[d.GUID] || d.delivered()
	}
	var out []missed
	for _, d := range slices.Backward(seen) {
		if came[d.GUID] || !slices.Contains(ghEvents, string(d.Event)) {
			continue
		}
		came[d.GUID] = true // once a round
		out = append(out, missed{string(d.GUID), d.DeliveredAt, func(ctx context.Context) (done, error) {
			return s.takeDelivery(ctx, f, hook+"/"+strconv.FormatInt(d.ID, 10))
		}})
	}
	return out, seen[0].DeliveredAt, nil
}

// deliveries reads the list, which is newest first, as far back as since.
func (s *Service) deliveries(ctx context.Context, f *feeder, hook string, since time.Time) ([]ghDelivery, error) {
	var out []ghDelivery
	query := url.Values{"per_page": {"100"}}
	for range backfillPages {
		var page []ghDelivery
		h, err := s.ask(ctx, f, hook+"?"+query.Encode(), &page)
		if err != nil {
			return nil, err
		}
		for _, d := range page {
			if d.DeliveredAt.Before(since) {
				return out, nil
			}
			out = append(out, d)
		}
		cursor := nextCursor(h.Get("Link"))
		if cursor == "" {
			return out, nil
		}
		query.Set("cursor", cursor)
	}
	s.log.Warn("there are more deliveries than are looked at in one round; the oldest are left out", "sender", f.key, "looked_at", len(out))
	return out, nil
}

// nextCursor reads <https://…?cursor=v1_9>; rel="next". Only the cursor is taken: the host is the one that was configured.
func nextCursor(link string) string {
	for _, part := range strings.Split(link, ",") {
		address, rel, _ := strings.Cut(part, ";")
		if !strings.Contains(rel, `"next"`) {
			continue
		}
		u, err := url.Parse(strings.Trim(strings.TrimSpace(address), "<>"))
		if err != nil {
			return ""
		}
		return u.Query().Get("cursor")
	}
	return ""
}

func (s *Service) takeDelivery(ctx context.Context, f *feeder, path string) (done, error) {
	var d ghDelivery
	if _, err := s.ask(ctx, f, path, &d); err != nil {
		return done{}, err
	}
	deed, why, err := parseGitHub(string(d.Event), d.Request.Payload, s.cfg)
	if err != nil || why != "" {
		return ignored(why), err
	}
	return s.perform(ctx, ops.Principal{Name: f.product, Role: ops.CI}, deed)
}

// glDeployment is one deployment in GitLab's list.
type glDeployment struct {
	ID        text     `json:"id"`
	Ref       text     `json:"ref"`
	SHA       text     `json:"sha"`
	Status    text     `json:"status"`
	CreatedAt text     `json:"created_at"`
	UpdatedAt ops.Time `json:"updated_at"`
	User      struct {
		Username text `json:"username"`
	} `json:"user"`
	Environment struct {
		Name text `json:"name"`
	} `json:"environment"`
}

// lookAtGitLab lists the deployments that moved since then, and the releases, oldest first. Each is taken: what came by
// itself is known by its id.
func (s *Service) lookAtGitLab(ctx context.Context, f *feeder, since time.Time) ([]missed, ops.Time, error) {
	project := "/api/v4/projects/" + url.PathEscape(f.about.Repository)
	out, whole, err := s.deployments(ctx, f, project, since)
	if err != nil {
		return nil, ops.Time{}, err
	}
	var upTo ops.Time
	if !whole && len(out) > 0 {
		upTo = out[len(out)-1].at // those after it are for the next round, whatever was released since
	}
	released, err := s.releases(ctx, f, project, since)
	if err != nil {
		return nil, ops.Time{}, err
	}
	out = append(out, released...)
	slices.SortStableFunc(out, func(a, b missed) int { return a.at.Compare(b.at.Time) })
	if len(out) == 0 {
		return nil, ops.Time{}, nil
	}
	if upTo.IsZero() {
		upTo = out[len(out)-1].at
	}
	return out, upTo, nil
}

// deployments lists those that moved since then, oldest first; whole says whether these are all. Pages are
// counted here, so that no answer makes this go on for ever.
func (s *Service) deployments(ctx context.Context, f *feeder, project string, since time.Time) (out []missed, whole bool, err error) {
	query := url.Values{"order_by": {"updated_at"}, "sort": {"asc"}, "per_page": {"100"}, "updated_after": {since.UTC().Format(time.RFC3339)}}
	for page := 1; page <= backfillPages; page++ {
		var list []glDeployment
		query.Set("page", strconv.Itoa(page))
		h, err := s.ask(ctx, f, project+"/deployments?"+query.Encode(), &list)
		if err != nil {
			return nil, false, err
		}
		for _, d := range list {
			p := glPayload{Status: d.Status, ChangedAt: text(d.UpdatedAt.String()), DeploymentID: d.ID, Environment: d.Environment.Name, SHA: d.SHA[:min(8, len(d.SHA))], Ref: d.Ref}
			p.User.Username = d.User.Username
			out = append(out, s.ofProject(f, string("deployment "+d.ID+" "+d.Status), d.UpdatedAt, p, func(p *glPayload) (deed, string, error) {
				made, why, err := p.deployment()
				made.began = glTime(d.CreatedAt)
				return made, why, err
			}))
		}
		if h.Get("X-Next-Page") == "" {
			return out, true, nil
		}
	}
	return out, false, nil
}

func (s *Service) releases(ctx context.Context, f *feeder, project string, since time.Time) (out []missed, err error) {
	var list []struct {
		Tag        text     `json:"tag_name"`
		Name       text     `json:"name"`
		ReleasedAt ops.Time `json:"released_at"`
		Author     struct {
			Username text `json:"username"`
		} `json:"author"`
	}
	if _, err := s.ask(ctx, f, project+"/releases?order_by=released_at&sort=desc&per_page=100", &list); err != nil {
		return nil, err
	}
	for _, r := range list {
		if r.ReleasedAt.Before(since) || r.ReleasedAt.After(s.now()) {
			continue
		}
		p := glPayload{Action: "create", Tag: r.Tag, Name: r.Name, ReleasedAt: text(r.ReleasedAt.String())}
		p.User.Username = r.Author.Username
		out = append(out, s.ofProject(f, string("release "+r.Tag), r.ReleasedAt, p, (*glPayload).release))
	}
	return out, nil
}

// ofProject is what a hook of the project would have said.
func (s *Service) ofProject(f *feeder, id string, at ops.Time, p glPayload, read func(*glPayload) (deed, string, error)) missed {
	p.Project.Path = text(f.about.Repository)
	p.Project.Name = text(slug(f.about.Repository, ""))
	return missed{id, at, func(ctx context.Context) (done, error) {
		d, why, err := read(&p)
		if err != nil || why != "" {
			return ignored(why), err
		}
		return s.perform(ctx, ops.Principal{Name: f.product, Role: ops.CI}, d)
	}}
}
