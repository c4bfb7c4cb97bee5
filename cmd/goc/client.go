package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// client is how the commands reach a server, and how they answer.
type client struct {
	Server string `help:"The server." default:"http://127.0.0.1:8420" group:"Server"`
	Token  string `help:"A token for it." group:"Server"`
	JSON   bool   `name:"json" help:"Put exactly one JSON document on stdout; text goes to stderr." group:"Server"`
}

// maxAnswer bounds what a command reads from a server.
const maxAnswer = 64 << 20

// problem is an answer in RFC 9457's shape.
type problem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Hint   string `json:"hint"`
	Errors []struct {
		Location string `json:"location"`
		Message  string `json:"message"`
	} `json:"errors"`
}

func (p problem) Error() string {
	s := p.Detail
	if s == "" {
		s = p.Title
	}
	for _, e := range p.Errors {
		s += "\n  " + strings.TrimPrefix(e.Location+": "+e.Message, ": ")
	}
	if p.Hint != "" {
		s += "\n  hint: " + p.Hint
	}
	return s
}

// do sends one request and reads the JSON answer into out (nil: not wanted). Errors carry the exit code.
func (c *client) do(ctx context.Context, method, path string, body, out any) error {
	raw, err := c.raw(ctx, method, path, body)
	if err != nil || out == nil {
		return err
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return exit(exitFailed, fmt.Errorf("%s did not answer as a goc server does: %w", c.Server, err))
	}
	return nil
}

// raw sends one request and returns the answer's body.
func (c *client) raw(ctx context.Context, method, path string, body any) ([]byte, error) {
	var rd io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		rd = bytes.NewReader(b)
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(c.Server, "/")+path, rd)
	if err != nil {
		return nil, exit(exitUsage, fmt.Errorf("--server: %w", err))
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.Token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, exit(exitUnavailable, fmt.Errorf("%s cannot be reached: %w", c.Server, err))
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, exit(exitUnavailable, fmt.Errorf("%s broke off its answer: %w", c.Server, err))
	}
	if resp.StatusCode/100 == 2 {
		return answer, nil
	}
	return nil, refused(resp, answer)
}

// refused turns an answer outside 2xx into an error with its exit code.
func refused(resp *http.Response, answer []byte) error {
	var p problem
	if json.Unmarshal(answer, &p) != nil || p.Title == "" && p.Detail == "" {
		p = problem{Detail: fmt.Sprintf("the server answered %s", resp.Status)}
	}
	switch resp.StatusCode {
	case http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusNotFound:
		return exit(exitUsage, p)
	case http.StatusServiceUnavailable, http.StatusBadGateway, http.StatusGatewayTimeout, http.StatusTooManyRequests:
		return exit(exitUnavailable, p)
	}
	return exit(exitFailed, p)
}

// unavailable says whether err means that the server could not be reached or was not ready.
func unavailable(err error) bool {
	var e *exitError
	return errors.As(err, &e) && e.code == exitUnavailable
}

// show answers a command: v as JSON with --json, else the text; either alone on stdout.
func (c *client) show(s streams, v any, text func(w io.Writer)) error {
	if !c.JSON {
		text(s.out)
		return nil
	}
	enc := json.NewEncoder(s.out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	text(s.err)
	return nil
}

// api is a path below /api/v1 with its parts escaped.
func api(parts ...string) string {
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	return "/api/v1/" + strings.Join(parts, "/")
}

func splitComma(s string) []string {
	var out []string
	for _, p := range strings.Split(s, ",") {
		if p = strings.TrimSpace(p); p != "" {
			out = append(out, p)
		}
	}
	return out
}
