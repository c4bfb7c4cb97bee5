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

	flags map[string]bool // of the command that runs, so that a refusal can name the flag that is at fault
	about string          // what the command is about, where the path does not say it
	shown bool            // the one JSON document is out
	once  string          // the Idempotency-Key of what is posted
}

// maxAnswer bounds what a command reads from a server.
const maxAnswer = 64 << 20

// errInterrupted is what Ctrl-C and SIGTERM end a request with. It is neither an answer nor an outage.
var errInterrupted = errors.New("interrupted")

// do sends one request and reads the JSON answer into out (nil: not wanted). Errors carry the exit code.
func (c *client) do(ctx context.Context, method, path string, body, out any) error {
	raw, err := c.raw(ctx, method, path, body)
	if err != nil || out == nil {
		return err
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return exit(exitUnavailable, problem{
			Title: "not a goc server", Detail: fmt.Sprintf("%s answers, but not as a goc server does", c.base()),
			Hint: "--server or GOC_SERVER says where it is",
		})
	}
	return nil
}

// base is the server's address; one without a scheme is meant as http.
func (c *client) base() string {
	s := strings.TrimRight(c.Server, "/")
	if !strings.Contains(s, "://") {
		s = "http://" + s
	}
	return s
}

// raw sends one request and returns the answer's body.
func (c *client) raw(ctx context.Context, method, path string, body any) ([]byte, error) {
	limited, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	req, err := c.request(limited, method, path, body)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, c.unreachable(ctx, err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, c.unreachable(ctx, err)
	}
	if resp.StatusCode/100 == 2 {
		return answer, nil
	}
	return nil, c.refused(resp, answer, path)
}

func (c *client) request(ctx context.Context, method, path string, body any) (*http.Request, error) {
	var rd io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		rd = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base()+path, rd)
	if err != nil || req.URL.Host == "" || req.URL.Scheme != "http" && req.URL.Scheme != "https" {
		return nil, exit(exitUsage, errors.New("--server should read like http://127.0.0.1:8420"))
	}
	req.Header.Set("Accept", "application/json")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.once != "" {
		req.Header.Set("Idempotency-Key", c.once)
	}
	if c.Token != "" {
		req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(c.Token))
	}
	return req, nil
}

// unreachable says why there was no answer. ctx is the command's own: when it has ended, a person ended it.
func (c *client) unreachable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return exit(exitFailed, errInterrupted)
	}
	var ue *url.Error
	if errors.As(err, &ue) { // its words repeat the address
		err = ue.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = errors.New("no answer in time")
	}
	return exit(exitUnavailable, problem{
		Title: "unreachable", Detail: fmt.Sprintf("%s cannot be reached: %v", c.base(), err),
		Hint: "is goc running there? --server or GOC_SERVER says where it is",
	})
}

// unavailable says whether err means that the server could not be reached or was not ready.
func unavailable(err error) bool {
	var e *exitError
	return errors.As(err, &e) && e.code == exitUnavailable
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
