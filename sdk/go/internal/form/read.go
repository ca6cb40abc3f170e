package form

import (
	"encoding/base64"
	"errors"
	"math"
	"reflect"
	"strconv"
	"strings"
)

// Read reads JSON text into a value that can be set.
func Read(data []byte, into reflect.Value) error {
	r := reader{scanner: scanner{data: data}}
	if err := r.value(into); err != nil {
		return err
	}
	return r.end()
}

type reader struct {
	scanner
	// Where the value stands in the whole.
	path []string
}

// unfit says that a value is not of its type.
func unfit(expected, found string, path []string) error {
	at := ""
	if len(path) > 0 {
		at = " at `" + strings.Join(path, "") + "`"
	}
	return errors.New(expected + " was expected" + at + ", and it is " + found)
}

func shown(text string) string {
	const most = 40
	letters := []rune(text)
	if len(letters) > most {
		return strconv.Quote(string(letters[:most])) + "…"
	}
	return strconv.Quote(text)
}

// unfit says that the value that begins here is not what was expected.
func (r *reader) unfit(expected string) error {
	start := r.at
	if err := r.skip(); err != nil {
		return err
	}
	text := string(r.data[start:r.at])
	found := "the number " + text
	switch text[0] {
	case '{':
		found = "an object"
	case '[':
		found = "an array"
	case '"':
		r.at = start
		text, _ := r.text()
		found = "the string " + shown(text)
	case 't', 'f', 'n':
		found = text
	}
	return unfit(expected, found, r.path)
}

func (r *reader) within(part string, read func() error) error {
	if len(r.path) >= maxDepth {
		return errors.New("it is nested too deeply")
	}
	r.path = append(r.path, part)
	err := read()
	r.path = r.path[:len(r.path)-1]
	return err
}

func (r *reader) skip() error { return r.value(reflect.New(reflect.TypeFor[any]()).Elem()) }

func (r *reader) value(v reflect.Value) error {
	first := r.next()
	if v.Kind() == reflect.Pointer {
		if first == 'n' {
			v.SetZero()
			return r.word("null")
		}
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		return r.value(v.Elem())
	}
	if done, err := r.own(v); done {
		return err
	}
	switch v.Kind() {
	case reflect.Bool:
		if first == 't' || first == 'f' {
			v.SetBool(first == 't')
			return r.word(strconv.FormatBool(first == 't'))
		}
		return r.unfit("true or false")
	case reflect.String:
		if first != '"' {
			return r.unfit("a string")
		}
		text, err := r.text()
		v.SetString(text)
		return err
	case reflect.Float32, reflect.Float64:
		return r.float(v)
	case reflect.Slice, reflect.Array:
		return r.array(v)
	case reflect.Map:
		return r.dictionary(v)
	case reflect.Struct:
		return r.object(v)
	case reflect.Interface:
		found, err := r.anything()
		if err == nil && found != nil {
			v.Set(reflect.ValueOf(found))
		}
		return err
	}
	return r.integer(v)
}

// own asks a value that reads its own form.
func (r *reader) own(v reflect.Value) (bool, error) {
	t := v.Type()
	if t.Name() == "" || !(has(t, jsonUnmarshalerType) || has(t, textUnmarshalerType)) {
		return false, nil
	}
	switch own := v.Addr().Interface().(type) {
	case jsonUnmarshaler:
		start := r.at
		if err := r.skip(); err != nil {
			return true, err
		}
		return true, own.UnmarshalJSON(r.data[start:r.at])
	case textUnmarshaler:
		if r.next() != '"' {
			return true, r.unfit("a string")
		}
		text, err := r.text()
		if err == nil {
			err = own.UnmarshalText([]byte(text))
		}
		return true, err
	}
	return false, nil
}

func (r *reader) float(v reflect.Value) error {
	if c := r.next(); c != '-' && (c < '0' || c > '9') {
		return r.unfit("a number")
	}
	start := r.at
	digits, err := r.number()
	if err != nil {
		return err
	}
	number, err := strconv.ParseFloat(digits, v.Type().Bits())
	if err != nil {
		r.at = start
		return r.unfit("a number of " + strconv.Itoa(v.Type().Bits()) + " bits")
	}
	v.SetFloat(number)
	return nil
}

// integer reads a whole number: JSON has one kind of number, and `1.0` is an integer too.
func (r *reader) integer(v reflect.Value) error {
	if c := r.next(); c != '-' && (c < '0' || c > '9') {
		return r.unfit("an integer")
	}
	start := r.at
	digits, err := r.number()
	if err != nil {
		return err
	}
	if strings.ContainsAny(digits, ".eE") {
		number, err := strconv.ParseFloat(digits, 64)
		if err != nil || number != math.Trunc(number) || math.Abs(number) > 1<<53 {
			r.at = start
			return r.unfit("an integer")
		}
		digits = strconv.FormatInt(int64(number), 10)
	}
	bits := v.Type().Bits()
	if v.CanInt() {
		if number, err := strconv.ParseInt(digits, 10, bits); err == nil {
			v.SetInt(number)
			return nil
		}
		r.at = start
		return r.unfit("an integer of " + strconv.Itoa(bits) + " bits")
	}
	if digits == "-0" {
		digits = "0"
	}
	if number, err := strconv.ParseUint(digits, 10, bits); err == nil {
		v.SetUint(number)
		return nil
	}
	r.at = start
	return r.unfit("an integer of " + strconv.Itoa(bits) + " bits from 0 on")
}

func (r *reader) array(v reflect.Value) error {
	if v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8 {
		return r.bytes(v)
	}
	if r.next() != '[' {
		return r.unfit("an array")
	}
	start, n := r.at, 0
	fixed := v.Kind() == reflect.Array
	if !fixed {
		v.Set(reflect.MakeSlice(v.Type(), 0, 0))
	}
	err := r.list(func() error {
		if fixed && n == v.Len() {
			// Counted below.
			n++
			return r.skip()
		}
		if !fixed && n >= v.Len() {
			v.Grow(1)
			v.SetLen(n + 1)
		}
		n++
		return r.within("["+strconv.Itoa(n-1)+"]", func() error { return r.value(v.Index(n - 1)) })
	})
	if err == nil && fixed && n != v.Len() {
		r.at = start
		return r.unfit("an array of " + strconv.Itoa(v.Len()) + " elements")
	}
	return err
}

func (r *reader) bytes(v reflect.Value) error {
	if r.next() != '"' {
		return r.unfit("a string of base64")
	}
	start := r.at
	text, err := r.text()
	if err != nil {
		return err
	}
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		r.at = start
		return r.unfit("a string of base64")
	}
	v.SetBytes(data)
	return nil
}

func (r *reader) dictionary(v reflect.Value) error {
	if r.next() != '{' {
		return r.unfit("an object")
	}
	t := v.Type()
	v.Set(reflect.MakeMap(t))
	return r.members(func(name string) error {
		element := reflect.New(t.Elem()).Elem()
		err := r.within("."+name, func() error { return r.value(element) })
		v.SetMapIndex(reflect.ValueOf(name).Convert(t.Key()), element)
		return err
	})
}

func (r *reader) object(v reflect.Value) error {
	if r.next() != '{' {
		return r.unfit("an object")
	}
	fields := Fields(v.Type())
	given := make([]bool, len(fields))
	err := r.members(func(name string) error {
		for n := range fields {
			if f := &fields[n]; f.Name == name {
				given[n] = true
				return r.within("."+name, func() error {
					value := f.Of(v)
					if err := r.value(value); err != nil {
						return err
					}
					return f.check(value, r.path)
				})
			}
		}
		return r.within("."+name, r.skip)
	})
	for n := range fields {
		if err != nil || given[n] {
			continue
		}
		f := &fields[n]
		if !f.Optional {
			return errors.New("`" + strings.Join(r.path, "") + "." + f.Name + "` is missing")
		}
		_, err = f.Default(f.Of(v))
	}
	return err
}

func (r *reader) anything() (any, error) {
	switch c := r.next(); c {
	case '"':
		return r.text()
	case 't':
		return true, r.word("true")
	case 'f':
		return false, r.word("false")
	case 'n':
		return nil, r.word("null")
	case '[':
		var list []any
		v := reflect.ValueOf(&list).Elem()
		err := r.array(v)
		return list, err
	case '{':
		var object map[string]any
		err := r.dictionary(reflect.ValueOf(&object).Elem())
		return object, err
	}
	digits, err := r.number()
	if err != nil {
		return nil, err
	}
	number, err := strconv.ParseFloat(digits, 64)
	if err != nil {
		return nil, errors.New("the number " + digits + " is too large")
	}
	return number, nil
}
