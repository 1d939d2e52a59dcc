package door

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"groupcast/server/lockfile"
)

// Try says why a listener cannot be had at a, and takes nothing: TCP addresses are bound
// and not listened on, a unix socket's path is looked at. syscall.EADDRINUSE is in the
// error where another has it.
func (a Address) Try() error {
	if a.IsUnix() {
		return a.tryUnix()
	}
	return a.tryTCP()
}

// tryUnix says why a socket cannot be made at a path.
func (a Address) tryUnix() error {
	if a.abstract() {
		return nil
	}
	if err := lockfile.CheckDir(filepath.Dir(a.text)); err != nil {
		return Reason(err)
	}
	lock, err := lockfile.TakeOld(a.text + lockfile.Extension)
	switch held, isHeld := errors.AsType[*lockfile.HeldError](err); {
	case isHeld:
		return fmt.Errorf("%w: pid %d has it", syscall.EADDRINUSE, held.PID)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return Reason(err)
	case err == nil:
		defer func() { _ = lock.Abandon() }() // it says whose a stale socket is
	}
	_, err = isStale(a.text, lock)
	return err
}

// tryTCP says why a port cannot be bound.
func (a Address) tryTCP() error {
	ctx, cancel := context.WithTimeout(context.Background(), resolveTimeout)
	defer cancel()
	host, service, err := net.SplitHostPort(a.text)
	if err != nil {
		return err
	}
	port, err := net.DefaultResolver.LookupPort(ctx, "tcp", service)
	if err != nil {
		return err
	}
	if host == "" {
		return a.explain(bindPort(net.IPv6unspecified, port))
	}
	ips, err := net.DefaultResolver.LookupIP(ctx, "ip", host)
	if err != nil || len(ips) == 0 {
		return Reason(err)
	}
	ip := ips[0]
	for _, one := range ips { // Go listens on the first IPv4 address, if there is one
		if one.To4() != nil {
			ip = one
			break
		}
	}
	return a.explain(bindPort(ip, port))
}

// bindPort binds and lets go again. It does not listen: nobody who comes in the
// meantime is let in to be turned away.
func bindPort(ip net.IP, port int) error {
	var at unix.Sockaddr
	domain := unix.AF_INET6
	if four := ip.To4(); four != nil {
		domain, at = unix.AF_INET, &unix.SockaddrInet4{Port: port, Addr: [4]byte(four)}
	} else {
		at = &unix.SockaddrInet6{Port: port, Addr: [16]byte(ip.To16())}
	}
	fd, err := unix.Socket(domain, unix.SOCK_STREAM, 0)
	if errors.Is(err, unix.EAFNOSUPPORT) && ip.IsUnspecified() {
		return bindPort(net.IPv4zero, port)
	}
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	unix.CloseOnExec(fd)
	if domain == unix.AF_INET6 && ip.IsUnspecified() {
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 0); err != nil {
			return err
		}
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return err
	}
	return unix.Bind(fd, at)
}
