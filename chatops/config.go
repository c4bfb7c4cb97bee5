// Package chatops tells chat rooms and other programs what happens, and takes commands from chat: Slack with one message
// per incident that keeps itself up to date, signed webhooks, DingTalk and Feishu. It follows the event log with a
// durable cursor; everything that goes out is an effect in the outbox.
package chatops

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path"
	"strings"

	"goc/ops"
)

// maxWebhooks bounds the webhooks and robots of a configuration.
const maxWebhooks = 50

// Config is the section "chatops" of the configuration. The zero value talks to nobody.
type Config struct {
	BaseURL  string    `yaml:"base_url"` // of the war room, for links; without one there are no links
	Slack    Slack     `yaml:"slack"`
	Webhooks []Webhook `yaml:"webhooks"`
	DingTalk Robot     `yaml:"dingtalk"`
	Feishu   Robot     `yaml:"feishu"`
}

// Slack is an app in one workspace. Outbound needs the token (scope chat:write) and the channel, inbound the signing secret.
type Slack struct {
	APIURL            string `yaml:"api_url"` // https://slack.com/api/ by default
	Token             string `yaml:"token"`
	TokenFile         string `yaml:"token_file"`
	SigningSecret     string `yaml:"signing_secret"`
	SigningSecretFile string `yaml:"signing_secret_file"`
	Channel           string `yaml:"channel"`  // its id (C…) or name
	BaseURL           string `yaml:"base_url"` // instead of chatops.base_url
	// Users are the ids (U…) of those who may act from Slack; none means everybody in the workspace.
	Users []string `yaml:"users"`
}

// Webhook is a receiver of events; webhook.go says what it gets. Events are patterns such as incident.* or change.finished;
// none means incident.*.
type Webhook struct {
	Name       string   `yaml:"name"`
	URL        string   `yaml:"url"`
	Secret     string   `yaml:"secret"`
	SecretFile string   `yaml:"secret_file"`
	Events     []string `yaml:"events"`
}

// Robot is a group robot of DingTalk or Feishu: the URL that the product shows (it holds the token), and the secret to sign with.
type Robot struct {
	URL        string `yaml:"url"`
	URLFile    string `yaml:"url_file"`
	Secret     string `yaml:"secret"`
	SecretFile string `yaml:"secret_file"`
}

func (s Slack) outbound() bool { return s.Token != "" || s.TokenFile != "" }
func (s Slack) inbound() bool  { return s.SigningSecret != "" || s.SigningSecretFile != "" }
func (r Robot) on() bool       { return r.URL != "" || r.URLFile != "" }

// Validate returns one error per bad field, joined, each naming its place. It reads no files.
func (c Config) Validate() error {
	var errs []error
	bad := func(at, format string, args ...any) {
		errs = append(errs, ops.Errorf(ops.Invalid, format, args...).At("chatops."+at))
	}
	whole := func(at, text string) {
		if u, err := url.Parse(text); text != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "") {
			bad(at, "must be a whole http or https URL")
		}
	}
	one := func(at, value, file string) {
		if value != "" && file != "" {
			bad(at, "is given twice: here and as %s_file", at[strings.LastIndex(at, ".")+1:])
		}
	}
	whole("base_url", c.BaseURL)
	whole("slack.api_url", c.Slack.APIURL)
	whole("slack.base_url", c.Slack.BaseURL)
	one("slack.token", c.Slack.Token, c.Slack.TokenFile)
	one("slack.signing_secret", c.Slack.SigningSecret, c.Slack.SigningSecretFile)
	if c.Slack.outbound() && c.Slack.Channel == "" {
		bad("slack.channel", "is needed to post")
	}
	if !c.Slack.outbound() && (c.Slack.Channel != "" || c.Slack.inbound()) {
		bad("slack.token", "is needed: without it nothing can be posted")
	}
	robot := func(at string, r Robot) {
		whole(at+".url", r.URL)
		one(at+".url", r.URL, r.URLFile)
		one(at+".secret", r.Secret, r.SecretFile)
	}
	robot("dingtalk", c.DingTalk)
	robot("feishu", c.Feishu)
	if len(c.Webhooks) > maxWebhooks {
		bad("webhooks", "there may be at most %d", maxWebhooks)
	}
	seen := map[string]bool{}
	for i, w := range c.Webhooks {
		at := fmt.Sprintf("webhooks[%d]", i)
		if w.Name == "" || seen[w.Name] {
			bad(at+".name", "each webhook needs a name of its own")
		}
		seen[w.Name] = true
		if w.URL == "" {
			bad(at+".url", "is needed")
		}
		whole(at+".url", w.URL)
		one(at+".secret", w.Secret, w.SecretFile)
		if w.Secret == "" && w.SecretFile == "" {
			bad(at+".secret", "is needed: what is not signed cannot be trusted by its receiver")
		}
		for j, p := range w.Events {
			if _, err := path.Match(p, ""); err != nil || p == "" {
				bad(fmt.Sprintf("%s.events[%d]", at, j), "must be an event's name, with * for any part of it")
			}
		}
	}
	return errors.Join(errs...)
}

// secret reads a value, or the file that holds it, without the line's end.
func secret(at, value, file string) (string, error) {
	if file == "" {
		return value, nil
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return "", ops.Errorf(ops.Invalid, "the file cannot be read: %w", err).At("chatops." + at + "_file")
	}
	return strings.TrimSpace(string(b)), nil
}

// resolve reads the files of secrets into a copy of the configuration.
func (c Config) resolve() (Config, error) {
	var errs []error
	read := func(at string, value *string, file string) {
		v, err := secret(at, *value, file)
		if err != nil {
			errs = append(errs, err)
		}
		*value = v
	}
	read("slack.token", &c.Slack.Token, c.Slack.TokenFile)
	read("slack.signing_secret", &c.Slack.SigningSecret, c.Slack.SigningSecretFile)
	read("dingtalk.url", &c.DingTalk.URL, c.DingTalk.URLFile)
	read("dingtalk.secret", &c.DingTalk.Secret, c.DingTalk.SecretFile)
	read("feishu.url", &c.Feishu.URL, c.Feishu.URLFile)
	read("feishu.secret", &c.Feishu.Secret, c.Feishu.SecretFile)
	hooks := make([]Webhook, len(c.Webhooks))
	copy(hooks, c.Webhooks)
	for i := range hooks {
		read(fmt.Sprintf("webhooks[%d].secret", i), &hooks[i].Secret, hooks[i].SecretFile)
		if len(hooks[i].Events) == 0 {
			hooks[i].Events = []string{"incident.*"}
		}
	}
	c.Webhooks = hooks
	if c.Slack.BaseURL == "" {
		c.Slack.BaseURL = c.BaseURL
	}
	return c, errors.Join(errs...)
}
