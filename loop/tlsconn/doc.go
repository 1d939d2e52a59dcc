// Package tlsconn drives TLS from an event loop: a handshake that blocks, on a goroutine
// and under a deadline, and afterwards a session into which a loop feeds ciphertext and
// out of which it takes plaintext, with nothing in it that waits.
//
// crypto/tls wants a net.Conn below it whose Read blocks. During the handshake that is the
// real one. Then Conn.Session puts two buffers in its place: Session.Feed fills the one,
// the other takes what crypto/tls writes. With nothing left to read, the first one answers
// with a temporary error.
//
// # Reading order
//
//	conn.go     the handshake and the blocking half of a connection's life
//	session.go  the half that a loop drives: Feed, Read, Seal, Flush, CloseNotify
//	wire.go     what is below crypto/tls in either half
//
// # What it rests on in crypto/tls (Go 1.26)
//
//   - A read error becomes sticky unless it is a net.Error that says Temporary, and partial
//     records stay where they are (Conn.readRecordOrCCS, Conn.readFromUntil). The tests cut
//     records into pieces of 1 to 700 bytes, so a Go version that changes this is noticed.
//   - A handshake cannot be continued after any error. Hence the blocking half.
//   - Conn.Read may return bytes together with an error, also the temporary one: where an
//     alert's first bytes stand behind the data.
//   - Conn.Close would close what is below and is called by nobody after Conn.Session.
//     Nothing below crypto/tls calls out while its locks are held: it copies bytes, no more.
//
// # What it costs
//
// Bytes are copied once on the way in (into crypto/tls's input buffer, where they are
// decrypted) and once more to the caller; once on the way out. Seal allocates nothing; Read
// does what crypto/tls does, 24 bytes for each time that it asks for ciphertext: twice for a
// Feed of a few frames. The tests count. An idle session that has received small frames only holds 4 KiB
// of heap with TLS 1.2 and 6.5 KiB with 1.3. Once it has received a full record of 16 KiB it
// holds 22 KiB for as long as it lives, because the input buffer of crypto/tls never shrinks.
// TestIdleMemory logs and bounds all of that.
//
// # Decision, 2026-11-25: the caller's buffers, not the session's
//
// Seal and Flush append to a buffer that the caller gives: a loop has one for all its
// sessions, and an idle session holds none. Rejected: a session's own output buffer, which
// would keep the size of the largest message that was ever sealed.
//
// # Decision, 2026-11-25: crypto/tls behind an adaptor
//
// gnet has no TLS. Rejected: a TLS implementation of our own (nothing else in this project
// should handle keys), kTLS (not on every kernel, no KeyUpdate), and the handshake on the
// loop, which a slow or large signature would hold.
package tlsconn
