// Package wire is what the Go peers have in common with the server they are compared with: the commands and their acks.
//
// They parse with the same JSON library as that server, so that a comparison is about delivering messages and not about
// JSON.
package wire

import (
	"errors"

	"github.com/bytedance/sonic"
)

// MaxMessageBytes is the longest command that is read: the default of the server they are compared with.
const MaxMessageBytes = 64 << 10

// MaxBacklogBytes is how much may wait for one client before it is closed: also that server's default.
const MaxBacklogBytes = 1 << 20

// Command is one message of a client. Message is what is delivered, bare; Ack is the answer, nil if none is wanted.
type Command struct {
	Verb    string
	Group   string
	Message []byte
	Ack     []byte
}

// The verbs.
const (
	AddGroup    = "add_group"
	LeaveGroup  = "leave_group"
	SendToGroup = "send_to_group"
)

var errIncomplete = errors.New("a group_id, and a message to send, are needed")

// Parse reads a command. Nothing of the result refers to b.
func Parse(b []byte) (Command, error) {
	var raw struct {
		Cmd     string                 `json:"cmd"`
		GroupID sonic.NoCopyRawMessage `json:"group_id"`
		Message sonic.NoCopyRawMessage `json:"message"`
		ReqID   sonic.NoCopyRawMessage `json:"req_id"`
	}
	if err := sonic.Unmarshal(b, &raw); err != nil {
		return Command{}, err
	}
	if len(raw.GroupID) == 0 || raw.Cmd == SendToGroup && len(raw.Message) == 0 {
		return Command{}, errIncomplete
	}
	group, err := bare(raw.GroupID)
	if err != nil {
		return Command{}, err
	}
	c := Command{Verb: raw.Cmd, Group: string(group)}
	if raw.Cmd == SendToGroup {
		if c.Message, err = bare(raw.Message); err != nil {
			return Command{}, err
		}
	}
	if len(raw.ReqID) > 0 {
		c.Ack = append(append([]byte(`{"cmd":"ack","req_id":`), raw.ReqID...), '}')
	}
	return c, nil
}

// bare is a string's characters, and any other JSON value as its text; in either case a copy.
func bare(raw []byte) ([]byte, error) {
	if raw[0] != '"' {
		return append([]byte(nil), raw...), nil
	}
	var s string
	if err := sonic.Unmarshal(raw, &s); err != nil {
		return nil, err
	}
	return []byte(s), nil
}

// Error answers a command that Parse refused.
func Error(err error) []byte {
	reason, _ := sonic.Marshal(err.Error())
	return append(append([]byte(`{"cmd":"error","code":"bad_command","reason":`), reason...), '}')
}
