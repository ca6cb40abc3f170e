package form

import (
	"errors"
	"reflect"
	"strconv"
	"strings"
)

// Schema is the JSON Schema of a type, as text; or why it has none.
func Schema(t reflect.Type) (string, error) { return schemaText(t, nil) }

func schemaText(t reflect.Type, f *Field) (string, error) {
	s := schemas{names: map[reflect.Type]string{}}
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	var text []byte
	var err error
	if t.Kind() == reflect.Struct && !HasOwnForm(t) {
		text, err = s.object(nil, t)
	} else {
		text, err = s.of(nil, t)
	}
	if err == nil && f != nil {
		text, err = f.refine(text)
	}
	if err != nil {
		return "", err
	}
	// Writing a definition may add others.
	var defs []byte
	for n := 0; n < len(s.named); n++ {
		defs = appendString(append(defs, ','), s.names[s.named[n]])
		if defs, err = s.object(append(defs, ':'), s.named[n]); err != nil {
			return "", err
		}
	}
	if defs != nil {
		text = append(text[:len(text)-1], `,"$defs":{`...)
		text = append(append(text, defs[1:]...), "}}"...)
	}
	return string(text), nil
}

type schemas struct {
	// Named structs, which are written once.
	named []reflect.Type
	names map[reflect.Type]string
}

var (
	jsonMarshalerType   = reflect.TypeFor[jsonMarshaler]()
	jsonUnmarshalerType = reflect.TypeFor[jsonUnmarshaler]()
	textMarshalerType   = reflect.TypeFor[textMarshaler]()
	textUnmarshalerType = reflect.TypeFor[textUnmarshaler]()
	schemerType         = reflect.TypeFor[schemer]()
)

func has(t, method reflect.Type) bool {
	return t.Implements(method) || reflect.PointerTo(t).Implements(method)
}

// HasOwnForm says whether methods decide how a type looks in JSON.
func HasOwnForm(t reflect.Type) bool {
	return has(t, jsonMarshalerType) || has(t, textMarshalerType) || has(t, schemerType) ||
		has(t, jsonUnmarshalerType) || has(t, textUnmarshalerType)
}

func (s *schemas) of(to []byte, t reflect.Type) ([]byte, error) {
	switch {
	case has(t, schemerType):
		return append(to, reflect.New(t).Interface().(schemer).JSONSchema()...), nil
	case has(t, jsonMarshalerType) || has(t, jsonUnmarshalerType):
		return append(to, "{}"...), nil
	case has(t, textMarshalerType) || has(t, textUnmarshalerType):
		return append(to, `{"type":"string"}`...), nil
	}
	switch t.Kind() {
	case reflect.Bool:
		return append(to, `{"type":"boolean"}`...), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return append(to, `{"type":"integer"}`...), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return append(to, `{"type":"integer","minimum":0}`...), nil
	case reflect.Float32, reflect.Float64:
		return append(to, `{"type":"number"}`...), nil
	case reflect.String:
		return append(to, `{"type":"string"}`...), nil
	case reflect.Interface:
		if t.NumMethod() == 0 {
			return append(to, "{}"...), nil
		}
	case reflect.Pointer:
		to, err := s.of(append(to, `{"anyOf":[`...), t.Elem())
		return append(to, `,{"type":"null"}]}`...), err
	case reflect.Slice, reflect.Array:
		return s.array(to, t)
	case reflect.Map:
		if t.Key().Kind() != reflect.String {
			return nil, errors.New("`" + t.String() + "` has no JSON form: its keys are not strings")
		}
		to, err := s.of(append(to, `{"type":"object","additionalProperties":`...), t.Elem())
		return append(to, '}'), err
	case reflect.Struct:
		if t.Name() == "" {
			return s.object(to, t)
		}
		return append(appendString(append(to, `{"$ref":`...), "#/$defs/"+s.name(t)), '}'), nil
	}
	return nil, errors.New("`" + t.String() + "` has no JSON form")
}

func (s *schemas) array(to []byte, t reflect.Type) ([]byte, error) {
	if t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8 {
		return append(to, `{"type":"string","contentEncoding":"base64"}`...), nil
	}
	to, err := s.of(append(to, `{"type":"array","items":`...), t.Elem())
	if t.Kind() == reflect.Array {
		n := strconv.Itoa(t.Len())
		to = append(to, `,"minItems":`+n+`,"maxItems":`+n...)
	}
	return append(to, '}'), err
}

func (s *schemas) name(t reflect.Type) string {
	if name, ok := s.names[t]; ok {
		return name
	}
	// The arguments of a generic type are no part of a name that people read.
	name, _, _ := strings.Cut(t.Name(), "[")
	plain := name
	for n := 2; s.taken(name); n++ {
		name = plain + strconv.Itoa(n)
	}
	s.names[t] = name
	s.named = append(s.named, t)
	return name
}

func (s *schemas) taken(name string) bool {
	for _, other := range s.names {
		if other == name {
			return true
		}
	}
	return false
}

func (s *schemas) object(to []byte, t reflect.Type) ([]byte, error) {
	to = append(to, `{"type":"object"`...)
	var properties, required []byte
	for _, f := range Fields(t) {
		text, err := s.of(nil, f.Type)
		if err == nil {
			text, err = f.refine(text)
		}
		if err != nil {
			return nil, errors.New("field `" + f.Name + "`: " + err.Error())
		}
		properties = append(appendString(append(properties, ','), f.Name), ':')
		properties = append(properties, text...)
		if !f.Optional {
			required = appendString(append(required, ','), f.Name)
		}
	}
	if properties != nil {
		to = append(append(append(to, `,"properties":{`...), properties[1:]...), '}')
	}
	if required != nil {
		to = append(append(append(to, `,"required":[`...), required[1:]...), ']')
	}
	return append(to, '}'), nil
}

// refine adds what the tags of a field say to the schema of its type.
func (f *Field) refine(schema []byte) ([]byte, error) {
	var more []byte
	if f.choices != nil {
		if t := f.Type; t.Kind() != reflect.String && (t.Kind() != reflect.Pointer || t.Elem().Kind() != reflect.String) {
			return nil, errors.New("the tag `enum` is for strings")
		}
		more = append(more, `,"enum":[`...)
		for n, choice := range f.choices {
			if n > 0 {
				more = append(more, ',')
			}
			more = appendString(more, choice)
		}
		if f.Type.Kind() == reflect.Pointer {
			more = append(more, ",null"...)
		}
		more = append(more, ']')
	}
	if f.Description != "" {
		more = appendString(append(more, `,"description":`...), f.Description)
	}
	if f.hasDefault {
		value := reflect.New(f.Type).Elem()
		if _, err := f.Default(value); err != nil {
			return nil, errors.New("the tag `default`: " + err.Error())
		}
		text, err := Append(append(more, `,"default":`...), value)
		if err != nil {
			return nil, err
		}
		more = text
	}
	if more == nil {
		return schema, nil
	}
	if len(schema) == len("{}") {
		more = more[1:]
	}
	return append(append(schema[:len(schema)-1], more...), '}'), nil
}
