package main

import (
	"encoding/binary"
)

// Opcodes of RFC 6455, section 5.2.
const (
	opText  = 0x1
	opClose = 0x8
	opPing  = 0x9
	opPong  = 0xa
)

const finText = 0x80 | opText

// frame is one frame from the server. Its body aliases the input.
type frame struct {
	head byte // FIN, RSV and opcode, as on the wire
	body []byte
}

// nextFrame cuts the first frame off b and returns how long it was; 0 if it is not all there yet, -1 if no server may
// send it (masked, or longer than a client here would ever take). It does not allocate.
func nextFrame(b []byte, limit int) (f frame, length int) {
	if len(b) < 2 {
		return f, 0
	}
	n, head := int(b[1]), 2
	switch {
	case n == 126:
		if len(b) < 4 {
			return f, 0
		}
		n, head = int(binary.BigEndian.Uint16(b[2:])), 4
	case n == 127:
		if len(b) < 10 {
			return f, 0
		}
		long := binary.BigEndian.Uint64(b[2:])
		if long > uint64(limit) {
			return f, -1
		}
		n, head = int(long), 10
	case n > 127:
		return f, -1
	}
	if n > limit {
		return f, -1
	}
	if len(b) < head+n {
		return f, 0
	}
	return frame{b[0], b[head : head+n : head+n]}, head + n
}

// maskKey is this client's one key. A key should be unpredictable to protect proxies from page scripts; there are none
// here, and what matters is that the server has something to unmask.
const maskKey = 0xa5c3_961e

// beginFrame appends the header of a masked text frame for n bytes; the body follows, then maskFrom.
func beginFrame(b []byte, opcode byte, n int) []byte {
	switch {
	case n < 126:
		b = append(b, 0x80|opcode, 0x80|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|opcode, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|opcode, 0x80|127), uint64(n))
	}
	return binary.LittleEndian.AppendUint32(b, maskKey)
}

// mask masks a frame's body in place.
func mask(body []byte) {
	for len(body) >= 8 {
		binary.LittleEndian.PutUint64(body, binary.LittleEndian.Uint64(body)^(maskKey<<32|maskKey))
		body = body[8:]
	}
	for i := range body {
		body[i] ^= byte(uint32(maskKey) >> (8 * (i & 3)))
	}
}

// appendFrame appends a whole masked frame.
func appendFrame[T string | []byte](b []byte, opcode byte, body T) []byte {
	b = beginFrame(b, opcode, len(body))
	start := len(b)
	b = append(b, body...)
	mask(b[start:])
	return b
}
