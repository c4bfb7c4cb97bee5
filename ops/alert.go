package ops

import (
	"sort"
	"strconv"
	"time"

	"github.com/cespare/xxhash/v2"
)

// AlertStatus is whether the condition holds.
type AlertStatus string

const (
	Firing   AlertStatus = "firing"   // the condition holds
	Resolved AlertStatus = "resolved" // it held, and no longer does
)

// Bounds of one alert.
const (
	MaxLabels      = 64   // labels, and as many annotations
	MaxLabelName   = 128  // bytes
	MaxLabelValue  = 4096 // bytes of a label's value
	MaxAnnotation  = 8192 // bytes of an annotation's value
	MaxAlertsBatch = 10_000
)

// Alert is a machine's fact: a condition that holds or held. Two alerts with the same labels are the same alert.
type Alert struct {
	Fingerprint  string            `json:"fingerprint"`
	Status       AlertStatus       `json:"status"`
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations,omitempty"`
	StartsAt     Time              `json:"starts_at"`
	EndsAt       Time              `json:"ends_at"` // firing: when it counts as resolved unless sent again; resolved: when it ended
	UpdatedAt    Time              `json:"updated_at"`
	GeneratorURL string            `json:"generator_url,omitempty"`
	Source       string            `json:"source,omitempty"` // rules, fleet, prometheus, grafana, …
}

// Name is the alert's alertname.
func (a Alert) Name() string { return a.Labels["alertname"] }

// Scope is what the alert's labels say that it touches.
func (a Alert) Scope() Scope { return ScopeFromLabels(a.Labels) }

// Summary is the sentence that people read: the annotation summary, else description, else the alert's name.
func (a Alert) Summary() string {
	for _, k := range []string{"summary", "description"} {
		if s := a.Annotations[k]; s != "" {
			return s
		}
	}
	return a.Name()
}

// Fingerprint identifies a label set: 16 hex digits, the same for the same labels in any order. Empty values do not count.
func Fingerprint(labels map[string]string) string {
	names := make([]string, 0, len(labels))
	for k, v := range labels {
		if v != "" {
			names = append(names, k)
		}
	}
	sort.Strings(names)
	h := xxhash.New()
	for _, k := range names {
		h.WriteString(k)
		h.Write([]byte{0xff})
		h.WriteString(labels[k])
		h.Write([]byte{0xff})
	}
	s := strconv.FormatUint(h.Sum64(), 16)
	for len(s) < 16 {
		s = "0" + s
	}
	return s
}

// Validate refuses an alert without labels or over its bounds. location is the alert's place in the input.
func (a Alert) Validate(location string) error {
	if len(a.Labels) == 0 {
		return Errorf(Invalid, "an alert must have at least one label").At(location + ".labels")
	}
	if len(a.Labels) > MaxLabels || len(a.Annotations) > MaxLabels {
		return Errorf(Invalid, "an alert may have at most %d labels and as many annotations", MaxLabels).At(location + ".labels")
	}
	for k, v := range a.Labels {
		if k == "" || len(k) > MaxLabelName || len(v) > MaxLabelValue {
			return Errorf(Invalid, "a label's name may have 1 to %d bytes and its value at most %d", MaxLabelName, MaxLabelValue).At(location + ".labels")
		}
	}
	for k, v := range a.Annotations {
		if k == "" || len(k) > MaxLabelName || len(v) > MaxAnnotation {
			return Errorf(Invalid, "an annotation's name may have 1 to %d bytes and its value at most %d", MaxLabelName, MaxAnnotation).At(location + ".annotations")
		}
	}
	if !a.EndsAt.IsZero() && a.EndsAt.Before(a.StartsAt.Time) {
		return Errorf(Invalid, "an alert must not end before it starts").At(location + ".endsAt")
	}
	return nil
}

// Silence is a person's wish not to be told of certain alerts for a while. It hides; it never drops.
type Silence struct {
	ID        string    `json:"id"` // a UUID, as Alertmanager's clients expect
	Matchers  []Matcher `json:"matchers"`
	StartsAt  Time      `json:"starts_at"`
	EndsAt    Time      `json:"ends_at"`
	CreatedBy string    `json:"created_by"`
	Comment   string    `json:"comment"`
	UpdatedAt Time      `json:"updated_at"`
}

// Matcher tests one label. A regular expression is anchored at both ends.
type Matcher struct {
	Name    string `json:"name"`
	Value   string `json:"value"`
	IsRegex bool   `json:"is_regex"`
	IsEqual bool   `json:"is_equal"`
}

// Active says whether the silence holds at now.
func (s Silence) Active(now time.Time) bool {
	return !now.Before(s.StartsAt.Time) && now.Before(s.EndsAt.Time)
}

// Sample is one value of an indicator at one time, for a service and, where the indicator is finer, a unit, a store, a caller.
type Sample struct {
	At         Time    `json:"at"`
	Indicator  string  `json:"indicator"`
	Service    string  `json:"service,omitempty"`
	Caller     string  `json:"caller,omitempty"`
	Unit       string  `json:"unit,omitempty"`
	CallerUnit string  `json:"caller_unit,omitempty"`
	Store      string  `json:"store,omitempty"`
	Value      float64 `json:"value"`
}
