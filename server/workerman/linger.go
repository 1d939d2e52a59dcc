package workerman

import (
	"errors"
	"net"
	"os"
	"sync/atomic"
	"time"
)

// lingerStep is how often linger looks whether the peer has everything.
const lingerStep = 20 * time.Millisecond

// linger ends what is written to a connection, and returns once its peer has it:
// when the peer has ended its side too, or its kernel has acknowledged everything,
// or isOver says so. Meanwhile it reads: a TCP connection that is closed with unread
// input is reset, and what was on its way is lost. unread is how many bytes were
// never acknowledged.
func linger(c net.Conn, isOver func() bool) (unread int) {
	half, ok := c.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return 0
	}
	buf := make([]byte, readBytes)
	for !isOver() {
		_ = c.SetReadDeadline(time.Now().Add(lingerStep)) // of a dead socket reading will tell
		_, err := c.Read(buf)
		if err == nil {
			continue
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
		if unread, known := unacknowledgedBytes(c); known && unread == 0 {
			return 0
		}
	}
	return max(0, unacknowledged(c)-1) // the end of the connection counts as one
}

// unacknowledged is how many bytes that were written the peer's kernel has not
// acknowledged; 0 where the system does not tell.
func unacknowledged(c net.Conn) int {
	n, _ := unacknowledgedBytes(c)
	return n
}

// undelivered is what connections had not taken when the server ended.
type undelivered struct{ conns, frames, bytes atomic.Int64 }

func (u *undelivered) add(frames, bytes int) {
	u.conns.Add(1)
	u.frames.Add(int64(frames))
	u.bytes.Add(int64(bytes))
}
