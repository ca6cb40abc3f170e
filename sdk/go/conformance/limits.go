package main

import (
	"os"

	"dynhost"
)

// Ops that a host has to stop, and one that would notice if it were not alone.
func init() {
	dynhost.Op("count", "Counts the steps that this instance has run.", count)
	dynhost.Op("trap", "Traps.", trap)
	dynhost.Op("spin", "Computes without end.", spin)
	dynhost.Op("grow", "Takes memory without end.", grow)
}

var steps int

type countOut struct {
	Result int `doc:"How many, this one included."`
}

func count(*dynhost.Step, anything) (countOut, error) {
	steps++
	return countOut{steps}, nil
}

type never struct {
	Result dynhost.Value `doc:"Never given."`
}

// A panic would be a failure that the op reports.
func trap(*dynhost.Step, anything) (out never, err error) {
	os.Exit(1)
	return out, nil
}

func spin(*dynhost.Step, anything) (never, error) {
	for {
	}
}

func grow(*dynhost.Step, anything) (never, error) {
	var taken [][]byte
	for {
		taken = append(taken, make([]byte, 1<<20))
	}
}
