package ops

import (
	"errors"
	"fmt"
)

// Kind classifies an error by what the caller can do about it. The web room maps each to one HTTP status.
type Kind string

const (
	Invalid         Kind = "invalid"         // the input is wrong: 422, or 400 when it could not be parsed
	NotFound        Kind = "not_found"       // no such thing: 404
	Conflict        Kind = "conflict"        // true, but not now: the state does not allow it: 409
	Denied          Kind = "denied"          // known, and not allowed: 403
	Unauthenticated Kind = "unauthenticated" // not known: 401
	Unavailable     Kind = "unavailable"     // try again later: 503
	TooLarge        Kind = "too_large"       // over a documented bound: 413
	Internal        Kind = "internal"        // our fault: 500
)

// Error is an error with a kind, the place in the input (a JSON pointer-like path such as "body.stages[1].bake"),
// and a hint that says what to do. Rejected values are never part of the message.
type Error struct {
	Kind     Kind
	Message  string
	Location string // empty when the error is not about one place
	Hint     string // empty when there is nothing useful to say
	Err      error  // the cause, for errors.Is; Message already says it
}

func (e *Error) Error() string {
	s := e.Message
	if e.Location != "" {
		s = e.Location + ": " + s
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }

// Errorf makes an Error of the kind. A %w argument becomes its cause.
func Errorf(kind Kind, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Kind: kind, Message: err.Error(), Err: errors.Unwrap(err)}
}

// At returns e with the place in the input that it is about.
func (e *Error) At(location string) *Error { e.Location = location; return e }

// WithHint returns e with what to do about it.
func (e *Error) WithHint(hint string) *Error { e.Hint = hint; return e }

// KindOf says which kind err is; an error that is no *Error is Internal, nil has none.
func KindOf(err error) Kind {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Internal
}
