package plans

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"unicode"

	"goc/ops"
)

// maxParam bounds one parameter's value, in bytes.
const maxParam = 2048

// literal is what a parameter outside of a JSON string must be.
var literal = regexp.MustCompile(`^(-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?|true|false|null)$`)

// escape turns one value into the text that stands for it after the template's text before.
type escape func(before, value string) (string, error)

// fill replaces each ${name} in a template by its escaped value. Values are never looked at for placeholders.
func fill(template string, params map[string]string, esc escape) (string, error) {
	var out strings.Builder
	rest := template
	for {
		text, after, found := strings.Cut(rest, "${")
		out.WriteString(text)
		if !found {
			return out.String(), nil
		}
		name, tail, closed := strings.Cut(after, "}")
		value, known := params[name]
		if !closed || !known {
			return "", ops.Errorf(ops.Invalid, "${%.64s} has no value", name)
		}
		before := template[:len(template)-len(after)-2]
		escaped, err := esc(before, value)
		if err != nil {
			return "", ops.Errorf(ops.Invalid, "parameter %s: %w", name, err)
		}
		out.WriteString(escaped)
		rest = tail
	}
}

// checkParam refuses values that no step could carry safely.
func checkParam(value string) *ops.Error {
	if len(value) > maxParam {
		return ops.Errorf(ops.Invalid, "may have at most %d bytes", maxParam)
	}
	if strings.ContainsFunc(value, unicode.IsControl) {
		return ops.Errorf(ops.Invalid, "must not have control characters")
	}
	return nil
}

// inURL escapes for the path, or for the query after a question mark. A path segment must not vanish or climb.
func inURL(before, value string) (string, error) {
	if strings.Contains(before, "?") {
		return url.QueryEscape(value), nil
	}
	if value == "" || value == "." || value == ".." {
		return "", ops.Errorf(ops.Invalid, "must not be empty or dots where it stands in a URL's path")
	}
	return url.PathEscape(value), nil
}

// inJSON escapes inside of a string; outside of one the value must be a number, true, false or null.
func inJSON(before, value string) (string, error) {
	if !insideString(before) {
		if !literal.MatchString(value) {
			return "", ops.Errorf(ops.Invalid, "must be a number, true, false or null where it stands outside of quotes")
		}
		return value, nil
	}
	b, err := json.Marshal(value)
	if err != nil {
		return "", err
	}
	return string(b[1 : len(b)-1]), nil
}

// insideString says whether the text ends within a JSON string.
func insideString(text string) bool {
	in := false
	for i := 0; i < len(text); i++ {
		switch {
		case in && text[i] == '\\':
			i++
		case text[i] == '"':
			in = !in
		}
	}
	return in
}

func inForm(_, value string) (string, error) { return url.QueryEscape(value), nil }

func asIs(_, value string) (string, error) { return value, nil }

// inHeader refuses what would begin another header.
func inHeader(_, value string) (string, error) {
	if strings.ContainsFunc(value, unicode.IsControl) {
		return "", ops.Errorf(ops.Invalid, "must not have control characters where it stands in a header")
	}
	return value, nil
}

// inArgument keeps a value from becoming an option: an argument that begins with a parameter must not begin with a dash.
func inArgument(before, value string) (string, error) {
	if before == "" && strings.HasPrefix(value, "-") {
		return "", ops.Errorf(ops.Invalid, "must not begin with a dash where it begins an argument")
	}
	return value, nil
}

// contentType is the type of the step's body: JSON unless its headers say otherwise.
func contentType(h ops.HTTPStep) string {
	for k, v := range h.Headers {
		if http.CanonicalHeaderKey(k) == "Content-Type" {
			return v
		}
	}
	return "application/json"
}

// bodyEscape is how parameters enter the step's body.
func bodyEscape(h ops.HTTPStep) escape {
	switch t := contentType(h); {
	case strings.Contains(t, "json"):
		return inJSON
	case strings.Contains(t, "x-www-form-urlencoded"):
		return inForm
	}
	return asIs
}

// checkBody refuses a JSON body that would not be JSON whatever the parameters are.
func checkBody(h ops.HTTPStep) *ops.Error {
	if h.Body == "" || !strings.Contains(contentType(h), "json") {
		return nil
	}
	zeros := map[string]string{}
	for _, name := range ops.Placeholders(h.Body) {
		zeros[name] = "0"
	}
	body, err := fill(h.Body, zeros, inJSON)
	if err != nil || !json.Valid([]byte(body)) {
		return ops.Errorf(ops.Invalid, "is not JSON").WithHint("set the header Content-Type when it is meant to be something else")
	}
	return nil
}

// fillHTTP returns the step with its parameters filled in.
func fillHTTP(h ops.HTTPStep, params map[string]string) (ops.HTTPStep, error) {
	out := ops.HTTPStep{Method: h.Method, Headers: map[string]string{"Content-Type": contentType(h)}}
	if out.Method == "" {
		out.Method = http.MethodPost
	}
	var err error
	if out.URL, err = fill(h.URL, params, inURL); err != nil {
		return out, err
	}
	if out.Body, err = fill(h.Body, params, bodyEscape(h)); err != nil {
		return out, err
	}
	for k, v := range h.Headers {
		if out.Headers[http.CanonicalHeaderKey(k)], err = fill(v, params, inHeader); err != nil {
			return out, err
		}
	}
	return out, nil
}

// fillCommand returns the step's arguments, each with its parameters filled in; one argument stays one argument.
func fillCommand(c ops.CommandStep, params map[string]string) ([]string, error) {
	argv := make([]string, len(c.Argv))
	for i, a := range c.Argv {
		var err error
		if argv[i], err = fill(a, params, inArgument); err != nil {
			return nil, err
		}
	}
	return argv, nil
}

// describe is the step as a person reads it before it is done: never its headers, which may hold secrets.
func describe(s ops.Step, params map[string]string) (string, error) {
	if s.Command != nil {
		argv, err := fillCommand(*s.Command, params)
		return s.Name + ": " + strings.Join(argv, " "), err
	}
	h, err := fillHTTP(*s.HTTP, params)
	if err != nil {
		return s.Name, err
	}
	text := s.Name + ": " + h.Method + " " + redactURL(h.URL)
	if h.Body != "" {
		text += " " + clip(h.Body, 300)
	}
	return text, nil
}

// redactURL hides a password in the URL.
func redactURL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "?"
	}
	return u.Redacted()
}

// clip shortens s to at most n bytes without breaking a rune.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}
