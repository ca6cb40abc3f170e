package form

import (
	"encoding/base64"
	"errors"
	"math"
	"reflect"
	"slices"
	"strconv"
	"unicode/utf8"
)

// Append adds the compact JSON of a value to a text.
func Append(to []byte, v reflect.Value) ([]byte, error) { return write(to, v, 0) }

func write(to []byte, v reflect.Value, depth int) ([]byte, error) {
	if depth > maxDepth {
		return nil, errors.New("it is nested too deeply, or holds itself")
	}
	if !v.IsValid() {
		return append(to, "null"...), nil
	}
	if v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
		if v.IsNil() {
			return append(to, "null"...), nil
		}
		return write(to, v.Elem(), depth+1)
	}
	if text, done, err := written(to, v); done {
		return text, err
	}
	switch v.Kind() {
	case reflect.Bool:
		return strconv.AppendBool(to, v.Bool()), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return strconv.AppendInt(to, v.Int(), 10), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return strconv.AppendUint(to, v.Uint(), 10), nil
	case reflect.Float32, reflect.Float64:
		return appendFloat(to, v.Float(), v.Type().Bits())
	case reflect.String:
		return appendString(to, v.String()), nil
	case reflect.Slice, reflect.Array:
		return writeArray(to, v, depth)
	case reflect.Map:
		return writeMap(to, v, depth)
	case reflect.Struct:
		return writeStruct(to, v, depth)
	}
	return nil, errors.New("`" + v.Type().String() + "` has no JSON form")
}

// written asks a value that knows its own form.
func written(to []byte, v reflect.Value) ([]byte, bool, error) {
	t := v.Type()
	if t.Name() == "" || !(has(t, jsonMarshalerType) || has(t, textMarshalerType)) {
		return nil, false, nil
	}
	if !v.CanAddr() {
		// The method may belong to the pointer.
		copied := reflect.New(t).Elem()
		copied.Set(v)
		v = copied
	}
	switch own := v.Addr().Interface().(type) {
	case jsonMarshaler:
		text, err := own.MarshalJSON()
		return append(to, text...), true, err
	case textMarshaler:
		text, err := own.MarshalText()
		return appendString(to, string(text)), true, err
	}
	return nil, false, nil
}

func writeArray(to []byte, v reflect.Value, depth int) ([]byte, error) {
	if v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8 {
		to = base64.StdEncoding.AppendEncode(append(to, '"'), v.Bytes())
		return append(to, '"'), nil
	}
	to = append(to, '[')
	var err error
	for n := range v.Len() {
		if n > 0 {
			to = append(to, ',')
		}
		if to, err = write(to, v.Index(n), depth+1); err != nil {
			return nil, err
		}
	}
	return append(to, ']'), nil
}

// The keys are sorted: a map of Go has no order, and the same value is to give the same bytes.
func writeMap(to []byte, v reflect.Value, depth int) ([]byte, error) {
	if v.Type().Key().Kind() != reflect.String {
		return nil, errors.New("`" + v.Type().String() + "` has no JSON form: its keys are not strings")
	}
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int {
		switch {
		case a.String() < b.String():
			return -1
		case a.String() > b.String():
			return 1
		}
		return 0
	})
	to = append(to, '{')
	var err error
	for n, key := range keys {
		if n > 0 {
			to = append(to, ',')
		}
		to = append(appendString(to, key.String()), ':')
		if to, err = write(to, v.MapIndex(key), depth+1); err != nil {
			return nil, err
		}
	}
	return append(to, '}'), nil
}

func writeStruct(to []byte, v reflect.Value, depth int) ([]byte, error) {
	to = append(to, '{')
	first := true
	var err error
	for _, f := range Fields(v.Type()) {
		value := f.Of(v)
		if f.omit != nil && f.omit(value) {
			continue
		}
		if !first {
			to = append(to, ',')
		}
		first = false
		to = append(appendString(to, f.Name), ':')
		if to, err = write(to, value, depth+1); err != nil {
			return nil, err
		}
	}
	return append(to, '}'), nil
}

// appendFloat writes the shortest digits that read back as the same number, as ECMAScript and encoding/json do.
func appendFloat(to []byte, number float64, bits int) ([]byte, error) {
	if math.IsInf(number, 0) || math.IsNaN(number) {
		return nil, errors.New("JSON has no " + strconv.FormatFloat(number, 'g', -1, bits))
	}
	size := math.Abs(number)
	format := byte('f')
	if size != 0 {
		small, large := size < 1e-6, size >= 1e21
		if bits == 32 {
			small, large = float32(size) < 1e-6, float32(size) >= 1e21
		}
		if small || large {
			format = 'e'
		}
	}
	start := len(to)
	to = strconv.AppendFloat(to, number, format, -1, bits)
	// 1e-09 is written 1e-9.
	if n := len(to); format == 'e' && n-start >= 4 && to[n-4] == 'e' && to[n-3] == '-' && to[n-2] == '0' {
		to[n-2] = to[n-1]
		to = to[:n-1]
	}
	return to, nil
}

// appendString writes a string with the escapes that are needed alone. What is not UTF-8 becomes U+FFFD.
func appendString(to []byte, text string) []byte {
	const hex = "0123456789abcdef"
	to = append(to, '"')
	start := 0
	for n := 0; n < len(text); {
		c := text[n]
		if c >= utf8.RuneSelf {
			letter, size := utf8.DecodeRuneInString(text[n:])
			if letter == utf8.RuneError && size == 1 {
				to = append(append(to, text[start:n]...), "\ufffd"...)
				start = n + size
			}
			n += size
			continue
		}
		n++
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		to = append(to, text[start:n-1]...)
		start = n
		switch c {
		case '"', '\\':
			to = append(to, '\\', c)
		case '\b':
			to = append(to, `\b`...)
		case '\f':
			to = append(to, `\f`...)
		case '\n':
			to = append(to, `\n`...)
		case '\r':
			to = append(to, `\r`...)
		case '\t':
			to = append(to, `\t`...)
		default:
			to = append(to, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
	}
	return append(append(to, text[start:]...), '"')
}
