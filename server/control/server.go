package control

import (
	"context"
	"fmt"
	stdlog "log"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// MaxConns bounds the connections to a control socket at one time; more wait in
// the kernel's queue. Only the server's own user can make any.
const MaxConns = 64

// Server serves a control socket.
// Owner: the caller of Serve.
type Server struct {
	http http.Server
	done chan struct{}
}

// Serve answers on l until Close.
func Serve(l net.Listener, h http.Handler, log *slog.Logger) *Server {
	s := &Server{done: make(chan struct{})}
	s.http = http.Server{
		Handler:           h,
		MaxHeaderBytes:    16 << 10,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       time.Minute,
		WriteTimeout:      time.Minute,
		IdleTimeout:       time.Minute,
		ErrorLog:          stdlog.New(complaints{log}, "", 0),
	}
	go func() {
		defer close(s.done)
		_ = s.http.Serve(newLimitedListener(l)) // returns when Close has been called
	}()
	return s
}

// closeWithin is how long an answer that is being written may still take.
const closeWithin = 500 * time.Millisecond

// Close stops serving, and closes the listener and every connection. What is
// being answered at the moment is answered first, if that takes no time.
func (s *Server) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeWithin)
	defer cancel()
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = s.http.Close()
	}
	<-s.done
	if err != nil {
		return fmt.Errorf("close the control socket: %w", err)
	}
	return nil
}

// complaints are net/http's: about clients, mostly.
type complaints struct{ log *slog.Logger }

func (c complaints) Write(line []byte) (int, error) {
	c.log.Debug("control socket", "message", string(line))
	return len(line), nil
}

// limitedListener gives out MaxConns connections at one time.
type limitedListener struct {
	net.Listener
	slots  chan struct{}
	closed chan struct{}
	once   sync.Once
}

func newLimitedListener(l net.Listener) *limitedListener {
	return &limitedListener{Listener: l, slots: make(chan struct{}, MaxConns), closed: make(chan struct{})}
}

// Accept waits for a place, and then for a connection.
func (l *limitedListener) Accept() (net.Conn, error) {
	select {
	case l.slots <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	conn, err := l.Listener.Accept()
	if err != nil {
		<-l.slots
		return nil, err
	}
	return &limitedConn{Conn: conn, leave: sync.OnceFunc(func() { <-l.slots })}, nil
}

// Close also ends an Accept that waits for a place.
func (l *limitedListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

type limitedConn struct {
	net.Conn
	leave func()
}

// Close gives the place back.
func (c *limitedConn) Close() error {
	defer c.leave()
	return c.Conn.Close()
}
