package reactor

import (
	"github.com/gobwas/ws"

	"groupcast/loop/order"
	"groupcast/protocol"
)

// dialect is what a session's messages look like: how its commands are read, and how
// answers, pings, goodbyes and groups' messages are written to it. What a command does
// is the same in all of them (command.go), and so are WebSocket's frames around them.
//
// All of it but members is called on the session's loop, never waits, and appends to dst as append
// does. A session's dialect does not change once it is open.
type dialect struct {
	// parse reads the command in payload into c, which the caller has cleared. A
	// command that carries no ReqID is carried out without an answer, unless asking
	// for one is all it does.
	parse func(p *parsers, payload []byte, binary bool, c *protocol.Command) *protocol.CommandError
	// ack is the text that says that a command of that kind was carried out.
	ack func(dst []byte, mode protocol.Mode, kind protocol.Kind, reqID []byte) []byte
	// uncoveredAck is ack for a join of a group that the bus does not cover.
	uncoveredAck func(dst []byte, mode protocol.Mode, reqID []byte) []byte
	// refusal is the text that says that one was not.
	refusal func(dst []byte, mode protocol.Mode, reqID []byte, code protocol.Code, reason string) []byte
	// members is the text that says who is in a group. It is called off the loops.
	members func(dst []byte, mode protocol.Mode, reqID []byte, group string, page *protocol.MembersPage) []byte
	// goodbye is the whole last frame.
	goodbye func(dst []byte, code ws.StatusCode, reason string) []byte
	// ping is the whole frame that asks a silent session for a sign of life; shared.
	ping *order.Chunk
	// encodings are how messages look, by the session's mode.
	encodings [modes]encoding
}

// parsers are what the dialects read commands with: a reactor has one of each.
//
// Owner: the reactor's goroutine.
type parsers struct {
	commands *protocol.CommandParser
}

// modes is how many modes a dialect has at most.
const modes = 2

// encoding is how messages look to those who chose one mode of one dialect. The zero
// encoding is the message's own frame, which exists already.
type encoding struct {
	// size is exactly how many bytes appendText appends.
	size func(m *order.Message) int
	// appendText appends the text of a frame, with a group's message.
	appendText func(dst []byte, m *order.Message) []byte
	// userSize and appendUserText are these of a message to users.
	userSize       func(m *order.Message) int
	appendUserText func(dst []byte, m *order.Message) []byte
	// appendGap appends the text of a frame that says, between messages, that some of the
	// group may have been lost. nil: there is no way to say it, and the session is closed.
	appendGap func(dst []byte, group string) []byte
}

// dialectID is a session's dialect, an index into dialects.
type dialectID uint8

const (
	dialectCommands dialectID = iota // the contract, WIRE.md
	dialectCount
)

var dialects = [dialectCount]dialect{
	dialectCommands: {
		parse: func(p *parsers, payload []byte, binary bool, c *protocol.Command) *protocol.CommandError {
			return p.commands.Parse(payload, binary, c)
		},
		ack: func(dst []byte, mode protocol.Mode, _ protocol.Kind, reqID []byte) []byte {
			return protocol.AppendAck(dst, mode, reqID)
		},
		uncoveredAck: protocol.AppendUncoveredAck,

		refusal: protocol.AppendError,
		members: protocol.AppendMembers,
		goodbye: protocol.AppendClose,
		ping:    &order.Chunk{Buf: protocol.AppendFrame(nil, ws.OpPing, nil)},
		encodings: [modes]encoding{
			protocol.ModeBare: {},
			protocol.ModeEnvelope: {
				size: func(m *order.Message) int { return protocol.MessageLen(m.Group(), m.Payload(), m.IsText) },
				appendText: func(dst []byte, m *order.Message) []byte {
					return protocol.AppendMessage(dst, m.Group(), m.Payload(), m.IsText)
				},
				userSize: func(m *order.Message) int { return protocol.UserMessageLen(m.Payload(), m.IsText) },
				appendUserText: func(dst []byte, m *order.Message) []byte {
					return protocol.AppendUserMessage(dst, m.Payload(), m.IsText)
				},
				appendGap: protocol.AppendGap,
			},
		},
	},
}

// encodingID names one encoding of all: a mode of a dialect. A group keeps its members
// apart by it.
type encodingID uint8

const encodingCount = int(dialectCount) * modes

// of is the encoding of that name.
func (e encodingID) of() *encoding { return &dialects[e/modes].encodings[e%modes] }
