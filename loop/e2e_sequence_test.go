package loop

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/gobwas/ws"
	"golang.org/x/sync/errgroup"
)

// A session's commands are carried out and answered in the order in which they
// came, whatever has to go round by the broker in between.

// TestLeaveBehindSend: a send and a leave in one segment. The sender's own copy
// comes, then the two answers in their order.
func TestLeaveBehindSend(t *testing.T) {
	e, addr := start(t, nil)
	w, other := open(t, addr), open(t, addr)
	w.join("g")
	other.join("g")
	w.write(slices.Concat(
		textFrame(`{"cmd":"send_to_group","group_id":"g","message":"one","req_id":1}`),
		textFrame(`{"cmd":"leave_group","group_id":"g","req_id":2}`),
		textFrame(`{"cmd":"nonsense","req_id":3}`),
		textFrame(`{"cmd":"send_to_group","group_id":"g","message":"two","req_id":4}`),
		textFrame(`{"cmd":"add_group","group_id":"g","req_id":5}`),
		textFrame(`{"cmd":"ping","req_id":6}`),
		textFrame(`{"cmd":"add_group","group_id":"","req_id":7}`),
		textFrame(`{"cmd":"send_to_group","group_id":"g","message":"three","req_id":8}`),
	))
	w.want("one", ackOf("1"), ackOf("2"))
	w.wantError("bad_command", "3")
	w.want(ackOf("4"), ackOf("5"), ackOf("6"))
	w.wantError("bad_group", "7")
	w.want("three", ackOf("8"))
	other.want("one", "two", "three")
	if n := sum(t, e).Deferred; n != 5 {
		t.Errorf("%d waited behind a send, want 5: all but the sends", n)
	}
	w.sync() // with nothing under way, nothing waits
	if n := sum(t, e).Deferred; n != 5 {
		t.Errorf("%d waited behind a send after a command alone", n)
	}
}

// TestCommandsKeepTheirOrder: sessions send random commands in random segments
// through rings down to one slot. Each has its answers in the order of its
// commands, and of its own sends exactly those that it was a member for, each in
// front of its ack.
func TestCommandsKeepTheirOrder(t *testing.T) {
	for _, test := range []struct{ loops, slots int }{{1, 1024}, {2, 1}, {3, 4}} {
		t.Run(fmt.Sprintf("loops=%d/slots=%d", test.loops, test.slots), func(t *testing.T) {
			t.Parallel()
			_, addr := start(t, func(o *Options) {
				o.Loops, o.RingSlots = test.loops, test.slots
				o.MaxGroupsPerSession = 2 // so that some joins are refused
			})
			var work errgroup.Group
			for i := range 2 * test.loops {
				w := open(t, addr)
				work.Go(func() error { return talkAtRandom(w, uint64(i)) })
			}
			if err := work.Wait(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// talkAtRandom sends a thousand commands and checks what comes of them.
func talkAtRandom(w *wire, seed uint64) error {
	const commands, groups = 1000, 4
	dice := rand.New(rand.NewPCG(seed, 1))
	me := fmt.Sprintf("%d:", seed)
	var want, wantOwn []string
	member := map[string]bool{}
	var segment []byte
	var sending errgroup.Group
	segments := make(chan []byte, commands)
	for id := range commands {
		group := fmt.Sprintf("g%d", dice.IntN(groups))
		say := func(format string, args ...any) {
			segment = append(segment, textFrame(fmt.Sprintf(format, args...))...)
		}
		switch dice.IntN(6) {
		case 0:
			say(`{"cmd":"add_group","group_id":%q,"req_id":%d}`, group, id)
			if member[group] || len(member) < 2 {
				member[group] = true
				want = append(want, ackOf(fmt.Sprint(id)))
			} else {
				want = append(want, fmt.Sprintf("error %d too_many_groups", id))
			}
		case 1:
			say(`{"cmd":"leave_group","group_id":%q,"req_id":%d}`, group, id)
			delete(member, group)
			want = append(want, ackOf(fmt.Sprint(id)))
		case 2:
			say(`{"cmd":"nonsense","req_id":%d}`, id)
			want = append(want, fmt.Sprintf("error %d bad_command", id))
		default:
			say(`{"cmd":"send_to_group","group_id":%q,"message":"%s%d","req_id":%d}`, group, me, id, id)
			if member[group] {
				wantOwn = append(wantOwn, fmt.Sprint(id))
			}
			want = append(want, ackOf(fmt.Sprint(id)))
		}
		if dice.IntN(8) == 0 || id == commands-1 {
			segments <- segment
			segment = nil
		}
	}
	close(segments)
	sending.Go(func() error {
		for segment := range segments {
			if err := w.tryWrite(segment); err != nil {
				return err
			}
		}
		return nil
	})
	var own []string
	for i := 0; i < len(want); {
		op, text, err := w.tryRead()
		switch {
		case err != nil:
			return fmt.Errorf("session %d, after %d answers: %w", seed, i, err)
		case op != ws.OpText:
			return fmt.Errorf("session %d: opcode %d", seed, op)
		}
		if !strings.HasPrefix(text, "{") { // a message, perhaps another's
			if id, ok := strings.CutPrefix(text, me); ok {
				own = append(own, id)
			}
			continue
		}
		if rest, ok := strings.CutPrefix(text, `{"cmd":"error","req_id":`); ok {
			id, rest, _ := strings.Cut(rest, `,"code":"`)
			code, _, _ := strings.Cut(rest, `"`)
			text = fmt.Sprintf("error %s %s", id, code)
		}
		if text != want[i] {
			return fmt.Errorf("session %d: answer %d is %q, want %q", seed, i, text, want[i])
		}
		i++
		for len(wantOwn) > 0 && text == ackOf(wantOwn[0]) {
			if len(own) == 0 || own[0] != wantOwn[0] {
				return fmt.Errorf("session %d: %s came without its message before it; those are %q", seed, text, own)
			}
			own, wantOwn = own[1:], wantOwn[1:]
		}
	}
	if len(own)+len(wantOwn) > 0 {
		return fmt.Errorf("session %d: %q came and should not have, %q did not", seed, own, wantOwn)
	}
	return sending.Wait()
}
