package pebble

import (
	"encoding/binary"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// serveDNS answers every question for an IPv4 address with 127.0.0.1, and others with
// nothing. It speaks TCP, as pebble does.
func serveDNS(tb testing.TB) (address string) {
	tb.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer func() { _ = c.Close() }()
				_ = c.SetDeadline(time.Now().Add(patience))
				for answerDNS(c) == nil {
				}
			})
		}
	})
	tb.Cleanup(func() {
		_ = ln.Close()
		all.Wait()
	})
	return ln.Addr().String()
}

// answerDNS answers one question, RFC 1035.
func answerDNS(c net.Conn) error {
	var size [2]byte
	if _, err := io.ReadFull(c, size[:]); err != nil {
		return err
	}
	q := make([]byte, binary.BigEndian.Uint16(size[:]))
	if _, err := io.ReadFull(c, q); err != nil {
		return err
	}
	end := 12 // of the first question
	for end < len(q) && q[end] != 0 {
		end += 1 + int(q[end])
	}
	if end += 5; end > len(q) {
		return io.ErrUnexpectedEOF
	}
	a := append([]byte{0, 0, q[0], q[1], 0x85, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, q[12:end]...)
	if q[end-4] == 0 && q[end-3] == 1 { // type A
		a[9] = 1
		a = append(a, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 127, 0, 0, 1)
	}
	binary.BigEndian.PutUint16(a, uint16(len(a)-2))
	_, err := c.Write(a)
	return err
}
