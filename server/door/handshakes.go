package door

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"maps"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
)

// FailureReason is why a handshake failed; its text is a metric's label.
type FailureReason uint8

// The reasons.
const (
	TimedOut          FailureReason = iota // the deadline passed in the middle
	Closed                                 // the client went away
	NoVersion                              // the client's highest version is below ours
	NoCipher                               // no cipher suite that both know
	NoProtocol                             // no ALPN protocol that both know
	PlainHTTP                              // HTTP without TLS
	NotTLS                                 // neither TLS nor HTTP
	UnknownName                            // no certificate for the name, see RefuseUnknownNames
	ClientCertificate                      // the client has none, or not a good one
	Refused                                // the client sent an alert: it does not trust the certificate, say
	OtherReason
	reasons
)

var reasonNames = [reasons]string{
	"timeout", "closed", "version", "cipher", "protocol", "plain_http", "not_tls", "unknown_name",
	"client_certificate", "refused_by_client", "other",
}

func (r FailureReason) String() string { return reasonNames[r] }

// handshakeCounters is how handshakes ended.
type handshakeCounters struct {
	full, resumed, challenges atomic.Uint64
	failed                    [reasons]atomic.Uint64
}

// HandshakeCounters is how many handshakes ended how, since the start.
type HandshakeCounters struct {
	Full, Resumed uint64
	Challenges    uint64            // the authority's, answered
	Failed        map[string]uint64 // by FailureReason's text; every one is there
}

// And is both together.
func (c HandshakeCounters) And(d HandshakeCounters) HandshakeCounters {
	sum := HandshakeCounters{
		Full: c.Full + d.Full, Resumed: c.Resumed + d.Resumed, Challenges: c.Challenges + d.Challenges,
		Failed: maps.Clone(c.Failed),
	}
	for reason, n := range d.Failed {
		sum.Failed[reason] += n
	}
	return sum
}

// Counters is how the handshakes ended so far.
func (t *TLS) Counters() HandshakeCounters {
	c := HandshakeCounters{
		Full: t.counters.full.Load(), Resumed: t.counters.resumed.Load(),
		Challenges: t.counters.challenges.Load(), Failed: make(map[string]uint64, reasons),
	}
	for r := range reasons {
		c.Failed[r.String()] = t.counters.failed[r].Load()
	}
	return c
}

// Texts of crypto/tls, where it has no type for an error. The tests provoke each.
var textsOf = []struct {
	text   string
	reason FailureReason
}{
	{"client offered only unsupported versions", NoVersion},
	{"unsupported SSLv2 handshake", NoVersion},
	{"no cipher suite supported by both", NoCipher},
	{"no key exchanges supported by both", NoCipher},
	{"client requested unsupported application protocols", NoProtocol},
	{"no certificates configured", UnknownName},
	{"client didn't provide a certificate", ClientCertificate},
}

// reasonOf is the reason of a failed handshake's error.
func reasonOf(err error) FailureReason {
	if header, ok := errors.AsType[tls.RecordHeaderError](err); ok && header.Conn != nil {
		if looksLikeHTTP(header.RecordHeader) {
			return PlainHTTP
		}
		return NotTLS
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return ClientCertificate
	}
	for _, t := range textsOf {
		if strings.Contains(err.Error(), t.text) {
			return t.reason
		}
	}
	operation, isOperation := errors.AsType[*net.OpError](err)
	timeout, isNet := errors.AsType[net.Error](err)
	switch {
	case isOperation && operation.Op == "remote error":
		return Refused
	case isNet && timeout.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return TimedOut
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, context.Canceled),
		errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, net.ErrClosed):
		return Closed
	}
	return OtherReason
}

// looksLikeHTTP reports whether what came in place of a record's header begins a request,
// as net/http has it.
func looksLikeHTTP(header [5]byte) bool {
	switch string(header[:]) {
	case "GET /", "HEAD ", "POST ", "PUT /", "OPTIO":
		return true
	}
	return false
}
