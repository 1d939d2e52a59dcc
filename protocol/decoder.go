package protocol

import (
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// Limits bounds what one message may cost.
type Limits struct {
	// MaxMessageBytes is the most payload bytes a message may have, all
	// fragments together.
	MaxMessageBytes int
	// MaxFragments is the most frames a fragmented message may have.
	MaxFragments int
}

// Event is one thing the peer said: a complete message (ws.OpText or
// ws.OpBinary) or a control frame (ws.OpPing, ws.OpPong or ws.OpClose).
// Payload is unmasked. See Decoder.Next for how long it stays valid.
type Event struct {
	Op      ws.OpCode
	Payload []byte
}

var (
	errContinuation  = &CloseError{ws.StatusProtocolError, "continuation without a message"}
	errInterleaved   = &CloseError{ws.StatusProtocolError, "new message inside a fragmented one"}
	errMessageTooBig = &CloseError{ws.StatusMessageTooBig, "message over the limit"}
	errFragments     = &CloseError{ws.StatusPolicyViolation, "too many fragments"}
	errTextNotUTF8   = &CloseError{ws.StatusInvalidFramePayloadData, "text is not UTF-8"}
)

// maxKeptBytes is the largest message buffer a Decoder keeps for its next
// message. Larger ones go back to the garbage collector, so that a pool of
// decoders does not come to hold the largest message each of them has seen.
const maxKeptBytes = 4096

// Decoder turns the bytes of one connection into events. It holds what must be
// remembered between two reads: the part of a frame that has arrived and the
// fragments of an open message. The zero value is ready.
//
// Owner: the connection it reads for, one at a time, and only while !Idle().
type Decoder struct {
	// msg is the payload so far of the message being received, unmasked.
	msg []byte
	// msgOp is that message's type, or 0 when no fragmented message is open.
	msgOp ws.OpCode
	// frames is the number of the open message's frames whose header is read.
	frames int
	// continuations is how many frames followed the first of the message
	// returned last; only while delivered.
	continuations int

	// frame is the frame whose payload is arriving, of which got bytes have
	// been kept so far; only while inFrame.
	frame   ws.Header
	got     int64
	inFrame bool
	// delivered means that msg belongs to the event returned last.
	delivered bool

	// head[:headLen] is the part of a header that has arrived.
	headLen uint8
	head    [ws.MaxHeaderSize]byte
	// control is the payload of a control frame that arrives in parts; apart
	// from msg, because it may stand between two fragments.
	control [ws.MaxControlFramePayloadSize]byte
}

// Next takes bytes from in, in the order they came from the connection, until
// there is an event, an error, or nothing left.
//
//   - ok: ev is the next event, and rest is what follows it, a part of in. Call
//     Next again with rest.
//   - neither ok nor err: all of in was used or kept; more bytes are needed.
//   - err: the connection must be closed with err.Code: 1002 protocol error,
//     1007 a text message is not UTF-8, 1008 too many fragments, 1009 message
//     too big (said as soon as the length bytes are there). The Decoder must
//     be Reset before it is used again.
//
// Next unmasks in place: it writes to in. ev.Payload aliases in or the
// Decoder's buffers and is valid until the next call of Next or Reset. Nothing
// else of in is referred to after Next returns.
//
// A message that is one frame and lies whole in in is neither copied nor
// allocated for. Any other message is collected in a buffer that grows with
// the bytes received, never with a length declared.
func (d *Decoder) Next(in []byte, lim Limits) (ev Event, rest []byte, ok bool, err *CloseError) {
	if d.delivered {
		d.delivered = false
		d.dropMessage()
	}
	for len(in) > 0 {
		if !d.inFrame {
			var fast bool
			in, fast, err = d.readHeader(in, lim)
			if err != nil {
				return Event{}, nil, false, err
			}
			if fast {
				n := int(d.frame.Length)
				ev = Event{Op: d.frame.OpCode, Payload: in[:n:n]}
				ws.Cipher(ev.Payload, d.frame.Mask, 0)
				if ev.Op == ws.OpText && !utf8.Valid(ev.Payload) {
					return Event{}, nil, false, errTextNotUTF8
				}
				return ev, in[n:], true, nil
			}
			if !d.inFrame {
				break
			}
		}
		in = d.readPayload(in)
		if d.got < d.frame.Length {
			break
		}
		d.inFrame = false
		if ev, ok, err = d.endFrame(); ok || err != nil {
			return ev, in, ok, err
		}
	}
	return Event{}, nil, false, nil
}

// readHeader reads a frame's header from in, behind what head has of it, and
// returns the rest of in. It sets frame and, unless in ended before the
// header did, inFrame; or fast, if the frame is an event by itself and its
// payload is the start of rest.
func (d *Decoder) readHeader(in []byte, lim Limits) (rest []byte, fast bool, err *CloseError) {
	b := in
	kept := int(d.headLen)
	if kept > 0 {
		// Copy no more than a header can have; what is too much stays in in.
		d.headLen += uint8(copy(d.head[kept:], in))
		b = d.head[:d.headLen]
	}
	h := ws.Header{Length: lengthUnknown}
	if err = parseFirstByte(b[0], &h); err != nil {
		return nil, false, err
	}
	// Between the two steps of the header, so that the verdict on a frame
	// does not depend on how many of its bytes have arrived.
	if err = d.checkSequence(h, lim); err != nil {
		return nil, false, err
	}
	n, err := parseLength(b, &h)
	if err != nil {
		return nil, false, err
	}
	if h.OpCode.IsData() && h.Length > int64(lim.MaxMessageBytes-len(d.msg)) {
		return nil, false, errMessageTooBig
	}
	if n == 0 {
		if kept == 0 {
			d.headLen = uint8(copy(d.head[:], in))
		}
		return nil, false, nil
	}
	d.headLen = 0
	d.frame, d.got = h, 0
	in = in[n-kept:]
	if h.Length <= int64(len(in)) && (h.OpCode.IsControl() || h.Fin && d.msgOp == 0) {
		return in, true, nil
	}
	if h.OpCode.IsData() {
		if h.OpCode != ws.OpContinuation {
			d.msgOp = h.OpCode
		}
		d.frames++
	}
	d.inFrame = true
	return in, false, nil
}

// checkSequence makes the checks on a frame that need to know what came before
// it (RFC 6455, 5.4).
func (d *Decoder) checkSequence(h ws.Header, lim Limits) *CloseError {
	switch {
	case h.OpCode.IsControl():
		return nil
	case h.OpCode == ws.OpContinuation && d.msgOp == 0:
		return errContinuation
	case h.OpCode != ws.OpContinuation && d.msgOp != 0:
		return errInterleaved
	case h.Fin && d.msgOp == 0:
		return nil
	case d.frames >= lim.MaxFragments:
		return errFragments
	}
	return nil
}

// readPayload takes what in has of the current frame's payload and returns the
// rest of in.
func (d *Decoder) readPayload(in []byte) []byte {
	n := int(min(d.frame.Length-d.got, int64(len(in))))
	part := in[:n]
	ws.Cipher(part, d.frame.Mask, int(d.got&3))
	if d.frame.OpCode.IsControl() {
		copy(d.control[d.got:], part)
	} else {
		d.msg = append(d.msg, part...)
	}
	d.got += int64(n)
	return in[n:]
}

// endFrame is called when the current frame's payload is complete. It returns
// the event this makes, if it makes one.
func (d *Decoder) endFrame() (ev Event, ok bool, err *CloseError) {
	if d.frame.OpCode.IsControl() {
		return Event{Op: d.frame.OpCode, Payload: d.control[:d.got]}, true, nil
	}
	if !d.frame.Fin {
		return Event{}, false, nil
	}
	ev = Event{Op: d.msgOp, Payload: d.msg}
	d.continuations = d.frames - 1
	d.msgOp, d.frames = 0, 0
	d.delivered = true
	if ev.Op == ws.OpText && !utf8.Valid(ev.Payload) {
		return Event{}, false, errTextNotUTF8
	}
	return ev, true, nil
}

// Continuations is how many continuation frames the message had that Next has
// just returned; 0 after a control frame.
func (d *Decoder) Continuations() int {
	if !d.delivered {
		return 0
	}
	return d.continuations
}

// Idle reports whether nothing is remembered: no part of a frame and no open
// message. The next byte may then as well go to another, empty Decoder, once
// the payload returned last is no longer needed.
func (d *Decoder) Idle() bool {
	return d.headLen == 0 && !d.inFrame && d.msgOp == 0
}

// Held is how many bytes of memory the part of a message takes that has arrived.
func (d *Decoder) Held() int { return cap(d.msg) }

// Reset forgets everything, and makes the Decoder ready for another
// connection. A buffer of up to 4 KiB is kept.
func (d *Decoder) Reset() {
	d.dropMessage()
	d.msgOp, d.frames = 0, 0
	d.inFrame, d.delivered, d.headLen = false, false, 0
}

// dropMessage empties msg, and frees it if it is large.
func (d *Decoder) dropMessage() {
	if cap(d.msg) > maxKeptBytes {
		d.msg = nil
	}
	d.msg = d.msg[:0]
}
