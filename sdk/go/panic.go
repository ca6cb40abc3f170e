package dynhost

import (
	"fmt"
	"path"
	"runtime"
	"strings"

	"dynhost/internal/raw"
)

// Of a long stack, so many calls at each end.
const mostCalls = 10

// failureOf is what a panic becomes. It is called while the stack of the panic is still there.
func failureOf(broken any) *raw.Failure {
	// What the SDK itself has to say from within a loop of the op.
	if failure, ok := broken.(*Failure); ok {
		return failed(failure)
	}
	words := fmt.Sprint("panic: ", broken)
	if err, ok := broken.(error); ok {
		words = "panic: " + err.Error()
	}
	calls := callsOfPanic()
	message := words
	if len(calls) > 0 {
		message += " (" + calls[0].place() + ")"
	}
	detail := map[string]string{"error": words, "traceback": traceback(calls)}
	return failed((&Failure{Message: message}).With(detail))
}

type call struct{ function, file, line string }

func (c call) place() string { return path.Base(c.file) + ":" + c.line }

// callsOfPanic are the calls that led to a panic, the last one first, without those of the runtime and the SDK.
func callsOfPanic() []call {
	pcs := make([]uintptr, 1000)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(0, pcs)])
	var calls []call
	panicked := false
	for {
		frame, more := frames.Next()
		switch {
		case strings.HasPrefix(frame.Function, "dynhost.register["):
			if panicked {
				return calls
			}
		case strings.HasPrefix(frame.Function, "runtime."):
			panicked = panicked || frame.Function == "runtime.gopanic"
		case panicked:
			calls = append(calls, call{frame.Function, frame.File, decimal(uint64(frame.Line))})
		}
		if !more {
			return calls
		}
	}
}

func traceback(calls []call) string {
	var lines []string
	for n, call := range calls {
		if n >= mostCalls && n < len(calls)-mostCalls {
			if n == mostCalls {
				lines = append(lines, "  … "+decimal(uint64(len(calls)-2*mostCalls))+" more")
			}
			continue
		}
		lines = append(lines, "  "+call.place()+" in "+call.function)
	}
	return strings.Join(lines, "\n")
}
