package dynhost

import (
	"errors"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxKeyBytes  = 255
	digestDigits = 16
)

// CheckMappingKey says what is wrong with a mapping key, or nil.
func CheckMappingKey(key string) error {
	if key == "" {
		return errors.New("it is empty")
	}
	if len(key) > maxKeyBytes {
		return errors.New("it has " + strconv.Itoa(len(key)) + " bytes, 255 are allowed")
	}
	if !utf8.ValidString(key) {
		return errors.New("it is not UTF-8")
	}
	for _, letter := range key {
		if isForbidden(letter) {
			return errors.New("it contains " + strconv.QuoteRune(letter))
		}
	}
	return nil
}

// MappingKey makes a valid mapping key of any text, and another one of another text; it is the same in every language.
//
// A text that is a valid key is its own key. In any other, what is not allowed becomes `_`, what is too long is cut,
// and a digest of the whole text follows: MappingKey("a[1]") is "a_1_~365a13837e7270c3".
func MappingKey(text string) string {
	if CheckMappingKey(text) == nil && !looksMade(text) {
		return text
	}
	const room = maxKeyBytes - digestDigits - 1
	var key strings.Builder
	for _, letter := range text {
		if isForbidden(letter) {
			letter = '_'
		}
		if key.Len()+utf8.RuneLen(letter) > room {
			break
		}
		key.WriteRune(letter)
	}
	// FNV-1a, 64 bits.
	digest := uint64(0xcbf29ce484222325)
	for n := range len(text) {
		digest = (digest ^ uint64(text[n])) * 0x100000001b3
	}
	digits := strconv.FormatUint(digest, 16)
	return key.String() + "~" + strings.Repeat("0", digestDigits-len(digits)) + digits
}

func looksMade(text string) bool {
	digest := len(text) - digestDigits
	if digest < 1 || text[digest-1] != '~' {
		return false
	}
	return strings.Trim(text[digest:], "0123456789abcdefABCDEF") == ""
}

func isForbidden(letter rune) bool {
	return letter == '[' || letter == ']' || unicode.IsControl(letter)
}
