package main

import (
	"bytes"
	"fmt"
	"strconv"
)

// dialect is how a server is spoken to.
type dialect struct {
	path      string
	protocols []string // of WebSocket, that are offered
	// begin is called behind the upgrade.
	begin func(*client) error
	// join is the command, which is acknowledged with this number.
	join func(group string, id int) string
	// joined is the number of the join that text acknowledges; whole is false if it does not hold everywhere.
	joined func(text []byte) (id int, whole, ok bool)
	// publish is what stands before and behind a payload.
	publish func(group string) (before, behind string)
	// payloads calls take for each payload in text.
	payloads func(c *client, text []byte, take func([]byte)) error
	// gap reports whether text says that messages may have been lost; nil where nothing says so.
	gap func(text []byte) bool
}

var groupcast = &dialect{
	path:  "/",
	begin: func(*client) error { return nil },
	join: func(group string, id int) string {
		return fmt.Sprintf(`{"cmd":"add_group","group_id":%q,"req_id":%d}`, group, id)
	},
	joined: func(text []byte) (id int, whole, ok bool) { return ackOf(text, `{"cmd":"ack","req_id":`) },
	publish: func(group string) (before, behind string) {
		return fmt.Sprintf(`{"cmd":"send_to_group","group_id":%q,"message":"`, group), `"}`
	},
	payloads: func(_ *client, text []byte, take func([]byte)) error {
		take(text)
		return nil
	},
}

// envelopes is groupcast's other form, in which a member is told of a gap and stays.
var envelopes = &dialect{
	path:      groupcast.path,
	protocols: []string{"groupcast.v1"},
	begin:     groupcast.begin,
	join:      groupcast.join,
	joined:    func(text []byte) (id int, whole, ok bool) { return ackOf(text, `{"type":"ack","req_id":`) },
	publish:   groupcast.publish,
	payloads: func(_ *client, text []byte, take func([]byte)) error {
		if _, rest, ok := bytes.Cut(text, []byte(`"message":"`)); ok {
			take(bytes.TrimSuffix(rest, []byte(`"}`)))
		}
		return nil
	},
	gap: func(text []byte) bool { return bytes.HasPrefix(text, []byte(`{"type":"gap"`)) },
}

// ackOf reads an ack that begins so.
func ackOf(text []byte, begin string) (id int, whole, ok bool) {
	rest, ok := bytes.CutPrefix(text, []byte(begin))
	end := bytes.IndexAny(rest, ",}")
	if !ok || end < 0 {
		return 0, false, false
	}
	id, err := strconv.Atoi(string(rest[:end]))
	return id, rest[end] == '}', err == nil
}

// centrifuge is Centrifuge's protocol in JSON: commands with ids, several replies and pushes in one frame, a
// line each, and pings that are empty objects.
var centrifuge = &dialect{
	path: "/connection/websocket",
	begin: func(c *client) error {
		if err := c.say(`{"id":1,"connect":{}}`); err != nil {
			return err
		}
		text, err := c.next()
		if err == nil && !bytes.HasPrefix(text, []byte(`{"id":1,"connect":`)) {
			err = fmt.Errorf("it answered %s", text)
		}
		return err
	},
	join: func(group string, id int) string {
		return fmt.Sprintf(`{"id":%d,"subscribe":{"channel":%q}}`, id+2, group)
	},
	joined: func(text []byte) (id int, whole, ok bool) {
		_, err := fmt.Sscanf(string(text), `{"id":%d,"subscribe":{`, &id)
		return id - 2, true, err == nil
	},
	publish: func(group string) (before, behind string) {
		return fmt.Sprintf(`{"id":1000000,"publish":{"channel":%q,"data":"`, group), `"}}`
	},
	payloads: func(c *client, text []byte, take func([]byte)) error {
		for line := range bytes.SplitSeq(text, []byte("\n")) {
			switch {
			case len(line) == 2:
				if err := c.say("{}"); err != nil {
					return err
				}
			case bytes.HasPrefix(line, []byte(`{"push":`)):
				_, rest, _ := bytes.Cut(line, []byte(`"data":"`))
				payload, _, _ := bytes.Cut(rest, []byte(`"`))
				take(payload)
			}
		}
		return nil
	},
}

// socketIO is Socket.IO 4 over Engine.IO 4, with the events of bench/peers: join, with an ack; send; m.
var socketIO = &dialect{
	path: "/socket.io/?EIO=4&transport=websocket",
	begin: func(c *client) error {
		if _, err := c.next(); err != nil { // it speaks first
			return err
		}
		if err := c.say("40"); err != nil {
			return err
		}
		text, err := c.next()
		if err == nil && !bytes.HasPrefix(text, []byte("40{")) {
			err = fmt.Errorf("it answered %s", text)
		}
		return err
	},
	join: func(group string, id int) string {
		return "42" + strconv.Itoa(id) + `["join",` + strconv.Quote(group) + `]`
	},
	joined: func(text []byte) (id int, whole, ok bool) {
		_, err := fmt.Sscanf(string(text), `43%d[]`, &id)
		return id, true, err == nil
	},
	publish: func(group string) (before, behind string) { return fmt.Sprintf(`42["send",%q,"`, group), `"]` },
	payloads: func(c *client, text []byte, take func([]byte)) error {
		if len(text) == 1 && text[0] == '2' { // ping
			return c.say("3")
		}
		if rest, ok := bytes.CutPrefix(text, []byte(`42["m","`)); ok {
			payload, _, _ := bytes.Cut(rest, []byte(`"`))
			take(payload)
		}
		return nil
	},
}
