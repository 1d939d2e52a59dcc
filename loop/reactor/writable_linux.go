package reactor

import (
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// writable tells a reactor which of its blocked sessions the kernel has room
// for again. gnet cannot: it watches for room only while its own unbounded
// buffer holds bytes, and groupcast never uses that buffer. So blocked sockets
// are also registered, one shot, with an epoll set of the reactor's own. A
// goroutine sleeps until that set has news, has the loop collect it, and
// sleeps again; it touches nothing else, so nothing is shared.
//
// Owner: the reactor's goroutine, but for run, stop and close.
type writable struct {
	sessions  *sessionTable
	wake      func() error // has the loop collect; any goroutine
	stopped   <-chan struct{}
	file      *os.File // the epoll set, watched by Go's own poller
	raw       syscall.RawConn
	epfd      int
	events    []unix.EpollEvent
	collected chan struct{} // capacity one: the loop has collected
}

func newWritable(sessions *sessionTable, wake func() error, stopped <-chan struct{}) (*writable, error) {
	epfd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("create epoll set: %w", err)
	}
	// A non-blocking descriptor is what makes os.File use Go's poller.
	if err := unix.SetNonblock(epfd, true); err != nil {
		_ = unix.Close(epfd)
		return nil, fmt.Errorf("make epoll set non-blocking: %w", err)
	}
	w := &writable{
		sessions:  sessions,
		wake:      wake,
		stopped:   stopped,
		file:      os.NewFile(uintptr(epfd), "writable"),
		epfd:      epfd,
		events:    make([]unix.EpollEvent, 128),
		collected: make(chan struct{}, 1),
	}
	if w.raw, err = w.file.SyscallConn(); err != nil {
		_ = w.file.Close()
		return nil, fmt.Errorf("watch epoll set: %w", err)
	}
	return w, nil
}

// watch asks to be told once when s can be written. Closing the descriptor
// ends the registration.
func (w *writable) watch(s *Session) error {
	op := unix.EPOLL_CTL_MOD
	if !s.is(flagPolled) {
		op = unix.EPOLL_CTL_ADD
	}
	// The 64 bits of user data name the session, not the descriptor, whose
	// number may be another connection's by the time the event is read.
	event := unix.EpollEvent{Events: unix.EPOLLOUT | unix.EPOLLONESHOT, Fd: int32(s.slot), Pad: int32(s.generation)}
	if err := unix.EpollCtl(w.epfd, op, int(s.fd), &event); err != nil {
		return os.NewSyscallError("epoll_ctl", err)
	}
	s.set(flagPolled)
	return nil
}

// run sleeps until there is news and has the loop collect it, until close.
func (w *writable) run() {
	ready := func(fd uintptr) bool {
		set := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, _ := unix.Poll(set, 0)
		return n > 0
	}
	for {
		if err := w.raw.Read(ready); err != nil {
			return
		}
		if err := w.wake(); err != nil {
			return
		}
		select {
		case <-w.collected:
		case <-w.stopped:
			return
		}
	}
}

// collect calls found for every live session that has room. On the loop.
func (w *writable) collect(found func(*Session)) {
	for {
		n, err := unix.EpollWait(w.epfd, w.events, 0)
		if err == unix.EINTR {
			continue
		}
		for _, event := range w.events[:max(n, 0)] {
			if s := w.sessions.get(uint32(event.Fd), uint32(event.Pad)); s != nil {
				found(s)
			}
		}
		if n < len(w.events) {
			break
		}
	}
	select {
	case w.collected <- struct{}{}:
	default:
	}
}

// stop ends run; the loop may still use the set.
func (w *writable) stop() { _ = w.file.SetReadDeadline(time.Unix(1, 0)) }

// close is for when the loop is gone.
func (w *writable) close() { _ = w.file.Close() }
