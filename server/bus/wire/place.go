package wire

import (
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"strings"
)

// MaxNodeBytes bounds the name of a node.
const MaxNodeBytes = 32

// epochDigits is how many hexadecimal digits the text of an epoch has.
const epochDigits = 16

// Place is a place in the order of one node in one of its lives. The zero value is no node's.
type Place struct {
	Node  string
	Epoch uint64
	Order uint64
}

// ValidNode reports whether a node may have that name: 1 to 32 of A-Z a-z 0-9 - _, and not "all", which
// is the subject of all of them.
func ValidNode(name string) bool {
	if len(name) == 0 || len(name) > MaxNodeBytes || name == "all" {
		return false
	}
	for i := range len(name) {
		switch c := name[i]; {
		case c >= '0' && c <= '9', c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', c == '-', c == '_':
		default:
			return false
		}
	}
	return true
}

// EpochText is an epoch as 16 hexadecimal digits, as the engine writes it.
func EpochText(epoch uint64) string { return string(appendEpoch(nil, epoch)) }

func appendEpoch(dst []byte, epoch uint64) []byte {
	var raw [8]byte
	binary.BigEndian.PutUint64(raw[:], epoch)
	return hex.AppendEncode(dst, raw[:])
}

// ParseEpoch reads an epoch's text: 16 digits, small letters, and not all of them 0.
func ParseEpoch(text string) (epoch uint64, ok bool) {
	if len(text) != epochDigits || !isLowerHex(text) {
		return 0, false
	}
	epoch, err := strconv.ParseUint(text, 16, 64)
	return epoch, err == nil && epoch != 0
}

func isLowerHex(text string) bool {
	for i := range len(text) {
		if c := text[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return len(text) > 0
}

// String is the text of a place: NODE EPOCH ORDER.
func (p Place) String() string {
	text := make([]byte, 0, MaxNodeBytes+1+epochDigits+1+20)
	text = append(append(text, p.Node...), ' ')
	text = append(appendEpoch(text, p.Epoch), ' ')
	return string(strconv.AppendUint(text, p.Order, 10))
}

// ParsePlace reads the text of a place. There is one text for a place: one blank between two parts, no
// sign, no 0 in front. The node's name aliases the text.
func ParsePlace(text string) (p Place, ok bool) {
	node, rest, _ := strings.Cut(text, " ")
	epochText, orderText, _ := strings.Cut(rest, " ")
	epoch, ok := ParseEpoch(epochText)
	order, ok2 := parseDecimal(orderText)
	if !ok || !ok2 || !ValidNode(node) {
		return Place{}, false
	}
	return Place{node, epoch, order}, true
}

// parseDecimal reads a number of which there is one form.
func parseDecimal(text string) (n uint64, ok bool) {
	if len(text) > 1 && text[0] == '0' {
		return 0, false
	}
	n, err := strconv.ParseUint(text, 10, 64)
	return n, err == nil
}
