package reactor

import (
	"testing"

	"github.com/gobwas/ws"
	"golang.org/x/sys/unix"

	"groupcast/protocol"
)

// TestNothingIsReadBehindAClose: what comes behind the peer's Close frame is looked
// at by nobody.
func TestNothingIsReadBehindAClose(t *testing.T) {
	e := startSim(t, nil)
	r := e.reactors[0]
	onLoop(t, r, func() {
		r.write = func(int32, []byte) (int, unix.Errno) { return 0, unix.EAGAIN }
		r.watch = func(*Session) error { return nil }
		s := r.simulate(1, protocol.ModeBare)[0]
		closeFrame := func() []byte { return ws.MustCompileFrame(ws.MaskFrameInPlace(ws.NewCloseFrame([]byte("\x03\xe8")))) }
		r.read(s, closeFrame())
		r.read(s, closeFrame())
		if r.stats.CloseFrames != 1 || s.decoder != nil {
			t.Errorf("%d close frames, decoder %v", r.stats.CloseFrames, s.decoder)
		}
	})
}
