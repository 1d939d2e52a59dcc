package reactor

import "sync/atomic"

// memory is what a reactor's sessions hold, in plain fields that only the loop touches, and
// what of that it has told. See package budget.
//
// Owner: the reactor's goroutine; others read told, and blockedBytes.
type memory struct {
	backlogs int64 // what sessions hold that are behind; may be less than nothing, see Chunk.Hold
	halves   int64 // messages and heads that are not all there
	sealed   int64 // what is encrypted and not written
	secured  int64 // sessions over TLS
	shed     int64 // blocked sessions that are being closed for want of memory
	acks     int64 // acks of joins that wait

	blockedBytes int64 // Options.blockedBytes, which does not change

	toldSum int64
	told    struct{ backlogs, halves, sealed, secured, blocked, shed, acks atomic.Int64 }
}

// Estimates, in bytes, of what cannot be counted.
const (
	// SessionBytes is what an idle session has of the Go heap: its own 176 bytes, gnet's
	// connection, its addresses, and a group's table.
	SessionBytes = 1 << 10
	// SocketBytes is what the kernel has of a TCP connection that is idle: socket, inode,
	// file and its entry in the epoll set. Measured: the slabs of Linux 6.18 grew by 4.9 KiB
	// for each end of 17,500 connections.
	SocketBytes = 5 << 10
	// SecuredBytes is what crypto/tls has of an idle session; see package tlsconn.
	SecuredBytes = 8 << 10
	// DefaultSendBufferBytes is taken for the send buffer of a session that takes no more,
	// where the kernel chooses its size.
	DefaultSendBufferBytes = 1 << 20
)

// blockedBytes is what the kernel has for a session that takes no more: a full send buffer,
// of which it makes twice what it is asked for.
func (o *Options) blockedBytes() int64 {
	if o.SendBufferBytes == 0 {
		return DefaultSendBufferBytes
	}
	return 2 * int64(o.SendBufferBytes)
}

// sum is what there may be to tell.
func (m *memory) sum(blocked int) int64 {
	return m.backlogs + m.acks + m.halves + m.sealed + m.secured*SecuredBytes + int64(blocked)*m.blockedBytes
}

// Memory is what a reactor's sessions hold; it may be budget.TellBytes behind, and the part
// of one reactor less than nothing.
type Memory struct {
	Backlogs, Halves int64 // acks that wait for the bus are backlogs
	TLS              int64 // an estimate for each session over it included
	Kernel           int64 // an estimate: full send buffers
	Leaving          int64 // of Kernel: of sessions that are being closed for want of memory
}
