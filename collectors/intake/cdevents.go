package intake

import (
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strings"

	"goc/ops"
)

// cdUsed are the subjects of CDEvents that become something here.
var cdUsed = map[string]bool{"service": true, "environment": true, "deployment": true, "targetrollout": true, "changewindow": true, "incident": true}

// cdOther are the subjects that are known and say nothing of what runs: code, builds, tests, tickets.
var cdOther = []string{
	"approval", "artifact", "branch", "build", "change", "migration", "pipelinerun", "reconciliation", "repository",
	"scheduledexecution", "taskrun", "testcaserun", "testoutput", "testsuiterun", "ticket",
}

const (
	unknownPredicate = "the type says nothing that is known"
	// registry is the environment of what was published and runs nowhere yet, when its sender names none. The gate is
	// not asked for it, unless gate.environments.registry.required says so.
	registry = "registry"
)

// notUsed says why an event of a subject comes to nothing; the reasons are few, for they are counted by.
func notUsed(subject string) string {
	if slices.Contains(cdOther, subject) {
		return "events of a " + subject + " are not used"
	}
	return "the subject of the type is not known"
}

// cdEvent is a CDEvent: the data of an event whose type begins with dev.cdevents.
type cdEvent struct {
	Context struct {
		Version     text `json:"version"`     // of the specification, up to 0.4
		SpecVersion text `json:"specversion"` // the same, from 0.5
		ID          text `json:"id"`
		Source      text `json:"source"`
		Type        text `json:"type"`
		Timestamp   text `json:"timestamp"`
	} `json:"context"`
	Subject struct {
		ID      text      `json:"id"`
		Content cdContent `json:"content"`
	} `json:"subject"`
	CustomData loosely `json:"customData"`
}

// cdContent is what the subjects that we use have between them.
type cdContent struct {
	Name         text      `json:"name"`
	Environment  reference `json:"environment"`
	Service      reference `json:"service"`
	ArtifactID   text      `json:"artifactId"` // a purl
	Description  text      `json:"description"`
	TicketURI    text      `json:"ticketURI"`
	URI          text      `json:"uri"`
	Outcome      text      `json:"outcome"` // of a deployment or target rollout: success, failure, cancel, error
	DeploymentID reference `json:"deploymentId"`

	Target     target    `json:"target"`     // of a target rollout, where; of a change window, what
	WindowType text      `json:"windowType"` // restrictive, permissive
	NotBefore  text      `json:"notBefore"`
	NotAfter   text      `json:"notAfter"`
	Reason     text      `json:"reason"`
	Change     reference `json:"change"`
}

// reference is the id of something, as an object or, in older versions, as text.
type reference string

func (r *reference) UnmarshalJSON(b []byte) error {
	var t target
	err := t.UnmarshalJSON(b)
	*r = reference(t.id)
	return err
}

// target is a reference that says of what kind it is.
type target struct{ id, kind string }

func (t *target) UnmarshalJSON(b []byte) error {
	var o struct {
		ID   text `json:"id"`
		Name text `json:"name"`
		Type text `json:"type"`
	}
	if json.Unmarshal(b, &o) == nil {
		*t = target{first(o.ID, o.Name), strings.ToLower(string(o.Type))}
	} else {
		var id text
		if err := id.UnmarshalJSON(b); err != nil {
			return err
		}
		*t = target{id: string(id)}
	}
	if kind, _, ok := domainID(t.id); ok && t.kind == "" {
		t.kind = kind
	}
	return nil
}

// domainID takes apart cdevents:v0:provider:provider-id:namespace:groups:type:resource-id, in which a resource's id is
// percent-encoded; ok is false where it is none.
func domainID(id string) (kind, resource string, ok bool) {
	parts := strings.Split(id, ":")
	if len(parts) != 8 || parts[0] != "cdevents" || parts[1] != "v0" || parts[6] == "" || parts[7] == "" || strings.HasPrefix(parts[5], "/") || strings.HasSuffix(parts[5], "/") {
		return "", "", false
	}
	resource, err := url.PathUnescape(parts[7])
	return strings.ToLower(parts[6]), resource, err == nil
}

// complete takes from the envelope what the event itself does not say.
func (c *cdEvent) complete(e cloudEvent) {
	c.Context.ID = text(first(e.ID, c.Context.ID))
	c.Context.Source = text(first(e.Source, c.Context.Source))
	c.Context.Timestamp = text(first(c.Context.Timestamp, e.Time))
	c.Subject.ID = text(first(c.Subject.ID, e.Subject))
}

// lastPart is the end of an id that is a path, a URL or a list of names with colons: service/cart, cdevents:v0:…:SH-001.
func lastPart(id string) string {
	if _, resource, ok := domainID(id); ok {
		return resource
	}
	id = strings.TrimRight(id, "/:")
	return id[strings.LastIndexAny(id, "/:")+1:]
}

// purl takes name and version of pkg:oci/shop/cart@1.2.3?tag=1.2 apart. A digest is a version only when there is no tag.
func purl(id string) (name, version string) {
	rest, _, _ := strings.Cut(id, "#")
	rest, query, _ := strings.Cut(rest, "?")
	name, version, _ = strings.Cut(rest[strings.LastIndexByte(rest, '/')+1:], "@")
	if plain, err := url.PathUnescape(version); err == nil {
		version = plain
	}
	if values, err := url.ParseQuery(query); err == nil && values.Get("tag") != "" && (version == "" || strings.Contains(version, ":")) {
		version = values.Get("tag")
	}
	return strings.TrimPrefix(name, "pkg:"), version
}

// cdTitles say what happened, by subject and predicate.
var cdTitles = map[string]string{
	"service.deployed": "Deploy ", "service.upgraded": "Upgrade ", "service.rolledback": "Roll back ", "service.published": "Publish ", "service.removed": "Remove ",
	"environment.created": "Create environment ", "environment.modified": "Change environment ", "environment.deleted": "Delete environment ",
	"deployment.queued": "Deploy ", "deployment.started": "Deploy ", "deployment.finished": "Deploy ",
}

// deed makes a change of an event of a service, an environment or a deployment.
func (c *cdEvent) deed(subject, predicate string) (deed, bool) {
	name := subject + "." + predicate
	title, ok := cdTitles[name]
	if !ok {
		return deed{}, false
	}
	ch := c.change(string(c.Context.Source+" "+c.Context.ID), name)
	d := deed{reach: ops.ChangeFinished, at: timeOf(c.Context.Timestamp)}
	switch subject {
	case "service":
		ch.Service = first(text(c.CustomData["service"]), text(lastPart(string(c.Subject.ID))))
	case "environment":
		ch.Kind, ch.Service, ch.Version = ops.KindConfig, c.CustomData["service"], ""
		ch.Environment = first(text(c.CustomData["environment"]), c.Subject.Content.Name, text(lastPart(string(c.Subject.ID))))
	case "deployment":
		ch.Labels["external_id"] = c.deployment(string(c.Subject.ID))
		d.reach, d.note = outcomeOf(predicate, string(c.Subject.Content.Outcome)), string(c.Subject.Content.Outcome)
	}
	switch predicate {
	case "rolledback":
		ch.Kind = "rollback"
	case "published":
		ch.Environment = first(text(ch.Environment), registry)
	}
	ch.Title = strings.TrimSpace(title + strings.TrimSpace(first(text(ch.Service), text(ch.Environment))+" "+ch.Version))
	d.change = ch
	return d, true
}

// change begins a change of what an event says of service, version, environment and, in its customData, of our scope.
func (c *cdEvent) change(id, name string) ops.Change {
	content := &c.Subject.Content
	service, version := purl(string(content.ArtifactID))
	ch := ops.Change{
		Kind: ops.KindRelease, Source: "cloudevents", Environment: first(text(content.Environment), text(c.CustomData["environment"])),
		Service: first(text(c.CustomData["service"]), text(lastPart(string(content.Service))), text(service), text(lastPart(string(c.Subject.ID)))),
		Version: first(text(c.CustomData["version"]), text(version)), Author: c.CustomData["author"],
		Labels: map[string]string{"external_id": id, "cdevent": name},
	}
	for _, k := range ops.ScopeKeys {
		if v := c.CustomData[k]; v != "" && k != "service" {
			*ch.Scope.Key(k) = []string{v}
		}
	}
	if strings.HasPrefix(string(content.URI), "http") {
		ch.Links = []ops.Link{{Title: "environment", URL: string(content.URI)}}
	}
	return ch
}

// deployment is by what the change of a deployment is known, to its own events and to those of its targets.
func (c *cdEvent) deployment(id string) string { return string(c.Context.Source) + " deployment " + id }

// outcomeOf is how far a deployment has come.
func outcomeOf(predicate, said string) ops.ChangeStatus {
	switch {
	case predicate == "started":
		return ops.ChangeStarted
	case predicate == "finished" && (said == "" || said == "success"):
		return ops.ChangeFinished
	case predicate == "finished":
		return ops.ChangeAborted
	}
	return ""
}

// rollBack marks the latest release of the service as rolled back; without one it is recorded as a change of its own.
func (s *Service) rollBack(ctx context.Context, who ops.Principal, d deed) error {
	list, err := s.changes.List(ctx, ops.ChangeQuery{Service: d.change.Service, Page: ops.Page{Limit: 100}})
	if err != nil {
		return err
	}
	for _, c := range list.Items {
		if c.Source != d.change.Source || c.Environment != d.change.Environment || c.Labels["cdevent"] == "service.removed" || c.Labels["cdevent"] == "service.published" {
			continue
		}
		if len(steps(c.Status, ops.ChangeRolledBack)) == 0 {
			return nil // told before
		}
		_, err := s.changes.Event(ctx, who, c.ID, ops.ChangeEvent{Event: "rollback", At: d.at})
		return err
	}
	_, err = s.perform(ctx, who, d)
	return err
}

// takeIncident makes an alert of an incident event. The incident's id is what it is known by.
func (s *Service) takeIncident(ctx context.Context, c *cdEvent, predicate string) (why string, err error) {
	if predicate != "detected" && predicate != "reported" && predicate != "resolved" {
		return unknownPredicate, nil
	}
	content := &c.Subject.Content
	l := loose{"alertname": first(content.Description, c.Subject.ID), "cdevents_incident": string(c.Subject.ID)}
	l.set("service", string(content.Service))
	l.set("environment", string(content.Environment))
	l.set("severity", first(text(c.CustomData["priority"]), text(c.CustomData["severity"])))
	for _, k := range []string{"store", "city", "region"} {
		l.set(k, c.CustomData[k])
	}
	notes := loose{}
	notes.set("summary", string(content.Description))
	notes.set("artifact", string(content.ArtifactID))
	a := said{labels: l, annotations: notes, url: string(content.TicketURI), key: "cdevents_incident", resolved: predicate == "resolved"}
	if when := timeOf(c.Context.Timestamp); a.resolved {
		a.ends = when
	} else {
		a.starts = when
	}
	_, err = s.hear(ctx, "cloudevents", []said{a})
	return "", err
}
