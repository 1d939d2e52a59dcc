package server

import (
	"fmt"
	"net"
	"strconv"
	"strings"
)

// address is where to listen: a TCP host and port, or a unix socket's path.
type address struct {
	network string // "tcp" or "unix"
	text    string // what net.Listen takes
}

// maxUnixPath is sun_path of Linux less its final zero byte.
const maxUnixPath = 107

// parseAddress reads one --listen value. Its errors say what an address looks
// like and name the value.
func parseAddress(text string) (address, error) {
	if path, isUnix := strings.CutPrefix(text, "unix:"); isUnix {
		switch {
		case path == "":
			return address{}, fmt.Errorf("wants a path behind unix:, got %q", text)
		case len(path) > maxUnixPath:
			return address{}, fmt.Errorf("wants a socket path of at most %d bytes, got %d in %q", maxUnixPath, len(path), text)
		}
		return address{"unix", path}, nil
	}
	_, port, err := net.SplitHostPort(text)
	if err != nil {
		return address{}, fmt.Errorf("wants HOST:PORT, :PORT or unix:/PATH, got %q", text)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return address{}, fmt.Errorf("wants a port from 0 to 65535, got %q", text)
	}
	return address{"tcp", text}, nil
}

// anyPort tells whether the kernel chooses the port: only then may an address
// be asked for twice.
func (a address) anyPort() bool {
	return a.network == "tcp" && strings.HasSuffix(a.text, ":0")
}

// String is the address as one writes it after --listen.
func (a address) String() string {
	if a.network == "unix" {
		return "unix:" + a.text
	}
	return a.text
}
