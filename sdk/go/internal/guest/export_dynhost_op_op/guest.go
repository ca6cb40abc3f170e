//go:build wasip1

// Package export_dynhost_op_op is the registered ops as the exports of a component. Its name is what the bindings call
// it.
package export_dynhost_op_op

import (
	"os"
	"strconv"
	"strings"

	"dynhost/internal/bindings/dynhost_op_inputs"
	"dynhost/internal/bindings/dynhost_op_op"
	"dynhost/internal/bindings/dynhost_op_outputs"
	"dynhost/internal/bindings/dynhost_op_step"
	wire "dynhost/internal/bindings/dynhost_op_types"
	"dynhost/internal/raw"
	"dynhost/internal/wit/runtime"
	wit "dynhost/internal/wit/types"
)

// Describe is the export `describe`.
func Describe() []wire.OpDefinition {
	definitions := make([]wire.OpDefinition, 0, len(raw.Ops))
	for _, op := range raw.Ops {
		definition, err := op.Definition()
		if err != nil {
			// The interface has no words for it: the host shows what was printed.
			os.Stderr.WriteString(err.Error() + "\n")
			os.Exit(1)
		}
		definitions = append(definitions, toDefinition(definition))
	}
	return definitions
}

// Run is the export `run`.
func Run(name string, inputs []wit.Tuple2[string, dynhost_op_op.InputValue]) wit.Result[[]wire.Output, wire.Failure] {
	op := raw.Find(name)
	if op == nil {
		return failure(&raw.Failure{Message: "this component has no op `" + name + "`"})
	}
	given := make([]raw.Input, 0, len(inputs))
	for _, input := range inputs {
		given = append(given, fromInput(input.F0, input.F1))
	}
	outputs, failed := op.Run(host{}, given)
	if failed != nil {
		return failure(failed)
	}
	returned := make([]wire.Output, 0, len(outputs))
	for _, output := range outputs {
		returned = append(returned, toOutput(output))
	}
	return wit.Ok[[]wire.Output, wire.Failure](returned)
}

// host is the imported interfaces. Each call frees what the host has allocated for its answer to be read: it is held
// by Go pointers then.
type host struct{}

func (host) Emit(output raw.Output) error {
	given := dynhost_op_outputs.Emit(toOutput(output))
	runtime.Unpin()
	if given.IsOk() {
		return nil
	}
	return fromEmitError(given.Err())
}

func (host) RunID() string {
	defer runtime.Unpin()
	return dynhost_op_step.RunId()
}

func (host) StepKey() string {
	defer runtime.Unpin()
	return dynhost_op_step.StepKey()
}

func (host) MappingKeys() []string {
	defer runtime.Unpin()
	return dynhost_op_step.MappingKeys()
}

func (host) Attempt() uint32 { return dynhost_op_step.Attempt() }

func (host) Config() string {
	defer runtime.Unpin()
	return dynhost_op_step.Config()
}

func (host) Log(level raw.Level, message string, fields []raw.Field) {
	pairs := make([]wit.Tuple2[string, string], 0, len(fields))
	for _, field := range fields {
		pairs = append(pairs, wit.Tuple2[string, string]{F0: text(field.Name), F1: text(field.Value)})
	}
	dynhost_op_step.Log(dynhost_op_step.Level(level), text(message), pairs)
}

func (host) Progress(done uint64, total *uint64) {
	if total == nil {
		dynhost_op_step.Progress(done, wit.None[uint64]())
		return
	}
	dynhost_op_step.Progress(done, wit.Some(*total))
}

type pull struct{ handle *dynhost_op_inputs.Collected }

func (p pull) Len() uint64 { return p.handle.Len() }

func (p pull) Next(max uint32) []raw.Element {
	elements := p.handle.Next(max)
	runtime.Unpin()
	pulled := make([]raw.Element, 0, len(elements))
	for _, element := range elements {
		pulled = append(pulled, raw.Element{Key: element.MappingKey, Value: raw.Value(element.Value)})
	}
	return pulled
}

func (p pull) FailedKeys() []string {
	defer runtime.Unpin()
	return p.handle.FailedKeys()
}

func fromInput(name string, value dynhost_op_op.InputValue) raw.Input {
	input := raw.Input{Name: name, Kind: raw.Absent}
	switch value.Tag() {
	case dynhost_op_op.InputValueSingle:
		input.Kind, input.Values = raw.Single, []raw.Value{raw.Value(value.Single())}
	case dynhost_op_op.InputValueMany:
		input.Kind = raw.Many
		for _, one := range value.Many() {
			input.Values = append(input.Values, raw.Value(one))
		}
	case dynhost_op_op.InputValueCollected:
		input.Kind, input.Pull = raw.Collected, pull{value.Collected()}
	}
	return input
}

func fromEmitError(refused dynhost_op_outputs.EmitError) error {
	switch refused.Tag() {
	case dynhost_op_outputs.EmitErrorMissingKey:
		return raw.ErrMissingKey
	case dynhost_op_outputs.EmitErrorUnexpectedKey:
		return raw.ErrUnexpectedKey
	case dynhost_op_outputs.EmitErrorInvalidKey:
		return raw.InvalidKey(refused.InvalidKey())
	case dynhost_op_outputs.EmitErrorDuplicateKey:
		return raw.DuplicateKey(refused.DuplicateKey())
	case dynhost_op_outputs.EmitErrorDuplicateOutput:
		return raw.ErrDuplicateOutput
	case dynhost_op_outputs.EmitErrorTooLarge:
		return raw.EmitError("the value is larger than " + strconv.FormatUint(refused.TooLarge(), 10) + " bytes")
	case dynhost_op_outputs.EmitErrorCancelled:
		return raw.ErrCancelled
	}
	return raw.ErrUnknownOutput
}

func toValue(value raw.Value) wire.Value {
	return wire.Value{MediaType: text(value.MediaType), Data: value.Data}
}

func toOutput(output raw.Output) wire.Output {
	key := wit.None[string]()
	if output.Dynamic {
		key = wit.Some(text(output.Key))
	}
	return wire.Output{Name: output.Name, MappingKey: key, Value: toValue(output.Value)}
}

func failure(failed *raw.Failure) wit.Result[[]wire.Output, wire.Failure] {
	words := wire.FailureDetail{Message: text(failed.Message), Detail: wit.None[wire.Value]()}
	if failed.Detail != nil {
		words.Detail = wit.Some(toValue(*failed.Detail))
	}
	told := wire.MakeFailurePermanent(words)
	switch failed.Retry {
	case raw.Allowed:
		told = wire.MakeFailureTransient(words)
	case raw.After:
		delay := wit.Tuple2[wire.FailureDetail, uint64]{F0: words, F1: failed.DelayMilliseconds}
		told = wire.MakeFailureRetryAfter(delay)
	}
	return wit.Err[[]wire.Output](told)
}

func toDefinition(from raw.Definition) wire.OpDefinition {
	to := wire.OpDefinition{
		Name: from.Name, Description: text(from.Description), ConfigSchema: toSchema(from.ConfigSchema),
	}
	for _, port := range from.Inputs {
		to.Inputs = append(to.Inputs, wire.InputDefinition{
			Name: port.Name, Description: text(port.Description),
			Required: port.Required, Collected: port.Collected, Schema: toSchema(port.Schema),
		})
	}
	for _, port := range from.Outputs {
		to.Outputs = append(to.Outputs, wire.OutputDefinition{
			Name: port.Name, Description: text(port.Description),
			Required: port.Required, Dynamic: port.Dynamic, Schema: toSchema(port.Schema),
		})
	}
	return to
}

func toSchema(schema string) wit.Option[string] {
	if schema == "" {
		return wit.None[string]()
	}
	return wit.Some(schema)
}

// text is valid UTF-8: the host ends a step that gives any other.
func text(text string) string { return strings.ToValidUTF8(text, "\ufffd") }
