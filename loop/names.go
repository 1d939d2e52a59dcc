package loop

import "groupcast/loop/order"

// What callers of the engine meet of the rooms behind it, under one name.

type (
	// SessionID names a session across goroutines; see order.SessionID.
	SessionID = order.SessionID
	// Sink is a way out of the broker; see order.Sink.
	Sink = order.Sink
	// SinkOptions are what a sink is, and what it gets.
	SinkOptions = order.SinkOptions
	// SinkMessage is one message as a sink gets it.
	SinkMessage = order.SinkMessage
	// SinkStats is a snapshot of a Sink.
	SinkStats = order.SinkStats
)

// Errors of the broker and its sinks. They may be compared with errors.Is.
var (
	ErrClosed       = order.ErrClosed
	ErrDraining     = order.ErrDraining
	ErrOverloaded   = order.ErrOverloaded
	ErrSinkClosed   = order.ErrSinkClosed
	ErrSinkMissed   = order.ErrSinkMissed
	ErrBadSessionID = order.ErrBadSessionID
)

// ParseSessionID reads a session id's textual form.
func ParseSessionID(text string) (SessionID, error) { return order.ParseSessionID(text) }

// NewSink adds a way out of the broker; see order.Broker.NewSink.
func (e *Engine) NewSink(o SinkOptions) *Sink { return e.broker.NewSink(o) }
