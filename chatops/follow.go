package chatops

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"goc/ops"
)

const (
	cursorID  = "chatops"
	batch     = 500  // events read at once
	farBehind = 1000 // the cursor is written at least every so many events, even when none concerned us
	retryRead = time.Second
)

// cursor is how far the event log has been told.
type cursor struct {
	Seq int64 `json:"seq"`
}

// slackBody is the body of a slack effect.
type slackBody struct {
	Incident string   `json:"incident"`
	What     string   `json:"what"` // card, suspects, detail; notice: of no incident
	Text     string   `json:"text,omitempty"`
	At       ops.Time `json:"at"`
}

// robotBody is the body of a dingtalk or feishu effect.
type robotBody struct {
	Incident string `json:"incident"`
	Text     string `json:"text"`
}

// details are the events that are told in the thread; the others only change the card.
var details = []string{
	"opened", "acknowledged", "mitigated", "recovered", "resolved", "reopened", "severity_changed", "located",
	"note_added", "role_set", "merged", "split", "unlinked", "suspect_confirmed", "suspect_rejected", "cause_named", "plan_progress",
	"task_added", "task_reminded", "update_posted", "update_due",
}

// milestones are the events that group robots are told: they may send only 20 messages a minute.
var milestones = []string{"opened", "acknowledged", "mitigated", "recovered", "resolved", "reopened", "severity_changed", "located", "suspect_confirmed", "cause_named", "update_posted", "update_due", "task_reminded"}

// Run follows the event log until ctx ends. Effects and cursor are one mutation: nothing is lost by a restart, and
// nothing is ordered twice.
func (s *Service) Run(ctx context.Context) error {
	if !s.tells() {
		<-ctx.Done()
		return nil
	}
	wake := make(chan struct{}, 1)
	cancel := s.o.Journal.Subscribe(func([]ops.Event) {
		select {
		case wake <- struct{}{}:
		default:
		}
	})
	defer cancel()
	saved := s.cursor.Load()
	for ctx.Err() == nil {
		n, err := s.follow(ctx, &saved)
		switch {
		case err != nil && ctx.Err() == nil:
			s.o.Logger.Error("the event log could not be followed", "error", err)
			wait(ctx, nil, retryRead)
		case n == 0:
			wait(ctx, wake, time.Minute)
		}
	}
	return nil
}

// wait returns when c gives, after d, or when ctx ends.
func wait(ctx context.Context, c <-chan struct{}, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-c:
	case <-t.C:
	}
}

// tells says whether anybody is to be told anything.
func (s *Service) tells() bool {
	return s.config.Slack.Token != "" || len(s.config.Webhooks) > 0 || s.config.DingTalk.on() || s.config.Feishu.on()
}

// follow reads one batch of events, orders what follows from them, and returns how many it read.
func (s *Service) follow(ctx context.Context, saved *int64) (int, error) {
	at := s.cursor.Load()
	events, err := s.o.Journal.Events(ctx, ops.EventQuery{Since: at, Limit: batch})
	if err != nil || len(events) == 0 {
		return 0, err
	}
	last := events[len(events)-1].Seq
	effects := s.effects(events)
	if len(effects) > 0 || last-*saved >= farBehind {
		receipt := s.o.Journal.Append(ops.Mutation{
			Put:     []ops.Record{ops.Encode("cursor", cursorID, cursor{Seq: last})},
			Effects: effects,
		})
		if _, err := receipt.Wait(ctx); err != nil {
			return 0, err
		}
		*saved = last
	}
	s.cursor.Store(last)
	return len(events), nil
}

// effects are the messages that follow from events, in order; of those with the same key only the last is kept.
func (s *Service) effects(events []ops.Event) []ops.Effect {
	var out []ops.Effect
	put := func(kind, key, lane string, body any) {
		b, err := json.Marshal(body)
		if err != nil {
			panic("chatops: " + err.Error())
		}
		e := ops.Effect{Kind: kind, Key: key, Lane: lane, Body: b}
		if i := slices.IndexFunc(out, func(o ops.Effect) bool { return o.Kind == kind && o.Key == key }); i >= 0 {
			out[i] = e
			return
		}
		out = append(out, e)
	}
	for _, e := range events {
		if name, ok := strings.CutPrefix(e.Name, "incident."); ok && e.Topic == "incidents" {
			s.incidentEffects(e, name, put)
		}
		if slices.Contains(notices, e.Name) {
			s.noticeEffects(e, put)
		}
		for _, w := range s.config.Webhooks {
			if matches(w.Events, e.Name) {
				put(effectWebhook, fmt.Sprintf("%s:%d", w.Name, e.Seq), "webhook:"+w.Name, webhookBody{Webhook: w.Name, Event: e})
			}
		}
	}
	return out
}

// notices are the events of the gate that everybody is told, in the channel itself.
var notices = []string{"gate.overridden", "gate.override_due"}

// noticeEffects orders the messages of an event that belongs to no incident.
func (s *Service) noticeEffects(e ops.Event, put func(kind, key, lane string, body any)) {
	key, text := fmt.Sprintf("gate:%d", e.Seq), textOf(e)
	if s.config.Slack.Token != "" {
		put(effectSlack, key, "slack:gate", slackBody{What: "notice", Text: text, At: e.At})
	}
	for kind, robot := range map[string]Robot{effectDingTalk: s.config.DingTalk, effectFeishu: s.config.Feishu} {
		if robot.on() {
			put(kind, key, kind, robotBody{Text: text})
		}
	}
}

// incidentEffects orders what one event of an incident changes in chat.
func (s *Service) incidentEffects(e ops.Event, name string, put func(kind, key, lane string, body any)) {
	id, text := e.Subject, textOf(e)
	if s.config.Slack.Token != "" {
		lane := "slack:" + id
		put(effectSlack, id+":card", lane, slackBody{Incident: id, What: "card"})
		switch {
		case name == "suspects_ranked":
			put(effectSlack, id+":suspects", lane, slackBody{Incident: id, What: "suspects", At: e.At})
		case slices.Contains(details, name) && text != "":
			put(effectSlack, fmt.Sprintf("%s:%d", id, e.Seq), lane, slackBody{Incident: id, What: "detail", Text: text, At: e.At})
		}
	}
	if !slices.Contains(milestones, name) {
		return
	}
	for kind, robot := range map[string]Robot{effectDingTalk: s.config.DingTalk, effectFeishu: s.config.Feishu} {
		if robot.on() {
			put(kind, id+":"+name, kind, robotBody{Incident: id, Text: text})
		}
	}
}

// textOf is the sentence of an event, "" when it has none.
func textOf(e ops.Event) string {
	var d struct {
		Text string `json:"text"`
	}
	if json.Unmarshal(e.Data, &d) != nil {
		return ""
	}
	return d.Text
}

// matches says whether one of the patterns fits the event's name.
func matches(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		ok, err := path.Match(p, name)
		return err == nil && ok
	})
}
