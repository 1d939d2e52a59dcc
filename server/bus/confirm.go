package bus

import (
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// flush asks for the server's word that it has all that was written so far.
type flush struct {
	marker   uint64 // a marker behind subscriptions
	switched uint64 // the end of that change between the wildcard and single subjects
}

// confirm asks the server once a second, and for each flush, whether it has got all that was
// written before. It has a goroutine of its own, since the answer is waited for.
func (b *Bus) confirm() {
	ticker := time.NewTicker(confirmEvery)
	defer ticker.Stop()
	var switched uint64 // told once a flush comes back, by whichever connection
	for {
		var f flush
		select {
		case f = <-b.flushes:
		case <-ticker.C:
			if !b.connected.Load() {
				continue
			}
		case <-b.stop.Done():
			return
		}
		switched = max(switched, f.switched)
		dials, written, began := b.dials.Load(), b.written.Load(), time.Now()
		err := b.conn.Load().FlushTimeout(flushWait)
		if err == nil && b.dials.Load() == dials {
			b.roundTrip.Store(int64(time.Since(began)))
			b.samples.add(written, began)
			b.counted(began)
		}
		if err == nil && f.marker != 0 && !b.noted() {
			err = nats.ErrTimeout // the marker is not answered, and another one follows
		}
		news := told{kind: toldFlushed, number: f.marker, failed: err != nil}
		if err == nil {
			news.switched, switched = switched, 0
		}
		if news.number == 0 && news.switched == 0 {
			continue
		}
		select {
		case b.told <- news:
		case <-b.stop.Done():
			return
		}
	}
}

const (
	confirmEvery = time.Second
	// flushWait is how long a server may take to answer.
	flushWait = 2 * time.Second
	// sureAfter is how much older a place must be than the last one that one's own server has
	// confirmed, to be taken as one that the other servers have as well.
	sureAfter = 2 * time.Second
)

// samples are places that the server has confirmed, and when they had been written.
type samples struct {
	mu   sync.Mutex
	list [8]sample // the newest is at 0
}

type sample struct {
	place uint64
	at    time.Time
}

func (s *samples) add(place uint64, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at.Sub(s.list[1].at) >= sureAfter/4 { // flushes for markers may be many
		copy(s.list[1:], s.list[:])
	}
	s.list[0] = sample{place, at}
}

// sure is the last place that can be taken to have arrived wherever it was wanted.
func (s *samples) sure() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range s.list[1:] {
		if s.list[0].at.Sub(one.at) >= sureAfter {
			return one.place
		}
	}
	return 0
}

// counted is when the server is known to have been reached at a time. Where the others may have heard nothing
// for a lease before, they have counted this node out: it is another one from here on.
func (b *Bus) counted(at time.Time) {
	since := int64(at.Sub(b.born))
	if last := b.reached.Swap(since); last != 0 && time.Duration(since-last)+beatEvery > b.opt.Lease {
		b.generation.Add(1)
	}
}
