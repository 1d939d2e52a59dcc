package workerman

import (
	"bytes"
	"errors"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"
)

// Why AppendJSON writes nothing.
var (
	// ErrNotJSON is a value that JSON does not know: INF, NAN, a back reference,
	// an array that has a key twice.
	ErrNotJSON = errors.New("channel: not a value that JSON knows")
	// ErrJSONNotUTF8 is a string, or a key, that is not UTF-8.
	ErrJSONNotUTF8 = errors.New("channel: a string that is not UTF-8")
	// ErrJSONLong is a text beyond the limit.
	ErrJSONLong = errors.New("channel: the JSON text is over the limit")
)

// AppendJSON appends the message as JSON text of at most maxBytes, in the bytes
// that Workerman 5 sends its members: json_encode() with JSON_UNESCAPED_UNICODE.
// Only a float by itself keeps its point: 1.0 is 1.0 and not the integer 1. On
// an error dst is as it was. Memory is in proportion to maxBytes, not to the value.
func (g *GroupMessage) AppendJSON(dst []byte, maxBytes int) ([]byte, error) {
	if g.Message.Kind == KindFloat {
		out, err := appendFloat(dst, g.Message.Text, true)
		if err == nil && len(out)-len(dst) > maxBytes {
			return dst, ErrJSONLong
		}
		return out, err
	}
	// Whether an array is a list shows at its end, and is written at its start.
	survey := survey{scan: g.scanner(), most: maxBytes / minElementBytes}
	if err := survey.value(); err != nil {
		return dst, err
	}
	w := jsonWriter{scan: g.scanner(), out: dst, most: len(dst) + maxBytes, lists: survey.lists}
	if err := w.value(); err != nil {
		return dst, err
	}
	return w.out, nil
}

// scanner reads the message again, which was read without an error.
func (g *GroupMessage) scanner() scanner {
	return scanner{in: g.message, slots: len(g.data.Bytes), maxDepth: len(g.message)}
}

// minElementBytes is the least text that an element of an array makes: 1 and a comma.
const minElementBytes = 2

// survey finds out which arrays of a value are lists: those whose keys are 0, 1
// and so on, in that order. A string of an integer is that integer, as it is to PHP.
type survey struct {
	scan  scanner
	lists []bool   // for each array, in the order in which they begin
	keys  [][]byte // of the arrays that are open
	pairs int
	most  int // of pairs
}

func (s *survey) value() error {
	v, err := s.scan.value()
	switch {
	case err != nil, v.Kind == KindReference:
		return ErrNotJSON
	case v.Kind != KindArray:
		return nil
	}
	if s.pairs += v.count; s.pairs > s.most+1 {
		return ErrJSONLong
	}
	array, base, list := len(s.lists), len(s.keys), true
	s.lists = append(s.lists, false)
	for i := range v.count {
		key, err := s.scan.key()
		if err != nil {
			return ErrNotJSON
		}
		text := keyText(key)
		list = list && string(text) == strconv.Itoa(i)
		s.keys = append(s.keys, text)
		if err := s.value(); err != nil {
			return err
		}
	}
	s.scan.at++ // its closing brace
	s.lists[array] = list
	keys := s.keys[base:]
	s.keys = s.keys[:base]
	if list {
		return nil
	}
	slices.SortFunc(keys, bytes.Compare)
	if len(slices.CompactFunc(keys, bytes.Equal)) < v.count {
		return ErrNotJSON
	}
	return nil
}

func keyText(key Value) []byte {
	if key.Kind == KindInt {
		return key.Integer()
	}
	return key.Text
}

// jsonWriter writes a value that was surveyed.
type jsonWriter struct {
	scan  scanner
	out   []byte
	most  int // len(out) at the end
	lists []bool
}

func (w *jsonWriter) value() (err error) {
	v, bad := w.scan.value()
	if bad != nil {
		return ErrNotJSON
	}
	switch v.Kind {
	case KindNull:
		w.out = append(w.out, "null"...)
	case KindBool:
		w.out = strconv.AppendBool(w.out, v.Text[0] == '1')
	case KindInt:
		w.out = append(w.out, v.Integer()...)
	case KindFloat:
		w.out, err = appendFloat(w.out, v.Text, false)
	case KindString:
		err = w.text(v.Text)
	case KindArray:
		err = w.array(v.count)
	default:
		err = ErrNotJSON
	}
	if err == nil && len(w.out) > w.most {
		err = ErrJSONLong
	}
	return err
}

func (w *jsonWriter) array(count int) error {
	list := w.lists[0]
	w.lists = w.lists[1:]
	open, end := byte('{'), byte('}')
	if list {
		open, end = '[', ']'
	}
	w.out = append(w.out, open)
	for i := range count {
		if i > 0 {
			w.out = append(w.out, ',')
		}
		key, bad := w.scan.key()
		if bad != nil {
			return ErrNotJSON
		}
		if !list {
			if err := w.text(keyText(key)); err != nil {
				return err
			}
			w.out = append(w.out, ':')
		}
		if err := w.value(); err != nil {
			return err
		}
	}
	w.scan.at++
	w.out = append(w.out, end)
	return nil
}

// text writes a string with PHP's escapes.
func (w *jsonWriter) text(s []byte) error {
	if !utf8.Valid(s) {
		return ErrJSONNotUTF8
	}
	if len(s) > w.most-len(w.out) {
		return ErrJSONLong
	}
	const hex = "0123456789abcdef"
	w.out = append(w.out, '"')
	done := 0
	for i, c := range s {
		escape := ""
		switch {
		case c == '"' || c == '\\' || c == '/':
			w.out = append(w.out, s[done:i]...)
			w.out = append(w.out, '\\', c)
			done = i + 1
			continue
		case c == '\b':
			escape = `\b`
		case c == '\t':
			escape = `\t`
		case c == '\n':
			escape = `\n`
		case c == '\f':
			escape = `\f`
		case c == '\r':
			escape = `\r`
		case c < ' ':
			escape = `\u00` + string([]byte{hex[c>>4], hex[c&15]})
		case c == 0xe2 && s[i+1] == 0x80 && s[i+2]&^1 == 0xa8: // U+2028 and U+2029 end a line of JavaScript
			w.out = append(w.out, s[done:i]...)
			w.out = append(w.out, `\u202`...)
			w.out = append(w.out, hex[s[i+2]&15])
			done = i + 3
			continue
		default:
			continue
		}
		w.out = append(w.out, s[done:i]...)
		w.out = append(w.out, escape...)
		done = i + 1
	}
	w.out = append(w.out, s[done:]...)
	w.out = append(w.out, '"')
	return nil
}

// appendFloat writes a float as PHP does: the shortest digits that are this
// number, with an exponent from 1.0e+17 on and below 0.0001. point says that a
// whole number gets one.
func appendFloat(dst, text []byte, point bool) ([]byte, error) {
	v, err := strconv.ParseFloat(string(text), 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return dst, ErrNotJSON
	}
	const digits = 17
	var buffer [32]byte
	short := strconv.AppendFloat(buffer[:0], v, 'e', -1, 64)
	mantissa, exponent, _ := bytes.Cut(short, []byte{'e'})
	e, _ := strconv.Atoi(string(exponent))
	if v != 0 && (e < -4 || e >= digits) {
		dst = append(dst, mantissa...)
		if !bytes.Contains(mantissa, []byte{'.'}) {
			dst = append(dst, ".0"...)
		}
		dst = append(dst, 'e')
		if e > 0 {
			dst = append(dst, '+')
		}
		return strconv.AppendInt(dst, int64(e), 10), nil
	}
	start := len(dst)
	dst = strconv.AppendFloat(dst, v, 'f', -1, 64)
	if point && !bytes.Contains(dst[start:], []byte{'.'}) {
		dst = append(dst, ".0"...)
	}
	return dst, nil
}
