package bus

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
)

// How nats.go keeps the connection; doc.go says why.
const (
	dialTimeout    = 2 * time.Second // of one server: its name, TCP; and once more what follows until it is up
	flusherTimeout = 2 * time.Second // of a write to a server that stands still
	drainTimeout   = 2 * time.Second
	pingInterval   = time.Second
	maxPingsOut    = 2
	reconnectMin   = 50 * time.Millisecond
	reconnectMax   = 500 * time.Millisecond
)

// handlers are told what becomes of the connection. Those that are nil are not. They must not wait:
// some are called under the lock that every call of the connection takes, and while one waits all
// others do.
type handlers struct {
	// dialing: an attempt is about to be made. What NATS brought before is of another connection.
	dialing func()
	// connected and reconnected: a connection is there, to that HOST:PORT.
	connected   func(server string)
	reconnected func(server string)
	// disconnected is the end of a connection; err is nil where this node has closed it.
	disconnected func(err error)
	// tried is an attempt at HOST:PORT that failed; its next one follows by itself.
	tried func(server string, err error)
	// closed: there will be no other connection. Close does that, and NATS where it says something
	// that nats.go does not know.
	closed func()
	// slow: messages of a subscription were dropped, since its channel was full.
	slow func(sub *nats.Subscription)
	// failed is all else that NATS reports: violationOf and reasonOf read it.
	failed func(err error)
}

// whole is h with functions that do nothing in place of those that are nil.
func (h handlers) whole() handlers {
	if h.dialing == nil {
		h.dialing = func() {}
	}
	if h.connected == nil {
		h.connected = func(string) {}
	}
	if h.reconnected == nil {
		h.reconnected = func(string) {}
	}
	if h.disconnected == nil {
		h.disconnected = func(error) {}
	}
	if h.tried == nil {
		h.tried = func(string, error) {}
	}
	if h.closed == nil {
		h.closed = func() {}
	}
	if h.slow == nil {
		h.slow = func(*nats.Subscription) {}
	}
	if h.failed == nil {
		h.failed = func(error) {}
	}
	return h
}

// requireTimeout bounds a connect with Options.Require, however many servers there are.
const requireTimeout = 10 * time.Second

// connect returns at once with a connection that is being tried for, until Close. With
// o.Require it returns when one is there, or when each server was tried once: the error says why
// none is. That a file which o names cannot be used is an error in any case, a *FileError.
//
// more are options beside, and beat those from here; a dialer among them does the dialing.
func connect(o Options, h handlers, more ...nats.Option) (*nats.Conn, error) {
	if err := CheckFiles(o); err != nil {
		return nil, err
	}
	if !o.Require {
		return begin(o, h.whole(), more)
	}
	first := newFirst(o, h.whole())
	conn, err := begin(o, first.handlers(), more)
	if err != nil {
		return nil, err
	}
	if err := first.wait(); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// begin has nats.go connect.
func begin(o Options, h handlers, more []nats.Option) (*nats.Conn, error) {
	d := &attempts{h: h}
	opt := nats.GetDefaultOptions()
	opt.Servers = o.Servers
	opt.Name = "groupcast " + o.Node
	opt.NoEcho = true
	opt.AllowReconnect = true
	opt.MaxReconnect = -1
	opt.ReconnectBufSize = -1 // nothing is kept: what waits, and in what order, is this package's
	opt.Timeout = dialTimeout
	opt.FlusherTimeout = flusherTimeout
	opt.DrainTimeout = drainTimeout
	opt.PingInterval = pingInterval
	opt.MaxPingsOut = maxPingsOut
	// Otherwise a write of which the server took nothing is forgotten, and the connection goes on
	// without what was in it.
	opt.ReconnectOnFlusherError = true
	// Otherwise the second refusal of one server ends it all, although an operator may be about to
	// put the credentials right.
	opt.IgnoreAuthErrorAbort = true
	opt.RetryOnFailedConnect = true
	opt.CustomReconnectDelayCB = d.pause
	opt.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12} // ServerName is nats.go's to set
	if err := o.authenticate(&opt, d.hint); err != nil {
		return nil, err
	}
	o.encrypt(&opt)
	d.report(&opt)
	for _, one := range more {
		if err := one(&opt); err != nil {
			return nil, fmt.Errorf("options of NATS: %w", err)
		}
	}
	// The name is looked up by the dialer: nats.go does it under its lock, and without a timeout.
	opt.SkipHostLookup = true
	d.inner, opt.CustomDialer = opt.CustomDialer, d
	conn, err := opt.Connect()
	if err != nil {
		return nil, fmt.Errorf("connect to NATS: %w", err)
	}
	d.conn.Store(conn)
	return conn, nil
}

// first waits for the first connection, or for an attempt at each server that has failed. Only
// then the handlers behind it are told of anything.
type first struct {
	h       handlers
	servers string
	there   atomic.Bool
	up      chan struct{}
	failed  chan failure
	missing map[string]bool // servers that were not tried yet
}

type failure struct {
	server string
	err    error
}

func newFirst(o Options, h handlers) *first {
	f := &first{
		h: h, servers: strings.Join(o.ShownServers(), ", "), missing: make(map[string]bool),
		up: make(chan struct{}, 1), failed: make(chan failure, 4*MaxServers),
	}
	for _, shown := range o.ShownServers() {
		_, address, _ := strings.Cut(shown, "://")
		f.missing[address] = true
	}
	return f
}

func (f *first) handlers() handlers {
	h := f.h
	h.connected = func(server string) {
		f.there.Store(true)
		f.h.connected(server)
		f.up <- struct{}{}
	}
	h.tried = func(server string, err error) {
		if f.there.Load() {
			f.h.tried(server, err)
			return
		}
		select {
		case f.failed <- failure{server, err}:
		default: // it is not read any more
		}
	}
	h.closed = func() {
		if f.there.Load() {
			f.h.closed()
		}
	}
	return h
}

func (f *first) wait() error {
	late := time.NewTimer(requireTimeout)
	defer late.Stop()
	var errs []error
	for len(f.missing) > 0 {
		select {
		case <-f.up:
			return nil
		case one := <-f.failed:
			if f.missing[one.server] {
				delete(f.missing, one.server)
				errs = append(errs, fmt.Errorf("%s: %s: %w", one.server, reasonOf(one.err), one.err))
			}
		case <-late.C:
			f.missing = nil
			errs = append(errs, fmt.Errorf("no answer within %s", requireTimeout))
		}
	}
	return fmt.Errorf("--nats-require: wants a NATS server that can be used, of %s: %w", f.servers, errors.Join(errs...))
}

// authenticate sets as whom the node connects. nats.go asks for it whenever it does, so that the
// files are read again; of an nkey the seed is, and its public half, which is the user, is not.
// hint is told what may be why the server refuses, nil where nothing is known.
func (o Options) authenticate(opt *nats.Options, hint func(error)) error {
	opt.User, opt.Password, opt.Token = o.User, o.Password, o.Token
	switch {
	case o.CredentialsFile != "":
		opt.UserJWT = func() (string, error) {
			c, key, err := readCredentials(o.CredentialsFile)
			if err != nil {
				return "", err
			}
			key.Wipe()
			hint(c.late(o.CredentialsFile))
			return c.jwt, nil
		}
		opt.SignatureCB = func(nonce []byte) ([]byte, error) {
			_, key, err := readCredentials(o.CredentialsFile)
			if err != nil {
				return nil, err
			}
			defer key.Wipe()
			return key.Sign(nonce)
		}
	case o.NKeyFile != "":
		opt.SignatureCB = func(nonce []byte) (signed []byte, err error) {
			err = withSeed(o.NKeyFile, func(key nkeys.KeyPair) (err error) {
				signed, err = key.Sign(nonce)
				return err
			})
			return signed, err
		}
		return withSeed(o.NKeyFile, func(key nkeys.KeyPair) (err error) {
			opt.Nkey, err = key.PublicKey()
			return err
		})
	case o.PasswordFile != "":
		opt.User = "" // nats.go wants either
		password := again{read: func() (string, error) { return readPassword(o.PasswordFile) }, hint: hint}
		opt.UserInfo = func() (string, string) { return o.User, password.get() }
	case o.TokenFile != "":
		token := again{read: func() (string, error) { return readToken(o.TokenFile) }, hint: hint}
		opt.TokenHandler = token.get
	}
	return nil
}

// again is a secret in a file that is read whenever it is needed. While that fails it is what it
// was: nats.go takes no error here.
// Owner: the goroutine that connects.
type again struct {
	read func() (string, error)
	hint func(error)
	last string
}

func (a *again) get() string {
	text, err := a.read()
	a.hint(err)
	if err == nil {
		a.last = text
	}
	return a.last
}

// encrypt sets what TLS takes; nats.go asks for it whenever it connects.
func (o Options) encrypt(opt *nats.Options) {
	if o.CAFile != "" {
		opt.Secure = true
		opt.RootCAsCB = func() (*x509.CertPool, error) { return readAuthorities(o.CAFile) }
	}
	if o.CertFile != "" {
		opt.Secure = true
		opt.TLSCertCB = func() (tls.Certificate, error) { return readCertificate(o.CertFile, o.KeyFile) }
	}
}
