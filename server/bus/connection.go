package bus

import (
	"time"

	"github.com/nats-io/nats.go"
)

// connect makes the connection, which comes back by itself.
func (b *Bus) connect() error {
	b.connecting.Lock()
	defer b.connecting.Unlock()
	if b.stop.Err() != nil {
		return nil
	}
	b.state.reopened()
	over := make(chan struct{})
	conn, err := connect(b.opt, b.handlers(over), nats.CustomInboxPrefix(b.subjects.inbox))
	if err == nil {
		b.conn.Store(conn)
		b.over = over
	}
	return err
}

// disconnect ends the connection, and returns when nats.go calls nothing here any more. No other one comes.
func (b *Bus) disconnect() {
	b.connecting.Lock()
	defer b.connecting.Unlock()
	if conn := b.conn.Load(); conn != nil {
		conn.Close()
		<-b.over
	}
}

// connectAgain makes another connection where NATS has ended one for good: nats.go gives up if the
// server says something that it does not know.
func (b *Bus) connectAgain() {
	for b.stop.Err() == nil {
		err := b.connect()
		if err == nil {
			return
		}
		b.failed(err)
		select {
		case <-time.After(connectAgainAfter):
		case <-b.stop.Done():
		}
	}
}

const connectAgainAfter = time.Second

// handlers are NATS's callbacks: each notes something, and puts one token into a channel. The last one closes over.
func (b *Bus) handlers(over chan<- struct{}) handlers {
	there := func(string) {
		b.forbidden.forget()
		b.connected.Store(true)
		select {
		case b.first <- struct{}{}:
		default:
		}
		b.askName()
		b.turn()
	}
	return b.state.follow(handlers{
		dialing: func() {
			b.dials.Add(1)
			b.turn() // to a writer that has nothing to write
		},
		connected: there, reconnected: there,
		disconnected: func(error) {
			b.connected.Store(false)
			b.turn()
		},
		closed: func() {
			b.connected.Store(false)
			b.turn()
			if b.stop.Err() == nil {
				b.running.Go(b.connectAgain)
			}
			close(over)
		},
		tried:  func(_ string, err error) { b.count.Errors.add(reasonOf(err)) },
		slow:   func(*nats.Subscription) { b.overflowed() },
		failed: b.failed,
	})
}

// turn has the writer look at the connection.
func (b *Bus) turn() {
	select {
	case b.turns <- struct{}{}:
	default:
	}
}

// turnLater is turn after a while.
func (b *Bus) turnLater(after time.Duration) { time.AfterFunc(after, b.turn) }

// overflowed is when the reader was too slow, and nats.go has dropped what came.
func (b *Bus) overflowed() {
	b.count.SlowConsumer.Add(1)
	b.ration.Warn("bus: messages came faster than they could be published, and were dropped", "inbound", b.opt.Inbound)
	b.overflow.Store(true)
}

// failed counts an error of the connection, and tells the operator of what he has to mend.
func (b *Bus) failed(err error) {
	if err == nil || isToldElsewhere(err) {
		return
	}
	reason := reasonOf(err)
	b.count.Errors.add(reason)
	if v, ok := violationOf(err); ok {
		b.forbidden.note(&b.subjects, v, err.Error())
		missing := "its members miss what goes there"
		if v.What != "subscribe" {
			missing = "the others miss what it sends there"
		}
		b.ration.Warn("bus: NATS forbids this node a subject: "+missing, "subject", v.Subject, "operation", v.What,
			"err", err)
		return
	}
	b.ration.Warn("bus: the connection failed", "reason", string(reason), "err", err)
}

// isToldElsewhere reports whether err only says what is known by other ways: that the connection is gone, of
// which the state tells (nats.go calls that an outbound buffer, which this node does not have), or that a
// message has headers that nobody can read, which the reader counts and tells of.
func isToldElsewhere(err error) bool {
	return isAny(err, nats.ErrConnectionClosed, nats.ErrConnectionReconnecting, nats.ErrReconnectBufExceeded,
		nats.ErrBadHeaderMsg)
}
