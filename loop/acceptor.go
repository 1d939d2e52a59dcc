package loop

import (
	"errors"
	"fmt"
	"net"
	"syscall"

	"golang.org/x/sys/unix"

	"groupcast/loop/accept"
	"groupcast/loop/ration"
	"groupcast/protocol"
)

// Serve accepts connections from ln and hands them to the reactors until ln or
// the engine is closed; then it returns nil (ErrClosed, if it was closed before).
// ln must give *net.TCPConn or *net.UnixConn; a net.ListenConfig with KeepAlive -1
// saves system calls a connection. It waits for a loop only where all of them
// have MaxEnrolling connections to take.
//
// Running out of descriptors or memory ends nothing: accepting pauses and goes
// on. Any other error of ln is returned.
func (e *Engine) Serve(ln net.Listener) error {
	if err := e.prepare(ln); err != nil {
		return err
	}
	if !e.begin() {
		return ErrClosed
	}
	defer e.serving.Done()
	returned := make(chan struct{})
	defer close(returned)
	go func() {
		select {
		case <-e.stopped:
			_ = ln.Close()
		case <-returned:
		}
	}()
	a := accept.Acceptor{
		Listener: ln, Stopped: e.stopped, Log: ration.New(e.log),
		OnError: func() { e.acceptErrors.Add(1) },
	}
	for {
		c, err := a.Next()
		switch {
		case errors.Is(err, net.ErrClosed):
			return nil
		case err != nil:
			return fmt.Errorf("accept on %s: %w", ln.Addr(), err)
		}
		e.admit(c, nil, nil)
		if err := e.enrolTrouble(); err != nil {
			a.Pause(err)
		} else {
			a.Went()
		}
	}
}

// begin counts something that Close waits for, unless the engine is closed.
func (e *Engine) begin() bool {
	e.gate.RLock()
	defer e.gate.RUnlock()
	if !e.closed {
		e.serving.Add(1)
	}
	return !e.closed
}

// prepare sets on the listener what accepted TCP connections inherit from it,
// which costs nothing a connection. Those that came before keep the kernel's
// default, and so do unix sockets, whose default is small.
func (e *Engine) prepare(ln net.Listener) error {
	conn, ok := ln.(syscall.Conn)
	if !ok || e.options().SendBufferBytes == 0 {
		return nil
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return fmt.Errorf("listener %s: %w", ln.Addr(), err)
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_SNDBUF, e.options().SendBufferBytes)
	})
	if err = errors.Join(err, failed); err != nil {
		return fmt.Errorf("listener %s: set SO_SNDBUF: %w", ln.Addr(), err)
	}
	return nil
}

// Admit takes a connection that was accepted elsewhere. read is what has been read of c
// already (behind a PROXY header say): the loop takes it for the connection's first
// bytes, and keeps it. who is who its peer is known to be, nil for the anonymous; see
// Identify. c must be a *net.TCPConn or a *net.UnixConn, and belongs to the engine from
// here on: where a limit forbids it, it is refused like any other. The error is ErrClosed.
func (e *Engine) Admit(c net.Conn, read []byte, who *Identity) error {
	if !e.begin() {
		_ = c.Close()
		return ErrClosed
	}
	defer e.serving.Done()
	e.admit(c, read, who)
	return nil
}

// admit checks the limits, before any loop is touched, and hands c to a loop.
func (e *Engine) admit(c net.Conn, read []byte, who *Identity) {
	if full := e.reserve(); full != nil {
		full.Add(1)
		e.refuse(c, true)
		return
	}
	if !e.shared.EnterAddress(c.RemoteAddr()) {
		e.unreserve()
		e.refusedPerIP.Add(1)
		e.refuse(c, false)
		return
	}
	e.enrol(c, read, who)
}

const retryAfterSeconds = 5

var unavailable = protocol.AppendUnavailable(nil, retryAfterSeconds, protocol.PlainText,
	"at the limit of connections, try again later\n")

// refuse answers 503 without a loop. Where MaxRefusals are being answered already, it
// makes the acceptor wait if pause is set, which leaves further clients in
// the kernel's queue instead of in our descriptors: right where nobody could
// come in anyway. Where it is only this client that may not, it is closed
// without an answer, since its refusals must not keep the others out.
func (e *Engine) refuse(c net.Conn, pause bool) {
	var stopped <-chan struct{}
	if pause {
		stopped = e.stopped
	}
	e.refuser.Refuse(c, unavailable, stopped)
}
