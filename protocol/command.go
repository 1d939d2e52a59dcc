package protocol

import (
	"bytes"
	"unicode/utf8"
)

// Kind is what a command asks for. The zero Kind is none.
type Kind uint8

// The commands of the contract (WIRE.md, "Commands").
const (
	KindAddGroup Kind = iota + 1
	KindLeaveGroup
	KindSendToGroup
	KindPing
	KindAuth
	KindMembers
)

// String returns the command's name on the wire.
func (k Kind) String() string {
	switch k {
	case KindAddGroup:
		return "add_group"
	case KindLeaveGroup:
		return "leave_group"
	case KindSendToGroup:
		return "send_to_group"
	case KindPing:
		return "ping"
	case KindAuth:
		return "auth"
	case KindMembers:
		return "members"
	}
	return "none"
}

// Bounds of a page of members.
const (
	MaxMembersPage     = 1000
	DefaultMembersPage = 100
	// MaxAfterBytes bounds where a page goes on, in bytes of the JSON token.
	MaxAfterBytes = 256
)

// MaxReqIDBytes bounds what a client makes the server repeat, in bytes of the
// JSON token.
const MaxReqIDBytes = 256

// Command is one message of a client, understood. Fields that the command does
// not have are zero. Its slices are not copies: see CommandParser.Parse.
type Command struct {
	Kind Kind
	// Group is the group's name: the characters of a string, or the digits of
	// an integer, so that 123 and "123" are one group.
	Group []byte
	// Message is what is sent: the characters of a JSON string if IsText,
	// which may be none, or else a JSON value's text exactly as received. Of
	// KindAuth it is the token.
	Message []byte
	IsText  bool
	// ExcludeSelf asks for no copy to the sender.
	ExcludeSelf bool
	// Limit is how many members are asked for, and After behind which place: of
	// KindMembers.
	Limit int
	After []byte
	// ReqID is the JSON token to repeat in the answer, a string with its
	// quotes or an integer, at most 256 bytes; nil if none came.
	ReqID []byte
}

// CommandParser turns messages into commands.
//
// Owner: one reactor. It reuses its decoder and buffers, so it costs no
// allocation per command, and must not be used concurrently. It has 20 KiB of
// buffers, and between two calls it refers to nothing of the last payload.
type CommandParser struct {
	maxGroupBytes int
	json          jsonDecoder
	// group and message hold unescaped strings until the next Parse, if they
	// fit. The message's is larger than what a Decoder keeps: there is one for
	// all connections of a reactor, and JSON in a string is common.
	group   [4 << 10]byte
	message [16 << 10]byte
}

// NewCommandParser returns a parser that accepts group names of up to
// maxGroupBytes bytes.
func NewCommandParser(maxGroupBytes int) *CommandParser {
	p := &CommandParser{maxGroupBytes: maxGroupBytes}
	p.json.init()
	return p
}

// Parse reads the command in payload into c. binary says that payload came in
// a binary message; it is then checked to be UTF-8, which text already was.
//
// c is overwritten. Its slices alias payload or the parser's buffers: they are
// valid until the next Parse, and as long as payload is. On an error only
// c.ReqID means something: set if one was readable, to be repeated in the
// answer.
//
// A well-formed command costs no allocation, but one for a message with escapes
// that has more than 16 KiB as it stands in the JSON text, or a group's name
// with more than 4 (and some for escapes inside keys, which nobody writes).
func (p *CommandParser) Parse(payload []byte, binary bool, c *Command) *CommandError {
	*c = Command{}
	if binary && !utf8.Valid(payload) {
		return errNotUTF8
	}
	defer p.json.release()
	f := p.json.decode(payload)
	if f == nil {
		return errNotObject
	}
	if f.ReqID != nil {
		if !isReqID(f.ReqID) {
			return errReqID
		}
		c.ReqID = f.ReqID
	}
	kind, err := p.parseKind(f.Cmd)
	if err != nil || kind == KindPing {
		c.Kind = kind
		return err
	}
	if kind == KindAuth {
		if len(f.Token) == 0 || f.Token[0] != '"' {
			return errToken
		}
		c.Kind, c.Message, c.IsText = kind, text(f.Token, p.message[:0]), true
		return nil
	}
	group, err := p.parseGroup(f.GroupID)
	if err != nil {
		return err
	}
	if kind == KindSendToGroup {
		if f.Message == nil {
			return errNoMessage
		}
		if c.ExcludeSelf, err = parseBool(f.ExcludeSelf); err != nil {
			return err
		}
		c.Message, c.IsText = f.Message, f.Message[0] == '"'
		if c.IsText {
			c.Message = text(f.Message, p.message[:0])
		}
	}
	if kind == KindMembers {
		if c.Limit, err = parseLimit(f.Limit); err != nil {
			return err
		}
		if c.After, err = p.parseAfter(f.After); err != nil {
			return err
		}
	}
	c.Kind, c.Group = kind, group
	return nil
}

func (p *CommandParser) parseKind(raw []byte) (Kind, *CommandError) {
	if len(raw) == 0 || raw[0] != '"' {
		return 0, errCmd
	}
	// The group's buffer is free until parseGroup.
	switch string(text(raw, p.group[:0])) {
	case "add_group":
		return KindAddGroup, nil
	case "leave_group":
		return KindLeaveGroup, nil
	case "send_to_group":
		return KindSendToGroup, nil
	case "ping":
		return KindPing, nil
	case "auth":
		return KindAuth, nil
	case "members":
		return KindMembers, nil
	}
	return 0, errCmd
}

func (p *CommandParser) parseGroup(raw []byte) ([]byte, *CommandError) {
	var name []byte
	switch {
	case len(raw) > 0 && raw[0] == '"':
		name = text(raw, p.group[:0])
	default:
		var ok bool
		if name, ok = NumberedGroup(raw); !ok {
			return nil, errGroupType
		}
	}
	if len(name) == 0 {
		return nil, errGroupEmpty
	}
	if len(name) > p.maxGroupBytes {
		return nil, errGroupLength
	}
	return name, nil
}

// NumberedGroup is the name of the group that a valid JSON value names by a number:
// 123 is "123". ok is false for all but an integer literal.
func NumberedGroup(raw []byte) (name []byte, ok bool) {
	if !isInteger(raw) {
		return nil, false
	}
	if string(raw) == "-0" {
		return raw[1:], true
	}
	return raw, true
}

// parseBool reads an optional JSON boolean; a missing one is false.
func parseBool(raw []byte) (bool, *CommandError) {
	switch string(raw) {
	case "", "false":
		return false, nil
	case "true":
		return true, nil
	}
	return false, errExcludeSelf
}

// parseLimit reads how many members are wanted.
func parseLimit(raw []byte) (int, *CommandError) {
	if raw == nil {
		return DefaultMembersPage, nil
	}
	const digits = 4 // of MaxMembersPage
	if !isInteger(raw) || raw[0] == '-' || len(raw) > digits {
		return 0, errLimit
	}
	n := 0
	for _, c := range raw {
		n = 10*n + int(c-'0')
	}
	if n < 1 || n > MaxMembersPage {
		return 0, errLimit
	}
	return n, nil
}

// parseAfter reads where a page goes on; a missing one and "" are the beginning.
func (p *CommandParser) parseAfter(raw []byte) ([]byte, *CommandError) {
	switch {
	case raw == nil:
		return nil, nil
	case raw[0] != '"' || len(raw) > MaxAfterBytes:
		return nil, errAfter
	}
	return text(raw, p.message[:0]), nil
}

func isReqID(raw []byte) bool {
	return len(raw) <= MaxReqIDBytes && (raw[0] == '"' || isInteger(raw))
}

// isInteger reports whether a valid JSON value is an integer literal: a number
// without fraction and exponent, even where their value would be whole.
func isInteger(raw []byte) bool {
	if len(raw) == 0 || raw[0] != '-' && (raw[0] < '0' || raw[0] > '9') {
		return false
	}
	return !bytes.ContainsAny(raw, ".eE")
}

// text returns the characters of a valid JSON string: a part of raw, or, if
// there are escapes in it, of scratch's capacity, which is overwritten then.
// What might not fit in there gets a buffer of its own, which goes with the
// command instead of staying here at the size of the largest one ever.
func text(raw, scratch []byte) []byte {
	raw = raw[1 : len(raw)-1]
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw
	}
	if len(raw) > cap(scratch) {
		scratch = make([]byte, 0, len(raw))
	}
	return AppendUnescaped(scratch, raw)
}
