package conformance

import (
	"testing"

	"github.com/gobwas/ws"
)

// 3: no extension is negotiated, so every reserved bit is an error, on any frame. What was
// whole in front of it counts; nothing behind it does.
func TestReservedBits(t *testing.T) {
	hello := text("Hello, world!")
	runChapter(t, []example{
		{"3.1 RSV3 on text", []sending{reserved(1, hello)}, nil, 1002},
		{
			"3.2 RSV2 on the second message",
			[]sending{hello, reserved(2, hello), ping("")},
			[]received{message("Hello, world!")},
			1002,
		},
		{
			"3.3 and 3.4 RSV2 and RSV3 on the second message",
			[]sending{hello, reserved(3, hello), ping("")},
			[]received{message("Hello, world!")},
			1002,
		},
		{"3.4 RSV1 on text", []sending{reserved(4, hello), ping("")}, nil, 1002},
		{"3.5 RSV1 and RSV3 on binary", []sending{reserved(5, binaries("\x00\xff\xfe\xfd"))}, nil, 1002},
		{"3.6 RSV1 and RSV2 on a ping", []sending{reserved(6, ping("Hello, world!"))}, nil, 1002},
		{"3.7 all on a close", []sending{reserved(7, closing(1000, ""))}, nil, 1002},
		{"RSV1 on a pong", []sending{reserved(4, pong(""))}, nil, 1002},
		{"RSV1 on a last fragment", []sending{open("a"), reserved(4, last("b"))}, nil, 1002},
		{"RSV3 on a fragment", []sending{open("a"), reserved(1, more("b"))}, nil, 1002},
		{"RSV1 in one byte", []sending{raw(fin | byte(ws.OpText) | 0x40)}, nil, 1002},
		{"RSV2 in one byte", []sending{raw(byte(ws.OpBinary) | 0x20)}, nil, 1002},
	})
}

// 12 and 13: permessage-deflate is offered in each of its forms, and never accepted; what is
// sent as if it had been is an error. (connect fails where the answer has an extension.)
func TestNoExtensions(t *testing.T) {
	product := startProduct(t, nil)
	for _, offer := range []string{
		"permessage-deflate",
		"permessage-deflate; client_no_context_takeover; client_max_window_bits",
		"permessage-deflate; server_no_context_takeover; server_max_window_bits=9",
		"permessage-deflate, permessage-deflate; server_max_window_bits=15",
		"x-webkit-deflate-frame",
		"permessage-bzip2, permessage-deflate",
		`x-own; q="a, b"`,
	} {
		t.Run(offer, func(t *testing.T) {
			p := connect(t, product.plain, nil, "Sec-WebSocket-Extensions: "+offer)
			d := product.greet(p, 1)
			plain := example{"", []sending{text("Hello")}, []received{message("Hello")}, 0}
			plain.run(p, d, 1<<20)
			p = connect(t, product.secured, product.client, "Sec-WebSocket-Extensions: "+offer)
			d = product.greet(p, 2)
			// "Hello", deflated, as in RFC 7692, 7.2.3.1
			deflated := reserved(4, text("\xf2\x48\xcd\xc9\xc9\x07\x00"))
			example{"", []sending{deflated}, nil, 1002}.run(p, d, 1<<20)
		})
	}
	product.settles(t, 0)
}
