package main

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// stage is how far a connection has come.
type stage uint8

const (
	idle stage = iota
	connecting
	upgrading
	joining
	ready
	closed
)

// conn is one connection to the server. A quiet one holds no buffer.
// Owner: its loop's goroutine.
type conn struct {
	fd        int32
	stage     stage
	role      role
	asleep    bool   // a sleeper that does not read
	writing   bool   // EPOLLOUT is armed
	closeCode uint16 // of the server's close frame
	seat      int32
	group     int32   // when in one
	awaiting  int32   // acks
	base      uint32  // first slot in the ledger, when in one group
	bases     []int32 // the same by group, when in several; -1: not a member
	partial   []byte  // the beginning of a frame
	out       []byte  // what is to be written; kept only by publishers
	publisher *publisher
	visit     *visit
	since     int64   // when connecting began
	secure    *secure // nil: no TLS
}

// healthRequest may be the first of several: the client hangs up, or the server.
const healthRequest = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"

const upgradeRequest = "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n%s\r\n"

// upgradeAccept answers that key, which is the one of RFC 6455, section 1.3.
const upgradeAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

// dial begins to connect. The upgrade request is written when the connection is there.
func (l *loop) dial(i int32) error {
	c := &l.conns[i]
	family := unix.AF_INET
	target := l.target
	if l.shaking.config != nil && c.role != poster {
		l.shakeHands(i)
		return nil
	}
	if c.role == poster {
		target = l.api
	}
	if _, ok := target.(*unix.SockaddrInet6); ok {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open a socket: %w", err)
	}
	c.fd, c.stage, c.since = int32(fd), connecting, clock()
	l.dialing++
	if c.publisher != nil || c.role == poster {
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	}
	if c.role == sleeper { // so that it is full soon
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 16<<10)
	}
	if l.sources > 1 {
		// A port is only chosen at connect, for the pair of addresses: else a source would run out for all servers at once.
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
		l.dialed++
		source := &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, byte(2 + l.dialed%l.sources)}}
		if err := unix.Bind(fd, source); err != nil {
			return fmt.Errorf("bind to source address %v: %w", source.Addr, err)
		}
	}
	switch err := unix.Connect(fd, target); {
	case err == nil:
		if err := l.watch(c, i, unix.EPOLL_CTL_ADD, unix.EPOLLIN); err != nil {
			return err
		}
		l.upgrade(c)
	case errors.Is(err, unix.EINPROGRESS):
		return l.watch(c, i, unix.EPOLL_CTL_ADD, unix.EPOLLIN|unix.EPOLLOUT)
	default:
		return dialError(err)
	}
	return nil
}

func dialError(err error) error {
	switch {
	case errors.Is(err, unix.ECONNREFUSED):
		return errors.New("connection refused: nobody listens there")
	case errors.Is(err, unix.EADDRNOTAVAIL):
		return errors.New("source ports are used up: use more --sources, or wait for TIME_WAIT to end")
	}
	return fmt.Errorf("connect: %w", err)
}

func (l *loop) watch(c *conn, i int32, op int, events uint32) error {
	err := unix.EpollCtl(l.epoll, op, int(c.fd), &unix.EpollEvent{Events: events, Fd: i, Pad: c.fd})
	if err != nil {
		return fmt.Errorf("watch a socket: %w", err)
	}
	return nil
}

// connected is called when a connect in progress has ended.
func (l *loop) connected(c *conn) {
	if code, err := unix.GetsockoptInt(int(c.fd), unix.SOL_SOCKET, unix.SO_ERROR); err != nil || code != 0 {
		l.fail(dialError(unix.Errno(code)))
		return
	}
	_ = l.watch(c, l.index(c), unix.EPOLL_CTL_MOD, unix.EPOLLIN)
	l.upgrade(c)
}

func (l *loop) upgrade(c *conn) {
	if c.role == poster {
		l.posts(c)
		return
	}
	c.stage = upgrading
	if l.healthz {
		c.out = append(c.out, healthRequest...)
		l.flush(c)
		return
	}
	path := "/"
	if l.dialect != nil {
		path = l.dialect.path(l.plan.names[l.plan.seats[c.seat].groups[0]])
	}
	authorization := ""
	if n := int32(len(l.tokens)); n > 0 {
		authorization = "Authorization: Bearer " + l.tokens[c.seat%n] + "\r\n"
	}
	c.out = fmt.Appendf(c.out, upgradeRequest, path, l.addr, authorization)
	l.flush(c)
}

// upgraded looks for the end of the server's answer and returns its length, 0 if it is not all there.
func (l *loop) upgraded(c *conn, b []byte) int {
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < 0 {
		if len(b) > 16<<10 {
			l.fail(errors.New("the server's answer to the upgrade has no end"))
		}
		return 0
	}
	answer := b[:end]
	if l.healthz {
		if !bytes.HasPrefix(answer, []byte("HTTP/1.1 200 ")) {
			l.fail(fmt.Errorf("/healthz was answered %q", answer))
			return 0
		}
		l.joined(c)
		return len(b)
	}
	if !bytes.HasPrefix(answer, []byte("HTTP/1.1 101 ")) || !bytes.Contains(answer, []byte(upgradeAccept)) {
		line, _, _ := bytes.Cut(answer, []byte("\r\n"))
		l.fail(fmt.Errorf("the upgrade was refused: %q", line))
		return 0
	}
	l.join(c)
	return end + 4
}

// join asks for all of the seat's groups at once; the acks tell when it is done.
func (l *loop) join(c *conn) {
	c.stage = joining
	if l.dialect != nil {
		l.dialect.opened(l, c)
		return
	}
	groups := l.plan.seats[c.seat].groups
	for _, g := range groups {
		c.out = l.appendCommand(c.out, "add_group", g)
	}
	c.awaiting = int32(len(groups))
	if l.firstBytes > 0 {
		c.out = appendFrame(c.out, opText, `{"cmd":"ping","req_id":0,"pad":"`+strings.Repeat("x", l.firstBytes)+`"}`)
		c.awaiting++
	}
	l.flush(c)
	if !l.acks {
		c.awaiting = 0
	}
	if c.awaiting == 0 && c.stage == joining {
		l.joined(c)
	}
}

func (l *loop) appendCommand(b []byte, cmd string, group int32) []byte {
	return appendFrame(b, opText, fmt.Sprintf(`{"cmd":%q,"group_id":%q,"req_id":%d}`, cmd, l.plan.names[group], group))
}

// joined is the end of the way in.
func (l *loop) joined(c *conn) {
	c.stage = ready
	l.dialing--
	l.stats.Ready++
	l.stats.Connections++
	if c.publisher == nil {
		c.out = nil
	}
	switch {
	case c.visit != nil:
		l.visitJoined(c)
	case l.closeWhenReady:
		l.hangUp(c)
	case c.role == sleeper && !l.control.draining.Load():
		c.asleep = true
		_ = l.watch(c, l.index(c), unix.EPOLL_CTL_MOD, unix.EPOLLRDHUP)
	}
}

// awake makes a sleeper read what has come meanwhile.
func (l *loop) awake(c *conn) {
	c.asleep = false
	_ = l.watch(c, l.index(c), unix.EPOLL_CTL_MOD, unix.EPOLLIN)
}

// flush writes what is to be written, as far as the kernel takes it.
//
// Raw system calls, here and in receive: the sockets are non-blocking, and Go's scheduler need not be told.
func (l *loop) flush(c *conn) {
	out := &c.out
	if c.secure != nil {
		if len(c.out) > 0 {
			c.secure.seal(c.out)
			c.out = c.out[:0]
		}
		out = &c.secure.wire.out
	}
	for len(*out) > 0 {
		n, _, errno := syscall.RawSyscall6(unix.SYS_SENDTO, uintptr(c.fd),
			uintptr(unsafe.Pointer(&(*out)[0])), uintptr(len(*out)), unix.MSG_NOSIGNAL, 0, 0)
		if errno == unix.EINTR {
			continue
		}
		if errno == unix.EAGAIN {
			break
		}
		if errno != 0 {
			l.lost(c, errno)
			return
		}
		*out = (*out)[:copy(*out, (*out)[n:])]
	}
	if c.publisher == nil && len(*out) == 0 {
		*out = nil // a quiet one holds no buffer
	}
	if full := len(*out) > 0; full != c.writing {
		c.writing = full
		events := uint32(unix.EPOLLIN)
		if full {
			events |= unix.EPOLLOUT
		}
		_ = l.watch(c, l.index(c), unix.EPOLL_CTL_MOD, events)
	}
}

// receive reads once and takes in every whole frame. Epoll is level triggered: what is left comes with the next turn.
func (l *loop) receive(c *conn) {
	if c.secure != nil {
		l.receiveSecured(c)
		return
	}
	had := copy(l.buffer, c.partial)
	n, _, errno := syscall.RawSyscall6(unix.SYS_RECVFROM, uintptr(c.fd),
		uintptr(unsafe.Pointer(&l.buffer[had])), uintptr(len(l.buffer)-had), 0, 0, 0)
	if errno != 0 || n == 0 {
		if errno != unix.EAGAIN && errno != unix.EINTR {
			l.lost(c, errno)
		}
		return
	}
	l.now = clock()
	all := l.buffer[:had+int(n)]
	rest := l.take(c, all)
	c.partial = append(c.partial[:0], rest...)
}

// take works off what has come and returns the rest, which is the beginning of a frame.
func (l *loop) take(c *conn, b []byte) []byte {
	if c.role == poster {
		return l.answers(b)
	}
	if c.stage == upgrading {
		n := l.upgraded(c, b)
		if n == 0 {
			return b
		}
		b = b[n:]
	}
	for len(b) > 0 && c.stage != closed {
		f, n := nextFrame(b, len(l.buffer)-16)
		if n == 0 {
			return b
		}
		if n < 0 {
			l.fail(fmt.Errorf("the server sent a frame that no server may send: % x", b[:min(len(b), 10)]))
			return nil
		}
		b = b[n:]
		if l.dialect != nil && f.head == finText {
			l.dialect.heard(l, c, f.body)
		} else if f.head == finText && len(f.body) > 0 && f.body[0] != '{' {
			l.deliver(c, f.body)
		} else {
			l.special(c, f)
		}
	}
	return nil
}

// special takes in everything that is not a group's message.
func (l *loop) special(c *conn, f frame) {
	switch {
	case f.head == finText && bytes.HasPrefix(f.body, []byte(`{"cmd":"ack"`)):
		l.acknowledged(c)
	case f.head == finText && bytes.HasPrefix(f.body, []byte(`{"cmd":"error"`)):
		l.fail(fmt.Errorf("the server answered %s", f.body[:min(len(f.body), 200)]))
	case f.head == 0x80|opPing:
		c.out = appendFrame(c.out, opPong, f.body)
		l.flush(c)
	case f.head == 0x80|opPong:
	case f.head == 0x80|opClose:
		if len(f.body) >= 2 {
			c.closeCode = uint16(f.body[0])<<8 | uint16(f.body[1])
		}
		c.out = appendFrame(c.out, opClose, f.body)
		l.flush(c)
		if c.stage != closed {
			l.lost(c, 0)
		}
	default:
		l.stats.Damaged++
	}
}

func (l *loop) acknowledged(c *conn) {
	if c.visit != nil && c.stage == ready {
		l.visitAcknowledged(c)
		return
	}
	if c.awaiting--; c.awaiting == 0 && c.stage == joining {
		l.joined(c)
	}
}

// lost is the server's end of a connection: end of stream (errno 0) or an error.
func (l *loop) lost(c *conn, errno syscall.Errno) {
	if c.stage < ready {
		what := "closed the connection"
		if errno != 0 {
			what = errno.Error()
		}
		l.fail(fmt.Errorf("the server %s before the connection was ready", what))
		return
	}
	code := int(c.closeCode)
	if code == 0 {
		code = endOfStream
		if errno != 0 {
			code = resetByPeer
		}
	}
	l.stats.CloseReasons.count(code, 1)
	if c.role == sleeper {
		l.stats.ClosedSleepers++
	} else {
		l.stats.Closed++
	}
	l.hangUp(c)
}

// hangUp closes a connection from this side.
func (l *loop) hangUp(c *conn) {
	if c.secure != nil {
		_ = c.secure.conn.CloseWrite()
		_, _ = unix.SendmsgN(int(c.fd), c.secure.wire.out, nil, nil, unix.MSG_NOSIGNAL)
		c.secure = nil
	}
	_ = unix.Close(int(c.fd))
	c.fd, c.stage, c.writing, c.partial, c.out, c.closeCode = -1, closed, false, nil, nil, 0
	if c.role != poster {
		l.stats.Ready--
	}
}
