package order

import (
	"fmt"
	"runtime"
	"testing"
	"time"
)

// asleep waits until the broker's goroutine has announced its sleep.
func (o *order) asleep() {
	o.tb.Helper()
	for end := time.Now().Add(patience); o.broker.sleeper.state.Load() != armed; runtime.Gosched() {
		if time.Now().After(end) {
			o.tb.Fatal("the broker does not go to sleep")
		}
	}
}

// TestLoopStepsIn: what a loop publishes to a sleeping broker is in its own egress ring
// as soon as it has said so, and in the others' too. No goroutine had to run for that.
func TestLoopStepsIn(t *testing.T) {
	o := startOrder(t, 2, 64, 1<<20)
	for i := range 1000 {
		o.asleep()
		o.on(o.loops[i%2], func() {
			l := o.loops[i%2]
			l.port.Publish(text(fmt.Sprint(i)), l.catchUp)
			l.port.WakeBroker()
			if l.port.Empty() {
				t.Error("the message is not back")
			}
			if o.broker.sleeper.state.Load() != armed {
				t.Error("the broker's goroutine was woken")
			}
		})
	}
	o.received(1000)
}

// TestStepInNeverWaits: where another loop's egress ring has no room, a loop leaves the
// rest to the broker's goroutine and goes on.
func TestStepInNeverWaits(t *testing.T) {
	stopped := make(chan struct{})
	ports := []*Port{NewPort(16, 1<<20, func() {}), NewPort(16, 1<<20, func() {})}
	b := NewBroker(ports, 1, 1<<20, stopped)
	b.sleeper.state.Store(armed)
	ports[1].egress = newRing(4, 1<<20)
	for i := range 6 {
		ports[0].Publish(text(fmt.Sprint(i)), nil)
	}
	ports[0].WakeBroker() // would hang here
	if n := ports[0].egress.len(); n != 4 {
		t.Errorf("%d messages came back, want the 4 for which all have room", n)
	}
	if len(b.sleeper.wakes) != 1 || b.sleeper.state.Load() != running {
		t.Error("nobody has been woken for the rest")
	}
	for range 4 {
		ports[1].Take()
	}
	ports[1].HandBack()
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.Run()
	}()
	for end := time.Now().Add(patience); ports[0].egress.len() < 6; runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatal("the broker's goroutine does not take the rest")
		}
	}
	close(stopped)
	<-done
	for i := range 6 {
		if m := ports[0].Take(); m == nil || string(m.Payload()) != fmt.Sprint(i) {
			t.Fatalf("message %d: got %v", i, m)
		}
	}
}

// TestStepInLooksOnceMore: what another loop publishes while a loop is in the broker's
// place wakes nobody, so whoever gives the place back must see it.
func TestStepInLooksOnceMore(t *testing.T) {
	stopped := make(chan struct{})
	var ports []*Port
	late := func() { // called in the middle of a pass: this loop is woken
		if ports[1].ingress.len() == 0 {
			ports[1].Publish(text("late"), nil)
			ports[1].WakeBroker()
		}
	}
	ports = []*Port{NewPort(16, 1<<20, late), NewPort(16, 1<<20, func() {})}
	b := NewBroker(ports, 1, 1<<20, stopped)
	b.sleeper.state.Store(armed)
	ports[0].Publish(text("first"), nil)
	ports[0].WakeBroker()
	if len(b.sleeper.wakes) != 1 {
		t.Error("nobody sees what came meanwhile")
	}
}

// TestWokenBrokerRunsBeforeThePoll: with one processor, the broker's goroutine has run
// before the loop that woke it can block in the kernel. One Gosched alone is not
// enough one time in 61.
func TestWokenBrokerRunsBeforeThePoll(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	o := startOrder(t, 1, 256, 1<<20)
	l := o.loops[0]
	const rounds = 2000
	left := 0
	for range rounds {
		o.asleep()
		o.on(l, func() {
			for range perTurn + 1 { // one more than a pass takes
				l.port.Publish(text("x"), l.catchUp)
			}
			l.port.WakeBroker()
			if o.broker.sleeper.state.Load() != armed {
				left++ // it has not come to its next sleep
			}
		})
	}
	if left > rounds/200 { // one in 61 would be 32; a busy machine may cut a turn short
		t.Errorf("%d of %d times the broker was still to run", left, rounds)
	}
	o.received(rounds * (perTurn + 1))
}
