package incidents

import (
	"context"

	"goc/incidents/engine"
	"goc/ops"
)

// act does one action and answers the incident as it then is.
func (s *Service) act(ctx context.Context, a engine.Action) (ops.Incident, error) {
	if _, err := s.do(ctx, a); err != nil {
		return ops.Incident{}, err
	}
	return s.Get(ctx, a.ID)
}

// Declare opens an incident by hand.
func (s *Service) Declare(ctx context.Context, who ops.Principal, d ops.Declaration) (ops.Incident, error) {
	out, err := s.do(ctx, engine.Declare{Who: who, Declaration: d})
	if err != nil {
		return ops.Incident{}, err
	}
	return s.Get(ctx, out.Incident)
}

// Acknowledge says that somebody is on it. Doing it again changes nothing.
func (s *Service) Acknowledge(ctx context.Context, who ops.Principal, id, note string) (ops.Incident, error) {
	return s.act(ctx, engine.Action{Do: "acknowledge", Who: who, ID: id, Note: note})
}

// Mitigate says that customers no longer suffer.
func (s *Service) Mitigate(ctx context.Context, who ops.Principal, id, note string) (ops.Incident, error) {
	return s.act(ctx, engine.Action{Do: "mitigate", Who: who, ID: id, Note: note})
}

// Resolve says that it is done.
func (s *Service) Resolve(ctx context.Context, who ops.Principal, id, note string) (ops.Incident, error) {
	return s.act(ctx, engine.Action{Do: "resolve", Who: who, ID: id, Note: note})
}

// Reopen takes a resolution or mitigation back.
func (s *Service) Reopen(ctx context.Context, who ops.Principal, id, note string) (ops.Incident, error) {
	return s.act(ctx, engine.Action{Do: "reopen", Who: who, ID: id, Note: note})
}

// Note writes a line into the timeline.
func (s *Service) Note(ctx context.Context, who ops.Principal, id, text string) (ops.Incident, error) {
	return s.act(ctx, engine.Action{Do: "note", Who: who, ID: id, Note: text})
}

// SetSeverity overrules the program; it will not change the severity again.
func (s *Service) SetSeverity(ctx context.Context, who ops.Principal, id string, sev ops.Severity, note string) (ops.Incident, error) {
	return s.act(ctx, engine.Action{Do: "severity", Who: who, ID: id, Severity: sev, Note: note})
}

// SetRole gives a role to a person; no person frees it.
func (s *Service) SetRole(ctx context.Context, who ops.Principal, id, role, person string) (ops.Incident, error) {
	return s.act(ctx, engine.Action{Do: "role", Who: who, ID: id, Role: role, Person: person})
}

// Merge moves everything of id into another incident and answers that one.
func (s *Service) Merge(ctx context.Context, who ops.Principal, id, into, note string) (ops.Incident, error) {
	if _, err := s.do(ctx, engine.Action{Do: "merge", Who: who, ID: id, Into: into, Note: note}); err != nil {
		return ops.Incident{}, err
	}
	return s.Get(ctx, into)
}

// Split makes a new incident of some of an incident's alerts, and answers the new one. The program never makes the two one again.
func (s *Service) Split(ctx context.Context, who ops.Principal, id string, alerts []string, title, note string) (ops.Incident, error) {
	out, err := s.do(ctx, engine.Action{Do: "split", Who: who, ID: id, Alerts: alerts, Title: title, Note: note})
	if err != nil {
		return ops.Incident{}, err
	}
	return s.Get(ctx, out.Incident)
}

// Unlink takes alerts out of an incident; they are placed anew, and never again in it.
func (s *Service) Unlink(ctx context.Context, who ops.Principal, id string, alerts []string, note string) (ops.Incident, error) {
	return s.act(ctx, engine.Action{Do: "unlink", Who: who, ID: id, Alerts: alerts, Note: note})
}

// JudgeSuspect takes a person's verdict on a suspect. Confirming stops the locate clock.
func (s *Service) JudgeSuspect(ctx context.Context, who ops.Principal, id, change string, confirmed bool, note string) (ops.Incident, error) {
	return s.act(ctx, engine.Action{Do: "judge", Who: who, ID: id, Change: change, Confirmed: confirmed, Note: note})
}

// PutSilence sets a silence, or changes the one of its id; the answer has the id that it got.
func (s *Service) PutSilence(ctx context.Context, who ops.Principal, sil ops.Silence) (ops.Silence, error) {
	out, err := s.do(ctx, engine.PutSilence{Who: who, Silence: sil})
	return out.Silence, err
}

// ExpireSilence ends one now.
func (s *Service) ExpireSilence(ctx context.Context, who ops.Principal, id string) error {
	_, err := s.do(ctx, engine.ExpireSilence{Who: who, ID: id})
	return err
}
