// The ops of the job `{{name}}`.
package main

import (
	"fmt"
	"strings"

	"dynhost"
)

type splitIn struct {
	Text string
}

type splitOut struct {
	Line dynhost.Emitter[string]
}

// split emits each line of a text: clones start while it runs.
func split(step *dynhost.Step, in splitIn, out *splitOut) error {
	for n, line := range strings.Split(in.Text, "\n") {
		if err := out.Line.Emit(fmt.Sprintf("line_%d", n), line); err != nil {
			return err
		}
	}
	return nil
}

type measureIn struct {
	Line string
}

func measure(step *dynhost.Step, in measureIn) (int, error) {
	return len(strings.Fields(in.Line)), nil
}

type totalIn struct {
	Counts dynhost.Collected[int]
}

func total(step *dynhost.Step, in totalIn) (sum int, err error) {
	for count := range in.Counts.Values() {
		sum += count
	}
	return sum, nil
}

func init() {
	dynhost.EmittingOp("split", "Splits a text into lines, one dynamic output for each.", split)
	dynhost.Op("measure", "Counts the words of one line.", measure)
	dynhost.Op("total", "Adds up what was measured, pulling one batch after the other.", total)
}

func main() {}
