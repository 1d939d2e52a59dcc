package workerman

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	"groupcast/loop/accept"
	memory "groupcast/loop/budget"
	"groupcast/loop/ration"
	"groupcast/protocol/workerman"
	"groupcast/server/door"
)

// ErrServerClosed is the answer of a Server that was closed.
var ErrServerClosed = errors.New("channel server closed")

// Server is a Workerman Channel server, and a bridge between it and the groups.
// Its methods may be called from any goroutine.
type Server struct {
	opt    Options
	log    *slog.Logger
	ration *ration.Logger
	node   *Node
	hub    *hub
	bridge *bridge // nil without a broker
	count  Counters

	halves      halves
	undelivered undelivered

	// flush is closed when nothing more will come for the subscribers.
	flush chan struct{}

	mu        sync.Mutex // guards the next four
	listeners map[net.Listener]struct{}
	conns     map[*conn]struct{} // without those that were evicted
	silent    silentConns
	closing   bool
	reading   sync.WaitGroup // connections that may still bring frames
	running   sync.WaitGroup
	closed    chan struct{}
}

// NewServer returns a server without a listener. broker may be nil: then no
// channel has to do with groups. node is shared with this process's Clients.
func NewServer(o Options, node *Node, broker Broker) (*Server, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	s := &Server{
		opt:       o,
		log:       o.Logger,
		node:      node,
		flush:     make(chan struct{}),
		listeners: make(map[net.Listener]struct{}),
		conns:     make(map[*conn]struct{}),
		closed:    make(chan struct{}),
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	s.ration = ration.New(s.log)
	s.halves = halves{limit: o.MaxPartialBytes, process: o.Budget.Account(memory.Channel)}
	s.hub = newHub(&s.opt, node, s.bad)
	s.hub.relieve, s.hub.complain = s.relieve, s.ration.Warn
	o.Budget.Keep(holders{s})
	go s.sweep()
	if broker != nil {
		s.bridge = newBridge(&s.opt, node, s.hub, broker, s.log)
		go s.bridge.run()
	}
	return s, nil
}

// sweepParts is how often in QueueTimeout queues are looked at, but at least once
// in sweepAtLeast.
const (
	sweepParts   = 4
	sweepAtLeast = time.Minute
)

// sweep has queues age, until the server is closed.
func (s *Server) sweep() {
	ticker := time.NewTicker(min(max(s.opt.QueueTimeout/sweepParts, time.Millisecond), sweepAtLeast))
	defer ticker.Stop()
	for {
		select {
		case now := <-ticker.C:
			s.hub.sweep(now)
		case <-s.closed:
			return
		}
	}
}

// Serve accepts connections from ln until ln or the server is closed; then it
// returns nil (ErrServerClosed, if it was closed before). Running out of
// descriptors or memory ends nothing: accepting pauses and goes on. Any other
// error of ln is returned.
func (s *Server) Serve(ln net.Listener) error {
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		return ErrServerClosed
	}
	s.listeners[ln] = struct{}{}
	s.running.Add(1)
	s.mu.Unlock()
	defer s.running.Done()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.listeners, ln)
	}()
	a := accept.Acceptor{
		Listener: ln, Stopped: s.closed, Log: s.ration,
		OnError: func() { s.count.AcceptErrors.Add(1) },
	}
	for {
		socket, err := a.Next()
		switch {
		case err == nil:
			s.admit(socket)
			a.Went()
		case s.isClosing(), errors.Is(err, net.ErrClosed):
			return nil
		default:
			return fmt.Errorf("accept on %s: %w", ln.Addr(), err)
		}
	}
}

// keepAlive finds peers that have vanished: 60 s of silence, then 3 probes.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 60 * time.Second, Interval: 20 * time.Second, Count: 3}

// admit serves the connection, or closes it: if its address is not allowed, or
// where there are too many.
func (s *Server) admit(socket net.Conn) {
	if !s.isAllowed(socket.RemoteAddr()) {
		s.count.ConnsAccepted.Add(1)
		s.count.ConnsClosed[closedNotAllowed].Add(1)
		_ = socket.Close()
		s.ration.Warn("channel: a connection was refused: its address is not allowed",
			"peer", socket.RemoteAddr().String())
		return
	}
	if tcp, ok := door.Socket(socket).(*net.TCPConn); ok {
		_ = tcp.SetKeepAliveConfig(keepAlive) // a socket that is already dead is found by reading
	}
	s.mu.Lock()
	address := s.opt.addressOf(socket.RemoteAddr())
	if s.silent.of(address) >= s.opt.MaxSilentPerAddress {
		s.evict(s.silent.oldest(address))
	}
	if len(s.conns) >= s.opt.MaxConns {
		s.evict(s.silent.oldest(s.silent.largest()))
	}
	full := len(s.conns) >= s.opt.MaxConns || s.opt.Budget.Refuses()
	if full || s.closing {
		s.mu.Unlock()
		if full {
			s.count.ConnsRefused.Add(1)
		}
		_ = socket.Close()
		if full {
			s.ration.Warn("channel: too many connections, or too little memory", "limit", s.opt.MaxConns, "peer",
				socket.RemoteAddr().String())
		}
		return
	}
	c := s.newConn(socket)
	s.conns[c] = struct{}{}
	s.silent.add(c)
	s.reading.Add(1)
	s.running.Add(1)
	s.mu.Unlock()
	s.count.ConnsAccepted.Add(1)
	go func() {
		defer s.running.Done()
		c.serve()
		s.mu.Lock()
		defer s.mu.Unlock()
		s.forget(c)
	}()
}

// forget takes c out; the caller holds mu.
func (s *Server) forget(c *conn) {
	delete(s.conns, c)
	s.silent.remove(c)
}

// evict ends a connection that has said nothing, if c is one, to make room for
// another; the caller holds mu.
func (s *Server) evict(c *conn) {
	if c != nil {
		s.forget(c)
		c.evict(closedCrowded)
	}
}

// spoke notes that c has said something.
func (s *Server) spoke(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.silent.remove(c)
}

// relieve ends connections until what waits for the others is within the budget:
// those first for which most waits, and those that hold a job behind all others.
func (s *Server) relieve() {
	type holder struct {
		conn  *conn
		bytes int
		busy  bool
	}
	var all []holder
	now := time.Now()
	s.mu.Lock()
	for c := range s.conns {
		if _, bytes := c.out.waiting(); bytes > 0 {
			all = append(all, holder{c, bytes, now.Before(c.jobUntil())})
		}
	}
	s.mu.Unlock()
	slices.SortFunc(all, func(a, b holder) int {
		if a.busy != b.busy {
			if a.busy {
				return 1
			}
			return -1
		}
		return cmp.Compare(b.bytes, a.bytes)
	})
	for _, h := range all {
		if !s.hub.budget.isOver() {
			return
		}
		h.conn.evict(closedBudget)
	}
}

// isAllowed reports whether a peer at that address may connect.
func (s *Server) isAllowed(peer net.Addr) bool {
	ip := door.AddrPort(peer).Addr()
	return !ip.IsValid() || len(s.opt.Allow) == 0 || door.Networks(s.opt.Allow).Contain(ip)
}

// SetMaxMessageBytes is MaxMessageBytes from now on.
func (s *Server) SetMaxMessageBytes(n int) {
	if s.bridge != nil {
		s.bridge.most.Store(int64(n))
	}
}

func (s *Server) isClosing() bool {
	select {
	case <-s.closed:
		return true
	default:
		return false
	}
}

// closeAtMost bounds Close where its context does not.
const closeAtMost = 10 * time.Second

// Close ends the server in good order: nothing more is accepted and read, what
// was read is served, what the broker has ordered is handed to the subscribers,
// and they have until ctx ends to take it, or 10 s: each connection is ended when
// its peer has everything. Drain the engine before, so
// that its last messages are among that, and close it after.
func (s *Server) Close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, closeAtMost)
	defer cancel()
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		s.running.Wait()
		return nil
	}
	s.closing = true
	close(s.closed)
	var errs []error
	for ln := range s.listeners {
		if err := ln.Close(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	for c := range s.conns {
		c.stopReading()
	}
	s.mu.Unlock()

	// When the time is over, a goroutine that waits for the broker, or for a subscriber
	// who does not read, does so no more.
	defer context.AfterFunc(ctx, func() {
		if s.bridge != nil {
			s.bridge.cancel()
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		for c := range s.conns {
			c.cutShort()
		}
	})()
	s.reading.Wait()
	if s.bridge != nil {
		s.bridge.close()
	}
	s.hub.logQueues(s.log)
	close(s.flush)
	s.running.Wait()
	if n := s.undelivered.conns.Load(); n > 0 {
		s.log.Warn("channel: connections had not taken everything when the server ended",
			"connections", n, "frames", s.undelivered.frames.Load(), "bytes", s.undelivered.bytes.Load())
	}
	return errors.Join(errs...)
}

// longAgo as a deadline ends what waits.
var longAgo = time.Unix(1, 0)

// bad counts and logs what was refused.
func (s *Server) bad(peer string, why workerman.Reason) {
	s.count.Bad[why].Add(1)
	s.ration.Log(slog.LevelWarn, why.String(), "channel: a message was refused", "reason", why.String(), "peer", peer)
}
