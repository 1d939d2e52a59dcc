package workerman

import "bytes"

const (
	// NodeIDBytes is the size of a groupcast's name among others: hexadecimal
	// digits in lower case.
	NodeIDBytes = 16
	// MaxHops is how many groupcasts a message may come through.
	MaxHops = 16
)

// Mark is what a groupcast writes beside a group's message when it passes it
// on: "text 0123456789abcdef" or "json 0123456789abcdef fedcba9876543210". The
// names are those of the groupcasts that the message came through, the first
// one first, so that each of them knows what it has had already.
type Mark struct {
	// IsText says that the message is a string; otherwise it is a JSON value's text.
	IsText bool
	via    []byte // names, with a space between two
}

// ParseMark reads the characters of a mark. The result aliases b.
func ParseMark(b []byte) (m Mark, ok bool) {
	kind, via, found := bytes.Cut(b, []byte{' '})
	m = Mark{IsText: string(kind) == "text", via: via}
	if !found || !m.IsText && string(kind) != "json" || len(via)%(NodeIDBytes+1) != NodeIDBytes {
		return Mark{}, false
	}
	for i, c := range via {
		if i%(NodeIDBytes+1) == NodeIDBytes {
			ok = c == ' '
		} else {
			ok = isDigit(c) || c >= 'a' && c <= 'f'
		}
		if !ok {
			return Mark{}, false
		}
	}
	return m, m.Hops() <= MaxHops
}

// IsNodeID says whether b can be a groupcast's name.
func IsNodeID(b []byte) bool {
	_, ok := ParseMark(append([]byte("text "), b...))
	return ok && len(b) == NodeIDBytes
}

// Clone returns a copy that shares no memory with m.
func (m Mark) Clone() Mark {
	m.via = bytes.Clone(m.via)
	return m
}

// Hops is how many groupcasts the message came through.
func (m Mark) Hops() int { return (len(m.via) + 1) / (NodeIDBytes + 1) }

// Has says whether it came through the groupcast of that name.
func (m Mark) Has(node string) bool {
	for rest := m.via; len(rest) >= NodeIDBytes; rest = rest[min(NodeIDBytes+1, len(rest)):] {
		if string(rest[:NodeIDBytes]) == node {
			return true
		}
	}
	return false
}

// Last is the groupcast that it came from, empty if from none.
func (m Mark) Last() []byte { return m.via[max(0, len(m.via)-NodeIDBytes):] }

// AppendMark appends the mark with which the groupcast of that name passes on
// what came with m.
func (m Mark) AppendMark(dst []byte, node string) []byte {
	if m.IsText {
		dst = append(dst, "text "...)
	} else {
		dst = append(dst, "json "...)
	}
	if len(m.via) > 0 {
		dst = append(dst, m.via...)
		dst = append(dst, ' ')
	}
	return append(dst, node...)
}
