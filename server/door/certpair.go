package door

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// CertificatePair names the two PEM files of a certificate: the chain, the server's own
// first, and its key. It is a value.
type CertificatePair struct{ CertFile, KeyFile string }

// maxPEMBytes bounds what is read of a PEM file. A chain has some 5 KiB.
const maxPEMBytes = 1 << 20

// CertificateError says that a pair cannot be used. Its text names the file.
type CertificateError struct {
	File string // where the fault is, as far as that can be told
	Err  error
}

func (e *CertificateError) Error() string { return fmt.Sprintf("certificate %s: %v", e.File, e.Err) }

// Unwrap is the cause.
func (e *CertificateError) Unwrap() error { return e.Err }

// load reads the pair. A certificate that is not valid at the time now is refused, so that
// it takes no other one's place. The error is a *CertificateError.
func (p CertificatePair) load(now time.Time) (*tls.Certificate, error) {
	cert, err := readPEM(p.CertFile)
	if err != nil {
		return nil, &CertificateError{p.CertFile, err}
	}
	key, err := readPEM(p.KeyFile)
	if err != nil {
		return nil, &CertificateError{p.KeyFile, err}
	}
	c, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, &CertificateError{p.blame(err), errors.New(strings.TrimPrefix(err.Error(), "tls: "))}
	}
	switch {
	case now.After(c.Leaf.NotAfter):
		err = fmt.Errorf("wants one that is valid, got one that expired at %s", c.Leaf.NotAfter.Format(time.RFC3339))
	case now.Before(c.Leaf.NotBefore):
		err = fmt.Errorf("wants one that is valid, got one that begins at %s", c.Leaf.NotBefore.Format(time.RFC3339))
	}
	if err != nil {
		return nil, &CertificateError{p.CertFile, err}
	}
	return &c, nil
}

// blame is the file that crypto/tls means. It says so in its text alone.
func (p CertificatePair) blame(err error) string {
	text := err.Error()
	switch {
	case strings.Contains(text, "private key does not match"), strings.Contains(text, "private key type does not match"):
		return p.CertFile + " and " + p.KeyFile
	case strings.Contains(text, "certificate input"):
		return p.CertFile
	case strings.Contains(text, "key input"), strings.Contains(text, "private key"), strings.Contains(text, "PRIVATE KEY"):
		return p.KeyFile
	}
	return p.CertFile
}

// readPEM reads a file of at most maxPEMBytes.
func readPEM(name string) ([]byte, error) {
	// A pipe that nobody writes to is empty, and not waited for: the end of the process waits for
	// who looks for new certificates.
	f, err := os.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, bare(err)
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(io.LimitReader(f, maxPEMBytes+1))
	if err != nil {
		return nil, bare(err)
	}
	if len(b) > maxPEMBytes {
		return nil, fmt.Errorf("wants at most %d bytes, got more", maxPEMBytes)
	}
	return b, nil
}

// bare is err without the file's name, which stands in front of it already.
func bare(err error) error {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		return path.Err
	}
	return err
}

// stamp is how a pair's files look from outside. Two that are equal are taken to be the
// same files with the same content.
type stamp [2]struct {
	there bool
	size  int64
	time  time.Time
	file  os.FileInfo // which file it is: its device and inode
}

// stamp follows symbolic links: they are how Kubernetes and certbot replace files.
func (p CertificatePair) stamp() (s stamp) {
	for i, name := range []string{p.CertFile, p.KeyFile} {
		if info, err := os.Stat(name); err == nil {
			s[i].there, s[i].size, s[i].time, s[i].file = true, info.Size(), info.ModTime(), info
		}
	}
	return s
}

// same reports whether nothing has changed from s to other.
func (s *stamp) same(other *stamp) bool {
	for i := range s {
		a, b := &s[i], &other[i]
		if a.there != b.there || a.size != b.size || !a.time.Equal(b.time) || a.there && !os.SameFile(a.file, b.file) {
			return false
		}
	}
	return true
}
