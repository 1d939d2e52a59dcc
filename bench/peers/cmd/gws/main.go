// Command gws serves the group commands with lxzan/gws as its README recommends: its own server on the bare
// listener, no net/http; a Broadcaster per send, whose frame is built once; and its queue per connection, whose
// goroutine exists only while there is something to write.
//
// Two of its options are off, and must be: ParallelEnabled takes a connection's messages out of order, and
// compression nobody has asked for. Its queue has no bound, and no way to ask how long it is: a client that does
// not read costs memory here until the kernel gives it up.
package main

import (
	"net"

	"github.com/lxzan/gws"

	"groupcast/bench/peers/internal/groups"
	"groupcast/bench/peers/internal/serve"
	"groupcast/bench/peers/internal/wire"
)

var members = groups.New[*gws.Conn]()

// joined is where a connection's session keeps its groups.
const joined = "groups"

func main() {
	serve.Main(func(ln net.Listener) error {
		server := gws.NewServer(&handler{}, &gws.ServerOption{
			CheckUtf8Enabled:   true,
			ReadMaxPayloadSize: wire.MaxMessageBytes,
			Recovery:           gws.Recovery,
		})
		server.OnError = func(net.Conn, error) {} // of connections that are no upgrades; the default prints each
		return server.RunListener(ln)
	})
}

type handler struct{ gws.BuiltinEventHandler }

func (*handler) OnOpen(c *gws.Conn) { c.Session().Store(joined, map[string]struct{}{}) }

func (*handler) OnClose(c *gws.Conn, _ error) {
	for group := range groupsOf(c) {
		members.Leave(group, c)
	}
}

// groupsOf is touched by the connection's read goroutine only, which also calls OnOpen and OnClose.
func groupsOf(c *gws.Conn) map[string]struct{} {
	all, _ := c.Session().Load(joined)
	mine, _ := all.(map[string]struct{})
	return mine
}

func (*handler) OnMessage(c *gws.Conn, message *gws.Message) {
	defer message.Close()
	cmd, err := wire.Parse(message.Bytes())
	if err != nil {
		cmd.Ack = wire.Error(err)
	}
	switch cmd.Verb {
	case wire.AddGroup:
		groupsOf(c)[cmd.Group] = struct{}{}
		members.Join(cmd.Group, c)
	case wire.LeaveGroup:
		delete(groupsOf(c), cmd.Group)
		members.Leave(cmd.Group, c)
	case wire.SendToGroup:
		all := gws.NewBroadcaster(gws.OpcodeText, cmd.Message)
		members.Each(cmd.Group, func(to *gws.Conn) { _ = all.Broadcast(to) })
		_ = all.Close()
	}
	if cmd.Ack != nil {
		c.WriteAsync(gws.OpcodeText, cmd.Ack, nil)
	}
}
