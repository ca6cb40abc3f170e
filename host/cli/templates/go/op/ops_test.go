package main

import (
	"testing"

	"dynhost/dynhosttest"
)

// An op is a function.
func TestWordsAreCounted(t *testing.T) {
	for text, words := range map[string]int{"to be\n or  not": 4, "word": 1, " \t": 0, "": 0} {
		if found, err := count(nil, input{Text: text}); err != nil || found != words {
			t.Errorf("%q: %d words, %v", text, found, err)
		}
	}
}

// As a host runs it: by name, with JSON.
func TestAStepGivesTheNumber(t *testing.T) {
	outcome := dynhosttest.Run(t, "{{op}}", dynhosttest.Inputs{"text": "to be"})
	if words := dynhosttest.Output[int](outcome, "result"); words != 2 {
		t.Error(words)
	}
}
