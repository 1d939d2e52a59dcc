package door

import (
	"context"
	"crypto/tls"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// What a name gets: its own, a wildcard's, the default.
func TestCertificateByName(t *testing.T) {
	a := newAuthority(t)
	c := load(t,
		a.write("default", "default.test"),
		a.write("one", "One.test", "www.one.test", "deep.sub.wild.test"),
		a.write("wild", "*.wild.test", "exact.wild.test", "one.test"),
		a.write("idn", "xn--bcher-kva.test"),
	)
	for name, want := range map[string]string{
		"default.test": "default", "one.test": "one", "ONE.TEST": "one", "www.one.test": "one",
		"a.wild.test": "wild", "A.Wild.Test": "wild", "exact.wild.test": "wild", "deep.sub.wild.test": "one",
		"xn--bcher-kva.test": "idn",
		"":                   "", "unknown.test": "", "wild.test": "", "a.b.wild.test": "", ".wild.test": "wild",
		"test": "", "*.one.test": "", "one.test.": "", "bücher.test": "", "\x00": "", strings.Repeat("a.", 5000): "",
	} {
		cert, known := c.Get(&tls.ClientHelloInfo{ServerName: name})
		got := strings.TrimSuffix(filepath.Base(c.fileOf(cert)), ".crt")
		if known != (want != "") || known && got != want || !known && got != "default" {
			t.Errorf("%.20q: got %s, known %v, want %q", name, got, known, want)
		}
	}
}

// fileOf is the file that cert came from.
func (c *Certificates) fileOf(cert *tls.Certificate) string {
	for i, other := range c.table.Load().certs {
		if other == cert {
			return c.pairs[i].CertFile
		}
	}
	return "nowhere"
}

func TestCertificateInfos(t *testing.T) {
	a := newAuthority(t)
	end := time.Now().Add(30 * time.Minute).Truncate(time.Second)
	p, _ := a.issue("x", ecdsaKey(t), end, "a.test", "b.test")
	infos := load(t, p).Infos()
	if len(infos) != 1 || !infos[0].NotAfter.Equal(end) || infos[0].CertFile != p.CertFile ||
		strings.Join(infos[0].Names, " ") != "a.test b.test" {
		t.Errorf("got %+v", infos)
	}
}

// Broken pairs are refused at the start, and named.
func TestBrokenPairs(t *testing.T) {
	a := newAuthority(t)
	good, other := a.write("good", "a.test"), a.write("other", "b.test")
	expired, _ := a.issue("expired", ecdsaKey(t), time.Now().Add(-time.Minute), "a.test")
	early, _ := a.issue("early", ecdsaKey(t), time.Now().Add(3*time.Hour), "a.test")
	rsa, _ := a.issue("rsa", rsaKey(t), time.Now().Add(time.Hour), "a.test")
	file := func(name, content string) string {
		path := filepath.Join(a.dir, name)
		replace(t, path, []byte(content))
		return path
	}
	garbage, empty := file("garbage", "garbage"), file("empty", "")
	large := file("large", strings.Repeat("x", maxPEMBytes+1))
	torn := file("torn", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n")
	pipe := filepath.Join(a.dir, "pipe") // which nobody writes to
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		pair       CertificatePair
		file, text string
	}{
		"no certificate file": {CertificatePair{"/nowhere.crt", good.KeyFile}, "/nowhere.crt", "no such file"},
		"no key file":         {CertificatePair{good.CertFile, "/nowhere.key"}, "/nowhere.key", "no such file"},
		"a directory":         {CertificatePair{a.dir, good.KeyFile}, a.dir, "is a directory"},
		"garbage":             {CertificatePair{garbage, good.KeyFile}, garbage, "PEM"},
		"garbage for a key":   {CertificatePair{good.CertFile, garbage}, garbage, "PEM"},
		"a pipe":              {CertificatePair{pipe, good.KeyFile}, pipe, "PEM"},
		"empty":               {CertificatePair{empty, good.KeyFile}, empty, "PEM"},
		"empty key":           {CertificatePair{good.CertFile, empty}, empty, "PEM"},
		"torn":                {CertificatePair{torn, good.KeyFile}, torn, "malformed"},
		"torn key":            {CertificatePair{good.CertFile, torn}, torn, "rather than a key"},
		"too large":           {CertificatePair{large, good.KeyFile}, large, "1048576 bytes"},
		"another's key":       {CertificatePair{good.CertFile, other.KeyFile}, other.KeyFile, "match"},
		"another kind of key": {CertificatePair{good.CertFile, rsa.KeyFile}, rsa.KeyFile, "match"},
		"swapped":             {CertificatePair{good.KeyFile, good.CertFile}, good.KeyFile, "certificate"},
		"expired":             {expired, expired.CertFile, "expired at"},
		"not valid yet":       {early, early.CertFile, "begins at"},
	} {
		_, err := LoadCertificates([]CertificatePair{good, c.pair})
		if e, ok := errors.AsType[*CertificateError](err); !ok || !strings.Contains(e.File, c.file) ||
			!strings.Contains(err.Error(), c.text) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := LoadCertificates(nil); err == nil {
		t.Error("no certificate at all")
	}
}

// serialOf is the number of the certificate that name gets.
func serialOf(c *Certificates, name string) *big.Int {
	cert, _ := c.Get(&tls.ClientHelloInfo{ServerName: name})
	return cert.Leaf.SerialNumber
}

// A broken new pair leaves the old one in force, and others are replaced all the same.
func TestReload(t *testing.T) {
	a := newAuthority(t)
	hour := time.Now().Add(time.Hour)
	one, first := a.issue("one", ecdsaKey(t), hour, "one.test")
	two, _ := a.issue("two", ecdsaKey(t), hour, "two.test")
	c := load(t, one, two)
	for name, spoil := range map[string]func(){
		"garbage":   func() { replace(t, one.CertFile, []byte("garbage")) },
		"other key": func() { replace(t, one.KeyFile, mustRead(t, two.KeyFile)) },
		"expired":   func() { a.issue("one", ecdsaKey(t), time.Now().Add(-time.Hour), "one.test") },
		"gone":      func() { _ = os.Remove(one.KeyFile) },
	} {
		cert, key := mustRead(t, one.CertFile), mustRead(t, one.KeyFile)
		spoil()
		_, second := a.issue("two", ecdsaKey(t), hour, "two.test", "three.test")
		err := c.Reload()
		if err == nil || !strings.Contains(err.Error(), a.dir+"/one.") || strings.Contains(err.Error(), "two.crt") {
			t.Errorf("%s: %v", name, err)
		}
		if got := serialOf(c, "one.test"); got.Cmp(first) != 0 {
			t.Errorf("%s: the old one is gone, got %v", name, got)
		}
		if got := serialOf(c, "three.test"); got.Cmp(second) != 0 {
			t.Errorf("%s: the other one was not replaced", name)
		}
		replace(t, one.CertFile, cert)
		replace(t, one.KeyFile, key)
	}
	_, second := a.issue("one", ecdsaKey(t), hour, "one.test")
	if err := c.Reload(); err != nil || serialOf(c, "one.test").Cmp(second) != 0 {
		t.Errorf("a good one was not taken: %v", err)
	}
}

func mustRead(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Files that change are seen; a broken one is reported once and taken when it is right,
// also through a symbolic link that is turned, as Kubernetes does it.
func TestWatch(t *testing.T) {
	a := newAuthority(t)
	hour := time.Now().Add(time.Hour)
	p, first := a.issue("one", ecdsaKey(t), hour, "one.test")
	link := filepath.Join(a.dir, "current.crt")
	if err := os.Symlink(p.CertFile, link); err != nil {
		t.Fatal(err)
	}
	c := load(t, CertificatePair{link, p.KeyFile}, a.write("other", "other.test"))
	ctx, cancel := context.WithCancel(t.Context())
	reports, ended := make(chan error, 100), make(chan struct{})
	go func() {
		c.Watch(ctx, time.Millisecond, func(err error) { reports <- err })
		close(ended)
	}()
	defer func() { cancel(); <-ended }()
	next := func() error {
		t.Helper()
		select {
		case err := <-reports:
			return err
		case <-time.After(patience):
			t.Fatal("no report")
			return nil
		}
	}

	replace(t, p.CertFile, []byte("garbage"))
	if err := next(); err == nil || !strings.Contains(err.Error(), link) {
		t.Errorf("garbage: %v", err)
	}
	if got := serialOf(c, "one.test"); got.Cmp(first) != 0 {
		t.Errorf("garbage: got %v", got)
	}
	// The key comes first, and does not fit for a moment: then there is one report more.
	second, serial := a.issue("two", ecdsaKey(t), hour, "one.test")
	replace(t, p.KeyFile, mustRead(t, second.KeyFile))
	if err := errors.Join(os.Symlink(second.CertFile, link+".new"), os.Rename(link+".new", link)); err != nil {
		t.Fatal(err)
	}
	for err := next(); err != nil; {
		err = next()
	}
	if got := serialOf(c, "one.test"); got.Cmp(serial) != 0 {
		t.Errorf("the new one: got %v, want %v", got, serial)
	}
	// What is wrong is looked at every time and reported once: what changes behind it is all
	// that is reported then.
	replace(t, p.KeyFile, []byte("garbage"))
	if err := next(); err == nil || !strings.Contains(err.Error(), p.KeyFile) {
		t.Errorf("a garbage key: %v", err)
	}
	for range 3 {
		_, serial := a.issue("other", ecdsaKey(t), hour, "other.test")
		for serialOf(c, "other.test").Cmp(serial) != 0 {
			if err := next(); err != nil && strings.Contains(err.Error(), p.KeyFile) {
				t.Fatalf("reported again: %v", err)
			}
		}
	}
}

// What could not be used is tried again although its files stay as they are.
func TestWatchTriesAgain(t *testing.T) {
	a := newAuthority(t)
	p := a.write("one", "one.test")
	c := load(t, p)
	_, early := a.issue("one", ecdsaKey(t), time.Now().Add(2*time.Hour+2*time.Second), "one.test")
	if err := c.Reload(); err == nil || !strings.Contains(err.Error(), "begins at") {
		t.Fatalf("got %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c.Watch(ctx, 10*time.Millisecond, func(err error) {
		if err == nil {
			cancel()
		}
	})
	if got := serialOf(c, "one.test"); got.Cmp(early) != 0 {
		t.Errorf("got %v, want %v", got, early)
	}
}

// Files of one size and one time are told apart.
func TestStamp(t *testing.T) {
	a := newAuthority(t)
	p := a.write("one", "one.test")
	before := p.stamp()
	if again := p.stamp(); !before.same(&again) {
		t.Error("the same files differ")
	}
	when := before[0].time
	replace(t, p.CertFile, mustRead(t, p.CertFile))
	if err := os.Chtimes(p.CertFile, when, when); err != nil {
		t.Fatal(err)
	}
	if after := p.stamp(); before.same(&after) {
		t.Error("another file is the same")
	}
	if none := (CertificatePair{"/nowhere", "/nowhere"}).stamp(); before.same(&none) || none.same(&before) {
		t.Error("no file is the same")
	}
}
