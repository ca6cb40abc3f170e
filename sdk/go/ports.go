package dynhost

import (
	"errors"
	"reflect"

	"dynhost/internal/form"
	"dynhost/internal/raw"
)

// ports are what an op takes and gives, as the types of its function say.
type ports struct {
	inputs  []input
	config  *form.Field
	outputs []output
}

type input struct {
	form.Field
	collected bool
	// The type of the value, or of each element.
	holds reflect.Type
}

type output struct {
	form.Field
	// Whether the type of the op's result is that of the output, and no struct of outputs.
	whole   bool
	dynamic bool
	holds   reflect.Type
}

func portsOf(in, out reflect.Type) (*ports, error) {
	if in.Kind() != reflect.Struct || in == valueType {
		return nil, errors.New("its inputs are of type `" + in.String() + "`: a struct was expected, with a field for each")
	}
	p := &ports{}
	config := -1
	for n := range in.NumField() {
		if in.Field(n).Tag.Get("dynhost") == "config" {
			config = n
		}
	}
	for _, f := range form.Fields(in) {
		if config >= 0 && f.Is(config) {
			p.config = &f
			continue
		}
		taken := input{Field: f, holds: f.Type}
		if port, ok := reflect.New(f.Type).Interface().(collectedPort); ok {
			taken.collected, taken.holds = true, port.element()
		} else if f.Type.Kind() == reflect.Pointer {
			taken.holds = f.Type.Elem()
		}
		p.inputs = append(p.inputs, taken)
	}
	p.outputs = outputsOf(out)
	return p, nil
}

func outputsOf(out reflect.Type) []output {
	if out.Kind() == reflect.Struct && out != valueType && !form.HasOwnForm(out) {
		if _, dynamic := dynamicPort(out); !dynamic {
			var outputs []output
			for _, f := range form.Fields(out) {
				outputs = append(outputs, outputOf(f))
			}
			return outputs
		}
	}
	only := outputOf(form.Field{Name: "result", Type: out, Optional: out.Kind() == reflect.Pointer})
	only.whole = true
	return []output{only}
}

func outputOf(f form.Field) output {
	given := output{Field: f, holds: f.Type}
	if element, dynamic := dynamicPort(f.Type); dynamic {
		given.dynamic, given.holds = true, element
	} else if f.Type.Kind() == reflect.Pointer {
		given.holds = f.Type.Elem()
	}
	return given
}

// dynamicPort is the type of the elements, if this is the type of a dynamic output.
func dynamicPort(t reflect.Type) (reflect.Type, bool) {
	switch port := reflect.New(t).Interface().(type) {
	case emitterPort:
		return port.element(), true
	case elementsPort:
		return port.element(), true
	}
	return nil, false
}

func (o *output) of(out reflect.Value) reflect.Value {
	if o.whole {
		return out
	}
	return o.Field.Of(out)
}

// take reads the inputs of a run and the configuration.
func (p *ports) take(step *Step, inputs []raw.Input, in reflect.Value) error {
	given := make(map[string]*raw.Input, len(inputs))
	for n := range inputs {
		given[inputs[n].Name] = &inputs[n]
	}
	for n := range p.inputs {
		port := &p.inputs[n]
		if err := port.take(given[port.Name], port.Of(in)); err != nil {
			return &Failure{Message: "input `" + port.Name + "`: " + err.Error()}
		}
	}
	if p.config == nil {
		return nil
	}
	text := step.host.Config()
	if text == "null" && p.config.Type.Kind() != reflect.Pointer {
		// Every field may have a default.
		text = "{}"
	}
	if err := p.config.Read([]byte(text), p.config.Of(in)); err != nil {
		return &Failure{Message: "config: " + err.Error()}
	}
	return nil
}

func (i *input) take(given *raw.Input, into reflect.Value) error {
	if given == nil || given.Kind == raw.Absent {
		if !i.Optional {
			return errors.New("it is required, and the job gives nothing for it")
		}
		_, err := i.Default(into)
		return err
	}
	if i.collected != (given.Kind == raw.Collected) {
		return errors.New("whether it is collected is not what the op declares")
	}
	if i.collected {
		into.Addr().Interface().(collectedPort).bind(given.Pull)
		return nil
	}
	if into.Kind() == reflect.Pointer {
		if given.Kind == raw.Single && isNull(given.Values[0]) && !isRaw(i.holds) {
			return nil
		}
		into.Set(reflect.New(i.holds))
		into = into.Elem()
	}
	if given.Kind == raw.Many {
		return i.takeMany(given.Values, into)
	}
	if into.Kind() == reflect.Slice && isRaw(into.Type().Elem()) {
		return i.takeMany(given.Values, into)
	}
	if isRaw(i.holds) {
		return read(given.Values[0], into)
	}
	if !isJSON(given.Values[0].MediaType) {
		return read(given.Values[0], into)
	}
	return i.Read(given.Values[0].Data, into)
}

// takeMany reads several values as the elements of a list.
func (i *input) takeMany(values []Value, into reflect.Value) error {
	if into.Kind() != reflect.Slice || into.Type() == bytesType {
		return errors.New("the job gives several values, and it takes one: make it a slice")
	}
	list := reflect.MakeSlice(into.Type(), len(values), len(values))
	for n, value := range values {
		if err := read(value, list.Index(n)); err != nil {
			return errors.New("element " + decimal(uint64(n)) + ": " + err.Error())
		}
	}
	into.Set(list)
	return nil
}

// bind makes the emitters ready.
func (p *ports) bind(step *Step, out reflect.Value) {
	for n := range p.outputs {
		port := &p.outputs[n]
		if emitter, ok := port.of(out).Addr().Interface().(emitterPort); ok {
			emitter.bind(step, port.Name)
		}
	}
}

// give is what the op has set of its outputs.
func (p *ports) give(out reflect.Value) ([]raw.Output, error) {
	var all []raw.Output
	for n := range p.outputs {
		port := &p.outputs[n]
		found, err := port.given(port.of(out))
		if err != nil {
			return nil, &Failure{Message: "output `" + port.Name + "`: " + err.Error()}
		}
		all = append(all, found...)
	}
	return all, nil
}

func (o *output) given(value reflect.Value) ([]raw.Output, error) {
	switch port := value.Addr().Interface().(type) {
	case emitterPort:
		return nil, nil
	case elementsPort:
		return port.outputs(o.Name)
	}
	if value.Kind() == reflect.Pointer {
		if value.IsNil() {
			return nil, nil
		}
		value = value.Elem()
	}
	text, err := write(value)
	return []raw.Output{{Name: o.Name, Value: text}}, err
}
