// Package dynhost is for ops of dynhost that are Go functions.
//
// An op is a function whose inputs and outputs are the fields of structs:
//
//	type measureIn struct {
//		Line string `doc:"One line."`
//	}
//
//	func measure(step *dynhost.Step, in measureIn) (int, error) {
//		return len(in.Line), nil
//	}
//
//	func init() { dynhost.Op("measure", "Counts the bytes of a line.", measure) }
//
//	func main() {}
//
// The host runs each step in an instance of its own: nothing that an op leaves in a variable is there in the next.
package dynhost

import (
	"reflect"

	"dynhost/internal/raw"
)

// Op registers an op that returns its outputs; call it in an init function.
//
// In is a struct, whose fields are the inputs. A field
//
//   - of a pointer type, or with the tag `default:"…"`, is an input that a job need not wire;
//   - of type [Collected] is pulled element by element;
//   - of type [Value] or []byte takes bytes of any media type, any other takes JSON;
//   - with the tag `dynhost:"config"` is the configuration of the node.
//
// Out is a struct too, whose fields are the outputs: a field of a pointer type need not be given, and one of type
// [Elements] is dynamic. Any other type is that of a single output `result`.
//
// The name of a port is that of its field in snake case, or what the tag `json:"…"` says; the tag `doc:"…"` describes
// it. An error that is no [Failure] is a permanent one.
func Op[In, Out any](name, description string, run func(*Step, In) (Out, error)) {
	register[In, Out](name, description, func(step *Step, in *In, out *Out) error {
		given, err := run(step, *in)
		*out = given
		return err
	})
}

// EmittingOp registers an op that gives outputs while it runs: those fields of Out that are of type [Emitter], or Out
// itself. The other fields are set by the op, and given when it has ended without an error. All else is as with [Op].
func EmittingOp[In, Out any](name, description string, run func(*Step, In, *Out) error) {
	register[In, Out](name, description, func(step *Step, in *In, out *Out) error {
		return run(step, *in, out)
	})
}

func register[In, Out any](name, description string, run func(*Step, *In, *Out) error) {
	declared := func() (*ports, error) {
		return portsOf(reflect.TypeFor[In](), reflect.TypeFor[Out]())
	}
	raw.Ops = append(raw.Ops, &raw.Op{
		Name:       name,
		Definition: func() (raw.Definition, error) { return define(name, description, declared) },
		Run: func(host raw.Host, inputs []raw.Input) (outputs []raw.Output, failure *raw.Failure) {
			defer func() {
				if broken := recover(); broken != nil {
					outputs, failure = nil, failureOf(broken)
				}
			}()
			ports, err := declared()
			if err != nil {
				return nil, failed(err)
			}
			step := &Step{host: host}
			var in In
			var out Out
			if err := ports.take(step, inputs, reflect.ValueOf(&in).Elem()); err != nil {
				return nil, failed(err)
			}
			ports.bind(step, reflect.ValueOf(&out).Elem())
			if err := run(step, &in, &out); err != nil {
				return nil, failed(err)
			}
			outputs, err = ports.give(reflect.ValueOf(&out).Elem())
			if err != nil {
				return nil, failed(err)
			}
			return outputs, nil
		},
	})
}
