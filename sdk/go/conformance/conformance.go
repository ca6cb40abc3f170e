// The ops that every SDK implements, so that one suite can try them all.
package main

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"dynhost"
)

func init() {
	dynhost.Op("echo", "Gives the value back as it is, of any media type.", echo)
	dynhost.EmittingOp("split", "Splits a text into lines and gives each as soon as it is found.", split)
	dynhost.Op("words", "Gives the words of a text, all at the end.", words)
	dynhost.Op("length", "Counts the Unicode code points of a text.", length)
	dynhost.Op("join", "Joins texts, pulling them one batch after the other.", join)
	dynhost.Op("half", "Halves an even number, and gives nothing for an odd one.", half)
	dynhost.Op("fail", "Fails as it is asked to, and gives the number of the attempt once it may succeed.", fail)
	dynhost.Op("tell", "Writes to the log at each level, says how far it is, and gives where it stands in the run.", tell)
	dynhost.Op("take", "Gives what it takes.", take)
	dynhost.Op("census", "Counts elements, and tells their mapping keys.", census)
}

func main() {}

type anything struct {
	Value dynhost.Value `doc:"Bytes of any media type."`
}

type aText struct {
	Text string `doc:"A text."`
}

type echoOut struct {
	Result dynhost.Value `doc:"The same bytes."`
}

func echo(_ *dynhost.Step, in anything) (echoOut, error) { return echoOut{in.Value}, nil }

type splitOut struct {
	Line dynhost.Emitter[string] `doc:"One line."`
}

func split(_ *dynhost.Step, in aText, out *splitOut) error {
	n := 0
	for line := range strings.SplitAfterSeq(in.Text, "\n") {
		// What follows the last line feed is a line if it is not empty.
		if line == "" {
			break
		}
		if err := out.Line.Emit("line_"+strconv.Itoa(n), strings.TrimSuffix(line, "\n")); err != nil {
			return err
		}
		n++
	}
	return nil
}

type wordsOut struct {
	Word dynhost.Elements[string] `doc:"One word."`
}

func words(_ *dynhost.Step, in aText) (out wordsOut, err error) {
	isSpace := func(letter rune) bool { return strings.ContainsRune(" \t\n\f\r", letter) }
	for n, word := range strings.FieldsFunc(in.Text, isSpace) {
		out.Word.Add(strconv.Itoa(n), word)
	}
	return out, nil
}

type lengthOut struct {
	Result int `doc:"How many there are."`
}

func length(_ *dynhost.Step, in aText) (lengthOut, error) {
	return lengthOut{utf8.RuneCountInString(in.Text)}, nil
}

type joinIn struct {
	Texts  dynhost.Collected[string] `doc:"What is joined, in this order."`
	Config struct {
		Separator string `doc:"What stands between two texts." default:" "`
	} `dynhost:"config"`
}

type joinOut struct {
	Result string `doc:"The whole text."`
}

func join(_ *dynhost.Step, in joinIn) (joinOut, error) {
	var joined strings.Builder
	first := true
	for text := range in.Texts.Values() {
		if !first {
			joined.WriteString(in.Config.Separator)
		}
		first = false
		joined.WriteString(text)
	}
	return joinOut{joined.String()}, nil
}

type halfIn struct {
	N int `doc:"A whole number."`
}

type halfOut struct {
	Half *int `doc:"Half of the number, where that is a whole number."`
}

func half(_ *dynhost.Step, in halfIn) (out halfOut, err error) {
	if in.N%2 == 0 {
		half := in.N / 2
		out.Half = &half
	}
	return out, nil
}

type failIn struct {
	anything
	Config struct {
		Kind    string `doc:"How to fail." enum:"permanent,transient,retry_after" default:"permanent"`
		Until   *int   `doc:"The last attempt that fails; all of them where it is not given."`
		DelayMS int    `doc:"How long to wait before the next attempt, for retry_after." default:"0"`
		Detail  any    `doc:"What programs are told of the failure." json:",omitempty"`
	} `dynhost:"config"`
}

type failOut struct {
	Result int `doc:"The number of the attempt that succeeds."`
}

func fail(step *dynhost.Step, in failIn) (failOut, error) {
	config, attempt := in.Config, step.Attempt()
	if config.Until != nil && attempt > *config.Until {
		return failOut{attempt}, nil
	}
	const message = "attempt %d was asked to fail"
	switch config.Kind {
	case "transient":
		return failOut{}, dynhost.Transient(message, attempt).With(config.Detail)
	case "retry_after":
		delay := time.Duration(config.DelayMS) * time.Millisecond
		return failOut{}, dynhost.RetryAfter(delay, message, attempt).With(config.Detail)
	}
	return failOut{}, dynhost.Permanent(message, attempt).With(config.Detail)
}

type place struct {
	Step    string
	Keys    []string
	Attempt int
}

type tellOut struct {
	Result place `doc:"The step, its mapping keys and its attempt."`
}

func tell(step *dynhost.Step, _ anything) (tellOut, error) {
	levels := []dynhost.Level{
		dynhost.LevelTrace, dynhost.LevelDebug, dynhost.LevelInfo, dynhost.LevelWarn, dynhost.LevelError,
	}
	for n, name := range []string{"trace", "debug", "info", "warn", "error"} {
		step.Log(levels[n], name+" message", "language", "go")
	}
	step.Progress(1, 2)
	return tellOut{place{step.Key(), step.MappingKeys(), step.Attempt()}}, nil
}

type takeIn struct {
	Values []int   `doc:"Numbers."`
	Word   *string `doc:"A word that may be missing."`
}

type takeOut struct {
	Result takeIn `doc:"What was taken."`
}

func take(_ *dynhost.Step, in takeIn) (takeOut, error) { return takeOut{in}, nil }

type censusIn struct {
	Values dynhost.Collected[dynhost.Value] `doc:"Anything."`
}

type counted struct {
	Length       int
	Keys, Failed []string
}

type censusOut struct {
	Result counted `doc:"What there is."`
}

func census(_ *dynhost.Step, in censusIn) (out censusOut, err error) {
	out.Result = counted{Length: in.Values.Len(), Failed: in.Values.FailedKeys()}
	for key := range in.Values.All() {
		out.Result.Keys = append(out.Result.Keys, key)
	}
	return out, nil
}
