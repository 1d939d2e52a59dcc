package workerman

import (
	"errors"
	"net"
	"os"
	"sync"
)

const (
	// A write takes this many frames, or bytes, at most, so that room is made
	// known while much is being written.
	writeFrames = 64
	writeBytes  = 256 << 10
	// keepFrames is how long a list of frames is kept for the next ones.
	keepFrames = 1024
)

// outbox is what waits for one connection. Frames are shared between outboxes
// and never changed. It holds limit bytes, and the frame that went beyond.
//
// Owner: shared; run is for one goroutine.
type outbox struct {
	limit int
	wake  chan struct{} // capacity one: there is something to do for run

	// Set before run: called before each write, where it may set a deadline; asked
	// when that has passed, with whether the peer took anything, if writing is to
	// go on; called after a write with what was written; and when there is room
	// again after offerOrTell has found none. All but wrote may be nil, room where
	// offerOrTell is not used.
	before func()
	goOn   func(progress bool) bool
	wrote  func(frames, bytes int)
	room   func()

	mu     sync.Mutex
	frames []frame
	// writing is what run has taken; the first done of it are written.
	writing []frame
	done    int
	// bytes and count are of all that is not written.
	bytes, count int
	hungry       bool // the caller of offerOrTell was told that it is full, and wants to know of room
	ended        bool
}

func newOutbox(limit int) *outbox { return &outbox{limit: limit, wake: make(chan struct{}, 1)} }

// offer takes a frame if there is room. It is only made then.
func (o *outbox) offer(f interface{ frame() frame }) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ended || o.bytes >= o.limit {
		return false
	}
	o.add(f.frame())
	return true
}

// offerOrTell is offer; where there is no room, run tells when there is.
func (o *outbox) offerOrTell(f frame) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ended || o.bytes >= o.limit {
		o.hungry = true
		return false
	}
	o.add(f)
	return true
}

// add is the caller's, who holds mu.
func (o *outbox) add(f frame) {
	if f.isNone() {
		return
	}
	f.hold()
	o.frames = append(o.frames, f)
	o.bytes += f.size()
	o.count++
	if len(o.frames) == 1 {
		o.signal()
	}
}

func (o *outbox) signal() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// end takes nothing more; run returns when what is there is written.
func (o *outbox) end() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ended = true
	o.signal()
}

// discard ends it and lets go of what is there, also of what is being written:
// the caller closes the socket. It reports how many frames that were.
func (o *outbox) discard() (frames int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, list := range [][]frame{o.writing[o.done:], o.frames} {
		for _, f := range list {
			f.release()
		}
		clear(list)
	}
	frames = o.count
	o.frames, o.writing, o.done, o.bytes, o.count = nil, nil, 0, 0, 0
	o.ended = true
	o.signal()
	return frames
}

// waiting is what is not written yet.
func (o *outbox) waiting() (frames, bytes int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.count, o.bytes
}

// run writes to c until the outbox has ended or a write fails.
func (o *outbox) run(c net.Conn) error {
	var batch []frame
	var vector [][]byte
	for ended := false; ; {
		clear(batch)
		clear(vector[:cap(vector)])
		if batch, ended = o.take(batch[:0]); len(batch) == 0 {
			if ended {
				return nil
			}
			<-o.wake
			continue
		}
		for rest := batch; len(rest) > 0; {
			n, bytes := portion(rest)
			vector = vector[:0]
			for _, f := range rest[:n] {
				vector = f.appendTo(vector)
			}
			if err := o.write(c, vector); err != nil {
				return err
			}
			rest = rest[n:]
			o.wrote(n, bytes)
			if o.written(n) {
				o.room()
			}
		}
	}
}

// take makes what waits what is being written, and copies the list into batch:
// discard clears its own.
func (o *outbox) take(batch []frame) (taken []frame, ended bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	free := o.writing[:0]
	if cap(free) > keepFrames {
		free = nil
	}
	o.writing, o.frames, o.done = o.frames, free, 0
	if cap(batch) > keepFrames {
		batch = nil
	}
	return append(batch, o.writing...), o.ended
}

// write writes all of vector. Deadlines that pass end it if goOn says so.
func (o *outbox) write(c net.Conn, vector [][]byte) error {
	buffers := net.Buffers(vector)
	for {
		if o.before != nil {
			o.before()
		}
		n, err := buffers.WriteTo(c)
		if err == nil || !errors.Is(err, os.ErrDeadlineExceeded) || o.goOn == nil || !o.goOn(n > 0) {
			return err
		}
	}
}

// portion is how many of the frames are written at once.
func portion(frames []frame) (n, bytes int) {
	for n < len(frames) && n < writeFrames && bytes < writeBytes {
		bytes += frames[n].size()
		n++
	}
	return n, bytes
}

// written takes what was written out of the books and reports whether the caller
// of offerOrTell wants to know.
func (o *outbox) written(n int) (tell bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n = min(n, len(o.writing)-o.done) // discard may have been quicker
	for i := range o.writing[o.done : o.done+n] {
		f := &o.writing[o.done+i]
		o.bytes -= f.size()
		f.release()
		*f = frame{}
	}
	o.done += n
	o.count -= n
	tell = o.hungry && o.bytes < o.limit
	if tell {
		o.hungry = false
	}
	return tell
}
