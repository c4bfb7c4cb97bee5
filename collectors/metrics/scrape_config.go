package metrics

import (
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/config"

	// The ways to find targets that scrape_configs may name, beside static_configs, which needs none.
	_ "github.com/prometheus/prometheus/discovery/dns"
	_ "github.com/prometheus/prometheus/discovery/file"
	_ "github.com/prometheus/prometheus/discovery/http"
	"go.yaml.in/yaml/v3"

	"goc/ops"
)

// prometheus hands the section to Prometheus' own configuration package, so that scrape_configs mean exactly what
// they mean there. Relative paths in it are relative to dir.
func (c Config) prometheus(dir string) (*config.Config, error) {
	if k := c.ScrapeConfigs.Kind; k != 0 && k != yaml.SequenceNode {
		return nil, ops.Errorf(ops.Invalid, "line %d: must be a list, as in prometheus.yml", c.ScrapeConfigs.Line).At("metrics.scrape_configs")
	}
	doc, err := yaml.Marshal(map[string]*yaml.Node{"scrape_configs": &c.ScrapeConfigs})
	if c.ScrapeConfigs.IsZero() {
		doc, err = nil, nil
	}
	if err != nil {
		return nil, ops.Errorf(ops.Invalid, "%w", err).At("metrics.scrape_configs")
	}
	parsed, err := config.Load(string(doc)+c.withDefaults().global(), slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, ops.Errorf(ops.Invalid, "%s", c.sourceLines(err, doc)).At("metrics.scrape_configs").
			WithHint("the format is that of scrape_configs in prometheus.yml; discovery by static_configs, file_sd_configs, http_sd_configs and dns_sd_configs is built in")
	}
	parsed.SetDirectory(dir)
	return parsed, nil
}

// global writes Prometheus' own global section.
func (c Config) global() string {
	g := c.Global
	return fmt.Sprintf("\nglobal: {scrape_interval: %s, scrape_timeout: %s, body_size_limit: %dB, sample_limit: %d, target_limit: %d, "+
		"label_limit: %d, label_name_length_limit: %d, label_value_length_limit: %d, keep_dropped_targets: 100}\n",
		promDuration(g.ScrapeInterval), promDuration(min(g.ScrapeTimeout, g.ScrapeInterval)), g.BodyLimit, g.SampleLimit, g.TargetLimit,
		g.LabelLimit, g.LabelNameLengthLimit, g.LabelValueLengthLimit)
}

func promDuration(d ops.Duration) string { return model.Duration(time.Duration(d)).String() }

var lineNumber = regexp.MustCompile(`line (\d+): `)

// sourceLines rewrites the line numbers in Prometheus' message, which count from the document that we made for it, to
// those of the file that a person wrote: both have the same tree, so the same step of a walk is the same node.
func (c Config) sourceLines(err error, doc []byte) string {
	var copied yaml.Node
	if e := yaml.Unmarshal(doc, &copied); e != nil || len(copied.Content) == 0 {
		return err.Error()
	}
	lines := map[int]int{}
	pairLines(copied.Content[0].Content[1], &c.ScrapeConfigs, lines)
	msg := err.Error()
	if typeErr := (*yaml.TypeError)(nil); errors.As(err, &typeErr) {
		msg = strings.Join(typeErr.Errors, "; ")
	}
	return lineNumber.ReplaceAllStringFunc(msg, func(s string) string {
		n, _ := strconv.Atoi(lineNumber.FindStringSubmatch(s)[1])
		if source, ok := lines[n]; ok {
			n = source
		}
		return fmt.Sprintf("line %d: ", n)
	})
}

func pairLines(copied, source *yaml.Node, lines map[int]int) {
	if _, seen := lines[copied.Line]; !seen {
		lines[copied.Line] = source.Line
	}
	for i := range min(len(copied.Content), len(source.Content)) {
		pairLines(copied.Content[i], source.Content[i], lines)
	}
}
