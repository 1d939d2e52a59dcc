package reactor

import (
	"net"
	"time"

	"github.com/panjf2000/gnet/v2"
	"golang.org/x/sys/unix"

	"groupcast/loop/order"
	"groupcast/protocol"
)

// How a reactor is put together, and what its engine does with it.

// New makes a reactor without a loop: see Bind. The caller keeps o, and does not
// change it.
func New(shared *Shared, index int, o *Options) (*Reactor, error) {
	r := &Reactor{
		index:    index,
		shared:   shared,
		opt:      o,
		groups:   newGroupMap(),
		users:    newUserTable(),
		control:  -1,
		scratch:  make([]byte, 0, maxWriteBytes),
		parsers:  parsers{commands: protocol.NewCommandParser(o.MaxGroupBytes)},
		limits:   limitsOf(o),
		drained:  make(chan struct{}),
		write:    rawWrite,
		unacked:  unackedBytes,
		watched:  make(map[*Session]progress),
		later:    make(map[*Session]uint32),
		wall:     time.Now,
		secured:  make(map[*Session]*secured),
		remotes:  make(map[*Session]net.Addr),
		intakes:  make(map[*Session]*intake),
		chunks:   chunkPool{maxEach: maxFreeChunkBytes},
		replies:  chunkPool{maxEach: maxFreeReplyBytes},
		queues:   freeList[outQueue]{max: maxFreeQueues},
		decoders: freeList[protocol.Decoder]{max: maxFreeDecoders},
		heads:    freeList[[]byte]{max: maxFreeHeads},
		memory:   memory{blockedBytes: o.blockedBytes()},
		gapped:   gapped{credit: maxGapCloses},
	}
	r.every = TickFor(o)
	r.ticked = time.Since(shared.Start)
	r.port = order.NewPort(o.RingSlots, o.RingBytes, r.wakeUp)
	r.whileFull = r.catchUp
	r.onWake = runnable(r.turn)
	r.onTick = runnable(func() {
		r.busy(func() {
			r.advance()
			r.closeGapped()
			r.settle()
		})
	})
	r.onAckTick = runnable(func() { r.busy(r.expireAcks) })
	r.onWritable = runnable(func() { r.busy(r.collectWritable) })
	var err error
	wake := func() error { return r.execute(r.onWritable) }
	if r.writable, err = newWritable(&r.sessions, wake, shared.Stopped); err != nil {
		return nil, err
	}
	r.watch = r.writable.watch
	return r, nil
}

// Bind gives the reactor its loop, and the descriptor by which it yields: a byte
// written to it must bring a call of Yielded, behind other events. The descriptor is
// the reactor's from then on.
func (r *Reactor) Bind(el gnet.EventLoop, control int) { r.el, r.control = el, control }

// Index is the reactor's place among the engine's. For any goroutine.
func (r *Reactor) Index() int { return r.index }

// Port is the reactor as the broker sees it.
func (r *Reactor) Port() *order.Port { return r.port }

// Loop is the reactor's event loop. For any goroutine.
func (r *Reactor) Loop() gnet.EventLoop { return r.el }

// Do has the loop run f soon, and counts it as busy meanwhile. Order is not kept.
// For any goroutine; not once the loop has ended.
func (r *Reactor) Do(f func()) error {
	return r.execute(runnable(func() {
		r.busy(f)
		order.GiveWay() // to who waits for what f found
	}))
}

// Reconfigure puts other limits in force. The caller keeps o, and does not change it.
func (r *Reactor) Reconfigure(o *Options) {
	r.opt = o
	r.limits = limitsOf(o)
	r.retick(TickFor(o))
}

func limitsOf(o *Options) protocol.Limits {
	return protocol.Limits{MaxMessageBytes: o.MaxMessageBytes, MaxFragments: o.MaxFragments}
}

// WatchWritable sees to it that the reactor hears of room in full sockets, until
// StopWritable. It is for a goroutine of its own.
func (r *Reactor) WatchWritable() { r.writable.run() }

// StopWritable ends WatchWritable. For any goroutine.
func (r *Reactor) StopWritable() { r.writable.stop() }

// Release closes what the reactor holds, once its loop is gone.
func (r *Reactor) Release() {
	r.writable.close()
	if r.control >= 0 {
		_ = unix.Close(r.control)
		r.control = -1
	}
}
