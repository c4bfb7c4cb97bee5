package intake

import (
	"net/url"
	"os"
	"strings"
	"time"

	"goc/ops"
)

// Config is the section `hooks:`. Its zero value works: no secret is set, so each hook needs a token.
type Config struct {
	// ResolveTimeout is how long an alert without an end counts as firing; default 5m, as in Alertmanager.
	ResolveTimeout ops.Duration `yaml:"resolve_timeout"`
	// HookHold is the same for alerts from webhooks, which say once when a condition begins and once when it ends;
	// default 24h.
	HookHold ops.Duration `yaml:"hook_hold"`
	// The secrets that senders sign with. A hook with a secret needs no token.
	GitHub    Secret `yaml:"github"`    // the webhook's secret: X-Hub-Signature-256
	GitLab    Secret `yaml:"gitlab"`    // the webhook's secret token: X-Gitlab-Token
	PagerDuty Secret `yaml:"pagerduty"` // the routing key that clients send
	// GitHubApp answers the deployments that wait for the gate.
	GitHubApp GitHubApp `yaml:"github_app"`
	// GitLabAPI takes the answers to external status checks.
	GitLabAPI GitLabAPI `yaml:"gitlab_api"`
	// Azure is which organizations of Azure DevOps may ask the gate.
	Azure AzureConfig `yaml:"azure"`
	// Kubernetes is what clusters that ask the gate are told by.
	Kubernetes KubernetesConfig `yaml:"kubernetes"`
	// Workflows are the names of GitHub workflows whose runs are releases; default: those with "deploy" or "release"
	// in their name or file.
	Workflows []string `yaml:"workflows"`
	// Branches are the branches whose content is what runs, as main or owner/repository@main: each push to one is a change
	// of configuration. Absent: pushes are no changes.
	Branches []string `yaml:"branches"`
	// Backfill looks for what senders could not deliver.
	Backfill Backfill `yaml:"backfill"`
}

// Secret is a secret by value or in a file; the file wins.
type Secret struct {
	Secret     string `yaml:"secret"`
	SecretFile string `yaml:"secret_file"`
}

// read returns the secret, "" when none is set.
func (s Secret) read(place string) (string, error) {
	return secretOf(s.Secret, s.SecretFile, place+".secret_file")
}

// secretOf is a secret by value or, which wins, the content of a file; place is where the file is named.
func secretOf(value, file, place string) (string, error) {
	if file == "" {
		return value, nil
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return "", ops.Errorf(ops.Invalid, "cannot be read: %w", err).At(place)
	}
	text := strings.TrimSpace(string(b))
	if text == "" {
		return "", ops.Errorf(ops.Invalid, "is empty").At(place)
	}
	return text, nil
}

// apiURL says whether text is the address of an API, below which paths are asked for with a token: it has a host, and
// nothing that would make another address of them.
func apiURL(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Hostname() != "" && u.User == nil && u.RawQuery == "" && !u.ForceQuery && u.Fragment == ""
}

// Bounds of one request.
const (
	MaxAlertsBody = 10 << 20
	MaxHookBody   = 5 << 20
	maxPagerDuty  = 512 << 10
	maxReported   = 20 // refused alerts that an error names; the rest is counted
)

// Validate says which field is wrong.
func (c Config) Validate() error {
	for place, d := range map[string]ops.Duration{"hooks.resolve_timeout": c.ResolveTimeout, "hooks.hook_hold": c.HookHold} {
		if v := time.Duration(d); v != 0 && (v < time.Second || v > 30*24*time.Hour) {
			return ops.Errorf(ops.Invalid, "must be between 1s and 30d").At(place)
		}
	}
	if len(c.Workflows) > 100 {
		return ops.Errorf(ops.Invalid, "may list at most 100 names").At("hooks.workflows")
	}
	if err := c.Azure.validate(); err != nil {
		return err
	}
	if len(c.Kubernetes.Exempt) > 1000 {
		return ops.Errorf(ops.Invalid, "may list at most 1000 namespaces").At("hooks.kubernetes.exempt")
	}
	if len(c.Branches) > 100 {
		return ops.Errorf(ops.Invalid, "may list at most 100 names").At("hooks.branches")
	}
	return c.Backfill.validate()
}

func (c Config) filled() Config {
	if c.ResolveTimeout == 0 {
		c.ResolveTimeout = ops.Duration(5 * time.Minute)
	}
	if c.HookHold == 0 {
		c.HookHold = ops.Duration(24 * time.Hour)
	}
	if c.Backfill.Every == 0 {
		c.Backfill.Every = ops.Duration(5 * time.Minute)
	}
	return c
}
