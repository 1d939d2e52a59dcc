package reactor

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"groupcast/loop/order"
	"groupcast/protocol"
)

// goodbye1013 is the payload of the close frame of who cannot be told of a gap.
const goodbye1013 = "\x03\xf5" + gapReason

// gapHere has a gap in the loop's egress ring, as publishHere has a message. On the loop.
func (e *sim) gapHere(tb testing.TB, groups ...string) {
	tb.Helper()
	before := e.reactors[0].port.Stats().EgressLen
	if err := e.broker.Gap(context.Background(), groups); err != nil {
		tb.Fatal(err)
	}
	waitFor(tb, "the gap", func() bool { return e.reactors[0].port.Stats().EgressLen == before+len(groups) })
}

func toldGap(group string) string {
	return fmt.Sprintf(`{"type":"gap","group_id":%q,"missed":"unknown"}`, group)
}

func enveloped(group, text string) string {
	return fmt.Sprintf(`{"type":"message","group_id":%q,"message":%q}`, group, text)
}

// TestGap: members in envelope mode are told between the messages, others are closed, once, and
// who is in other groups hears nothing.
func TestGap(t *testing.T) {
	e := startSim(t, nil)
	r := e.reactors[0]
	onLoop(t, r, func() {
		written := r.record(0)
		defer func() { r.doomed = nil }() // they have no connections to close
		told, bare := r.simulate(2, protocol.ModeEnvelope), r.simulate(2, protocol.ModeBare)
		other := append(r.simulate(1, protocol.ModeEnvelope), r.simulate(1, protocol.ModeBare)...)
		for _, s := range slices.Concat(told, bare) {
			s.joinAs("a")
			s.joinAs("b")
		}
		told[1].exit("b")
		for _, s := range other {
			s.joinAs("c")
		}
		send := func(text string, groups ...string) {
			for _, group := range groups {
				m := textMessage(group, text)
				m.Outside = &order.Outside{}
				e.publishHere(t, m)
			}
		}
		send("1", "a", "a")
		e.gapHere(t, "a", "b", "nobody")
		send("2", "a", "c")
		r.turn()
		for i, c := range []struct {
			s    *Session
			want []string
		}{
			{told[0], []string{
				enveloped("a", "1"), enveloped("a", "1"), toldGap("a"), toldGap("b"), enveloped("a", "2"),
			}},
			{told[1], []string{enveloped("a", "1"), enveloped("a", "1"), toldGap("a"), enveloped("a", "2")}},
			{bare[0], []string{"1", "1", "2"}},
			{other[0], []string{enveloped("c", "2")}},
			{other[1], []string{"2"}},
		} {
			if got := texts(t, written[c.s.fd]); !slices.Equal(got, c.want) {
				t.Errorf("%d got %q, want %q", i, got, c.want)
			}
		}
		if r.place != 4 || r.stats.Messages != 4 {
			t.Errorf("at place %d after %d messages, want 4", r.place, r.stats.Messages)
		}
		if !r.yielding {
			t.Error("the turn that closes them is not on its way")
		}
		r.turn()
		for _, s := range bare {
			if got := texts(t, written[s.fd]); !slices.Equal(got, []string{"1", "1", "2", goodbye1013}) ||
				s.state < stateClosing || s.groupCount() != 0 { // without a socket it is dead at once
				t.Errorf("a bare one got %q, and is in state %d", got, s.state)
			}
		}
		for _, s := range append(told, other...) {
			if s.state != stateOpen {
				t.Error("one that was told, or is in another group, is closed")
			}
		}
		s := r.Snapshot()
		if s.Gaps != 3 || s.GapClosed != 2 || s.CloseTryLater != 2 || s.CloseOther != 0 || r.gapped.list != nil {
			t.Errorf("%d told, %d closed, with 1013 %d, %d others, %d left", s.Gaps, s.GapClosed, s.CloseTryLater,
				s.CloseOther, len(r.gapped.list))
		}
	})
}

// exit takes s out of the group. On the loop.
func (s *Session) exit(group string) { s.r.exit(s, []byte(group)) }

// TestGapWhileCatchingUp: a gap that comes while a push waits for room closes nobody until a
// turn of its own.
func TestGapWhileCatchingUp(t *testing.T) {
	e := startSim(t, nil)
	r := e.reactors[0]
	onLoop(t, r, func() {
		r.sink()
		s := r.simulate(1, protocol.ModeBare)[0]
		s.joinAs("g")
		e.gapHere(t, "g")
		r.catchUp()
		if s.state != stateOpen || !r.yielding {
			t.Errorf("state %d, yielding %v", s.state, r.yielding)
		}
		r.turn()
		if s.state < stateClosing {
			t.Errorf("state %d", s.state)
		}
		r.doomed = nil
	})
}

// TestGapClosesAThousandASecond: of 3,000 a first 1,000 are closed at once, then as many as
// time goes on, each once; who has gone meanwhile, or is closed already, is passed over.
func TestGapClosesAThousandASecond(t *testing.T) {
	const n, second = 3000, int64(time.Second)
	e := startSim(t, func(o *Options) { o.MaxConns = n })
	r := e.reactors[0]
	onLoop(t, r, func() {
		written := r.record(0)
		defer func() { r.doomed = nil }()
		list := r.simulate(n, protocol.ModeBare)
		for _, s := range list {
			s.joinAs("a")
			s.joinAs("b")
		}
		for range 2 {
			e.gapHere(t, "b", "a")
			r.deliverAll()
		}
		if len(r.gapped.list) != n {
			t.Fatalf("%d are noted, want %d, each once", len(r.gapped.list), n)
		}
		r.now += second // the credit is no more than that of a second
		after := func(nanos int64, want int) {
			t.Helper()
			r.now += nanos
			before := r.stats.GapClosed
			r.closeGapped()
			if got := int(r.stats.GapClosed - before); got != want {
				t.Errorf("%d closed, want %d", got, want)
			}
		}
		after(10*second, 1000)
		after(0, 0)
		after(second/1000-1, 0)
		after(1, 1)
		after(second/100, 10)
		after(second/2, 500)
		r.closeWith(list[1600], 1000, "")
		r.doom(list[1700])
		after(60*second, 1000)
		after(60*second, n-2-2511)
		after(60*second, 0)
		r.deliverAll()
		for i, s := range list {
			got := texts(t, written[s.fd])
			if want := []string{goodbye1013}; i == 1600 && (len(got) != 1 || got[0] != "\x03\xe8") ||
				i == 1700 && len(got) != 0 || i != 1600 && i != 1700 && !slices.Equal(got, want) {
				t.Fatalf("session %d got %q", i, got)
			}
		}
	})
}

// TestGapClosesByTicks: those beyond the first thousand are closed without any further message.
func TestGapClosesByTicks(t *testing.T) {
	const n = 1200
	e := startSim(t, func(o *Options) { o.MaxConns, o.CloseTimeout = n, time.Hour })
	r := e.reactors[0]
	onLoop(t, r, func() {
		r.write = func(fd int32, b []byte) (int, unix.Errno) {
			if fd < simFD {
				return rawWrite(fd, b)
			}
			return len(b), 0
		}
		for _, s := range r.simulate(n, protocol.ModeBare) {
			s.joinAs("g")
		}
	})
	if err := e.broker.Gap(t.Context(), []string{"g"}); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "all to be closed", func() (all bool) {
		r.Tick()
		onLoop(t, r, func() { all = r.stats.GapClosed == n && len(r.groups.byName) == 0 })
		return all
	})
}

// TestGapsForgetWhoIsGone: what is noted stays within twice the sessions that there are, however
// many come and go.
func TestGapsForgetWhoIsGone(t *testing.T) {
	e := startSim(t, nil)
	r := e.reactors[0]
	onLoop(t, r, func() {
		r.sink()
		r.gapped.credit = 0
		for range 100 {
			list := r.simulate(10, protocol.ModeBare)
			for _, s := range list {
				s.joinAs("g")
			}
			r.gapped.at = r.now // no time goes by
			r.tellGap("g")
			if len(r.gapped.list) > 2*r.sessions.count {
				t.Fatalf("%d noted, of %d sessions", len(r.gapped.list), r.sessions.count)
			}
			for _, s := range list {
				r.doom(s)
				r.sessions.remove(s)
			}
		}
		r.doomed, r.gapped.list = nil, nil
	})
}

// TestGapEndsBatches: to tell a group costs what a message to it costs, and a batch ends at
// its marks.
func TestGapEndsBatches(t *testing.T) {
	e := startSim(t, func(o *Options) { o.BatchMarks, o.BatchBytes = 1000, 5000 })
	r := e.reactors[0]
	onLoop(t, r, func() {
		r.sink()
		for _, s := range r.simulate(100, protocol.ModeEnvelope) {
			s.joinAs("hundred")
		}
		long := fmt.Sprintf("%01000d", 1)
		r.simulate(1, protocol.ModeEnvelope)[0].joinAs(long)
		for _, c := range []struct {
			group string
			want  int
		}{{"hundred", 10}, {long, 5}, {"nobody", 20}} {
			for range 20 {
				e.gapHere(t, c.group)
			}
			r.takeBatch()
			if got := 20 - r.port.Stats().EgressLen; got != c.want {
				t.Errorf("%.10s: %d gaps in a batch, want %d", c.group, got, c.want)
			}
			r.deliverAll()
		}
	})
}

// TestGapAllocatesNothing: nor is the notice built for each member.
func TestGapAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	e := startSim(t, nil)
	r := e.reactors[0]
	onLoop(t, r, func() {
		r.sink()
		for _, s := range r.simulate(200, protocol.ModeEnvelope) {
			s.joinAs("g")
		}
	})
	gap := order.NewGap([]string{"g"})
	if n := allocs(t, r, func() { r.inject(gap); r.deliverAll() }); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}
