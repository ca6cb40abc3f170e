package form

import (
	"errors"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// scanner goes through JSON text.
type scanner struct {
	data []byte
	at   int
}

func (s *scanner) wrong(words string) error {
	return errors.New("it is not JSON: " + words + " at byte " + strconv.Itoa(s.at))
}

func (s *scanner) space() {
	for s.at < len(s.data) {
		switch s.data[s.at] {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return
		}
	}
}

// next is the first byte of what follows white space; 0 at the end.
func (s *scanner) next() byte {
	s.space()
	if s.at == len(s.data) {
		return 0
	}
	return s.data[s.at]
}

// end says what is wrong with the text behind a whole value.
func (s *scanner) end() error {
	if s.space(); s.at < len(s.data) {
		return s.wrong("there is more")
	}
	return nil
}

// takes goes past a byte if it is the next.
func (s *scanner) takes(c byte) bool {
	if s.next() != c {
		return false
	}
	s.at++
	return true
}

func (s *scanner) word(word string) error {
	if s.at+len(word) > len(s.data) || string(s.data[s.at:s.at+len(word)]) != word {
		return s.wrong("a value was expected")
	}
	s.at += len(word)
	return nil
}

// number returns the digits of a number.
func (s *scanner) number() (string, error) {
	start := s.at
	if s.at < len(s.data) && s.data[s.at] == '-' {
		s.at++
	}
	digits := func() bool {
		start := s.at
		for s.at < len(s.data) && s.data[s.at] >= '0' && s.data[s.at] <= '9' {
			s.at++
		}
		return s.at > start
	}
	first := s.at
	if !digits() {
		return "", s.wrong("a value was expected")
	}
	if s.data[first] == '0' && s.at > first+1 {
		return "", s.wrong("a number begins with 0")
	}
	if s.at < len(s.data) && s.data[s.at] == '.' {
		if s.at++; !digits() {
			return "", s.wrong("a digit was expected")
		}
	}
	if s.at < len(s.data) && (s.data[s.at] == 'e' || s.data[s.at] == 'E') {
		s.at++
		if s.at < len(s.data) && (s.data[s.at] == '+' || s.data[s.at] == '-') {
			s.at++
		}
		if !digits() {
			return "", s.wrong("a digit was expected")
		}
	}
	return string(s.data[start:s.at]), nil
}

// text returns a string. What is not UTF-8 in it becomes U+FFFD.
func (s *scanner) text() (string, error) {
	if !s.takes('"') {
		return "", s.wrong("a string was expected")
	}
	start := s.at
	var letters []byte
	for s.at < len(s.data) {
		switch c := s.data[s.at]; {
		case c == '"':
			letters = append(letters, s.data[start:s.at]...)
			s.at++
			if !utf8.Valid(letters) {
				return strings.ToValidUTF8(string(letters), "\ufffd"), nil
			}
			return string(letters), nil
		case c == '\\':
			letters = append(letters, s.data[start:s.at]...)
			letter, err := s.escape()
			if err != nil {
				return "", err
			}
			letters = utf8.AppendRune(letters, letter)
			start = s.at
		case c < ' ':
			return "", s.wrong("a string holds a control character")
		default:
			s.at++
		}
	}
	return "", s.wrong("a string does not end")
}

func (s *scanner) escape() (rune, error) {
	const letters, meant = `"\/bfnrt`, "\"\\/\b\f\n\r\t"
	if s.at+1 < len(s.data) {
		if n := strings.IndexByte(letters, s.data[s.at+1]); n >= 0 {
			s.at += 2
			return rune(meant[n]), nil
		}
	}
	first, ok := s.unit()
	if !ok {
		return 0, s.wrong("an escape is malformed")
	}
	if utf16.IsSurrogate(first) {
		before := s.at
		if second, ok := s.unit(); ok {
			if both := utf16.DecodeRune(first, second); both != utf8.RuneError {
				return both, nil
			}
		}
		s.at = before
		return utf8.RuneError, nil
	}
	return first, nil
}

// unit takes one `\u` and its four digits.
func (s *scanner) unit() (rune, bool) {
	if s.at+6 > len(s.data) || s.data[s.at] != '\\' || s.data[s.at+1] != 'u' {
		return 0, false
	}
	var unit rune
	for _, c := range s.data[s.at+2 : s.at+6] {
		digit := strings.IndexByte("0123456789abcdef", c|0x20)
		if c < '0' || digit < 0 {
			return 0, false
		}
		unit = unit<<4 | rune(digit)
	}
	s.at += 6
	return unit, true
}

// list goes through the elements of an array, at whose first byte the scanner is.
func (s *scanner) list(element func() error) error {
	s.at++
	if s.takes(']') {
		return nil
	}
	for {
		if err := element(); err != nil {
			return err
		}
		if s.takes(']') {
			return nil
		}
		if !s.takes(',') {
			return s.wrong("`,` or `]` was expected")
		}
	}
}

// members goes through the members of an object, at whose first byte the scanner is.
func (s *scanner) members(member func(name string) error) error {
	s.at++
	if s.takes('}') {
		return nil
	}
	for {
		name, err := s.text()
		if err != nil {
			return err
		}
		if !s.takes(':') {
			return s.wrong("`:` was expected")
		}
		if err := member(name); err != nil {
			return err
		}
		if s.takes('}') {
			return nil
		}
		if !s.takes(',') {
			return s.wrong("`,` or `}` was expected")
		}
	}
}
