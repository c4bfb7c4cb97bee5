package ops

import (
	"fmt"
	"math"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Bounds of a step.
const (
	DefaultStepTimeout = 30 * time.Second
	MaxStepTimeout     = 10 * time.Minute
)

// paramName is what a parameter may be called. Capitals are left to the environment: the configuration's loader fills
// ${NAME} when it reads the file, a run fills ${name} when it runs.
var paramName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)

// ParamName says whether name may be a parameter's name: lower case, digits and underscores.
func ParamName(name string) bool { return paramName.MatchString(name) }

// Placeholders lists the names in ${…} of a text in order; a "${" that is never closed is listed with all that follows,
// and a "{" before it, so that it is nobody's name.
func Placeholders(text string) []string {
	var out []string
	for {
		_, after, found := strings.Cut(text, "${")
		if !found {
			return out
		}
		name, rest, closed := strings.Cut(after, "}")
		if !closed {
			return append(out, "{"+after)
		}
		out, text = append(out, name), rest
	}
}

// Validate refuses a step that could not be done: neither or both of http and command, a placeholder that is no
// parameter or that stands in a URL's scheme or host, a timeout over MaxStepTimeout. It returns one error per bad field.
func (s Step) Validate(location string, params []string) []error {
	var errs []error
	bad := func(field, format string, args ...any) {
		errs = append(errs, Errorf(Invalid, format, args...).At(location+field))
	}
	known := func(field, text string) {
		for _, name := range Placeholders(text) {
			if !slices.Contains(params, name) {
				bad(field, "${%.64s} is no parameter here; there are: %s", name, strings.Join(params, ", "))
			}
		}
	}
	if s.Name == "" {
		bad(".name", "a step needs a name")
	}
	if time.Duration(s.Timeout) > MaxStepTimeout {
		bad(".timeout", "a step may take at most %s", Duration(MaxStepTimeout))
	}
	switch {
	case (s.HTTP == nil) == (s.Command == nil):
		bad("", "a step is either http or command")
	case s.HTTP != nil:
		errs = append(errs, s.HTTP.validate(location+".http")...)
		known(".http.url", s.HTTP.URL)
		known(".http.body", s.HTTP.Body)
		for k, v := range s.HTTP.Headers {
			known(".http.headers."+k, v)
		}
	default:
		errs = append(errs, s.Command.validate(location+".command")...)
		for i, a := range s.Command.Argv {
			known(fmt.Sprintf(".command.argv[%d]", i), a)
		}
	}
	if s.Undo != nil {
		if s.Undo.Undo != nil {
			bad(".undo.undo", "an undo cannot itself be undone")
		}
		errs = append(errs, s.Undo.Validate(location+".undo", params)...)
	}
	return errs
}

func (h HTTPStep) validate(location string) []error {
	var errs []error
	host, _, _ := strings.Cut(strings.SplitN(h.URL+"//", "//", 3)[1], "/")
	host, _, _ = strings.Cut(host, "?")
	u, err := url.Parse(h.URL)
	switch {
	case strings.Contains(host, "${"):
		errs = append(errs, Errorf(Invalid, "a parameter may not choose the host").At(location+".url"))
	case err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "":
		errs = append(errs, Errorf(Invalid, "must be a whole http or https URL").At(location+".url"))
	}
	if !slices.Contains([]string{"", "GET", "POST", "PUT", "PATCH", "DELETE"}, h.Method) {
		errs = append(errs, Errorf(Invalid, "must be GET, POST, PUT, PATCH or DELETE").At(location+".method"))
	}
	return errs
}

func (c CommandStep) validate(location string) []error {
	if len(c.Argv) == 0 || c.Argv[0] == "" {
		return []error{Errorf(Invalid, "must name a program").At(location + ".argv")}
	}
	if strings.Contains(c.Argv[0], "${") || strings.Contains(c.Dir, "${") {
		return []error{Errorf(Invalid, "a parameter may not choose the program or its folder").At(location)}
	}
	return nil
}

// Validate refuses a check without a query or without a bound; it returns one error per bad field.
func (c Check) Validate(location string) []error {
	var errs []error
	if c.Name == "" {
		errs = append(errs, Errorf(Invalid, "a check needs a name").At(location+".name"))
	}
	if c.Query == "" {
		errs = append(errs, Errorf(Invalid, "a check needs a query").At(location+".query"))
	}
	if c.Above == nil && c.Below == nil {
		errs = append(errs, Errorf(Invalid, "a check needs above, below or both").At(location))
	}
	return errs
}

// Holds says whether every value is inside the bounds, and the sentence to it. No value at all does not hold: what was
// not seen is not known.
func (c Check) Holds(points []Point) (bool, string) {
	if len(points) == 0 {
		return false, "the query gave no value"
	}
	for _, p := range points {
		switch {
		case math.IsNaN(p.Value):
			return false, "the value is not a number"
		case c.Above != nil && p.Value <= *c.Above:
			return false, fmt.Sprintf("%.6g is not above %.6g", p.Value, *c.Above)
		case c.Below != nil && p.Value >= *c.Below:
			return false, fmt.Sprintf("%.6g is not below %.6g", p.Value, *c.Below)
		}
	}
	return true, fmt.Sprintf("%.6g is inside the bounds", points[0].Value)
}

// StepLimits is what the steps of plans, or of drills, may touch. The zero value allows no commands and any host.
type StepLimits struct {
	// AllowedCommands are the programs that command steps may run, as argv[0] names them. None by default.
	AllowedCommands []string `yaml:"allowed_commands"`
	// AllowedHosts, when set, are the only hosts (host or host:port) that http steps may talk to.
	AllowedHosts []string `yaml:"allowed_hosts"`
}

// Allows says why the limits of a section of the configuration forbid a valid step, nil when they do not.
func (l StepLimits) Allows(s Step, section string) *Error {
	if s.Command != nil {
		if !slices.Contains(l.AllowedCommands, s.Command.Argv[0]) {
			return Errorf(Invalid, "the program is not in %s.allowed_commands", section).
				WithHint("list the program there exactly as argv names it; none may be run by default")
		}
		return nil
	}
	u, err := url.Parse(s.HTTP.URL)
	if err != nil {
		return Errorf(Invalid, "must be a whole http or https URL")
	}
	if len(l.AllowedHosts) > 0 && !slices.Contains(l.AllowedHosts, u.Host) && !slices.Contains(l.AllowedHosts, u.Hostname()) {
		return Errorf(Invalid, "the host is not in %s.allowed_hosts", section)
	}
	return nil
}
