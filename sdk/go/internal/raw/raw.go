// Package raw is the op interface as plain Go data: what a component translates, and what tests look at.
package raw

// Value is bytes and what they are.
type Value struct {
	// An IANA media type, such as `application/json`.
	MediaType string
	// The bytes themselves.
	Data []byte
}

// InputDefinition is what an op takes under one name.
type InputDefinition struct {
	Name        string
	Description string
	Required    bool
	Collected   bool
	// JSON Schema text; empty for bytes of any media type.
	Schema string
}

// OutputDefinition is what an op gives under one name.
type OutputDefinition struct {
	Name        string
	Description string
	Required    bool
	Dynamic     bool
	// JSON Schema text; empty for bytes of any media type.
	Schema string
}

// Definition is what an op says of itself.
type Definition struct {
	Name        string
	Description string
	Inputs      []InputDefinition
	Outputs     []OutputDefinition
	// JSON Schema text; empty where the op takes no configuration.
	ConfigSchema string
}

// Element is one element of a collected input.
type Element struct {
	Key   string
	Value Value
}

// Pull is a collected input, as the host gives it.
type Pull interface {
	Len() uint64
	// At most max elements, and none at the end.
	Next(max uint32) []Element
	FailedKeys() []string
}

// Kind says in which form a job gives an input.
type Kind uint8

// The forms of an input.
const (
	Single Kind = iota
	Many
	Collected
	Absent
)

// Input is one input of a run.
type Input struct {
	Name string
	Kind Kind
	// One where it is single.
	Values []Value
	Pull   Pull
}

// Output is one output of a run.
type Output struct {
	Name    string
	Dynamic bool
	// The mapping key of a dynamic output.
	Key   string
	Value Value
}

// Retry says whether another attempt may succeed.
type Retry uint8

// Whether another attempt may succeed.
const (
	Never Retry = iota
	Allowed
	After
)

// Failure is why a run of an op ended without its outputs.
type Failure struct {
	Message string
	Detail  *Value
	Retry   Retry
	// How long to wait, for After.
	DelayMilliseconds uint64
}

// Level is how urgent a log message is.
type Level uint8

// The levels of the log.
const (
	Trace Level = iota
	Debug
	Info
	Warn
	Error
)

// Field is one named part of a log message.
type Field struct{ Name, Value string }

// Host is what an op can ask of its host.
type Host interface {
	// Emit gives one output now.
	Emit(Output) error
	RunID() string
	StepKey() string
	MappingKeys() []string
	Attempt() uint32
	Config() string
	Log(level Level, message string, fields []Field)
	// Progress says how far the step is; total is nil where nobody knows.
	Progress(done uint64, total *uint64)
}

// Op is one op of a program.
type Op struct {
	Name string
	// Definition says what is wrong with an op that cannot be declared.
	Definition func() (Definition, error)
	Run        func(Host, []Input) ([]Output, *Failure)
}

// Ops are the ops of this program in the order of their registration.
var Ops []*Op

// Find returns the op of this name, or nil.
func Find(name string) *Op {
	for _, op := range Ops {
		if op.Name == name {
			return op
		}
	}
	return nil
}

// EmitError is why an output was not accepted.
type EmitError string

// Why an output was not accepted.
const (
	// ErrCancelled is given for every output while the run is being cancelled.
	ErrCancelled       EmitError = "the run is being cancelled"
	ErrUnknownOutput   EmitError = "the op's definition has no output of this name"
	ErrMissingKey      EmitError = "the output is dynamic and was given without a mapping key"
	ErrUnexpectedKey   EmitError = "the output is not dynamic and was given with a mapping key"
	ErrDuplicateOutput EmitError = "the output was already given"
)

// InvalidKey is given for a malformed mapping key.
func InvalidKey(words string) EmitError {
	return EmitError("the mapping key is malformed: " + words)
}

// DuplicateKey is given for the mapping key of another element.
func DuplicateKey(key string) EmitError {
	return EmitError("the mapping key `" + key + "` was already given")
}

// Error is the reason in words.
func (e EmitError) Error() string { return string(e) }
