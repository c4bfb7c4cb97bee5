package chatops

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/slack-go/slack"

	"goc/ops"
)

// hopeless are Slack's answers that the same message will get each time.
var hopeless = []string{"invalid_blocks", "invalid_blocks_format", "msg_too_long", "msg_blocks_too_long", "no_text", "too_many_attachments", "invalid_arguments", "cant_update_message", "edit_window_closed"}

// HandleSlack does one slack effect: it posts or edits an incident's card, or tells a detail in its thread. What a card
// shows is read when it is sent, so that effects that waited tell the present.
func (s *Service) HandleSlack(ctx context.Context, e ops.Effect) error {
	var b slackBody
	if err := json.Unmarshal(e.Body, &b); err != nil {
		return ops.Permanent(fmt.Errorf("the effect's body cannot be read: %w", err))
	}
	if b.What == "notice" {
		return s.postNotice(ctx, b.Text)
	}
	inc, err := s.o.Incidents.Get(ctx, b.Incident)
	if err != nil {
		if ops.KindOf(err) == ops.NotFound {
			return ops.Permanent(err)
		}
		return err
	}
	if _, told := s.standing(inc.ID); inc.Merged != "" && !told {
		return nil // it was taken into another before anybody heard of it: the other's message tells the story
	}
	if err := s.pace.Wait(ctx); err != nil {
		return err
	}
	switch b.What {
	case "card":
		_, err = s.postCard(ctx, inc)
	case "suspects":
		err = s.tellSuspect(ctx, inc, b)
	case "detail":
		err = s.tellDetail(ctx, inc, mrkdwn(b.Text, maxSection), b)
	default:
		err = ops.Permanent(fmt.Errorf("nobody knows what %q is", b.What))
	}
	return verdict(err)
}

// postNotice says one line in the channel itself.
func (s *Service) postNotice(ctx context.Context, text string) error {
	if err := s.pace.Wait(ctx); err != nil {
		return err
	}
	_, _, err := s.slack.PostMessageContext(ctx, s.config.Slack.Channel, slack.MsgOptionText(mrkdwn(text, maxSection), false), slack.MsgOptionDisableLinkUnfurl())
	return verdict(err)
}

// postCard brings the incident's one message up to date and returns where it stands.
func (s *Service) postCard(ctx context.Context, inc ops.Incident) (message, error) {
	options := slack.MsgOptionCompose(
		slack.MsgOptionText(fallback(inc), false),
		slack.MsgOptionBlocks(card(inc, s.link(s.config.Slack.BaseURL, inc.ID), s.o.Now())...),
		slack.MsgOptionDisableLinkUnfurl())
	m, standing := s.standing(inc.ID)
	if standing {
		_, _, _, err := s.slack.UpdateMessageContext(ctx, m.Channel, m.TS, options)
		if !slackSaid(err, "message_not_found") {
			return m, err
		}
	}
	channel, ts, err := s.slack.PostMessageContext(ctx, s.config.Slack.Channel, options)
	if err != nil {
		return m, err
	}
	m = message{Channel: channel, TS: ts, Suspect: m.Suspect}
	return m, s.remember(ctx, inc.ID, m)
}

func (s *Service) standing(id string) (message, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, ok := s.messages[id]
	return m, ok && m.TS != ""
}

// remember makes it durable where an incident's message stands.
func (s *Service) remember(ctx context.Context, id string, m message) error {
	s.mu.Lock()
	s.messages[id] = m
	receipt := s.o.Journal.Append(ops.Mutation{Put: []ops.Record{ops.Encode("chat_message", id, m)}})
	s.mu.Unlock()
	_, err := receipt.Wait(ctx)
	return err
}

// tellDetail adds a line to the thread; text is escaped already. Without a card there is no thread: it is posted first.
func (s *Service) tellDetail(ctx context.Context, inc ops.Incident, text string, b slackBody) error {
	m, standing := s.standing(inc.ID)
	if !standing {
		var err error
		if m, err = s.postCard(ctx, inc); err != nil {
			return err
		}
	}
	_, _, err := s.slack.PostMessageContext(ctx, m.Channel, slack.MsgOptionTS(m.TS), slack.MsgOptionDisableLinkUnfurl(),
		slack.MsgOptionText(when(b.At.Time)+" "+text, false))
	return err
}

// tellSuspect adds a line to the thread when another change stands first than the thread was last told.
func (s *Service) tellSuspect(ctx context.Context, inc ops.Incident, b slackBody) error {
	i := slices.IndexFunc(inc.Suspects, func(x ops.Suspect) bool { return x.Verdict != "rejected" })
	m, _ := s.standing(inc.ID)
	if i < 0 || inc.Suspects[i].ChangeID == m.Suspect {
		return nil
	}
	first := inc.Suspects[i]
	text := fmt.Sprintf("first suspect: %s %s, %.0f %%", mrkdwn(first.ChangeID, 64), mrkdwn(first.Title, maxField), first.Probability*100)
	for _, r := range first.Reasons[:min(3, len(first.Reasons))] {
		text += "\n• " + mrkdwn(r.Text, maxField)
	}
	if err := s.tellDetail(ctx, inc, text, b); err != nil {
		return err
	}
	m, _ = s.standing(inc.ID)
	m.Suspect = first.ChangeID
	return s.remember(ctx, inc.ID, m)
}

// slackSaid says whether err is this answer of Slack's.
func slackSaid(err error, answers ...string) bool {
	var e slack.SlackErrorResponse
	return errors.As(err, &e) && slices.Contains(answers, e.Err)
}

// verdict says of an error whether and when to try again.
func verdict(err error) error {
	var limited *slack.RateLimitedError
	switch {
	case errors.As(err, &limited):
		return ops.RetryAfter(limited.RetryAfter, err)
	case slackSaid(err, hopeless...):
		return ops.Permanent(err)
	}
	return err
}
