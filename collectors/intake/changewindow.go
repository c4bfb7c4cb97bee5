package intake

import (
	"context"
	"slices"
	"strings"

	"goc/ops"
)

// Freezes is where freeze windows live.
type Freezes interface {
	Freezes(ctx context.Context) ([]ops.Freeze, error) // those not lifted
	AddFreeze(ctx context.Context, who ops.Principal, f ops.Freeze) (ops.Freeze, error)
	LiftFreeze(ctx context.Context, who ops.Principal, id string) error
}

// takeWindow takes an event of a change window. A restrictive window is a freeze for as long as it lasts; one that was
// breached is an alert. A sender moves and lifts the windows that it set itself, and no others.
func (s *Service) takeWindow(ctx context.Context, who ops.Principal, c *cdEvent, predicate string) (why string, err error) {
	switch predicate {
	case "created", "modified", "opened", "closed", "revoked":
		if s.freezes == nil {
			return "change windows are not kept here", nil
		}
	case "breached":
		return "", s.breached(ctx, c)
	default:
		return unknownPredicate, nil
	}
	if c.Subject.ID == "" {
		return "", ops.Errorf(ops.Invalid, "is missing").At("body.data.subject.id")
	}
	s.staging.Lock()
	defer s.staging.Unlock()
	name := windowName(c)
	list, err := s.freezes.Freezes(ctx)
	if err != nil {
		return "", err
	}
	var known *ops.Freeze
	if n := slices.IndexFunc(list, func(f ops.Freeze) bool { return f.Name == name && f.CreatedBy == who.Name }); n >= 0 {
		known = &list[n]
	}
	setter := ops.Principal{Name: who.Name, Role: ops.Commander} // of its own windows only
	if predicate == "closed" || predicate == "revoked" {
		if known == nil {
			return alreadyThere, nil
		}
		return "", s.freezes.LiftFreeze(ctx, setter, known.ID)
	}
	return s.setWindow(ctx, setter, known, c, name)
}

// windowName is by what a window is known again: its id, and where it comes from.
func windowName(c *cdEvent) string {
	name := string(c.Subject.ID)
	if c.Context.Source != "" {
		name += " of " + string(c.Context.Source)
	}
	return strings.TrimSpace(strings.ToValidUTF8(name[:min(len(name), ops.MaxNameLength)], "")) // no half of a character, which no journal takes
}

// setWindow adds the freeze, or puts it in the place of the one that stood there.
func (s *Service) setWindow(ctx context.Context, who ops.Principal, known *ops.Freeze, c *cdEvent, name string) (why string, err error) {
	f, why := c.freeze(name)
	switch {
	case why != "":
		return why, nil
	case known != nil && known.From == f.From && known.To == f.To && known.Scope.String() == f.Scope.String():
		return alreadyThere, nil
	}
	if _, err := s.freezes.AddFreeze(ctx, who, f); err != nil {
		return "", err
	}
	s.taken.WithLabelValues("cloudevents").Inc()
	if known == nil {
		return "", nil
	}
	return "", s.freezes.LiftFreeze(ctx, who, known.ID) // last, so that it is closed all the while
}

// freeze is the freeze window that a restrictive change window is.
func (c *cdEvent) freeze(name string) (f ops.Freeze, why string) {
	content := &c.Subject.Content
	if content.WindowType == "permissive" {
		return f, "a permissive window freezes nothing"
	}
	f = ops.Freeze{
		Name: name, From: timeOf(content.NotBefore), To: timeOf(content.NotAfter),
		Reason: first(content.Reason, content.Description),
	}
	id, kind := lastPart(content.Target.id), content.Target.kind
	key := f.Scope.Key(kind)
	switch {
	case key != nil && id != "":
		*key = []string{id}
	case kind == "environment" && (id == "prod" || id == "production"):
	default:
		return f, "a freeze cannot name the target of this window"
	}
	return f, ""
}

// breached tells that something went out although a window was closed, for as long as other alerts of hooks last.
func (s *Service) breached(ctx context.Context, c *cdEvent) error {
	content := &c.Subject.Content
	id := string(c.Subject.ID + " " + text(content.Change))
	l := loose{"alertname": "ChangeWindowBreached", "severity": "warning", "cdevents_window": id}
	if kind := content.Target.kind; new(ops.Scope).Key(kind) != nil {
		l.set(kind, lastPart(content.Target.id))
	}
	notes := loose{"summary": "change window " + string(c.Subject.ID) + " was breached by " + first(text(content.Change), "a change that it does not name")}
	notes.set("description", string(content.Reason))
	_, err := s.hear(ctx, "cloudevents", []said{{labels: l, annotations: notes, key: "cdevents_window", starts: timeOf(c.Context.Timestamp)}})
	return err
}
