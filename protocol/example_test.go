package protocol_test

import (
	"fmt"
	"os"

	"github.com/gobwas/ws"

	"groupcast/protocol"
)

// What a client sends is one command for each message.
func ExampleCommandParser() {
	parser := protocol.NewCommandParser(256)
	var command protocol.Command // of the caller's: it is filled anew each time
	for _, payload := range []string{
		`{"cmd":"send_to_group","group_id":"123","message":"hi"}`,
		`{"cmd":"add_group"}`,
	} {
		if err := parser.Parse([]byte(payload), false, &command); err != nil {
			fmt.Fprintln(os.Stdout, err.Code)
			continue
		}
		fmt.Fprintf(os.Stdout, "%s to %s\n", command.Message, command.Group)
	}
	// Output:
	// hi to 123
	// bad_group
}

// What the server sends is appended to a buffer of the caller's: the message as a member in
// envelope mode gets it, in its frame.
func ExampleAppendMessage() {
	envelope := protocol.AppendMessage(nil, "123", []byte("hi"), true)
	frame := protocol.AppendFrame(nil, ws.OpText, envelope)
	fmt.Fprintf(os.Stdout, "% x %s\n", frame[:2], frame[2:])
	// Output:
	// 81 32 {"type":"message","group_id":"123","message":"hi"}
}
