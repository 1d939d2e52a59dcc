package reactor

import (
	"golang.org/x/sys/unix"

	"groupcast/loop/tlsconn"
)

// viaTLSTransport encrypts what the session's queue holds, in as few records as it needs, and
// writes it with one call. What is sealed counts as taken: crypto/tls cannot take it back.
var viaTLSTransport = transport{
	send:      sendSealed,
	await:     func(s *Session) error { return s.r.watch(s) },
	ready:     sealedReady,
	pending:   func(s *Session) bool { return len(s.r.secured[s].sealed) > 0 },
	unacked:   func(s *Session) int { return s.r.unacked(s.fd) + len(s.r.secured[s].sealed) },
	receive:   receiveSealed,
	halfClose: halfCloseSealed,
	reset:     resetSocket,
	release:   releaseSealed,
}

// keep has b wait for room in the socket, in place of what waited.
func (t *secured) keep(r *Reactor, b []byte) {
	r.memory.sealed += int64(len(b) - len(t.sealed))
	t.sealed = b
}

func releaseSealed(s *Session) {
	if t := s.r.secured[s]; t != nil {
		t.keep(s.r, nil)
		s.r.memory.secured--
		delete(s.r.secured, s)
	}
}

// sendSealed encrypts b, all of it, unless the kernel has still to take what was sealed
// before.
func sendSealed(s *Session, b []byte) (n int, errno unix.Errno) {
	t := s.r.secured[s]
	if t.broken != 0 {
		return 0, t.broken
	}
	if errno := t.drain(s); errno != 0 { // tried: news of room may still be on its way
		return 0, errno
	}
	out, err := t.tls.Seal(s.r.sealing[:0], b)
	s.r.sealing = out
	if err != nil {
		return 0, unix.EPIPE // the peer's side is broken, or ours was ended
	}
	return len(b), t.push(s, out)
}

// push writes out, keeps what the kernel does not take, and then asks for news of room.
func (t *secured) push(s *Session, out []byte) unix.Errno {
	if len(out) == 0 {
		return 0
	}
	n, errno := s.r.write(s.fd, out)
	switch {
	case errno != 0 && errno != unix.EAGAIN:
		return errno
	case n == len(out):
		return 0
	}
	t.keep(s.r, append(t.sealed, out[max(n, 0):]...))
	if err := s.r.watch(s); err != nil {
		return unix.EIO
	}
	return 0
}

// drain writes what is sealed; EAGAIN: there is more of it.
func (t *secured) drain(s *Session) unix.Errno {
	if len(t.sealed) == 0 {
		return 0
	}
	n, errno := s.r.write(s.fd, t.sealed)
	if errno != 0 && errno != unix.EAGAIN {
		return errno
	}
	if n = max(n, 0); n < len(t.sealed) {
		t.keep(s.r, t.sealed[n:])
		return unix.EAGAIN
	}
	t.keep(s.r, nil)
	return 0
}

// sealedReady goes on with what the kernel had no room for. A socket that is broken is
// ready, so that the next send says so.
func sealedReady(s *Session) bool {
	t := s.r.secured[s]
	if t == nil {
		return true // news for one that is gone
	}
	switch errno := t.drain(s); {
	case errno == unix.EAGAIN && s.r.watch(s) == nil:
		return false
	case errno == unix.EAGAIN:
		t.broken = unix.EIO
		return true
	case errno != 0:
		t.broken = errno
		return true
	}
	if t.fin {
		t.fin = false
		_ = unix.Shutdown(int(s.fd), unix.SHUT_WR)
	}
	return true
}

// receiveSealed decrypts. What it returns is the reactor's, until the next call.
func receiveSealed(s *Session, b []byte) []byte {
	t, r := s.r.secured[s], s.r
	t.tls.Feed(b)
	plain := append(r.opened[:0], t.read...)
	t.read = nil
	for t.err == nil {
		if cap(plain)-len(plain) < tlsconn.MaxPlaintext {
			plain = append(make([]byte, 0, 2*cap(plain)+tlsconn.MaxPlaintext), plain...)
		}
		n, more, err := t.tls.Read(plain[len(plain):cap(plain)])
		plain = plain[:len(plain)+n]
		if t.err = err; !more {
			break
		}
	}
	r.opened = plain
	if t.tls.Buffered() > 0 { // an answer to a KeyUpdate, or the alert that says what is wrong
		r.answerSealed(s, t)
	}
	return plain
}

// answerSealed sends what TLS itself has to say.
func (r *Reactor) answerSealed(s *Session, t *secured) {
	if t.answers++; t.answers > maxAnswers {
		t.broken = unix.EPROTO
		return
	}
	if len(t.sealed) > 0 {
		// A peer that asks for new keys and does not read makes the answers wait.
		if t.keep(r, t.tls.Flush(t.sealed)); len(t.sealed) > maxSealedBytes {
			t.broken = unix.ENOBUFS
		}
		return
	}
	r.sealing = t.tls.Flush(r.sealing[:0])
	t.broken = t.push(s, r.sealing)
}

// halfCloseSealed says goodbye in TLS, and shuts our half behind it.
func halfCloseSealed(s *Session) error {
	t := s.r.secured[s]
	if len(t.sealed) > 0 {
		t.keep(s.r, t.tls.CloseNotify(t.sealed))
		t.fin = true
		return nil
	}
	s.r.sealing = t.tls.CloseNotify(s.r.sealing[:0])
	if errno := t.push(s, s.r.sealing); errno != 0 {
		return errno
	}
	if len(t.sealed) > 0 {
		t.fin = true
		return nil
	}
	return unix.Shutdown(int(s.fd), unix.SHUT_WR)
}
