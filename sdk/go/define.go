package dynhost

import (
	"errors"
	"reflect"

	"dynhost/internal/form"
	"dynhost/internal/raw"
)

// define is what an op says of itself, or why it cannot be declared.
func define(name, description string, declared func() (*ports, error)) (raw.Definition, error) {
	definition := raw.Definition{Name: name, Description: description}
	err := checkName(name)
	var ports *ports
	if err == nil {
		ports, err = declared()
	}
	if err == nil {
		err = ports.define(&definition)
	}
	if err != nil {
		return definition, errors.New("op `" + name + "`: " + err.Error())
	}
	return definition, nil
}

func (p *ports) define(definition *raw.Definition) error {
	for n := range p.inputs {
		port := &p.inputs[n]
		schema, err := portSchema(&port.Field, port.holds, port.collected)
		if err != nil {
			return errors.New("input `" + port.Name + "`: " + err.Error())
		}
		definition.Inputs = append(definition.Inputs, raw.InputDefinition{
			Name: port.Name, Description: port.Description,
			Required: !port.Optional, Collected: port.collected, Schema: schema,
		})
	}
	for n := range p.outputs {
		port := &p.outputs[n]
		schema, err := portSchema(&port.Field, port.holds, port.dynamic)
		if err != nil {
			return errors.New("output `" + port.Name + "`: " + err.Error())
		}
		definition.Outputs = append(definition.Outputs, raw.OutputDefinition{
			Name: port.Name, Description: port.Description,
			Required: port.dynamic || !port.Optional, Dynamic: port.dynamic, Schema: schema,
		})
	}
	if p.config == nil {
		return nil
	}
	var err error
	if definition.ConfigSchema, err = form.Schema(p.config.Type); err != nil {
		return errors.New("config: " + err.Error())
	}
	return nil
}

// portSchema is the schema of a port; none where it takes or gives bytes of any media type.
func portSchema(f *form.Field, holds reflect.Type, elements bool) (string, error) {
	if err := checkName(f.Name); err != nil {
		return "", err
	}
	if isRaw(holds) || (holds.Kind() == reflect.Slice && isRaw(holds.Elem())) {
		return "", nil
	}
	if elements {
		return form.Schema(holds)
	}
	return f.Schema()
}

// checkName says what is wrong with the name of an op or a port.
func checkName(name string) error {
	const most = 64
	fits := name != "" && len(name) <= most && name[0] >= 'a' && name[0] <= 'z'
	for n := range len(name) {
		c := name[n]
		fits = fits && (c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '_' || c == '-')
	}
	if !fits {
		return errors.New("`" + name + "` cannot be a name: it is a lower-case letter, then lower-case letters, digits, " +
			"`_` or `-`, 64 bytes at most")
	}
	return nil
}
