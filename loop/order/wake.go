package order

import (
	"runtime"
	"sync/atomic"
)

// perTurn is how many items the broker takes from one door before it looks
// at the next, and how many slots may be popped before they are handed back.
const perTurn = 32

// wakeState is the word that a consumer and its producers share so that no
// wake-up is lost and none is given twice.
//
// A consumer that has found nothing to do stores the state it will sleep in,
// looks once more, and only then sleeps. A producer publishes first and then
// swaps exactly that state for running; the goroutine that succeeds owes the one
// wake-up. Since both sides' operations are sequentially consistent, either
// the consumer's second look sees the item or the producer sees the state.
type wakeState = uint32

const (
	running wakeState = iota // will look again by itself
	armed                    // an idle loop, or the idle broker: wake when there is an item
	parked                   // inside a refused push: wake when there is room, or (a reactor) an item
)

// sleeper is the broker's sleep: the word that it announces, and what it waits on.
//
// Owner: the broker calls sleep; wakeFrom is for any goroutine.
type sleeper struct {
	state   atomic.Uint32
	wakes   chan struct{} // capacity one
	stopped <-chan struct{}
}

func newSleeper(stopped <-chan struct{}) sleeper {
	return sleeper{wakes: make(chan struct{}, 1), stopped: stopped}
}

// sleep announces state, looks once more whether there is reason to go on, and if
// not waits until another goroutine wakes from that state. It returns false when the engine
// stops.
func (s *sleeper) sleep(state wakeState, goOn func() bool) bool {
	s.state.Store(state)
	if goOn() && s.state.CompareAndSwap(state, running) {
		return true
	}
	select {
	case <-s.wakes:
		return true
	case <-s.stopped:
		return false
	}
}

// wakeFrom wakes the sleeper if it sleeps in the given state. It never blocks: a
// token that is there already wakes as well as a second one would. There can be
// one once the engine has stopped, since a broker that leaves does not take it.
func (s *sleeper) wakeFrom(state wakeState) {
	if s.state.Load() == state && s.state.CompareAndSwap(state, running) {
		s.wake()
	}
}

// wake has the sleeper go on; state says already that it runs.
func (s *sleeper) wake() {
	select {
	case s.wakes <- struct{}{}:
	default:
	}
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
