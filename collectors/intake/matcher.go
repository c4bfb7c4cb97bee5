package intake

import (
	"regexp"
	"strconv"
	"strings"

	"goc/ops"
)

const (
	maxFilters = 100
	maxPattern = 1024 // bytes of a matcher's value
)

// test is a matcher that is ready to be used.
type test struct {
	ops.Matcher
	re *regexp.Regexp // of a matcher with a regular expression
}

// compile checks a matcher. Regular expressions are anchored at both ends.
func compile(m ops.Matcher) (test, error) {
	if m.Name == "" || len(m.Name) > ops.MaxLabelName || len(m.Value) > maxPattern {
		return test{}, ops.Errorf(ops.Invalid, "a matcher's name must have 1 to %d bytes and its value at most %d", ops.MaxLabelName, maxPattern)
	}
	t := test{Matcher: m}
	if m.IsRegex {
		re, err := regexp.Compile("^(?:" + m.Value + ")$")
		if err != nil {
			return test{}, ops.Errorf(ops.Invalid, "a matcher's value is no regular expression (RE2)")
		}
		t.re = re
	}
	return t, nil
}

// holds says whether a label's value passes; a label that is absent has the value "".
func (t test) holds(value string) bool {
	if t.re != nil {
		return t.re.MatchString(value) == t.IsEqual
	}
	return (value == t.Value) == t.IsEqual
}

// allHold says whether labels pass all tests.
func allHold(tests []test, labels map[string]string) bool {
	for _, t := range tests {
		if !t.holds(labels[t.Name]) {
			return false
		}
	}
	return true
}

// parseFilters reads the filter parameters of a request. Each holds one matcher or more, as {a="b",c=~"d"}.
func parseFilters(filters []string) ([]test, error) {
	var out []test
	for _, f := range filters {
		list, err := parseMatchers(f)
		if err != nil {
			return nil, err
		}
		for _, m := range list {
			t, err := compile(m)
			if err != nil {
				return nil, err
			}
			if out = append(out, t); len(out) > maxFilters {
				return nil, ops.Errorf(ops.TooLarge, "a request may have at most %d matchers", maxFilters)
			}
		}
	}
	return out, nil
}

// parseMatchers reads name="value" with =, !=, =~ or !~, several separated by commas and in braces if liked; quotes
// may be left out. It is the syntax of amtool and of Alertmanager's filter parameter.
func parseMatchers(s string) ([]ops.Matcher, error) {
	s = strings.TrimSpace(s)
	if strings.HasPrefix(s, "{") && strings.HasSuffix(s, "}") {
		s = s[1 : len(s)-1]
	}
	var out []ops.Matcher
	for s = strings.TrimSpace(s); s != ""; {
		m, rest, err := parseMatcher(s)
		if err != nil {
			return nil, err
		}
		out = append(out, m)
		rest = strings.TrimSpace(rest)
		if rest == "" {
			break
		}
		if rest[0] != ',' {
			return nil, errMatcher()
		}
		s = strings.TrimSpace(rest[1:])
	}
	return out, nil
}

func errMatcher() *ops.Error {
	return ops.Errorf(ops.Invalid, `bad matcher: write name="value" with =, !=, =~ or !~`).At("query.filter")
}

// parseMatcher reads one matcher and returns what follows it.
func parseMatcher(s string) (m ops.Matcher, rest string, err error) {
	name, rest, err := parseOperand(s, "=!~,{}\"")
	if err != nil || name == "" {
		return m, "", errMatcher()
	}
	rest = strings.TrimSpace(rest)
	m.Name = name
	switch {
	case strings.HasPrefix(rest, "=~"):
		m.IsRegex, m.IsEqual, rest = true, true, rest[2:]
	case strings.HasPrefix(rest, "!~"):
		m.IsRegex, rest = true, rest[2:]
	case strings.HasPrefix(rest, "!="):
		rest = rest[2:]
	case strings.HasPrefix(rest, "="):
		m.IsEqual, rest = true, rest[1:]
	default:
		return m, "", errMatcher()
	}
	m.Value, rest, err = parseOperand(strings.TrimSpace(rest), ",\"")
	return m, rest, err
}

// parseOperand reads a quoted string, or text up to one of the characters in end.
func parseOperand(s, end string) (text, rest string, err error) {
	if strings.HasPrefix(s, `"`) {
		quoted, err := strconv.QuotedPrefix(s)
		if err != nil {
			return "", "", errMatcher()
		}
		text, err := strconv.Unquote(quoted)
		if err != nil {
			return "", "", errMatcher()
		}
		return text, s[len(quoted):], nil
	}
	i := strings.IndexAny(s, end)
	if i < 0 {
		i = len(s)
	}
	return strings.TrimSpace(s[:i]), s[i:], nil
}
