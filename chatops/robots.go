package chatops

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"goc/ops"
)

// HandleDingTalk sends one line to DingTalk's group robot: signed by HMAC-SHA256 over timestamp and secret, with the
// secret as key, in the query. DingTalk takes 20 messages a minute.
func (s *Service) HandleDingTalk(ctx context.Context, e ops.Effect) error {
	inc, text, err := s.line(ctx, e)
	if err != nil {
		return err
	}
	to, err := url.Parse(s.config.DingTalk.URL)
	if err != nil {
		return ops.Permanent(fmt.Errorf("the robot's URL is not one"))
	}
	if s.config.DingTalk.Secret != "" {
		stamp := strconv.FormatInt(s.o.Now().UnixMilli(), 10)
		q := to.Query()
		q.Set("timestamp", stamp)
		q.Set("sign", base64.StdEncoding.EncodeToString(sign(s.config.DingTalk.Secret, stamp+"\n"+s.config.DingTalk.Secret)))
		to.RawQuery = q.Encode()
	}
	body, err := json.Marshal(map[string]any{"msgtype": "markdown", "markdown": map[string]string{"title": plain(inc.Title, 100), "text": text}})
	if err != nil {
		return ops.Permanent(err)
	}
	answer, err := s.post(ctx, to.String(), body, nil)
	return robotVerdict(answer, err, "errcode", "errmsg", 130101)
}

// HandleFeishu sends one line to Feishu's group robot: signed by HMAC-SHA256 over nothing, with timestamp and secret as
// key, in the body.
func (s *Service) HandleFeishu(ctx context.Context, e ops.Effect) error {
	_, text, err := s.line(ctx, e)
	if err != nil {
		return err
	}
	msg := map[string]any{"msg_type": "text", "content": map[string]string{"text": text}}
	if s.config.Feishu.Secret != "" {
		stamp := strconv.FormatInt(s.o.Now().Unix(), 10)
		msg["timestamp"] = stamp
		msg["sign"] = base64.StdEncoding.EncodeToString(sign(stamp+"\n"+s.config.Feishu.Secret, ""))
	}
	body, err := json.Marshal(msg)
	if err != nil {
		return ops.Permanent(err)
	}
	answer, err := s.post(ctx, s.config.Feishu.URL, body, nil)
	return robotVerdict(answer, err, "code", "msg", 11232)
}

// line is what a robot says of an incident's event.
func (s *Service) line(ctx context.Context, e ops.Effect) (ops.Incident, string, error) {
	var b robotBody
	if err := json.Unmarshal(e.Body, &b); err != nil {
		return ops.Incident{}, "", ops.Permanent(fmt.Errorf("the effect's body cannot be read: %w", err))
	}
	if b.Incident == "" { // a notice
		return ops.Incident{Title: b.Text}, plain(b.Text, maxTold), nil
	}
	inc, err := s.o.Incidents.Get(ctx, b.Incident)
	if ops.KindOf(err) == ops.NotFound {
		err = ops.Permanent(err)
	}
	parts := []string{fmt.Sprintf("%s %s %s %s", shapes[inc.Severity], inc.Severity, inc.ID, inc.State), plain(inc.Title, maxField), plain(b.Text, maxTold)}
	if link := s.link(s.config.BaseURL, inc.ID); link != "" {
		parts = append(parts, link)
	}
	return inc, strings.Join(parts, "\n\n"), err
}

// robotVerdict reads a robot's answer, which is 200 even for a refusal. limited is the code for too many messages.
func robotVerdict(answer []byte, err error, code, text string, limited float64) error {
	if err != nil {
		return err
	}
	var a map[string]any
	if json.Unmarshal(answer, &a) != nil {
		return fmt.Errorf("the answer was not JSON")
	}
	n, _ := a[code].(float64)
	if n == 0 {
		return nil
	}
	err = fmt.Errorf("the robot refused: %v %v", n, a[text])
	if n == limited {
		return ops.RetryAfter(time.Minute, err)
	}
	return ops.Permanent(err)
}
