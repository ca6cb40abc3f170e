// The op `{{op}}`.
package main

import (
	"strings"

	"dynhost"
)

type input struct {
	Text string `doc:"Whose words are counted."`
}

func count(step *dynhost.Step, in input) (int, error) {
	return len(strings.Fields(in.Text)), nil
}

func init() {
	dynhost.Op("{{op}}", "Counts the words of a text.", count)
}

func main() {}
