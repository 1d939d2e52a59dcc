package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"groupcast/server/monitor"
)

// door is one address on which the server accepts connections.
// Owner: the Server; open and shut are called by one goroutine at a time.
type door struct {
	address  address
	kind     string // of the monitor's kinds
	listener net.Listener
	closed   atomic.Bool // it accepts nobody any more
	socket   os.FileInfo // the socket file as it was bound; nil for TCP
}

// resolveTimeout bounds the look-up of a host name in --listen.
const resolveTimeout = 5 * time.Second

// open binds a. The error is for the operator: one line, without the
// "listen tcp: bind:" that the net package puts before it.
func open(a address, mode FileMode) (*door, error) {
	d := &door{address: a, kind: monitor.KindWebSocket}
	config := net.ListenConfig{
		// Every accepted socket would be given four keep-alive options, a system
		// call each. Dead peers are found by the loops' own pings anyway.
		KeepAlive: -1,
	}
	// Multipath TCP is Go's default for listeners. It buys a server of small
	// messages nothing, and its sockets take another way through the kernel
	// than the plain one that the raw writes are measured on.
	config.SetMultipathTCP(false)

	if a.network == "unix" && !a.abstract() {
		if err := removeStale(a.text); err != nil {
			return nil, fmt.Errorf("listen on %s: %w", a, err)
		}
		config.Control = modeBeforeBind(mode)
	}
	ctx, cancel := context.WithTimeout(context.Background(), resolveTimeout)
	defer cancel()
	var err error
	if d.listener, err = config.Listen(ctx, a.network, a.text); err != nil {
		return nil, fmt.Errorf("listen on %s: %w", a, plain(err))
	}
	if a.network == "unix" && !a.abstract() {
		if err := d.claim(mode); err != nil {
			return nil, errors.Join(fmt.Errorf("listen on %s: %w", a, plain(err)), d.shut())
		}
	}
	return d, nil
}

// shut stops accepting. The socket file goes first, so that nobody finds a
// door that is about to be closed.
func (d *door) shut() error {
	d.closed.Store(true)
	err := d.unlink()
	if closed := d.listener.Close(); !errors.Is(closed, net.ErrClosed) {
		err = errors.Join(err, closed)
	}
	return err
}

// bound is the address in use: with port 0, the one the kernel chose.
func (d *door) bound() address {
	if d.address.network == "unix" {
		return d.address
	}
	return address{"tcp", d.listener.Addr().String()}
}

// describe is the door as it is shown.
func (d *door) describe() monitor.Listener {
	l := monitor.Listener{Kind: d.kind, Address: d.bound().String(), State: monitor.ListenerOK}
	if d.closed.Load() {
		l.State = monitor.ListenerClosed
	}
	return l
}

// plain is the reason at the bottom of what package net reports: the system
// call's error, or the resolver's.
func plain(err error) error {
	if number, ok := errors.AsType[syscall.Errno](err); ok {
		switch {
		case errors.Is(number, syscall.EADDRINUSE):
			return fmt.Errorf("%w: is another groupcast running?", number)
		case errors.Is(number, syscall.EACCES), errors.Is(number, syscall.EPERM):
			return fmt.Errorf("%w: a port below 1024 or a directory that is not writable?", number)
		}
		return number
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return fmt.Errorf("look up %s: %s", dns.Name, dns.Err)
	}
	return err
}
