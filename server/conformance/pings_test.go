package conformance

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gobwas/ws"
)

// 2: each ping is answered with its own payload; pongs are not answered.
func TestPings(t *testing.T) {
	const strange = "\x00\xff\xfe\xfd\xfc\xfb\x00\xff"
	var pings, inTurn []sending
	var pongs []received
	for i := range 10 {
		payload := fmt.Sprintf("payload-%d", i)
		pings = append(pings, ping(payload))
		inTurn = append(inTurn, ping(payload), awaits(i+1))
		pongs = append(pongs, pongOf(payload))
	}
	most := strings.Repeat("\xfe", 125)
	runChapter(t, []example{
		{"2.1 empty", []sending{ping("")}, []received{pongOf("")}, 0},
		{"2.2 small", []sending{ping("Hello, world!")}, []received{pongOf("Hello, world!")}, 0},
		{"2.3 not UTF-8", []sending{ping(strange)}, []received{pongOf(strange)}, 0},
		{"2.4 and 2.6 of 125 bytes", []sending{ping(most)}, []received{pongOf(most)}, 0},
		{"2.5 of 126 bytes", []sending{ping(most + "x")}, nil, 1002},
		{"2.5 of 126 bytes, its first two", []sending{raw(fin|byte(ws.OpPing), 0x80|126)}, nil, 1002},
		{"2.5 of 65,536 bytes, its first two", []sending{raw(fin|byte(ws.OpPing), 0x80|127)}, nil, 1002},
		{"pong of 126 bytes, its first two", []sending{raw(fin|byte(ws.OpPong), 0x80|126)}, nil, 1002},
		{"2.7 pong unasked", []sending{pong("")}, nil, 0},
		{"2.8 pong unasked with a payload", []sending{pong("unsolicited pong payload")}, nil, 0},
		{
			"2.9 pong unasked, then ping",
			[]sending{pong("unsolicited pong payload"), ping("ping payload")},
			[]received{pongOf("ping payload")},
			0,
		},
		{"2.10 and 2.11 ten at once", pings, pongs, 0},
		{"ten in turn", inTurn, pongs, 0},
		{
			"between messages",
			[]sending{text("a"), ping("p"), text("b")},
			[]received{message("a"), pongOf("p"), message("b")},
			0,
		},
	})
}
