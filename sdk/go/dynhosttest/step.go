package dynhosttest

import (
	"fmt"
	"strconv"

	"dynhost"
	"dynhost/internal/raw"
)

// port is one place that a value can be given at.
type port struct{ name, key string }

// step is the host of one run of an op.
type step struct {
	definition raw.Definition
	settings   Settings
	config     dynhost.Value
	outcome    *Outcome
	seen       map[port]bool
	violation  *raw.Failure
}

func (s *step) inputs(inputs Inputs) ([]raw.Input, error) {
	var given []raw.Input
	known := map[string]bool{}
	for _, port := range s.definition.Inputs {
		known[port.Name] = true
		input := raw.Input{Name: port.Name, Kind: raw.Absent}
		if value, wired := inputs[port.Name]; wired {
			if err := s.input(&input, value); err != nil {
				return nil, fmt.Errorf("input `%s`: %w", port.Name, err)
			}
		}
		given = append(given, input)
	}
	for name := range inputs {
		if !known[name] {
			return nil, fmt.Errorf("op `%s` has no input `%s`", s.definition.Name, name)
		}
	}
	return given, nil
}

func (s *step) input(input *raw.Input, given any) (err error) {
	var value raw.Value
	switch given := given.(type) {
	case Elements:
		elements := &pull{all: len(given), failed: s.settings.FailedKeys}
		for _, element := range given {
			if value, err = write(element.Value); err != nil {
				return err
			}
			elements.left = append(elements.left, raw.Element{Key: element.Key, Value: value})
		}
		input.Kind, input.Pull = raw.Collected, elements
	case Many:
		input.Kind = raw.Many
		for _, one := range given {
			if value, err = write(one); err != nil {
				return err
			}
			input.Values = append(input.Values, value)
		}
	default:
		value, err = write(given)
		input.Kind, input.Values = raw.Single, []raw.Value{value}
	}
	return err
}

// end takes what the op returned, and says what is missing.
func (s *step) end(returned []raw.Output) *raw.Failure {
	for _, output := range returned {
		if err := s.Emit(output); err != nil {
			return &raw.Failure{Message: err.Error()}
		}
	}
	for _, output := range s.definition.Outputs {
		if output.Required && !output.Dynamic && !s.seen[port{name: output.Name}] {
			return &raw.Failure{Message: "output `" + output.Name + "` is required and was not given"}
		}
	}
	return nil
}

func (s *step) Emit(output raw.Output) error {
	if err := s.wrong(output); err != nil {
		if s.violation == nil {
			s.violation = &raw.Failure{Message: "output `" + output.Name + "`: " + err.Error()}
		}
		return err
	}
	s.seen[port{output.Name, output.Key}] = true
	s.outcome.outputs = append(s.outcome.outputs, output)
	return nil
}

// wrong says why an output is not accepted. What only a wrong program of another language can do is left out: the
// types do not allow it.
func (s *step) wrong(output raw.Output) error {
	if output.Dynamic {
		if err := dynhost.CheckMappingKey(output.Key); err != nil {
			return raw.InvalidKey(err.Error())
		}
		if s.seen[port{output.Name, output.Key}] {
			return raw.DuplicateKey(output.Key)
		}
	}
	return nil
}

func (s *step) RunID() string { return "test" }

func (s *step) StepKey() string {
	key := s.definition.Name
	for _, mapping := range s.settings.MappingKeys {
		key += "[" + mapping + "]"
	}
	return key
}

func (s *step) MappingKeys() []string { return s.settings.MappingKeys }

func (s *step) Attempt() uint32 { return uint32(max(1, s.settings.Attempt)) }

func (s *step) Config() string { return string(s.config.Data) }

func (s *step) Log(level raw.Level, message string, fields []raw.Field) {
	s.outcome.Logs = append(s.outcome.Logs, Log{level, message, fields})
}

func (s *step) Progress(done uint64, total *uint64) {
	s.outcome.Progress = [2]uint64{done, 0}
	if total != nil {
		s.outcome.Progress[1] = *total
	}
}

// pull is a collected input that is there already.
type pull struct {
	all    int
	left   []raw.Element
	failed []string
}

func (p *pull) Len() uint64 { return uint64(p.all) }

func (p *pull) Next(most uint32) []raw.Element {
	// Fewer than asked for, as a host may give them.
	n := min(int(most), len(p.left), 2)
	batch := p.left[:n]
	p.left = p.left[n:]
	return batch
}

func (p *pull) FailedKeys() []string { return p.failed }

func decimal(n int) string { return strconv.Itoa(n) }
