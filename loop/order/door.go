package order

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/semaphore"
)

// door is the way in for goroutines outside the loops: a bounded channel, and a
// semaphore for its bytes, since both wait with a deadline and in order.
type door struct {
	items   chan *Message
	bytes   *semaphore.Weighted
	closing sync.RWMutex  // held for reading while something is put into items
	closed  chan struct{} // closed when draining: it takes no more

	taken, full, overloaded atomic.Uint64
}

// DoorStats are the counters of the door for goroutines outside the loops.
type DoorStats struct {
	Len        int    // publications waiting for the broker
	Taken      uint64 // publications taken
	Full       uint64 // those that found no room at once
	Overloaded uint64 // those of them that never did
}

func newDoor(slots, bytes int) door {
	return door{
		items:  make(chan *Message, slots),
		bytes:  semaphore.NewWeighted(int64(bytes)),
		closed: make(chan struct{}),
	}
}

func (d *door) stats() DoorStats {
	return DoorStats{Len: len(d.items), Taken: d.taken.Load(), Full: d.full.Load(), Overloaded: d.overloaded.Load()}
}

// Errors of Publish. They may be compared with errors.Is.
var (
	ErrDraining   = errors.New("draining: no new messages are taken")
	ErrOverloaded = errors.New("overloaded: the ring stayed full")
	ErrClosed     = errors.New("engine closed")
)

// Publish hands in a message from outside the loops and waits for its order, the
// last one's if it has several groups. ErrOverloaded means that there was no room
// until ctx ended, and that nothing was published; ctx's own error that it was, and
// that only its order is not known.
func (b *Broker) Publish(ctx context.Context, m *Message) (order uint64, err error) {
	reply := make(chan uint64, 1)
	m.Outside.reply = reply
	if err := b.Submit(ctx, m); err != nil {
		return 0, err
	}
	select {
	case order := <-reply:
		return order, nil
	case <-b.stopped:
		return 0, ErrClosed
	case <-ctx.Done():
		// It is in the ring and will be delivered; only its order is not known.
		return 0, ctx.Err()
	}
}

// Submit is Publish without the wait for the order: what one goroutine submits
// keeps its sequence.
func (b *Broker) Submit(ctx context.Context, m *Message) error {
	err := b.enter(ctx, m)
	switch {
	case err == nil:
		b.door.taken.Add(1)
	case errors.Is(err, ErrOverloaded):
		b.door.overloaded.Add(1)
	}
	return err
}

// enter puts m into the door, waiting for room until ctx ends.
func (b *Broker) enter(ctx context.Context, m *Message) error {
	if err := b.acquire(ctx, m); err != nil {
		return err
	}
	b.door.closing.RLock()
	defer b.door.closing.RUnlock()
	err := ErrDraining
	select {
	case <-b.door.closed:
	default:
		if b.tryEnter(m) {
			return nil
		}
		b.door.full.Add(1)
		select {
		case b.door.items <- m:
			b.wakeFrom(armed)
			return nil
		case <-b.door.closed: // so that nobody who waits for room holds up the drain
		case <-b.stopped:
			err = ErrClosed
		case <-ctx.Done():
			err = ErrOverloaded
		}
	}
	b.door.bytes.Release(int64(m.SizeWithGroups()))
	return err
}

func (b *Broker) tryEnter(m *Message) bool {
	select {
	case b.door.items <- m:
		b.wakeFrom(armed)
		return true
	default:
		return false
	}
}

// acquire waits for the bytes of m. The semaphore knows only contexts, so who
// has to wait needs one that ends with the engine too.
func (b *Broker) acquire(ctx context.Context, m *Message) error {
	n := int64(m.SizeWithGroups())
	if b.door.bytes.TryAcquire(n) {
		return nil
	}
	b.door.full.Add(1)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-b.stopped:
			cancel()
		case <-ctx.Done():
		}
	}()
	if b.door.bytes.Acquire(ctx, n) == nil {
		return nil
	}
	select {
	case <-b.stopped:
		return ErrClosed
	default:
		return ErrOverloaded
	}
}

// CloseOutside refuses further messages from outside and sends that door's
// barrier behind the last one taken.
func (b *Broker) CloseOutside(ctx context.Context) error {
	m := NewBarrier()
	if err := b.acquire(ctx, m); err != nil {
		return cmp.Or(ctx.Err(), err)
	}
	close(b.door.closed)
	b.door.closing.Lock()   // until those who were putting something in are done
	b.door.closing.Unlock() //nolint:staticcheck // an empty section is the point: it is a wait
	select {
	case b.door.items <- m:
		b.wakeFrom(armed)
		return nil
	case <-b.stopped:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}
