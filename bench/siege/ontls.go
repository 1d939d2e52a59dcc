package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"time"
)

// What stands in front of a loop: TLS and the PROXY protocol.
var onTLS = []attack{
	{
		name: "tls-half", tls: true,
		does: "1,000 TLS handshakes that stop: before the first byte, within ClientHello, behind it",
		run:  halfHandshakes, proof: []string{closedByPeer, "groupcast_tls_handshake_failures_total"},
	},
	{
		name: "tls-storm", tls: true,
		does: "120 sessions a second over TLS, a full handshake each",
		run:  stormTLS, proof: []string{upgraded, "groupcast_tls_handshakes_total{full}"},
	},
	{
		name: "tls-bytes", tls: true,
		does: "five TLS sessions a second whose ClientHello comes in segments of one byte: they are served",
		run:  handshakeInBytes, proof: []string{upgraded},
	},
	{
		name: "tls-plain", tls: true,
		does: "50 requests a second in plain HTTP, and noise, on the TLS port",
		run:  plainOnTLS, proof: []string{"answered 400"},
	},
	{
		name: "proxy-endless", tls: true,
		does: "300 PROXY headers without an end, of both versions, from a proxy that is believed",
		run:  endlessProxy, proof: []string{closedByPeer},
	},
	{
		name: "proxy-liar", tls: true,
		does: "20 PROXY headers a second from an address that is not believed",
		run:  lyingProxy, proof: []string{closedByPeer, "groupcast_proxy_headers_total"},
	},
}

// clientHello is what a client says first.
func clientHello() []byte {
	here, there := net.Pipe()
	defer there.Close()
	go func() {
		_ = tls.Client(here, hostileTLS).Handshake() // fails when the pipe is closed
		_ = here.Close()
	}()
	hello := make([]byte, 4096)
	n, _ := there.Read(hello) // a client writes it at once
	return hello[:n]
}

func halfHandshakes(ctx context.Context, a *assault) {
	hello := clientHello()
	stops := [][]byte{nil, hello[:3], hello[:len(hello)/2], hello}
	crowd(ctx, 1000, 300, 150, func(i int) {
		l := a.dial(ctx, source(i, 8), a.target.TLS)
		if l == nil {
			return
		}
		defer l.hangUp()
		_, _ = l.Write(stops[i%len(stops)])
		l.listen()
	})
}

func stormTLS(ctx context.Context, a *assault) {
	crowd(ctx, 50, 50, 120, func(i int) {
		l := a.dial(ctx, source(i, 8), a.target.TLS)
		if l == nil {
			return
		}
		defer l.hangUp()
		l.session(true)
	})
}

// bytewise writes a byte at a time.
type bytewise struct{ net.Conn }

func (b bytewise) Write(p []byte) (int, error) {
	for i := range p {
		if _, err := b.Conn.Write(p[i : i+1]); err != nil {
			return i, err
		}
	}
	return len(p), nil
}

func handshakeInBytes(ctx context.Context, a *assault) {
	crowd(ctx, 5, 5, 5, func(i int) {
		l := a.dial(ctx, source(i, 8), a.target.TLS)
		if l == nil {
			return
		}
		defer l.hangUp()
		l.Conn = bytewise{l.Conn}
		l.session(true)
	})
}

func plainOnTLS(ctx context.Context, a *assault) {
	said := []string{
		"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "\x00\x00\x00\x00\x00\x00",
		"\x16\x03\x01\xff\xff" + strings.Repeat("x", 100), "SSH-2.0-hello\r\n",
	}
	crowd(ctx, 20, 20, 50, func(i int) {
		l := a.dial(ctx, source(i, 8), a.target.TLS)
		if l == nil {
			return
		}
		defer l.hangUp()
		fmt.Fprint(l, said[i%len(said)])
		l.listen()
	})
}

func endlessProxy(ctx context.Context, a *assault) {
	begun := []string{
		"PROXY TCP4 ", "PROXY UNKNOWN ", "P",
		"\r\n\r\n\x00\r\nQUIT\n\x21\x11\xff\xff", "\r\n\r\n\x00\r\nQUIT",
	}
	crowd(ctx, 300, 100, 60, func(i int) {
		addr, _ := a.door(i)
		l := a.dial(ctx, trustedProxy, addr)
		if l == nil {
			return
		}
		defer l.hangUp()
		fmt.Fprint(l, begun[i%len(begun)])
		l.drip(500*time.Millisecond, func() []byte { return []byte("1.2.3.4 ") })
	})
}

func lyingProxy(ctx context.Context, a *assault) {
	crowd(ctx, 10, 10, 20, func(i int) {
		l := a.dial(ctx, source(i, 8), a.target.Plain)
		if l == nil {
			return
		}
		defer l.hangUp()
		fmt.Fprintf(l, "PROXY TCP4 10.0.0.%d 10.0.0.1 1 2\r\nGET / HTTP/1.1\r\nHost: localhost\r\n\r\n", i)
		l.listen()
	})
}
