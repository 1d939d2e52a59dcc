package workerman

import (
	"net"
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

	// Set before run: called before each write, after it with what was written,
	// and when there is room again after offerOrTell has found none. before and
	// room may be nil, room where offerOrTell is not used.
	before func()
	wrote  func(frames, bytes int)
	room   func()

	mu     sync.Mutex
	frames [][]byte
	// bytes and count are of frames and of what is being written.
	bytes, count int
	hungry       bool // somebody was told that it is full, and wants to know of room
	ended        bool
}

func newOutbox(limit int) *outbox { return &outbox{limit: limit, wake: make(chan struct{}, 1)} }

// offer takes a frame if there is room. It is only made then.
func (o *outbox) offer(frame interface{ bytes() []byte }) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ended || o.bytes >= o.limit {
		return false
	}
	o.add(frame.bytes())
	return true
}

// offerOrTell is offer; where there is no room, run tells when there is.
func (o *outbox) offerOrTell(frame []byte) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ended || o.bytes >= o.limit {
		o.hungry = true
		return false
	}
	o.add(frame)
	return true
}

// add is the caller's, who holds mu.
func (o *outbox) add(frame []byte) {
	if len(frame) == 0 {
		return
	}
	o.frames = append(o.frames, frame)
	o.bytes += len(frame)
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

// waiting is what is not written yet.
func (o *outbox) waiting() (frames, bytes int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.count, o.bytes
}

// run writes to c until the outbox has ended or a write fails.
func (o *outbox) run(c net.Conn) error {
	var batch, vector [][]byte
	for {
		o.mu.Lock()
		clear(batch)
		if cap(batch) > keepFrames {
			batch = nil
		}
		batch, o.frames = o.frames, batch[:0]
		ended := o.ended
		o.mu.Unlock()
		if len(batch) == 0 {
			if ended {
				return nil
			}
			<-o.wake
			continue
		}
		for rest := batch; len(rest) > 0; {
			n, bytes := portion(rest)
			vector = append(vector[:0], rest[:n]...)
			if o.before != nil {
				o.before()
			}
			buffers := net.Buffers(vector)
			if _, err := buffers.WriteTo(c); err != nil {
				return err
			}
			rest = rest[n:]
			o.wrote(n, bytes)
			if o.written(n, bytes) {
				o.room()
			}
		}
	}
}

// portion is how many of the frames are written at once.
func portion(frames [][]byte) (n, bytes int) {
	for n < len(frames) && n < writeFrames && bytes < writeBytes {
		bytes += len(frames[n])
		n++
	}
	return n, bytes
}

// written takes what was written out of the books and says whether somebody
// wants to know.
func (o *outbox) written(frames, bytes int) (tell bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.bytes -= bytes
	o.count -= frames
	tell = o.hungry && o.bytes < o.limit
	if tell {
		o.hungry = false
	}
	return tell
}
