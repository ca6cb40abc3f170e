package dynhost_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"dynhost"
	"dynhost/dynhosttest"
	"dynhost/internal/raw"
)

type surveyIn struct {
	Text   string `doc:"What is read."`
	Prefix *string
	Most   int `default:"3"`
	Config struct {
		Keys string `enum:"short,long" default:"short"`
	} `dynhost:"config"`
	ignored int
}

type surveyOut struct {
	Line    dynhost.Emitter[string] `doc:"One line."`
	Total   int
	Longest *string
	Words   dynhost.Elements[dynhost.Value]
}

func survey(step *dynhost.Step, in surveyIn, out *surveyOut) error {
	for n, line := range strings.Split(in.Text, "\n") {
		if n == in.Most {
			return dynhost.Permanent("more than %d lines", in.Most).With(n)
		}
		key := fmt.Sprint(n)
		if in.Config.Keys == "long" {
			key = dynhost.MappingKey("line [" + key + "]")
		}
		if in.Prefix != nil {
			line = *in.Prefix + line
		}
		if err := out.Line.Emit(key, line); err != nil {
			return err
		}
		if out.Longest == nil || len(line) > len(*out.Longest) {
			out.Longest = &line
		}
		out.Total++
		step.Debug("line", "n", n, "odd")
	}
	out.Words.Add("all", dynhost.Value{MediaType: "text/plain", Data: []byte(in.Text)})
	step.Progress(1, 0)
	return nil
}

func init() {
	dynhost.EmittingOp("survey", "Looks at lines.", survey)
	dynhost.Op("sum", "", func(_ *dynhost.Step, in struct{ Values []int }) (sum int, err error) {
		for _, value := range in.Values {
			sum += value
		}
		return sum, nil
	})
	dynhost.Op("keys", "", func(_ *dynhost.Step, in struct{ Sizes dynhost.Collected[int] }) ([]string, error) {
		keys := []string{fmt.Sprint(in.Sizes.Len())}
		for key := range in.Sizes.All() {
			keys = append(keys, key)
			break
		}
		for key, size := range in.Sizes.All() {
			keys = append(keys, fmt.Sprint(key, "=", size))
		}
		return append(keys, in.Sizes.FailedKeys()...), nil
	})
	dynhost.Op("mirror", "", func(_ *dynhost.Step, in struct{ Data []byte }) (dynhost.Value, error) {
		return dynhost.Value{MediaType: "image/x-mirror", Data: in.Data}, nil
	})
	dynhost.Op("give_up", "", func(step *dynhost.Step, _ struct{}) (*int, error) {
		if step.Attempt() > 1 {
			return nil, nil
		}
		cause := dynhost.RetryAfter(2*time.Second, "%s is busy: %w", step.Key(), errors.ErrUnsupported)
		return nil, fmt.Errorf("reading: %w", cause)
	})
	dynhost.Op("break_down", "", func(_ *dynhost.Step, in struct{ N int }) (int, error) {
		return []int{1}[in.N], nil
	})
	dynhost.EmittingOp("twice", "", func(_ *dynhost.Step, in struct{ Key string }, out *dynhost.Emitter[int]) error {
		_ = out.Emit(in.Key, 1)
		_ = out.Emit(in.Key, 2)
		return nil
	})
	dynhost.Op("bad_type", "", func(*dynhost.Step, struct{ F func() }) (int, error) { return 0, nil })
	dynhost.Op("bad_in", "", func(*dynhost.Step, int) (int, error) { return 0, nil })
	dynhost.Op("bad name", "", func(*dynhost.Step, struct{}) (int, error) { return 0, nil })
}

func equal(t *testing.T, found, expected any) {
	t.Helper()
	if fmt.Sprint(found) != fmt.Sprint(expected) {
		t.Errorf("found    %v\nexpected %v", found, expected)
	}
}

func TestPortsComeFromTypes(t *testing.T) {
	definition, err := raw.Find("survey").Definition()
	if err != nil {
		t.Fatal(err)
	}
	equal(t, definition, raw.Definition{
		Name: "survey", Description: "Looks at lines.",
		Inputs: []raw.InputDefinition{
			{Name: "text", Description: "What is read.", Required: true, Schema: `{"type":"string","description":"What is read."}`},
			{Name: "prefix", Schema: `{"type":"string"}`},
			{Name: "most", Schema: `{"type":"integer","default":3}`},
		},
		Outputs: []raw.OutputDefinition{
			{Name: "line", Description: "One line.", Required: true, Dynamic: true, Schema: `{"type":"string"}`},
			{Name: "total", Required: true, Schema: `{"type":"integer"}`},
			{Name: "longest", Schema: `{"type":"string"}`},
			{Name: "words", Required: true, Dynamic: true},
		},
		ConfigSchema: `{"type":"object","properties":{"keys":{"type":"string","enum":["short","long"],"default":"short"}}}`,
	})
	for name, expected := range map[string]string{
		"bad_type": "op `bad_type`: input `f`: `func()` has no JSON form",
		"bad_in":   "op `bad_in`: its inputs are of type `int`: a struct was expected, with a field for each",
		"bad name": "op `bad name`: `bad name` cannot be a name: it is a lower-case letter, then lower-case letters, " +
			"digits, `_` or `-`, 64 bytes at most",
	} {
		_, err := raw.Find(name).Definition()
		equal(t, err, expected)
	}
}

func TestOutputsAreGiven(t *testing.T) {
	outcome := dynhosttest.Run(t, "survey", dynhosttest.Inputs{"text": "a\nbc", "prefix": "> "})
	equal(t, dynhosttest.Dynamic[string](outcome, "line"), "[{0 > a} {1 > bc}]")
	equal(t, dynhosttest.Output[int](outcome, "total"), 2)
	equal(t, dynhosttest.Output[string](outcome, "longest"), "> bc")
	equal(t, dynhosttest.Dynamic[dynhost.Value](outcome, "words")[0].Value.MediaType, "text/plain")
	equal(t, outcome.Logs[0], dynhosttest.Log{
		Level: dynhost.LevelDebug, Message: "line", Fields: []raw.Field{{Name: "n", Value: "0"}, {Name: "!no name", Value: "odd"}},
	})
	equal(t, outcome.Progress, "[1 0]")

	settings := dynhosttest.Settings{Config: map[string]string{"keys": "long"}}
	outcome = dynhosttest.RunWith(t, "survey", dynhosttest.Inputs{"text": "a"}, settings)
	equal(t, dynhosttest.Dynamic[string](outcome, "line"), "[{line _0_~06cdeb26ba9afe39 a}]")
	outcome = dynhosttest.Run(t, "survey", dynhosttest.Inputs{"text": "a\nb", "most": 1})
	equal(t, outcome.Failure(), "more than 1 lines")
	equal(t, string(outcome.Failure().Detail.(dynhost.Value).Data), "1")
	if dynhosttest.RunWith(t, "give_up", nil, dynhosttest.Settings{Attempt: 2}).Value("result") != nil {
		t.Error("nothing was given")
	}
}

func TestInputsAreTaken(t *testing.T) {
	for _, values := range []any{[]int{1, 2}, dynhosttest.Many{1, 2}, []float64{3.0}} {
		outcome := dynhosttest.Run(t, "sum", dynhosttest.Inputs{"values": values})
		equal(t, dynhosttest.Output[int](outcome, "result"), 3)
	}
	settings := dynhosttest.Settings{FailedKeys: []string{"lost"}}
	outcome := dynhosttest.RunWith(t, "keys", dynhosttest.Inputs{"sizes": dynhosttest.Collected(5, 6, 7)}, settings)
	equal(t, dynhosttest.Output[[]string](outcome, "result"), "[3 0 1=6 2=7 lost]")
	bytes := dynhost.Value{MediaType: "image/x", Data: []byte("\xff")}
	outcome = dynhosttest.Run(t, "mirror", dynhosttest.Inputs{"data": bytes})
	equal(t, *outcome.Value("result"), dynhost.Value{MediaType: "image/x-mirror", Data: []byte("\xff")})
}

func TestWhatDoesNotFitFailsWithWords(t *testing.T) {
	bytes := dynhost.Value{MediaType: "image/x"}
	for _, try := range []struct {
		op       string
		inputs   dynhosttest.Inputs
		config   any
		expected string
	}{
		{"survey", dynhosttest.Inputs{"text": 5}, nil, "input `text`: a string was expected, and it is the number 5"},
		{"survey", dynhosttest.Inputs{}, nil, "input `text`: it is required, and the job gives nothing for it"},
		{"survey", dynhosttest.Inputs{"text": bytes}, nil, "input `text`: it is `image/x`, JSON was expected"},
		{"survey", dynhosttest.Inputs{"text": ""}, map[string]string{"keys": "x"},
			"config: one of `short`, `long` was expected at `.keys`, and it is the string \"x\""},
		{"sum", dynhosttest.Inputs{"values": dynhosttest.Many{1, "2"}}, nil,
			"input `values`: element 1: an integer was expected, and it is the string \"2\""},
		{"mirror", dynhosttest.Inputs{"data": dynhosttest.Many{1, 2}}, nil,
			"input `data`: the job gives several values, and it takes one: make it a slice"},
		{"keys", dynhosttest.Inputs{"sizes": dynhosttest.Collected("x")}, nil,
			"element `0`: an integer was expected, and it is the string \"x\""},
		{"twice", dynhosttest.Inputs{"key": "a"}, nil, "output `result`: the mapping key `a` was already given"},
		{"twice", dynhosttest.Inputs{"key": "[a"}, nil, "output `result`: the mapping key is malformed: it contains '['"},
		{"twice", dynhosttest.Inputs{"key": ""}, nil, "output `result`: the mapping key is malformed: it is empty"},
	} {
		outcome := dynhosttest.RunWith(t, try.op, try.inputs, dynhosttest.Settings{Config: try.config})
		equal(t, outcome.Failure(), try.expected)
	}
}

func TestFailures(t *testing.T) {
	failure := dynhosttest.RunWith(t, "give_up", nil, dynhosttest.Settings{MappingKeys: []string{"a"}}).Failure()
	equal(t, failure, "reading: give_up[a] is busy: unsupported operation")
	equal(t, []any{failure.Retry, failure.Delay}, []any{dynhost.After, 2 * time.Second})
	if !errors.Is(dynhost.Transient("%w", errors.ErrUnsupported), errors.ErrUnsupported) {
		t.Error("the cause is lost")
	}

	failure = dynhosttest.Run(t, "break_down", dynhosttest.Inputs{"n": 1}).Failure()
	words := "panic: runtime error: index out of range [1] with length 1 (op_test.go:"
	if !strings.HasPrefix(failure.Message, words) || failure.Retry != dynhost.Never {
		t.Error(failure)
	}
	if detail := string(failure.Detail.(dynhost.Value).Data); !strings.Contains(detail, "\"traceback\":\"  op_test.go:") {
		t.Error(detail)
	}
}

func TestMappingKeys(t *testing.T) {
	for text, expected := range map[string]string{
		"a.txt":                  "a.txt",
		"a[1]":                   "a_1_~365a13837e7270c3",
		"":                       "~cbf29ce484222325",
		strings.Repeat("é", 200): strings.Repeat("é", 119) + "~",
	} {
		key := dynhost.MappingKey(text)
		if !strings.HasPrefix(key, expected) || dynhost.CheckMappingKey(key) != nil {
			t.Errorf("%q has the key %q", text, key)
		}
		if again := dynhost.MappingKey(key); (again == key) != (key == text) {
			t.Errorf("%q has the key %q", key, again)
		}
	}
}
