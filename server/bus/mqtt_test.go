package bus

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// mqtt is a client of MQTT 3.1.1 that knows QoS 0.
type mqtt struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

func dialMQTT(t *testing.T, address, id string) *mqtt {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	m := &mqtt{t, conn, bufio.NewReader(conn)}
	// Protocol MQTT, level 4, a clean session, no keep-alive.
	m.write(0x10, text("MQTT"), []byte{4, 2, 0, 0}, text(id))
	if kind, body := m.read(); kind != 0x20 || body[1] != 0 {
		t.Fatalf("CONNACK: %#x % x", kind, body)
	}
	return m
}

// text is a string as MQTT has it.
func text(s string) []byte { return append(binary.BigEndian.AppendUint16(nil, uint16(len(s))), s...) }

func (m *mqtt) write(kind byte, parts ...[]byte) {
	m.t.Helper()
	var body []byte
	for _, part := range parts {
		body = append(body, part...)
	}
	packet := append(binary.AppendUvarint([]byte{kind}, uint64(len(body))), body...) // of Go is of MQTT, to 4 bytes
	if _, err := m.conn.Write(packet); err != nil {
		m.t.Fatal(err)
	}
}

func (m *mqtt) read() (kind byte, body []byte) {
	m.t.Helper()
	err := m.conn.SetReadDeadline(time.Now().Add(patience))
	if err == nil {
		kind, err = m.in.ReadByte()
	}
	var n uint64
	if err == nil {
		n, err = binary.ReadUvarint(m.in)
	}
	body = make([]byte, n)
	if _, read := io.ReadFull(m.in, body); err != nil || read != nil {
		m.t.Fatal(errors.Join(err, read))
	}
	return kind, body
}

func (m *mqtt) subscribe(topic string) {
	m.t.Helper()
	m.write(0x82, []byte{0, 1}, text(topic), []byte{0})
	if kind, body := m.read(); kind != 0x90 || body[2] != 0 {
		m.t.Fatalf("SUBACK: %#x % x", kind, body)
	}
}

func (m *mqtt) publish(topic, payload string) {
	m.t.Helper()
	m.write(0x30, text(topic), []byte(payload))
}

func (m *mqtt) want(topic, payload string) {
	m.t.Helper()
	kind, body := m.read()
	if want := string(text(topic)) + payload; kind != 0x30 || string(body) != want {
		m.t.Fatalf("got %#x %q, want %q", kind, body, want)
	}
}

// TestMQTT: devices at the MQTT listener of a NATS server and members of a group hear each other.
func TestMQTT(t *testing.T) {
	t.Parallel()
	var set *server.Options // the server notes there which port it has
	s := runServer(t, func(o *server.Options) {
		set = o
		o.ServerName, o.JetStream, o.StoreDir = "mqtt", true, t.TempDir()
		o.MQTT.Host, o.MQTT.Port = "127.0.0.1", -1
	})
	nodes := startNodes(t, 2, one(s))
	device := dialMQTT(t, net.JoinHostPort("127.0.0.1", strconv.Itoa(set.MQTT.Port)), "device")
	for _, c := range []struct{ group, topic string }{
		{"123", "groupcast/g/123"}, {"room:1", "groupcast/g/room:1"}, {"a.b/+", "groupcast/g/a%2Eb%2F%2B"},
	} {
		device.subscribe(c.topic)
		a, b := dialNode(t, nodes[0], envelope), dialNode(t, nodes[1])
		a.join(c.group)
		b.join(c.group)
		device.publish(c.topic, "from the device")
		device.want(c.topic, "from the device") // MQTT 3.1.1 has an echo
		a.want(messageOf(c.group, "from the device"))
		b.want("from the device")
		b.send(map[string]any{"cmd": "send_to_group", "group_id": c.group, "message": "from a member"})
		device.want(c.topic, "from a member")
		a.want(messageOf(c.group, "from a member"))
		b.want("from a member")
		b.send(map[string]any{"cmd": "send_to_group", "group_id": c.group, "message": map[string]int{"x": 1}})
		device.want(c.topic, `{"x":1}`)
	}
	if got := fmt.Sprint(nodes[0].ignored("header"), nodes[0].ignored("subject")); got != "0 0" {
		t.Errorf("ignored: %s", got)
	}
}
