package chatops

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"goc/ops"
)

// The headers of a webhook. Its body is the event as GET /api/v1/events shows it. The signature is
// "sha256=" + hex(HMAC-SHA256(secret, timestamp + "." + body)); a receiver refuses timestamps that are more than five
// minutes off and ids that it has seen: each event is sent at least once, in order.
const (
	headerEvent     = "X-GOC-Event"         // incident.opened
	headerID        = "X-GOC-Event-Id"      // the event's number, the same on each attempt
	headerTimestamp = "X-GOC-Timestamp"     // Unix seconds of this attempt
	headerSignature = "X-GOC-Signature-256" // sha256=…
)

// webhookBody is the body of a webhook effect.
type webhookBody struct {
	Webhook string    `json:"webhook"`
	Event   ops.Event `json:"event"`
}

// HandleWebhook does one webhook effect.
func (s *Service) HandleWebhook(ctx context.Context, e ops.Effect) error {
	var b webhookBody
	if err := json.Unmarshal(e.Body, &b); err != nil {
		return ops.Permanent(fmt.Errorf("the effect's body cannot be read: %w", err))
	}
	i := slices.IndexFunc(s.config.Webhooks, func(w Webhook) bool { return w.Name == b.Webhook })
	if i < 0 {
		return ops.Permanent(fmt.Errorf("webhook %q is no longer configured", b.Webhook))
	}
	w := s.config.Webhooks[i]
	body, err := json.Marshal(b.Event)
	if err != nil {
		return ops.Permanent(err)
	}
	stamp := strconv.FormatInt(s.o.Now().Unix(), 10)
	_, err = s.post(ctx, w.URL, body, map[string]string{
		headerEvent: b.Event.Name, headerID: strconv.FormatInt(b.Event.Seq, 10), headerTimestamp: stamp,
		headerSignature: "sha256=" + hex.EncodeToString(sign(w.Secret, stamp+"."+string(body))),
	})
	return err
}

// sign is HMAC-SHA256.
func sign(key, text string) []byte {
	h := hmac.New(sha256.New, []byte(key))
	h.Write([]byte(text))
	return h.Sum(nil)
}

// post sends a JSON body and returns the (bounded) answer. A refusal that will not change is permanent. The URL is never
// part of the error: it may hold a token.
func (s *Service) post(ctx context.Context, to string, body []byte, headers map[string]string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		return nil, ops.Permanent(errors.New("the URL is not one"))
	}
	req.Header.Set("Content-Type", "application/json")
	for k, v := range headers {
		req.Header.Set(k, v)
	}
	resp, err := s.http.Do(req)
	if err != nil {
		var wrapped *url.Error
		if errors.As(err, &wrapped) {
			err = wrapped.Err
		}
		return nil, err
	}
	defer resp.Body.Close()
	answer, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if resp.StatusCode/100 == 2 {
		return answer, nil
	}
	err = fmt.Errorf("the answer was %s", resp.Status)
	switch code := resp.StatusCode; {
	case code == http.StatusTooManyRequests || code == http.StatusServiceUnavailable:
		after, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
		return nil, ops.RetryAfter(time.Duration(min(max(after, 0), 3600))*time.Second, err)
	case code >= 300 && code < 500 && code != http.StatusRequestTimeout && code != http.StatusTooEarly:
		return nil, ops.Permanent(err)
	}
	return nil, err
}
