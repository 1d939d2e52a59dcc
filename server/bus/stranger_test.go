package bus

import (
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"groupcast/server/bus/wire"
)

// stranger is a program that says what a node would, as the test has it.
type stranger struct {
	t     testing.TB
	conn  *nats.Conn
	name  string
	epoch uint64
}

func newStranger(t testing.TB, s *server.Server, name string, o ...nats.Option) *stranger {
	t.Helper()
	return &stranger{t: t, conn: foreign(t, s, o...), name: name, epoch: 1}
}

// says publishes under a subject.
func (s *stranger) says(to string, c wire.Control) {
	s.t.Helper()
	c.Node, c.Epoch = s.name, s.epoch
	data, err := c.Append(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	s.raw(to, data)
}

func (s *stranger) raw(to string, data []byte) {
	s.t.Helper()
	if err := s.conn.Publish(to, data); err != nil {
		s.t.Fatal(err)
	}
}

// flushed waits until the server has all that was said.
func (s *stranger) flushed() {
	s.t.Helper()
	if err := s.conn.Flush(); err != nil {
		s.t.Fatal(err)
	}
}

// beat is a heartbeat at that place.
func (s *stranger) beat(place uint64) {
	s.t.Helper()
	s.says("groupcast.n.all", wire.Control{Heartbeat: &wire.Heartbeat{Place: place, Program: "stranger"}})
}

// leave is the last one.
func (s *stranger) leave() {
	s.t.Helper()
	s.says("groupcast.n.all", wire.Control{Heartbeat: &wire.Heartbeat{Program: "stranger", Leaving: true}})
}
