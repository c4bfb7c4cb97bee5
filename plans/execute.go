package plans

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"goc/ops"
)

// maxAnswer bounds what is read of an answer or a program's output, in bytes.
const maxAnswer = 8 << 10

// StepError says how a step ended that did not succeed.
type StepError struct {
	Text    string        // for people; holds no secret of the step
	Unknown bool          // it may or may not have been done
	Retry   time.Duration // > 0: it was certainly not done, and may be tried again after this time
}

func (e *StepError) Error() string { return e.Text }

// Executor does steps: HTTP requests and programs. Plans and drills share one. Make it with NewExecutor.
type Executor struct{ client *http.Client }

// NewExecutor makes an executor on a copy of client (nil: a plain one). It never follows a redirect: a step goes where it says.
func NewExecutor(client *http.Client) *Executor {
	c := http.Client{}
	if client != nil {
		c = *client
	}
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Executor{client: &c}
}

// Do does one step with its parameters filled in and returns the (bounded) answer or output. key goes out as
// Idempotency-Key, to a program as GOC_IDEMPOTENCY_KEY. An error is a *StepError.
func (x *Executor) Do(ctx context.Context, key string, s ops.Step, params map[string]string) (answer string, err error) {
	timeout := time.Duration(s.Timeout)
	if timeout <= 0 {
		timeout = ops.DefaultStepTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, min(timeout, ops.MaxStepTimeout))
	defer cancel()
	if s.Command != nil {
		return x.command(ctx, key, *s.Command, params)
	}
	if s.HTTP == nil {
		return "", &StepError{Text: "the step is neither http nor command"}
	}
	return x.http(ctx, key, *s.HTTP, params)
}

func (x *Executor) http(ctx context.Context, key string, step ops.HTTPStep, params map[string]string) (string, error) {
	h, err := fillHTTP(step, params)
	if err != nil {
		return "", &StepError{Text: err.Error()}
	}
	req, err := http.NewRequestWithContext(ctx, h.Method, h.URL, strings.NewReader(h.Body))
	if err != nil {
		return "", &StepError{Text: "the request cannot be made from the step's URL"}
	}
	for k, v := range h.Headers {
		req.Header.Set(k, v)
	}
	req.Header.Set("Idempotency-Key", key)
	req.Close = true // on a connection used before, net/http would send what has this header a second time by itself
	resp, err := x.client.Do(req)
	if err != nil {
		return "", lost(ctx, err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	return judge(resp, scrub(string(body), h))
}

// lost says what it means that no answer came: nothing, when the connection was never made; else nobody knows.
func lost(ctx context.Context, err error) *StepError {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	var dial *net.OpError
	if errors.As(err, &dial) && dial.Op == "dial" {
		return &StepError{Text: "no connection: " + dial.Err.Error(), Retry: 2 * time.Second}
	}
	if ctx.Err() != nil {
		return &StepError{Text: "no answer in time", Unknown: true}
	}
	return &StepError{Text: "the connection broke before an answer came", Unknown: true}
}

// judge reads an answer: 2xx is done, 429 and 503 mean not now, anything else is a no.
func judge(resp *http.Response, body string) (string, error) {
	if resp.StatusCode/100 == 2 {
		return body, nil
	}
	text := fmt.Sprintf("the answer was %s", resp.Status)
	if body = strings.TrimSpace(body); body != "" {
		text += ": " + clip(body, 200)
	}
	e := &StepError{Text: text}
	if resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode == http.StatusServiceUnavailable {
		e.Retry = 2 * time.Second
		if s, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && s > 0 {
			e.Retry = min(time.Duration(s)*time.Second, time.Minute)
		}
	}
	return "", e
}

// scrub takes the step's own secrets out of an answer that echoes them.
func scrub(body string, h ops.HTTPStep) string {
	for k, v := range h.Headers {
		if k == "Content-Type" || k == "Accept" {
			continue
		}
		for _, secret := range append(strings.Fields(v), v) {
			if len(secret) > 5 && !strings.EqualFold(secret, "bearer") {
				body = strings.ReplaceAll(body, secret, "***")
			}
		}
	}
	return body
}

// command runs a program without a shell, in its own process group, with an environment that holds none of our secrets.
func (x *Executor) command(ctx context.Context, key string, step ops.CommandStep, params map[string]string) (string, error) {
	argv, err := fillCommand(step, params)
	if err != nil {
		return "", &StepError{Text: err.Error()}
	}
	out := &bounded{}
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = step.Dir, out, out
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "LANG=C.UTF-8", "GOC_IDEMPOTENCY_KEY=" + key}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		return "", &StepError{Text: "the program cannot be started: " + err.Error()}
	}
	err = cmd.Wait()
	syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // children that it left behind
	output := strings.ToValidUTF8(out.buf.String(), "?")
	switch {
	case cmd.ProcessState.Success():
		return output, nil
	case ctx.Err() != nil:
		return output, &StepError{Text: "the program did not end in time and was killed", Unknown: true}
	}
	return output, &StepError{Text: strings.TrimSpace(err.Error() + ": " + clip(strings.TrimSpace(output), 200))}
}

// bounded keeps the first maxAnswer bytes of what is written to it and drops the rest. It has no ReadFrom on purpose.
type bounded struct{ buf bytes.Buffer }

func (b *bounded) Write(p []byte) (int, error) {
	if room := maxAnswer - b.buf.Len(); room > 0 {
		b.buf.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}
