package door

import (
	"context"
	"crypto/tls"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Certificates are the server's certificates from files, which may be replaced while it
// runs.
// Owner: the server; every method may be called by any goroutine.
type Certificates struct {
	pairs []CertificatePair
	table atomic.Pointer[certTable]
	mu    sync.Mutex // one reading at a time
	seen  []stamp    // of each pair, when it was last read; under mu
	wrong []string   // of each pair, what was wrong then; under mu
}

// certTable is who gets which certificate. It is not changed once it is in use.
type certTable struct {
	certs  []*tls.Certificate // as pairs
	byName map[string][]*tls.Certificate
}

// CertificateInfo is what an operator wants to know of a certificate in force.
type CertificateInfo struct {
	CertFile            string // "" for one that is not from a file
	Names               []string
	NotBefore, NotAfter time.Time
}

// LoadCertificates reads all pairs, of which there has to be one; the first one's
// certificate is the default. At the start all of them have to be right. The error names
// every file that is not.
func LoadCertificates(pairs []CertificatePair) (*Certificates, error) {
	if len(pairs) == 0 {
		return nil, errors.New("wants a certificate, got none")
	}
	c := &Certificates{pairs: pairs, seen: make([]stamp, len(pairs)), wrong: make([]string, len(pairs))}
	c.table.Store(&certTable{certs: make([]*tls.Certificate, len(pairs))})
	if err := c.Reload(); err != nil {
		return nil, err
	}
	return c, nil
}

// Reload reads all files again. Where a pair cannot be used its old certificate stays in
// force, and the error, *CertificateErrors joined, says why; other pairs are replaced.
func (c *Certificates) Reload() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, failed, _ := c.read(false)
	return errors.Join(failed...)
}

// Watch looks at the files every so often until ctx ends, and reads those again that have
// changed or could not be used. It calls report with the error for a pair that cannot be
// used, once until that changes; and with nil when certificates have been replaced.
func (c *Certificates) Watch(ctx context.Context, every time.Duration, report func(error)) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		c.mu.Lock()
		replaced, _, news := c.read(true)
		c.mu.Unlock()
		if replaced {
			report(nil)
		}
		if len(news) > 0 {
			report(errors.Join(news...))
		}
	}
}

// read reads the pairs, all or only those that have changed or were wrong. It returns
// whether there are new certificates, all errors, and those that were not there the last
// time. The caller holds mu.
func (c *Certificates) read(onlyChanged bool) (replaced bool, failed, news []error) {
	certs := slices.Clone(c.table.Load().certs)
	for i, p := range c.pairs {
		now := p.stamp() // before the files are read: what changes meanwhile differs the next time
		changed := !now.same(&c.seen[i])
		if onlyChanged && !changed && c.wrong[i] == "" {
			continue
		}
		c.seen[i] = now
		cert, err := p.load(time.Now())
		if err != nil {
			failed = append(failed, err)
			if changed || c.wrong[i] != err.Error() {
				news = append(news, err)
			}
			c.wrong[i] = err.Error()
			continue
		}
		certs[i], c.wrong[i], replaced = cert, "", true
	}
	if replaced {
		c.table.Store(newCertTable(certs))
	}
	return replaced, failed, news
}

func newCertTable(certs []*tls.Certificate) *certTable {
	t := &certTable{certs: certs, byName: make(map[string][]*tls.Certificate)}
	for _, cert := range certs {
		if cert == nil {
			continue // the start has failed
		}
		for _, name := range cert.Leaf.DNSNames {
			name = strings.ToLower(name)
			t.byName[name] = append(t.byName[name], cert)
		}
	}
	return t
}

// Get is the certificate for the client that says hello: one with its very name, else one
// with a wildcard in place of the first label, else the default with known == false. Of
// several with the name it is the first that the client can check, so that a pair with an
// RSA key may stand beside one with ECDSA.
func (c *Certificates) Get(hello *tls.ClientHelloInfo) (cert *tls.Certificate, known bool) {
	t := c.table.Load()
	name := strings.ToLower(hello.ServerName)
	found := t.byName[name]
	if _, parent, ok := strings.Cut(name, "."); ok && len(found) == 0 {
		found = t.byName["*."+parent]
	}
	if len(found) == 0 {
		return t.certs[0], false
	}
	if len(found) > 1 {
		for _, cert := range found {
			if hello.SupportsCertificate(cert) == nil {
				return cert, true
			}
		}
	}
	return found[0], true
}

// Infos are the certificates in force, in the order of the pairs.
func (c *Certificates) Infos() []CertificateInfo {
	certs := c.table.Load().certs
	infos := make([]CertificateInfo, len(certs))
	for i, cert := range certs {
		infos[i] = CertificateInfo{c.pairs[i].CertFile, cert.Leaf.DNSNames, cert.Leaf.NotBefore, cert.Leaf.NotAfter}
	}
	return infos
}
