package bus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"syscall"
	"testing"

	"github.com/nats-io/nats.go"
)

// Each error has its reason. What only a server's text says is written here as the server does;
// the other tests get the same from a real one.
func TestReasonOf(t *testing.T) {
	t.Parallel()
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	late := &net.OpError{Op: "read", Net: "tcp", Err: os.ErrDeadlineExceeded}
	for _, c := range []struct {
		err  error
		want Reason
	}{
		{nil, ReasonOther},
		{errors.New("nats: a word of tomorrow"), ReasonOther},
		{nats.ErrAuthorization, ReasonAuthorization},
		{nats.ErrAccountAuthExpired, ReasonAuthorization},
		{errors.New("nats: User Authentication Expired"), ReasonAuthorization},
		{errors.New("nats: User Authentication Revoked"), ReasonAuthorization},
		{errors.New("nats: Account Authentication Expired"), ReasonAuthorization},
		{nats.ErrNkeysNotSupported, ReasonAuthorization},
		{fmt.Errorf("error signing nonce: %w", &FileError{Flag: "--nats-nkey"}), ReasonAuthorization},
		{fmt.Errorf("nats: %w", &FileError{Flag: "--nats-ca", TLS: true, Err: os.ErrNotExist}), ReasonTLS},
		{fmt.Errorf("%w: Permissions Violation for Publish to \"x\"", nats.ErrPermissionViolation), ReasonPermission},
		{fmt.Errorf("%w: %w", nats.ErrTLS, io.EOF), ReasonTLS},
		{fmt.Errorf("%w: %w", nats.ErrTLS, late), ReasonTimeout},
		{nats.ErrSecureConnWanted, ReasonTLS},
		{errors.New("remote error: tls: certificate required"), ReasonTLS},
		{errors.New("nats: Secure Connection - TLS Required"), ReasonTLS},
		{refused, ReasonUnreachable},
		{&net.DNSError{Err: "no such host", Name: "a", IsNotFound: true}, ReasonUnreachable},
		{io.EOF, ReasonUnreachable},
		{nats.ErrNoServers, ReasonUnreachable},
		{nats.ErrReconnectBufExceeded, ReasonUnreachable},
		{late, ReasonTimeout},
		{&net.DNSError{Err: "i/o timeout", Name: "a", IsTimeout: true}, ReasonTimeout},
		{context.DeadlineExceeded, ReasonTimeout},
		{nats.ErrStaleConnection, ReasonTimeout},
		{errors.New("nats: Authentication Timeout"), ReasonTimeout},
		{nats.ErrSlowConsumer, ReasonSlowConsumer},
		{nats.ErrMaxPayload, ReasonMaxPayload},
		{errors.New("nats: Maximum Payload Violation"), ReasonMaxPayload},
		{nats.ErrMaxSubscriptionsExceeded, ReasonLimit},
		{nats.ErrMaxConnectionsExceeded, ReasonLimit},
		{errors.New("nats: maximum account active connections exceeded"), ReasonLimit},
	} {
		if got := reasonOf(c.err); got != c.want || !slices.Contains(Reasons[:], got) {
			t.Errorf("%v: got %s, want %s", c.err, got, c.want)
		}
	}
}

// What the server says of a subject is read, in each of its forms, and nothing else.
func TestViolationOf(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]violation{
		`Permissions Violation for Publish to "groupcast.g.a"`:                      {"publish", "groupcast.g.a"},
		`permissions violation for publish to "groupcast.g.a"`:                      {"publish", "groupcast.g.a"},
		`Permissions Violation for Publish with Reply of "_INBOX.x"`:                {"reply", "_INBOX.x"},
		`Permissions Violation for Subscription to "groupcast.n.all" (sid "4")`:     {"subscribe", "groupcast.n.all"},
		`Permissions Violation for Subscription to "g.*" using queue "q" (sid "4")`: {"subscribe", "g.*"},
		`Permissions Violation for Subscription to "a.b.c", too many tokens`:        {"subscribe", "a.b.c"},
		`Permissions Violation for Publish to "a\"b\\"`:                             {"publish", `a"b\`},
		`Permissions Violation for Publish to "k\u00fcche"`:                         {"publish", "küche"},
		`Permissions Violation for Publish to a`:                                    {},
		`Permissions Violation for Publish to "a`:                                   {},
		`Permissions Violation for Publish to "\q"`:                                 {},
		`Permissions Violation for a word of tomorrow "x"`:                          {},
	} {
		got, ok := violationOf(fmt.Errorf("%w: %s", nats.ErrPermissionViolation, text))
		if got != want || ok != (want != violation{}) {
			t.Errorf("%s: got %+v, %v", text, got, ok)
		}
	}
	if _, ok := violationOf(errors.New(`Permissions Violation for Publish to "a"`)); ok {
		t.Error("that is not NATS's")
	}
}
