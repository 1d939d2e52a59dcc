package door

import (
	"testing"

	"golang.org/x/sys/unix"
)

// A process may call itself what it likes; it does not get through to a terminal.
func TestPlainName(t *testing.T) {
	if got := plainName("ab \x1b[2J\n\u202e\n"); got != "ab ?[2J??" {
		t.Errorf("got %q", got)
	}
}

// Plain TCP. A client without multipath TCP gets a plain socket from either
// kind of listener, so it is the listener that tells.
func TestListenerIsPlainTCP(t *testing.T) {
	d := openAt(t, Address{"tcp", "127.0.0.1:0"})
	if got := socketOption(t, d.Listener, unix.SO_PROTOCOL); got != unix.IPPROTO_TCP {
		t.Errorf("the listener's protocol is %d, want TCP's", got)
	}
}
