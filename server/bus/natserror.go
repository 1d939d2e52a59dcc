package bus

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"

	"github.com/nats-io/nats.go"
)

// Reason is what kind of error NATS or the way to it has: for a log line, and a metric's label.
type Reason string

// All reasons.
const (
	ReasonAuthorization Reason = "authorization" // the server does not take the node's credentials, or no longer
	ReasonPermission    Reason = "permission"    // the user may not publish, or subscribe, to a subject
	ReasonTLS           Reason = "tls"           // one side does not take the other's certificate, or TLS itself
	ReasonUnreachable   Reason = "unreachable"   // nothing listens, there is no such host, or the connection ended
	ReasonTimeout       Reason = "timeout"       // the server, or the way to it, stands still
	ReasonSlowConsumer  Reason = "slow_consumer" // this node did not read fast enough
	ReasonMaxPayload    Reason = "max_payload"   // a message is larger than the server takes
	ReasonLimit         Reason = "limit"         // the server has as many connections or subscriptions as it takes
	ReasonOther         Reason = "other"
)

// Reasons are all of them, for a metric that is to show each from the start.
var Reasons = [...]Reason{
	ReasonAuthorization, ReasonPermission, ReasonTLS, ReasonUnreachable, ReasonTimeout, ReasonSlowConsumer,
	ReasonMaxPayload, ReasonLimit, ReasonOther,
}

// reasonOf is what kind of error err is. The order counts: an error of TLS may be that the server
// stood still meanwhile, and one of the network wraps all of these.
//
// Much of what the server says comes as text: nats.go has values for some of it only, and its own
// comparison (natsProtoErr.Is) does not find those for expired and revoked users.
func reasonOf(err error) Reason {
	if err == nil {
		return ReasonOther
	}
	text := strings.ToLower(err.Error())
	says := func(parts ...string) bool {
		for _, part := range parts {
			if strings.Contains(text, part) {
				return true
			}
		}
		return false
	}
	var file *FileError
	isFile := errors.As(err, &file)
	switch {
	case errors.Is(err, nats.ErrPermissionViolation):
		return ReasonPermission
	case isFile && file.TLS, (isTLS(err) || says("tls: ")) && !isTimeout(err), says("secure connection - tls required"):
		return ReasonTLS
	case isFile, isAuthorization(err),
		says("authorization violation", "authentication expired", "authentication revoked", "signing nonce"):
		return ReasonAuthorization
	case errors.Is(err, nats.ErrSlowConsumer):
		return ReasonSlowConsumer
	case errors.Is(err, nats.ErrMaxPayload), says("maximum payload"):
		return ReasonMaxPayload
	case says("maximum connections", "maximum account active connections", "maximum subscriptions"):
		return ReasonLimit
	case isTimeout(err), says("stale connection", "authentication timeout"):
		return ReasonTimeout
	case isUnreachable(err):
		return ReasonUnreachable
	}
	return ReasonOther
}

func isAny(err error, all ...error) bool {
	for _, one := range all {
		if errors.Is(err, one) {
			return true
		}
	}
	return false
}

func isAuthorization(err error) bool {
	return isAny(err, nats.ErrAuthorization, nats.ErrAuthExpired, nats.ErrAuthRevoked, nats.ErrAccountAuthExpired,
		nats.ErrNkeysNotSupported)
}

func isTLS(err error) bool {
	return isAny(err, nats.ErrTLS, nats.ErrSecureConnRequired, nats.ErrSecureConnWanted)
}

func isTimeout(err error) bool {
	if isAny(err, nats.ErrTimeout, nats.ErrStaleConnection, os.ErrDeadlineExceeded, context.DeadlineExceeded) {
		return true
	}
	e, ok := errors.AsType[net.Error](err)
	return ok && e.Timeout()
}

func isUnreachable(err error) bool {
	if isAny(err, nats.ErrNoServers, nats.ErrDisconnected, nats.ErrConnectionClosed, nats.ErrConnectionReconnecting,
		nats.ErrReconnectBufExceeded, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, syscall.ECONNREFUSED,
		syscall.ECONNRESET, syscall.EPIPE) {
		return true
	}
	_, ok := errors.AsType[net.Error](err) // *net.OpError, *net.DNSError
	return ok
}

// violation is what the NATS user of this node may not do.
type violation struct {
	// What is "publish", "subscribe" or "reply": to publish with Subject as the reply's subject.
	What    string
	Subject string
}

// The server's words, all of them: "Permissions Violation for Publish to %q", "... Publish with
// Reply of %q", "... Subscription to %q", behind which may stand the queue or the number.
var violationText = regexp.MustCompile(`(?i)permissions violation for (publish to|publish with reply of|` +
	`subscription to) ("(?:[^"\\]|\\.)*")`)

// violationOf reads what NATS reports later, and as text, of a PUB or SUB that the user may not
// send.
func violationOf(err error) (v violation, ok bool) {
	if !errors.Is(err, nats.ErrPermissionViolation) {
		return v, false
	}
	parts := violationText.FindStringSubmatch(err.Error())
	if parts == nil {
		return v, false
	}
	subject, err := strconv.Unquote(parts[2])
	if err != nil {
		return v, false
	}
	what := map[string]string{
		"publish to": "publish", "publish with reply of": "reply", "subscription to": "subscribe",
	}[strings.ToLower(parts[1])]
	return violation{what, subject}, true
}
