package api

import (
	"context"
	stdlog "log"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"groupcast/loop/accept"
	"groupcast/protocol"
	details "groupcast/server/problem"
)

// ServerOptions bound what a connection may cost before a request of it is known.
type ServerOptions struct {
	// MaxHeaderBytes bounds a request's line and headers; net/http lets 4 KiB more
	// pass.
	MaxHeaderBytes int
	// ReadHeaderTimeout is how long these may take from the first byte on, or from the
	// connection.
	ReadHeaderTimeout time.Duration
	// ReadTimeout is how long a whole request may take to arrive.
	ReadTimeout time.Duration
	// WriteTimeout is how long it may take from there until the answer is sent: what
	// Limits allow, and time for a client that reads slowly.
	WriteTimeout time.Duration
	// IdleTimeout is how long a connection may wait for its next request.
	IdleTimeout time.Duration
	// Logger gets what net/http has to say; nil is slog.Default.
	Logger *slog.Logger
}

// DefaultServerOptions are for Limits as they are by default, and for any others.
func DefaultServerOptions() ServerOptions {
	return ServerOptions{
		MaxHeaderBytes:    16 << 10,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      60 * time.Second,
		IdleTimeout:       60 * time.Second,
	}
}

// NewHTTPServer makes a server for a handler of an API. It speaks HTTP/1.1 alone:
// over HTTP/2 one connection has a hundred requests at a time, which nobody needs
// here. What is no HTTP at all, and heads over the limit, are refused by net/http
// with a line of text.
func NewHTTPServer(handler http.Handler, o ServerOptions) *http.Server {
	log := o.Logger
	if log == nil {
		log = slog.Default()
	}
	s := &http.Server{
		Handler:           handler,
		MaxHeaderBytes:    o.MaxHeaderBytes,
		ReadHeaderTimeout: o.ReadHeaderTimeout,
		ReadTimeout:       o.ReadTimeout,
		WriteTimeout:      o.WriteTimeout,
		IdleTimeout:       o.IdleTimeout,
		ErrorLog:          stdlog.New(serverLog{log}, "", 0),
		Protocols:         new(http.Protocols),
		ConnContext:       withConn,
	}
	s.Protocols.SetHTTP1(true)
	return s
}

// serverLog takes net/http's log lines. What keeps it from accepting is for the
// operator; anything else is some client's doing.
type serverLog struct{ log *slog.Logger }

func (l serverLog) Write(line []byte) (int, error) {
	level, text := slog.LevelDebug, strings.TrimSpace(string(line))
	if strings.HasPrefix(text, "http: Accept error") {
		level = slog.LevelWarn
	}
	l.log.Log(context.Background(), level, "api server", "message", text)
	return len(line), nil
}

// maxRefusals bounds the connections that are being told that they are too many.
const maxRefusals = 64

// LimitConns bounds the connections of l and of all other listeners that it was called
// for to MaxConns together: see conns. What finds no place gets a 503 and is closed,
// without a look at what it asks for. Its server must be one of NewHTTPServer.
func (a *API) LimitConns(l net.Listener) net.Listener {
	limited := &limitedListener{
		Listener: l,
		api:      a,
		refuser:  accept.NewRefuser(maxRefusals),
		refusal:  protocol.AppendUnavailable(nil, retryAfter, details.MediaType, busy("too many connections").Body()),
	}
	stopped := make(chan struct{})
	limited.stop = sync.OnceFunc(func() { close(stopped) })
	limited.acceptor = accept.Acceptor{
		Listener: l, Stopped: stopped, Log: a.ration,
		OnError: func() { a.counters.AcceptErrors.Add(1) },
	}
	return limited
}

type limitedListener struct {
	net.Listener
	api      *API
	acceptor accept.Acceptor
	stop     func() // ends a pause of the acceptor
	refuser  *accept.Refuser
	refusal  []byte
}

// Accept waits for the next connection that finds a place. It is for one goroutine.
func (l *limitedListener) Accept() (net.Conn, error) {
	for {
		c, err := l.acceptor.Next()
		if err != nil {
			return nil, err
		}
		l.acceptor.Went()
		if entered := l.api.conns.enter(c, l.api.HasTokens()); entered != nil {
			return entered, nil
		}
		l.api.counters.RefusedConns.Add(1)
		l.refuser.Refuse(c, l.refusal, nil)
	}
}

// Close closes the listener.
func (l *limitedListener) Close() error {
	defer l.stop()
	return l.Listener.Close()
}
