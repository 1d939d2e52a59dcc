package workerman

// Kind is what a serialized value is. The zero Kind is none.
type Kind uint8

// The kinds of values that are taken.
const (
	KindNull Kind = iota + 1
	KindBool
	KindInt
	KindFloat
	KindString
	KindArray
	KindReference
)

// Value is one serialized value.
type Value struct {
	Kind Kind
	// Text aliases the input: the characters of a string; the digits of an
	// integer, a float or a reference as they were written; 0 or 1 of a boolean.
	Text []byte
	// count is how many pairs an array says that it has.
	count int
}

// Integer is an integer in the shortest form, which is how PHP writes it.
func (v Value) Integer() []byte { return shortest(v.Text) }

// scanner reads serialized values from left to right. It takes what PHP's
// unserialize() takes, but for objects in every form, integers beyond 64 bits,
// and the escaped strings (S:) that serialize() never wrote.
//
// It counts slots as PHP does, for back references: every value has the next
// number, beginning at 1 with the outermost; keys and references have none.
type scanner struct {
	in       []byte
	at       int
	slots    int   // values so far
	floor    int   // a back reference must lead to a slot above it
	open     []int // for each array that is open, the pairs still to come
	maxDepth int
	refs     []int // where back references above floor begin in in; see keepRefs
	keepRefs bool
}

// minPairBytes is the shortest pair of an array: i:0;N;
const minPairBytes = 6

// value reads one value; of an array only what is before its first pair.
func (s *scanner) value() (Value, *Error) {
	if len(s.in)-s.at < 2 {
		return Value{}, errSyntax
	}
	tag, second := s.in[s.at], s.in[s.at+1]
	if tag == 'N' && second == ';' {
		s.at += 2
		s.slots++
		return Value{Kind: KindNull}, nil
	}
	if second != ':' {
		return Value{}, errSyntax
	}
	start := s.at
	s.at += 2
	switch tag {
	case 'R':
		return s.reference(start)
	case 'O', 'C', 'E':
		return Value{}, errObject
	case 'r':
		return Value{}, errReference // leads to objects only
	}
	s.slots++
	switch tag {
	case 's':
		return s.text()
	case 'i':
		return s.integer()
	case 'a':
		return s.array()
	case 'd':
		return s.float()
	case 'b':
		if v := s.in[s.at:]; len(v) >= 2 && (v[0] == '0' || v[0] == '1') && v[1] == ';' {
			s.at += 2
			return Value{Kind: KindBool, Text: v[:1:1]}, nil
		}
	}
	return Value{}, errSyntax
}

// key reads an array's key: a string or an integer.
func (s *scanner) key() (Value, *Error) {
	if len(s.in)-s.at < 2 || s.in[s.at+1] != ':' {
		return Value{}, errSyntax
	}
	tag := s.in[s.at]
	s.at += 2
	switch tag {
	case 's':
		return s.text()
	case 'i':
		return s.integer()
	}
	return Value{}, errSyntax
}

// skip reads one value with all that is in it. It does not recurse: what is
// nested costs an int a level.
func (s *scanner) skip() (Value, *Error) {
	var first Value
	for base := len(s.open); ; {
		v, err := s.value()
		if err != nil {
			return Value{}, err
		}
		if first.Kind == 0 {
			first = v
		}
		if v.Kind == KindArray {
			if err := s.enter(v.count); err != nil {
				return Value{}, err
			}
		}
		for {
			top := len(s.open) - 1
			if top < base {
				return first, nil
			}
			if s.open[top] > 0 {
				s.open[top]--
				break
			}
			if err := s.leave(); err != nil {
				return Value{}, err
			}
		}
		if _, err := s.key(); err != nil {
			return Value{}, err
		}
	}
}

// enter goes into an array of count pairs.
func (s *scanner) enter(count int) *Error {
	if len(s.open) >= s.maxDepth {
		return errDepth
	}
	s.open = append(s.open, count)
	return nil
}

// leave reads the end of the array entered last.
func (s *scanner) leave() *Error {
	if s.at >= len(s.in) || s.in[s.at] != '}' {
		return errSyntax
	}
	s.at++
	s.open = s.open[:len(s.open)-1]
	return nil
}

// text reads the rest of s:5:"hello";
func (s *scanner) text() (Value, *Error) {
	n, ok := s.number(':')
	if !ok || len(s.in)-s.at < n+3 {
		return Value{}, errSyntax
	}
	b := s.in[s.at : s.at+n+3]
	if b[0] != '"' || b[n+1] != '"' || b[n+2] != ';' {
		return Value{}, errSyntax
	}
	s.at += n + 3
	return Value{Kind: KindString, Text: b[1 : n+1 : n+1]}, nil
}

// array reads the rest of a:2:{
func (s *scanner) array() (Value, *Error) {
	n, ok := s.number(':')
	if !ok || s.at >= len(s.in) || s.in[s.at] != '{' {
		return Value{}, errSyntax
	}
	s.at++
	if n > (len(s.in)-s.at)/minPairBytes {
		return Value{}, errSyntax // a count that no bytes stand behind
	}
	return Value{Kind: KindArray, count: n}, nil
}

// reference reads the rest of R:5; which began at start.
func (s *scanner) reference(start int) (Value, *Error) {
	digits := s.at
	n, ok := s.number(';')
	if !ok {
		return Value{}, errSyntax
	}
	if n <= s.floor || n > s.slots {
		return Value{}, errReference
	}
	if s.keepRefs {
		s.refs = append(s.refs, start)
	}
	return Value{Kind: KindReference, Text: s.in[digits : s.at-1 : s.at-1]}, nil
}

// integer reads the rest of i:-5; which fits 64 bits.
func (s *scanner) integer() (Value, *Error) {
	start := s.at
	s.sign()
	digits := s.at
	if s.digits() == 0 || !s.byte(';') {
		return Value{}, errSyntax
	}
	v := s.in[start : s.at-1 : s.at-1]
	if !fits(s.in[digits:s.at-1], v[0] == '-') {
		return Value{}, errSyntax
	}
	return Value{Kind: KindInt, Text: v}, nil
}

// float reads the rest of d:-1.5E+25; or d:INF;
func (s *scanner) float() (Value, *Error) {
	start := s.at
	if !s.word("NAN") && !s.word("INF") && !s.word("-INF") {
		s.sign()
		n := s.digits()
		if s.byte('.') {
			n += s.digits()
		}
		if n == 0 {
			return Value{}, errSyntax
		}
		if s.byte('e') || s.byte('E') {
			s.sign()
			if s.digits() == 0 {
				return Value{}, errSyntax
			}
		}
	}
	if !s.byte(';') {
		return Value{}, errSyntax
	}
	return Value{Kind: KindFloat, Text: s.in[start : s.at-1 : s.at-1]}, nil
}

// number reads digits and the byte end. A number beyond the input's size is
// that size plus one: no length, count or slot is as large.
func (s *scanner) number(end byte) (n int, ok bool) {
	start := s.at
	for ; s.at < len(s.in) && isDigit(s.in[s.at]); s.at++ {
		n = min(n*10+int(s.in[s.at]-'0'), len(s.in)+1)
	}
	return n, s.at > start && s.byte(end)
}

func (s *scanner) sign() {
	if !s.byte('-') {
		s.byte('+')
	}
}

func (s *scanner) digits() (n int) {
	for s.at < len(s.in) && isDigit(s.in[s.at]) {
		s.at++
		n++
	}
	return n
}

// byte takes b, if that is next.
func (s *scanner) byte(b byte) bool {
	if s.at < len(s.in) && s.in[s.at] == b {
		s.at++
		return true
	}
	return false
}

// word takes w, if that is next.
func (s *scanner) word(w string) bool {
	if rest := s.in[s.at:]; len(rest) >= len(w) && string(rest[:len(w)]) == w {
		s.at += len(w)
		return true
	}
	return false
}

func isDigit(b byte) bool { return b >= '0' && b <= '9' }

// fits says whether a number with these digits is a 64-bit integer.
func fits(digits []byte, negative bool) bool {
	for len(digits) > 0 && digits[0] == '0' {
		digits = digits[1:]
	}
	const most, least = "9223372036854775807", "9223372036854775808"
	switch {
	case len(digits) != len(most):
		return len(digits) < len(most)
	case negative:
		return string(digits) <= least
	}
	return string(digits) <= most
}
