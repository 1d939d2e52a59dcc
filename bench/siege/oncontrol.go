package main

import (
	"context"
	"fmt"
	"net"
	"time"
)

// The control socket, which only the server's own user can open: a script that has gone mad.
var onControl = []attack{
	{
		name: "control-half",
		does: "100 connections to the control socket, each with half a request",
		run:  halfAtControl, proof: []string{closedByPeer},
	},
}

func halfAtControl(ctx context.Context, a *assault) {
	heads := []string{
		"POST /control/v1/reload HTTP/1.1\r\nHost: local", "",
		"POST /control/v1/stop HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{\"graceful\":",
		"GET /control/v1/info HTTP/1.1\r\nHost: localhost\r\nX-Long: ",
	}
	crowd(ctx, 100, 50, 20, func(i int) {
		l := a.opened(ctx, func() (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", a.target.Control)
		})
		if l == nil {
			return
		}
		defer l.hangUp()
		fmt.Fprint(l, heads[i%len(heads)])
		if i%len(heads) == 3 {
			l.drip(500*time.Millisecond, func() []byte { return []byte("x") })
			return
		}
		l.listen()
	})
}
