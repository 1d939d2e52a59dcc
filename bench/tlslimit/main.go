// Command tlslimit is what servers over TLS are compared with: a WebSocket server for the group protocol that does
// nothing but encrypt and send, with Go's crypto/tls as groupcast has it. It has one group, no checks, no limits and no
// JSON parser, and everybody in it is as fast as the slowest. It is no floor: its batches are what has come when the
// sender wakes, and larger ones are cheaper.
//
//	tlslimit -p PORT [-plain] [-http]
//
// A goroutine a connection reads, which costs nothing while the connection says nothing; one goroutine takes all
// messages that have come, writes their frames one behind the other, and hands them to each member's connection: one
// call of crypto/tls, one write. That is less work than an epoll of its own would be: nothing has to be found out about
// a member before it is written to. With -plain it sends the same without TLS: the difference is what encrypting costs.
//
// With -http it is net/http's server instead, which answers ok: what handshakes are compared with.
package main

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

const upgraded = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
	"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n" // to the generator's key

func main() {
	port := flag.Int("p", 9003, "`port` of 127.0.0.1")
	plain := flag.Bool("plain", false, "without TLS")
	onlyHTTP := flag.Bool("http", false, "be net/http's server")
	flag.Parse()
	if err := run(*port, *plain, *onlyHTTP); err != nil {
		fmt.Fprintln(os.Stderr, "tlslimit:", err)
		os.Exit(1)
	}
}

func run(port int, plain, onlyHTTP bool) error {
	ln, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return err
	}
	if !plain {
		certificate, err := certificate()
		if err != nil {
			return err
		}
		ln = tls.NewListener(ln, &tls.Config{
			Certificates: []tls.Certificate{certificate}, NextProtos: []string{"http/1.1"}, DynamicRecordSizingDisabled: true,
		})
	}
	if onlyHTTP {
		s := &http.Server{
			Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				_,
					_ = io.WriteString(w, "ok\n")
			}),
			ReadHeaderTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0),
		}
		return s.Serve(ln)
	}
	var g group
	g.waiting = sync.NewCond(&g.mu)
	go g.send()
	for {
		c, err := ln.Accept()
		if err != nil {
			return err
		}
		go g.serve(c)
	}
}

// certificate is one of the kind that groupcast is measured with: ECDSA, P-256.
func certificate() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(24 * time.Hour), DNSNames: []string{"localhost"},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

// group is the one that there is.
type group struct {
	mu      sync.Mutex
	waiting *sync.Cond // for something to send
	members []net.Conn // guarded by mu; send writes to them
	frames  []byte     // guarded by mu: of all messages that have come
}

// send takes what has come, again and again, and gives it to each member.
func (g *group) send() {
	var batch []byte
	var members []net.Conn
	for {
		g.mu.Lock()
		for len(g.frames) == 0 {
			g.waiting.Wait()
		}
		batch, g.frames = g.frames, batch[:0]
		members = append(members[:0], g.members...)
		g.mu.Unlock()
		for _, c := range members {
			_, _ = c.Write(batch)
		}
	}
}

// serve reads a connection to its end.
func (g *group) serve(c net.Conn) {
	defer func() { _ = c.Close() }()
	in := bufio.NewReaderSize(c, 4096)
	for line := "-"; line != "\r\n"; {
		var err error
		if line, err = in.ReadString('\n'); err != nil {
			return
		}
	}
	if _, err := io.WriteString(c, upgraded); err != nil {
		return
	}
	defer g.leave(c)
	for {
		command, err := readFrame(in)
		if err != nil {
			return
		}
		g.mu.Lock()
		if _, text, ok := bytes.Cut(command, []byte(`"message":"`)); ok {
			g.frames = appendFrame(g.frames, bytes.TrimSuffix(text, []byte(`"}`)))
			g.waiting.Signal()
		} else {
			_, id, _ := strings.Cut(string(command), `"req_id":`)
			g.members = append(g.members, c)
			_, _ = c.Write(appendFrame(nil, []byte(`{"cmd":"ack","req_id":`+id)))
		}
		g.mu.Unlock()
	}
}

func (g *group) leave(c net.Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.members = slices.DeleteFunc(g.members, func(m net.Conn) bool { return m == c })
}

// readFrame reads a client's frame, and takes it for a whole message.
func readFrame(in *bufio.Reader) ([]byte, error) {
	var head [8]byte
	if _, err := io.ReadFull(in, head[:2]); err != nil {
		return nil, err
	}
	n := int(head[1] & 0x7f)
	if n == 126 {
		if _, err := io.ReadFull(in, head[:2]); err != nil {
			return nil, err
		}
		n = int(binary.BigEndian.Uint16(head[:2]))
	}
	b := make([]byte, 4+n)
	if _, err := io.ReadFull(in, b); err != nil {
		return nil, err
	}
	for i := range b[4:] {
		b[4+i] ^= b[i&3]
	}
	return b[4:], nil
}

// appendFrame appends a server's text frame.
func appendFrame(b, body []byte) []byte {
	if len(body) < 126 {
		b = append(b, 0x81, byte(len(body)))
	} else {
		b = binary.BigEndian.AppendUint16(append(b, 0x81, 126), uint16(len(body)))
	}
	return append(b, body...)
}
