package order

import (
	"sync/atomic"
	"time"
)

// Port is a loop as the broker sees it: its two rings, and the word by which
// each wakes the other. Only event loops have one, since only they may make the
// broker wait (rule R6).
//
// Owner: the event loop's goroutine, which calls all exported methods but Put. That
// and what is not exported is the broker's.
type Port struct {
	broker *sleeper // wakes it
	stepIn func()   // has the broker take what is in its ingress rings

	ingress *ring // to the broker
	egress  *ring // from it
	taken   int   // popped from egress since slots were last handed back

	state   atomic.Uint32 // wakeState of the loop
	wakes   chan struct{} // capacity one: what a parked loop waits on
	wakeups atomic.Uint64 // calls of wakeUp
	wakeUp  func()        // has a loop that sleeps take what is in its egress ring; any goroutine
	stopped <-chan struct{}

	pushed       bool // ingress got items since the broker was last woken
	full         uint64
	blockedNanos uint64
}

// PortStats are a port's counters and gauges.
type PortStats struct {
	IngressLen   int    // ring items waiting for the broker
	EgressLen    int    // ring items waiting for the loop
	Wakeups      uint64 // times the broker had the loop woken
	Full         uint64 // publishes that had to wait for room
	BlockedNanos uint64 // time spent waiting for it
}

// NewPort makes a port whose rings hold slots items (a power of two) and bytes
// each. wakeUp is called, from the broker's goroutine, when a loop that has gone to
// rest has something to take; it must not wait.
func NewPort(slots, bytes int, wakeUp func()) *Port {
	p := &Port{
		ingress: newRing(slots, bytes),
		egress:  newRing(slots, bytes),
		wakes:   make(chan struct{}, 1),
		wakeUp:  wakeUp,
	}
	p.state.Store(armed)
	return p
}

// Publish hands m to the broker. Refused by a full ring, it follows rule R1: call
// whileFull, which is to take and deliver what one batch of Take brings, and try
// again; with nothing to take, sleep until there is something or there is room.
// When it returns, whatever whileFull may do has happened. It reports whether it
// has slept: the loop must then go to rest anew, since nobody will wake it for what
// came meanwhile.
func (p *Port) Publish(m *Message, whileFull func()) (slept bool) {
	p.pushed = true
	if p.ingress.push(m) {
		return false
	}
	p.full++
	began := time.Now()
	defer func() { p.blockedNanos += uint64(time.Since(began)) }()
	for {
		p.WakeBroker()
		whileFull()
		p.pushed = true
		if p.ingress.push(m) {
			return slept
		}
		slept = true
		p.state.Store(parked)
		if (!p.ingress.room(uint64(m.Size())) && p.egress.empty()) || !p.state.CompareAndSwap(parked, running) {
			select {
			case <-p.wakes:
			case <-p.stopped:
				return slept
			}
		}
	}
}

// WakeBroker has the broker take what was published; it may do the broker's work
// itself, for one pass. Once a read, not once a message.
func (p *Port) WakeBroker() {
	if p.pushed {
		p.pushed = false
		p.stepIn()
	}
}

// Take returns the next message from the broker, nil if there is none. Every so
// often it hands the slots of those before back: rule R4.
func (p *Port) Take() *Message {
	if p.taken == perTurn {
		p.HandBack()
	}
	m := p.egress.pop()
	if m != nil {
		p.taken++
	}
	return m
}

// HandBack hands back all slots that are taken. A loop calls it before it does
// anything that takes long.
func (p *Port) HandBack() {
	p.taken = 0
	if p.egress.release() {
		p.broker.wakeFrom(parked)
	}
}

// Empty reports whether there is nothing to take.
func (p *Port) Empty() bool { return p.egress.empty() }

// Rest announces that the loop goes to sleep, after which the broker wakes it. It
// reports false, and announces nothing, if there is something to take.
func (p *Port) Rest() bool {
	if !p.egress.empty() {
		return false
	}
	p.state.Store(armed)
	// The second look: what was pushed before the store found nobody to wake.
	return p.egress.empty() || !p.state.CompareAndSwap(armed, running)
}

// Stats returns the counters. Like all else, on the loop.
func (p *Port) Stats() PortStats {
	return PortStats{
		IngressLen:   p.ingress.len(),
		EgressLen:    p.egress.len(),
		Wakeups:      p.wakeups.Load(),
		Full:         p.full,
		BlockedNanos: p.blockedNanos,
	}
}

// Put appends m to what the loop is to take, and reports whether there was room.
// It is for the broker, or the loop that stands in its place.
func (p *Port) Put(m *Message) bool { return p.egress.push(m) }

// wake makes sure that the loop looks at its egress ring.
func (p *Port) wake() {
	switch p.state.Load() {
	case armed:
		if p.egress.len() > 0 && p.state.CompareAndSwap(armed, running) {
			p.wakeups.Add(1)
			p.wakeUp()
		}
	case parked:
		p.wakeParked()
	}
}

// wakeParked wakes a loop that waits inside a refused push.
func (p *Port) wakeParked() {
	if p.state.Load() == parked && p.state.CompareAndSwap(parked, running) {
		select {
		case p.wakes <- struct{}{}:
		default: // one that left when the engine stopped has not taken its last token
		}
	}
}
