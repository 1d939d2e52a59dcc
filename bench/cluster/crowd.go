package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	hdr "github.com/HdrHistogram/hdrhistogram-go"
)

// began is what times in payloads count from.
var began = time.Now()

func clock() int64 { return int64(time.Since(began)) }

// stampBytes is what a payload says at least: its number in the group, and when it was sent.
const stampBytes = 8 + 1 + 16 + 1

// appendPayload appends a payload of that size.
func appendPayload(b []byte, number uint32, at int64, size int) []byte {
	b = fmt.Appendf(b, "%08x %016x ", number, at)
	return append(b, padding[:max(0, size-stampBytes)]...)
}

var padding = strings.Repeat("abcdefghijklmnopqrstuvwxyz0123456789", 2000)

// readPayload reads what appendPayload wrote, and looks at all of it.
func readPayload(b []byte) (number uint32, at int64, ok bool) {
	if len(b) < stampBytes || b[8] != ' ' || b[25] != ' ' || string(b[stampBytes:]) != padding[:len(b)-stampBytes] {
		return 0, 0, false
	}
	n, err1 := strconv.ParseUint(string(b[:8]), 16, 32)
	t, err2 := strconv.ParseInt(string(b[9:25]), 16, 64)
	return uint32(n), t, err1 == nil && err2 == nil
}

// ledger is what has come of what was sent.
type ledger struct {
	came    atomic.Int64 // deliveries, each for the first time
	twice   atomic.Int64
	missed  atomic.Int64 // known by a later one that came
	damaged atomic.Int64
	partial atomic.Int64 // joins that do not hold in the whole cluster
	closed  atomic.Int64 // connections that the server ended
	gaps    atomic.Int64 // notices that messages may have been lost
}

// faults are what should not be, in words; nil if nothing is.
func (l *ledger) faults(what string, want int64) (wrong []string) {
	for _, one := range []struct {
		name      string
		got, want int64
	}{
		{"deliveries", l.came.Load(), want},
		{"came twice", l.twice.Load(), 0},
		{"were missed", l.missed.Load(), 0},
		{"were damaged", l.damaged.Load(), 0},
		{"joins that did not hold everywhere", l.partial.Load(), 0},
		{"connections closed by the server", l.closed.Load(), 0},
		{"gaps", l.gaps.Load(), 0},
	} {
		if one.got != one.want {
			wrong = append(wrong, fmt.Sprintf("%s: %s: got %d, want %d", what, one.name, one.got, one.want))
		}
	}
	return wrong
}

// crowd are members, each in one group, who check what they get.
// Owner: the run.
type crowd struct {
	ledger
	members []*member
	leaving atomic.Bool
	reading sync.WaitGroup

	mu      sync.Mutex
	latency map[string]*hdr.Histogram // microseconds, by the members' name; nil: not wanted
}

type member struct {
	*client
	dialect *dialect
	place   string
	last    uint32 // number of the last message
	missed  uint32 // in front of that
	gaps    int    // that it was told
}

// place is a server, and what its members are called.
type place struct {
	address, name string
}

// joinAll adds a member of each group there, and returns when all have joined.
func (cr *crowd) joinAll(ctx context.Context, d *dialect, at place, groups []string) error {
	joined := make(chan error, len(groups))
	for _, group := range groups {
		c, err := dial(ctx, at.address, d)
		if err != nil {
			return err
		}
		m := &member{client: c, dialect: d, place: at.name}
		cr.members = append(cr.members, m)
		if err := m.say(d.join(group, 1)); err != nil {
			return err
		}
		cr.reading.Go(func() { cr.read(m, joined) })
	}
	timeout := time.After(patience)
	for range groups {
		select {
		case err := <-joined:
			if err != nil {
				return err
			}
		case <-timeout:
			return errors.New("a join is not acknowledged")
		}
	}
	return nil
}

// read follows a member; joined is told once.
func (cr *crowd) read(m *member, joined chan<- error) {
	for first := true; ; {
		text, err := m.next()
		if err == nil && first {
			_, whole, ok := m.dialect.joined(text)
			if !ok {
				continue // Socket.IO's ping
			}
			if !whole {
				cr.partial.Add(1)
			}
			first = false
			joined <- nil
			continue
		}
		if err == nil && m.dialect.gap != nil && m.dialect.gap(text) {
			cr.gaps.Add(1)
			m.gaps++
			continue
		}
		if err == nil {
			err = m.dialect.payloads(m.client, text, func(payload []byte) { cr.take(m, payload) })
		}
		if err == nil {
			continue
		}
		if first {
			joined <- err
		}
		if !cr.leaving.Load() && !errors.Is(err, net.ErrClosed) {
			cr.closed.Add(1)
		}
		return
	}
}

// take checks one payload.
func (cr *crowd) take(m *member, payload []byte) {
	number, at, ok := readPayload(payload)
	switch {
	case !ok:
		cr.damaged.Add(1)
		return
	case number <= m.last:
		cr.twice.Add(1)
		return
	}
	m.missed += number - m.last - 1
	cr.missed.Add(int64(number - m.last - 1))
	m.last = number
	if cr.latency != nil {
		took := (clock() - at) / 1000
		cr.mu.Lock()
		h := cr.latency[m.place]
		if h == nil {
			h = hdr.New(1, 60_000_000, 3)
			cr.latency[m.place] = h
		}
		_ = h.RecordValue(max(1, took)) // over a minute is over patience
		cr.mu.Unlock()
	}
	cr.came.Add(1)
}

// await returns when so many deliveries have come, or none has for a while.
func (cr *crowd) await(n int64) {
	const while = 5 * time.Second
	last, at := int64(-1), time.Now()
	for came := cr.came.Load(); came < n && time.Since(at) < while; came = cr.came.Load() {
		if came != last {
			last, at = came, time.Now()
		}
		time.Sleep(time.Millisecond)
	}
}

// leave ends all connections.
func (cr *crowd) leave() {
	cr.leaving.Store(true)
	for _, m := range cr.members {
		m.close()
	}
	cr.reading.Wait()
}

var lastGroup atomic.Int64

// newGroups are names that were not there before.
func newGroups(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = "room:" + strconv.FormatInt(lastGroup.Add(1), 10)
	}
	return names
}
