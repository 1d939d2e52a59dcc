package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// mark is what became of a publication, as its publisher was told.
type mark uint8

const (
	unknown  mark = iota // no answer: it may have been published or not
	accepted             // it has its place in the order of its node
	refused              // it was not published
)

// stream is one publisher's messages at one node, numbered from 1 on.
type stream struct {
	id    int
	group string
	by    string // for people
	life  int    // of the node that it publishes at

	mu    sync.Mutex // guards what follows
	marks []mark     // by number less 1: all that were begun
	// killed: the node has ended in the middle of it, with what it had not sent yet.
	killed bool
}

// begin is the number of the next message.
func (s *stream) begin() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.marks = append(s.marks, unknown)
	return len(s.marks)
}

func (s *stream) answered(number int, m mark) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.marks[number-1] = m
}

// begun is how many messages were begun.
func (s *stream) begun() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.marks)
}

func (s *stream) count(m mark) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range s.marks {
		if one == m {
			n++
		}
	}
	return n
}

// text is a message, with so many bytes behind it, and readText reads it.
func text(stream, number, padding int) string {
	return fmt.Sprintf("%d %d %s", stream, number, strings.Repeat(".", padding))
}

var errStrange = errors.New("not a message of ours")

func readText(s string) (stream, number int, err error) {
	one, rest, _ := strings.Cut(s, " ")
	two, _, ok := strings.Cut(rest, " ")
	stream, err1 := strconv.Atoi(one)
	number, err2 := strconv.Atoi(two)
	if !ok || err1 != nil || err2 != nil {
		return 0, 0, errStrange
	}
	return stream, number, nil
}

// event is one thing that a session heard: a message, or, with gap for a stream, that some may be missing.
type event struct {
	stream, number int
	at             time.Duration // since the book's beginning
}

const gap = -1

// session is one connection of a member of one group.
type session struct {
	name  string
	group string
	node  int
	life  int
	bare  bool

	mu     sync.Mutex // guards what follows
	events []event
	// own and whole are what had been begun of each stream when the join was acknowledged at all, and when it was
	// for the whole cluster; nil before that. What was begun later has to come.
	own, whole []int
	latest     map[int]int // the highest number of each stream
	ended      bool
	code       int // of the Close frame; -1 if there was none
	endedAt    time.Duration
	strange    int
}

// book is all that was published, and all that came.
type book struct {
	began time.Time
	// parted: the members' joins knew nothing of some nodes, so that only what their own node takes has to come.
	parted   bool
	mu       sync.Mutex // guards what follows
	streams  []*stream
	sessions []*session
}

func (b *book) now() time.Duration { return time.Since(b.began) }

func (b *book) newStream(group, by string, life int) *stream {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := &stream{id: len(b.streams), group: group, by: by, life: life}
	b.streams = append(b.streams, s)
	return s
}

func (b *book) newSession(s *session) *session {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sessions = append(b.sessions, s)
	return s
}

func (b *book) all() ([]*stream, []*session) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.streams), slices.Clone(b.sessions)
}

// begun is how many messages of each stream were begun by now.
func (b *book) begun() []int {
	streams, _ := b.all()
	n := make([]int, len(streams))
	for i, s := range streams {
		n[i] = s.begun()
	}
	return n
}

// verdict is what is found out of sessions.
type verdict struct {
	received int
	missed   int // and told
	gaps     int // notices
	closed   int // with 1013
	withNode int // were acknowledged by a node that was killed then, and came nowhere else
	tail     int // are still to come, or to be told
	findings []string
}

func (v *verdict) find(format string, args ...any) {
	if len(v.findings) < maxFindings {
		v.findings = append(v.findings, fmt.Sprintf(format, args...))
	}
}

const maxFindings = 20

func (v *verdict) add(w verdict) {
	v.received += w.received
	v.missed += w.missed
	v.gaps += w.gaps
	v.closed += w.closed
	v.withNode += w.withNode
	v.tail += w.tail
	v.findings = append(v.findings, w.findings...)
}

// goingAway is the close code of a server that ends.
const goingAway = 1001

// tryAgainLater is the close code of bare members of a group of which messages may have been lost.
const tryAgainLater = 1013

// toldWithin is how much later than the message behind a hole the notice of the hole may come.
const toldWithin = 15 * time.Second

// judge judges all sessions.
func (b *book) judge() (v verdict) {
	streams, sessions := b.all()
	for _, s := range sessions {
		v.add(s.judge(streams, b.parted))
	}
	return v
}

// judge looks at what came of each stream of the session's group.
func (s *session) judge(streams []*stream, parted bool) (v verdict) {
	s.mu.Lock()
	defer s.mu.Unlock()
	places := make(map[int][]int) // of a stream's events
	var gaps []int
	for i, e := range s.events {
		if e.stream == gap {
			gaps = append(gaps, i)
			continue
		}
		v.received++
		places[e.stream] = append(places[e.stream], i)
	}
	v.gaps = len(gaps)
	if s.ended && s.code == tryAgainLater {
		if v.closed++; !s.bare {
			v.find("%s was closed with 1013, which is for bare members", s.name)
		}
	}
	if s.strange > 0 {
		v.find("%s got %d messages that are none of ours", s.name, s.strange)
	}
	for _, one := range streams {
		if one.group == s.group {
			s.judgeStream(&v, one, places[one.id], gaps, parted)
			delete(places, one.id)
		}
	}
	for id := range places {
		v.find("%s got messages of stream %d, which is of another group", s.name, id)
	}
	return v
}

func (s *session) judgeStream(v *verdict, from *stream, places, gaps []int, parted bool) {
	from.mu.Lock()
	defer from.mu.Unlock()
	ours := from.life == s.life
	low, bound := 0, s.whole != nil
	since := s.whole
	if ours {
		bound, since = s.own != nil, s.own
	}
	if from.id < len(since) {
		low = since[from.id]
	}
	missing := func(after, before int) (n, first int) {
		for k := after + 1; k < before; k++ {
			if from.marks[k-1] == accepted {
				if n++; n == 1 {
					first = k
				}
			}
		}
		return n, first
	}
	// told reports whether a notice stands behind place, in time for a message that came at until.
	told := func(place int, until time.Duration) bool {
		for _, g := range gaps {
			if g > place && s.events[g].at <= until+toldWithin {
				return true
			}
		}
		return s.bare && s.ended && s.code == tryAgainLater && s.endedAt <= until+toldWithin
	}
	hole := func(after, before, place int, until time.Duration) bool {
		n, first := missing(after, before)
		switch {
		case n == 0, parted && !ours:
			return true
		case ours:
			v.find("%s: %d of %s are missing, from %d on, and both are at one node", s.name, n, from.by, first)
		case !told(place, until):
			return false
		default:
			v.missed += n
		}
		return true
	}
	last, lastPlace := 0, -1
	seen := make(map[int]bool, len(places))
	for _, i := range places {
		n := s.events[i].number
		if n < 1 || n > len(from.marks) {
			v.find("%s got %d of %s, which was never sent", s.name, n, from.by)
			continue
		}
		if from.marks[n-1] == refused {
			v.find("%s got %d of %s, which was refused", s.name, n, from.by)
		}
		switch {
		case seen[n]:
			v.find("%s got %d of %s twice", s.name, n, from.by)
			continue
		case n < last:
			v.find("%s got %d of %s behind %d", s.name, n, from.by, last)
			seen[n] = true
			continue
		}
		seen[n] = true
		after := max(last, low)
		if last > 0 || bound {
			if !hole(after, n, lastPlace, s.events[i].at) {
				k, first := missing(after, n)
				v.find("%s: %d of %s are missing, from %d to %d (at %v), and nothing tells of it", s.name, k, from.by, first, n-1,
					s.events[i].at)
			}
		}
		last, lastPlace = n, i
	}
	// Who drains delivers all that it has accepted before it closes.
	drained := s.ended && ours && s.code == goingAway
	if s.ended && !drained || !bound {
		return
	}
	after := max(last, low)
	if from.killed && !ours {
		n, _ := missing(after, len(from.marks)+1)
		v.withNode += n
		return
	}
	if ours && !s.ended {
		n, _ := missing(after, len(from.marks)+1)
		v.tail += n // the answer to the publisher may have come before the message to the member
	}
	if !hole(after, len(from.marks)+1, lastPlace, s.lastGap(gaps)) {
		n, first := missing(after, len(from.marks)+1)
		v.tail += n
		v.find("%s: all %d of %s from %d on are missing, and nothing tells of it", s.name, n, from.by, first)
	}
}

// lastGap is when the last notice came: at the end there is no message behind a hole.
func (s *session) lastGap(gaps []int) time.Duration {
	if len(gaps) == 0 {
		return 0
	}
	return s.events[gaps[len(gaps)-1]].at
}
