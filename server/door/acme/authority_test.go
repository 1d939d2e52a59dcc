package acme

import (
	"crypto/tls"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"groupcast/server/door"
	"groupcast/server/door/acme/pebble"
)

// An authority that fails, is slow or never answers harms no handshake: names with a
// certificate have theirs, the others get the default one, or an alert.
func TestBadAuthority(t *testing.T) {
	release := make(chan struct{})
	for name, handler := range map[string]http.HandlerFunc{
		"500":     func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) },
		"garbage": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("garbage")) },
		"slow": func(w http.ResponseWriter, r *http.Request) {
			for range 1000 {
				select {
				case <-r.Context().Done():
					return
				case <-release:
					return
				case <-time.After(100 * time.Millisecond):
				}
				_, _ = w.Write([]byte(" "))
				_ = http.NewResponseController(w).Flush()
			}
		},
		"never": func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-r.Context().Done():
			case <-release:
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			asked := make(chan struct{}, 100)
			authority := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked <- struct{}{}
				handler(w, r)
			}))
			defer authority.Close()
			dir := t.TempDir()
			roots := filepath.Join(dir, "roots.pem")
			block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: authority.Certificate().Raw})
			if err := os.WriteFile(roots, block, 0o600); err != nil {
				t.Fatal(err)
			}
			cert, key := pebble.WriteCertificate(t, dir) // any certificate, for files
			certificates, err := door.LoadCertificates([]door.CertificatePair{{CertFile: cert, KeyFile: key}})
			if err != nil {
				t.Fatal(err)
			}
			i, r := start(t, Options{
				Names: []string{"a.example.org", "b.example.org"}, URL: authority.URL, RootsFile: roots,
				LookEvery: time.Millisecond,
			})
			defer i.Close() // before the authority, which waits for its requests
			// a has a certificate, as from the time before.
			had, err := tls.LoadX509KeyPair(cert, key)
			if err != nil {
				t.Fatal(err)
			}
			i.certs["a.example.org"].cert.Store(&had)
			<-asked

			with, refusing := listen(t), listen(t)
			serveTLS(t, with, door.TLSOptions{Issuer: i, Certificates: certificates})
			secure := serveTLS(t, refusing, door.TLSOptions{Issuer: i})
			for _, name := range []string{"a.example.org", "b.example.org", "c.example.org", ""} {
				if _, err := serialOf(with.Addr().String(), name); err != nil && !strings.Contains(err.Error(), "certificate is") {
					t.Errorf("%q: %v", name, err)
				}
			}
			if _, err := serialOf(refusing.Addr().String(), "b.example.org"); err == nil ||
				!strings.Contains(err.Error(), "unrecognized name") {
				t.Errorf("without a default: %v", err)
			}
			// Nobody else's challenge is answered.
			c, err := tls.Dial("tcp", refusing.Addr().String(), &tls.Config{
				ServerName: "a.example.org", NextProtos: []string{i.Protocol()}, InsecureSkipVerify: true,
			})
			if err == nil {
				_ = c.Close()
				t.Error("a challenge that is none is answered")
			}
			deadline := time.Now().Add(patience)
			for secure.Counters().Failed["unknown_name"] < 2 && time.Now().Before(deadline) {
				<-time.After(time.Millisecond) // the client knows first
			}
			if got := secure.Counters(); got.Challenges != 0 || got.Failed["unknown_name"] != 2 {
				t.Errorf("counted %+v", got)
			}
			if name == "garbage" {
				if err := r.next(t); err == nil || !strings.Contains(err.Error(), ".example.org: ") {
					t.Errorf("reported %v", err)
				}
			}
		})
	}
	close(release)
}

func TestOptionErrors(t *testing.T) {
	dir := t.TempDir()
	open := filepath.Join(dir, "open")
	if err := os.Mkdir(open, 0o755); err != nil {
		t.Fatal(err)
	}
	good := Options{Names: []string{"a.example.org"}, Directory: filepath.Join(dir, "acme"), AcceptTerms: true}
	if _, err := New(good); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*Options){
		"1 to 100 names for certificates, got 0":   func(o *Options) { o.Names = nil },
		"1 to 100 names for certificates, got 101": func(o *Options) { o.Names = make([]string, 101) },
		`got "*.example.org"`:                      func(o *Options) { o.Names = []string{"*.example.org"} },
		`got "localhost"`:                          func(o *Options) { o.Names = []string{"localhost"} },
		`got "192.0.2.1"`:                          func(o *Options) { o.Names = []string{"192.0.2.1"} },
		`got "a..org"`:                             func(o *Options) { o.Names = []string{"a..org"} },
		`got "../../x.org"`:                        func(o *Options) { o.Names = []string{"../../x.org"} },
		"terms of service":                         func(o *Options) { o.AcceptTerms = false },
		`got "http://ca.test/dir"`:                 func(o *Options) { o.URL = "http://ca.test/dir" },
		"a directory for certificates, got none":   func(o *Options) { o.Directory = "" },
		"wants mode 0700, got 0755":                func(o *Options) { o.Directory = open },
		"/nowhere: no such file":                   func(o *Options) { o.RootsFile = "/nowhere" },
		"/dev/null: wants PEM":                     func(o *Options) { o.RootsFile = "/dev/null" },
		"not a directory":                          func(o *Options) { o.Directory = "/dev/null/x" },
	} {
		o := good
		change(&o)
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
