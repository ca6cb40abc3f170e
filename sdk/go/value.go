package dynhost

import (
	"errors"
	"reflect"
	"strings"

	"dynhost/internal/form"
	"dynhost/internal/raw"
)

// Value is bytes with a media type. An op that takes or gives a Value is given any media type, as it is.
type Value = raw.Value

const (
	mediaJSON  = "application/json"
	mediaBytes = "application/octet-stream"
)

var (
	valueType = reflect.TypeFor[Value]()
	bytesType = reflect.TypeFor[[]byte]()
)

// isRaw says whether a type takes and gives bytes of any media type.
func isRaw(t reflect.Type) bool { return t == valueType || t == bytesType }

func isJSON(mediaType string) bool {
	essence, _, _ := strings.Cut(mediaType, ";")
	essence = strings.ToLower(strings.TrimSpace(essence))
	return essence == mediaJSON || strings.HasSuffix(essence, "+json")
}

func isNull(value Value) bool {
	return isJSON(value.MediaType) && strings.TrimSpace(string(value.Data)) == "null"
}

// read reads a value as what its type says.
func read(value Value, into reflect.Value) error {
	switch into.Type() {
	case valueType:
		into.Set(reflect.ValueOf(value))
		return nil
	case bytesType:
		into.SetBytes(value.Data)
		return nil
	}
	if !isJSON(value.MediaType) {
		return errors.New("it is `" + value.MediaType + "`, JSON was expected")
	}
	return form.Read(value.Data, into)
}

// write is the value that something is given as.
func write(given reflect.Value) (Value, error) {
	switch given.Type() {
	case valueType:
		value := given.Interface().(Value)
		if value.MediaType == "" {
			value.MediaType = mediaBytes
		}
		return value, nil
	case bytesType:
		return Value{MediaType: mediaBytes, Data: given.Bytes()}, nil
	}
	text, err := form.Append(nil, given)
	return Value{MediaType: mediaJSON, Data: text}, err
}
