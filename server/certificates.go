package server

import (
	"context"
	"crypto/tls"
	"fmt"
	"slices"
	"time"

	"groupcast/server/door"
	"groupcast/server/door/acme"
)

// The certificates of a server, from files or from an authority, and TLS with them.

// certificatesLookedAt is how often certificate files are looked at.
const certificatesLookedAt = 10 * time.Second

// issuerHas is how long a start waits for certificates that are in the issuer's directory.
const issuerHas = 2 * time.Second

// openTLS loads certificates, or begins to get them, where the options say so.
func (r *roads) openTLS(s *Server) (err error) {
	o := s.options
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
