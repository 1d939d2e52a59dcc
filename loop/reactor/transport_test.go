package reactor

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"golang.org/x/sys/unix"

	"groupcast/protocol"
)

// sealed is a transport for tests that does to the bytes what TLS does: it puts them into
// records, takes more of them than the socket does, keeps what is left over, and says
// goodbye with a record of its own.
type sealed struct {
	r        *Reactor
	rest     []byte // of records, that the socket has not taken
	plain    int    // bytes in rest
	held     bool   // by the last news, sending was not to be tried
	awaited  int    // times news was asked for
	fin      bool   // goodbye is in rest, or out
	resets   int
	released bool

	room    int // what the socket still takes
	unread  int // plain bytes that it has and the peer does not
	written []byte
}

const (
	sealKey    = 0x5a
	recordSize = 100
)

func seal(dst, plain []byte) []byte {
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(plain)))
	for _, b := range plain {
		dst = append(dst, b^sealKey)
	}
	return dst
}

// unseal returns what is in whole records.
func unseal(records []byte) (plain []byte, fin bool) {
	for len(records) >= 2 {
		n := int(binary.BigEndian.Uint16(records))
		if n == 0 {
			return plain, true
		}
		if len(records) < 2+n {
			break
		}
		for _, b := range records[2 : 2+n] {
			plain = append(plain, b^sealKey)
		}
		records = records[2+n:]
	}
	return plain, false
}

// push gives the socket what is left over, and asks for news if it does not take all.
func (t *sealed) push(s *Session) {
	n := min(t.room, len(t.rest))
	t.room -= n
	t.written = append(t.written, t.rest[:n]...)
	t.rest = t.rest[n:]
	if len(t.rest) == 0 {
		t.unread += t.plain
		t.plain = 0
		return
	}
	_ = transports[s.via].await(s)
}

// useSealed has sessions of the test use a transport that is sealed.
func useSealed(tb testing.TB) map[*Session]*sealed {
	tb.Helper()
	all := map[*Session]*sealed{}
	plain := transports[viaPlain]
	transports[viaPlain] = transport{
		send: func(s *Session, b []byte) (int, unix.Errno) {
			t := all[s]
			if len(t.rest) > 0 {
				return 0, unix.EAGAIN
			}
			n := 0
			for n < len(b) && len(t.rest) == 0 {
				record := b[n:min(len(b), n+recordSize)]
				n += len(record)
				t.rest = seal(nil, record)
				t.plain = len(record)
				t.push(s)
			}
			return n, 0
		},
		await: func(s *Session) error { all[s].awaited++; return nil },
		ready: func(s *Session) bool {
			all[s].push(s)
			all[s].held = len(all[s].rest) > 0
			return !all[s].held
		},
		unacked: func(s *Session) int { return all[s].plain + all[s].unread },
		receive: func(_ *Session, b []byte) []byte {
			plain, _ := unseal(b)
			return plain
		},
		halfClose: func(s *Session) error {
			t := all[s]
			t.fin = true
			t.rest = append(t.rest, 0, 0)
			t.push(s)
			return nil
		},
		reset:   func(s *Session) { all[s].resets++ },
		release: func(s *Session) { all[s].released = true },
	}
	tb.Cleanup(func() { transports[viaPlain] = plain })
	return all
}

// TestTransport: all that a session sends and gets, what is known of its peer's progress, and
// its end go by its transport, which may hold bytes back. The socket itself is not touched.
func TestTransport(t *testing.T) {
	all := useSealed(t)
	e := startSim(t, func(o *Options) {
		o.PingAfter, o.CloseAfter, o.CloseTimeout = 20*time.Second, 40*time.Second, 5*time.Second
	})
	r := e.reactors[0]
	onLoop(t, r, func() {
		r.write = func(int32, []byte) (int, unix.Errno) { t.Error("the socket is written to"); return 0, unix.EPIPE }
		r.watch = func(*Session) error { t.Error("the socket is watched"); return nil }
		r.unacked = func(int32) int { t.Error("the socket is asked"); return 0 }
		defer func() { r.doomed = nil }() // they have no connections to close
		begin := func(room int) (*Session, *sealed) {
			s := r.simulate(1, protocol.ModeBare)[0]
			all[s] = &sealed{r: r, room: room}
			s.conn = unixConn{}
			return s, all[s]
		}
		news := func(s *Session, room int) {
			all[s].room += room
			r.unblock(s)
			r.settle()
		}
		pass := func(d time.Duration) {
			r.makeTicks(time.Duration(r.ticks(d)))
			r.deliverAll()
		}
		got := func(s *Session) []string {
			plain, _ := unseal(all[s].written)
			return texts(t, plain)
		}

		// In and out; one that has no room holds nothing up, and loses nothing.
		slow, slowly := begin(0)
		quick, _ := begin(1 << 20)
		want := []string{ackOf("1")}
		for _, s := range []*Session{slow, quick} {
			r.read(s, seal(nil, mask(`{"cmd":"add_group","group_id":"g","req_id":1}`)))
		}
		for i := range 20 {
			text := fmt.Sprintf("%0150d", i)
			r.inject(textMessage("g", text))
			want = append(want, text)
		}
		r.deliverAll()
		if !slices.Equal(got(quick), want) {
			t.Errorf("got %q", got(quick))
		}
		if !slow.is(flagBlocked) || slowly.awaited == 0 {
			t.Error("a session without room is not blocked, or news was not asked for")
		}
		for n := 0; len(slowly.rest) > 0 || slow.next != nil; n++ {
			if n > 1000 {
				t.Fatal("news of room leads nowhere")
			}
			plain, _ := unseal(slowly.written)
			if slow.outstanding() != int64(20*154+2+len(ackOf("1"))-len(plain)+slowly.unread) {
				t.Fatalf("%d bytes are outstanding with %d written and %d unread", slow.outstanding(), len(plain), slowly.unread)
			}
			before := r.stats.Writes
			if news(slow, 37); slowly.held && r.stats.Writes != before {
				t.Fatal("send was tried although the transport was not ready")
			}
		}
		if !slices.Equal(got(slow), want) {
			t.Errorf("got %q", got(slow))
		}

		// A silent peer that has not acknowledged what stands before the ping is slow and
		// not silent, by what the transport says.
		r.wheel.schedule(slow, r.wheel.now+1)
		slow.lastSeen = r.wheel.now
		for _, s := range []*Session{quick} {
			r.wheel.cancel(s)
		}
		pass(21 * time.Second)
		for range 50 {
			slowly.room += 100
			slowly.unread -= 10
			pass(2 * time.Second)
		}
		if slow.state != stateOpen || r.stats.Pings == 0 {
			t.Errorf("state %d after %d pings: the transport's progress is not seen", slow.state, r.stats.Pings)
		}

		// A close handshake ends behind what the transport holds; without progress by a reset.
		slowly.room = 0
		r.closeWith(slow, ws.StatusGoingAway, "")
		r.settle()
		r.closeWith(quick, ws.StatusGoingAway, "")
		r.settle()
		all[quick].unread = 0
		if _, fin := unseal(all[quick].written); !fin {
			t.Error("the end of what is sent was not said")
		}
		pass(20 * time.Second)
		if slow.state != stateDead || slowly.resets != 1 || e.shared.CutSessions.Load() != 1 {
			t.Errorf("state %d, %d resets of a peer that takes nothing, %d cut", slow.state, slowly.resets,
				e.shared.CutSessions.Load())
		}
		if quick.state != stateDead || all[quick].resets != 0 {
			t.Errorf("state %d, %d resets of a peer that had everything", quick.state, all[quick].resets)
		}
		for _, s := range []*Session{slow, quick} {
			r.bury(s)
			if !all[s].released {
				t.Error("what the transport held is not given back")
			}
		}
		if bytes.Contains(slowly.written, []byte(want[1])) {
			t.Error("the test's transport seals nothing")
		}
	})
}
