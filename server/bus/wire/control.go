package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Limits of a control message.
const (
	// MaxControlBytes bounds one without a list.
	MaxControlBytes = 64 << 10
	// MaxListBytes bounds one with a list. It is what NATS servers take by default.
	MaxListBytes = 1 << 20
)

// Control is one message of a node to all others (PREFIX.n.all) or to one (PREFIX.n.NODE): a JSON object
// with v, type, node, epoch and the fields of its kind.
type Control struct {
	Version int    // 1 in what was read; Append writes 1 whatever stands here
	Type    string // its kind's name; Append takes "" for that
	Node    string // who says it, in which of its lives
	Epoch   uint64

	// One of these is there.
	Heartbeat     *Heartbeat
	Marker        *Marker
	Marked        *Marked
	Notice        *Notice
	Range         *Range
	Ranged        *Ranged
	Who           *Who
	Here          *Here
	Members       *Members
	MembersAnswer *MembersAnswer
	Watch         *Watch
	Counts        *Counts
	Remove        *Remove
	Removed       *Removed
}

// body is one of the kinds.
type body interface {
	// check is what is wrong with it, "" if nothing is: fields that JSON's types do not bound.
	check() string
}

// kind is a kind by its name.
type kind struct {
	name     string
	maxBytes int
	make     func(*Control) body // puts an empty one into a Control
	of       func(*Control) body // the one in a Control, or nil
}

func kindOf[T any, B interface {
	*T
	body
}](name string, maxBytes int, field func(*Control) **T) kind {
	return kind{
		name, maxBytes,
		func(c *Control) body {
			v := new(T)
			*field(c) = v
			return B(v)
		},
		func(c *Control) body {
			if v := *field(c); v != nil {
				return B(v)
			}
			return nil
		},
	}
}

// A heartbeat has no list yet. What later versions add to it (counts of watched groups) has to be passed over and not
// be too large: otherwise this node would take theirs for dead.
var kinds = [...]kind{
	kindOf("heartbeat", MaxListBytes, func(c *Control) **Heartbeat { return &c.Heartbeat }),
	kindOf("marker", MaxControlBytes, func(c *Control) **Marker { return &c.Marker }),
	kindOf("marked", MaxControlBytes, func(c *Control) **Marked { return &c.Marked }),
	kindOf("notice", MaxListBytes, func(c *Control) **Notice { return &c.Notice }),
	kindOf("range", MaxControlBytes, func(c *Control) **Range { return &c.Range }),
	kindOf("ranged", MaxListBytes, func(c *Control) **Ranged { return &c.Ranged }),
	kindOf("who", MaxControlBytes, func(c *Control) **Who { return &c.Who }),
	kindOf("here", MaxControlBytes, func(c *Control) **Here { return &c.Here }),
	kindOf("members", MaxControlBytes, func(c *Control) **Members { return &c.Members }),
	kindOf("members_answer", MaxListBytes, func(c *Control) **MembersAnswer { return &c.MembersAnswer }),
	kindOf("watch", MaxListBytes, func(c *Control) **Watch { return &c.Watch }),
	kindOf("counts", MaxListBytes, func(c *Control) **Counts { return &c.Counts }),
	kindOf("remove", MaxControlBytes, func(c *Control) **Remove { return &c.Remove }),
	kindOf("removed", MaxControlBytes, func(c *Control) **Removed { return &c.Removed }),
}

// envelope is what all kinds have.
type envelope struct {
	V     int    `json:"v"`
	Type  string `json:"type"`
	Node  string `json:"node"`
	Epoch string `json:"epoch"`
}

// ReadControl reads a message between nodes. Fields that are not known are passed over. It copies
// what it keeps.
func ReadControl(data []byte) (Control, *Bad) {
	if len(data) > MaxListBytes {
		return Control{}, bad(ReasonTooLarge, "control: want %d bytes at most: got %d", MaxListBytes, len(data))
	}
	if !utf8.Valid(data) {
		return Control{}, bad(ReasonUTF8, "control: want UTF-8: got something else in %d bytes", len(data))
	}
	var e envelope
	err := json.Unmarshal(data, &e)
	// First of all, since another version's other fields may be anything. They end no decoding of v; of what is
	// no JSON nothing is decoded.
	if e.V != 0 && e.V != Version {
		return Control{}, bad(ReasonVersion, "control: v: want %d: got %d", Version, e.V)
	}
	if err != nil {
		return Control{}, bad(ReasonControl, "control: want a JSON object: %s", clip(err.Error()))
	}
	if e.V == 0 {
		return Control{}, bad(ReasonControl, "control: v: want %d: got none", Version)
	}
	c := Control{Version: e.V, Type: e.Type, Node: e.Node}
	var ok bool
	if c.Epoch, ok = ParseEpoch(e.Epoch); !ok {
		return Control{}, bad(ReasonControl, "control: epoch: want 16 hexadecimal digits: got %s", quote(e.Epoch))
	}
	if !ValidNode(e.Node) {
		return Control{}, bad(ReasonControl, "control: node: want a node's name: got %s", quote(e.Node))
	}
	for i := range kinds {
		if kinds[i].name == e.Type {
			return c.read(&kinds[i], data)
		}
	}
	return Control{}, bad(ReasonControl, "control: type: want one that version %d has: got %s", Version, quote(e.Type))
}

// read reads the fields of the kind.
func (c Control) read(k *kind, data []byte) (Control, *Bad) {
	if len(data) > k.maxBytes {
		return Control{}, bad(ReasonTooLarge, "%s: want %d bytes at most: got %d", k.name, k.maxBytes, len(data))
	}
	b := k.make(&c)
	if err := json.Unmarshal(data, b); err != nil {
		return Control{}, bad(ReasonControl, "%s: %s", k.name, clip(err.Error()))
	}
	if wrong := b.check(); wrong != "" {
		return Control{}, bad(ReasonControl, "%s: %s", k.name, wrong)
	}
	return c, nil
}

// Append appends the message. The error is about what no node would read; then dst comes back as it was.
func (c *Control) Append(dst []byte) ([]byte, error) {
	k, b, err := c.kind()
	if err != nil {
		return dst, err
	}
	if !ValidNode(c.Node) || c.Epoch == 0 {
		return dst, fmt.Errorf("%s: want a node's name and epoch: got %s and %d", k.name, quote(c.Node), c.Epoch)
	}
	if wrong := b.check(); wrong != "" {
		return dst, fmt.Errorf("%s: %s", k.name, wrong)
	}
	begin := len(dst)
	long := append(dst, text(envelope{Version, k.name, c.Node, EpochText(c.Epoch)})...)
	if fields := text(b); len(fields) > len("{}") {
		long[len(long)-1] = ',' // for the closing brace
		long = append(long, fields[1:]...)
	}
	if n := len(long) - begin; n > k.maxBytes {
		return dst, fmt.Errorf("%s: want %d bytes at most: got %d", k.name, k.maxBytes, n)
	}
	return long, nil
}

// kind is that of the one body that has to be there.
func (c *Control) kind() (k *kind, b body, err error) {
	for i := range kinds {
		switch one := kinds[i].of(c); {
		case one == nil:
		case b != nil:
			return nil, nil, fmt.Errorf("control: want one kind: got %s and %s", k.name, kinds[i].name)
		default:
			k, b = &kinds[i], one
		}
	}
	if b == nil {
		return nil, nil, errors.New("control: want one kind: got none")
	}
	if c.Type != "" && c.Type != k.name {
		return nil, nil, fmt.Errorf("control: type: want %s: got %s", k.name, quote(c.Type))
	}
	return k, b, nil
}

// clip bounds the text of a library's error, which may repeat the input.
func clip(text string) string {
	const maxErrorBytes = 200
	if len(text) > maxErrorBytes {
		return strings.ToValidUTF8(text[:maxErrorBytes], "")
	}
	return text
}

// tooLong is what is wrong with a string of a message, "" if nothing is.
func tooLong(field, value string, maxBytes int) string {
	if len(value) > maxBytes || !utf8.ValidString(value) {
		return fmt.Sprintf("%s: want UTF-8 of %d bytes at most: got %d bytes", field, maxBytes, len(value))
	}
	return ""
}
