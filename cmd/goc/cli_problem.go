package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"unicode"

	"goc/ops"
)

// problem is an answer in RFC 9457's shape, from the server or about it.
type problem struct {
	Title    string        `json:"title"`
	Status   int           `json:"status,omitempty"`
	Detail   string        `json:"detail"`
	Errors   []problemItem `json:"errors,omitempty"`
	Hint     string        `json:"hint,omitempty"`
	ExitCode int           `json:"exit_code"`
}

type problemItem struct {
	Location string `json:"location"`
	Message  string `json:"message"`
}

// Error says it to a person: the sentence, each place on a line of its own, and what to do.
func (p problem) Error() string {
	var lines []string
	said := p.Detail
	if said == "" {
		said = p.Title
	}
	for _, e := range p.Errors {
		if strings.HasSuffix(said, e.Message) { // the sentence is that of the one place
			said = ""
		}
		lines = append(lines, strings.TrimPrefix(e.Location+": "+e.Message, ": "))
	}
	if said != "" {
		lines = append([]string{said}, lines...)
	}
	if p.Hint != "" {
		lines = append(lines, "hint: "+p.Hint)
	}
	return strings.Join(lines, "\n  ")
}

// refused turns an answer outside 2xx into an error with its exit code.
func (c *client) refused(resp *http.Response, answer []byte, path string) error {
	p := readProblem(resp, answer)
	for i := range p.Errors {
		p.Errors[i].Location = c.flagOf(p.Errors[i].Location)
	}
	switch resp.StatusCode {
	case http.StatusUnauthorized:
		if p.Hint = "that token is not, or no longer, good here: an admin makes another with goc token create"; c.Token == "" {
			p.Hint = "--token or GOC_TOKEN takes one; an admin makes it with goc token create"
		}
		return exit(exitFailed, p)
	case http.StatusNotFound:
		p.name(c.subject(path))
		return exit(exitUsage, p)
	case http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusRequestEntityTooLarge:
		return exit(exitUsage, p)
	case http.StatusServiceUnavailable, http.StatusBadGateway, http.StatusGatewayTimeout, http.StatusTooManyRequests:
		return exit(exitUnavailable, p)
	}
	return exit(exitFailed, p)
}

// readProblem reads what a server says beside a status: problem+json, a JSON string (the foreign formats), or nothing.
func readProblem(resp *http.Response, answer []byte) problem {
	var p problem
	if json.Unmarshal(answer, &p) == nil && p.Title+p.Detail != "" {
		p.Status = resp.StatusCode
		return p
	}
	p = problem{Title: http.StatusText(resp.StatusCode), Status: resp.StatusCode}
	if json.Unmarshal(answer, &p.Detail) != nil || p.Detail == "" {
		p.Detail = "the server answered " + resp.Status
	}
	return p
}

// name puts what was not found before the sentence that says so.
func (p *problem) name(subject string) {
	if subject == "" || strings.Contains(p.Detail, subject) {
		return
	}
	p.Detail = subject + ": " + p.Detail
	p.Errors = nil // it is the path, which the subject says better
}

// subject is the id or name that a path is about.
func (c *client) subject(path string) string {
	path, _, _ = strings.Cut(path, "?")
	parts := strings.Split(strings.TrimPrefix(path, "/api/"), "/")[1:]
	for _, part := range parts { // CHG-7, /drills/runs/DRL-2
		if strings.Contains(part, "-") && strings.IndexFunc(part, unicode.IsDigit) > 0 {
			return unescape(part)
		}
	}
	if len(parts) > 1 && c.about == "" {
		return unescape(parts[1])
	}
	return c.about
}

func unescape(s string) string {
	if u, err := url.PathUnescape(s); err == nil {
		return u
	}
	return s
}

// flagOf says which flag a place in the request came from: body.schedule.cron is --cron, body.onset_at is --onset.
func (c *client) flagOf(location string) string {
	from, rest, _ := strings.Cut(location, ".")
	switch {
	case from == "path":
		return ""
	case from != "body" && from != "query" || rest == "":
		return location
	}
	if name, ok := strings.CutPrefix(rest, "params."); ok && c.flags["param"] {
		return "--param " + name
	}
	last := rest[strings.LastIndex(rest, ".")+1:]
	for _, flag := range []string{last, strings.TrimSuffix(last, "_at"), strings.SplitN(rest, ".", 2)[0]} {
		if flag = strings.ReplaceAll(flag, "_", "-"); c.flags[flag] {
			return "--" + flag
		}
	}
	return rest
}

// report says what went wrong, once, and turns it into the exit code. With --json it is also the one document on
// stdout, unless a document that says it is there already.
func (c *client) report(err error, s streams) int {
	if err == nil {
		return exitOK
	}
	code := codeOf(err)
	var e *exitError
	if errors.As(err, &e) && e.err == nil { // what there was to say is said
		return code
	}
	p := problem{Title: exitTitles[code], Detail: err.Error()}
	var oe *ops.Error
	if errors.As(err, &oe) {
		p.Hint = oe.Hint
	}
	if errors.As(err, &p) && err.Error() != p.Error() { // somebody added to it
		p.Detail, p.Errors, p.Hint = err.Error(), nil, ""
	}
	p.ExitCode = code
	fmt.Fprintln(s.err, "goc:", p)
	if c.JSON && !c.shown {
		c.encode(s.out, p)
	}
	return code
}

// codeOf is the exit code of an error: its own, else that of its kind.
func codeOf(err error) int {
	var e *exitError
	switch {
	case errors.As(err, &e):
		return e.code
	case ops.KindOf(err) == ops.Invalid, errors.Is(err, os.ErrNotExist):
		return exitUsage
	}
	return exitFailed
}

var exitTitles = map[int]string{
	exitFailed: "failed", exitUsage: "wrong usage or input", exitTimeout: "out of time", exitUnavailable: "server unavailable",
}

// show answers a command: v as JSON with --json, else the text; either alone on stdout.
func (c *client) show(s streams, v any, text func(w io.Writer)) error {
	if !c.JSON {
		text(s.out)
		return nil
	}
	text(s.err)
	return c.encode(s.out, v)
}

func (c *client) encode(w io.Writer, v any) error {
	c.shown = true
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}
