package accept

import (
	"io"
	"net"
	"sync"
	"time"
)

const (
	refusalTime  = time.Second
	refusalDrain = 64 << 10 // bytes read of what the peer has sent
)

// Refuser answers connections that are too many, a bounded number at a time, and
// closes them. It may be used from any goroutine.
type Refuser struct {
	places  chan struct{} // one token for each connection that is being answered
	running sync.WaitGroup
}

// NewRefuser answers up to atOnce connections at a time.
func NewRefuser(atOnce int) *Refuser {
	return &Refuser{places: make(chan struct{}, atOnce)}
}

// Refuse answers c and closes it, in the background. Where as many are being
// answered as may be, it closes c without an answer; or it waits for a place, if
// stopped is not nil, until that is closed. It keeps answer and does not change it.
func (r *Refuser) Refuse(c net.Conn, answer []byte, stopped <-chan struct{}) {
	select {
	case r.places <- struct{}{}:
	default:
		if stopped == nil {
			_ = c.Close()
			return
		}
		select {
		case r.places <- struct{}{}:
		case <-stopped:
			_ = c.Close()
			return
		}
	}
	r.running.Go(func() {
		defer func() { <-r.places }()
		Answer(c, answer)
	})
}

// Answer answers c and closes it, within a second. It blocks meanwhile.
func Answer(c net.Conn, answer []byte) {
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(refusalTime))
	if _, err := c.Write(answer); err != nil {
		return
	}
	// Read what the peer has sent: closing with unread input would reset
	// the connection, and the answer with it.
	if half, ok := c.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
		_, _ = io.CopyN(io.Discard, c, refusalDrain)
	}
}

// Len is how many are being answered.
func (r *Refuser) Len() int { return len(r.places) }

// Wait returns when nobody is being answered. Nothing may be refused meanwhile.
func (r *Refuser) Wait() { r.running.Wait() }
