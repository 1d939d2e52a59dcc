package server

import (
	"fmt"
	"math"
	"slices"

	"golang.org/x/sys/unix"

	"groupcast/loop"
	"groupcast/server/api"
	"groupcast/server/door"
)

// raiseOpenFiles raises RLIMIT_NOFILE to its hard limit and returns what is in
// force. Go's os package raises it at start as well; this is where groupcast
// says that it counts on it, and where the result is read.
func raiseOpenFiles() (files int, err error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0, fmt.Errorf("read the open-files limit: %w", err)
	}
	if limit.Cur < limit.Max {
		raised := unix.Rlimit{Cur: limit.Max, Max: limit.Max}
		// Refused where the hard limit is above the kernel's fs.nr_open: then the
		// soft limit stays in force, which is not a reason to stop.
		if unix.Setrlimit(unix.RLIMIT_NOFILE, &raised) == nil {
			limit = raised
		}
	}
	return int(min(limit.Cur, math.MaxInt32)), nil
}

// What descriptors are needed for besides connections.
const (
	baseFiles = 192 // standard streams, logs, pollers, profiles, and the control socket's connections
	// Epoll, eventfd, control sockets, a timer, some to spare, and the second descriptor
	// of each connection that is on its way.
	filesPerLoop  = 8 + loop.MaxEnrolling
	filesPerEntry = 4 // a listener, a connection in the acceptor's hand (two), and one to spare
)

// reserveFor is how many of files descriptors are kept from the connections.
func reserveFor(files int, o Options) int {
	doors := len(o.Listen) + max(len(o.API), 1) + len(o.Channel)
	return baseFiles + maxAPIConns(files, o) + api.ReservedConns + loops(o)*filesPerLoop + doors*filesPerEntry +
		o.MaxRefusals
}

// maxOnRoad bounds the connections in a TLS handshake or in front of their PROXY header, and
// is what is kept for them.
func maxOnRoad(files int, o Options) int { return min(o.MaxHandshakes, max(files/8, 16)) }

// maxAPIConns bounds the connections to the API, so that under a low open-files
// limit backends cannot take what clients need.
func maxAPIConns(files int, o Options) int { return min(o.APILimits.MaxConns, max(files/8, 4)) }

// maxChannelConns bounds the connections to the Channel server likewise.
func maxChannelConns(files int, o Options) int {
	return min(o.ChannelServer.MaxConns, max(files/4, 4))
}

// connsWithin is the connection limit that an open-files limit allows. Under a
// very low one a quarter is better than nothing: then it is the system that
// refuses the rest, which costs nobody who is connected.
func connsWithin(files int, o Options) int {
	reserve := reserveFor(files, o)
	if len(o.Channel) > 0 {
		reserve += maxChannelConns(files, o)
	}
	if t := o.Tokens(); o.HasTLS() || len(o.ProxyProtocol) > 0 || len(o.TrustedProxies) > 0 || t.Configured() {
		reserve += maxOnRoad(files, o)
	}
	for _, text := range slices.Concat(o.API, o.Channel) {
		if a, err := door.Parse(text); err == nil && a.IsTLS() {
			reserve += maxOnBackendRoad
		}
	}
	return max(files-reserve, files/4, 1)
}
