// Package dynhosttest runs ops on this machine under the rules that a host keeps, without WebAssembly.
//
//	func TestSplit(t *testing.T) {
//		outcome := dynhosttest.Run(t, "split", dynhosttest.Inputs{"text": "to be\nor not"})
//		lines := dynhosttest.Dynamic[string](outcome, "line")
//		…
//	}
package dynhosttest

import (
	"reflect"
	"testing"

	"dynhost"
	"dynhost/internal/form"
	"dynhost/internal/raw"
)

// Inputs are what a job gives, by the names of the inputs: a [dynhost.Value], [Many], [Elements], or anything that has
// a JSON form. An input that is not named is not wired.
type Inputs map[string]any

// Many is several values for one input.
type Many []any

// Elements are those of a collected input, with their mapping keys.
type Elements []dynhost.Element[any]

// Collected are the elements of a collected input whose keys are their positions: `0`, `1`, ….
func Collected[T any](values ...T) Elements {
	elements := make(Elements, len(values))
	for n, value := range values {
		elements[n] = dynhost.Element[any]{Key: decimal(n), Value: value}
	}
	return elements
}

// Settings are the circumstances of a step.
type Settings struct {
	// The configuration of the node: anything that has a JSON form.
	Config any
	// 1 where it is 0.
	Attempt     int
	MappingKeys []string
	// The keys of the clones that failed before a collected input.
	FailedKeys []string
}

// Run runs a step of an op that is registered.
func Run(t testing.TB, op string, inputs Inputs) *Outcome {
	t.Helper()
	return RunWith(t, op, inputs, Settings{})
}

// RunWith runs a step under circumstances of its own.
func RunWith(t testing.TB, op string, inputs Inputs, settings Settings) *Outcome {
	t.Helper()
	found := raw.Find(op)
	if found == nil {
		t.Fatalf("no op `%s` is registered", op)
	}
	definition, err := found.Definition()
	if err != nil {
		t.Fatal(err)
	}
	outcome := &Outcome{t: t}
	step := &step{definition: definition, settings: settings, outcome: outcome, seen: map[port]bool{}}
	if step.config, err = write(settings.Config); err != nil {
		t.Fatalf("config: %v", err)
	}
	given, err := step.inputs(inputs)
	if err != nil {
		t.Fatal(err)
	}
	returned, failure := found.Run(step, given)
	if failure == nil {
		failure = step.end(returned)
	}
	// A violation fails the step, whatever the op made of it.
	if step.violation != nil {
		failure = step.violation
	}
	outcome.failure = failure
	return outcome
}

func write(given any) (dynhost.Value, error) {
	if value, ok := given.(dynhost.Value); ok {
		return value, nil
	}
	text, err := form.Append(nil, reflect.ValueOf(given))
	return dynhost.Value{MediaType: "application/json", Data: text}, err
}
