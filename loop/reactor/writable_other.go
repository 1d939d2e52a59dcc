//go:build unix && !linux

package reactor

import "time"

// writable retries blocked sessions every retryEvery: the portable fallback
// for systems without epoll. See writable_linux.go.
//
// Owner: the reactor's goroutine, but for run and close.
type writable struct {
	wake    func() error // has the loop collect; any goroutine
	blocked map[*Session]struct{}
	done    chan struct{}
}

const retryEvery = 10 * time.Millisecond

func newWritable(_ *sessionTable, wake func() error, _ <-chan struct{}) (*writable, error) {
	return &writable{wake: wake, blocked: make(map[*Session]struct{}), done: make(chan struct{})}, nil
}

func (w *writable) watch(s *Session) error {
	w.blocked[s] = struct{}{}
	return nil
}

func (w *writable) run() {
	ticker := time.NewTicker(retryEvery)
	defer ticker.Stop()
	for {
		select {
		case <-w.done:
			return
		case <-ticker.C:
			if w.wake() != nil {
				return
			}
		}
	}
}

func (w *writable) collect(found func(*Session)) {
	for s := range w.blocked {
		delete(w.blocked, s)
		if s.state != stateDead {
			found(s)
		}
	}
}

func (w *writable) stop() { close(w.done) }

func (w *writable) close() {}
