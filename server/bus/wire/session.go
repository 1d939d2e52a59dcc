package wire

import (
	"strconv"
	"strings"
)

// epoch8Digits is how much of an epoch is in a session's text: enough to tell a node's lives apart.
const epoch8Digits = 8

// MaxSessionBytes bounds a session's text, in the longer of its forms.
const MaxSessionBytes = MaxNodeBytes + 1 + epoch8Digits + 1 + len("255-ffffffff-ffffffff")

// SessionText is the text of a node's session in a cluster: NODE.EPOCH.ID, as in a.0123abcd.0-1f-3, where
// the epoch has the first 8 of its 16 digits. id is the session's text on its node.
func SessionText(node string, epoch uint64, id string) string {
	text := make([]byte, 0, MaxSessionBytes)
	text = append(append(text, node...), '.')
	text = append(appendEpoch(text, epoch)[:len(text)+epoch8Digits], '.')
	return string(append(text, id...))
}

// ParseSession takes a session's text apart, without a look at who has such a session. The short form is
// that of a single node, 0-1f-3: then node and epoch8 are "". All three alias the text.
func ParseSession(text string) (node, epoch8, id string, ok bool) {
	if strings.IndexByte(text, '.') < 0 {
		return "", "", text, validID(text)
	}
	node, rest, _ := strings.Cut(text, ".")
	epoch8, id, _ = strings.Cut(rest, ".")
	if !ValidNode(node) || len(epoch8) != epoch8Digits || !isLowerHex(epoch8) || !validID(id) {
		return "", "", "", false
	}
	return node, epoch8, id, true
}

// validID reports whether text is a session's on its node, as the engine reads them: the reactor in
// decimal, slot and generation in hexadecimal digits, no 0 in front.
func validID(text string) bool {
	reactor, rest, _ := strings.Cut(text, "-")
	slot, generation, _ := strings.Cut(rest, "-")
	n, ok := parseDecimal(reactor)
	return ok && n <= 255 && validHex32(slot) && validHex32(generation)
}

func validHex32(text string) bool {
	return len(text) <= 8 && isLowerHex(text) && (text[0] != '0' || len(text) == 1)
}

// IsOwn reports whether a session's text, taken apart, may be one of the node's with that name and epoch. The
// short form is everybody's own.
func IsOwn(node, epoch8, ownNode string, ownEpoch uint64) bool {
	if node == "" {
		return true
	}
	first, err := strconv.ParseUint(epoch8, 16, 32)
	return err == nil && node == ownNode && first == ownEpoch>>32
}
