package ops

import (
	"errors"
	"time"
)

// permanentError says that trying again cannot help.
type permanentError struct{ err error }

func (e *permanentError) Error() string { return e.err.Error() }
func (e *permanentError) Unwrap() error { return e.err }

// retryAfterError says how long the other side wants to be left alone.
type retryAfterError struct {
	after time.Duration
	err   error
}

func (e *retryAfterError) Error() string { return e.err.Error() }
func (e *retryAfterError) Unwrap() error { return e.err }

// Permanent marks err as one that no further attempt can mend: the effect fails at once. nil stays nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanentError{err}
}

// IsPermanent says whether err, or what it wraps, was marked by Permanent.
func IsPermanent(err error) bool {
	var e *permanentError
	return errors.As(err, &e)
}

// RetryAfter marks err as one after which the next attempt waits at least d, as in the header of that name. nil stays nil.
func RetryAfter(d time.Duration, err error) error {
	if err == nil {
		return nil
	}
	return &retryAfterError{after: d, err: err}
}

// RetryDelay returns the wait that RetryAfter put on err; ok is false when there is none.
func RetryDelay(err error) (d time.Duration, ok bool) {
	var e *retryAfterError
	if !errors.As(err, &e) {
		return 0, false
	}
	return e.after, true
}
