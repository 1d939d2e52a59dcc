package conformance

import (
	"encoding/binary"

	"github.com/gobwas/ws"
)

// sending is one thing that a client does: a frame, bytes that are none, or waiting.
type sending struct {
	first   byte   // the frame's first byte: FIN, reserved bits, opcode
	payload string // unmasked
	raw     []byte // if not nil, these bytes instead
	// awaits, if not 0: nothing is sent, until so many messages and pongs have come back.
	awaits int
}

const fin = 0x80

// The frames of a well-behaved client.
func text(payload string) sending { return sending{first: fin | byte(ws.OpText), payload: payload} }

func binaries(payload string) sending {
	return sending{first: fin | byte(ws.OpBinary), payload: payload}
}
func ping(payload string) sending { return sending{first: fin | byte(ws.OpPing), payload: payload} }
func pong(payload string) sending { return sending{first: fin | byte(ws.OpPong), payload: payload} }

// A fragmented text message: its first frame, those between, its last one.
func open(payload string) sending { return sending{first: byte(ws.OpText), payload: payload} }

func more(payload string) sending { return sending{first: byte(ws.OpContinuation), payload: payload} }

func last(payload string) sending {
	return sending{first: fin | byte(ws.OpContinuation), payload: payload}
}

func closing(code ws.StatusCode, reason string) sending {
	return sending{
		first:   fin | byte(ws.OpClose),
		payload: string(binary.BigEndian.AppendUint16(nil, uint16(code))) + reason,
	}
}

// reserved sets reserved bits of a frame: 4, 2 and 1 are RSV1 to RSV3.
func reserved(bits byte, s sending) sending {
	s.first |= bits << 4
	return s
}

func raw(b ...byte) sending   { return sending{raw: b} }
func awaits(n int) sending    { return sending{awaits: n} }
func begins(first byte) bool  { return first&0xf == byte(ws.OpText) || first&0xf == byte(ws.OpBinary) }
func isData(first byte) bool  { return first&0x8 == 0 }
func isFinal(first byte) bool { return first&fin != 0 }

// header is the header of a client's frame.
func header(first byte, length uint64, mask [4]byte) []byte {
	b := []byte{first}
	switch {
	case length < 126:
		b = append(b, 0x80|byte(length))
	case length <= 0xffff:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(length))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), length)
	}
	return append(b, mask[:]...)
}

// masks are used in turn; a mask of 0 is allowed and hides nothing.
var masks = [...][4]byte{{0x12, 0x34, 0x56, 0x78}, {0, 0, 0, 0}, {0xff, 0xff, 0xff, 0xff}, {0x80, 0, 0x7f, 1}}

// appendFrame appends a client's frame.
func appendFrame(b []byte, first byte, payload string, mask [4]byte) []byte {
	b = append(b, header(first, uint64(len(payload)), mask)...)
	at := len(b)
	b = append(b, payload...)
	ws.Cipher(b[at:], mask, 0)
	return b
}
