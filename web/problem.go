package web

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"goc/ops"
)

// maxProblemItems bounds how many places one problem lists, so that a bad body cannot make a large answer.
const maxProblemItems = 20

// problem is the body of every error: RFC 9457. It never carries the rejected value.
type problem struct {
	Title    string        `json:"title"`
	Status   int           `json:"status"`
	Detail   string        `json:"detail"`
	Errors   []problemItem `json:"errors,omitempty"`
	Hint     string        `json:"hint,omitempty"`     // what to do about it
	Instance string        `json:"instance,omitempty"` // an id that also stands in the log, of our own faults
}

// problemItem is one place in the input and what is wrong there.
type problemItem struct {
	Location string `json:"location"`
	Message  string `json:"message"`
}

// refuse makes a problem of a status and one sentence.
func refuse(status int, detail string) *problem {
	return &problem{Title: http.StatusText(status), Status: status, Detail: detail}
}

func (p *problem) hint(s string) *problem { p.Hint = s; return p }

// Error implements error.
func (p *problem) Error() string { return p.Detail }

// GetStatus implements huma.StatusError.
func (p *problem) GetStatus() int { return p.Status }

// ContentType implements huma.ContentTypeFilter.
func (p *problem) ContentType(string) string { return "application/problem+json" }

// GetHeaders implements huma.HeadersError: what a client needs to know before it reads the body.
func (p *problem) GetHeaders() http.Header {
	h := http.Header{}
	switch p.Status {
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", `Bearer realm="goc"`)
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		h.Set("Retry-After", strconv.Itoa(5))
	}
	return h
}

// write sends the problem.
func (p *problem) write(w http.ResponseWriter) {
	for k, v := range p.GetHeaders() {
		w.Header()[k] = v
	}
	w.Header().Set("Content-Type", p.ContentType(""))
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // the client is gone when this fails
}

// statusOf is the one place where an error's kind becomes an HTTP status.
func statusOf(k ops.Kind) int {
	switch k {
	case ops.Invalid:
		return http.StatusUnprocessableEntity
	case ops.NotFound:
		return http.StatusNotFound
	case ops.Conflict:
		return http.StatusConflict
	case ops.Denied:
		return http.StatusForbidden
	case ops.Unauthenticated:
		return http.StatusUnauthorized
	case ops.Unavailable:
		return http.StatusServiceUnavailable
	case ops.TooLarge:
		return http.StatusRequestEntityTooLarge
	}
	return http.StatusInternalServerError
}

// problemOf says err as a problem. An error that is nobody's input is Internal, and its text stays in the log.
func problemOf(err error) *problem {
	var (
		p     *problem
		model *huma.ErrorModel
		known *ops.Error
		large *http.MaxBytesError
	)
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &model):
		return problemOfModel(model)
	case errors.As(err, &large):
		return tooLarge(large.Limit)
	case errors.As(err, &known) && statusOf(known.Kind) != http.StatusInternalServerError:
		p = refuse(statusOf(known.Kind), known.Message).hint(known.Hint)
		if known.Location != "" {
			p.Errors = []problemItem{{known.Location, known.Message}}
		}
		return p
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return refuse(http.StatusServiceUnavailable, "the request ended before it was done; it may still be done")
	}
	return refuse(http.StatusInternalServerError, "something went wrong on our side").
		hint("the instance stands in the server's log with the cause")
}

// problemOfModel takes over what huma found wrong, without the values that it would echo.
func problemOfModel(m *huma.ErrorModel) *problem {
	p := refuse(m.Status, m.Detail)
	for i, e := range m.Errors {
		if i == maxProblemItems {
			break
		}
		if e != nil {
			p.Errors = append(p.Errors, problemItem{e.Location, plainMessage(e.Message)})
		}
	}
	switch {
	case m.Status == http.StatusRequestEntityTooLarge:
		return tooLarge(maxJSON)
	case m.Status == http.StatusUnsupportedMediaType:
		return refuse(m.Status, "the body must be JSON").hint("send Content-Type: application/json")
	case len(p.Errors) == 1:
		p.Detail = p.Errors[0].Location + ": " + p.Errors[0].Message
	case len(m.Errors) > 1:
		p.Detail = strconv.Itoa(len(m.Errors)) + " places of the input are wrong"
	}
	return p
}

// plainMessage replaces huma's message about times, the only values here that may have one of several types.
func plainMessage(s string) string {
	switch s {
	case "expected value to match at least one schema but matched none":
		return "a time must be RFC 3339 (2026-11-20T08:00:00Z), Unix seconds or Unix milliseconds"
	case "unexpected property":
		return "there is no such field"
	}
	return s
}

func tooLarge(limit int64) *problem {
	return refuse(http.StatusRequestEntityTooLarge, "the body is larger than "+strconv.FormatInt(limit>>10, 10)+" KiB").
		hint("send less at once")
}
