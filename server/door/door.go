package door

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"groupcast/server/lockfile"
)

// Door is one address on which the server accepts connections.
// Owner: the server; Open and Shut are called by one goroutine at a time.
type Door struct {
	Listener net.Listener
	address  Address
	closed   atomic.Bool    // it accepts nobody any more
	socket   os.FileInfo    // the socket file as it was bound; nil for TCP
	lock     *lockfile.Lock // the right to its path; likewise
}

// resolveTimeout bounds the look-up of a host name in --listen.
const resolveTimeout = 5 * time.Second

// Open binds a; a unix socket's file gets mode. The error is for the operator: one
// line, without the "listen tcp: bind:" that package net puts before it.
func Open(a Address, mode fs.FileMode) (*Door, error) {
	d := &Door{address: a}
	config := net.ListenConfig{
		// Every accepted socket would be given four keep-alive options, a system
		// call each. Dead peers are found by the loops' own pings anyway.
		KeepAlive: -1,
	}
	// Multipath TCP is Go's default for listeners. It buys a server of small
	// messages nothing, and its sockets take another way through the kernel
	// than the plain one that the raw writes are measured on.
	config.SetMultipathTCP(false)

	if a.IsUnix() && !a.abstract() {
		if err := d.makeWay(); err != nil {
			return nil, fmt.Errorf("listen on %s: %w", a, err)
		}
		config.Control = modeBeforeBind(mode)
	}
	ctx, cancel := context.WithTimeout(context.Background(), resolveTimeout)
	defer cancel()
	var err error
	if d.Listener, err = config.Listen(ctx, a.family(), a.text); err != nil {
		return nil, errors.Join(fmt.Errorf("listen on %s: %w", a, a.explain(err)), d.release())
	}
	if a.IsUnix() && !a.abstract() {
		if err := d.claim(mode); err != nil {
			return nil, errors.Join(fmt.Errorf("listen on %s: %w", a, Reason(err)), d.Shut())
		}
	}
	return d, nil
}

// Shut stops accepting; it may be called twice. The socket file goes first, so that no
// client finds a door that is about to be closed.
func (d *Door) Shut() error {
	d.closed.Store(true)
	err := d.unlink()
	if closed := d.Listener.Close(); !errors.Is(closed, net.ErrClosed) {
		err = errors.Join(err, closed)
	}
	return errors.Join(err, d.release())
}

// Bound is the address in use: with port 0, the one the kernel chose.
func (d *Door) Bound() Address {
	if d.address.IsUnix() {
		return d.address
	}
	return Address{d.address.network, d.Listener.Addr().String()}
}

// Ended notes that accepting ended by itself. It may be called by any goroutine, as may
// IsOpen.
func (d *Door) Ended() { d.closed.Store(true) }

// IsTLS reports whether its connections are encrypted.
func (d *Door) IsTLS() bool { return d.address.IsTLS() }

// IsOpen reports whether the door takes connections.
func (d *Door) IsOpen() bool { return !d.closed.Load() }

// explain is Reason, and names the process that has the port.
func (a Address) explain(err error) error {
	if !a.IsUnix() && errors.Is(err, syscall.EADDRINUSE) {
		if who := holder(a.text); who != "" {
			return fmt.Errorf("%w: %s has it", syscall.EADDRINUSE, who)
		}
	}
	return Reason(err)
}

// Reason is the reason at the bottom of what package net reports: the system
// call's error, or the resolver's.
func Reason(err error) error {
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
