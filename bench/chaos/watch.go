package main

import (
	"context"
	"fmt"
	"time"
)

// await returns once is does.
func await(ctx context.Context, what string, within time.Duration, is func() bool) error {
	for deadline := time.Now().Add(within); !is(); time.Sleep(5 * time.Millisecond) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("not within %v: %s", within, what)
		}
	}
	return nil
}

// told is how many notices these sessions had, and how many of them were closed with 1013.
func (b *book) told(of func(*session) bool) (gaps, closed int) {
	_, sessions := b.all()
	for _, s := range sessions {
		if !of(s) {
			continue
		}
		s.mu.Lock()
		for _, e := range s.events {
			if e.stream == gap {
				gaps++
			}
		}
		if s.ended && s.code == tryAgainLater {
			closed++
		}
		s.mu.Unlock()
	}
	return gaps, closed
}

// quiet are sessions of groups that nothing of another node is ever lost of.
func quiet(s *session) bool { return s.group != busy[0] && s.group != busy[1] }

// came is how many messages from streams of their own node, and of others, these sessions got between two moments.
func (b *book) came(from, to time.Duration, of func(*session) bool) (own, others int) {
	streams, sessions := b.all()
	for _, s := range sessions {
		if !of(s) {
			continue
		}
		s.mu.Lock()
		for _, e := range s.events {
			switch {
			case e.stream == gap || e.at < from || e.at > to:
			case streams[e.stream].life == s.life:
				own++
			default:
				others++
			}
		}
		s.mu.Unlock()
	}
	return own, others
}

// crossed reports whether each member of a busy group at these nodes has got, of each stream of its group at these
// nodes, a message that was begun behind what is given.
func (w *world) crossed(behind []int, at ...int) bool {
	streams, _ := w.book.all()
	lives := map[int]bool{}
	for _, i := range at {
		lives[int(w.nodes[i].life.Load())] = true
	}
	for _, m := range w.members {
		s := m.session()
		if s == nil || m.group != busy[0] && m.group != busy[1] || !lives[s.life] {
			continue
		}
		if !m.joined.Load() {
			return false
		}
		s.mu.Lock()
		for _, one := range streams {
			if one.group != m.group || !lives[one.life] {
				continue
			}
			low := 0
			if one.id < len(behind) {
				low = behind[one.id]
			}
			if s.latest[one.id] <= low {
				s.mu.Unlock()
				return false
			}
		}
		s.mu.Unlock()
	}
	return true
}

// heal waits until messages that are sent from now on cross between these nodes, and says how long that took.
func (w *world) heal(ctx context.Context, at ...int) (time.Duration, error) {
	began, behind := time.Now(), w.book.begun()
	err := await(ctx, "messages cross between the nodes again", patience, func() bool { return w.crossed(behind, at...) })
	return time.Since(began), err
}

// sleep passes the time.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
