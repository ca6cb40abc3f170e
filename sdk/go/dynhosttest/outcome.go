package dynhosttest

import (
	"reflect"
	"testing"
	"time"

	"dynhost"
	"dynhost/internal/form"
	"dynhost/internal/raw"
)

// Outcome is what became of a step.
type Outcome struct {
	// What it wrote to its log.
	Logs []Log
	// How far it last said to be, and of how much.
	Progress [2]uint64

	t       testing.TB
	failure *raw.Failure
	outputs []raw.Output
}

// Log is one message of a step's log.
type Log struct {
	Level   dynhost.Level
	Message string
	Fields  []raw.Field
}

// Failure is why the step failed, or nil. Its detail is a [dynhost.Value].
func (o *Outcome) Failure() *dynhost.Failure {
	if o.failure == nil {
		return nil
	}
	failure := &dynhost.Failure{
		Message: o.failure.Message, Retry: o.failure.Retry,
		Delay: time.Duration(o.failure.DelayMilliseconds) * time.Millisecond,
	}
	if o.failure.Detail != nil {
		failure.Detail = *o.failure.Detail
	}
	return failure
}

// Value is an output that is not dynamic, or nil where it was not given.
func (o *Outcome) Value(output string) *dynhost.Value {
	o.t.Helper()
	for _, given := range o.given(output) {
		return &given.Value
	}
	return nil
}

// Output is an output that is not dynamic, read as a T.
func Output[T any](o *Outcome, output string) T {
	o.t.Helper()
	value := o.Value(output)
	if value == nil {
		o.t.Fatalf("output `%s` was not given", output)
	}
	return read[T](o, output, *value)
}

// Dynamic are the elements of a dynamic output in the order in which they were given, read as Ts.
func Dynamic[T any](o *Outcome, output string) []dynhost.Element[T] {
	o.t.Helper()
	var elements []dynhost.Element[T]
	for _, given := range o.given(output) {
		elements = append(elements, dynhost.Element[T]{Key: given.Key, Value: read[T](o, output, given.Value)})
	}
	return elements
}

func read[T any](o *Outcome, output string, value dynhost.Value) (found T) {
	o.t.Helper()
	if raw, ok := any(&found).(*dynhost.Value); ok {
		*raw = value
		return found
	}
	if err := form.Read(value.Data, reflect.ValueOf(&found).Elem()); err != nil {
		o.t.Fatalf("output `%s`: %v", output, err)
	}
	return found
}

func (o *Outcome) given(output string) []raw.Output {
	o.t.Helper()
	if o.failure != nil {
		o.t.Fatalf("the step failed: %s", o.failure.Message)
	}
	var given []raw.Output
	for _, one := range o.outputs {
		if one.Name == output {
			given = append(given, one)
		}
	}
	return given
}
