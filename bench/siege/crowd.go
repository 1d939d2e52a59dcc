package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"time"

	"golang.org/x/time/rate"
)

// crowd has n attackers come, the first `at once` at once and then perSecond of them; each comes again when its visit
// is over. It returns when ctx has ended and all are gone.
func crowd(ctx context.Context, n, atOnce int, perSecond float64, visit func(i int)) {
	pace := rate.NewLimiter(rate.Limit(perSecond), atOnce)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			for pace.Wait(ctx) == nil {
				visit(i)
			}
		})
	}
	all.Wait()
}

// What attacks count of connections.
const (
	connected    = "connections"
	unconnected  = "not connected"
	closedByPeer = "closed by the server"
)

// source is one of several addresses of attackers on loopback, so that the limits for each address are not all that
// bites.
func source(i, of int) string { return fmt.Sprintf("127.0.1.%d", 1+i%of) }

// dial connects from an address; nil if that fails. The connection is reset when the attack ends.
func (a *assault) dial(ctx context.Context, from, to string) *line {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: patience, KeepAlive: -1}
	return a.opened(ctx, func() (net.Conn, error) { return d.DialContext(ctx, "tcp", to) })
}

// dialDeaf is dial with a kernel buffer that takes next to nothing: for those who do not read.
func (a *assault) dialDeaf(ctx context.Context, from, to string) *line {
	d := net.Dialer{
		LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: patience, KeepAlive: -1,
		Control: func(_, _ string, raw syscall.RawConn) (err error) {
			_ = raw.Control(func(fd uintptr) {
				err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF,
					4096)
			})
			return err
		},
	}
	return a.opened(ctx, func() (net.Conn, error) { return d.DialContext(ctx, "tcp", to) })
}

func (a *assault) opened(ctx context.Context, open func() (net.Conn, error)) *line {
	conn, err := open()
	if err != nil {
		if ctx.Err() == nil {
			var number syscall.Errno
			_ = errors.As(err, &number) // 0 is a time-out
			a.count(fmt.Sprintf("%s (%s)", unconnected, number.Error()))
		}
		return nil
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // leaves no port behind that cannot be used for a minute
	}
	a.count(connected)
	l := &line{Conn: conn, all: a, ctx: ctx}
	l.forget = context.AfterFunc(ctx, func() { _ = conn.Close() })
	return l
}

// line is an attacker's connection.
type line struct {
	net.Conn
	all    *assault
	ctx    context.Context
	forget func() bool
}

func (l *line) hangUp() {
	l.forget()
	_ = l.Conn.Close()
}

// answerBytes is what is kept of an answer.
const answerBytes = 64 << 10

// listen reads until the server closes, which it counts, with the status if the server spoke HTTP.
func (l *line) listen() {
	answer, err := io.ReadAll(io.LimitReader(l.Conn, answerBytes))
	for err == nil && len(answer) == answerBytes {
		var n int64
		if n, err = io.Copy(io.Discard, l.Conn); n == 0 {
			break
		}
	}
	if l.ctx.Err() != nil {
		return // it was us
	}
	l.all.count(closedByPeer)
	if len(answer) > 11 && bytes.HasPrefix(answer, []byte("HTTP/1.")) {
		l.all.count("answered " + string(answer[9:12]))
	}
}

// drip writes a piece every so often until the server closes or the attack ends.
func (l *line) drip(every time.Duration, piece func() []byte) {
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		l.listen()
	}()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-closed:
			return
		case <-tick.C:
			_, _ = l.Write(piece()) // listen tells how it ended
		}
	}
}

// wait returns after d, or when the attack ends: false then.
func wait(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
