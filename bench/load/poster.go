package main

import (
	"bytes"
	"fmt"
	"strconv"
)

// A poster is the second connection of a publisher with --publish-api: it carries the messages to the HTTP API, one
// request each, pipelined, while the first one, a member like all others, sees them come back. An answer other than 202
// ends the run: the message has its number, and would count as lost.

// addPosters makes a poster for every publisher, behind the seats.
func (l *loop) addPosters() {
	seats := len(l.conns)
	l.conns = append(l.conns, make([]conn, len(l.publishers))...)
	l.publishers = l.publishers[:0]
	for i := range seats { // the slice may have moved
		if p := l.conns[i].publisher; p != nil {
			p.conn = &l.conns[i]
			c := &l.conns[seats+len(l.publishers)]
			*c = conn{fd: -1, seat: -1, role: poster}
			p.via = c
			l.publishers = append(l.publishers, p)
		}
	}
}

// posts is called when a poster is connected.
func (l *loop) posts(c *conn) {
	c.stage = ready
	l.dialing--
}

var (
	headEnd       = []byte("\r\n\r\n")
	contentLength = []byte("\r\nContent-Length: ")
	accepted      = []byte("HTTP/1.1 202 ")
)

// answers takes whole answers off b and returns the rest.
func (l *loop) answers(b []byte) []byte {
	for len(b) > 0 {
		end := bytes.Index(b, headEnd)
		if end < 0 {
			return b
		}
		head := b[:end+2]
		at := bytes.Index(head, contentLength)
		if at < 0 || !bytes.HasPrefix(head, accepted) {
			line, _, _ := bytes.Cut(head, headEnd[:2])
			l.fail(fmt.Errorf("the API answered %q", line))
			return nil
		}
		digits, _, _ := bytes.Cut(head[at+len(contentLength):], headEnd[:2])
		n, err := strconv.Atoi(string(digits))
		if err != nil || n < 0 {
			l.fail(fmt.Errorf("the API answered with a length of %q", digits))
			return nil
		}
		if len(b) < end+4+n {
			return b
		}
		b = b[end+4+n:]
	}
	return nil
}
