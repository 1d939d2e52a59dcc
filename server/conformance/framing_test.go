package conformance

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gobwas/ws"
)

// 1: messages of all lengths at which the encoding of a length changes, coming and going; and
// lengths and masks that are against RFC 6455, 5.1 and 5.2.
func TestFraming(t *testing.T) {
	var cases []example
	for i, n := range []int{0, 125, 126, 127, 128, 65535, 65536} {
		payload := strings.Repeat("*", n)
		cases = append(cases,
			example{fmt.Sprintf("1.1.%d text of %d bytes", i+1, n), []sending{text(payload)}, []received{message(payload)}, 0},
			// The first is in no JSON string, and the second is.
			example{
				fmt.Sprintf("1.2.%d binary of %d bytes", i+1, n),
				[]sending{binaries(strings.Repeat("\xfe", n))},
				[]received{binaryMessage(strings.Repeat("\xfe", n))},
				0,
			},
			example{
				fmt.Sprintf("1.2.%d binary of %d characters", i+1, n),
				[]sending{binaries(payload)},
				[]received{binaryMessage(payload)},
				0,
			},
		)
		if n -= commandOverhead; n >= 0 {
			payload = payload[:n]
			cases = append(cases, example{
				fmt.Sprintf("command of %d bytes", n+commandOverhead), []sending{text(payload)}, []received{message(payload)}, 0,
			})
		}
	}
	for _, refused := range []struct {
		name string
		sent []byte
	}{
		{"unmasked text", []byte{fin | byte(ws.OpText), 1, 'x'}},
		{"unmasked binary", []byte{fin | byte(ws.OpBinary), 0}},
		{"unmasked ping", []byte{fin | byte(ws.OpPing), 0}},
		{"unmasked close", []byte{fin | byte(ws.OpClose), 2, 0x03, 0xe8}},
		{"unmasked in its first two bytes", []byte{fin | byte(ws.OpText), 126}},
		{"125 in 16 bits", []byte{fin | byte(ws.OpText), 0x80 | 126, 0, 125}},
		{"0 in 16 bits", []byte{fin | byte(ws.OpText), 0x80 | 126, 0, 0, 1, 2, 3, 4}},
		{"65535 in 64 bits", []byte{fin | byte(ws.OpText), 0x80 | 127, 0, 0, 0, 0, 0, 0, 0xff, 0xff}},
		{"1 in 64 bits", []byte{fin | byte(ws.OpText), 0x80 | 127, 0, 0, 0, 0, 0, 0, 0, 1}},
		{"64 bits", []byte{fin | byte(ws.OpText), 0x80 | 127, 0x80}},
	} {
		cases = append(cases, example{refused.name, []sending{raw(refused.sent...)}, nil, 1002})
		// Behind a message, which an echo brings back first.
		cases = append(cases, example{
			refused.name + " behind a message",
			[]sending{text("first"), raw(refused.sent...)},
			[]received{message("first")},
			1002,
		})
	}
	runChapter(t, cases)
}
