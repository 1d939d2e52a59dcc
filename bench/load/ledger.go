package main

import "math"

// A slot is one member's expectation of one stream (a publisher's messages to a group): the next sequence number. Two
// values are special, for members that come and go.
const (
	adopting uint32 = 0              // joining: the first message seen is taken as it is
	absent   uint32 = math.MaxUint32 // not a member: nothing may come
)

// verdict is what a delivery turned out to be.
type verdict uint8

const (
	fresh     verdict = iota // new, and in order (a gap before it is noted)
	reordered                // new, but after a later one
	duplicate                // seen before
	stray                    // nobody here is a member
)

// ledger knows what every member on one loop has received, exactly: a number that was jumped over is remembered until
// it comes (then it was reordered) or the run ends (then it was lost).
//
// Owner: the loop's goroutine; the run reads it once the loop has ended.
type ledger struct {
	next  []uint32          // by slot
	holes map[uint32][]span // by slot; only where something was jumped over
	open  uint64            // sequence numbers in all holes: what is missing at the moment
}

// span is the sequence numbers [from, to).
type span struct{ from, to uint32 }

// reserve adds n slots that expect a stream's first message, and returns the first of them.
func (l *ledger) reserve(n int) uint32 {
	first := uint32(len(l.next))
	for range n {
		l.next = append(l.next, 1)
	}
	return first
}

// judge takes a delivery into account. It does not allocate unless something is wrong.
func (l *ledger) judge(slot, seq uint32) verdict {
	next := l.next[slot]
	if seq == next {
		l.next[slot] = seq + 1
		return fresh
	}
	return l.judgeOdd(slot, seq, next)
}

func (l *ledger) judgeOdd(slot, seq, next uint32) verdict {
	switch {
	case next == absent:
		return stray
	case next == adopting:
		l.next[slot] = seq + 1
		return fresh
	case seq > next:
		l.dig(slot, span{next, seq})
		l.next[slot] = seq + 1
		return fresh
	case l.fill(slot, seq):
		return reordered
	}
	return duplicate
}

func (l *ledger) dig(slot uint32, s span) {
	if l.holes == nil {
		l.holes = map[uint32][]span{}
	}
	l.holes[slot] = append(l.holes[slot], s)
	l.open += uint64(s.to - s.from)
}

// fill takes seq out of the slot's holes; false if it is in none.
func (l *ledger) fill(slot, seq uint32) bool {
	spans := l.holes[slot]
	for i, s := range spans {
		if seq < s.from || seq >= s.to {
			continue
		}
		spans = append(spans[:i], spans[i+1:]...)
		if s.from < seq {
			spans = append(spans, span{s.from, seq})
		}
		if seq+1 < s.to {
			spans = append(spans, span{seq + 1, s.to})
		}
		l.holes[slot] = spans
		l.open--
		return true
	}
	return false
}

// reset makes the slot expect next (or adopting, absent). What was missing before stays counted as lost.
func (l *ledger) reset(slot, next uint32) {
	l.next[slot] = next
	delete(l.holes, slot)
}

// tail is how many of a stream's published messages never came after the last one seen. Holes are apart, in open.
func (l *ledger) tail(slot, published uint32) uint64 {
	next := l.next[slot]
	if next == absent || next == adopting || next > published {
		return 0
	}
	return uint64(published - next + 1)
}
