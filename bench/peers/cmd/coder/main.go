// Command coder serves the group commands with coder/websocket: a read and a write goroutine per connection, contexts
// for timeouts, as its documentation does it.
//
// It has no prepared messages and writes them one by one: each costs each member a frame and a system call.
package main

import (
	"context"
	"net"
	"net/http"
	"time"

	"github.com/coder/websocket"

	"groupcast/bench/peers/internal/groups"
	"groupcast/bench/peers/internal/outbox"
	"groupcast/bench/peers/internal/serve"
	"groupcast/bench/peers/internal/wire"
)

const writeTimeout = 10 * time.Second

var members = groups.New[*client]()

// client is one connection.
type client struct {
	ws     *websocket.Conn
	out    *outbox.Outbox[[]byte]
	groups map[string]struct{} // Owner: the read goroutine
}

func main() {
	serve.Main(func(ln net.Listener) error {
		return http.Serve(ln, http.HandlerFunc(accept)) //nolint:gosec // a benchmark's server needs no timeouts
	})
}

func accept(w http.ResponseWriter, r *http.Request) {
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		InsecureSkipVerify: true, // of the origin
		CompressionMode:    websocket.CompressionDisabled,
	})
	if err != nil {
		return // it is answered
	}
	ws.SetReadLimit(wire.MaxMessageBytes)
	c := &client{ws, outbox.New[[]byte](wire.MaxBacklogBytes), map[string]struct{}{}}
	go c.write()
	go c.read() // not here: the request and its buffers can go
}

func (c *client) read() {
	defer c.leave()
	for {
		_, b, err := c.ws.Read(context.Background())
		if err != nil {
			return
		}
		c.execute(b)
	}
}

func (c *client) execute(b []byte) {
	cmd, err := wire.Parse(b)
	if err != nil {
		cmd.Ack = wire.Error(err)
	}
	switch cmd.Verb {
	case wire.AddGroup:
		c.groups[cmd.Group] = struct{}{}
		members.Join(cmd.Group, c)
	case wire.LeaveGroup:
		delete(c.groups, cmd.Group)
		members.Leave(cmd.Group, c)
	case wire.SendToGroup:
		members.Each(cmd.Group, func(to *client) { to.send(cmd.Message) })
	}
	if cmd.Ack != nil {
		c.send(cmd.Ack)
	}
}

// send never waits. A client that is too slow is closed; not by this goroutine, since a close handshake takes time.
func (c *client) send(message []byte) {
	if !c.out.Put(message, len(message)) {
		go c.ws.Close(websocket.StatusPolicyViolation, "too slow")
	}
}

func (c *client) write() {
	var all [][]byte
	for {
		var ok bool
		if all, ok = c.out.Take(all); !ok {
			return
		}
		if c.writeAll(all) != nil {
			_ = c.ws.CloseNow() // the reader notices
			return
		}
	}
}

// writeAll has one timeout for all, which costs less than one for each.
func (c *client) writeAll(all [][]byte) error {
	ctx, cancel := context.WithTimeout(context.Background(), writeTimeout)
	defer cancel()
	for _, message := range all {
		if err := c.ws.Write(ctx, websocket.MessageText, message); err != nil {
			return err
		}
	}
	return nil
}

func (c *client) leave() {
	for group := range c.groups {
		members.Leave(group, c)
	}
	c.out.Close()
	_ = c.ws.CloseNow()
}
