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
	if err := e.Prepare(ln); err != nil {
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
		e.admit(&Admission{Conn: c}, true)
		if err := e.enrolTrouble(); err != nil {
			a.Pause(err)
		} else {
			a.Went()
		}
	}
}

// Prepare sets on the listener what accepted TCP connections inherit from it,
// which costs nothing a connection. Those that came before keep the kernel's
// default, and so do unix sockets, whose default is small. On a listener that is closed
// there is nothing to set: accepting says that it is.
func (e *Engine) Prepare(ln net.Listener) error {
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
	if err = errors.Join(err, failed); err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("listener %s: set SO_SNDBUF: %w", ln.Addr(), err)
	}
	return nil
}

// Admit takes a connection, which belongs to the engine from here on: where a limit
// forbids it, it is refused like any other. The error is ErrClosed.
func (e *Engine) Admit(a Admission) error {
	if !e.begin() {
		_ = a.Conn.Close()
		return ErrClosed
	}
	defer e.serving.Done()
	e.admit(&a, false) // its caller is no acceptor that could pause
	return nil
}

// admit checks the limits, before any loop is touched, and hands the connection to a loop.
// pause is whether its caller is to wait where too many are being refused.
func (e *Engine) admit(a *Admission, pause bool) {
	if full := e.reserve(); full != nil {
		full.Add(1)
		e.refuse(a, pause)
		return
	}
	if !e.shared.EnterAddress(a.remote()) {
		e.unreserve()
		e.refusedPerIP.Add(1)
		e.refuse(a, false)
		return
	}
	if !e.shared.EnterUser(a.Who) {
		e.shared.ExitAddress(a.remote())
		e.unreserve()
		e.refusedPerUser.Add(1)
		e.refuse(a, false)
		return
	}
	e.enrol(a)
}

const retryAfterSeconds = 5

var unavailable = protocol.AppendUnavailable(nil, retryAfterSeconds, protocol.PlainText,
	"at the limit of connections, try again later\n")

// refuse answers 503 without a loop. Where MaxRefusals are being answered already, it
// makes the acceptor wait if pause is set, which leaves further clients in
// the kernel's queue instead of in our descriptors: right where nobody could
// come in anyway. Where it is only this client that may not, it is closed
// without an answer, since its refusals must not keep the others out.
func (e *Engine) refuse(a *Admission, pause bool) {
	var stopped <-chan struct{}
	if pause {
		stopped = e.stopped
	}
	answer := unavailable
	if a.TLS != nil {
		sealed, err := a.TLS.Seal(nil, unavailable)
		if err != nil {
			_ = a.Conn.Close()
			return
		}
		answer = a.TLS.CloseNotify(sealed)
	}
	e.refuser.Refuse(a.Conn, answer, stopped)
}
