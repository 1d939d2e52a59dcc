package loop

import (
	"testing"
	"time"

	"github.com/gobwas/ws"

	"groupcast/protocol"
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
	waitStats(t, e, "all are there", func(s ReactorStats) bool { return s.Sessions == 3 })
	id := sessionOf(t, e, leaving)
	if err := e.CloseSession(t.Context(), id, ws.StatusPolicyViolation, ""); err != nil {
		t.Fatal(err)
	}
	leaving.wantClose(ws.StatusPolicyViolation)
	held, hold := make(chan struct{}), make(chan struct{})
	if err := r.execute(runnable(func() { close(held); <-hold })); err != nil {
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

// TestLateTicks: a tick that was missed is made up for, more of them are not.
func TestLateTicks(t *testing.T) {
	e := startSim(t, nil)
	r := e.reactors[0]
	for _, test := range []struct{ late, want uint32 }{{1, 1}, {2, 2}, {3, 2}, {1000, 2}} {
		var before uint32
		onLoop(t, r, func() {
			before = r.wheel.now
			r.ticked = time.Since(e.start) - time.Duration(test.late)*r.every - time.Millisecond
			r.advance()
			if made := r.wheel.now - before; test.late > 1 && made != 0 {
				t.Errorf("%d ticks were made at once, before the sockets were looked at", made)
			}
		})
		var made uint32
		waitFor(t, "the late ticks are made", func() (done bool) {
			onLoop(t, r, func() {
				done, made = r.overdue == 0, r.wheel.now-before
				if late := (time.Since(e.start) - r.ticked) / r.every; done && late > maxLate {
					t.Errorf("%d ticks late: %d are still to be made", test.late, late)
				}
			})
			return done
		})
		// The clock may have added one of its own.
		if made < test.want || made > test.want+1 {
			t.Errorf("%d ticks late: %d made, want %d", test.late, made, test.want)
		}
	}
}

// TestTickFollowsReconfigure: limits that want a finer clock get it, and nobody
// is closed as silent without a ping that he had his time to answer.
func TestTickFollowsReconfigure(t *testing.T) {
	e := startSim(t, nil)
	r := e.reactors[0]
	var s *Session
	var age time.Duration
	onLoop(t, r, func() {
		r.sink()
		s = r.simulate(1, protocol.ModeBare)[0]
		s.opened -= 100
		s.lastSeen -= 40
		r.wheel.schedule(s, s.lastSeen+r.ticks(r.opt.PingAfter))
		age = r.describe(s).Age
	})
	o := *e.options()
	o.PingAfter, o.CloseAfter = 5200*time.Millisecond, 5800*time.Millisecond
	if err := e.Reconfigure(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	onLoop(t, r, func() {
		if r.every != 120*time.Millisecond {
			t.Errorf("a tick lasts %s, want 120ms", r.every)
		}
		if got := r.describe(s); got.Age < age || got.Age > age+time.Second || got.Idle < 40*time.Second {
			t.Errorf("age %s, was %s; idle %s", got.Age, age, got.Idle)
		}
		// It was to be looked at 16 seconds from then, and is long over both
		// limits by that time: it is pinged all the same.
		for n := r.ticks(17 * time.Second); n > 0 && r.stats.Pings == 0; n-- {
			r.makeTicks(1)
			r.deliverAll()
		}
		if s.state != stateOpen || r.stats.Pings != 1 {
			t.Fatalf("state %d after %d pings", s.state, r.stats.Pings)
		}
		r.makeTicks(5)
		if s.state != stateOpen {
			t.Error("closed before it had its time to answer")
		}
		r.makeTicks(1)
		if s.state == stateOpen {
			t.Error("open after it had its time to answer")
		}
		r.wheel.cancel(s) // it has no connection to bury
		s.dropQueue()
		r.sessions.remove(s)
		s.state, r.doomed = stateDead, nil
		r.ticked = time.Since(e.start) // those above were made up
	})
	// The clock follows: ten of the new ticks come within one of the old ones.
	var from uint32
	onLoop(t, r, func() { from = r.wheel.now })
	waitFor(t, "the clock ticks", func() (ok bool) {
		onLoop(t, r, func() { ok = r.wheel.now-from >= 10 })
		return ok
	})
}
