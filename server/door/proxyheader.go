package door

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"

	"github.com/pires/go-proxyproto"
)

// ProxyProtocol reads the PROXY protocol's header, version 1 or 2, with which a proxy says
// who its client is.
//
// Addresses in Trusted have to send one. Every other peer must not, and is taken for the
// client. The peers of a unix socket are trusted: who they may be is the matter of the
// file's mode.
// Owner: the server; every method may be called by any goroutine.
type ProxyProtocol struct {
	Trusted  Networks
	counters [proxyOutcomes]atomic.Uint64
}

// Peer is who is at the other end of a connection. An address that is not known, because
// it is a unix socket's, is not valid.
type Peer struct {
	Client netip.AddrPort // the client, as far as the proxy tells
	Proxy  netip.AddrPort // the proxy that told; not valid if the client came itself
}

// Addr is the client's address as package net has it; nil if it is not known.
func (p Peer) Addr() net.Addr {
	if !p.Client.IsValid() {
		return nil
	}
	return net.TCPAddrFromAddrPort(p.Client)
}

// Limits of a header, from the protocol's own text; of version 2 it allows 64 KiB, but the
// largest that is in use, with a client's certificate in it, has 2 KiB.
const (
	maxProxyV1Bytes = 107
	maxProxyV2Bytes = 16 + 4096
)

// ProxyOutcome is what became of a connection; its text is a metric's label.
type ProxyOutcome uint8

// The outcomes. All but the first three are refusals.
const (
	ProxyDirect    ProxyOutcome = iota // not from a trusted address, without a header
	ProxyClient                        // a header with the client's address
	ProxyLocal                         // the proxy's own connection: a health check
	ProxyMissing                       // from a trusted address, without a header
	ProxyUntrusted                     // a header, but not from a trusted address
	ProxyMalformed                     // a header that cannot be read
	ProxyCut                           // it ended, or took too long, in front of its header's end
	proxyOutcomes
)

var proxyOutcomeNames = [proxyOutcomes]string{
	"direct", "client", "local", "missing", "untrusted", "malformed", "cut",
}

func (o ProxyOutcome) String() string { return proxyOutcomeNames[o] }

// ProxyError says why a connection is refused.
type ProxyError struct {
	Outcome ProxyOutcome
	Err     error
}

func (e *ProxyError) Error() string { return "PROXY protocol: " + e.Err.Error() }

// Unwrap is the cause.
func (e *ProxyError) Unwrap() error { return e.Err }

// Counters is how many connections had which outcome, since the start; every one is there.
func (p *ProxyProtocol) Counters() map[string]uint64 {
	all := make(map[string]uint64, proxyOutcomes)
	for o := range proxyOutcomes {
		all[o.String()] = p.counters[o].Load()
	}
	return all
}

// Believes reports whether a connection from peer has to begin with a header; a nil p believes
// nobody.
func (p *ProxyProtocol) Believes(peer netip.Addr) bool {
	return p != nil && (!peer.IsValid() || p.Trusted.Contain(peer))
}

// Read reads the header from c, which comes from remote, and returns who is there and what
// it has read behind the header. It blocks until c's deadline: not on a loop. The error is a
// *ProxyError; c is then the caller's to close.
func (p *ProxyProtocol) Read(c io.Reader, remote net.Addr) (peer Peer, rest []byte, err error) {
	from := AddrPort(remote)
	peer, rest, outcome, err := readProxyHeader(c, from, p.Believes(from.Addr()))
	p.counters[outcome].Add(1)
	if err != nil {
		return Peer{}, nil, &ProxyError{outcome, err}
	}
	return peer, rest, nil
}

func readProxyHeader(c io.Reader, from netip.AddrPort, trusted bool) (Peer, []byte, ProxyOutcome, error) {
	direct := Peer{Client: from}
	buffer := make([]byte, 0, 512)
	for {
		size, err := proxyHeaderSize(buffer)
		switch {
		case errors.Is(err, errNoProxyHeader) && trusted:
			return Peer{}, nil, ProxyMissing, fmt.Errorf("wants a header from the proxy at %s, got none", from.Addr())
		case errors.Is(err, errNoProxyHeader):
			return direct, buffer, ProxyDirect, nil
		case err == nil && !trusted:
			err = fmt.Errorf("wants headers from trusted addresses only, got one from %s", from.Addr())
			return Peer{}, nil, ProxyUntrusted, err
		case err != nil && !errors.Is(err, errShortProxyHeader):
			return Peer{}, nil, ProxyMalformed, err
		case err == nil:
			peer, outcome, err := parseProxyHeader(buffer[:size], from)
			if err != nil {
				return Peer{}, nil, ProxyMalformed, err
			}
			return peer, buffer[size:], outcome, nil
		}
		if len(buffer) == cap(buffer) {
			buffer = append(buffer, 0)[:len(buffer)] // at most to the size of the largest header
		}
		n, err := c.Read(buffer[len(buffer):cap(buffer)])
		buffer = buffer[:len(buffer)+n]
		if err != nil && n == 0 {
			if !trusted {
				return direct, buffer, ProxyDirect, nil // the next one to read gets the error, too
			}
			return Peer{}, nil, ProxyCut, fmt.Errorf("wants a header, got %d bytes of it: %w", len(buffer), err)
		}
	}
}

// What proxyHeaderSize says of bytes that are no whole header.
var (
	errNoProxyHeader    = errors.New("no header")
	errShortProxyHeader = errors.New("no whole header yet")
)

// proxyHeaderSize is the size of the header that b begins with. Otherwise the error is
// errNoProxyHeader, errShortProxyHeader for the beginning of one, or says what is wrong.
func proxyHeaderSize(b []byte) (int, error) {
	v1, v2 := append(bytes.Clone(proxyproto.SIGV1), ' '), proxyproto.SIGV2
	switch {
	case bytes.HasPrefix(b, v1):
		end := bytes.IndexByte(b[:min(len(b), maxProxyV1Bytes)], '\n')
		switch {
		case end >= 0:
			return end + 1, nil
		case len(b) >= maxProxyV1Bytes:
			return 0, fmt.Errorf("wants a header of at most %d bytes, got a longer one", maxProxyV1Bytes)
		}
		return 0, errShortProxyHeader
	case bytes.HasPrefix(b, v2):
		if len(b) < 16 {
			return 0, errShortProxyHeader
		}
		size := 16 + int(binary.BigEndian.Uint16(b[14:]))
		switch {
		case size > maxProxyV2Bytes:
			return 0, fmt.Errorf("wants a header of at most %d bytes, got one of %d", maxProxyV2Bytes, size)
		case len(b) < size:
			return 0, errShortProxyHeader
		}
		return size, nil
	case bytes.HasPrefix(v1, b), bytes.HasPrefix(v2, b):
		return 0, errShortProxyHeader
	}
	return 0, errNoProxyHeader
}

// parseProxyHeader reads a whole header, which came from the proxy at from.
func parseProxyHeader(header []byte, from netip.AddrPort) (Peer, ProxyOutcome, error) {
	h, err := proxyproto.Read(bufio.NewReaderSize(bytes.NewReader(header), len(header)))
	if err != nil {
		return Peer{}, 0, errors.New(strings.TrimPrefix(err.Error(), "proxyproto: "))
	}
	switch h.TransportProtocol {
	case proxyproto.TCPv4, proxyproto.TCPv6:
	case proxyproto.UnixStream, proxyproto.UNSPEC:
		// The client came to the proxy over a unix socket, or the proxy does not know.
		return Peer{Client: from, Proxy: from}, ProxyLocal, nil
	default:
		return Peer{}, 0, fmt.Errorf("wants a connection's header, got one for protocol %#x", byte(h.TransportProtocol))
	}
	if h.Command.IsLocal() {
		return Peer{Client: from, Proxy: from}, ProxyLocal, nil
	}
	client := AddrPort(h.SourceAddr)
	if !client.IsValid() {
		return Peer{}, 0, errors.New("wants the client's address, got none")
	}
	return Peer{Client: client, Proxy: from}, ProxyClient, nil
}
