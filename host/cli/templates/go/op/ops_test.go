package main

import "testing"

// An op is a function.
func TestWordsAreCounted(t *testing.T) {
	for text, words := range map[string]int{"to be\n or  not": 4, "word": 1, " \t": 0, "": 0} {
		if found, err := count(nil, input{Text: text}); err != nil || found != words {
			t.Errorf("%q: %d words, %v", text, found, err)
		}
	}
}
