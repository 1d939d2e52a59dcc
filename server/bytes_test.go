package server

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"groupcast/loop"
	"groupcast/server/token"
)

// The same client's bytes are counted alike by every road: plain, over TLS, behind a PROXY header,
// and where the head is read in front of the loop.
func TestBytesByEveryRoad(t *testing.T) {
	file, keys := filepath.Join(t.TempDir(), "both.pem"), secretFile(t, secretText)
	pool := writeCertificate(t, file, 1)
	text := grant(t, keys, token.Grant{})
	var sent bytes.Buffer
	sent.WriteString(upgradeHead + "Authorization: Bearer " + text + "\r\n\r\n")
	for range 2 {
		f := ws.MaskFrameInPlace(ws.NewTextFrame([]byte(`{"cmd":"ping","req_id":1}`)))
		if err := ws.WriteFrame(&sent, f); err != nil {
			t.Fatal(err)
		}
	}
	const proxy = "PROXY TCP4 192.0.2.1 198.51.100.1 5000 443\r\n"
	withTLS := func(o *Options) { o.TLSCert = []string{file} }
	withKeys := func(o *Options) { o.TokenKeyFiles = []string{keys} }
	withProxy := func(o *Options) { o.ProxyProtocol = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")} }
	received := 0
	for _, c := range []struct {
		name    string
		changes []func(*Options)
	}{
		{"plain", nil},
		{"TLS", []func(*Options){withTLS}},
		{"PROXY", []func(*Options){withProxy}},
		{"tokens", []func(*Options){withKeys}},
		{"TLS and tokens", []func(*Options){withTLS, withKeys}},
		{"all", []func(*Options){withTLS, withKeys, withProxy}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := startServer(t, func(o *Options) {
				for _, change := range c.changes {
					change(o)
				}
			})
			o := s.Options()
			var conn net.Conn = dialRaw(t, strings.TrimPrefix(s.Addresses()[0], "tls:"))
			write := func(b []byte) {
				t.Helper()
				if _, err := conn.Write(b); err != nil {
					t.Fatal(err)
				}
			}
			if len(o.ProxyProtocol) > 0 {
				write([]byte(proxy))
			}
			if len(o.TLSCert) > 0 {
				conn = clientTLS(conn, pool)
			}
			// The head and a frame in one write, the other frame later.
			const later = 20
			write(sent.Bytes()[:sent.Len()-later])
			came := &countingReader{from: conn}
			r := bufio.NewReader(came)
			answer, err := http.ReadResponse(r, nil)
			if err != nil || answer.StatusCode != http.StatusSwitchingProtocols {
				t.Fatalf("%+v, %v", answer, err)
			}
			_ = answer.Body.Close()
			write(sent.Bytes()[sent.Len()-later:])
			for range 2 {
				header, err := ws.ReadHeader(r)
				if err != nil || header.Length > 100 {
					t.Fatalf("%+v, %v", header, err)
				}
				ack := make([]byte, header.Length)
				if _, err := io.ReadFull(r, ack); err != nil || !strings.Contains(string(ack), "ack") {
					t.Fatalf("%s, %v", ack, err)
				}
			}
			list, _, err := s.engine.Sessions(t.Context(), loop.SessionID{}, 10)
			if err != nil || len(list) != 1 {
				t.Fatalf("%+v, %v", list, err)
			}
			if in, out := int(list[0].BytesIn), int(list[0].BytesOut); in != sent.Len() || out != came.n {
				t.Errorf("counted %d in and %d out, want %d and %d", in, out, sent.Len(), came.n)
			}
			if received == 0 {
				received = came.n
			} else if came.n != received {
				t.Errorf("%d bytes came, and %d before", came.n, received)
			}
			stats, err := s.Stats(t.Context())
			in := 0
			for _, one := range stats.Reactors {
				in += int(one.BytesIn)
			}
			if err != nil || in != sent.Len() {
				t.Errorf("the loops counted %d, %v", in, err)
			}
		})
	}
}

// countingReader counts what has been read.
type countingReader struct {
	from io.Reader
	n    int
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.from.Read(p)
	c.n += n
	return n, err
}
