package loop

import (
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// TestHeldLoop: a loop that stands still for longer than any deadline ends
// nothing that is in time: what lies in the kernel is read first, and the time
// that was missed does not count.
func TestHeldLoop(t *testing.T) {
	const deadline = 300 * time.Millisecond
	e, addr := start(t, func(o *Options) {
		o.Loops = 1
		o.HandshakeTimeout, o.CloseTimeout = deadline, deadline
		o.PingAfter, o.CloseAfter = deadline, 2*deadline
	})
	r := e.reactors[0]
	early, leaving, member := connect(t, addr), open(t, addr), open(t, addr)
	waitFor(t, "all are there", func() bool { return listed(t, e) == 3 })
	id := sessionOf(t, e, leaving)
	if err := e.CloseSession(t.Context(), id, ws.StatusPolicyViolation, ""); err != nil {
		t.Fatal(err)
	}
	leaving.wantClose(ws.StatusPolicyViolation)
	held, hold := make(chan struct{}), make(chan struct{})
	if err := r.Do(func() { close(held); <-hold }); err != nil {
		t.Fatal(err)
	}
	<-held
	early.write([]byte(upgradeHead))
	leaving.write(closeFrame(ws.StatusPolicyViolation, ""))
	member.write(textFrame(`{"cmd":"ping","req_id":1}`))
	<-time.After(4 * deadline)
	close(hold)
	early.upgraded()
	member.want(ackOf("1"))
	leaving.wantClosedInOrder()
	s := sum(t, e)
	if s.HandshakeExpired+s.Resets+s.IdleClosed > 0 {
		t.Errorf("%d handshakes expired, %d resets, %d silent", s.HandshakeExpired, s.Resets, s.IdleClosed)
	}
}

// wantClosedInOrder wants the connection to end without a reset.
func (w *wire) wantClosedInOrder() {
	w.tb.Helper()
	_ = w.c.SetReadDeadline(time.Now().Add(patience))
	for {
		if _, err := w.in.ReadByte(); err != nil {
			if err.Error() != "EOF" {
				w.tb.Errorf("%v, want the end", err)
			}
			return
		}
	}
}

// TestClockFollowsReconfigure: limits that want a finer clock get it: ten of the new
// ticks come, of which the old clock would have lost eight.
func TestClockFollowsReconfigure(t *testing.T) {
	e, addr := start(t, nil)
	o := *e.options()
	o.PingAfter, o.CloseAfter = 50*time.Millisecond, 2*time.Hour
	if err := e.Reconfigure(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	w := open(t, addr)
	if op, _, err := w.tryRead(); op != ws.OpPing || err != nil {
		t.Fatal(op, err)
	}
}
