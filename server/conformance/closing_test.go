package conformance

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gobwas/ws"
)

// 7: a close frame is answered, with its own code where it has one, and nothing follows;
// one that is wrong is answered with the code for that.
func TestClosing(t *testing.T) {
	const hello = "Hello World!"
	bye := func(payload string) sending { return sending{first: fin | byte(ws.OpClose), payload: payload} }
	large := strings.Repeat("BAsd7&jh23", 256<<10/10)
	cases := []example{
		{"7.1.1 behind a message", []sending{text(hello), awaits(1), closing(1000, "")}, []received{message(hello)}, 1000},
		{"7.1.2 twice", []sending{closing(1000, ""), closing(1000, "")}, nil, 1000},
		{"7.1.3 a ping behind", []sending{closing(1000, ""), ping("")}, nil, 1000},
		{"7.1.4 a message behind", []sending{closing(1000, ""), text(hello)}, nil, 1000},
		{"7.1.5 inside a message", []sending{open("fragment1"), closing(1000, ""), last("fragment2")}, nil, 1000},
		{
			"7.1.6 behind a large message",
			[]sending{text(large), awaits(1), closing(1000, ""), ping("")},
			[]received{message(large)},
			1000,
		},
		{"garbage behind", []sending{closing(1000, ""), raw(0xff, 0xff, 0xff)}, nil, 1000},
		{"7.3.1 empty", []sending{bye("")}, nil, 1000},
		{"7.3.2 one byte", []sending{bye("a")}, nil, 1002},
		{"7.3.3 a code", []sending{closing(1000, "")}, nil, 1000},
		{"7.3.4 a code and a reason", []sending{closing(1000, hello)}, nil, 1000},
		{"7.3.5 the longest reason", []sending{closing(1000, strings.Repeat("*", 123))}, nil, 1000},
		{"7.3.6 a reason too long", []sending{closing(1000, strings.Repeat("*", 124))}, nil, 1002},
		{"7.3.6 a reason too long, its first two bytes", []sending{raw(fin|byte(ws.OpClose), 0x80|126)}, nil, 1002},
		{"7.5.1 a reason not UTF-8", []sending{closing(1000, "\xce\xba\xed\xa0\x80edited")}, nil, 1007},
		{"a reason not UTF-8 behind a wrong code", []sending{closing(1005, "\xff")}, nil, 1002},
	}
	codes := map[string][]ws.StatusCode{
		"7.7": {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999},
		"7.9": {0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535},
	}
	for chapter, codes := range codes {
		for _, code := range codes {
			answer := code
			if chapter == "7.9" {
				answer = 1002
			}
			cases = append(cases,
				example{fmt.Sprintf("%s code %d", chapter, code), []sending{closing(code, "")}, nil, answer},
				example{fmt.Sprintf("%s code %d with a reason", chapter, code), []sending{closing(code, "bye")}, nil, answer},
			)
		}
	}
	runChapter(t, cases)
}
