package token

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"groupcast/loop/wait"
)

func pemOf(tb testing.TB, k any) []byte {
	tb.Helper()
	der, err := x509.MarshalPKIXPublicKey(k)
	if err != nil {
		tb.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

func TestKeyFilesThatAreRefused(t *testing.T) {
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("GODEBUG", "rsa1024min=0")
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	whole := publicPEM(t, rs256)
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"empty", nil, "wants a secret of 32 to 4096 bytes, got 0"},
		{"a word", []byte("secret\n"), "wants a secret of 32 to 4096 bytes, got 6"},
		{"31 bytes", theSecret[:31], "wants a secret of 32 to 4096 bytes, got 31"},
		{"long", []byte(strings.Repeat("x", MaxSecretBytes+1)), "wants a secret of 32 to 4096 bytes, got 4097"},
		{"larger", []byte(strings.Repeat("x", MaxFileBytes+1)), "wants 1048576 bytes at most"},
		{"half a PEM", whole[:len(whole)/2], "wants a PEM block with a key, got none that is whole"},
		{"garbage in PEM", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: []byte("x")}), "PEM block PUBLIC KEY: "},
		{"another PEM", pem.EncodeToMemory(&pem.Block{Type: "X509 CRL"}), `got "X509 CRL"`},
		{"P-384", pemOf(t, p384.Public()), "wants an elliptic curve key on P-256, got P-384"},
		{"RSA of 1024", pemOf(t, short.Public()), "wants an RSA key of 2048 to 8192 bits, got 1024"},
		{"no keys", []byte(`{"keys":[]}`), "wants a key that can be used, got a set without keys"},
		{"no set", []byte(`{"kty":"RSA"}`), "wants a JSON Web Key set"},
	} {
		path := write(t, "key", c.data)
		_, err := New(Options{KeyFiles: []string{path}}, nil)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "token keys "+path) {
			t.Errorf("%s: %v, want %s", c.name, err, c.want)
		}
		if len(c.data) > 0 && err != nil && strings.Contains(err.Error(), string(c.data)) {
			t.Errorf("%s: the error repeats the secret", c.name)
		}
	}
	dir := t.TempDir()
	for path, want := range map[string]string{dir: "is a directory", filepath.Join(dir, "none"): "no such file"} {
		if _, err := New(Options{KeyFiles: []string{path}}, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
	}
	_, err = New(Options{JWKS: []string{secretFile(t)}}, nil)
	if err == nil || !strings.Contains(err.Error(), "Key set") {
		t.Errorf("a secret where a key set is wanted: %v", err)
	}
}

// Everybody knows a public key: no form of one is a secret.
func TestWhatIsNoSecret(t *testing.T) {
	pemText := publicPEM(t, rs256)
	block, _ := pem.Decode(pemText)
	der := block.Bytes
	pkcs8, _ := pem.Decode(privatePEM(t, es256))
	utf16 := func(text []byte, at int, mark string) []byte {
		wide := []byte(mark)
		for _, b := range text {
			pair := []byte{0, 0}
			pair[at] = b
			wide = append(wide, pair...)
		}
		return wide
	}
	set := keySet(t, jwk(t, "k", pairs()[rs256].Public()))
	const ssh = "AAAAC3NzaC1lZDI1NTE5AAAAIKHEChAkqfWlWz6WyIzbXe0cE8nSIGq5J6dBh0yTfUTr"
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"DER":                {der, "a key or a certificate in DER"},
		"DER and a line end": {append(bytes.Clone(der), '\n'), "a key or a certificate in DER"},
		"private DER":        {pkcs8.Bytes, "a key or a certificate in DER"},
		"base64": {
			[]byte(strings.ReplaceAll(strings.TrimSuffix(string(pemText[27:]), "-----END PUBLIC KEY-----\n"), "\n", "\r\n")),
			"base64 without its PEM lines",
		},
		"base64url":        {[]byte(base64.RawURLEncoding.EncodeToString(der)), "base64 without its PEM lines"},
		"OpenSSH":          {[]byte("ssh-ed25519 " + ssh + " me@here\n"), "an SSH key"},
		"OpenSSH, ECDSA":   {[]byte("ecdsa-sha2-nistp256 " + ssh), "an SSH key"},
		"OpenSSH, a token": {[]byte("sk-ssh-ed25519@openssh.com " + ssh), "an SSH key"},
		"known_hosts":      {[]byte("# a\ngit.example ssh-rsa " + ssh), "an SSH key"},
		"SSH2":             {[]byte("---- BEGIN SSH2 PUBLIC KEY ----\n" + ssh), "an SSH key"},
		"PuTTY":            {[]byte("PuTTY-User-Key-File-3: ssh-ed25519\n" + ssh), "an SSH key"},
		"a list of keys":   {append(append([]byte(" ["), set[9:len(set)-2]...), ']'), "JSON"},
		"half a set":       {set[:len(set)/2], "JSON"},
		"a set and more":   {append(bytes.Clone(set), ';'), "JSON"},
		"a list of bytes":  {[]byte("[48, 49, 50, 51, 52, 53, 54, 55, 56, 57]"), "JSON"},
		"a JSON string":    {[]byte(`["0123456789abcdef0123456789abcdef"]`), "JSON"},
		"UTF-16":           {utf16(theSecret, 0, "\xff\xfe"), "UTF-16 text"},
		"UTF-16, unmarked": {utf16(theSecret, 0, ""), "UTF-16 text"},
		"UTF-16BE":         {utf16(theSecret, 1, "\xfe\xff"), "UTF-16 text"},
		"PEM in UTF-16":    {utf16(pemText, 0, "\xff\xfe"), "UTF-16 text"},
		"marked UTF-8":     {append([]byte("\ufeff"), theSecret...), "a byte order mark"},
	} {
		path := write(t, "key", c.data)
		_, err := New(Options{KeyFiles: []string{path}}, nil)
		if err == nil || !strings.Contains(err.Error(), c.want) ||
			!strings.Contains(err.Error(), "wants PEM blocks, or a secret") {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := Sign(path, Grant{User: "7", TTL: time.Hour}, time.Now()); err == nil {
			t.Errorf("%s is signed with", name)
		}
	}
	// What is drawn at random, and what people write, is a secret.
	random := rand.Text() + rand.Text()
	for _, data := range [][]byte{
		[]byte(random), []byte("{" + random), []byte("[" + random), []byte("0" + random), []byte("ssh-" + random),
		[]byte(base64.StdEncoding.EncodeToString([]byte(random))), []byte(strings.Repeat("0", 64)),
		append([]byte{0x30, 0x1e}, random[:32]...), bytes.Repeat([]byte{0, 1, 2, 3}, 8), []byte(`{"` + random),
	} {
		if _, err := readFile(write(t, "key", data), false); err != nil {
			t.Errorf("%q: %v", data, err)
		}
	}
}

// FuzzNoSecret: whatever is in a file, looking at it ends well, and what looks like one thing
// keeps its answer.
func FuzzNoSecret(f *testing.F) {
	f.Add([]byte("0\x82\x01\x22"))
	f.Add([]byte(`{"keys":[`))
	f.Add([]byte("\xff\xfea\x00b\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, err := secretKey(data)
		if err == nil && (isDER(data) || isUTF16(data)) {
			t.Fatalf("%q is a secret", data)
		}
	})
}

func TestSecretsEndWhereTheLineDoes(t *testing.T) {
	for _, end := range []string{"", "\n", "\r\n"} {
		c := newChecker(t, Options{KeyFiles: []string{write(t, "secret", []byte(string(theSecret)+end))}})
		accept(t, c, sign(t, hs256, theSecret, nil, good(nil)))
	}
	spaces := []byte(" " + string(theSecret) + " \n")
	c := newChecker(t, Options{KeyFiles: []string{write(t, "secret", append(spaces, '\n'))}})
	accept(t, c, sign(t, hs256, spaces, nil, good(nil)))
}

func TestWarningOfReadableSecrets(t *testing.T) {
	path := secretFile(t)
	keys, err := readFile(path, false)
	if err != nil || warnings(path, keys) != nil {
		t.Fatalf("%v, %v", warnings(path, keys), err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if w := warnings(path, keys); len(w) != 1 || !strings.Contains(w[0], "chmod 600") {
		t.Errorf("got %q", w)
	}
	if w := warnings(path, []key{{algorithm: rs256}}); w != nil {
		t.Errorf("a public key is no secret: %q", w)
	}
}

// Keys change while the server runs; garbage leaves the old ones.
func TestFilesAreReadAgain(t *testing.T) {
	path := secretFile(t)
	c := newChecker(t, Options{KeyFiles: []string{path}})
	old := sign(t, hs256, theSecret, nil, good(nil))
	accept(t, c, old)
	other := []byte(strings.Repeat("another secret. ", 3))
	replace := func(data []byte) error {
		if err := os.WriteFile(path+".new", data, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
		return c.sources[0].refresh(t.Context(), c.life, 0)
	}
	if replace([]byte("short")) == nil {
		t.Error("garbage is taken")
	}
	accept(t, c, old)
	if st := c.Stats().Sources[0]; st.Failures != 1 || st.Reads != 2 || st.Keys != 1 || st.ReadAt == 0 {
		t.Errorf("counted %+v", st)
	}
	if err := replace(other); err != nil {
		t.Fatal(err)
	}
	refuse(t, c, old, Signature)
	accept(t, c, sign(t, hs256, other, nil, good(nil)))
}

func TestSourcesAreWatched(t *testing.T) {
	read := make(chan struct{})
	s := &source{name: "x", every: time.Nanosecond, report: func(*source, error, error) {}}
	s.keys.Store(&[]key{})
	s.read = func(ctx context.Context) ([]key, error) {
		select {
		case read <- struct{}{}:
		case <-ctx.Done():
		}
		return nil, nil
	}
	c := &Checker{sources: []*source{s}}
	c.life, c.end = context.WithCancel(t.Context())
	c.running.Go(func() { s.watch(c.life) })
	for range 3 {
		select {
		case <-read:
		case <-time.After(wait.Patience):
			t.Fatal("nobody reads")
		}
	}
	c.Close()
	c.Close()
}

func TestKeySetLeavesOutWhatCannotBeUsed(t *testing.T) {
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	with := func(raw json.RawMessage, name string, v any) json.RawMessage {
		m := map[string]any{}
		if err := json.Unmarshal(raw, &m); err != nil {
			t.Fatal(err)
		}
		m[name] = v
		raw, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	rsaKey := jwk(t, "rsa", pairs()[rs256].Public())
	bad := []json.RawMessage{
		jwk(t, "p384", p384.Public()), with(rsaKey, "use", "enc"), with(rsaKey, "alg", "RS512"), with(rsaKey, "n", "!"),
		with(rsaKey, "kty", "XYZ"), []byte(`7`), []byte(`{}`), []byte(`"x"`), []byte(`null`),
		[]byte(`{"kty":"oct","k":"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"}`), with(rsaKey, "n", "AQAB"),
		with(rsaKey, "key_ops", []string{"encrypt", "wrapKey"}), with(rsaKey, "key_ops", "verify"),
	}
	for _, one := range bad {
		if keys, err := parseJWKS(keySet(t, one), false); err == nil {
			t.Errorf("%.80s gives %d keys", one, len(keys))
		}
	}
	all := append(bad, with(rsaKey, "x5u", "http://127.0.0.1:1/"), with(rsaKey, "use", "sig"),
		with(rsaKey, "key_ops", []string{"verify"}), with(rsaKey, "key_ops", []string{"sign", "encrypt"}))
	keys, err := parseJWKS(keySet(t, all...), false)
	if err != nil || len(keys) != 4 || keys[0].algorithm != rs256 || keys[0].kid != "rsa" {
		t.Errorf("%v, %v", keys, err)
	}
	// In a file that is the operator's own a secret is one.
	if keys, err = parseJWKS(keySet(t, bad[9]), true); err != nil || len(keys) != 1 || keys[0].algorithm != hs256 {
		t.Errorf("%v, %v", keys, err)
	}
}

// A pipe is refused, and not waited for: neither a start nor an end would come.
func TestKeysFromAPipe(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	refused := make(chan error, 1)
	go func() {
		_, err := New(Options{KeyFiles: []string{pipe}, JWKS: []string{"/dev/zero"}}, nil)
		refused <- err
	}()
	select {
	case err := <-refused:
		if err == nil || strings.Count(err.Error(), "wants a file that can be read again, got a pipe or a device") != 2 {
			t.Errorf("got %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("it waits")
	}
	// Where a regular file was, the old key stays.
	path := secretFile(t)
	c := newChecker(t, Options{KeyFiles: []string{path}})
	if err := os.Rename(pipe, path); err != nil {
		t.Fatal(err)
	}
	if err := c.sources[0].refresh(t.Context(), c.life, 0); err == nil {
		t.Error("a pipe is read")
	}
	accept(t, c, token(t, nil))
}

func TestTooManyKeysToTry(t *testing.T) {
	one := jwk(t, "same", pairs()[es256].Public())
	many := make([]json.RawMessage, maxTries+1)
	for i := range many {
		many[i] = one
	}
	text := sign(t, es256, pairs()[es256], nil, good(nil))
	accept(t, newChecker(t, Options{JWKS: []string{write(t, "set", keySet(t, many[1:]...))}}), text)
	refuse(t, newChecker(t, Options{JWKS: []string{write(t, "set", keySet(t, many...))}}), text, UnknownKey)
}

func TestIssuersThatAreRefused(t *testing.T) {
	for text, want := range map[string]string{
		"https://idp": "wants ISSUER=FILE or ISSUER=URL", "=x": "wants ISSUER=FILE", "x=": "wants ISSUER=FILE",
		"x=http://idp.example/keys": "wants https:// where the key server is not on this machine",
	} {
		_, err := New(Options{Issuers: []string{text}}, nil)
		if err == nil || !strings.Contains(err.Error(), "--token-issuer: "+want) {
			t.Errorf("%s: %v", text, err)
		}
	}
	_, err := New(Options{JWKS: make([]string, MaxSources+1)}, nil)
	if err == nil || !strings.Contains(err.Error(), "64 files and key servers at most, got 65") {
		t.Error(err)
	}
}
