package door

import (
	"fmt"
	"net"
	"strconv"
	"strings"
)

// Address is where to listen or to connect: a TCP host and port, or a unix socket's path.
// It is a value; the zero value is no address.
type Address struct {
	network string // "tcp", "tls" or "unix"
	text    string // what net.Listen takes
}

// MaxUnixPath is sun_path of Linux less its final zero byte.
const MaxUnixPath = 107

// AddressError says what an address looks like, and what was given.
type AddressError struct{ Wants, Got string }

func (e *AddressError) Error() string { return "wants " + e.Wants + ", got " + e.Got }

// Parse reads HOST:PORT, :PORT or unix:/PATH; tls: may stand in front of the first two. The error is an *AddressError.
func Parse(text string) (Address, error) {
	if path, isUnix := strings.CutPrefix(text, "unix:"); isUnix {
		switch {
		case path == "":
			return Address{}, &AddressError{"a path behind unix:", strconv.Quote(text)}
		case len(path) > MaxUnixPath:
			return Address{}, &AddressError{
				fmt.Sprintf("a socket path of at most %d bytes", MaxUnixPath), fmt.Sprintf("%d in %q", len(path), text),
			}
		}
		return Address{"unix", path}, nil
	}
	bare, secured := strings.CutPrefix(text, "tls:")
	_, port, err := net.SplitHostPort(bare)
	if err != nil {
		return Address{}, &AddressError{"HOST:PORT, :PORT or unix:/PATH", strconv.Quote(text)}
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return Address{}, &AddressError{"a port from 0 to 65535", strconv.Quote(text)}
	}
	if secured {
		return Address{"tls", bare}, nil
	}
	return Address{"tcp", bare}, nil
}

// Unix is the address of a unix socket's path. The caller sees to it that it is not too
// long: MaxUnixPath.
func Unix(path string) Address { return Address{"unix", path} }

// Network is "tcp" or "unix", as package net has it.
func (a Address) Network() string {
	if a.network == "tls" {
		return "tcp"
	}
	return a.network
}

// IsTLS reports whether connections to a are encrypted.
func (a Address) IsTLS() bool { return a.network == "tls" }

// WithTLS is a TCP address with TLS; a unix socket stays what it is.
func (a Address) WithTLS() Address {
	if a.network == "tcp" {
		a.network = "tls"
	}
	return a
}

// Text is what package net takes with Network: host and port, or the path.
func (a Address) Text() string { return a.text }

// IsUnix reports whether a is a unix socket.
func (a Address) IsUnix() bool { return a.network == "unix" }

// IsLoopback reports whether only this machine's own programs reach a: it is a unix
// socket, localhost, or an address of the loopback network. No name is looked up.
func (a Address) IsLoopback() bool {
	if a.IsUnix() {
		return true
	}
	host, _, err := net.SplitHostPort(a.text)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// HasHost reports whether a names a host: a listener needs none, a client does.
func (a Address) HasHost() bool { return a.IsUnix() || !strings.HasPrefix(a.text, ":") }

// AnyPort reports whether the kernel chooses the port: only then may an address
// be asked for twice.
func (a Address) AnyPort() bool {
	return !a.IsUnix() && strings.HasSuffix(a.text, ":0")
}

// Overlaps reports whether a and b cannot both be listened on, as far as that can be seen
// without looking up names: one of them is all addresses of the other's kind.
func (a Address) Overlaps(b Address) bool {
	if a.IsUnix() || b.IsUnix() {
		return a == b && a.IsUnix()
	}
	host, port, err := net.SplitHostPort(a.text)
	other, otherPort, wrong := net.SplitHostPort(b.text)
	if err != nil || wrong != nil || port != otherPort || a.AnyPort() {
		return false
	}
	if strings.EqualFold(host, other) {
		return true
	}
	return covers(host, other) || covers(other, host)
}

// covers reports whether listening on host takes other's addresses, too.
func covers(host, other string) bool {
	ip, theirs := net.ParseIP(host), net.ParseIP(other)
	switch {
	case host == "", ip != nil && ip.To4() == nil && ip.IsUnspecified():
		return true // both families
	case ip != nil && ip.IsUnspecified():
		return theirs == nil || theirs.To4() != nil // a name mostly has an IPv4 address
	}
	return false
}

// family is the network to listen on. An IPv4 address means IPv4 only: for Go,
// 0.0.0.0 would be every address of both. No host, and [::], are both.
func (a Address) family() string {
	if !a.IsUnix() {
		host, _, err := net.SplitHostPort(a.text)
		if ip := net.ParseIP(host); err == nil && ip.To4() != nil {
			return "tcp4"
		}
	}
	return a.Network()
}

// Family says which clients can come to a listener that is shown as text: IPv4, IPv6 or
// IPv4+IPv6; - for a unix socket.
func Family(text string) string {
	host, _, err := net.SplitHostPort(strings.TrimPrefix(text, "tls:"))
	ip := net.ParseIP(host)
	switch {
	case err != nil || ip == nil:
		return "-"
	case ip.To4() != nil:
		return "IPv4"
	case ip.IsUnspecified():
		return "IPv4+IPv6" // Go's net package lets both in
	}
	return "IPv6"
}

// String is the address as one writes it after --listen.
func (a Address) String() string {
	switch a.network {
	case "unix", "tls":
		return a.network + ":" + a.text
	}
	return a.text
}
