package bus

import (
	"errors"
	"time"

	"groupcast/loop"
)

// parcel is what the pump hands to the writer: one message, or, without one, that some were
// missed or that the engine drains.
type parcel struct {
	message *loop.SinkMessage
	// Of the missed ones the groups' names, or all of them.
	missed    []string
	missedAll bool
	drained   bool
}

// pump hands what the sink brings to the writer, one parcel at a time: what waits, waits in
// the sink, which has a limit.
func (b *Bus) pump() {
	for {
		m, err := b.sink.Next(b.stop)
		var p parcel
		switch {
		case err == nil:
			p.message = &m
		case errors.Is(err, loop.ErrSinkMissed):
			p.missed, p.missedAll = b.sink.Missed()
			b.ration.Warn("bus: the writer was too slow: other nodes do not get some messages")
		case errors.Is(err, loop.ErrSinkDrained):
			p.drained = true
		default:
			return
		}
		select {
		case b.parcels <- p:
			continue
		default:
		}
		b.waiting.Store(time.Now().UnixNano())
		select {
		case b.parcels <- p:
			b.waiting.Store(0)
		case <-b.stop.Done():
			return
		}
	}
}
