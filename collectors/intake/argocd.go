package intake

import (
	"net/http"

	"goc/ops"
)

// argoHook takes a notification of Argo CD. Its body is a template; the one in docs/ sends these fields:
// {"app","project","revision","phase","health","startedAt","finishedAt","syncUser","cluster","namespace"}.
func (s *Service) argoHook(r *http.Request, who ops.Principal, body []byte) (any, error) {
	d, why, err := parseArgo(body)
	if err != nil || why != "" {
		return ignored(why), err
	}
	return s.perform(r.Context(), who, d)
}

// parseArgo reads one notification. Argo CD sends again what it thinks was lost: the same app, revision and start are
// the same change.
func parseArgo(body []byte) (deed, string, error) {
	var p struct {
		App        text `json:"app"`
		Project    text `json:"project"`
		Revision   text `json:"revision"`
		Phase      text `json:"phase"` // Running, Succeeded, Failed, Error, Terminating
		Health     text `json:"health"`
		StartedAt  text `json:"startedAt"`
		FinishedAt text `json:"finishedAt"`
		User       text `json:"syncUser"`
		Cluster    text `json:"cluster"`
		Namespace  text `json:"namespace"`
	}
	if err := decode(body, &p); err != nil {
		return deed{}, "", err
	}
	if p.App == "" || p.Revision == "" {
		return deed{}, "", ops.Errorf(ops.Invalid, "must name app and revision").At("body.app")
	}
	version := string(p.Revision)
	if len(version) == 40 {
		version = version[:12]
	}
	c := ops.Change{
		Kind: ops.KindRelease, Source: "argocd", Service: string(p.App), Version: version, Author: string(p.User), Environment: string(p.Namespace),
		Title:  "Sync " + string(p.App) + " to " + version,
		Labels: map[string]string{"external_id": string(p.App + " " + p.Revision + " " + p.StartedAt), "project": string(p.Project), "cluster": string(p.Cluster)},
	}
	d := deed{change: c, at: timeOf(p.StartedAt), began: timeOf(p.StartedAt)}
	switch p.Phase {
	case "Running":
		d.reach = ops.ChangeStarted
	case "Succeeded":
		d.reach, d.at = ops.ChangeFinished, timeOf(p.FinishedAt)
	case "Failed", "Error", "Terminating":
		d.reach, d.at, d.note = ops.ChangeAborted, timeOf(p.FinishedAt), string(p.Phase)
	default:
		return d, "the phase says nothing of a change", nil
	}
	return d, "", nil
}
