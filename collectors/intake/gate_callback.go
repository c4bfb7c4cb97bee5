package intake

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"goc/ops"
)

// CallbackEffect is the kind of effects that tell a product what the gate decided.
const CallbackEffect = "gate_callback"

// callback is the body of such an effect: what to ask the gate, and whom to tell. While the gate says wait, each attempt
// records the next one in its own place.
type callback struct {
	Product  string      `json:"product"`
	ChangeID string      `json:"change_id,omitempty"`
	Change   *ops.Change `json:"change"`
	Until    ops.Time    `json:"until"`             // after that the product no longer waits
	Reports  int         `json:"reports,omitempty"` // status reports that were made
	Said     string      `json:"said,omitempty"`    // the last of them

	GitHub *githubCall `json:"github,omitempty"`
	GitLab *gitlabCall `json:"gitlab,omitempty"`
	Azure  *azureCall  `json:"azure,omitempty"`
}

// product is how one is told: tell does it, again says when to ask the gate once more.
type product struct {
	tell  func(ctx context.Context, c *callback, d ops.Decision) error
	again func(d ops.Decision) time.Duration
}

func (s *Service) products() map[string]product {
	return map[string]product{
		"github": {s.tellGitHub, within(10*time.Second, 5*time.Minute)},
		"azure":  {s.tellAzure, within(10*time.Second, 5*time.Minute)},
		"gitlab": {s.tellGitLab, within(10*time.Second, 90*time.Second)}, // GitLab fails what is pending for two minutes
	}
}

// within asks again when the gate says, within bounds.
func within(least, most time.Duration) func(ops.Decision) time.Duration {
	return func(d ops.Decision) time.Duration {
		return min(max(time.Duration(d.RetryAfterS)*time.Second, least), most)
	}
}

// Handlers do the room's effects, by kind.
func (s *Service) Handlers() map[string]func(context.Context, ops.Effect) error {
	return map[string]func(context.Context, ops.Effect) error{CallbackEffect: s.callBack}
}

// await records that a product waits to be told, and returns once that is on disk, with is in the same mutation. One that
// waits under the same key is replaced: asked twice, it is told once.
func (s *Service) await(ctx context.Context, key string, c callback, notUntil ops.Time, with ops.Mutation) error {
	body, err := json.Marshal(c)
	if err != nil {
		return err
	}
	key = c.Product + " " + key
	with.Effects = append(with.Effects, ops.Effect{Kind: CallbackEffect, Key: key, Lane: CallbackEffect + " " + key, Body: body, NotUntil: notUntil})
	_, err = s.journal.Append(with).Wait(ctx)
	return err
}

// callBack asks the gate and tells the product. A decision is made anew at each attempt: an allow of an hour ago is none.
func (s *Service) callBack(ctx context.Context, e ops.Effect) error {
	var c callback
	if err := json.Unmarshal(e.Body, &c); err != nil {
		return ops.Permanent(err)
	}
	p, ok := s.products()[c.Product]
	if !ok || s.gate == nil {
		return ops.Permanent(fmt.Errorf("nothing is known of %s", c.Product))
	}
	if s.now().After(c.Until.Time) {
		return ops.Permanent(errors.New("the gate said wait for longer than the product does"))
	}
	d, err := s.gate.Check(ctx, ops.Principal{Name: c.Product, Role: ops.CI}, ops.GateRequest{ChangeID: c.ChangeID, Change: c.Change})
	switch ops.KindOf(err) {
	case "":
	case ops.Invalid, ops.NotFound, ops.Conflict: // what was asked can never be allowed
		d = ops.Decision{Decision: ops.EffectDeny, Reasons: []ops.Reason{{Rule: "request", Effect: ops.EffectDeny, Message: err.Error()}}}
	default:
		return err
	}
	if err := p.tell(ctx, &c, d); err != nil || d.Decision != ops.EffectWait {
		return err
	}
	return s.await(ctx, e.Key[len(c.Product)+1:], c, ops.At(s.now().Add(p.again(d))), ops.Mutation{})
}

const callTimeout = 20 * time.Second

// newCaller is the client for callbacks. It follows no redirect: the host was checked, the next one would not be.
func newCaller() *http.Client {
	return &http.Client{
		Timeout:       callTimeout,
		Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true, TLSHandshakeTimeout: 10 * time.Second},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// call posts JSON and returns the (bounded) answer. The error says whether to try again; it never holds the URL.
func (s *Service) call(ctx context.Context, to string, headers map[string]string, v any) ([]byte, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return nil, ops.Permanent(err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		return nil, ops.Permanent(errors.New("the URL is not one"))
	}
	req.Header.Set("Content-Type", "application/json")
	for k, v := range headers {
		req.Header.Set(k, v)
	}
	resp, err := s.caller.Do(req)
	if err != nil {
		var wrapped *url.Error
		if errors.As(err, &wrapped) {
			err = wrapped.Err
		}
		return nil, err
	}
	defer resp.Body.Close()
	answer, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	return answer, answered(resp)
}

// gone is an answer by which the product no longer wants to be told.
var gone = map[int]bool{http.StatusNotFound: true, http.StatusConflict: true, http.StatusGone: true, http.StatusUnprocessableEntity: true, http.StatusBadRequest: true}

// answered is the error of an answer. Credentials can be put right, so that 401 and 403 are tried again.
func answered(resp *http.Response) error {
	code := resp.StatusCode
	if code/100 == 2 {
		return nil
	}
	err := fmt.Errorf("the answer was %s", resp.Status)
	switch after, _ := strconv.Atoi(resp.Header.Get("Retry-After")); {
	case after > 0:
		return ops.RetryAfter(time.Duration(min(after, 3600))*time.Second, err)
	case code == http.StatusTooManyRequests, code == http.StatusForbidden, code == http.StatusUnauthorized:
		return ops.RetryAfter(time.Minute, err)
	case gone[code], code/100 == 3:
		return ops.Permanent(err)
	}
	return err
}
