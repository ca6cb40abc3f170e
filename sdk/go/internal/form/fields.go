// Package form is how Go types look in JSON: their schema, and reading and writing their values.
//
// It is a part of what encoding/json can do: that package, with what it imports, is as large as all the rest of a
// component. Types with the methods MarshalJSON, UnmarshalJSON, MarshalText and UnmarshalText are asked as there.
package form

import (
	"reflect"
	"strings"
	"sync"
	"unicode"
)

// Nested deeper than this, a value is refused: it would end the step with a full stack.
const maxDepth = 1000

type (
	jsonMarshaler   interface{ MarshalJSON() ([]byte, error) }
	jsonUnmarshaler interface{ UnmarshalJSON([]byte) error }
	textMarshaler   interface{ MarshalText() ([]byte, error) }
	textUnmarshaler interface{ UnmarshalText([]byte) error }
	// A type with a schema of its own.
	schemer interface{ JSONSchema() string }
)

// Field is a field of a struct that has a name in JSON.
type Field struct {
	Name        string
	Description string
	Type        reflect.Type
	// Whether it may be missing.
	Optional bool

	index      []int
	fallback   string
	hasDefault bool
	choices    []string
	omit       func(reflect.Value) bool
}

// Of is the field in a struct.
func (f *Field) Of(structure reflect.Value) reflect.Value { return structure.FieldByIndex(f.index) }

// Is says whether it is the field with this number in its struct.
func (f *Field) Is(number int) bool { return len(f.index) == 1 && f.index[0] == number }

// Default sets a value to what the tag `default` says, and reports whether there is one.
func (f *Field) Default(into reflect.Value) (bool, error) {
	if !f.hasDefault {
		return false, nil
	}
	for into.Kind() == reflect.Pointer {
		into.Set(reflect.New(into.Type().Elem()))
		into = into.Elem()
	}
	if into.Kind() == reflect.String {
		into.SetString(f.fallback)
		return true, nil
	}
	return true, Read([]byte(f.fallback), into)
}

// Read reads the value of the field.
func (f *Field) Read(data []byte, into reflect.Value) error {
	if err := Read(data, into); err != nil {
		return err
	}
	return f.check(into, nil)
}

// Schema is the JSON Schema of the field.
func (f *Field) Schema() (string, error) { return schemaText(f.Type, f) }

func (f *Field) check(found reflect.Value, path []string) error {
	if f.choices == nil {
		return nil
	}
	for found.Kind() == reflect.Pointer {
		if found.IsNil() {
			return nil
		}
		found = found.Elem()
	}
	for _, choice := range f.choices {
		if found.String() == choice {
			return nil
		}
	}
	quoted := make([]string, len(f.choices))
	for n, choice := range f.choices {
		quoted[n] = "`" + choice + "`"
	}
	return unfit("one of "+strings.Join(quoted, ", "), "the string "+shown(found.String()), path)
}

var fieldsOf sync.Map

// Fields are the fields of a struct, those of embedded structs among them.
func Fields(structure reflect.Type) []Field {
	if known, ok := fieldsOf.Load(structure); ok {
		return known.([]Field)
	}
	var fields []Field
	for n := range structure.NumField() {
		in := structure.Field(n)
		tag, hasTag := in.Tag.Lookup("json")
		name, options, _ := strings.Cut(tag, ",")
		if in.Anonymous && name == "" && in.Type.Kind() == reflect.Struct {
			for _, inner := range Fields(in.Type) {
				inner.index = append([]int{n}, inner.index...)
				fields = append(fields, inner)
			}
			continue
		}
		if !in.IsExported() || (hasTag && tag == "-") {
			continue
		}
		fields = append(fields, field(in, n, name, options))
	}
	fieldsOf.Store(structure, fields)
	return fields
}

func field(in reflect.StructField, n int, name, options string) Field {
	if name == "" {
		name = SnakeCase(in.Name)
	}
	f := Field{Name: name, Description: in.Tag.Get("doc"), Type: in.Type, index: []int{n}}
	f.fallback, f.hasDefault = in.Tag.Lookup("default")
	if choices := in.Tag.Get("enum"); choices != "" {
		f.choices = strings.Split(choices, ",")
	}
	for option := range strings.SplitSeq(options, ",") {
		switch option {
		case "omitempty":
			f.omit = isEmpty
		case "omitzero":
			f.omit = reflect.Value.IsZero
		}
	}
	f.Optional = f.omit != nil || f.hasDefault || in.Type.Kind() == reflect.Pointer
	return f
}

func isEmpty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Slice, reflect.Map, reflect.Array, reflect.String:
		return v.Len() == 0
	case reflect.Struct:
		return false
	}
	return v.IsZero()
}

// SnakeCase turns the name of a Go field into the name that it has in JSON: `DelayMS` into `delay_ms`.
func SnakeCase(name string) string {
	letters := []rune(name)
	var snake strings.Builder
	for n, letter := range letters {
		if unicode.IsUpper(letter) && n > 0 {
			before := letters[n-1]
			ends := n+1 < len(letters) && unicode.IsLower(letters[n+1])
			if unicode.IsLower(before) || unicode.IsDigit(before) || (unicode.IsUpper(before) && ends) {
				snake.WriteByte('_')
			}
		}
		snake.WriteRune(unicode.ToLower(letter))
	}
	return snake.String()
}
