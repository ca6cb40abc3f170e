package dynhost

import (
	"errors"
	"reflect"

	"dynhost/internal/raw"
)

// ErrCancelled is what Emit returns while the run is being cancelled: return soon.
var ErrCancelled error = raw.ErrCancelled

// Emitter is a dynamic output that is given while the op runs; the op has it as a field of its outputs.
type Emitter[T any] struct {
	step *Step
	name string
}

// Emit gives one element now; its clones start while the op goes on. The call waits while they are busy.
//
// A mapping key is 1 to 255 bytes of UTF-8 without control characters, `[` or `]`, and no other element of this output
// in this step has it; [MappingKey] makes one of any text. An error other than [ErrCancelled] fails the step, whatever
// the op makes of it.
func (e *Emitter[T]) Emit(key string, value T) error {
	if e.step == nil {
		return errors.New("there is no host to emit to: an emitter is a field of the outputs of an EmittingOp")
	}
	written, err := write(reflect.ValueOf(&value).Elem())
	if err != nil {
		return &Failure{Message: "output `" + e.name + "`, element `" + key + "`: " + err.Error()}
	}
	return e.step.host.Emit(raw.Output{Name: e.name, Dynamic: true, Key: key, Value: written})
}

// Element is one element of a dynamic output, with its mapping key.
type Element[T any] struct {
	Key   string
	Value T
}

// Elements is a dynamic output that is given when the op has ended.
type Elements[T any] []Element[T]

// Add appends an element.
func (e *Elements[T]) Add(key string, value T) { *e = append(*e, Element[T]{key, value}) }

type emitterPort interface {
	element() reflect.Type
	bind(*Step, string)
}

func (e *Emitter[T]) element() reflect.Type        { return reflect.TypeFor[T]() }
func (e *Emitter[T]) bind(step *Step, name string) { e.step, e.name = step, name }

type elementsPort interface {
	element() reflect.Type
	outputs(name string) ([]raw.Output, error)
}

func (e *Elements[T]) element() reflect.Type { return reflect.TypeFor[T]() }

func (e *Elements[T]) outputs(name string) ([]raw.Output, error) {
	all := make([]raw.Output, 0, len(*e))
	for n := range *e {
		element := &(*e)[n]
		written, err := write(reflect.ValueOf(&element.Value).Elem())
		if err != nil {
			return nil, errors.New("element `" + element.Key + "`: " + err.Error())
		}
		all = append(all, raw.Output{Name: name, Dynamic: true, Key: element.Key, Value: written})
	}
	return all, nil
}
