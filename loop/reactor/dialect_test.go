package reactor

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"groupcast/loop/order"
	"groupcast/protocol"
)

// words is a dialect for tests that shares no byte with the contract's.
func words() dialect {
	kinds := map[string]protocol.Kind{
		"join": protocol.KindAddGroup, "leave": protocol.KindLeaveGroup,
		"send": protocol.KindSendToGroup, "ping": protocol.KindPing,
	}
	text := func(prefix string) encoding {
		list := func(m *order.Message) string { return fmt.Sprintf("%s %s: %s", prefix, m.Group(), m.Payload()) }
		return encoding{
			size:       func(m *order.Message) int { return len(list(m)) },
			appendText: func(dst []byte, m *order.Message) []byte { return append(dst, list(m)...) },
		}
	}
	return dialect{
		parse: func(_ *parsers, payload []byte, _ bool, c *protocol.Command) *protocol.CommandError {
			f := bytes.SplitN(payload, []byte(" "), 4)
			if c.Kind = kinds[string(f[0])]; c.Kind == 0 {
				c.ReqID = []byte("0")
				return &protocol.CommandError{Code: protocol.CodeBadCommand, Reason: "what?"}
			}
			c.ReqID, c.Group, c.IsText = f[1], f[min(2, len(f)-1)], true
			c.Message = f[len(f)-1]
			return nil
		},
		ack: func(dst []byte, mode protocol.Mode, kind protocol.Kind, reqID []byte) []byte {
			return fmt.Appendf(dst, "%d did %s %s", mode, kind, reqID)
		},
		uncoveredAck: func(dst []byte, mode protocol.Mode, reqID []byte) []byte {
			return fmt.Appendf(dst, "%d did add_group %s, here", mode, reqID)
		},
		refusal: func(dst []byte, mode protocol.Mode, reqID []byte, code protocol.Code, reason string) []byte {
			return fmt.Appendf(dst, "%d no %s %s %s", mode, reqID, code, reason)
		},
		goodbye: func(dst []byte, code ws.StatusCode, reason string) []byte {
			return protocol.AppendFrame(dst, ws.OpClose, fmt.Appendf(nil, "bye %d %s", code, reason))
		},
		ping:      &order.Chunk{Buf: protocol.AppendFrame(nil, ws.OpPing, []byte("well?"))},
		encodings: [modes]encoding{text("low"), text("HIGH")},
	}
}

// TestDialect: all that a session is sent is written in its dialect, and all that it
// says is read in it: nothing of the contract's own is left in the code that handles it.
func TestDialect(t *testing.T) {
	contract := dialects[dialectCommands]
	dialects[dialectCommands] = words()
	t.Cleanup(func() { dialects[dialectCommands] = contract })

	e := startSim(t, func(o *Options) { o.MaxGroupsPerSession = 1 })
	r := e.reactors[0]
	var written map[int32][]byte
	var low, high *Session
	got := func(s *Session) (list []string) {
		onLoop(t, r, func() { list = texts(t, written[s.fd]) })
		return list
	}
	onLoop(t, r, func() {
		written = r.record(0)
		low, high = r.simulate(1, protocol.ModeBare)[0], r.simulate(1, protocol.ModeEnvelope)[0]
		for _, s := range []*Session{low, high} {
			r.read(s, slices.Concat(mask("join 1 g"), mask("join 2 h"), mask("nonsense"), mask("ping 3")))
		}
		// What stands behind a send goes round and comes back in the dialect.
		r.read(low, slices.Concat(mask("send 4 g x"), mask("send 5 g y"),
			mask("ping 6"), mask("leave 7 g"), mask("nonsense")))
	})
	answers := func(mode int, between ...string) []string {
		return slices.Concat([]string{
			fmt.Sprintf("%d did add_group 1", mode),
			fmt.Sprintf("%d no 2 too_many_groups %s", mode, errTooManyGroups.Reason),
			fmt.Sprintf("%d no 0 bad_command what?", mode),
			fmt.Sprintf("%d did ping 3", mode),
		}, between)
	}
	for s, want := range map[*Session][]string{
		low: answers(0, "low g: x", "low g: y", "0 did send_to_group 4", "0 did send_to_group 5", "0 did ping 6",
			"0 did leave_group 7", "0 no 0 bad_command what?"),
		high: answers(1, "HIGH g: x", "HIGH g: y"),
	} {
		waitFor(t, "all answers", func() bool { return len(got(s)) >= len(want) })
		// An ack stands behind the run that it belongs to, so sort what one run may mix.
		list := got(s)
		slices.Sort(list)
		slices.Sort(want)
		if !slices.Equal(list, want) {
			t.Errorf("got  %q\nwant %q", list, want)
		}
	}
	onLoop(t, r, func() {
		clear(written)
		r.ping(low)
		r.closeWith(high, ws.StatusPolicyViolation, "because")
		high.set(flagFinSent) // there is no socket to be shut
		r.settle()
		if list := texts(t, written[low.fd]); !slices.Equal(list, []string{"well?"}) {
			t.Errorf("the ping is %q", list)
		}
		if list := texts(t, written[high.fd]); !slices.Equal(list, []string{"bye 1008 because"}) {
			t.Errorf("the goodbye is %q", list)
		}
	})
}

// TestBatchCountsTheLongestEncoding: the bytes of a batch are those of the longest
// encoding that a member wants.
func TestBatchCountsTheLongestEncoding(t *testing.T) {
	e := startSim(t, nil)
	r := e.reactors[0]
	onLoop(t, r, func() {
		r.sink()
		m := textMessage("g", strings.Repeat("\x01", 1000)) // six bytes each in JSON
		bare, envelope := len(m.Frame.Buf), len(protocol.AppendMessage(nil, "g", m.Payload(), true))+4
		for _, mode := range []protocol.Mode{protocol.ModeBare, protocol.ModeEnvelope} {
			r.simulate(1, mode)[0].joinAs("g")
			want := []int{bare, envelope}[mode]
			r.inject(m)
			r.takeBatch()
			if r.batch.total != want {
				t.Errorf("%d bytes, want %d", r.batch.total, want)
			}
			r.flushAll()
		}
	})
}
