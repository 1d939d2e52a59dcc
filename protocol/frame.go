package protocol

import (
	"encoding/binary"
	"math"

	"github.com/gobwas/ws"
)

var (
	errRSV           = &CloseError{ws.StatusProtocolError, "reserved bits set without an extension"}
	errOpcode        = &CloseError{ws.StatusProtocolError, "reserved opcode"}
	errControlFin    = &CloseError{ws.StatusProtocolError, "fragmented control frame"}
	errControlLength = &CloseError{ws.StatusProtocolError, "control frame over 125 bytes"}
	errUnmasked      = &CloseError{ws.StatusProtocolError, "client frame is not masked"}
	errLengthMSB     = &CloseError{ws.StatusProtocolError, "frame length over 63 bits"}
	errLengthMinimal = &CloseError{ws.StatusProtocolError, "frame length is not minimally encoded"}
)

// lengthUnknown is the Length of a header whose length bytes are not all there.
const lengthUnknown = -1

// A client's frame header (RFC 6455, 5.2) is read by parseFirstByte and then
// parseLength. Between them they make the checks that need no more than the
// header, in the order of its bytes and as early as they allow: reserved bits,
// opcode, FIN of control frames, the mask bit, the size of control frames, and
// the length's encoding. Errors are 1002. Nothing is modified or allocated.

// parseFirstByte reads FIN, RSV and the opcode.
func parseFirstByte(b byte, h *ws.Header) *CloseError {
	h.Fin = b&0x80 != 0
	h.Rsv = b >> 4 & 0x7
	h.OpCode = ws.OpCode(b & 0x0f)
	switch {
	case h.Rsv != 0:
		return errRSV
	case h.OpCode.IsReserved():
		return errOpcode
	case h.OpCode.IsControl() && !h.Fin:
		return errControlFin
	}
	return nil
}

// parseLength reads what is behind the first byte: the mask bit, the length and
// the mask. b starts at the header's first byte. n is the header's size in
// bytes, 6 to 14, or 0 while b is too short for the whole of it. h.Length stays
// as it is until all length bytes are there, which is up to four bytes before
// the header is whole.
func parseLength(b []byte, h *ws.Header) (n int, err *CloseError) {
	if len(b) < 2 {
		return 0, nil
	}
	if b[1]&0x80 == 0 {
		return 0, errUnmasked
	}
	h.Masked = true
	at := 2
	length := b[1] & 0x7f
	switch {
	case length > ws.MaxControlFramePayloadSize && h.OpCode.IsControl():
		return 0, errControlLength
	case length < 126:
		h.Length = int64(length)
	case length == 126:
		at = 4
		if len(b) < at {
			return 0, nil
		}
		v := binary.BigEndian.Uint16(b[2:])
		if v < 126 {
			return 0, errLengthMinimal
		}
		h.Length = int64(v)
	default:
		at = 10
		if len(b) > 2 && b[2]&0x80 != 0 {
			return 0, errLengthMSB
		}
		if len(b) < at {
			return 0, nil
		}
		v := binary.BigEndian.Uint64(b[2:])
		if v <= 0xffff {
			return 0, errLengthMinimal
		}
		h.Length = int64(v)
	}
	if len(b) < at+4 {
		return 0, nil
	}
	copy(h.Mask[:], b[at:])
	return at + 4, nil
}

// HeaderLen returns the size in bytes of a server's frame header in front of
// payloadLen bytes: 2, 4 or 10.
func HeaderLen(payloadLen int) int {
	switch {
	case payloadLen < 126:
		return 2
	case payloadLen <= 0xffff:
		return 4
	}
	return 10
}

// AppendHeader appends a server's frame header: FIN set, no mask (RFC 6455,
// 5.1), the length encoded minimally.
func AppendHeader(dst []byte, op ws.OpCode, payloadLen int) []byte {
	first := 0x80 | byte(op)
	switch HeaderLen(payloadLen) {
	case 2:
		return append(dst, first, byte(payloadLen))
	case 4:
		return append(dst, first, 126, byte(payloadLen>>8), byte(payloadLen))
	}
	dst = append(dst, first, 127)
	return binary.BigEndian.AppendUint64(dst, uint64(payloadLen))
}

// AppendFrame appends a whole server frame: AppendHeader and a copy of payload.
func AppendFrame(dst []byte, op ws.OpCode, payload []byte) []byte {
	dst = AppendHeader(dst, op, len(payload))
	return append(dst, payload...)
}

// NextFrame returns the size in bytes, header and payload, of the first server
// frame in b, which must start at a frame. It is for finding the boundaries in
// what AppendHeader and AppendFrame built; anything else, also a frame that is
// not all there, is a bug and panics.
func NextFrame(b []byte) int {
	head, payload := 2, uint64(0)
	switch {
	case len(b) < 2:
	case b[1] < 126:
		payload = uint64(b[1])
	case b[1] == 126 && len(b) >= 4:
		head, payload = 4, uint64(binary.BigEndian.Uint16(b[2:]))
	case b[1] == 127 && len(b) >= 10:
		head, payload = 10, binary.BigEndian.Uint64(b[2:])
	default:
		payload = math.MaxUint64
	}
	if head > len(b) || payload > uint64(len(b)-head) {
		panic("protocol: NextFrame: not a whole server frame")
	}
	return head + int(payload)
}
