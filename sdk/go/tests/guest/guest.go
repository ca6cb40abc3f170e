// Ops that try in a component what the README says about steps.
package main

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"dynhost"
)

func init() {
	dynhost.Op("talk", "Writes to the log in each way that Go has, and looks at the world.", talk)
	dynhost.Op("divide", "Divides, also by zero.", divide)
	dynhost.Op("overflow", "Calls itself for ever.", overflow)
	dynhost.Op("exit", "Ends the program.", exit)
	dynhost.Op("panic_aside", "Panics in another goroutine.", panicAside)
	dynhost.Op("wait", "Waits for what never comes.", wait)
	dynhost.Op("detailed", "Fails with words and a detail.", detailed)
	dynhost.Op("workers", "Adds up numbers in goroutines.", workers)
	dynhost.Op("area", "Takes an object.", area)
	dynhost.Op("sum", "Adds up several values, none among them.", sum)
	dynhost.EmittingOp("twice", "Gives the same key twice, and does not care.", twice)
	dynhost.EmittingOp("flood", "Gives n texts of 1000 bytes.", flood)
	dynhost.Op("drain", "Counts what it pulls.", drain)
	dynhost.Op("pass", "Gives its input as it is.", pass)
	dynhost.Op("odd_fails", "Fails where the mapping key is odd.", oddFails)
}

func main() {}

type number struct{ N int }

type seen struct {
	Year, Slept  int
	Random       string
	File, Home   bool
	Number       float64
	Words, Empty []string
}

func talk(_ *dynhost.Step, in number) (out struct{ Seen seen }, err error) {
	fmt.Println("printed", in.N)
	fmt.Fprintln(os.Stderr, "complained")
	fmt.Print("without an end")
	start := time.Now()
	time.Sleep(time.Hour)
	bytes := make([]byte, 4)
	if _, err := rand.Read(bytes); err != nil {
		return out, err
	}
	_, err = os.ReadFile("/etc/hostname")
	out.Seen = seen{
		Year: start.UTC().Year(), Slept: int(time.Since(start).Minutes()), Random: hex.EncodeToString(bytes),
		File: err == nil, Home: os.Getenv("HOME") != "", Number: 0.1, Words: strings.Fields("h\u00e9 \x00\u2028"),
	}
	return out, nil
}

func divide(_ *dynhost.Step, in number) (int, error) { return 1 / in.N, nil }

func overflow(step *dynhost.Step, in number) (int, error) {
	n, err := overflow(step, number{in.N + 1})
	return n + 1, err
}

func exit(*dynhost.Step, struct{}) (int, error) {
	os.Exit(0)
	return 0, nil
}

func panicAside(*dynhost.Step, struct{}) (int, error) {
	var group sync.WaitGroup
	group.Go(func() { panic("aside") })
	group.Wait()
	return 0, nil
}

func wait(*dynhost.Step, struct{}) (int, error) { return <-make(chan int), nil }

func detailed(*dynhost.Step, struct{}) (int, error) {
	failure := dynhost.Transient("not UTF-8: \xff").With(map[string]int{"code": 7})
	return 0, fmt.Errorf("reading: %w", failure)
}

func workers(_ *dynhost.Step, in number) (int, error) {
	results := make(chan int)
	for n := range in.N {
		go func() { results <- n }()
	}
	sum := 0
	for range in.N {
		sum += <-results
	}
	return sum, nil
}

type rectangle struct {
	Width  float64
	Height float64 `json:"h" default:"1"`
}

type areaIn struct {
	Rectangle rectangle
	Unit      string `default:"m" enum:"m,ft"`
	Scale     *float64
}

func area(_ *dynhost.Step, in areaIn) (string, error) {
	area := in.Rectangle.Width * in.Rectangle.Height
	if in.Scale != nil {
		area *= *in.Scale
	}
	return fmt.Sprint(area, " ", in.Unit), nil
}

type sumIn struct {
	Values []float64 `json:",omitempty"`
	Bytes  []dynhost.Value
}

func sum(_ *dynhost.Step, in sumIn) (sum float64, err error) {
	for _, value := range in.Values {
		sum += value
	}
	for _, value := range in.Bytes {
		sum += float64(len(value.Data))
	}
	return sum, nil
}

func twice(_ *dynhost.Step, in number, out *dynhost.Emitter[int]) error {
	for range 2 {
		_ = out.Emit("same", in.N)
	}
	return nil
}

func flood(_ *dynhost.Step, in number, out *dynhost.Emitter[string]) error {
	text := strings.Repeat("x", 1000)
	for n := range in.N {
		if err := out.Emit(fmt.Sprint(n), text); err != nil {
			return err
		}
	}
	return nil
}

type drained struct {
	Length, Bytes int
	Failed        []string
}

func drain(_ *dynhost.Step, in struct{ Texts dynhost.Collected[string] }) (out struct{ Result drained }, err error) {
	out.Result = drained{Length: in.Texts.Len(), Failed: in.Texts.FailedKeys()}
	for _, text := range in.Texts.All() {
		out.Result.Bytes += len(text)
	}
	return out, nil
}

func pass(_ *dynhost.Step, in struct{ Value dynhost.Value }) (dynhost.Value, error) {
	return in.Value, nil
}

func oddFails(step *dynhost.Step, in struct{ Text string }) (string, error) {
	if n, _ := strconv.Atoi(step.MappingKeys()[0]); n%2 == 1 {
		return "", dynhost.Permanent("it is odd")
	}
	return in.Text, nil
}
