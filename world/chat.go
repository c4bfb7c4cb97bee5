package world

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// chat is a chat server of the world's own that speaks as much of Slack's Web API as GOC uses, shows what was posted on
// a page, and sends signed button presses back: the same path as with the real Slack.
type chat struct {
	goc    string // GOC's base URL
	secret string // signs what it sends, as Slack does
	say    func(who, format string, args ...any)
	client *http.Client

	mu       sync.Mutex
	n        int
	messages []*chatMessage
}

type chatMessage struct {
	TS, Thread, Text string
	Blocks           []chatBlock
	At               time.Time
	Edits            int
}

// chatBlock is the part of Block Kit that the page shows.
type chatBlock struct {
	Type     string          `json:"type"`
	Text     json.RawMessage `json:"text"`
	Fields   []chatText      `json:"fields"`
	Elements []chatElement   `json:"elements"`
}

type chatText struct {
	Text string `json:"text"`
}

type chatElement struct {
	Type     string          `json:"type"`
	ActionID string          `json:"action_id"`
	Value    string          `json:"value"`
	URL      string          `json:"url"`
	Text     json.RawMessage `json:"text"`
}

// maxMessages bounds what the chat remembers.
const maxMessages = 500

func (c *chat) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/auth.test", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{"ok": true, "url": "http://chat.demo/", "team": "demo", "user": "goc", "team_id": "T1", "user_id": "U0", "bot_id": "B1"})
	})
	mux.HandleFunc("POST /api/chat.postMessage", func(w http.ResponseWriter, r *http.Request) {
		text, thread, blocks := form(r)
		c.mu.Lock()
		c.n++
		m := &chatMessage{TS: fmt.Sprintf("%d.%06d", time.Now().Unix(), c.n), Thread: thread, Text: text, Blocks: blocks, At: time.Now()}
		c.messages = append(c.messages, m)
		c.messages = c.messages[max(0, len(c.messages)-maxMessages):]
		c.mu.Unlock()
		if thread == "" {
			c.say("chat", "#incidents %s", text)
		}
		answer(w, map[string]any{"ok": true, "channel": "C1", "ts": m.TS, "message": map[string]any{"text": text, "ts": m.TS}})
	})
	mux.HandleFunc("POST /api/chat.update", func(w http.ResponseWriter, r *http.Request) {
		text, _, blocks := form(r)
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, m := range c.messages {
			if m.TS == r.PostForm.Get("ts") {
				m.Text, m.Blocks, m.Edits = text, blocks, m.Edits+1
				answer(w, map[string]any{"ok": true, "channel": "C1", "ts": m.TS, "text": text})
				return
			}
		}
		answer(w, map[string]any{"ok": false, "error": "message_not_found"})
	})
	mux.HandleFunc("POST /api/", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{"ok": false, "error": "unknown_method"})
	})
	mux.HandleFunc("POST /press", c.press)
	mux.HandleFunc("GET /{$}", c.page)
	return mux
}

// form reads a Web API call, which may be a form or JSON.
func form(r *http.Request) (text, thread string, blocks []chatBlock) {
	r.Body = http.MaxBytesReader(nil, r.Body, 1<<20)
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		var in struct {
			Text, Ts string
			ThreadTS string `json:"thread_ts"`
			Blocks   []chatBlock
		}
		json.NewDecoder(r.Body).Decode(&in)
		r.PostForm = url.Values{"ts": {in.Ts}}
		return in.Text, in.ThreadTS, in.Blocks
	}
	r.ParseForm()
	json.Unmarshal([]byte(r.PostForm.Get("blocks")), &blocks)
	return r.PostForm.Get("text"), r.PostForm.Get("thread_ts"), blocks
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(v)
}

// press sends a button press to GOC, signed as Slack signs.
func (c *chat) press(w http.ResponseWriter, r *http.Request) {
	// Only this page may press its buttons: another site's form would carry another origin.
	if o := r.Header.Get("Origin"); o != "" && o != "http://"+r.Host {
		http.Error(w, "pressed from another page", http.StatusForbidden)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	payload, _ := json.Marshal(map[string]any{
		"type": "block_actions", "user": map[string]string{"id": "U7", "username": "you", "name": "you"},
		"channel": map[string]string{"id": "C1", "name": "incidents"}, "team": map[string]string{"id": "T1", "domain": "demo"},
		"trigger_id": strconv.FormatInt(time.Now().UnixNano(), 36), "message": map[string]string{"ts": r.FormValue("ts"), "type": "message"},
		"container": map[string]string{"type": "message", "message_ts": r.FormValue("ts"), "channel_id": "C1"},
		"actions": []map[string]string{{
			"type": "button", "action_id": r.FormValue("action"), "value": r.FormValue("value"), "block_id": "b",
			"action_ts": strconv.FormatFloat(float64(time.Now().UnixMicro())/1e6, 'f', 6, 64),
		}},
	})
	if err := c.send(r.Context(), "/hooks/slack/interactions", url.Values{"payload": {string(payload)}}.Encode()); err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (c *chat) send(ctx context.Context, path, body string) error {
	ts := strconv.FormatInt(time.Now().Unix(), 10)
	mac := hmac.New(sha256.New, []byte(c.secret))
	io.WriteString(mac, "v0:"+ts+":"+body)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.goc+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("X-Slack-Request-Timestamp", ts)
	req.Header.Set("X-Slack-Signature", "v0="+hex.EncodeToString(mac.Sum(nil)))
	resp, err := c.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		b, _ := io.ReadAll(io.LimitReader(resp.Body, 1000))
		return fmt.Errorf("GOC answered %d: %s", resp.StatusCode, b)
	}
	return nil
}

//go:embed chat.html
var chatHTML string

// page shows the channel, newest first, with each message's thread under it.
func (c *chat) page(w http.ResponseWriter, _ *http.Request) {
	type view struct {
		*chatMessage
		Lines   []string
		Buttons []chatElement
		Thread  []*chatMessage
	}
	c.mu.Lock()
	threads := map[string][]*chatMessage{}
	var top []view
	for _, m := range c.messages {
		copied := *m
		if m.Thread != "" {
			threads[m.Thread] = append(threads[m.Thread], &copied)
			continue
		}
		lines, buttons := flatten(m.Blocks)
		top = append(top, view{chatMessage: &copied, Lines: lines, Buttons: buttons})
	}
	c.mu.Unlock()
	for i, j := 0, len(top)-1; i < j; i, j = i+1, j-1 {
		top[i], top[j] = top[j], top[i]
	}
	for i := range top {
		top[i].Thread = threads[top[i].TS]
	}
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'")
	template.Must(template.New("chat").Funcs(template.FuncMap{"label": plainText, "mrkdwn": mrkdwn}).Parse(chatHTML)).Execute(w, top)
}

// flatten turns blocks into lines of text and buttons.
func flatten(blocks []chatBlock) (lines []string, buttons []chatElement) {
	for _, b := range blocks {
		if s := plainText(b.Text); s != "" {
			lines = append(lines, s)
		}
		for _, f := range b.Fields {
			lines = append(lines, f.Text)
		}
		for _, e := range b.Elements {
			if e.Type == "button" {
				buttons = append(buttons, e)
			} else if s := plainText(e.Text); s != "" {
				lines = append(lines, s)
			}
		}
	}
	return lines, buttons
}

// plainText reads a text that is either a string or a text object.
func plainText(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	var t chatText
	json.Unmarshal(raw, &t)
	return t.Text
}
