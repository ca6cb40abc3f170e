package main

import (
	"testing"

	"dynhost/dynhosttest"
)

// As a host runs it: by name, with JSON.
func TestATextIsSplitIntoLines(t *testing.T) {
	outcome := dynhosttest.Run(t, "split", dynhosttest.Inputs{"text": "to be\nor not"})
	lines := dynhosttest.Dynamic[string](outcome, "line")
	if len(lines) != 2 || lines[1].Key != "line_1" || lines[1].Value != "or not" {
		t.Error(lines)
	}
}

// An op is a function.
func TestWordsAreCounted(t *testing.T) {
	for line, words := range map[string]int{"to  be": 2, "word": 1, " \t": 0, "": 0} {
		if found, err := measure(nil, measureIn{Line: line}); err != nil || found != words {
			t.Errorf("%q: %d words, %v", line, found, err)
		}
	}
}

func TestCountsAreAddedUp(t *testing.T) {
	outcome := dynhosttest.Run(t, "total", dynhosttest.Inputs{"counts": dynhosttest.Collected(2, 0, 3)})
	if sum := dynhosttest.Output[int](outcome, "result"); sum != 5 {
		t.Error(sum)
	}
}
