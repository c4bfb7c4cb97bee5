package chatops_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"goc/chatops"
	"goc/ops"
)

func mac(key, text string) []byte {
	h := hmac.New(sha256.New, []byte(key))
	h.Write([]byte(text))
	return h.Sum(nil)
}

// receiver records requests and answers as told.
type receiver struct {
	*httptest.Server
	bodies  []string
	headers []http.Header
	queries []url.Values
	status  int
	answer  string
}

func newReceiver(t *testing.T) *receiver {
	x := &receiver{status: 200}
	x.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		x.bodies, x.headers, x.queries = append(x.bodies, string(b)), append(x.headers, r.Header), append(x.queries, r.URL.Query())
		w.Header().Set("Retry-After", "9")
		w.Header().Set("Location", "http://elsewhere.invalid/")
		w.WriteHeader(x.status)
		io.WriteString(w, x.answer)
	}))
	t.Cleanup(x.Close)
	return x
}

func TestAWebhookIsSignedAndGetsOnlyWhatItAskedFor(t *testing.T) {
	x := newReceiver(t)
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := newRoom(t, func(o *chatops.Options) {
		o.Config = chatops.Config{Webhooks: []chatops.Webhook{{Name: "itsm", URL: x.URL, SecretFile: file, Events: []string{"change.*", "incident.resolved"}}}}
	})
	r.happen("opened", "opened", nothing)
	r.j.Append(ops.Mutation{Events: []ops.Event{ops.NewEvent(ops.At(at), "change.started", "changes", "CHG-1", "ci", map[string]string{"text": "started"})}})
	r.happen("resolved", "resolved", nothing)
	if len(x.bodies) != 2 || len(r.w.seen()) != 0 {
		t.Fatalf("it got %q", x.bodies)
	}
	h := x.headers[0]
	want := "sha256=" + hex.EncodeToString(mac("s3cret", h.Get("X-GOC-Timestamp")+"."+x.bodies[0]))
	if h.Get("X-GOC-Signature-256") != want || h.Get("X-GOC-Event") != "change.started" || h.Get("X-GOC-Event-Id") != "2" || h.Get("X-GOC-Timestamp") != "1795161600" {
		t.Errorf("headers %v", h)
	}
	var e ops.Event
	if err := json.Unmarshal([]byte(x.bodies[0]), &e); err != nil || e.Seq != 2 || e.Subject != "CHG-1" {
		t.Errorf("body %s %v", x.bodies[0], err)
	}
}

func TestHowAWebhooksAnswerIsRead(t *testing.T) {
	for status, c := range map[int]struct{ ok, permanent, wait bool }{
		204: {ok: true}, 302: {permanent: true}, 404: {permanent: true}, 429: {wait: true}, 500: {}, 503: {wait: true},
	} {
		x := newReceiver(t)
		x.status = status
		r := newRoom(t, func(o *chatops.Options) {
			o.Config = chatops.Config{Webhooks: []chatops.Webhook{{Name: "itsm", URL: x.URL, Secret: "s"}}}
		})
		r.d.tell("opened", "opened", nothing)
		r.follow()
		errs := r.deliver()
		if c.ok != (len(errs) == 0) {
			t.Errorf("%d: %v", status, errs)
			continue
		}
		if c.ok {
			continue
		}
		if d, wait := ops.RetryDelay(errs[0]); wait != c.wait || wait && d.Seconds() != 9 || ops.IsPermanent(errs[0]) != c.permanent {
			t.Errorf("%d: %v, wait %v", status, errs[0], d)
		}
		if strings.Contains(errs[0].Error(), x.URL) {
			t.Errorf("%d: the error names the URL", status)
		}
	}
}

func TestDingTalkAndFeishuAreSignedAndTold(t *testing.T) {
	ding, fei := newReceiver(t), newReceiver(t)
	ding.answer, fei.answer = `{"errcode":0,"errmsg":"ok"}`, `{"code":0,"msg":"success"}`
	r := newRoom(t, func(o *chatops.Options) {
		o.Config = chatops.Config{BaseURL: "https://goc.example", DingTalk: chatops.Robot{URL: ding.URL + "/robot/send?access_token=T", Secret: "SEC1"}, Feishu: chatops.Robot{URL: fei.URL, Secret: "SEC2"}}
	})
	r.happen("opened", "opened: cart fails", nothing)
	r.happen("alert_added", "not worth a message", nothing)
	if len(ding.bodies) != 1 || len(fei.bodies) != 1 {
		t.Fatalf("DingTalk got %d, Feishu %d, want one each", len(ding.bodies), len(fei.bodies))
	}
	q := ding.queries[0]
	if q.Get("access_token") != "T" || q.Get("sign") != base64.StdEncoding.EncodeToString(mac("SEC1", q.Get("timestamp")+"\nSEC1")) || q.Get("timestamp") != "1795161600000" {
		t.Errorf("DingTalk's query %v", q)
	}
	if !strings.Contains(ding.bodies[0], `"msgtype":"markdown"`) || !strings.Contains(ding.bodies[0], "https://goc.example/i/INC-1") {
		t.Errorf("DingTalk's body %s", ding.bodies[0])
	}
	var m struct {
		Timestamp, Sign string
		MsgType         string `json:"msg_type"`
		Content         struct{ Text string }
	}
	if err := json.Unmarshal([]byte(fei.bodies[0]), &m); err != nil {
		t.Fatal(err)
	}
	if m.Sign != base64.StdEncoding.EncodeToString(mac(m.Timestamp+"\nSEC2", "")) || m.MsgType != "text" || !strings.Contains(m.Content.Text, "■ P1 INC-1 open") {
		t.Errorf("Feishu's body %s", fei.bodies[0])
	}
}

func TestARobotRefusesInsideOfAnAnswerThatIsOK(t *testing.T) {
	for answer, c := range map[string]struct{ permanent, wait bool }{
		`{"errcode":310000,"errmsg":"sign not match"}`: {permanent: true},
		`{"errcode":130101,"errmsg":"send too fast"}`:  {wait: true},
		`<html>`: {},
	} {
		x := newReceiver(t)
		x.answer = answer
		r := newRoom(t, func(o *chatops.Options) { o.Config = chatops.Config{DingTalk: chatops.Robot{URL: x.URL}} })
		r.d.tell("opened", "opened", nothing)
		r.follow()
		errs := r.deliver()
		if len(errs) != 1 {
			t.Fatalf("%s: %v", answer, errs)
		}
		if _, wait := ops.RetryDelay(errs[0]); wait != c.wait || ops.IsPermanent(errs[0]) != c.permanent {
			t.Errorf("%s: %v", answer, errs[0])
		}
	}
}

func TestConfigErrorsNameTheirPlace(t *testing.T) {
	for name, c := range map[string]struct {
		config chatops.Config
		want   string
	}{
		"nothing at all":             {chatops.Config{}, ""},
		"a token without a channel":  {chatops.Config{Slack: chatops.Slack{Token: "x"}}, "chatops.slack.channel"},
		"a secret without a token":   {chatops.Config{Slack: chatops.Slack{SigningSecret: "x"}}, "chatops.slack.token"},
		"a token given twice":        {chatops.Config{Slack: chatops.Slack{Token: "x", TokenFile: "y", Channel: "c"}}, "chatops.slack.token: is given twice: here and as token_file"},
		"a webhook without a secret": {chatops.Config{Webhooks: []chatops.Webhook{{Name: "w", URL: "http://h"}}}, "chatops.webhooks[0].secret"},
		"a webhook without a URL":    {chatops.Config{Webhooks: []chatops.Webhook{{Name: "w", Secret: "s"}}}, "chatops.webhooks[0].url"},
		"a pattern that is none":     {chatops.Config{Webhooks: []chatops.Webhook{{Name: "w", URL: "http://h", Secret: "s", Events: []string{"["}}}}, "chatops.webhooks[0].events[0]"},
		"a base URL that is none":    {chatops.Config{BaseURL: "goc"}, "chatops.base_url"},
	} {
		err := c.config.Validate()
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
