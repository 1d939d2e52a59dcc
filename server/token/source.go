package token

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// filesLookedAt is how often files are read.
	filesLookedAt = 10 * time.Second
	// fetchedAgain is how soon a key set may be fetched once more because a key is unknown,
	// and how soon it is tried again as long as there is none.
	fetchedAgain = 5 * time.Second
)

// source is where keys come from. While it cannot be read, those that it had stay in force; a key
// set without a key that can be used withdraws them.
// Its fields are set before the first refresh; every method may be called by any goroutine.
type source struct {
	name    string // for the operator
	address string // the key server's, whole: not for the log; "": it is a file
	every   time.Duration
	read    func(context.Context) ([]key, error)
	report  func(s *source, before, err error) // after each read; before is what the last one brought

	keys atomic.Pointer[[]key] // nil: never had

	most int // tokens that may wait for it at a time

	mu      sync.Mutex
	waiting int           // tokens that do
	flight  chan struct{} // closed when the read that is under way is done; nil: none is
	tried   time.Time     // when the last one ended
	err     error         // of the last one
	running sync.WaitGroup

	reads, failures, withdrawals atomic.Uint64

	readAt atomic.Int64 // when that last went well, in seconds since 1970
}

// ask is refresh for a token whose key is not there. It reports false, and waits for nothing,
// where as many wait as may: what they hold, places of connections, is not to be all there is.
func (s *source) ask(ctx, life context.Context) (asked bool) {
	s.mu.Lock()
	full := s.waiting >= s.most
	if !full {
		s.waiting++
	}
	s.mu.Unlock()
	if full {
		return false
	}
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.waiting--
	}()
	_ = s.refresh(ctx, life, fetchedAgain) // reported; what it had stays
	return true
}

// refresh reads the keys anew, once for all who ask meanwhile, and waits for that until
// ctx ends. With gap, nothing is done so soon after the last time. life ends the read.
func (s *source) refresh(ctx, life context.Context, gap time.Duration) error {
	s.mu.Lock()
	flight := s.flight
	if flight == nil {
		if life.Err() != nil || gap > 0 && !s.tried.IsZero() && time.Since(s.tried) < gap {
			defer s.mu.Unlock()
			return s.err
		}
		flight = make(chan struct{})
		s.flight = flight
		s.running.Go(func() { s.readOnce(life, flight) })
	}
	s.mu.Unlock()
	select {
	case <-flight:
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *source) readOnce(life context.Context, flight chan struct{}) {
	ctx, cancel := context.WithTimeout(life, fetchTimeout)
	defer cancel()
	keys, err := s.readSafely(ctx)
	s.reads.Add(1)
	if err != nil && !s.withdrawn(err) {
		s.failures.Add(1)
	} else {
		if before := len(s.all()); len(keys) == 0 && before > 0 {
			s.withdrawals.Add(1)
		}
		s.keys.Store(&keys)
		s.readAt.Store(time.Now().Unix())
	}
	s.mu.Lock()
	before := s.err
	s.flight, s.tried, s.err = nil, time.Now(), err
	s.mu.Unlock()
	if life.Err() == nil {
		s.report(s, before, err)
	}
	close(flight)
}

// withdrawn reports whether a read with this error withdraws the keys that were had.
func (s *source) withdrawn(err error) bool {
	_, none := errors.AsType[*noKeysError](err)
	return none && s.keys.Load() != nil
}

// panicError is a mistake in this program that keys have met. Its text is for the log.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v\n%s", e.value, e.stack) }

// readSafely reads keys. What they are made of comes from elsewhere: a mistake in looking at them
// costs these, and not the process.
func (s *source) readSafely(ctx context.Context) (keys []key, err error) {
	defer func() {
		if p := recover(); p != nil {
			keys, err = nil, &panicError{p, debug.Stack()}
		}
	}()
	return s.read(ctx)
}

// watch reads the keys from time to time until life ends.
func (s *source) watch(life context.Context) {
	for {
		wait := s.every
		if len(s.all()) == 0 {
			wait = min(wait, fetchedAgain)
		}
		select {
		case <-life.Done():
			return
		case <-time.After(wait):
			_ = s.refresh(life, life, 0) // reported
		}
	}
}

// wait returns when nothing is read any more, after life has ended.
func (s *source) wait() {
	s.mu.Lock()   // whoever has seen life go on has begun
	s.mu.Unlock() //nolint:staticcheck // the critical section is the one before
	s.running.Wait()
}

// remote reports whether reading may take long.
func (s *source) remote() bool { return s.address != "" }

// all are the keys that it has.
func (s *source) all() []key {
	if keys := s.keys.Load(); keys != nil {
		return *keys
	}
	return nil
}
