// Command gorilla serves the group commands with gorilla/websocket: a read and a write goroutine per connection, and a
// prepared message per send, so that its frame is built once however many members there are.
//
// What this library does not offer is to write several messages at once: each costs each member a system call.
package main

import (
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"groupcast/bench/peers/internal/groups"
	"groupcast/bench/peers/internal/outbox"
	"groupcast/bench/peers/internal/serve"
	"groupcast/bench/peers/internal/wire"
)

const writeTimeout = 10 * time.Second

var (
	members  = groups.New[*client]()
	upgrader = websocket.Upgrader{
		// Small, since commands are; and the write buffers are shared: prepared messages do not need them.
		ReadBufferSize:  1024,
		WriteBufferSize: 1024,
		WriteBufferPool: &sync.Pool{},
		CheckOrigin:     func(*http.Request) bool { return true },
	}
)

// client is one connection.
type client struct {
	ws     *websocket.Conn
	out    *outbox.Outbox[*websocket.PreparedMessage]
	groups map[string]struct{} // Owner: the read goroutine
}

func main() {
	serve.Main(func(ln net.Listener) error {
		return http.Serve(ln, http.HandlerFunc(upgrade)) //nolint:gosec // a benchmark's server needs no timeouts
	})
}

func upgrade(w http.ResponseWriter, r *http.Request) {
	ws, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // it is answered
	}
	ws.SetReadLimit(wire.MaxMessageBytes)
	c := &client{ws, outbox.New[*websocket.PreparedMessage](wire.MaxBacklogBytes), map[string]struct{}{}}
	go c.write()
	go c.read() // not here: the request and its buffers can go
}

func (c *client) read() {
	defer c.leave()
	for {
		_, b, err := c.ws.ReadMessage()
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
		message := prepare(cmd.Message)
		members.Each(cmd.Group, func(to *client) { to.send(message, len(cmd.Message)) })
	}
	if cmd.Ack != nil {
		c.send(prepare(cmd.Ack), len(cmd.Ack))
	}
}

func prepare(b []byte) *websocket.PreparedMessage {
	message, err := websocket.NewPreparedMessage(websocket.TextMessage, b)
	if err != nil {
		panic(err) // it cannot be: only control messages have limits
	}
	return message
}

// send never waits. A client that is too slow is closed.
func (c *client) send(message *websocket.PreparedMessage, bytes int) {
	if !c.out.Put(message, bytes) {
		_ = c.ws.Close()
	}
}

func (c *client) write() {
	var all []*websocket.PreparedMessage
	for {
		var ok bool
		if all, ok = c.out.Take(all); !ok {
			return
		}
		_ = c.ws.SetWriteDeadline(time.Now().Add(writeTimeout))
		for _, message := range all {
			if c.ws.WritePreparedMessage(message) != nil {
				_ = c.ws.Close() // the reader notices
				return
			}
		}
	}
}

func (c *client) leave() {
	for group := range c.groups {
		members.Leave(group, c)
	}
	c.out.Close()
	_ = c.ws.Close()
}
