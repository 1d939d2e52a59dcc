package acme

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"

	"groupcast/server/door"
)

// Options say which certificates to get, and where.
type Options struct {
	Names     []string // in ASCII, without wildcards; 1 to MaxNames
	Directory string   // for the account's key, certificates and their keys; made with 0700
	URL       string   // of the authority's directory; "" is Let's Encrypt's
	Email     string   // where the authority may write to; "" is nowhere
	RootsFile string   // PEM certificates that the authority's own is checked by; "" is the system's
	// AcceptTerms says that the operator has agreed to the authority's terms of service.
	AcceptTerms bool
	HTTP01      bool // a plain listener asks Answer or Handler

	// RenewBefore is how long before its end a certificate is renewed; 0: a third of its life,
	// 30 days at most. More than its life asks for new ones without end: not for operators.
	RenewBefore time.Duration
	LookEvery   time.Duration // whether a certificate has been renewed; 0 is a minute

	// Report, if not nil, is told of every failed attempt to get a certificate, and with nil
	// of each new one. It is called on goroutines of the Issuer.
	Report func(name string, err error)
}

// MaxNames bounds the names: each costs a goroutine, and a place in the authority's limits.
const MaxNames = 100

// How long after a failed attempt the next one comes: twice as long each time. autocert
// does not try again within a minute.
const (
	minRetry = 61 * time.Second
	maxRetry = time.Hour
)

// requestTimeout bounds one request to the authority.
const requestTimeout = 30 * time.Second

// Issuer gets certificates and keeps them new.
// Owner: the server; every method may be called by any goroutine.
type Issuer struct {
	o       Options
	manager *autocert.Manager
	plain   http.Handler // answers HTTP-01; nil without
	certs   map[string]*entry
	ctx     context.Context // ends with the Issuer
	end     context.CancelFunc
	tried   sync.WaitGroup // the first attempts
}

// entry is a name's certificate; nil while there is none.
type entry struct {
	cert atomic.Pointer[tls.Certificate]
}

// Check says why New would fail with o, and makes no directory.
func Check(o Options) error {
	if err := o.check(); err != nil {
		return err
	}
	if _, err := newTransport(o.RootsFile); err != nil {
		return err
	}
	if _, err := os.Stat(o.Directory); errors.Is(err, fs.ErrNotExist) {
		return nil // it will be made; that its parent may not be written to shows at the start
	}
	return private(o.Directory)
}

// check looks at what needs no file.
func (o *Options) check() error {
	if len(o.Names) == 0 || len(o.Names) > MaxNames {
		return fmt.Errorf("wants 1 to %d names for certificates, got %d", MaxNames, len(o.Names))
	}
	for _, name := range o.Names {
		if !isName(strings.ToLower(name)) {
			return fmt.Errorf("wants names like push.example.org for certificates, got %q", name)
		}
	}
	if !o.AcceptTerms {
		return errors.New("wants the authority's terms of service to be accepted")
	}
	if u, err := url.Parse(o.URL); o.URL != "" && (err != nil || u.Scheme != "https" || u.Host == "") {
		return fmt.Errorf("wants the https URL of an authority, got %q", o.URL)
	}
	return nil
}

// New is an Issuer as o says, which does nothing before Start. The errors are for the
// operator.
func New(o Options) (*Issuer, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	i := &Issuer{o: o, certs: make(map[string]*entry)}
	for _, name := range o.Names {
		i.certs[strings.ToLower(name)] = &entry{}
	}
	if o.URL == "" {
		i.o.URL = autocert.DefaultACMEDirectory
	}
	if o.LookEvery == 0 {
		i.o.LookEvery = time.Minute
	}
	if err := private(o.Directory); err != nil {
		return nil, err
	}
	transport, err := newTransport(o.RootsFile)
	if err != nil {
		return nil, err
	}
	i.ctx, i.end = context.WithCancel(context.Background())
	i.manager = &autocert.Manager{
		Prompt:      autocert.AcceptTOS,
		Cache:       autocert.DirCache(o.Directory),
		HostPolicy:  autocert.HostWhitelist(o.Names...),
		RenewBefore: o.RenewBefore,
		Email:       o.Email,
		Client: &acme.Client{
			DirectoryURL: i.o.URL,
			HTTPClient:   &http.Client{Transport: &ending{transport, i.ctx}, Timeout: requestTimeout},
			UserAgent:    "groupcast",
		},
	}
	if o.HTTP01 {
		i.plain = i.manager.HTTPHandler(http.NotFoundHandler())
	}
	return i, nil
}

// Start begins to get certificates. It is called once.
func (i *Issuer) Start() {
	i.tried.Add(len(i.certs))
	for name, e := range i.certs {
		go i.keep(name, e)
	}
}

// Wait returns when for every name there is a certificate, from the directory or new, or a
// first attempt has failed; or when ctx ends. Without it the first clients after a start may
// find no certificate, although the directory has it.
func (i *Issuer) Wait(ctx context.Context) {
	done := make(chan struct{})
	go func() {
		i.tried.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// Close ends all requests. What waits for the authority ends by itself within minutes; what
// is there may still be used.
func (i *Issuer) Close() { i.end() }

// keep keeps name's certificate: the first one, and then whatever is renewed.
func (i *Issuer) keep(name string, e *entry) {
	first := sync.OnceFunc(i.tried.Done)
	for retry := minRetry; ; {
		wait := i.o.LookEvery
		cert, err := i.manager.GetCertificate(&tls.ClientHelloInfo{
			ServerName: name, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256},
		})
		if i.ctx.Err() != nil {
			first()
			return
		}
		old := e.cert.Load()
		switch {
		case err != nil:
			wait, retry = retry, min(2*retry, maxRetry)
			i.report(name, err)
		case old == nil || !bytes.Equal(old.Certificate[0], cert.Certificate[0]):
			retry = minRetry
			e.cert.Store(cert)
			i.report(name, nil)
		}
		first()
		select {
		case <-i.ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

func (i *Issuer) report(name string, err error) {
	if i.o.Report != nil {
		i.o.Report(name, err)
	}
}

// Protocol is that of TLS-ALPN-01.
func (i *Issuer) Protocol() string { return acme.ALPNProto }

// Certificate is the one for the client that says hello, or the answer to the authority's
// challenge; nil if there is none. It waits for nothing but, for a challenge, the disk.
func (i *Issuer) Certificate(hello *tls.ClientHelloInfo) *tls.Certificate {
	e := i.certs[strings.ToLower(hello.ServerName)]
	if e == nil {
		return nil
	}
	if len(hello.SupportedProtos) != 1 || hello.SupportedProtos[0] != acme.ALPNProto {
		return e.cert.Load()
	}
	cert, err := i.manager.GetCertificate(hello)
	if err != nil {
		return nil // none is asked for
	}
	return cert
}

// Infos are the certificates that are there, in the order of the names.
func (i *Issuer) Infos() (infos []door.CertificateInfo) {
	for _, name := range i.o.Names {
		if cert := i.certs[strings.ToLower(name)].cert.Load(); cert != nil {
			infos = append(infos, door.CertificateInfo{
				Names: cert.Leaf.DNSNames, NotBefore: cert.Leaf.NotBefore, NotAfter: cert.Leaf.NotAfter,
			})
		}
	}
	return infos
}

// private makes the directory, or sees to it that nobody else can read it: keys are in it.
func private(directory string) error {
	if directory == "" {
		return errors.New("wants a directory for certificates, got none")
	}
	if err := os.MkdirAll(directory, 0o700); err != nil {
		return fmt.Errorf("directory for certificates: %w", err)
	}
	info, err := os.Stat(directory)
	if err != nil {
		return fmt.Errorf("directory for certificates: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return fmt.Errorf("directory for certificates %s: wants mode 0700, got %#o", directory, mode)
	}
	return nil
}

func newTransport(rootsFile string) (*http.Transport, error) {
	t := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: requestTimeout}).DialContext,
		TLSHandshakeTimeout: requestTimeout,
		IdleConnTimeout:     10 * time.Second, // requests come in bursts, months apart
	}
	if rootsFile == "" {
		return t, nil
	}
	pem, err := os.ReadFile(rootsFile)
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		err = path.Err
	}
	if err != nil {
		return nil, fmt.Errorf("the authority's roots %s: %w", rootsFile, err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("the authority's roots %s: wants PEM certificates, got none", rootsFile)
	}
	t.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	return t, nil
}

// ending is a transport whose requests end with ctx: autocert's own context cannot be
// given.
type ending struct {
	transport *http.Transport
	ctx       context.Context
}

func (e *ending) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(r.Context())
	stop := context.AfterFunc(e.ctx, cancel)
	answer, err := e.transport.RoundTrip(r.WithContext(ctx))
	if err != nil {
		stop()
		cancel()
		return nil, err
	}
	answer.Body = &endingBody{answer.Body, func() { stop(); cancel() }}
	return answer, nil
}

// isName reports whether name may be asked for: at least two labels, no wildcard, no address.
func isName(name string) bool {
	labels := strings.Split(name, ".")
	if len(labels) < 2 || len(name) > 253 || net.ParseIP(name) != nil {
		return false
	}
	for _, label := range labels {
		if label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return false
		}
	}
	return true
}
