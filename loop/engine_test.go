package loop

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// startEngine starts an engine with the options as changed by adapt and serves
// a TCP listener; both end with the test. It returns the ws:// address.
func startEngine(tb testing.TB, adapt func(*Options)) (*Engine, string) {
	tb.Helper()
	o := DefaultOptions()
	o.Loops = 2
	if adapt != nil {
		adapt(&o)
	}
	e, err := New(o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := e.Close(); err != nil {
			tb.Errorf("Close: %v", err)
		}
		select {
		case err := <-e.Fatal():
			tb.Errorf("Fatal: %v", err)
		default:
		}
	})
	return e, "ws://" + serve(tb, e, "tcp", "127.0.0.1:0")
}

// client is a WebSocket client that fails its test on any error.
type client struct {
	tb testing.TB
	c  *websocket.Conn
}

func dial(tb testing.TB, url string, subprotocols ...string) *client {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 10*time.Second)
	defer cancel()
	c, _, err := websocket.Dial(ctx, url, &websocket.DialOptions{Subprotocols: subprotocols})
	if err != nil {
		tb.Fatalf("dial: %v", err)
	}
	c.SetReadLimit(-1)
	tb.Cleanup(func() { _ = c.CloseNow() })
	return &client{tb, c}
}

func (c *client) send(format string, args ...any) {
	c.tb.Helper()
	text := format
	if len(args) > 0 {
		text = fmt.Sprintf(format, args...)
	}
	if err := c.c.Write(c.tb.Context(), websocket.MessageText, []byte(text)); err != nil {
		c.tb.Fatalf("send: %v", err)
	}
}

func (c *client) next() string {
	c.tb.Helper()
	ctx, cancel := context.WithTimeout(c.tb.Context(), 10*time.Second)
	defer cancel()
	_, b, err := c.c.Read(ctx)
	if err != nil {
		c.tb.Fatalf("receive: %v", err)
	}
	return string(b)
}

func (c *client) expect(want ...string) {
	c.tb.Helper()
	for _, w := range want {
		if got := c.next(); got != w {
			c.tb.Fatalf("received %q, want %q", got, w)
		}
	}
}

// join joins and waits until that counts.
func (c *client) join(group string) {
	c.tb.Helper()
	c.send(`{"cmd":"add_group","group_id":%q,"req_id":"join"}`, group)
	for {
		if got := c.next(); strings.Contains(got, `"ack"`) {
			return
		}
	}
}

func TestOriginalPage(t *testing.T) {
	_, url := startEngine(t, nil)
	other := dial(t, url)
	other.join("123")
	page := dial(t, url)
	page.send(`{"cmd":"add_group", "group_id":"123"}`)
	page.send(`{"cmd":"send_to_group", "group_id":"123", "message":"Dies ist eine Nachricht"}`)
	page.expect("Dies ist eine Nachricht")
	other.expect("Dies ist eine Nachricht")
}

func TestEnvelope(t *testing.T) {
	_, url := startEngine(t, nil)
	bare := dial(t, url)
	bare.join("7")
	v1 := dial(t, url, "groupcast.v1")
	v1.send(`{"cmd":"add_group","group_id":7,"req_id":1}`)
	v1.expect(`{"type":"ack","req_id":1}`)
	v1.send(`{"cmd":"send_to_group","group_id":"7","message":"a\"b","req_id":2}`)
	v1.expect(`{"type":"message","group_id":"7","message":"a\"b"}`, `{"type":"ack","req_id":2}`)
	v1.send(`{"cmd":"send_to_group","group_id":"7","message":{"a": [1]},"exclude_self":true,"req_id":3}`)
	v1.expect(`{"type":"ack","req_id":3}`)
	bare.expect(`a"b`, `{"a": [1]}`)
}

// startAlone starts an engine that nothing can connect to; it ends with the test.
func startAlone(tb testing.TB, adapt func(*Options)) *Engine {
	tb.Helper()
	o := DefaultOptions()
	if adapt != nil {
		adapt(&o)
	}
	e, err := New(o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := e.Close(); err != nil {
			tb.Errorf("Close: %v", err)
		}
	})
	return e
}
