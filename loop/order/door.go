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
	held    atomic.Int64  // of bytes
	closing sync.RWMutex  // held for reading while something is put into items
	closed  chan struct{} // closed when draining: it takes no more
	broker  *sleeper      // wakes it
	stopped <-chan struct{}

	taken, full, overloaded atomic.Uint64
}

// DoorStats are the counters of the door for goroutines outside the loops.
type DoorStats struct {
	Len        int    // publications waiting for the broker
	Taken      uint64 // publications taken
	Full       uint64 // those that found no room at once
	Overloaded uint64 // those of them that never did
}

func newDoor(slots, bytes int, broker *sleeper, stopped <-chan struct{}) door {
	return door{
		items:  make(chan *Message, slots),
		bytes:  semaphore.NewWeighted(int64(bytes)),
		closed: make(chan struct{}),
		broker: broker, stopped: stopped,
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

// publish is Broker.Publish.
func (d *door) publish(ctx context.Context, m *Message) (order uint64, err error) {
	reply, err := d.submitForPlace(ctx, m)
	if err != nil {
		return 0, err
	}
	select {
	case order := <-reply:
		return order, nil
	case <-d.stopped:
		return 0, ErrClosed
	case <-ctx.Done():
		// It is in the ring and will be delivered; only its order is not known.
		return 0, ctx.Err()
	}
}

// submitForPlace is Broker.SubmitForPlace.
func (d *door) submitForPlace(ctx context.Context, m *Message) (<-chan uint64, error) {
	reply := make(chan uint64, 1)
	m.Outside.reply = reply
	return reply, d.submit(ctx, m)
}

// submit is Broker.Submit.
func (d *door) submit(ctx context.Context, m *Message) error {
	err := d.enter(ctx, m)
	switch {
	case err == nil:
		d.taken.Add(1)
	case errors.Is(err, ErrOverloaded):
		d.overloaded.Add(1)
	}
	return err
}

// enter puts m into the door, waiting for room until ctx ends.
func (d *door) enter(ctx context.Context, m *Message) error {
	if err := d.acquire(ctx, m); err != nil {
		return err
	}
	d.closing.RLock()
	defer d.closing.RUnlock()
	err := ErrDraining
	select {
	case <-d.closed:
	default:
		if d.tryEnter(m) {
			return nil
		}
		d.full.Add(1)
		select {
		case d.items <- m:
			d.broker.wakeFrom(armed)
			return nil
		case <-d.closed: // so that nobody who waits for room holds up the drain
		case <-d.stopped:
			err = ErrClosed
		case <-ctx.Done():
			err = ErrOverloaded
		}
	}
	d.release(m)
	return err
}

func (d *door) tryEnter(m *Message) bool {
	select {
	case d.items <- m:
		d.broker.wakeFrom(armed)
		return true
	default:
		return false
	}
}

// acquire waits for the bytes of m. The semaphore knows only contexts, so who
// has to wait needs one that ends with the engine too.
func (d *door) acquire(ctx context.Context, m *Message) error {
	n := int64(m.SizeWithGroups())
	if d.bytes.TryAcquire(n) {
		d.held.Add(n)
		return nil
	}
	d.full.Add(1)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-d.stopped:
			cancel()
		case <-ctx.Done():
		}
	}()
	if d.bytes.Acquire(ctx, n) == nil {
		d.held.Add(n)
		return nil
	}
	select {
	case <-d.stopped:
		return ErrClosed
	default:
		return ErrOverloaded
	}
}

// release gives back the bytes of m, which is in the door no more.
func (d *door) release(m *Message) {
	n := int64(m.SizeWithGroups())
	d.held.Add(-n)
	d.bytes.Release(n)
}

// close is Broker.CloseOutside.
func (d *door) close(ctx context.Context) error {
	m := NewBarrier()
	if err := d.acquire(ctx, m); err != nil {
		return cmp.Or(ctx.Err(), err)
	}
	close(d.closed)
	d.closing.Lock()   // until those who were putting something in are done
	d.closing.Unlock() //nolint:staticcheck // an empty section is the point: it is a wait
	select {
	case d.items <- m:
		d.broker.wakeFrom(armed)
		return nil
	case <-d.stopped:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}
