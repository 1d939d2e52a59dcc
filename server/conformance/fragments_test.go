package conformance

import (
	"slices"
	"testing"

	"github.com/gobwas/ws"
)

// 5: fragments follow each other; only control frames, which are whole, may stand between.
func TestFragments(t *testing.T) {
	const (
		one, two = "fragment1", "fragment2"
		nothing  = "non-continuation payload"
		hello    = "Hello, world!"
		data     = "ping payload"
	)
	notFinal := func(s sending) sending {
		s.first &^= fin
		return s
	}
	first := func(op ws.OpCode, payload string) sending { return sending{first: byte(op), payload: payload} }
	five := []sending{
		open("fragment1"), more("fragment2"), ping("pongme 1!"), more("fragment3"), ping("pongme 2!"), more("fragment4"),
		last("fragment5"),
	}
	fiveBack := []received{
		pongOf("pongme 1!"), pongOf("pongme 2!"), message("fragment1fragment2fragment3fragment4fragment5"),
	}
	paused := slices.Insert(slices.Clone(five), 3, awaits(1))
	paused = slices.Insert(paused, 6, awaits(2))
	runChapter(t, []example{
		{"5.1 ping in two", []sending{notFinal(ping(one)), last(two)}, nil, 1002},
		{"5.2 pong in two", []sending{notFinal(pong(one)), last(two)}, nil, 1002},
		{"close in two", []sending{notFinal(closing(1000, one)), last(two)}, nil, 1002},
		{"ping in two, its first byte", []sending{raw(byte(ws.OpPing))}, nil, 1002},
		{"5.3 to 5.5 text in two", []sending{open(one), last(two)}, []received{message(one + two)}, 0},
		{
			"binary in two",
			[]sending{first(ws.OpBinary, one), last(two)},
			[]received{binaryMessage(one + two)},
			0,
		},
		{
			"5.6 to 5.8 a ping between",
			[]sending{open(one), ping(data), last(two)},
			[]received{pongOf(data), message(one + two)},
			0,
		},
		{
			"a ping is answered before the message is whole",
			[]sending{open(one), ping(data), awaits(1), last(two)},
			[]received{pongOf(data), message(one + two)},
			0,
		},
		{"a pong between", []sending{open(one), pong(data), last(two)}, []received{message(one + two)}, 0},
		{"5.9 to 5.11 end of nothing", []sending{last(nothing), text(hello)}, nil, 1002},
		{"5.12 to 5.14 more of nothing", []sending{more(nothing), text(hello)}, nil, 1002},
		{
			"5.15 more behind the end",
			[]sending{open(one), last(two), more(nothing), text(hello)},
			[]received{message(one + two)},
			1002,
		},
		{
			"5.16 more of nothing, twice",
			[]sending{more(one), open(one), last(two), more(one), open(one), last(two)},
			nil, 1002,
		},
		{
			"5.17 end of nothing, twice",
			[]sending{last(one), open(one), last(two), last(one), open(one), last(two)},
			nil, 1002,
		},
		{"5.18 text inside a message", []sending{open(one), text(two)}, nil, 1002},
		{"binary inside a message", []sending{open(one), binaries(two)}, nil, 1002},
		{"a message begins inside a message", []sending{open(one), open(two)}, nil, 1002},
		{"5.19 five, with pauses", paused, fiveBack, 0},
		{"5.20 five, at once", five, fiveBack, 0},
		{
			"two messages in two each",
			[]sending{open("a"), last("b"), open("c"), last("d")},
			[]received{message("ab"), message("cd")},
			0,
		},
		{"one byte in a thousand", slices.Concat(
			[]sending{open("")}, slices.Repeat([]sending{more("")}, 998), []sending{last("x")},
		), []received{message("x")}, 0},
		{"closed inside a message", []sending{open(one), closing(1000, ""), last(two)}, nil, 1000},
	})
}
