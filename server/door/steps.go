package door

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"groupcast/protocol"
)

// What is done to a connection on its road, one step after the other, on its own goroutine.

// walk takes t to the road's end.
func (r *Road) walk(t *traveller) {
	c := t.Conn
	ctx, cancel := context.WithDeadline(r.ctx, t.Began.Add(t.limits.Timeout))
	defer cancel()
	deadline, _ := ctx.Deadline()
	// One deadline for all that reads or writes; the past, once the road is closed, and only
	// then: an answer to a client that was too slow has a time of its own.
	if err := c.SetDeadline(deadline); err != nil {
		r.fail(c, err)
		return
	}
	defer context.AfterFunc(r.ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })()

	if err := r.steps(ctx, t); err != nil {
		r.fail(c, err)
		return
	}
	r.counters.arrived.Add(1)
	r.o.Then(ctx, &t.Arrival)
}

func (r *Road) steps(ctx context.Context, t *traveller) (err error) {
	a := &t.Arrival
	if r.o.Proxy != nil {
		if a.Peer, a.Read, err = r.o.Proxy.Read(a.Conn, a.Conn.RemoteAddr()); err != nil {
			return err
		}
		if !t.known && !r.o.Forwarded.Believes(a.Peer.Client.Addr()) {
			if err = r.identify(t); err != nil {
				return err
			}
		}
	}
	if r.o.TLS != nil {
		below := a.Stream()
		a.Read = nil
		if a.TLS, err = r.o.TLS.Handshake(ctx, below); err != nil {
			return err
		}
	}
	if !r.wantsHead(a.Peer.Client.Addr()) {
		return nil
	}
	if err = r.readHead(t); err != nil || t.known {
		return err
	}
	var values []string
	for value := range a.Verdict.Request.Fields(r.o.Forwarded.Name) {
		values = append(values, string(value))
	}
	a.Peer = Peer{Client: r.o.Forwarded.Client(a.Peer.Client, values), Proxy: a.Peer.Client}
	// A proxy takes an answer for its client's matter, and an end without one for our failure.
	switch err = r.identify(t); {
	case errors.Is(err, ErrTooFast):
		a.Refuse(tooFast)
	case errors.Is(err, ErrRoadFull):
		a.Refuse(roadFull)
	}
	return err
}

// What a client is answered that is known only by its request's head.
var (
	tooFast = protocol.AppendRefusal(nil, 429, "Retry-After: 1\r\n", protocol.PlainText,
		"too many connections a second of this address, try again later\n")
	roadFull = protocol.AppendUnavailable(nil, 5, protocol.PlainText,
		"too many connections of this address wait for their upgrade, try again later\n")
)

// wantsHead reports whether the head of a request from peer is read.
func (r *Road) wantsHead(peer netip.Addr) bool { return r.o.Head || r.o.Forwarded.Believes(peer) }

// readHead reads the head of the request. One that is too large or too late is answered.
func (r *Road) readHead(t *traveller) (err error) {
	a := &t.Arrival
	from := a.Conn
	if a.TLS != nil {
		from = a.TLS
	}
	a.Head, a.Read, err = readHead(from, a.Read, t.limits.MaxHeadBytes)
	switch {
	case err == nil:
		a.Verdict = protocol.Inspect(a.Head)
	case errors.Is(err, ErrHeadTooLarge):
		r.counters.noHead.Add(1)
		a.Refuse(protocol.AppendTooLarge(nil))
	case errors.Is(err, os.ErrDeadlineExceeded) && r.ctx.Err() == nil:
		r.counters.noHead.Add(1)
		err = ErrHeadTimeout
		if len(a.Read) > 0 { // not a word: nobody to answer
			a.Refuse(protocol.AppendTimeout(nil))
		}
	}
	return err
}

func (r *Road) fail(c net.Conn, err error) {
	_ = c.Close()
	if r.o.Failed != nil && !errors.Is(err, ErrChallenge) {
		r.o.Failed(c.RemoteAddr(), err)
	}
}

// PanicError is a mistake in the server that cost a connection.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v\n%s", e.Value, e.Stack) }
