package tlsconn

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
)

// keptBytes is how large a buffer for answers to KeyUpdates an idle session may keep: one
// answer has 27 to 43 bytes.
const keptBytes = 128

// overheadBytes is what a record may be longer than its plaintext, with any cipher that
// authenticates: header, explicit nonce, tag (TLS 1.2), or header, type, tag (1.3).
const (
	overheadBytes = 5 + 8 + 16
	recordBytes   = MaxPlaintext
)

// MaxPlaintext is what one record holds at most.
const MaxPlaintext = 16 << 10

// SealedSize is how many bytes Seal appends for n bytes of plaintext at most, without what
// Buffered counts and without the ciphers that have no AEAD.
func SealedSize(n int) int { return n + (n+recordBytes-1)/recordBytes*overheadBytes }

// Session is TLS after the handshake, without a socket: ciphertext and plaintext go in and
// come out, and nothing waits.
// Owner: one event loop; no method may be called by two goroutines at a time.
//
// The loop's part: Feed what the socket brought, Read until there is no more, then write
// to the socket what Seal, Flush and CloseNotify return, all of it and in that order.
type Session struct {
	tls  *tls.Conn
	wire wire
	err  error // what Read ended with; nil while it goes on
}

// Feed takes what the socket brought. ciphertext is not copied: it must stay as it is until
// Read has returned more == false or an error.
func (s *Session) Feed(ciphertext []byte) {
	if s.err == nil {
		s.wire.feed(ciphertext)
	}
}

// Read decrypts into plain, which must not overlap what was fed, and returns the number of
// bytes. more reports that plain was too small for what is there: call again. Otherwise
// all that was fed is used up, although an incomplete record may stay in the session.
//
// An error is final, and what was decrypted before it comes with it. io.EOF: the peer sent
// close_notify, and may still be sent to. Every other one: the connection is broken, and
// Flush has the alert that tells the peer why. Ciphertext behind an error is dropped.
//
// Read may leave something to be sent even if there is no error: an answer to a KeyUpdate.
// Buffered says so; the next Seal takes it along, or Flush.
func (s *Session) Read(plain []byte) (n int, more bool, err error) {
	for s.err == nil && n < len(plain) {
		m, err := s.tls.Read(plain[n:])
		n += m // also with an error
		if err == nil {
			continue
		}
		if temporary, ok := err.(net.Error); ok && temporary == errNothing { //nolint:errorlint // this very value
			return n, false, nil
		}
		s.err = err
		s.wire.in = nil
	}
	return n, s.err == nil, s.err
}

// Ended says how the peer's side ended; the caller calls it when the socket has, after the
// last Read. The error is nil if the peer had said so with close_notify, and
// io.ErrUnexpectedEOF if it had not: then the end may be that of a stranger on the way, and what
// came last may be cut short.
func (s *Session) Ended() error {
	if s.err == nil {
		s.err = io.ErrUnexpectedEOF
		s.wire.in = nil
	}
	if errors.Is(s.err, io.EOF) {
		return nil
	}
	return s.err
}

// Seal encrypts plain into as few records as it fits in (of 16 KiB at most) and appends
// them to dst, behind what Read has left to be sent. The result is dst's memory or, where
// that is too small, new; it is the caller's, as is dst. plain may not overlap dst's free room.
//
// An error means that the session cannot send any more: CloseNotify was called, or Read
// found the connection broken. What is appended then still has to be sent.
func (s *Session) Seal(dst, plain []byte) ([]byte, error) {
	pending := s.lend(dst)
	_, err := s.tls.Write(plain)
	return s.giveBack(pending), err
}

// Flush appends to dst what Read has left to be sent: answers to KeyUpdates, an alert. The
// result is as Seal's.
func (s *Session) Flush(dst []byte) []byte { return s.giveBack(s.lend(dst)) }

// CloseNotify appends to dst the record that says that nothing will follow; once, however
// often it is called. Seal returns errors from then on; Read goes on. The result is as
// Seal's.
func (s *Session) CloseNotify(dst []byte) []byte {
	pending := s.lend(dst)
	// Writing into memory cannot fail, and a session that is broken has sent an alert.
	_ = s.tls.CloseWrite()
	return s.giveBack(pending)
}

// Buffered is how many bytes Flush would append.
func (s *Session) Buffered() int { return len(s.wire.out) }

// lend makes dst, with what is pending in it, the place where crypto/tls writes to. What it
// returns is for giveBack.
func (s *Session) lend(dst []byte) (pending []byte) {
	pending = s.wire.out
	s.wire.out = append(dst, pending...)
	return pending
}

// giveBack ends what lend began and returns dst with what has come.
func (s *Session) giveBack(pending []byte) (dst []byte) {
	dst = s.wire.out
	s.wire.out = nil
	if cap(pending) <= keptBytes {
		s.wire.out = pending[:0]
	}
	return dst
}
