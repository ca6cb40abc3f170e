package main

import (
	"reflect"

	"dynhost"
	"dynhost/internal/form"
	"dynhost/internal/raw"
)

// Ops for what an ordinary op does not do. Two of them are written without declared ports: an Emitter gives nothing
// against the definition of its op, and a Collected chooses the size of a batch itself.
func init() {
	raw.Ops = append(raw.Ops,
		&raw.Op{Name: "emit", Definition: defineEmit, Run: emit},
		&raw.Op{Name: "pull", Definition: definePull, Run: pull},
	)
	dynhost.EmittingOp("swallow", "Emits a mapping key twice, and ignores the answer.", swallow)
}

type emitConfig struct {
	Outputs []struct {
		Name      string  `doc:"The output."`
		Key       *string `doc:"The mapping key; none where nothing is said."`
		MediaType string  `default:"application/json"`
		Bytes     []int   `default:"[48]"`
	}
}

func defineEmit() (raw.Definition, error) {
	config, err := form.Schema(reflect.TypeFor[emitConfig]())
	return raw.Definition{
		Name: "emit", Description: "Emits what it is told to.",
		Outputs: []raw.OutputDefinition{
			{Name: "item", Description: "An element.", Required: true, Dynamic: true},
			{Name: "result", Description: "A value that must be given.", Required: true},
			{Name: "text", Description: "A text that may be given.", Schema: `{"type":"string"}`},
		},
		ConfigSchema: config,
	}, err
}

func emit(host raw.Host, _ []raw.Input) ([]raw.Output, *raw.Failure) {
	config, err := configOf[emitConfig](host)
	if err != nil {
		return nil, &raw.Failure{Message: err.Error()}
	}
	for _, given := range config.Outputs {
		output := raw.Output{Name: given.Name, Value: raw.Value{MediaType: given.MediaType}}
		if given.Key != nil {
			output.Dynamic, output.Key = true, *given.Key
		}
		for _, number := range given.Bytes {
			output.Value.Data = append(output.Value.Data, byte(number))
		}
		if err := host.Emit(output); err != nil {
			return nil, &raw.Failure{Message: err.Error()}
		}
	}
	return nil, nil
}

type swallowOut struct {
	Item dynhost.Emitter[dynhost.Value] `doc:"An element."`
}

func swallow(_ *dynhost.Step, _ struct{}, out *swallowOut) error {
	for range 2 {
		// The mistake that this op is about.
		_ = out.Item.Emit("key", dynhost.Value{MediaType: "application/json", Data: []byte("0")})
	}
	return nil
}

type pullConfig struct{ Max []uint32 }

func definePull() (raw.Definition, error) {
	config, err := form.Schema(reflect.TypeFor[pullConfig]())
	return raw.Definition{
		Name: "pull", Description: "Pulls batches of elements, and tells the mapping keys of each.",
		Inputs: []raw.InputDefinition{
			{Name: "values", Description: "Anything.", Required: true, Collected: true},
		},
		Outputs: []raw.OutputDefinition{
			{Name: "result", Description: "The mapping keys of each batch.", Required: true, Schema: `{"type":"array"}`},
		},
		ConfigSchema: config,
	}, err
}

func pull(host raw.Host, inputs []raw.Input) ([]raw.Output, *raw.Failure) {
	config, err := configOf[pullConfig](host)
	if err != nil {
		return nil, &raw.Failure{Message: err.Error()}
	}
	var batches [][]string
	for _, most := range config.Max {
		var keys []string
		for _, element := range inputs[0].Pull.Next(most) {
			keys = append(keys, element.Key)
		}
		batches = append(batches, keys)
	}
	text, err := form.Append(nil, reflect.ValueOf(batches))
	if err != nil {
		return nil, &raw.Failure{Message: err.Error()}
	}
	return []raw.Output{{Name: "result", Value: raw.Value{MediaType: "application/json", Data: text}}}, nil
}

func configOf[T any](host raw.Host) (config T, err error) {
	err = form.Read([]byte(host.Config()), reflect.ValueOf(&config).Elem())
	return config, err
}
