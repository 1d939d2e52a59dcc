package server

import (
	"context"
	"errors"
	"fmt"
	"math"

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

// openRoads makes them. What an error leaves behind, close takes back.
func (s *Server) openRoads() error {
	o, r := s.options, &s.roads
	r.origins = o.Origins
	r.maxFiles, r.most = s.maxFiles, maxOnRoad(s.maxFiles, o)
	err := r.openTLS(s)
	if err != nil {
		return err
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
