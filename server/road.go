package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math"
	"net"
	"slices"
	"time"

	"groupcast/loop"
	"groupcast/loop/accept"
	"groupcast/loop/ration"
	"groupcast/protocol"
	"groupcast/server/door"
	"groupcast/server/door/acme"
)

// roads are what stands between accepting a connection and its loop, where anything does:
// a rate, TLS, and what a proxy says of a client. A listener without any has no road, and its
// connections go to their loops at once. backendroad.go has those of the API and the Channel
// server.
// Owner: the Server.
type roads struct {
	certificates *door.Certificates // nil without --tls-cert
	issuer       *acme.Issuer       // nil without --acme
	tls          *door.TLS          // nil without both
	apiTLS       *door.TLS          // tls with --api-client-ca, or tls itself
	proxy        *door.ProxyProtocol
	rate         *door.RateLimit       // nil: unlimited
	forwarded    *door.ForwardedHeader // nil: no header is believed

	maxFiles       int              // descriptors of the process
	most           int              // connections on a road that descriptors were set aside for
	secured, plain *door.Road       // for listeners with TLS, and for others; nil where nothing is on it
	backends       []*door.Listener // those of other services with TLS, all made at the start
	origins        []string         // in force; guarded by the server's reloading
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
	r.maxFiles, r.most = s.maxFiles, maxOnRoad(s.maxFiles, o)
	var err error
	if len(o.TLSCert) > 0 {
		if r.certificates, err = door.LoadCertificates(certificatePairs(o)); err != nil {
			return fmt.Errorf("--tls-cert, --tls-key: %w", err)
		}
	}
	if len(o.ACME) > 0 {
		options := acmeOptions(o)
		options.HTTP01 = slices.ContainsFunc(s.doors, func(d *door.Door) bool { return !d.IsTLS() && !d.Bound().IsUnix() })
		options.Report = s.reportCertificate
		r.issuer, err = acme.New(options)
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
		r.apiTLS = r.tls
		if options.ClientCAFile = o.APIClientCA; options.ClientCAFile != "" {
			if r.apiTLS, err = door.NewTLS(options); err != nil {
				return fmt.Errorf("--api-client-ca: %w", err)
			}
		}
	}
	if len(o.ProxyProtocol) > 0 {
		r.proxy = &door.ProxyProtocol{Trusted: door.Networks(o.ProxyProtocol)}
	}
	if o.HandshakeRate > 0 || o.HandshakeRatePerIP > 0 {
		if r.rate, err = door.NewRateLimit(rateOptions(o)); err != nil {
			return fmt.Errorf("--handshake-rate: %w", err)
		}
	}
	r.forwarded = door.NewForwardedHeader(o.ForwardedHeader, o.TrustedProxies)
	challenges := r.issuer != nil && r.issuer.AnswersHTTP()
	if r.tls != nil {
		if r.secured, err = s.newRoad(r.tls, false); err != nil {
			return err
		}
	}
	if r.proxy != nil || r.rate != nil || r.forwarded != nil || challenges || s.gate != nil {
		if r.plain, err = s.newRoad(nil, challenges); err != nil {
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

func acmeOptions(o Options) acme.Options {
	return acme.Options{
		Names: o.ACME, Directory: o.ACMEDir, URL: o.ACMECA, RootsFile: o.ACMERoots, Email: o.ACMEEmail, AcceptTerms: true,
	}
}

// reportCertificate tells the operator what an authority has said.
func (s *Server) reportCertificate(name string, err error) {
	if err == nil {
		s.log.Info("a certificate has come", "name", name)
		return
	}
	s.log.Warn("no certificate has come", "name", name, "error", err)
}

// rateOptions allow twice what comes in a second at once.
func rateOptions(o Options) door.RateOptions {
	burst := func(rate float64) int { return int(math.Ceil(max(1, 2*rate))) }
	return door.RateOptions{
		InAll: o.HandshakeRate, InAllBurst: burst(o.HandshakeRate),
		PerAddress: o.HandshakeRatePerIP, PerAddressBurst: burst(o.HandshakeRatePerIP),
		IPv6Bits: o.IPv6PrefixBits, Uncounted: o.Proxies(),
	}
}

// newRoad leads to the loops. challenges says that an authority may ask on it.
func (s *Server) newRoad(secured *door.TLS, challenges bool) (*door.Road, error) {
	r := &s.roads
	return door.NewRoad(door.RoadOptions{
		Proxy: r.proxy, Rate: r.rate, TLS: secured, Forwarded: r.forwarded, Head: challenges || s.gate != nil,
		Limits: roadLimits(s.maxFiles, s.options), Uncounted: s.options.Proxies(),
		Then: s.admit, Failed: s.cameNoFurther,
	})
}

func roadLimits(files int, o Options) door.RoadLimits {
	return door.RoadLimits{
		Timeout: o.HandshakeTimeout, MaxPending: maxOnRoad(files, o), MaxHeadBytes: o.MaxHeadBytes,
		IPv6Bits: o.IPv6PrefixBits,
	}
}

func (s *Server) cameNoFurther(remote net.Addr, err error) {
	if _, panicked := errors.AsType[*door.PanicError](err); panicked {
		s.log.Error("a connection was lost to a mistake in this program", "peer", remote.String(), "error", err)
		return
	}
	s.log.Debug("a connection came no further", "peer", remote.String(), "error", err)
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
		var errs []error
		for _, one := range r.all() {
			l := roadLimits(r.maxFiles, next)
			l.MaxPending = min(l.MaxPending, r.most) // descriptors were set aside for so many
			errs = append(errs, one.SetLimits(l))
		}
		if r.certificates != nil {
			errs = append(errs, r.certificates.Reload())
		}
		return errors.Join(errs...)
	}}, nil
}

// running is what the loops were told of origins: they have a function made of it. The rest
// is the loops', too.
func (r *roads) running(o *Options) { o.Origins = r.origins }

// all are the roads that there are.
func (r *roads) all() (roads []*door.Road) {
	for _, one := range []*door.Road{r.secured, r.plain} {
		if one != nil {
			roads = append(roads, one)
		}
	}
	for _, one := range r.backends {
		roads = append(roads, one.Road())
	}
	return roads
}

// of is the road that leads from a listener to the loops; nil: none.
func (r *roads) of(d *door.Door) *door.Road {
	if d.IsTLS() {
		return r.secured
	}
	return r.plain
}

// close takes no more connections, and ends those on the way.
func (r *roads) close() {
	for _, one := range r.all() {
		one.Close()
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
func (s *Server) admit(ctx context.Context, a *door.Arrival) {
	one := loop.Admission{Conn: a.Conn, Began: a.Began, Read: a.Read}
	client := a.Peer.Client
	if status, body, isChallenge := s.answerChallenge(a); isChallenge {
		s.httpChallenges.Add(1)
		a.Refuse(protocol.AppendAnswer(nil, status, protocol.PlainText, body))
		return
	}
	if s.gate != nil && a.Verdict.Upgraded { // else the loop says what is wrong
		who, refusal := s.gate.ask(ctx, client, a.Verdict.Request)
		if refusal != nil {
			a.Refuse(refusal)
			return
		}
		one.Who = who
	}
	// A proxy has told another address than the socket's, which a unix one does not have.
	if client.IsValid() && client != door.AddrPort(a.Conn.RemoteAddr()) {
		one.Remote = net.TCPAddrFromAddrPort(client)
	}
	if a.TLS != nil {
		one.TLS = a.TLS.Session()
	}
	if err := s.engine.Admit(one); err != nil && !errors.Is(err, loop.ErrClosed) {
		s.log.Debug("a connection came no further", "peer", a.Conn.RemoteAddr().String(), "error", err)
	}
}

// answerChallenge is an authority's question on a listener without TLS, and the answer.
func (s *Server) answerChallenge(a *door.Arrival) (status int, body []byte, ok bool) {
	if s.roads.issuer == nil || a.TLS != nil {
		return 0, nil, false
	}
	host, _ := a.Verdict.Request.Field("host")
	return s.roads.issuer.Answer(string(host), string(a.Verdict.Request.Path()))
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
		if err := road.Go(c); err != nil {
			_ = c.Close()
			log.Warn("a connection is closed unserved", "peer", c.RemoteAddr().String(), "error", err)
		}
		if err := s.engine.Trouble(); err != nil {
			a.Pause(err)
		} else {
			a.Went()
		}
	}
}

// onRoad is how many connections are on their way to the loops.
func (r *roads) onRoad() (n int) {
	for _, one := range []*door.Road{r.secured, r.plain} {
		if one != nil {
			n += one.Counters().Pending
		}
	}
	return n
}

// roadStats is what metrics tell of the roads; nil where there is none.
func (s *Server) roadStats() *door.Stats {
	r := &s.roads
	all := r.all()
	if len(all) == 0 {
		return nil
	}
	st := &door.Stats{AcceptErrors: s.roadAcceptErrors.Load(), HTTPChallenges: s.httpChallenges.Load()}
	for _, one := range all {
		c := one.Counters()
		st.Arrived, st.Full, st.Pending = st.Arrived+c.Arrived, st.Full+c.Full, st.Pending+c.Pending
		st.NoHead, st.Panics = st.NoHead+c.NoHead, st.Panics+c.Panics
	}
	if r.rate != nil {
		c := r.rate.Counters()
		st.TooFast, st.TooFastPerIP, st.RateAddresses = c.RefusedInAll, c.RefusedByAddress, c.Addresses
	}
	if r.tls != nil {
		c := r.tls.Counters()
		if r.apiTLS != r.tls {
			c = c.And(r.apiTLS.Counters())
		}
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
