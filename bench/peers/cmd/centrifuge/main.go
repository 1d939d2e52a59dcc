// Command centrifuge serves the group commands with a Node of the centrifuge library: its hub, its memory broker, its
// queue and write goroutine per client. Groups are its channels.
//
// Its own protocol is another one than the generator speaks, so this program has a transport of its own, which
// the library provides for. It is made so that what it adds is less than what it saves: a publication's payload
// is a finished WebSocket frame, and the transport takes it out of the library's (binary) envelope, some tens of
// nanoseconds a delivery, and sends it as it is. Centrifuge's own transport would build a frame around the
// envelope, for each client anew. As there, what waits for a client goes out in one write; the limit of 16
// messages a write is lifted, which suits it.
package main

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/centrifugal/centrifuge"
	"github.com/gorilla/websocket"
	"google.golang.org/protobuf/encoding/protowire"

	"groupcast/bench/peers/internal/serve"
	"groupcast/bench/peers/internal/wire"
)

const writeTimeout = 10 * time.Second

var upgrader = websocket.Upgrader{ // for reading and control frames
	ReadBufferSize:  1024,
	WriteBufferSize: 1024,
	WriteBufferPool: &sync.Pool{},
	CheckOrigin:     func(*http.Request) bool { return true },
}

func main() { serve.Main(run) }

func run(ln net.Listener) error {
	node, err := centrifuge.New(centrifuge.Config{ClientQueueMaxSize: wire.MaxBacklogBytes})
	if err != nil {
		return err
	}
	node.OnConnecting(func(_ context.Context, e centrifuge.ConnectEvent) (centrifuge.ConnectReply, error) {
		return centrifuge.ConnectReply{
			Credentials:        &centrifuge.Credentials{UserID: e.ClientID},
			MaxMessagesInFrame: -1,
		}, nil
	})
	if err := node.Run(); err != nil {
		return err
	}
	//nolint:gosec // a benchmark's server needs no timeouts
	return http.Serve(ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return // it is answered
		}
		ws.SetReadLimit(wire.MaxMessageBytes)
		go read(node, ws) // not here: the request and its buffers can go
	}))
}

func read(node *centrifuge.Node, ws *websocket.Conn) {
	client, closeClient, err := centrifuge.NewClient(context.Background(), node, &transport{ws: ws, conn: ws.NetConn()})
	if err != nil {
		_ = ws.Close()
		return
	}
	defer func() { _ = closeClient() }()
	client.Connect(centrifuge.ConnectRequest{})
	for {
		_, b, err := ws.ReadMessage()
		if err != nil || execute(node, client, b) != nil {
			return
		}
	}
}

func execute(node *centrifuge.Node, client *centrifuge.Client, b []byte) error {
	cmd, err := wire.Parse(b)
	if err != nil {
		cmd.Ack = wire.Error(err)
	}
	switch cmd.Verb {
	case wire.AddGroup:
		err := client.Subscribe(cmd.Group)
		if err != nil && !errors.Is(err, centrifuge.ErrorAlreadySubscribed) {
			return err
		}
	case wire.LeaveGroup:
		client.Unsubscribe(cmd.Group)
	case wire.SendToGroup:
		if _, err := node.Publish(cmd.Group, frame(cmd.Message)); err != nil {
			return err
		}
	}
	if cmd.Ack != nil {
		return client.Send(frame(cmd.Ack)) // by the same queue, so that it follows what it acknowledges
	}
	return nil
}

// frame is a text message as a server sends it.
func frame(payload []byte) []byte {
	const finText = 0x81
	b := make([]byte, 0, 10+len(payload))
	switch n := len(payload); {
	case n < 126:
		b = append(b, finText, byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, finText, 126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, finText, 127), uint64(n))
	}
	return append(b, payload...)
}

// transport writes one client's frames. Control frames are gorilla's; both write whole frames in one call each.
type transport struct {
	ws   *websocket.Conn
	conn net.Conn
}

// Only publications and messages are wanted of what the library may tell a client.
const disabledPushes = centrifuge.PushFlagConnect | centrifuge.PushFlagDisconnect | centrifuge.PushFlagSubscribe |
	centrifuge.PushFlagJoin | centrifuge.PushFlagLeave | centrifuge.PushFlagUnsubscribe

func (*transport) Name() string                      { return "groups" }
func (*transport) AcceptProtocol() string            { return "h1" }
func (*transport) Protocol() centrifuge.ProtocolType { return centrifuge.ProtocolTypeProtobuf }

func (*transport) ProtocolVersion() centrifuge.ProtocolVersion { return centrifuge.ProtocolVersion2 }
func (*transport) Unidirectional() bool                        { return true }
func (*transport) Emulation() bool                             { return false }
func (*transport) DisabledPushFlags() uint64                   { return disabledPushes }

// PingPongConfig: the peers do without heartbeats, which would only cost.
func (*transport) PingPongConfig() centrifuge.PingPongConfig {
	return centrifuge.PingPongConfig{PingInterval: -1, PongTimeout: -1}
}

func (t *transport) Write(push []byte) error { return t.send(payload(push)) }

var buffers = sync.Pool{New: func() any { return new([]byte) }}

func (t *transport) WriteMany(pushes ...[]byte) error {
	all := buffers.Get().(*[]byte)
	defer buffers.Put(all)
	*all = (*all)[:0]
	for _, push := range pushes {
		*all = append(*all, payload(push)...)
	}
	return t.send(*all)
}

func (t *transport) send(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	_ = t.conn.SetWriteDeadline(time.Now().Add(writeTimeout))
	_, err := t.conn.Write(b)
	if err != nil {
		_ = t.conn.Close() // the reader notices
	}
	return err
}

func (t *transport) Close(centrifuge.Disconnect) error { return t.ws.Close() }

// The envelope: Push{pub = 4: Publication{data = 4}} or Push{message = 8: Message{data = 1}}.
const (
	pushPub, pubData         = 4, 4
	pushMessage, messageData = 8, 1
)

// payload is the data in a push, in place; nil if there is none.
func payload(push []byte) []byte {
	if pub := field(push, pushPub); pub != nil {
		return field(pub, pubData)
	}
	return field(field(push, pushMessage), messageData)
}

// field finds a field of bytes in a message.
func field(b []byte, wanted protowire.Number) []byte {
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return nil
		}
		b = b[n:]
		if number == wanted && kind == protowire.BytesType {
			value, _ := protowire.ConsumeBytes(b)
			return value
		}
		if n = protowire.ConsumeFieldValue(number, kind, b); n < 0 {
			return nil
		}
		b = b[n:]
	}
	return nil
}
