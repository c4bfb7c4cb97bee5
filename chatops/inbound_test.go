package chatops_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"goc/chatops"
)

// request signs a body as Slack does.
func request(path, body, key string, sent time.Time) *http.Request {
	stamp := strconv.FormatInt(sent.Unix(), 10)
	h := hmac.New(sha256.New, []byte(key))
	h.Write([]byte("v0:" + stamp + ":" + body))
	r := httptest.NewRequest("POST", "/hooks/slack/"+path, strings.NewReader(body))
	r.Header.Set("X-Slack-Request-Timestamp", stamp)
	r.Header.Set("X-Slack-Signature", "v0="+hex.EncodeToString(h.Sum(nil)))
	return r
}

// ask sends a request through the mounts as the web room does.
func (r *room) ask(req *http.Request) *httptest.ResponseRecorder {
	mux := http.NewServeMux()
	for _, m := range r.Mounts() {
		mux.Handle(m.Pattern, m.Handler)
	}
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, req)
	return w
}

func (r *room) send(path, body string) *httptest.ResponseRecorder {
	return r.ask(request(path, body, signingSecret, at))
}

// press is the body of a button press, as Slack sends it.
func press(action, incident, trigger string) string {
	return url.Values{"payload": {fmt.Sprintf(`{"type":"block_actions","trigger_id":%q,"user":{"id":"U1","name":"alice","username":"alice"},"channel":{"id":"C42"},
		"container":{"type":"message"},"actions":[{"type":"button","action_id":%q,"block_id":"goc_actions","value":%q,"action_ts":"1795161600.1"}]}`, trigger, action, incident)}}.Encode()
}

func command(text, trigger string) string {
	return url.Values{"command": {"/goc"}, "text": {text}, "user_id": {"U1"}, "user_name": {"alice"}, "channel_id": {"C42"}, "trigger_id": {trigger}}.Encode()
}

func TestSlacksOwnSignatureVector(t *testing.T) {
	const body = `{"token":"aF5ynEYQH0dFN9imlgcADxDB","team_id":"XXXXXXXXX","api_app_id":"YYYYYYYYY","event":{"type":"app_mention","user":"AAAAAAAAA","text":"<@EEEEEEEEE> hello world","client_msg_id":"477cc591-ch73-a14z-4db8-g0cd76321bec","ts":"1531431954.000073","channel":"TTTTTTTTT","event_ts":"1531431954.000073"},"type":"event_callback","event_id":"TvBP7LRED7","event_time":1531431954,"authed_users":["EEEEEEEEE"]}`
	const secret = "e6b19c573432dcc6b075501d51b51bb8"
	sent := time.Unix(1531431954, 0)
	h := http.Header{"X-Slack-Request-Timestamp": {"1531431954"}, "X-Slack-Signature": {"v0=adada4ed31709aef585c2580ca3267678c6a8eaeb7e0c1aca3ee57b656886b2c"}}
	for name, c := range map[string]struct {
		body string
		now  time.Time
		ok   bool
	}{
		"as it was sent":           {body, sent, true},
		"300 s later":              {body, sent.Add(300 * time.Second), true},
		"301 s later":              {body, sent.Add(301 * time.Second), false},
		"from the future":          {body, sent.Add(-301 * time.Second), false},
		"with one byte more":       {body + " ", sent, false},
		"with another user's name": {strings.Replace(body, "AAAAAAAAA", "BBBBBBBBB", 1), sent, false},
	} {
		if got := chatops.Verify(secret, h, []byte(c.body), c.now); (got == "") != c.ok {
			t.Errorf("%s: %q, want ok %v", name, got, c.ok)
		}
	}
	if chatops.Verify("another", h, []byte(body), sent) == "" || chatops.Verify(secret, http.Header{}, []byte(body), sent) == "" {
		t.Error("another secret, or no signature, was taken")
	}
}

func TestTheAcknowledgeButtonWorks(t *testing.T) {
	r := newRoom(t)
	r.happen("opened", "opened", nothing)
	before := len(r.w.seen())
	if w := r.send("interactions", press("goc_acknowledge", "INC-1", "13.37")); w.Code != 200 || w.Body.Len() != 0 {
		t.Fatalf("answer %d %q", w.Code, w.Body)
	}
	if got, want := r.d.did(), []string{"acknowledged INC-1 slack:alice as responder"}; !slices.Equal(got, want) {
		t.Fatalf("did %q, want %q", got, want)
	}
	r.follow()
	if errs := r.deliver(); errs != nil {
		t.Fatal(errs)
	}
	got := r.w.seen()[before:]
	if len(got) != 2 || got[0].method != "chat.update" || strings.Contains(got[0].Get("blocks"), "goc_acknowledge") || !strings.Contains(got[0].Get("text"), "acknowledged") {
		t.Errorf("the card did not update itself, without the button: %q", story(got))
	}
}

func TestTheSamePressIsDoneOnce(t *testing.T) {
	r := newRoom(t)
	for range 3 {
		r.send("interactions", press("goc_acknowledge", "INC-1", "13.37"))
	}
	r.send("interactions", press("goc_resolve", "INC-1", "13.38"))
	r.send("interactions", press("goc_open", "INC-1", "13.39"))
	if got := r.d.did(); len(got) != 2 {
		t.Errorf("did %q, want one acknowledge and one resolve", got)
	}
}

func TestAFailedPressIsToldToTheOneWhoPressed(t *testing.T) {
	r := newRoom(t)
	if w := r.send("interactions", press("goc_acknowledge", "INC-77", "1")); w.Code != 200 {
		t.Errorf("answer %d", w.Code)
	}
	got := r.w.seen()
	if len(got) != 1 || got[0].method != "chat.postEphemeral" || got[0].Get("user") != "U1" || got[0].Get("text") != "there is no incident of this id" {
		t.Errorf("Slack heard %q", story(got))
	}
}

func TestABadSignatureIsRefusedCountedAndWrittenDown(t *testing.T) {
	for name, req := range map[string]*http.Request{
		"another secret":  request("interactions", press("goc_acknowledge", "INC-1", "1"), "another", at),
		"an old request":  request("interactions", press("goc_acknowledge", "INC-1", "1"), signingSecret, at.Add(-6*time.Minute)),
		"no signature":    httptest.NewRequest("POST", "/hooks/slack/commands", strings.NewReader(command("ack INC-1", "1"))),
		"an empty secret": request("events", `{"type":"url_verification","challenge":"x"}`, "", at),
	} {
		t.Run(name, func(t *testing.T) {
			r := newRoom(t)
			w := r.ask(req)
			if w.Code != 401 || w.Header().Get("Content-Type") != "application/problem+json" {
				t.Errorf("answer %d %s", w.Code, w.Body)
			}
			if got := r.j.names(); !slices.Equal(got, []string{"auth.refused"}) {
				t.Errorf("events %q, want auth.refused", got)
			}
			if len(r.d.did()) != 0 || len(r.w.seen()) != 0 {
				t.Error("it was done all the same")
			}
		})
	}
}

func TestAFloodOfBadSignaturesDoesNotFillTheLog(t *testing.T) {
	r := newRoom(t)
	for range 100 {
		r.ask(request("events", "{}", "another", at))
	}
	if n := len(r.j.names()); n == 0 || n > 10 {
		t.Errorf("%d audit lines", n)
	}
}

func TestOnlyConfiguredUsersMayAct(t *testing.T) {
	r := newRoom(t, func(o *chatops.Options) { o.Config.Slack.Users = []string{"U2"} })
	r.send("interactions", press("goc_acknowledge", "INC-1", "1"))
	w := r.send("commands", command("ack INC-1", "2"))
	if len(r.d.did()) != 0 || !strings.Contains(w.Body.String(), "you may not act here") {
		t.Errorf("did %q, answer %s", r.d.did(), w.Body)
	}
	if got := r.w.seen(); len(got) != 1 || got[0].method != "chat.postEphemeral" {
		t.Errorf("Slack heard %q", story(got))
	}
	r.open(func(o *chatops.Options) { o.Config.Slack.Users = []string{"U2", "U1"} })
	r.send("interactions", press("goc_acknowledge", "INC-1", "3"))
	if len(r.d.did()) != 1 {
		t.Errorf("did %q, want one acknowledge", r.d.did())
	}
}

func TestNothingIsMountedWithoutASigningSecret(t *testing.T) {
	r := newRoom(t, func(o *chatops.Options) { o.Config.Slack.SigningSecret = "" })
	if got := r.Mounts(); len(got) != 0 {
		t.Errorf("%d mounts", len(got))
	}
}

func TestBadInputIsRefused(t *testing.T) {
	r := newRoom(t)
	for name, c := range map[string]struct {
		path, body string
		code       int
	}{
		"no form":              {"interactions", "hello", 400},
		"a payload not JSON":   {"interactions", "payload=%7B", 400},
		"no command":           {"commands", "text=ack", 400},
		"an event not JSON":    {"events", "[", 400},
		"two megabytes":        {"events", strings.Repeat("x", 2<<20), 413},
		"an interaction of no": {"interactions", url.Values{"payload": {`{"type":"view_closed"}`}}.Encode(), 200},
	} {
		if w := r.send(c.path, c.body); w.Code != c.code {
			t.Errorf("%s: %d, want %d", name, w.Code, c.code)
		}
	}
	if len(r.d.did()) != 0 {
		t.Errorf("did %q", r.d.did())
	}
}

func TestTheHandshakeOfTheEventsAPI(t *testing.T) {
	r := newRoom(t)
	w := r.send("events", `{"token":"x","challenge":"3eZbrw1a","type":"url_verification"}`)
	if w.Code != 200 || strings.TrimSpace(w.Body.String()) != `{"challenge":"3eZbrw1a"}` {
		t.Errorf("answer %d %s", w.Code, w.Body)
	}
}

func TestTheSlashCommand(t *testing.T) {
	for text, c := range map[string]struct{ answer, did string }{
		"ack INC-1":            {"INC-1 is acknowledged: cart fails &lt;!channel&gt; &amp; more", "acknowledged INC-1 slack:alice as responder"},
		"  ACK   inc-1 ":       {"INC-1 is acknowledged", "acknowledged INC-1"},
		"resolve 1 bad flag":   {"INC-1 is resolved", "resolved INC-1"},
		"note INC-1 saw it":    {"INC-1 is open", "note_added INC-1"},
		"note INC-1":           {"what is the note?", ""},
		"list":                 {"■ P1 INC-1 open: cart fails &lt;!channel&gt; &amp; more <https://goc.example/i/INC-1|war room>", ""},
		"":                     {"`/goc ack INC-1`", ""},
		"ack":                  {"which incident?", ""},
		"ack INC-1;rm":         {"which incident?", ""},
		"explode <!channel> x": {"there is no such command", ""},
		"ack INC-99":           {"there is no incident of this id", ""},
	} {
		t.Run(text, func(t *testing.T) {
			r := newRoom(t)
			w := r.send("commands", command(text, "1"))
			var a struct {
				Type string `json:"response_type"`
				Text string
			}
			if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil || a.Type != "ephemeral" || !strings.Contains(a.Text, c.answer) || strings.Contains(a.Text, "<!channel>") {
				t.Errorf("answer %s, want %q", w.Body, c.answer)
			}
			if did := strings.Join(r.d.did(), "\n"); (c.did == "") != (did == "") || !strings.Contains(did, c.did) {
				t.Errorf("did %q, want %q", did, c.did)
			}
			if len(r.w.seen()) != 0 {
				t.Errorf("Slack was called: %q", story(r.w.seen()))
			}
		})
	}
}

func TestSlowWorkIsAnsweredInTimeAndGoesOn(t *testing.T) {
	r := newRoom(t, func(o *chatops.Options) { o.Patience = 20 * time.Millisecond })
	r.d.slow = make(chan struct{})
	r.w.heard = make(chan string, 10)
	w := r.send("commands", command("ack INC-1", "1"))
	if !strings.Contains(w.Body.String(), "Working on it") {
		t.Errorf("answer %s", w.Body)
	}
	close(r.d.slow)
	<-r.w.heard
	if got := r.w.seen(); len(got) != 1 || got[0].method != "chat.postEphemeral" || !strings.Contains(got[0].Get("text"), "INC-1 is acknowledged") {
		t.Errorf("Slack heard %q", story(got))
	}
	if len(r.d.did()) != 1 {
		t.Errorf("did %q", r.d.did())
	}
}

// realworld is the folder of real payloads beside the checkout, or what GOC_REALWORLD names.
func realworld(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("GOC_REALWORLD")
	if dir == "" {
		root, err := os.Getwd()
		if err != nil {
			t.Fatal(err)
		}
		for ; root != "/"; root = filepath.Dir(root) {
			if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
				break
			}
		}
		dir = filepath.Join(root, "..", "shared", "realworld")
	}
	if _, err := os.Stat(filepath.Join(dir, "slack")); err != nil {
		t.Skipf("skipped: no real payloads in %s; set GOC_REALWORLD", dir)
	}
	return filepath.Join(dir, "slack")
}

func TestRealPayloads(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(realworld(t), "*.json"))
	if err != nil || len(files) < 50 {
		t.Fatalf("%d payloads, %v", len(files), err)
	}
	r := newRoom(t)
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var typed struct {
			Type      string
			Challenge string
		}
		if err := json.Unmarshal(raw, &typed); err != nil {
			continue // an array: no payload by itself
		}
		want := 200
		if typed.Type == "" {
			want = 400
		}
		name := filepath.Base(file)
		if w := r.send("events", string(raw)); w.Code != want || typed.Type == "url_verification" && !strings.Contains(w.Body.String(), typed.Challenge) {
			t.Errorf("%s as an event: %d %s, want %d", name, w.Code, w.Body, want)
		}
		if !strings.HasPrefix(name, "interactions.") {
			continue
		}
		if w := r.send("interactions", url.Values{"payload": {string(raw)}}.Encode()); w.Code != want {
			t.Errorf("%s as an interaction: %d, want %d", name, w.Code, want)
		}
	}
	if got := r.d.did(); len(got) != 0 || len(r.w.seen()) != 0 {
		t.Errorf("something was done: %q %q", got, story(r.w.seen()))
	}
}

func FuzzParseCommand(f *testing.F) {
	f.Add("ack INC-1")
	f.Add("note 3 \x00 <!channel>")
	f.Fuzz(func(t *testing.T, text string) {
		name, incident, words, err := chatops.ParseCommand(text)
		if err == nil && name != "help" && name != "list" && !strings.HasPrefix(incident, "INC-") {
			t.Errorf("%q gave %q %q %q", text, name, incident, words)
		}
	})
}

func FuzzParseInteraction(f *testing.F) {
	f.Add([]byte(press("goc_acknowledge", "INC-1", "1")))
	f.Add([]byte("payload=%7B%7D"))
	f.Fuzz(func(t *testing.T, body []byte) {
		if kind, _, err := chatops.ParseInteraction(body); err == nil && kind == "" {
			t.Error("no type, and no error")
		}
	})
}
