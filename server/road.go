package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"groupcast/loop"
	"groupcast/loop/accept"
	"groupcast/loop/ration"
	"groupcast/server/door"
	"groupcast/server/door/acme"
)

// roads are what stands between accepting a connection and its loop, where anything does:
// TLS, and what a proxy says of a client. A listener without either has no road, and its
// connections go to their loops at once.
// Owner: the Server.
type roads struct {
	certificates *door.Certificates // nil without --tls-cert
	issuer       *acme.Issuer       // nil without --acme
	tls          *door.TLS          // nil without both
	proxy        *door.ProxyProtocol

	secured, plain *door.Road // for listeners with TLS, and for others; nil where nothing is on it
	origins        []string   // in force; guarded by the server's reloading
	watching       context.CancelFunc
	watched        chan struct{} // closed when nobody watches any more; nil if nobody does
}

// certificatesLookedAt is how often certificate files are looked at.
const certificatesLookedAt = 10 * time.Second

// issuerHas is how long a start waits for certificates that are in the issuer's directory.
const issuerHas = 2 * time.Second

// openRoads makes them. What an error leaves behind, close takes back.
func (s *Server) openRoads() error {
	o, r := s.options, &s.roads
	r.origins = o.Origins
	var err error
	if len(o.TLSCert) > 0 {
		if r.certificates, err = door.LoadCertificates(certificatePairs(o)); err != nil {
			return fmt.Errorf("--tls-cert, --tls-key: %w", err)
		}
	}
	if len(o.ACME) > 0 {
		r.issuer, err = acme.New(acme.Options{
			Names: o.ACME, Directory: o.ACMEDir, URL: o.ACMECA, RootsFile: o.ACMERoots, Email: o.ACMEEmail, AcceptTerms: true,
			Report: func(name string, err error) {
				if err == nil {
					s.log.Info("a certificate has come", "name", name)
					return
				}
				s.log.Warn("no certificate has come", "name", name, "error", err)
			},
		})
		if err != nil {
			return fmt.Errorf("--acme: %w", err)
		}
	}
	if r.certificates != nil || r.issuer != nil {
		options := door.TLSOptions{Certificates: r.certificates, MinVersion: tlsVersions[o.TLSMin]}
		if r.issuer != nil {
			options.Issuer = r.issuer // a nil *Issuer would be one
		}
		if r.tls, err = door.NewTLS(options); err != nil {
			return fmt.Errorf("--tls-cert: %w", err)
		}
	}
	if len(o.ProxyProtocol) > 0 {
		r.proxy = &door.ProxyProtocol{Trusted: door.Networks(o.ProxyProtocol)}
	}
	if r.tls != nil {
		if r.secured, err = s.newRoad(r.tls); err != nil {
			return err
		}
	}
	if r.proxy != nil {
		if r.plain, err = s.newRoad(nil); err != nil {
			return err
		}
	}
	r.start(s)
	return nil
}

var tlsVersions = map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13}

func certificatePairs(o Options) []door.CertificatePair {
	pairs := make([]door.CertificatePair, len(o.TLSCert))
	for i := range pairs {
		pairs[i] = door.CertificatePair{CertFile: o.TLSCert[i], KeyFile: o.TLSCert[i]}
		if len(o.TLSKey) > 0 {
			pairs[i].KeyFile = o.TLSKey[i]
		}
	}
	return pairs
}

func (s *Server) newRoad(secured *door.TLS) (*door.Road, error) {
	return door.NewRoad(door.RoadOptions{
		Proxy: s.roads.proxy, TLS: secured,
		Limits: door.RoadLimits{Timeout: s.options.HandshakeTimeout, MaxPending: maxOnRoad(s.maxFiles, s.options)},
		Then: s.admit,
		Failed: func(remote net.Addr, err error) {
			if _, panicked := errors.AsType[*door.PanicError](err); panicked {
				s.log.Error("a connection was lost to a mistake in this program", "peer", remote.String(), "error", err)
				return
			}
			s.log.Debug("a connection came no further", "peer", remote.String(), "error", err)
		},
	})
}

// start begins to watch certificates.
func (r *roads) start(s *Server) {
	ctx, cancel := context.WithCancel(context.Background())
	r.watching = cancel
	if r.certificates != nil {
		r.watched = make(chan struct{})
		go func() {
			defer close(r.watched)
			r.certificates.Watch(ctx, certificatesLookedAt, func(err error) {
				s.log.Warn("a new certificate cannot be used, the old one stays in force", "error", err)
			})
		}()
	}
	if r.issuer != nil {
		r.issuer.Start()
		waiting, done := context.WithTimeout(ctx, issuerHas)
		defer done()
		r.issuer.Wait(waiting)
	}
}

// prepare reads the certificates again, in any case. One that cannot be used leaves the
// old one in force, and is a problem of the reload's.
func (r *roads) prepare(next Options) (change, error) {
	return change{commit: func() error {
		r.origins = next.Origins
		if r.certificates == nil {
			return nil
		}
		return r.certificates.Reload()
	}}, nil
}

// running is what the loops were told of origins: they have a function made of it.
func (r *roads) running(o *Options) { o.Origins = r.origins }

// of is the road that leads from a listener to the loops; nil: none.
func (r *roads) of(d *door.Door) *door.Road {
	if d.IsTLS() {
		return r.secured
	}
	return r.plain
}

// close takes no more connections, and ends those on the way.
func (r *roads) close() {
	for _, one := range []*door.Road{r.secured, r.plain} {
		if one != nil {
			one.Close()
		}
	}
	if r.watching != nil {
		r.watching()
	}
	if r.watched != nil {
		<-r.watched
	}
	if r.issuer != nil {
		r.issuer.Close()
	}
}

// admit hands a connection to the engine that has come to its road's end.
func (s *Server) admit(_ context.Context, a *door.Arrival) {
	one := loop.Admission{Conn: a.Conn, Began: a.Began, Read: a.Read}
	// A proxy has told another address than the socket's, which a unix one does not have.
	if client := a.Peer.Addr(); client != nil && client.String() != a.Conn.RemoteAddr().String() {
		one.Remote = client
	}
	if a.TLS != nil {
		one.TLS = a.TLS.Session()
	}
	if err := s.engine.Admit(one); err != nil && !errors.Is(err, loop.ErrClosed) {
		s.log.Debug("a connection came no further", "peer", a.Conn.RemoteAddr().String(), "error", err)
	}
}

// serveRoad accepts from d and sends connections along a road until d is shut.
func (s *Server) serveRoad(d *door.Door, road *door.Road) error {
	if err := s.engine.Prepare(d.Listener); err != nil {
		return err
	}
	log := ration.New(s.log)
	a := accept.Acceptor{Listener: d.Listener, OnError: func() { s.roadAcceptErrors.Add(1) }, Log: log}
	for {
		c, err := a.Next()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("accept on %s: %w", d.Bound(), err)
		}
		a.Went()
		if err := road.Go(c); err != nil {
			_ = c.Close()
			log.Warn("a connection is closed unserved", "peer", c.RemoteAddr().String(), "error", err)
		}
	}
}

// roadStats is what metrics tell of the roads; nil where there is none.
func (s *Server) roadStats() *door.Stats {
	r := &s.roads
	if r.secured == nil && r.plain == nil {
		return nil
	}
	st := &door.Stats{AcceptErrors: s.roadAcceptErrors.Load()}
	for _, one := range []*door.Road{r.secured, r.plain} {
		if one != nil {
			c := one.Counters()
			st.Arrived, st.Full, st.Pending = st.Arrived+c.Arrived, st.Full+c.Full, st.Pending+c.Pending
		}
	}
	if r.tls != nil {
		c := r.tls.Counters()
		st.TLSFull, st.TLSResumed, st.TLSChallenges, st.TLSFailed = c.Full, c.Resumed, c.Challenges, c.Failed
		for _, one := range r.infos() {
			if at := one.NotAfter.Unix(); st.CertificateExpiry == 0 || at < st.CertificateExpiry {
				st.CertificateExpiry = at
			}
		}
	}
	if r.proxy != nil {
		st.Proxied = r.proxy.Counters()
	}
	return st
}

// infos are all certificates in use.
func (r *roads) infos() (all []door.CertificateInfo) {
	if r.certificates != nil {
		all = r.certificates.Infos()
	}
	if r.issuer != nil {
		all = append(all, r.issuer.Infos()...)
	}
	return all
}
