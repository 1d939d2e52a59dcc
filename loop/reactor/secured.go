package reactor

import (
	"golang.org/x/sys/unix"

	"groupcast/loop/tlsconn"
)

// maxSealedBytes bounds what waits of a session outside of its queue: one write, and what TLS
// has to say beside. A peer that makes it say more without reading is ended.
const maxSealedBytes = 256 << 10

// maxAnswers is how often a peer may have TLS answer, with new keys, in all: an honest one
// asks a few times a day, and each costs a loop some microseconds.
const maxAnswers = 1000

// secured is what a session over TLS has besides. The reactor keeps it beside the session,
// so that one without TLS is no larger.
//
// Owner: the reactor's goroutine.
type secured struct {
	tls *tlsconn.Session
	// read is what was decrypted before the loop had the session, until that is interpreted.
	read []byte
	// sealed is what the kernel has not taken of the last write: it has been encrypted and
	// can no more be changed or dropped. It is one write at most, maxWriteBytes and what
	// encrypting adds, and is not a part of the session's backlog.
	sealed  []byte
	fin     bool       // our half is to be shut behind it
	err     error      // what the peer's side ended with
	answers int        // times that TLS had something to say
	broken  unix.Errno // what a write failed with that was nobody's send
}
