package workerman

import "encoding/binary"

const (
	// MaxFrameBytes is the usual limit of a frame, its length included: what
	// Workerman takes.
	MaxFrameBytes = 10 << 20
	// HeaderBytes is the size of a frame's length.
	HeaderBytes = 4
	// keepBytes is how large a buffer a Splitter keeps for the next frame.
	keepBytes = 64 << 10
)

// AppendPing appends the frame without a body.
func AppendPing(dst []byte) []byte { return append(dst, 0, 0, 0, HeaderBytes) }

// Splitter cuts a connection's bytes into frames: 4 bytes of big-endian length,
// which counts itself, and a body. The zero Splitter is ready; one belongs to
// one connection and direction.
//
// Owner: the goroutine that reads the connection.
type Splitter struct {
	buf  []byte // a frame that is not all there, from its length on
	done bool   // buf has been handed out
}

// Next returns the body of the first frame that ends in in, and what is behind
// it: call Next with rest until ok is false, then with the bytes of the next
// read. A body without bytes is a ping.
//
// body aliases in if the frame lies in it as a whole, which costs nothing, and
// the Splitter's buffer otherwise: it is valid until the next call and as long
// as in is. The buffer grows with what was received, never to what a length
// promises.
//
// A length below 4 or over maxFrameBytes is an error, told as soon as the
// length is there; the Splitter is of no use after it.
func (s *Splitter) Next(in []byte, maxFrameBytes int) (body, rest []byte, ok bool, err *Error) {
	if s.done {
		s.done = false
		s.buf = s.buf[:0]
		if cap(s.buf) > keepBytes {
			s.buf = nil
		}
	}
	if len(s.buf) == 0 {
		n, err := frameBytes(in, maxFrameBytes)
		if err != nil {
			return nil, nil, false, err
		}
		if n > 0 && n <= len(in) {
			return in[HeaderBytes:n:n], in[n:], true, nil
		}
	}
	if len(s.buf) < HeaderBytes {
		in = s.fill(in, HeaderBytes)
	}
	n, err := frameBytes(s.buf, maxFrameBytes)
	if err != nil {
		return nil, nil, false, err
	}
	if n == 0 {
		return nil, nil, false, nil
	}
	in = s.fill(in, n)
	if len(s.buf) < n {
		return nil, nil, false, nil
	}
	s.done = true
	return s.buf[HeaderBytes:n:n], in, true, nil
}

// Buffered is how many bytes of a frame that is not all there are kept.
func (s *Splitter) Buffered() int {
	if s.done {
		return 0
	}
	return len(s.buf)
}

// fill moves bytes of in to the buffer until that has n, and returns the rest.
func (s *Splitter) fill(in []byte, n int) []byte {
	take := min(len(in), n-len(s.buf))
	s.buf = append(s.buf, in[:take]...)
	return in[take:]
}

// frameBytes is the length that b begins with, 0 while that is not there.
func frameBytes(b []byte, limit int) (int, *Error) {
	if len(b) < HeaderBytes {
		return 0, nil
	}
	n := uint64(binary.BigEndian.Uint32(b))
	switch {
	case n < HeaderBytes:
		return 0, errFrameShort
	case n > uint64(limit):
		return 0, errFrameLong
	}
	return int(n), nil
}
