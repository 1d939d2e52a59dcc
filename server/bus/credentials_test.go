package bus

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"

	"groupcast/loop/wait"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// seedOf is a new key's seed and public half.
func seedOf(key nkeys.KeyPair) (seed, public string) {
	return string(must(key.Seed())), must(key.PublicKey())
}

// operator is who makes users of NATS servers that trust it.
type operator struct {
	trust   func(*server.Options)
	account nkeys.KeyPair
}

func newOperator() operator {
	boss, account := must(nkeys.CreateOperator()), must(nkeys.CreateAccount())
	_, trusted := seedOf(boss)
	_, id := seedOf(account)
	claims := must(jwt.NewAccountClaims(id).Encode(boss))
	return operator{func(o *server.Options) {
		o.TrustedKeys = []string{trusted}
		accounts := &server.MemAccResolver{}
		if err := accounts.Store(id, claims); err != nil {
			panic(err)
		}
		o.AccountResolver = accounts
	}, account}
}

// user is a new user's file with credentials, and the seed in it.
func (p operator) user(expires time.Time) (text, seed string) {
	seed, id := seedOf(must(nkeys.CreateUser()))
	claims := jwt.NewUserClaims(id)
	if !expires.IsZero() {
		claims.Expires = expires.Unix()
	}
	return string(must(jwt.FormatUserConfig(must(claims.Encode(p.account)), []byte(seed)))), seed
}

// A server that does not take the node's credentials: that is told once, and as what it is; the
// node goes on trying, and is in as soon as the file, or the server, is put right. No secret is
// shown.
func TestRefused(t *testing.T) {
	t.Parallel()
	ours, theirs := newOperator(), newOperator()
	goodFile, _ := ours.user(time.Time{})
	wrongFile, wrongSeed := theirs.user(time.Time{})
	lateFile, lateSeed := ours.user(time.Now().Add(-time.Hour))
	goodKey, goodID := seedOf(must(nkeys.CreateUser()))
	wrongKey, wrongID := seedOf(must(nkeys.CreateUser()))
	withUser := func(o *server.Options) { o.Username, o.Password = "u", "g00d" }
	withToken := func(o *server.Options) { o.Authorization = "g00d" }
	withKey := func(id string) func(*server.Options) {
		return func(o *server.Options) { o.Nkeys = []*server.NkeyUser{{Nkey: id}} }
	}
	open := func(*server.Options) {}
	for _, c := range []struct {
		name   string
		server func(*server.Options)
		set    func(o *Options, file string)
		// What the file has first, and what puts it right, if then, which the server becomes, does not.
		wrong, right string
		then         func(*server.Options)
		secret       string
		says         string
	}{
		{"nothing", withUser, func(*Options, string) {}, "", "", open, "", ""},
		{
			"password", withUser, func(o *Options, _ string) { o.User, o.Password = "u", "s3cret" }, "", "", open,
			"s3cret", "",
		},
		{
			"password file", withUser, func(o *Options, file string) { o.User, o.PasswordFile = "u", file },
			"s3cret\n", "g00d\n", nil, "s3cret", "",
		},
		{"token", withToken, func(o *Options, _ string) { o.Token = "s3cret" }, "", "", open, "s3cret", ""},
		{
			"token file", withToken, func(o *Options, file string) { o.TokenFile = file }, "s3cret\r\n", "g00d", nil,
			"s3cret", "",
		},
		{
			"address", withUser, func(o *Options, _ string) {
				o.Servers[0] = strings.Replace(o.Servers[0], "://", "://u:s3cret@", 1)
			}, "", "", open, "s3cret", "",
		},
		{
			"nkey", withKey(goodID), func(o *Options, file string) { o.NKeyFile = file }, wrongKey, "", withKey(wrongID),
			wrongKey, "",
		},
		{
			"credentials", ours.trust, func(o *Options, file string) { o.CredentialsFile = file },
			wrongFile, goodFile, nil, wrongSeed, "",
		},
		{
			"expired", ours.trust, func(o *Options, file string) { o.CredentialsFile = file }, lateFile, goodFile, nil,
			lateSeed, "the JWT in ",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := runServer(t, c.server)
			o := at(addressOf(s))
			file := ""
			if c.wrong != "" {
				file = write(t, "secret", c.wrong)
			}
			c.set(&o, file)
			j := join(t, o)
			j.until(t, StateRefused)
			j.attempts(t, 3)
			if s := j.state.Status(); s.State != StateRefused || s.LastReason != ReasonAuthorization ||
				!strings.Contains(s.LastError, c.says) {
				t.Errorf("%+v", s)
			}
			j.tells(t, "bus: NATS does not take this node's credentials, trying on")
			if got := j.log.count("\n"); got != 1 {
				t.Errorf("logged:\n%s", j.log.String())
			}
			if c.then != nil {
				restartServer(t, s, c.then)
			} else {
				rewrite(t, file, c.right)
			}
			j.until(t, StateUp)
			j.hides(t, c.secret, "g00d", goodKey)
		})
	}
}

// While connected the file is not needed, and when it is wrong as the connection comes back, that
// is told with it; a file that is there no more leaves a password as it was.
func TestFileGoesMeanwhile(t *testing.T) {
	t.Parallel()
	ours := newOperator()
	good, _ := ours.user(time.Time{})
	s := runServer(t, ours.trust)
	o := at(addressOf(s))
	o.CredentialsFile = write(t, "creds", good)
	j := join(t, o)
	j.until(t, StateUp)
	rewrite(t, o.CredentialsFile, "garbage")
	restartServer(t, s, ours.trust)
	j.until(t, StateRefused)
	if s := j.state.Status(); !strings.Contains(s.LastError, "--nats-creds: wants the JWT of a NATS user and its seed") {
		t.Errorf("%+v", s)
	}
	rewrite(t, o.CredentialsFile, good)
	j.until(t, StateUp)
	if got := j.failures(); len(got) > 0 { // attempts are told as attempts
		t.Errorf("failed: %v", got)
	}

	guarded := func(o *server.Options) { o.Authorization = "g00d" }
	s = runServer(t, guarded)
	o = at(addressOf(s))
	o.TokenFile = write(t, "token", "g00d\n")
	j = join(t, o)
	j.until(t, StateUp)
	if err := os.Remove(o.TokenFile); err != nil {
		t.Fatal(err)
	}
	restartServer(t, s, guarded)
	wait.Until(t, "the connection back", func() bool { return j.state.Status().Reconnects == 1 })
}

// A file that is none, or is something else, is named with the flag and what it wants; what is in
// it is not shown, and connect says the same.
func TestCheckFiles(t *testing.T) {
	t.Parallel()
	ours := newOperator()
	creds, seed := ours.user(time.Time{})
	accountSeed, _ := seedOf(ours.account)
	half, _, _ := strings.Cut(creds, "-----BEGIN USER NKEY SEED-----")
	cert, key := newCertificate(t, "cert")
	for _, c := range []struct {
		flag  string
		wants string
		set   func(o *Options, file string)
		good  string
		bad   []string
	}{
		{
			"--nats-creds", "the JWT of a NATS user and its seed, as nsc writes them",
			func(o *Options, file string) { o.CredentialsFile = file }, creds,
			[]string{"", "s3cret", half, strings.ReplaceAll(creds, seed, "SUs3cret"), strings.ReplaceAll(creds, ".", "-"), seed},
		},
		{
			"--nats-nkey", "the seed of a NATS user, SU and 56 letters and digits",
			func(o *Options, file string) { o.NKeyFile = file }, seed + "\n",
			[]string{"", "SUs3cret", accountSeed, creds[:40]},
		},
		{
			"--nats-password-file", "one line, the password",
			func(o *Options, file string) { o.User, o.PasswordFile = "u", file }, "p w\r\n",
			[]string{"", "\n", "s3cret\nb\n"},
		},
		{
			"--nats-token-file", "one line, the token", func(o *Options, file string) { o.TokenFile = file }, "t",
			[]string{"", "\r\n", "s3cret\r\nb"},
		},
		{
			"--nats-ca", "PEM certificates of authorities", func(o *Options, file string) { o.CAFile = file },
			string(must(os.ReadFile(cert))),
			[]string{"", "s3cret"},
		},
		{
			"--nats-cert and --nats-key", "a PEM certificate and its key",
			func(o *Options, file string) { o.CertFile, o.KeyFile = file, key },
			string(must(os.ReadFile(cert))),
			[]string{"", "s3cret", string(must(os.ReadFile(key)))},
		},
	} {
		good := at("127.0.0.1:1")
		c.set(&good, write(t, "file", c.good))
		if err := errors.Join(good.Validate(), CheckFiles(good)); err != nil {
			t.Errorf("%s: %v", c.flag, err)
		}
		paths := []string{filepath.Join(t.TempDir(), "none"), t.TempDir()}
		for _, text := range append(c.bad, strings.Repeat("s3cret", maxCredentialsBytes)) {
			paths = append(paths, write(t, "file", text))
		}
		for i, path := range paths {
			o := at("127.0.0.1:1")
			c.set(&o, path)
			err := CheckFiles(o)
			file, ok := errors.AsType[*FileError](err)
			if !ok || file.Flag != c.flag || !strings.HasPrefix(err.Error(), c.flag+": wants "+c.wants) ||
				!strings.Contains(err.Error(), path) {
				t.Errorf("%s, file %d: got %v", c.flag, i, err)
				continue
			}
			if strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), seed) {
				t.Errorf("%s, file %d: it is shown: %v", c.flag, i, err)
			}
			if _, same := tryTo(t, o); same == nil || same.Error() != err.Error() {
				t.Errorf("%s, file %d: connect says %v", c.flag, i, same)
			}
		}
	}
}

// newCertificate is one that signs itself, of 127.0.0.1, for either side: its file and its key's.
func newCertificate(t testing.TB, name string) (certFile, keyFile string) {
	t.Helper()
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	cert := must(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))
	block := func(kind string, content []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content}))
	}
	return write(t, name+".pem", block("CERTIFICATE", cert)),
		write(t, name+".key", block("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(key))))
}

// TLS: whom the node trusts and whom the server does; where either does not, that is told once, as
// what it is, and the node is in as soon as it is put right.
func TestTLS(t *testing.T) {
	t.Parallel()
	serverCert, serverKey := newCertificate(t, "server")
	ownCert, ownKey := newCertificate(t, "own")
	otherCA, _ := newCertificate(t, "other")
	pair := must(tls.LoadX509KeyPair(serverCert, serverKey))
	plain := func(*server.Options) {}
	encrypted := func(o *server.Options) {
		o.TLS, o.TLSConfig = true, &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	}
	mutual := func(o *server.Options) {
		encrypted(o)
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(must(os.ReadFile(ownCert)))
		o.TLSVerify, o.TLSConfig.ClientAuth, o.TLSConfig.ClientCAs = true, tls.RequireAndVerifyClientCert, pool
	}
	for _, c := range []struct {
		name   string
		server func(*server.Options)
		set    func(*Options)
		works  bool
	}{
		{"own authority", encrypted, func(o *Options) { o.CAFile = serverCert }, true},
		{"by the address", encrypted, func(o *Options) {
			o.CAFile = serverCert
			o.Servers[0] = strings.Replace(o.Servers[0], "nats:", "tls:", 1)
		}, true},
		{"both sides", mutual, func(o *Options) { o.CAFile, o.CertFile, o.KeyFile = serverCert, ownCert, ownKey }, true},
		{"another authority", encrypted, func(o *Options) { o.CAFile = otherCA }, false},
		{"the system's authorities", encrypted, func(*Options) {}, false},
		{"no certificate", mutual, func(o *Options) { o.CAFile = serverCert }, false},
		{"a server without TLS", plain, func(o *Options) { o.CAFile = serverCert }, false},
		{"a server without TLS, by the address", plain, func(o *Options) {
			o.Servers[0] = strings.Replace(o.Servers[0], "nats:", "tls:", 1)
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := runServer(t, c.server)
			o := at(addressOf(s))
			c.set(&o)
			j := join(t, o)
			if c.works {
				j.until(t, StateUp)
				if _, err := j.conn.TLSConnectionState(); err != nil {
					t.Error(err)
				}
				return
			}
			j.attempts(t, 3)
			if s := j.state.Status(); s.State != StateConnecting || s.LastReason != ReasonTLS {
				t.Errorf("%+v", s)
			}
			j.tells(t, "bus: no TLS with the NATS server, trying on")
			if got := j.log.count("\n"); got != 1 {
				t.Errorf("logged:\n%s", j.log.String())
			}
		})
	}
	// The authorities are read again.
	s := runServer(t, encrypted)
	o := at(addressOf(s))
	o.CAFile = write(t, "ca", string(must(os.ReadFile(otherCA))))
	j := join(t, o)
	j.attempts(t, 1)
	rewrite(t, o.CAFile, string(must(os.ReadFile(serverCert))))
	j.until(t, StateUp)
}
