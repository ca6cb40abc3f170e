package dynhost

import (
	"fmt"
	"strconv"

	"dynhost/internal/raw"
)

// Step is the step that an op runs in: where it stands in the run, and how it talks to people.
type Step struct{ host raw.Host }

// RunID is the run that this step belongs to.
func (s *Step) RunID() string { return s.host.RunID() }

// Key is the step, such as `size[readme_md]`.
func (s *Step) Key() string { return s.host.StepKey() }

// MappingKeys are the mapping keys of this clone, outermost first; none outside a map.
func (s *Step) MappingKeys() []string { return s.host.MappingKeys() }

// Attempt is 1 for the first attempt.
func (s *Step) Attempt() int { return int(s.host.Attempt()) }

// Progress says how far the step is. The unit is the op's own; total is 0 where nobody knows it.
func (s *Step) Progress(done, total uint64) {
	if total == 0 {
		s.host.Progress(done, nil)
		return
	}
	s.host.Progress(done, &total)
}

// Level is how urgent a log message is.
type Level = raw.Level

// The levels of the log.
const (
	// What the op is doing, step by step.
	LevelTrace = raw.Trace
	// What helps to find a mistake.
	LevelDebug = raw.Debug
	// What is good to know.
	LevelInfo = raw.Info
	// What may be wrong.
	LevelWarn = raw.Warn
	// What is wrong.
	LevelError = raw.Error
)

// Log writes one message to the step's log, with fields as in log/slog: a name, its value, and so on.
func (s *Step) Log(level Level, message string, fields ...any) {
	var pairs []raw.Field
	for n := 0; n < len(fields); n += 2 {
		if n+1 == len(fields) {
			pairs = append(pairs, raw.Field{Name: "!no name", Value: text(fields[n])})
			break
		}
		pairs = append(pairs, raw.Field{Name: text(fields[n]), Value: text(fields[n+1])})
	}
	s.host.Log(level, message, pairs)
}

// Trace writes what the op is doing, step by step, as [Step.Log] does.
func (s *Step) Trace(message string, fields ...any) { s.Log(LevelTrace, message, fields...) }

// Debug writes what helps to find a mistake, as [Step.Log] does.
func (s *Step) Debug(message string, fields ...any) { s.Log(LevelDebug, message, fields...) }

// Info writes what is good to know, as [Step.Log] does.
func (s *Step) Info(message string, fields ...any) { s.Log(LevelInfo, message, fields...) }

// Warn writes what may be wrong, as [Step.Log] does.
func (s *Step) Warn(message string, fields ...any) { s.Log(LevelWarn, message, fields...) }

// Error writes what is wrong, as [Step.Log] does.
func (s *Step) Error(message string, fields ...any) { s.Log(LevelError, message, fields...) }

func text(value any) string {
	if text, ok := value.(string); ok {
		return text
	}
	return fmt.Sprint(value)
}

func decimal(number uint64) string { return strconv.FormatUint(number, 10) }
