package main

import (
	"sync/atomic"
	"time"
)

var processStart = time.Now()

// clock is the time that messages carry: nanoseconds since the process started, monotonic.
func clock() int64 { return int64(time.Since(processStart)) }

const never = int64(1) << 62

// control is how the run steers its loops. Times are set before they come, so that all loops act on them at the same
// moment; nobody has to be woken.
type control struct {
	publishFrom, publishUntil atomic.Int64 // publishers are at work in between
	windowFrom, windowUntil   atomic.Int64 // messages meant to be sent in between count for latency
	draining                  atomic.Bool  // sleepers read again
	stop                      atomic.Bool
}

func newControl() *control {
	c := &control{}
	for _, at := range []*atomic.Int64{&c.publishFrom, &c.publishUntil, &c.windowFrom, &c.windowUntil} {
		at.Store(never)
	}
	return c
}

// stats is what a loop counts. The loop has its own copy and publishes it once per turn; sums are made with add.
type stats struct {
	Ready       int // connected, joined and acknowledged, by now
	Connections int // the same, but never counted down
	Published   uint64
	Delivered   uint64 // new ones, to anybody
	Expected    uint64 // new ones, to members that must miss nothing
	Missing     uint64 // jumped over so far

	Duplicated, Reordered, Misdelivered, Damaged uint64

	Closed         int    // by the server, of those that must miss nothing
	ClosedSleepers int    // by the server, of those that did not read
	Visits         int    // joins, leaves and reconnects of visitors
	LateNanos      int64  // the worst delay between a message's intended time and its being written
	Arrival        int64  // when the last delivery came
	Failure        string // why this loop gave up
	CloseReasons   closeReasons
}

// closeReasons counts how connections ended, in a fixed array so that stats can be copied: by close code, with two
// pseudo codes.
type closeReasons [8]struct {
	Code  int
	Count int
}

const (
	endOfStream = -1 // closed without a close frame
	resetByPeer = -2
)

func (r *closeReasons) count(code, n int) {
	for i := range r {
		if r[i].Count == 0 || r[i].Code == code || i == len(r)-1 {
			r[i].Code = code
			r[i].Count += n
			return
		}
	}
}

func (s *stats) add(o stats) {
	s.Ready += o.Ready
	s.Connections += o.Connections
	s.Published += o.Published
	s.Delivered += o.Delivered
	s.Expected += o.Expected
	s.Missing += o.Missing
	s.Duplicated += o.Duplicated
	s.Reordered += o.Reordered
	s.Misdelivered += o.Misdelivered
	s.Damaged += o.Damaged
	s.Closed += o.Closed
	s.ClosedSleepers += o.ClosedSleepers
	s.Visits += o.Visits
	s.LateNanos = max(s.LateNanos, o.LateNanos)
	s.Arrival = max(s.Arrival, o.Arrival)
	if s.Failure == "" {
		s.Failure = o.Failure
	}
	for _, r := range o.CloseReasons {
		if r.Count > 0 {
			s.CloseReasons.count(r.Code, r.Count)
		}
	}
}
