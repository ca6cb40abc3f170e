package dynhost

import (
	"errors"
	"fmt"
	"reflect"
	"time"

	"dynhost/internal/raw"
)

// Retry says whether another attempt may succeed.
type Retry = raw.Retry

// Whether another attempt may succeed.
const (
	// The same inputs would fail again.
	Never = raw.Never
	// Another attempt may succeed.
	Allowed = raw.Allowed
	// Another attempt may succeed, but not at once.
	After = raw.After
)

// Failure is an error that says whether another attempt may succeed. Any other error is a permanent failure.
//
// Where an error wraps a Failure, its own words are the message, and the rest is that of the Failure.
type Failure struct {
	// What went wrong, for people.
	Message string
	// What went wrong, for programs: a [Value], or anything that has a JSON form.
	Detail any
	// Whether another attempt may succeed.
	Retry Retry
	// How long to wait before it, where Retry is After.
	Delay time.Duration

	cause error
}

// Permanent is a failure that the same inputs would lead to again: it is never retried. The words are those of
// fmt.Errorf.
func Permanent(format string, args ...any) *Failure { return newFailure(Never, format, args) }

// Transient is a failure after which another attempt may succeed: it is retried under the node's retry policy.
func Transient(format string, args ...any) *Failure { return newFailure(Allowed, format, args) }

// RetryAfter is a transient failure which asks that this much time passes before the next attempt.
func RetryAfter(delay time.Duration, format string, args ...any) *Failure {
	failure := newFailure(After, format, args)
	failure.Delay = delay
	return failure
}

func newFailure(retry Retry, format string, args []any) *Failure {
	cause := fmt.Errorf(format, args...)
	return &Failure{Message: cause.Error(), Retry: retry, cause: errors.Unwrap(cause)}
}

// With adds what went wrong for programs: a [Value], or anything that has a JSON form.
func (f *Failure) With(detail any) *Failure {
	f.Detail = detail
	return f
}

// Error is the message.
func (f *Failure) Error() string { return f.Message }

// Unwrap is the error that the message was made of with %w.
func (f *Failure) Unwrap() error { return f.cause }

// failed is what the host is told of an error.
func failed(err error) *raw.Failure {
	told := &raw.Failure{Message: err.Error()}
	var failure *Failure
	if !errors.As(err, &failure) {
		return told
	}
	told.Retry = failure.Retry
	if failure.Retry == After && failure.Delay > 0 {
		told.DelayMilliseconds = uint64(failure.Delay.Milliseconds())
	}
	if failure.Detail == nil {
		return told
	}
	detail, err := write(reflect.ValueOf(failure.Detail))
	if err != nil {
		told.Message += " (its detail has no JSON form: " + err.Error() + ")"
		return told
	}
	told.Detail = &detail
	return told
}
