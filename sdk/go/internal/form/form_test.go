package form

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
)

type unit string

type point struct {
	X float64
	Y float64 `doc:"Upwards." default:"0.5"`
}

type track struct {
	Points []point
	Unit   unit   `enum:"m,ft" default:"m"`
	Next   *track `json:",omitempty"`
	Tags   map[string]int
	note   string
}

func read[T any](t *testing.T, text string) T {
	t.Helper()
	var value T
	if err := Read([]byte(text), reflect.ValueOf(&value).Elem()); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return value
}

func textOf(t *testing.T, value any) string {
	t.Helper()
	text, err := Append(nil, reflect.ValueOf(value))
	if err != nil {
		t.Fatalf("%v: %v", value, err)
	}
	return string(text)
}

func equal(t *testing.T, found, expected string) {
	t.Helper()
	if found != expected {
		t.Errorf("found    %s\nexpected %s", found, expected)
	}
}

func TestSchemas(t *testing.T) {
	for expected, of := range map[string]any{
		`{"type":"integer","minimum":0}`:                                        uint8(0),
		`{"type":"array","items":{"type":"string"}}`:                            []unit{},
		`{"type":"string","contentEncoding":"base64"}`:                          []byte{},
		`{"type":"string"}`:                                                     time.Time{}.Weekday().String(),
		`{"type":"object","additionalProperties":{}}`:                           map[string]any{},
		`{"type":"array","items":{"type":"boolean"},"minItems":2,"maxItems":2}`: [2]bool{},
		`{"type":"object","properties":{"points":{"type":"array","items":{"$ref":"#/$defs/point"}},` +
			`"unit":{"type":"string","enum":["m","ft"],"default":"m"},` +
			`"next":{"anyOf":[{"$ref":"#/$defs/track"},{"type":"null"}]},` +
			`"tags":{"type":"object","additionalProperties":{"type":"integer"}}},"required":["points","tags"],` +
			`"$defs":{"point":{"type":"object","properties":{"x":{"type":"number"},` +
			`"y":{"type":"number","description":"Upwards.","default":0.5}},"required":["x"]},` +
			`"track":{"type":"object","properties":{"points":{"type":"array","items":{"$ref":"#/$defs/point"}},` +
			`"unit":{"type":"string","enum":["m","ft"],"default":"m"},` +
			`"next":{"anyOf":[{"$ref":"#/$defs/track"},{"type":"null"}]},` +
			`"tags":{"type":"object","additionalProperties":{"type":"integer"}}},"required":["points","tags"]}}}`: track{},
	} {
		schema, err := Schema(reflect.TypeOf(of))
		if err != nil {
			t.Fatal(err)
		}
		equal(t, schema, expected)
		if !json.Valid([]byte(schema)) {
			t.Errorf("not JSON: %s", schema)
		}
	}
}

func TestWhatHasNoFormIsRefused(t *testing.T) {
	for expected, of := range map[string]any{
		"`complex128` has no JSON form":                             1i,
		"`map[int]bool` has no JSON form: its keys are not strings": map[int]bool{},
		"field `f`: `func()` has no JSON form":                      struct{ F func() }{},
		"field `n`: the tag `enum` is for strings": struct {
			N int `enum:"1,2"`
		}{},
		"field `n`: the tag `default`: an integer was expected, and it is the string \"x\"": struct {
			N int `default:"\"x\""`
		}{},
	} {
		_, err := Schema(reflect.TypeOf(of))
		if err == nil {
			t.Fatalf("%v has a schema", of)
		}
		equal(t, err.Error(), expected)
	}
}

func TestValuesComeBack(t *testing.T) {
	text := `{"points":[{"x":1.5,"y":-2},{"x":0,"y":0.5}],"unit":"ft","next":{"points":[],"unit":"m","tags":{}},` +
		`"tags":{"a":1,"b":2}}`
	equal(t, textOf(t, read[track](t, text)), text)
	// What is missing has its default.
	equal(t, textOf(t, read[track](t, `{ "tags" : {}, "points" : [ { "x" : 1e2 } ], "more": [null] }`)),
		`{"points":[{"x":100,"y":0.5}],"unit":"m","tags":{}}`)
	equal(t, textOf(t, track{note: "unseen"}), `{"points":[],"unit":"","tags":{}}`)
	when := time.Date(2000, 1, 2, 3, 4, 5, 6, time.UTC)
	equal(t, textOf(t, map[string]any{"at": when, "b": []byte("hi"), "a": nil}),
		`{"a":null,"at":"2000-01-02T03:04:05.000000006Z","b":"aGk="}`)
	if !read[time.Time](t, `"2000-01-02T03:04:05.000000006Z"`).Equal(when) || string(read[[]byte](t, `"aGk="`)) != "hi" {
		t.Error("it did not come back")
	}
	equal(t, textOf(t, read[json.RawMessage](t, ` {"a": [1 ,2]} `)), `{"a": [1 ,2]}`)
}

func TestWhatDoesNotFitIsRefusedWithItsPlace(t *testing.T) {
	for text, expected := range map[string]string{
		`{"points":[{"x":"1"}],"tags":{}}`:                "a number was expected at `.points[0].x`, and it is the string \"1\"",
		`{"points":[{"y":1}],"tags":{}}`:                  "`.points[0].x` is missing",
		`{"points":[],"tags":{"a":1.5}}`:                  "an integer was expected at `.tags.a`, and it is the number 1.5",
		`{"points":[],"tags":{},"unit":"cm"}`:             "one of `m`, `ft` was expected at `.unit`, and it is the string \"cm\"",
		`{"points":null,"tags":{}}`:                       "an array was expected at `.points`, and it is null",
		`[1]`:                                             "an object was expected, and it is an array",
		`{"points":[],"tags":{}} x`:                       "it is not JSON: there is more at byte 24",
		`{"points":[,]}`:                                  "it is not JSON: a value was expected at byte 11",
		`{"points":[],"tags":{"a":99999999999999999999}}`: "an integer of 64 bits was expected at `.tags.a`, and it is the number 99999999999999999999",
		strings.Repeat("[", 100_000):                      "an object was expected, and it is an array",
	} {
		var value track
		err := Read([]byte(text), reflect.ValueOf(&value).Elem())
		if err == nil {
			t.Fatalf("%s fits", text)
		}
		if len(text) > 1000 {
			expected = "it is nested too deeply"
		}
		equal(t, err.Error(), expected)
	}
	type ring struct{ Next *ring }
	var endless ring
	endless.Next = &endless
	for _, bad := range []any{math.NaN(), math.Inf(1), make(chan int), endless} {
		if text, err := Append(nil, reflect.ValueOf(bad)); err == nil {
			t.Errorf("%v is %s", bad, text)
		}
	}
}

func TestNames(t *testing.T) {
	for name, expected := range map[string]string{"N": "n", "DelayMS": "delay_ms", "HTTPServer": "http_server", "Line2Go": "line2_go"} {
		equal(t, SnakeCase(name), expected)
	}
}

// FuzzText compares with encoding/json what is JSON, and what is read of it.
func FuzzText(f *testing.F) {
	for _, text := range []string{
		`{"a":[1,-0.5e-7,1e300,true,null,"\u00e9\ud83d\ude00\ud800x\n\/"],"":{}}`, "\"\xff\x7f\u2028\"", `"\ud800\ue000"`, `01`, `-`, `1.`, `[1,]`,
		`{"a":1,}`, "\"\x01\"", `tru`, ` 1 `, `"\x"`, `1e`, `1e400`, "", `"\u00G0"`, `{"a" 1}`, `[1 2]`, "123456789012345678901234567890",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var ours, theirs any
		err := Read([]byte(text), reflect.ValueOf(&ours).Elem())
		if expected := json.Unmarshal([]byte(text), &theirs); (err == nil) != (expected == nil) {
			t.Fatalf("%q: %v, and encoding/json says %v", text, err, expected)
		}
		if err != nil {
			return
		}
		if !reflect.DeepEqual(ours, theirs) {
			t.Fatalf("%q: %#v, and encoding/json says %#v", text, ours, theirs)
		}
		var again any
		if err := json.Unmarshal([]byte(textOf(t, ours)), &again); err != nil || !reflect.DeepEqual(again, ours) {
			t.Fatalf("%q became %q: %v", text, textOf(t, ours), err)
		}
	})
}
