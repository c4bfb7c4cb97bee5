package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"

	"go.yaml.in/yaml/v3"

	"goc/alertrules"
	"goc/changes"
	"goc/chatops"
	"goc/collectors/fleet"
	"goc/collectors/fleet/mqtt"
	"goc/collectors/intake"
	"goc/collectors/metrics"
	"goc/collectors/voice"
	"goc/drills"
	"goc/incidents"
	"goc/ops"
	"goc/plans"
	"goc/web"
)

// config is goc.yaml, read strictly. Every section works when it is absent.
type config struct {
	Listen  string `yaml:"listen"`  // host:port; 127.0.0.1:8420 by default
	Data    string `yaml:"data"`    // folder of everything that is kept; goc-data by default
	Storage string `yaml:"storage"` // sqlite (default), or a postgres:// URL

	Auth       web.Config             `yaml:"auth"`
	Catalog    catalogConfig          `yaml:"catalog"`
	Metrics    metrics.Config         `yaml:"metrics"`
	AlertRules alertrules.Config      `yaml:"alertrules"`
	Heartbeats heartbeatsConfig       `yaml:"heartbeats"`
	Voice      voice.Config           `yaml:"voice"`
	Incidents  incidents.Config       `yaml:"incidents"`
	Gate       changes.Config         `yaml:"gate"`
	Plans      plans.Config           `yaml:"plans"`
	Drills     drills.Config          `yaml:"drills"`
	OnCall     incidents.OnCallConfig `yaml:"oncall"`
	ChatOps    chatops.Config         `yaml:"chatops"`
	Hooks      intake.Config          `yaml:"hooks"`

	file string // that it was read from, "" when it was not
	dir  string // the file's folder, against which relative paths are resolved
}

// heartbeatsConfig is the table of devices, and the ways in beside HTTP.
type heartbeatsConfig struct {
	fleet.Config `yaml:",inline"`
	MQTT         mqtt.Config `yaml:"mqtt"`
}

// Validate says which field is wrong.
func (c heartbeatsConfig) Validate() error {
	return errors.Join(c.Config.Validate(), c.MQTT.Validate())
}

// catalogConfig lists what exists, here or in files of the same shape.
type catalogConfig struct {
	Files       []string `yaml:"files"`
	ops.Catalog `yaml:",inline"`
}

// maxConfig bounds a configuration or catalog file: 10,000 stores are about 2 MB.
const maxConfig = 32 << 20

// loadConfig reads a configuration file, fills in ${ENV} and checks everything that can be checked without starting.
func loadConfig(path string) (*config, error) {
	c := &config{dir: filepath.Dir(path)}
	if err := readYAML(path, c); err != nil {
		return nil, err
	}
	if err := c.loadCatalog(); err != nil {
		return nil, err
	}
	c.resolvePaths()
	if err := c.validate(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

func (c *config) loadCatalog() error {
	for _, f := range c.Catalog.Files {
		var part ops.Catalog
		if err := readYAML(c.path(f), &part); err != nil {
			return err
		}
		c.Catalog.Services = append(c.Catalog.Services, part.Services...)
		c.Catalog.Stores = append(c.Catalog.Stores, part.Stores...)
		c.Catalog.DeviceKinds = append(c.Catalog.DeviceKinds, part.DeviceKinds...)
		c.Catalog.Holidays = append(c.Catalog.Holidays, part.Holidays...)
	}
	return nil
}

// resolvePaths makes the paths that the file names relative to the file, not to wherever the program was started.
func (c *config) resolvePaths() {
	for i, f := range c.AlertRules.Files {
		c.AlertRules.Files[i] = c.path(f)
	}
	for _, p := range []*string{
		&c.Data, &c.Auth.TokensFile, &c.Hooks.GitHub.SecretFile, &c.Hooks.GitLab.SecretFile, &c.Hooks.PagerDuty.SecretFile,
		&c.ChatOps.Slack.TokenFile, &c.ChatOps.Slack.SigningSecretFile, &c.ChatOps.DingTalk.URLFile, &c.ChatOps.DingTalk.SecretFile,
		&c.ChatOps.Feishu.URLFile, &c.ChatOps.Feishu.SecretFile, &c.Metrics.RemoteAuth.BearerTokenFile, &c.Metrics.RemoteAuth.PasswordFile,
		&c.Heartbeats.MQTT.CertFile, &c.Heartbeats.MQTT.KeyFile, &c.Heartbeats.MQTT.ClientCAFile, &c.Heartbeats.MQTT.StoreDir,
	} {
		*p = c.path(*p)
	}
	for i := range c.ChatOps.Webhooks {
		c.ChatOps.Webhooks[i].SecretFile = c.path(c.ChatOps.Webhooks[i].SecretFile)
	}
	for i := range c.Heartbeats.MQTT.Brokers {
		b := &c.Heartbeats.MQTT.Brokers[i]
		for _, p := range []*string{&b.PasswordFile, &b.CAFile, &b.CertFile, &b.KeyFile} {
			*p = c.path(*p)
		}
	}
}

// path resolves a path of the file; "" stays "".
func (c *config) path(p string) string {
	if p == "" || filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(c.dir, p)
}

// validate asks every section, and says all that is wrong at once.
func (c *config) validate() error {
	if c.Listen == "" {
		c.Listen = "127.0.0.1:8420"
	}
	if c.Data == "" {
		c.Data = "goc-data"
	}
	if c.Storage != "" && c.Storage != "sqlite" && !strings.HasPrefix(c.Storage, "postgres://") && !strings.HasPrefix(c.Storage, "postgresql://") {
		return ops.Errorf(ops.Invalid, "must be sqlite or a postgres:// URL").At("storage")
	}
	return errors.Join(c.Catalog.Index(), c.Auth.Validate(), c.Metrics.Validate(), c.AlertRules.Validate(), c.Heartbeats.Validate(), c.Voice.Validate(),
		c.Incidents.Validate(), c.Gate.Validate(), c.Plans.Validate(), c.Drills.Validate(), c.OnCall.Validate(), c.ChatOps.Validate(), c.Hooks.Validate())
}

// readYAML reads one YAML document strictly into v.
func readYAML(path string, v any) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if len(text) > maxConfig {
		return fmt.Errorf("%s is over %d bytes", path, maxConfig)
	}
	if text, err = fillEnv(text); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(v); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: %w", path, explain(err, v))
	}
	if err := dec.Decode(new(any)); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: a second YAML document; only one is read", path)
	}
	return nil
}

// envName is what ${…} may hold: capitals, so that a plan's ${suspect} and a relabelling's ${1} stay as they are.
var envName = regexp.MustCompile(`\$\{([A-Z_][A-Z0-9_]*)\}`)

// fillEnv replaces ${NAME} by the environment variable's value; one that is not set is an error with its line.
func fillEnv(text []byte) ([]byte, error) {
	var missing error
	out := envName.ReplaceAllFunc(text, func(m []byte) []byte {
		name := string(m[2 : len(m)-1])
		v, ok := os.LookupEnv(name)
		if !ok && missing == nil {
			line := 1 + bytes.Count(text[:bytes.Index(text, m)], []byte("\n"))
			missing = fmt.Errorf("line %d: the environment variable %s is not set", line, name)
		}
		return []byte(v)
	})
	return out, missing
}

var unknownField = regexp.MustCompile(`line (\d+): field (\S+) not found in type (\S+)`)

// explain turns yaml's words about an unknown key into ours, with the nearest key that exists there.
func explain(err error, v any) error {
	var te *yaml.TypeError
	if !errors.As(err, &te) {
		return err
	}
	known := keysByType(v)
	var lines []string
	for _, e := range te.Errors {
		m := unknownField.FindStringSubmatch(e)
		if m == nil {
			lines = append(lines, e)
			continue
		}
		line := fmt.Sprintf("line %s: unknown key %q", m[1], m[2])
		if near := nearest(m[2], known[m[3]]); near != "" {
			line += fmt.Sprintf("; did you mean %q?", near)
		} else if keys := known[m[3]]; len(keys) > 0 {
			sort.Strings(keys)
			line += "; the keys here are " + strings.Join(keys, ", ")
		}
		lines = append(lines, line)
	}
	return ops.Errorf(ops.Invalid, "%s", strings.Join(lines, "\n  "))
}
