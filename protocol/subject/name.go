package subject

import (
	"errors"
	"unicode/utf8"
)

// Limits of names and tokens.
const (
	// MaxNameBytes bounds a name. A server whose groups may have longer ones cannot be on a bus.
	MaxNameBytes = 256
	// MaxTokenBytes bounds a token: a name of nothing but escapes.
	MaxTokenBytes = 3 * MaxNameBytes
)

// Errors about names and tokens. They never repeat the input.
var (
	ErrName  = errors.New("a name is 1 to 256 bytes of UTF-8")
	ErrToken = errors.New("not the token of a name")
)

// escape stands in front of the two digits of a byte that is not plain.
const escape = '%'

const hexDigits = "0123456789ABCDEF"

// plain are the bytes that stand for themselves.
var plain = func() (set [256]bool) {
	for _, c := range "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_~:@" {
		set[c] = true
	}
	return set
}()

// AppendToken appends the token of a name. The error is ErrName; then dst comes back as it was.
func AppendToken[T string | []byte](dst []byte, name T) ([]byte, error) {
	if !ValidName(name) {
		return dst, ErrName
	}
	done := 0 // how much of the name is in dst
	for i := range len(name) {
		if c := name[i]; !plain[c] {
			dst = append(dst, name[done:i]...)
			dst = append(dst, escape, hexDigits[c>>4], hexDigits[c&15])
			done = i + 1
		}
	}
	return append(dst, name[done:]...), nil
}

// AppendName appends the name that a token stands for. The error is ErrToken, for everything
// that AppendToken does not write; then dst comes back as it was.
func AppendName[T string | []byte](dst []byte, token T) ([]byte, error) {
	if len(token) > MaxTokenBytes {
		return dst, ErrToken
	}
	start, done := len(dst), 0
	for i := 0; i < len(token); i++ {
		if plain[token[i]] {
			continue
		}
		c, ok := unescape(token[i:])
		if !ok {
			return dst[:start], ErrToken
		}
		dst = append(dst, token[done:i]...)
		dst = append(dst, c)
		i += 2
		done = i + 1
	}
	dst = append(dst, token[done:]...)
	if !ValidName(dst[start:]) {
		return dst[:start], ErrToken
	}
	return dst, nil
}

// unescape reads the escape that text begins with. It is none where the byte would be plain.
func unescape[T string | []byte](text T) (c byte, ok bool) {
	if len(text) < 3 || text[0] != escape {
		return 0, false
	}
	high, ok1 := fromHex(text[1])
	low, ok2 := fromHex(text[2])
	c = high<<4 | low
	return c, ok1 && ok2 && !plain[c]
}

// fromHex is the value of a digit, of which there is one form.
func fromHex(digit byte) (value byte, ok bool) {
	switch {
	case '0' <= digit && digit <= '9':
		return digit - '0', true
	case 'A' <= digit && digit <= 'F':
		return digit - 'A' + 10, true
	}
	return 0, false
}

// ValidName reports whether a group or user of that name has a subject: 1 to MaxNameBytes of UTF-8.
func ValidName[T string | []byte](name T) bool {
	return len(name) > 0 && len(name) <= MaxNameBytes && validUTF8(name)
}

// validUTF8 is utf8.Valid for both types, without a copy.
func validUTF8[T string | []byte](text T) bool {
	switch text := any(text).(type) {
	case string:
		return utf8.ValidString(text)
	case []byte:
		return utf8.Valid(text)
	}
	return false
}
