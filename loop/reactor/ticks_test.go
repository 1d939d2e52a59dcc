package reactor

import (
	"testing"
	"time"

	"github.com/gobwas/ws"

	"groupcast/protocol"
)

// TestLateTicks: a tick that was missed is made up for, more of them are not.
func TestLateTicks(t *testing.T) {
	e := startSim(t, nil)
	r := e.reactors[0]
	for _, test := range []struct{ late, want uint32 }{{1, 1}, {2, 2}, {3, 2}, {1000, 2}} {
		var before uint32
		onLoop(t, r, func() {
			before = r.wheel.now
			r.ticked = time.Since(e.shared.Start) - time.Duration(test.late)*r.every - time.Millisecond
			r.advance()
			if made := r.wheel.now - before; test.late > 1 && made != 0 {
				t.Errorf("%d ticks were made at once, before the sockets were looked at", made)
			}
		})
		var made uint32
		waitFor(t, "the late ticks are made", func() (done bool) {
			onLoop(t, r, func() {
				done, made = r.overdue == 0, r.wheel.now-before
				if late := (time.Since(e.shared.Start) - r.ticked) / r.every; done && late > maxLate {
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
		age = r.describe(s, listedGrants).Age
	})
	o := DefaultOptions()
	o.PingAfter, o.CloseAfter = 5200*time.Millisecond, 5800*time.Millisecond
	onLoop(t, r, func() { r.Reconfigure(&o) })
	onLoop(t, r, func() {
		if r.every != 120*time.Millisecond {
			t.Errorf("a tick lasts %s, want 120ms", r.every)
		}
		if got := r.describe(s, listedGrants); got.Age < age || got.Age > age+time.Second || got.Idle < 40*time.Second {
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
	})
}

// TestReconfigureWhileClosing: a deadline that is already over, but has not been
// looked at, is not put off by another tick.
func TestReconfigureWhileClosing(t *testing.T) {
	slow := func(o *Options) { // a tick of 500 ms, so that looks do not fall on deadlines
		o.HandshakeTimeout, o.CloseTimeout = 2500*time.Millisecond, 6*time.Second
	}
	e := startSim(t, slow)
	r := e.reactors[0]
	r.draining = true // no other limit ends it
	onLoop(t, r, func() {
		p := r.simulatePeer(10)
		p.publish(5000)
		r.closeWith(p.s, ws.StatusGoingAway, "")
		limit := r.ticks(r.opt.CloseTimeout)
		for n := limit + 1; n > 0; n-- {
			r.makeTicks(1)
		}
		o := *r.opt
		o.HandshakeTimeout = 5 * time.Second
		r.Reconfigure(&o)
		for n := 3 * limit; n > 0 && p.s.state != stateDead; n-- {
			r.makeTicks(1)
		}
		if p.s.state != stateDead {
			t.Error("a close handshake without progress lasts for ever")
		}
		r.draining = false
	})
}

// TestLateTicksAwaitTheRightYield: a yield that was out before the standstill comes
// back in front of what came meanwhile: it does not make the late ticks.
func TestLateTicksAwaitTheRightYield(t *testing.T) {
	e := startSim(t, nil)
	r := e.reactors[0]
	onLoop(t, r, func() {
		r.yield()
		r.ticked -= time.Hour
		before := r.wheel.now
		r.advance()
		r.Yielded()
		if r.wheel.now != before {
			t.Error("made by a yield from before the standstill")
		}
		r.Yielded()
		if r.wheel.now != before+maxLate {
			t.Errorf("%d ticks made, want %d", r.wheel.now-before, maxLate)
		}
	})
}
