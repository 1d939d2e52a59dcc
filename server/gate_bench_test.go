package server

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"groupcast/server/token"
)

// BenchmarkUpgrade connects, upgrades, and closes: without tokens, with the road alone, and
// with a check.
func BenchmarkUpgrade(b *testing.B) {
	secret := filepath.Join(b.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte(secretText), 0o600); err != nil {
		b.Fatal(err)
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		b.Fatal(err)
	}
	es := filepath.Join(b.TempDir(), "key.pem")
	if err := os.WriteFile(es, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		name, key string
		signed    bool
	}{{"without", "", false}, {"optional", secret, false}, {"HS256", secret, true}, {"ES256", es, true}} {
		b.Run(c.name, func(b *testing.B) {
			o := DefaultOptions()
			o.Listen, o.API, o.Control, o.Loops = []string{"127.0.0.1:0"}, []string{none}, none, 1
			target := "/"
			if c.key != "" {
				o.TokenKeyFiles, o.TokenOptional = []string{c.key}, true
			}
			if c.signed {
				text, err := token.Sign(c.key, token.Grant{User: "7", Join: []string{"room:*"}, TTL: time.Hour}, time.Now())
				if err != nil {
					b.Fatal(err)
				}
				target = "/?token=" + text
			}
			s, err := Start(o, slog.New(slog.DiscardHandler))
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			head := "GET " + target + " HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
				"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
			for b.Loop() {
				conn, err := net.Dial("tcp", s.Addresses()[0])
				if err != nil {
					b.Fatal(err)
				}
				if _, err := io.WriteString(conn, head); err != nil {
					b.Fatal(err)
				}
				answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if err != nil || answer.StatusCode != http.StatusSwitchingProtocols {
					b.Fatal(answer, err)
				}
				_ = answer.Body.Close()
				_ = conn.(*net.TCPConn).SetLinger(0)
				_ = conn.Close()
			}
		})
	}
}
