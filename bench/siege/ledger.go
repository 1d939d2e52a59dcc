package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// stamp is what a live message says of itself: which stream it belongs to, its number there, from 1 on, and when it
// was due. It is text, so that it passes every encoding unchanged.
type stamp struct {
	stream int
	number uint64
	due    time.Duration // since the run's beginning
}

// padding makes a live message as long as a small JSON document.
const padding = " ....................................................................................................."

func (s stamp) String() string {
	return fmt.Sprintf("live %d %d %d%s", s.stream, s.number, s.due, padding)
}

var errNoStamp = errors.New("no live message")

// readStamp reads what String wrote, and nothing else.
func readStamp(text string) (stamp, error) {
	f := strings.Split(strings.TrimSuffix(text, padding), " ")
	if len(f) != 4 || f[0] != "live" || !strings.HasSuffix(text, padding) {
		return stamp{}, errNoStamp
	}
	stream, err1 := strconv.Atoi(f[1])
	number, err2 := strconv.ParseUint(f[2], 10, 64)
	due, err3 := strconv.ParseInt(f[3], 10, 64)
	if err := errors.Join(err1, err2, err3); err != nil || number == 0 {
		return stamp{}, errNoStamp
	}
	return stamp{stream, number, time.Duration(due)}, nil
}

// ledger knows what one member has received of one stream.
// Owner: the member's reading goroutine; the run reads it once that has ended.
type ledger struct {
	last       uint64              // the highest number that came
	missing    map[uint64]struct{} // those below it that have not
	received   uint64
	duplicated uint64
	reordered  uint64 // came after a higher one
}

// take enters a message that came.
func (l *ledger) take(number uint64) {
	l.received++
	if number > l.last {
		for n := l.last + 1; n < number; n++ {
			if l.missing == nil {
				l.missing = map[uint64]struct{}{}
			}
			l.missing[n] = struct{}{}
		}
		l.last = number
		return
	}
	if _, was := l.missing[number]; was {
		delete(l.missing, number)
		l.reordered++
		return
	}
	l.duplicated++
}

// lost is how many of those published never came.
func (l *ledger) lost(published uint64) uint64 {
	lost := uint64(len(l.missing))
	if published > l.last {
		lost += published - l.last
	}
	return lost
}
