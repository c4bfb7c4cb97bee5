package metrics

import (
	"cmp"
	"net/url"
	"time"

	"go.yaml.in/yaml/v3"

	"goc/ops"
)

// Config is the section `metrics` of goc.yaml. Its zero value works: an embedded store without scrape targets.
type Config struct {
	Global        Global    `yaml:"global"`
	ScrapeConfigs yaml.Node `yaml:"scrape_configs"` // Prometheus' own format, parsed by Prometheus' own package

	Remote     string     `yaml:"remote"` // URL of a Prometheus-compatible query API, used in place of scraping
	RemoteAuth RemoteAuth `yaml:"remote_auth"`

	Retention      ops.Duration `yaml:"retention"`       // how long the embedded store keeps samples; 15d
	RetentionBytes int64        `yaml:"retention_bytes"` // and how many bytes of blocks at most; 10 GiB

	SampleInterval ops.Duration `yaml:"sample_interval"` // how often indicators are evaluated; 15s
	IndicatorLimit int          `yaml:"indicator_limit"` // series of one indicator of one service; 20000

	QueryTimeout    ops.Duration `yaml:"query_timeout"`     // 30s
	QueryMaxSamples int          `yaml:"query_max_samples"` // samples that one query may hold in memory; 20 million
	QueryParallel   int          `yaml:"query_parallel"`    // queries of people and dashboards at the same time; 16
}

// Global is what applies to every scrape config that does not say otherwise.
type Global struct {
	ScrapeInterval     ops.Duration      `yaml:"scrape_interval"`     // 15s
	ScrapeTimeout      ops.Duration      `yaml:"scrape_timeout"`      // 10s, or the interval where that is shorter
	EvaluationInterval ops.Duration      `yaml:"evaluation_interval"` // of rule groups that name none; the scrape interval
	ExternalLabels     map[string]string `yaml:"external_labels"`     // on alerts, as in Prometheus

	BodyLimit             int64 `yaml:"body_limit"`               // bytes of one scrape; 64 MiB
	SampleLimit           int   `yaml:"sample_limit"`             // series of one scrape; 50000
	TargetLimit           int   `yaml:"target_limit"`             // targets of one scrape config; 5000
	LabelLimit            int   `yaml:"label_limit"`              // labels of one series; 64
	LabelNameLengthLimit  int   `yaml:"label_name_length_limit"`  // 256
	LabelValueLengthLimit int   `yaml:"label_value_length_limit"` // 4096
}

// RemoteAuth is how the remote store knows us: a bearer token or a user with a password, each literal or in a file
// that is read again at every request.
type RemoteAuth struct {
	BearerToken     string `yaml:"bearer_token"`
	BearerTokenFile string `yaml:"bearer_token_file"`
	Username        string `yaml:"username"`
	Password        string `yaml:"password"`
	PasswordFile    string `yaml:"password_file"`
}

// Bounds of what a configuration may ask for.
const (
	MinInterval  = 100 * time.Millisecond
	MinRetention = time.Hour
	MaxRetention = 5 * 365 * 24 * time.Hour
)

// Validate refuses a configuration that cannot work, naming the place.
func (c Config) Validate() error {
	for _, check := range []func() error{c.validateDurations, c.validateLimits, c.validateRemote} {
		if err := check(); err != nil {
			return err
		}
	}
	_, err := c.prometheus("")
	return err
}

func (c Config) validateDurations() error {
	c = c.withDefaults()
	for _, d := range []struct {
		place string
		value ops.Duration
	}{
		{"sample_interval", c.SampleInterval},
		{"global.scrape_interval", c.Global.ScrapeInterval},
		{"global.evaluation_interval", c.Global.EvaluationInterval},
		{"query_timeout", c.QueryTimeout},
	} {
		if t := time.Duration(d.value); t < MinInterval || t > 24*time.Hour {
			return ops.Errorf(ops.Invalid, "must be between %s and 24h", MinInterval).At("metrics." + d.place)
		}
	}
	if t := time.Duration(c.Retention); t < MinRetention || t > MaxRetention {
		return ops.Errorf(ops.Invalid, "must be between 1h and 5y").At("metrics.retention")
	}
	return nil
}

func (c Config) validateLimits() error {
	for _, l := range []struct {
		place string
		value int64
	}{
		{"retention_bytes", c.RetentionBytes},
		{"indicator_limit", int64(c.IndicatorLimit)},
		{"query_max_samples", int64(c.QueryMaxSamples)},
		{"query_parallel", int64(c.QueryParallel)},
		{"global.body_limit", c.Global.BodyLimit},
		{"global.sample_limit", int64(c.Global.SampleLimit)},
		{"global.target_limit", int64(c.Global.TargetLimit)},
		{"global.label_limit", int64(c.Global.LabelLimit)},
		{"global.label_name_length_limit", int64(c.Global.LabelNameLengthLimit)},
		{"global.label_value_length_limit", int64(c.Global.LabelValueLengthLimit)},
	} {
		if l.value < 0 {
			return ops.Errorf(ops.Invalid, "must not be negative").At("metrics." + l.place)
		}
	}
	return nil
}

func (c Config) validateRemote() error {
	a := c.RemoteAuth
	bearer := a.BearerToken != "" || a.BearerTokenFile != ""
	basic := a.Username != "" || a.Password != "" || a.PasswordFile != ""
	switch {
	case c.Remote == "" && (bearer || basic):
		return ops.Errorf(ops.Invalid, "needs metrics.remote, which is not set").At("metrics.remote_auth")
	case c.Remote == "":
		return nil
	case bearer && basic, a.BearerToken != "" && a.BearerTokenFile != "", a.Password != "" && a.PasswordFile != "":
		return ops.Errorf(ops.Invalid, "name one of bearer_token, bearer_token_file, or username with password or password_file").At("metrics.remote_auth")
	case !c.ScrapeConfigs.IsZero():
		return ops.Errorf(ops.Invalid, "a remote store is used in place of scraping").At("metrics.remote").
			WithHint("remove metrics.scrape_configs, or metrics.remote")
	}
	u, err := url.Parse(c.Remote)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return ops.Errorf(ops.Invalid, "must be an http or https URL such as http://prometheus:9090").At("metrics.remote")
	}
	return nil
}

// withDefaults fills in what the configuration leaves open.
func (c Config) withDefaults() Config {
	second := ops.Duration(time.Second)
	c.Retention = cmp.Or(c.Retention, ops.Duration(15*24*time.Hour))
	c.RetentionBytes = cmp.Or(c.RetentionBytes, 10<<30)
	c.SampleInterval = cmp.Or(c.SampleInterval, 15*second)
	c.IndicatorLimit = cmp.Or(c.IndicatorLimit, 20_000)
	c.QueryTimeout = cmp.Or(c.QueryTimeout, 30*second)
	c.QueryMaxSamples = cmp.Or(c.QueryMaxSamples, 20_000_000)
	c.QueryParallel = cmp.Or(c.QueryParallel, 16)

	g := &c.Global
	g.ScrapeInterval = cmp.Or(g.ScrapeInterval, 15*second)
	g.ScrapeTimeout = cmp.Or(g.ScrapeTimeout, min(10*second, g.ScrapeInterval))
	g.EvaluationInterval = cmp.Or(g.EvaluationInterval, g.ScrapeInterval)
	g.BodyLimit = cmp.Or(g.BodyLimit, 64<<20)
	g.SampleLimit = cmp.Or(g.SampleLimit, 50_000)
	g.TargetLimit = cmp.Or(g.TargetLimit, 5_000)
	g.LabelLimit = cmp.Or(g.LabelLimit, ops.MaxLabels)
	g.LabelNameLengthLimit = cmp.Or(g.LabelNameLengthLimit, 256)
	g.LabelValueLengthLimit = cmp.Or(g.LabelValueLengthLimit, ops.MaxLabelValue)
	return c
}

// EvaluationInterval is how often rule groups that name no interval are evaluated.
func (c Config) EvaluationInterval() time.Duration {
	return time.Duration(c.withDefaults().Global.EvaluationInterval)
}
