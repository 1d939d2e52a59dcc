package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"

	"github.com/gobwas/ws"
)

// client is one WebSocket connection.
// Owner: the goroutine that reads; write may be called from any.
type client struct {
	conn net.Conn
	in   *bufio.Reader
	text []byte // of the last message

	mu  sync.Mutex
	out []byte
}

// dial connects to a server that speaks so.
func dial(ctx context.Context, address string, d *dialect) (*client, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn, in, _, err := ws.Dialer{Protocols: d.protocols}.Dial(ctx, "ws://"+address+d.path)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", address, err)
	}
	if in == nil {
		in = bufio.NewReader(conn)
	}
	c := &client{conn: conn, in: in}
	if err := d.begin(c); err != nil {
		c.close()
		return nil, fmt.Errorf("connect to %s: %w", address, err)
	}
	return c, nil
}

func (c *client) close() { _ = c.conn.Close() }

// put adds a message to what flush writes.
func (c *client) put(text []byte) {
	frame := ws.MaskFrameInPlace(ws.NewTextFrame(text))
	c.mu.Lock()
	defer c.mu.Unlock()
	b := frameBuffer{c.out}
	_ = ws.WriteHeader(&b, frame.Header) // memory takes it
	c.out = append(b.bytes, frame.Payload...)
}

// frameBuffer is where a frame's header goes.
type frameBuffer struct{ bytes []byte }

func (b *frameBuffer) Write(p []byte) (int, error) {
	b.bytes = append(b.bytes, p...)
	return len(p), nil
}

func (c *client) flush() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, err := c.conn.Write(c.out)
	c.out = c.out[:0]
	return err
}

func (c *client) say(text string) error {
	c.put([]byte(text))
	return c.flush()
}

// closedError is the server's close frame, with its code.
type closedError struct{ code ws.StatusCode }

func (e closedError) Error() string { return fmt.Sprintf("the server has closed with %d", e.code) }

// next is the next message; it is good until the next call. Pings are answered.
func (c *client) next() ([]byte, error) {
	for {
		header, err := ws.ReadHeader(c.in)
		if err != nil {
			return nil, err
		}
		if n := int(header.Length); cap(c.text) < n {
			c.text = make([]byte, n)
		}
		c.text = c.text[:header.Length]
		if _, err := io.ReadFull(c.in, c.text); err != nil {
			return nil, err
		}
		switch {
		case header.OpCode == ws.OpText && header.Fin:
			return c.text, nil
		case header.OpCode == ws.OpPing:
			pong, err := ws.CompileFrame(ws.MaskFrame(ws.NewPongFrame(c.text)))
			if err != nil {
				return nil, err
			}
			c.mu.Lock()
			c.out = append(c.out, pong...)
			c.mu.Unlock()
			if err := c.flush(); err != nil {
				return nil, err
			}
		case header.OpCode == ws.OpClose:
			code, _ := ws.ParseCloseFrameData(c.text)
			return nil, closedError{code}
		default:
			return nil, errors.New("the server sent what none of these servers sends: " + fmt.Sprint(header))
		}
	}
}
