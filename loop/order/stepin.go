package order

import "runtime"

// stepIn has the broker take what a loop has published. If the broker's goroutine is
// asleep, the calling loop does one pass in its place, as far as that goes without
// waiting: no other goroutine has to be scheduled before the message can come back.
// The broker's goroutine is woken for what is left then, since only it may wait (R2).
func (b *Broker) stepIn() {
	if b.sleeper.state.Load() != armed || !b.sleeper.state.CompareAndSwap(armed, running) {
		return // some goroutine is the broker, and looks once more before it sleeps
	}
	if b.isStopped() {
		return
	}
	if b.passWithoutWaiting() {
		b.sleeper.state.Store(armed)
		if !b.pending() || !b.sleeper.state.CompareAndSwap(armed, running) {
			if len(*b.sinks.Load()) > 0 {
				GiveWay() // their readers have been made runnable
			}
			return
		}
	}
	b.sleeper.wake()
	GiveWay()
}

// passWithoutWaiting is one pass of the broker over the loops' doors. It reports
// whether it took all that such a pass takes: it leaves what some egress ring has no
// room for.
func (b *Broker) passWithoutWaiting() bool {
	all := true
	for _, p := range b.ports {
		n := 0
		for ; n < perTurn; n++ {
			m := p.ingress.peek()
			if m == nil {
				break
			}
			if !b.roomFor(m) {
				all = false
				break
			}
			p.ingress.pop()
			b.fanOut(m)
		}
		if n > 0 {
			p.ingress.release()
			p.wakeParked() // R4
		}
	}
	b.published.Store(b.order)
	for _, p := range b.ports {
		p.wake()
	}
	return all
}

// roomFor reports whether every egress ring would take m now. There is no other
// producer who could take that room meanwhile.
func (b *Broker) roomFor(m *Message) bool {
	size := uint64(m.Size())
	for _, p := range b.ports {
		if !p.egress.room(size) {
			return false
		}
	}
	return true
}

// GiveWay lets the goroutines run that an event loop has made runnable, before the loop
// goes back to its poll. Without it they may wait there for 20 ms: gnet polls, finds
// nothing, calls Gosched and then blocks in the kernel. Gosched puts the loop on the
// scheduler's global queue, and every 61st scheduling looks there first; then the loop
// goes on before the others and blocks with its processor, until Go's monitor takes it
// away. Two in a row cannot both be a 61st.
func GiveWay() {
	runtime.Gosched()
	runtime.Gosched()
}
