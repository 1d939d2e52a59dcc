package main

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"groupcast/bench/internal/process"
)

// dialect is how a server of another kind wants to be spoken to: the same scenarios, the same payloads and the
// same checks, in other words around them. groupcast's own is nil.
type dialect struct {
	name string
	// path of the upgrade; group is the first of the connection's.
	path func(group string) string
	// around is what stands before and behind a payload that is published to group.
	around func(group string) (before, behind string)
	// opened is called when the connection has been upgraded.
	opened func(l *loop, c *conn)
	// heard takes a text; deliver is for the payloads in it.
	heard func(l *loop, c *conn, text []byte)
	// oneGroup: a connection is in one group and cannot leave it. noAcks: nobody says when a join is done.
	oneGroup, noAcks bool
}

var dialects = map[string]*dialect{
	"":           nil,
	"groupcast":  nil,
	"centrifuge": &centrifugeDialect,
	"socketio":   &socketIODialect,
	"nchan":      &nchanDialect,
}

func (o *options) useDialect() error {
	d, known := dialects[o.Dialect]
	if !known {
		return fmt.Errorf("--dialect is groupcast, centrifuge, socketio or nchan, not %q", o.Dialect)
	}
	if d == nil {
		return nil
	}
	o.dialect = d
	o.Acks = o.Acks && !d.noAcks // then a join counts as done a second later
	if o.stepRate > 0 {
		return fmt.Errorf("%s needs leaving, which is not done in the dialect %s", o.scenario, d.name)
	}
	if d.oneGroup {
		for _, s := range o.plan.seats {
			if len(s.groups) > 1 {
				return fmt.Errorf("%s has connections in several groups, and one of %s is in one", o.scenario, d.name)
			}
		}
	}
	return nil
}

// payload delivers what stands behind start in text, if it has the length of a payload and end behind that.
func (l *loop) payload(c *conn, text, start []byte, end string) {
	n := stampBytes + len(l.padding)
	at := bytes.Index(text, start)
	if at < 0 || len(text) < at+len(start)+n+len(end) || string(text[at+len(start)+n:at+len(start)+n+len(end)]) != end {
		l.stats.Damaged++
		return
	}
	l.deliver(c, text[at+len(start):at+len(start)+n])
}

func (l *loop) refused(text []byte) {
	l.fail(fmt.Errorf("the server answered %s", text[:min(len(text), 200)]))
}

// centrifugeDialect is Centrifuge's protocol in JSON: commands with ids, several replies and pushes in one
// frame, a line each, and pings that are empty objects.
var centrifugeDialect = dialect{
	name: "centrifuge",
	path: func(string) string { return "/connection/websocket" },
	around: func(group string) (string, string) {
		return fmt.Sprintf(`{"id":1000000,"publish":{"channel":%q,"data":"`, group), `"}}`
	},
	opened: func(l *loop, c *conn) {
		c.out = appendFrame(c.out, opText, `{"id":1,"connect":{}}`)
		l.flush(c)
	},
	heard: func(l *loop, c *conn, text []byte) {
		for line := range bytes.SplitSeq(text, newline) {
			switch {
			case bytes.HasPrefix(line, centrifugePush):
				l.payload(c, line, centrifugeData, `"`)
			case len(line) == 2:
				c.out = appendFrame(c.out, opText, "{}")
				l.flush(c)
			case bytes.Contains(line, centrifugeError):
				l.refused(line)
			case bytes.HasPrefix(line, centrifugeConnected):
				l.joinEach(c, func(i int, group string) string {
					return fmt.Sprintf(`{"id":%d,"subscribe":{"channel":%q}}`, 2+i, group)
				})
			case bytes.Contains(line, centrifugeSubscribed):
				l.acknowledged(c)
			}
		}
	},
}

var (
	newline              = []byte("\n")
	centrifugePush       = []byte(`{"push":`)
	centrifugeData       = []byte(`"data":"`)
	centrifugeError      = []byte(`"error":`)
	centrifugeConnected  = []byte(`{"id":1,"connect":`)
	centrifugeSubscribed = []byte(`,"subscribe":`)
)

// socketIODialect is Socket.IO 4 over Engine.IO 4: packets that begin with their types' digits. Its events are those of
// the peer's program: join, with an ack; send; and m, which brings a message.
var socketIODialect = dialect{
	name: "socketio",
	path: func(string) string { return "/socket.io/?EIO=4&transport=websocket" },
	around: func(group string) (string, string) {
		return fmt.Sprintf(`42["send",%q,"`, group), `"]`
	},
	opened: func(*loop, *conn) {}, // the server speaks first
	heard: func(l *loop, c *conn, text []byte) {
		switch {
		case bytes.HasPrefix(text, socketIOMessage):
			l.payload(c, text, socketIOMessage, `"]`)
		case len(text) == 1 && text[0] == '2': // ping
			c.out = appendFrame(c.out, opText, "3")
			l.flush(c)
		case len(text) > 1 && text[0] == '0': // open
			c.out = appendFrame(c.out, opText, "40")
			l.flush(c)
		case bytes.HasPrefix(text, socketIOConnected):
			l.joinEach(c, func(i int, group string) string {
				return "42" + strconv.Itoa(i) + `["join",` + strconv.Quote(group) + `]`
			})
		case bytes.HasPrefix(text, socketIOAck):
			l.acknowledged(c)
		default:
			l.refused(text)
		}
	},
}

var (
	socketIOMessage   = []byte(`42["m","`)
	socketIOConnected = []byte("40{")
	socketIOAck       = []byte("43")
)

// nchanDialect is Nchan's: a group is a location, and a WebSocket there both publishes and gets what is
// published, bare.
var nchanDialect = dialect{
	name:     "nchan",
	path:     func(group string) string { return "/pubsub/" + group },
	around:   func(string) (string, string) { return "", "" },
	opened:   func(l *loop, c *conn) { l.joined(c) },
	heard:    func(l *loop, c *conn, text []byte) { l.deliver(c, text) },
	oneGroup: true,
	noAcks:   true,
}

// joinEach asks for all of the seat's groups at once.
func (l *loop) joinEach(c *conn, command func(i int, group string) string) {
	groups := l.plan.seats[c.seat].groups
	for i, g := range groups {
		c.out = appendFrame(c.out, opText, command(i, l.plan.names[g]))
	}
	c.awaiting = int32(len(groups))
	l.flush(c)
}

// around is what a published message has before and behind its payload.
func (o *options) around(group string) (before, behind string) {
	switch {
	case o.PublishAPI != "":
		return fmt.Sprintf("POST /v1/groups/%s/messages HTTP/1.1\r\n"+
			"Host: %s\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n", group, o.PublishAPI, o.size), ""
	case o.dialect != nil:
		return o.dialect.around(group)
	}
	return fmt.Sprintf(`{"cmd":"send_to_group","group_id":%q,"message":"`, group), `"}`
}

// useAPI checks what publishing over HTTP needs.
func (o *options) useAPI() error {
	if o.PublishAPI != "" && o.dialect != nil {
		return errors.New("--publish-api is groupcast's own")
	}
	if o.PublishAPI != "" && !o.Remote && !strings.HasPrefix(o.PublishAPI, "127.") {
		return fmt.Errorf("%s is not loopback: add --remote if it is yours to load", o.PublishAPI)
	}
	return nil
}

// placeAPI puts a free port in for {api}, where the server is started.
func (o *options) placeAPI() error {
	if o.Server == "" || !strings.Contains(o.PublishAPI, "{api}") {
		return nil
	}
	ports, err := process.FreePorts(1)
	if err != nil {
		return err
	}
	port := strconv.Itoa(ports[0])
	o.Server = strings.ReplaceAll(o.Server, "{api}", port)
	o.PublishAPI = strings.ReplaceAll(o.PublishAPI, "{api}", port)
	return nil
}
