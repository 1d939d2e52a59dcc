package server

import (
	"encoding/binary"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"groupcast/loop"
	"groupcast/server/monitor"
	"groupcast/server/token"
)

// The name of a token's user is one that can be published to.
func TestUserNamesAreOfOneLength(t *testing.T) {
	if loop.MaxUserBytes != token.MaxUserBytes {
		t.Errorf("published to users of %d bytes at most, tokens have %d", loop.MaxUserBytes, token.MaxUserBytes)
	}
}

// A token's user gets what is published to it on all its sessions, as soon as they are open, and
// also once a session has become that user's; a Channel subscriber and the anonymous do not.
func TestPublishToUsers(t *testing.T) {
	file := secretFile(t, secretText)
	s := startServer(t, func(o *Options) {
		o.TokenKeyFiles, o.TokenOptional, o.Channel = []string{file}, true, []string{"127.0.0.1:0"}
	})
	at := s.Addresses()[0]
	seven := grant(t, file, token.Grant{Join: []string{"*"}, Publish: []string{"*"}})
	publish := func(p loop.Publication, text string) {
		t.Helper()
		p.Payload, p.IsText = []byte(text), true
		if _, err := s.engine.PublishAll(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	subscriber := subscribe(t, s)
	mine := []*websocket.Conn{mustSession(t, at, seven), mustSession(t, at, seven)}
	anonymous := mustSession(t, at, "")
	publish(loop.Publication{Users: []string{"7"}}, "one")
	for _, c := range mine {
		hear(t, c, `{"type":"user_message","message":"one"}`)
	}
	say(t, anonymous, `{"cmd":"add_group","group_id":"7","req_id":1}`)
	hear(t, anonymous, `"req_id":1`)
	// What a client sends to a group of the user's name is the group's.
	say(t, mine[0], `{"cmd":"send_to_group","group_id":"7","message":"of the group"}`)
	hear(t, anonymous, `"group_id":"7","message":"of the group"`)
	say(t, anonymous, `{"cmd":"auth","token":"`+seven+`","req_id":2}`)
	hear(t, anonymous, `{"type":"ack","req_id":2}`)
	publish(loop.Publication{Users: []string{"7"}}, "two")
	for _, c := range append(mine, anonymous) {
		hear(t, c, `{"type":"user_message","message":"two"}`)
	}
	publish(loop.Publication{Groups: []string{"7"}}, "last")
	if got := heard(t, subscriber, "last"); strings.Contains(got, "one") || strings.Contains(got, "two") {
		t.Errorf("a Channel subscriber got %q", got)
	}
}

// subscribe is a program at the Channel server, which has been taken as a subscriber.
func subscribe(t *testing.T, s *Server) net.Conn {
	t.Helper()
	for _, l := range s.listeners() {
		if l.Kind != monitor.KindChannel {
			continue
		}
		c := dial(t, l.Address)
		for _, body := range []string{
			`a:2:{s:4:"type";s:9:"subscribe";s:8:"channels";a:1:{i:0;s:13:"send_to_group";}}`,
			`a:3:{s:4:"type";s:7:"publish";s:8:"channels";a:1:{i:0;s:13:"send_to_group";}` +
				`s:4:"data";a:2:{s:8:"group_id";s:5:"ready";s:7:"message";s:5:"ready";}}`,
		} {
			frame := binary.BigEndian.AppendUint32(nil, uint32(4+len(body)))
			if _, err := c.Write(append(frame, body...)); err != nil {
				t.Fatal(err)
			}
		}
		heard(t, c, "ready")
		return c
	}
	t.Fatal("there is no Channel server")
	return nil
}

// heard is all that comes up to text.
func heard(t *testing.T, c net.Conn, text string) (all string) {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 4096)
	for !strings.Contains(all, text) {
		n, err := c.Read(b)
		if all += string(b[:n]); err != nil {
			t.Fatalf("waited for %s: %v behind %q", text, err, all)
		}
	}
	return all
}
