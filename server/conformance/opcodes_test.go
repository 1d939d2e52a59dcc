package conformance

import (
	"fmt"
	"testing"
)

// 4: opcodes that the RFC keeps for later end the connection, with a payload and without,
// alone and behind a message.
func TestOpcodes(t *testing.T) {
	const hello = "Hello, world!"
	var cases []example
	for _, op := range []byte{3, 4, 5, 6, 7, 11, 12, 13, 14, 15} {
		chapter := fmt.Sprintf("4.1.%d", op-2)
		if op > 10 {
			chapter = fmt.Sprintf("4.2.%d", op-10)
		}
		name := fmt.Sprintf("%s opcode %d", chapter, op)
		empty, full := sending{first: fin | op}, sending{first: fin | op, payload: "reserved opcode payload"}
		cases = append(cases,
			example{name, []sending{empty}, nil, 1002},
			example{name + " with a payload", []sending{full}, nil, 1002},
			example{name + " behind a message", []sending{text(hello), empty, ping("")}, []received{message(hello)}, 1002},
			example{
				name + " with a payload behind a message",
				[]sending{text(hello), full, ping("")},
				[]received{message(hello)},
				1002,
			},
			example{name + " inside a message", []sending{open(hello), full, last(hello)}, nil, 1002},
			example{name + " not final", []sending{{first: op}}, nil, 1002},
			example{name + " in one byte", []sending{raw(fin | op)}, nil, 1002},
		)
	}
	runChapter(t, cases)
}
