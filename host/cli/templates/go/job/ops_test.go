package main

import "testing"

// An op is a function.
func TestWordsAreCounted(t *testing.T) {
	for line, words := range map[string]int{"to  be": 2, "word": 1, " \t": 0, "": 0} {
		if found, err := measure(nil, measureIn{Line: line}); err != nil || found != words {
			t.Errorf("%q: %d words, %v", line, found, err)
		}
	}
}
