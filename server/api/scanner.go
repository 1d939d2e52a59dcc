package api

import (
	"bytes"
	"unicode/utf8"

	"groupcast/protocol"
)

// scanner reads JSON text from its beginning to its end, once: what it steps over
// it has checked. Valid is what RFC 8259 says, in UTF-8, and no string may hold half
// of a surrogate pair: no two JSON libraries make the same of it (RFC 7493).
//
// After a mistake every method returns at once, and problem says what is wrong; so
// it has to be asked for only at the end.
type scanner struct {
	text    []byte
	at      int
	depth   int
	problem *problem // the first mistake
}

// maxJSONDepth bounds how deep arrays and objects are nested. Each level is a call.
const maxJSONDepth = 10_000

// fail notes a mistake.
func (s *scanner) fail(p *problem) {
	if s.problem == nil {
		s.problem = p
	}
}

// invalid notes that the text is not JSON from here on.
func (s *scanner) invalid() {
	s.fail(badJSON("the body is not one valid JSON value: what is wrong is at byte %d of %d", s.at+1, len(s.text)))
}

// peek is the first byte of what comes next, space left out; 0 at the end and after a
// mistake.
func (s *scanner) peek() byte {
	if s.problem != nil {
		return 0
	}
	for ; s.at < len(s.text); s.at++ {
		switch c := s.text[s.at]; c {
		case ' ', '\t', '\r', '\n':
		default:
			return c
		}
	}
	return 0
}

// end checks that nothing but space is left.
func (s *scanner) end() {
	if s.peek(); s.at < len(s.text) {
		s.invalid()
	}
}

// open steps into the array or object that comes next, if it begins with bracket.
func (s *scanner) open(bracket byte) bool {
	if s.peek() != bracket {
		return false
	}
	if s.depth++; s.depth > maxJSONDepth {
		s.fail(badJSON("arrays and objects are nested more than %d deep", maxJSONDepth))
		return false
	}
	s.at++
	return true
}

// next reports whether the array or object that was opened has another element, and
// steps over the comma, or over the bracket that closes it. In an object key is to
// be called then.
func (s *scanner) next(bracket byte, first bool) bool {
	switch c := s.peek(); {
	case c == bracket:
		s.at++
		s.depth--
		return false
	case !first && c == ',':
		s.at++
		s.peek()
	case !first:
		s.invalid()
	}
	return s.problem == nil
}

// key is an object's next name, its characters. It may alias the text.
func (s *scanner) key() []byte {
	name := s.string()
	if s.peek() != ':' {
		s.invalid()
		return nil
	}
	s.at++
	return name
}

// value is the text of the next value, without the space around it. It aliases the
// text.
func (s *scanner) value() []byte {
	c := s.peek()
	begin := s.at
	switch {
	case c == '"':
		s.skipString()
	case c == '{' && s.open('{'):
		for first := true; s.next('}', first); first = false {
			s.peek()
			s.skipString()
			if s.peek() != ':' {
				s.invalid()
				return nil
			}
			s.at++
			s.value()
		}
	case c == '[' && s.open('['):
		for first := true; s.next(']', first); first = false {
			s.value()
		}
	case c == 't':
		s.literal("true")
	case c == 'f':
		s.literal("false")
	case c == 'n':
		s.literal("null")
	default:
		s.number()
	}
	if s.problem != nil {
		return nil
	}
	return s.text[begin:s.at]
}

// string is the characters of the string that comes next. They alias the text unless
// there are escapes.
func (s *scanner) string() []byte {
	s.peek()
	begin := s.at
	escaped := s.skipString()
	if s.problem != nil {
		return nil
	}
	inside := s.text[begin+1 : s.at-1]
	if !escaped {
		return inside
	}
	return protocol.AppendUnescaped(make([]byte, 0, len(inside)), inside)
}

// skipString steps over a string and tells whether there are escapes in it.
func (s *scanner) skipString() (escaped bool) {
	if s.problem != nil {
		return false
	}
	if s.at == len(s.text) || s.text[s.at] != '"' {
		s.invalid()
		return false
	}
	for s.at++; s.at < len(s.text); {
		switch c := s.text[s.at]; {
		case c == '"':
			s.at++
			return escaped
		case c == '\\':
			escaped = true
			if s.escape(); s.problem != nil {
				return escaped
			}
		case c < ' ':
			s.invalid()
			return escaped
		case c < utf8.RuneSelf:
			s.at++
		default:
			r, size := utf8.DecodeRune(s.text[s.at:])
			if r == utf8.RuneError && size == 1 {
				s.fail(badJSON("the body is not UTF-8"))
				return escaped
			}
			s.at += size
		}
	}
	s.invalid() // it has no end
	return escaped
}

// escape steps over an escape, or over two that are one surrogate pair.
func (s *scanner) escape() {
	rest := s.text[s.at:]
	if len(rest) > 1 && bytes.IndexByte([]byte(`"\/bfnrt`), rest[1]) >= 0 {
		s.at += 2
		return
	}
	switch unit := protocol.EscapedUnit(rest); {
	case unit < 0:
		s.invalid()
	case unit < 0xD800 || unit > 0xDFFF:
		s.at += 6
	default:
		if low := protocol.EscapedUnit(rest[6:]); unit > 0xDBFF || low < 0xDC00 || low > 0xDFFF {
			s.fail(badJSON(`a string has half of a surrogate pair (\ud800 to \udfff)`))
		}
		s.at += 12
	}
}

// literal steps over true, false or null.
func (s *scanner) literal(word string) {
	if !bytes.HasPrefix(s.text[s.at:], []byte(word)) {
		s.invalid()
		return
	}
	s.at += len(word)
}

// number steps over a number; what begins no value at all is none either.
func (s *scanner) number() {
	if s.problem != nil {
		return
	}
	s.sign("-")
	if s.at < len(s.text) && s.text[s.at] == '0' {
		s.at++
	} else {
		s.digits()
	}
	if s.at < len(s.text) && s.text[s.at] == '.' {
		s.at++
		s.digits()
	}
	if s.at < len(s.text) && s.text[s.at]|0x20 == 'e' {
		s.at++
		s.sign("+-")
		s.digits()
	}
}

func (s *scanner) sign(allowed string) {
	if s.at < len(s.text) && bytes.IndexByte([]byte(allowed), s.text[s.at]) >= 0 {
		s.at++
	}
}

// digits steps over at least one of them.
func (s *scanner) digits() {
	begin := s.at
	for s.at < len(s.text) && s.text[s.at] >= '0' && s.text[s.at] <= '9' {
		s.at++
	}
	if s.at == begin {
		s.invalid()
	}
}
