package subject

import (
	"errors"
	"fmt"
	"strings"
)

// Kind is the token behind the prefix: what the name behind it is a name of.
type Kind byte

// The kinds whose subjects end in a name. What a bus has beside them is its own talk.
const (
	KindGroup Kind = 'g' // groupcast.g.NAME: a message for a group
	KindUser  Kind = 'u' // groupcast.u.NAME: a message for a user's sessions
)

// DefaultPrefix is that of all subjects unless another one is set.
const DefaultPrefix = "groupcast"

// Limits of whole subjects.
const (
	MaxPrefixBytes = 64
	// MaxSubjectBytes bounds a subject: prefix, dot, kind, dot, token.
	MaxSubjectBytes = MaxPrefixBytes + 3 + MaxTokenBytes
)

// Prefix stands in front of all subjects of one cluster: one word or several, with dots
// between them. Clusters with different prefixes on one NATS have no subject in common, also
// where one prefix continues another (doc.go). The zero value is none.
type Prefix struct{ text string }

// ErrPrefix is in the error about a text that is no prefix.
var ErrPrefix = errors.New("a prefix is words of A-Z a-z 0-9 - and _ with dots between them, 64 bytes at most; " +
	"it begins with a letter or digit, and its last word has two bytes or more")

// ParsePrefix checks a prefix.
func ParsePrefix(text string) (Prefix, error) {
	if len(text) == 0 || len(text) > MaxPrefixBytes {
		return Prefix{}, fmt.Errorf("%w: got %d bytes", ErrPrefix, len(text))
	}
	last := ""
	for last = range strings.SplitSeq(text, ".") {
		if last == "" || strings.ContainsFunc(last, notOfWord) {
			return Prefix{}, fmt.Errorf("%w: got %q", ErrPrefix, text)
		}
	}
	if len(last) < 2 || text[0] == '-' || text[0] == '_' {
		return Prefix{}, fmt.Errorf("%w: got %q", ErrPrefix, text)
	}
	return Prefix{text}, nil
}

// notOfWord leaves out what names have beside words: prefixes are written by hand into
// permissions and configuration files.
func notOfWord(r rune) bool {
	return r >= 0x80 || !plain[r] || r == '~' || r == ':' || r == '@'
}

// String is the prefix's text.
func (p Prefix) String() string { return p.text }

// All is the subject to listen to for all names of a kind.
func (p Prefix) All(k Kind) string { return p.text + "." + string(rune(k)) + ".*" }

// Append appends the subject of a name. The error is ErrName; then dst comes back as it was.
func Append[T string | []byte](dst []byte, p Prefix, k Kind, name T) ([]byte, error) {
	start := len(dst)
	dst = append(dst, p.text...)
	dst = append(dst, '.', byte(k), '.')
	dst, err := AppendToken(dst, name)
	if err != nil {
		return dst[:start], err
	}
	return dst, nil
}

// Cut finds kind and token in a subject. It reports whether that is the prefix, one byte
// and one token, and looks at neither of these: foreign programs may have written anything.
func Cut(p Prefix, subject string) (k Kind, token string, ok bool) {
	rest, found := strings.CutPrefix(subject, p.text)
	if !found || len(rest) < 4 || len(rest) > 3+MaxTokenBytes || rest[0] != '.' || rest[2] != '.' ||
		strings.IndexByte(rest[3:], '.') >= 0 {
		return 0, "", false
	}
	return Kind(rest[1]), rest[3:], true
}
